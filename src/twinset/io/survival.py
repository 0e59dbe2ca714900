"""Which columns are the time and the event of one endpoint, by their names in English, German, French and Spanish: proposals."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from twinset.core.schema import Column, Level
from twinset.io.words import plain, vocabulary, words

MOST_EVENTS = 5  # levels of an event's column: censored, and a few kinds of event
TIME = vocabulary(
    "time times t tte duration days weeks months years followup fup stop tstop exit end ende aval survtime futime lifetime "
    "zeit dauer tage wochen monate jahre beobachtungszeit nachbeobachtung nachbeobachtungszeit uberlebenszeit ueberlebenszeit uberleben ueberleben "
    "temps duree jours semaines mois annees delai suivi survie tiempo duracion dias semanas meses seguimiento supervivencia sobrevida tid dager dagar overlevelse"
)
TIME_STARTS = re.compile(r"(time|zeit|temps|tiempo)(.+)")
TIME_ENDS = re.compile(r"(.+?)_?(time|zeit|dauer|tid|tage|days|wochen|weeks|monate|months|monat|mois|jours|meses|dias|tiempo|temps)")
LINKS = vocabulary("to until till bis zum zur jusqu jusque au a avant hasta la el al le de of the in mo mos yr yrs")
FOLLOW = vocabulary("fu fup follow up followup surv survival uberleben ueberleben nachbeobachtung survie suivi seguimiento supervivencia sobrevida")
WHOLE = FOLLOW | vocabulary(
    "obs observation total overall life event uberlebens ueberlebens nachbeobachtungs beobachtungs gesamtuberlebens vital globale global in"
)
SIGN = vocabulary(
    "status stat event events evt ev e d delta ind indicator flag fl yn cens censor censored censoring cnsr observed obs failed fail failure ereignis zensiert zensierung "
    "evenement statut censure evento estado censura censurado vital"
)
SIGN_STARTS = re.compile(r"(cens|status|stat|event)(?!or|ored|us|ut)(.+)")
SIGN_ENDS = re.compile(r"(.+?)_?(status|stat|event|cens|ereignis|statut|evento)")
CONCEPTS: dict[str, frozenset[str]] = {
    "death": vocabulary(
        "ttd dth death dead died dies deceased mortality os alive living survived vivant vivo lebend tod tot gestorben verstorben exitus deces decede mort muerte muerto fallecido fallecimiento dod"
    ),
    "recurrence": vocabulary(
        "ttr recur recurrence recurred relapse relapsed rfs dfs rezidiv ruckfall rueckfall rechute recidive recaida recidiva"
    ),
    "progression": vocabulary("prog progression progressed progress progr pd pfs ttp progresion"),
}  # fmt: skip
ENDPOINTS = vocabulary("os pfs rfs dfs efs mfs dmfs css dss dfi pfi ttp ttd ttr")  # a number so called is a time, a yes or no an event
TRAPS = vocabulary("pro pt aptt ptt bleeding prothrombin diag since seit depuis desde wait waiting ischemia ischaemia door")
ALIVE = vocabulary("alive living survived survives vivant vivo lebend")
CENSORED = vocabulary("survival surv overall cens censor censored censoring zensiert censure censura censurado")
SAYS_EVENT = re.compile(
    r"\b(dead|death|died|deceased|event|yes|true|relapsed?|recurrence|progressed|progression|failed|tot|tod|verstorben|gestorben|ereignis|ja|rezidiv|wahr|"
    r"decede|mort|deces|oui|vrai|evenement|rechute|muerto|muerte|fallecido|fallecida|si|evento|recaida)\b"
)


@dataclass(frozen=True)
class Pair:
    """The columns of one time-to-event endpoint, by name."""

    time: str
    event: str


def survival_pairs(columns: Sequence[Column], *, taken: Collection[str] = ()) -> tuple[Pair, ...]:
    """Times and events that belong together, the surest first; each column once. ``taken``: columns that are something else (arms).

    By a shared stem (``rtime``/``recur``, ``time.to.cmv``/``cmv``, ``os_months``/``os_status``), by words that mean time and event, and, where
    nothing else is found, by a column of two levels right beside a time. Proposals only: a name can mislead.

    >>> levels = (0, 1)
    >>> survival_pairs([Column("Zeit", "integer", low=1, high=9), Column("Ereignis", "category", levels=levels)])
    (Pair(time='Zeit', event='Ereignis'),)
    """
    times = [(i, c, stem) for i, c in enumerate(columns) if c.name not in taken and _lasts(c) and (stem := time_stem(c.name)) is not None]
    events = [(i, c) for i, c in enumerate(columns) if c.name not in taken and c.kind == "category" and 2 <= len(c.levels) <= MOST_EVENTS]
    scored = [(s, not CENSORED & set(_parts(e.name)), -abs(i - j), -i, t.name, e.name) for i, t, stem in times for j, e in events if (s := _fit(stem, e))]
    found: list[Pair] = []
    intervals = 0
    for score, _, _, _, time, event in sorted(scored, reverse=True):
        if all(time != p.time and event != p.event for p in found) and not (score < 50 and intervals):
            found.append(Pair(time, event))
            intervals += score < 50
    return tuple(found) or _beside(times, dict(events))


def time_stem(name: str) -> tuple[str, ...] | None:
    """What a time's name says beside "time"; ``None`` where it names no time.

    >>> time_stem("time.to.cmv"), time_stem("rtime"), time_stem("futime"), time_stem("protime"), time_stem("bili")
    (('cmv',), ('r',), (), None, None)
    """
    rest, seen = [], False
    parts = _parts(name)
    for word in parts:
        ending = TIME_ENDS.fullmatch(word)
        start = TIME_STARTS.fullmatch(word)
        if word in TIME and (word != "t" or all(p.isdigit() for p in parts if p != "t")):
            seen = True
        elif (ending or start) and not seen:
            seen = True
            rest.append(ending[1] if ending else start[2] if start else "")
        elif word not in LINKS:
            rest.append(word)
    seen = seen or (bool(rest) and (set(rest) <= FOLLOW or set(rest) <= ENDPOINTS))
    if not seen or set(rest) & TRAPS:
        return None
    return _stem(rest)


def event_stem(name: str) -> tuple[tuple[str, ...], bool]:
    """What an event's name says beside "event", and whether it has a word that says so at all.

    >>> event_stem("pstat"), event_stem("DEATH_EVENT"), event_stem("cmv")
    ((('p',), True), (('death',), True), (('cmv',), False))
    """
    rest, seen = [], False
    parts = _parts(name)
    bare = all(p.isdigit() for p in parts[1:])
    for word in parts:
        ending, start = SIGN_ENDS.fullmatch(word), SIGN_STARTS.fullmatch(word)
        if word in SIGN and (word not in ("e", "d") or bare):
            seen = True
        elif ending and word not in TIME:
            seen = True
            rest.append(ending[1])
        elif start:
            seen = True
            rest.append(start[2])
        elif word not in LINKS or len(word) == 1:
            rest.append(word)
    stem = _stem(rest)
    return stem, seen or bool(set(stem) & set(CONCEPTS)) or (bool(rest) and set(rest) <= ENDPOINTS)


def _parts(name: str) -> list[str]:
    """The words of a name without accents, a number at the end of one as a word of its own."""
    return [part for word in words(name) for part in re.split(r"(?<=[a-z])(?=\d+$)", plain(word))]


def _stem(rest: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(next((concept for concept, names in CONCEPTS.items() if w in names), w) for w in rest if w not in WHOLE))


def event_level(column: Column, series: pl.Series, time: pl.Series | None = None) -> Level:
    """The level that most likely means the event was seen. Raises nothing; a column without levels gives 1.

    Of texts the one that says so; of two numbers the larger (but 0 of CDISC's CNSR and of a column called alive); of more the commonest but 0 or,
    where there is no 0, but that of the longest times. A column called after censoring is read both ways in practice: there, the level whose times are shorter.
    """
    levels = list(column.levels)
    if not levels:
        return 1
    said = {plain(w) for w in words(column.name)}
    texts = [v for v in levels if isinstance(v, str)]
    if texts:
        chosen: Level = _text_level(texts, alive=bool(said & ALIVE))
    elif said & {"cnsr"} or said & ALIVE:
        return levels[0]
    elif len(levels) > 2:
        return _commonest(levels, series, time)
    else:
        chosen = levels[-1]
    if said & CENSORED and len(levels) == 2 and time is not None:
        sooner = _sooner(levels, series, time)
        return chosen if sooner is None else sooner
    return chosen


def _text_level(levels: list[str], *, alive: bool) -> str:
    plainly = {v: " ".join(plain(w) for w in words(v)) for v in levels}
    if alive:
        return next((v for v, p in plainly.items() if re.search(r"\b(no|non|nein|false|0|dead)\b", p)), levels[0])
    denied = re.compile(r"\b(no|not|non|nein|kein\w*|sans|sin)\b")
    return next((v for v, p in plainly.items() if SAYS_EVENT.search(p) and not denied.search(p)), levels[-1])


def _commonest(levels: list[Level], series: pl.Series, time: pl.Series | None) -> Level:
    ruled_out = levels[0]
    if ruled_out != 0 and time is not None:
        ruled_out = max(levels, key=lambda v: _mean(time, series, v))
    counts = {v: int((series == v).sum()) for v in levels if v != ruled_out}
    return max(counts, key=lambda v: (counts[v], -levels.index(v)))


def _mean(time: pl.Series, series: pl.Series, level: Level) -> float:
    found = time.filter((series == level).fill_null(False)).mean()
    return float(found) if isinstance(found, (int, float)) else -1.0


def _sooner(levels: list[Level], series: pl.Series, time: pl.Series) -> Level | None:
    """Of two levels the one with the clearly shorter times: follow-up that ends without an event tends to end late."""
    means = [_mean(time, series, v) for v in levels]
    if min(means) < 0 or max(means) <= 0 or min(means) > 0.9 * max(means):
        return None
    return levels[means.index(min(means))]


def _lasts(column: Column) -> bool:
    return column.kind in ("number", "integer") and column.low is not None and column.low >= 0


def _fit(time: tuple[str, ...], event: Column) -> int:
    """How well a time's stem and an event go together; 0 = not."""
    stem, says = event_stem(event.name)
    if time == stem:
        return 100 if time else 80 if says else 50
    if len(time) == 1 and len(stem) == 1 and says and len(time[0]) != 2 and stem[0].startswith(time[0]):
        return 90
    if not time and len(stem) == 1 and stem[0] in CONCEPTS:
        return 70
    if says and not stem and len(time) == 1 and time[0].isdigit():
        return 40 + int(time[0]) % 10  # time0 and time1, or time1 and time2: the end of an interval
    return 60 if not stem and len(time) == 1 and (time[0] in CONCEPTS or time[0] in ENDPOINTS) else 0


def _beside(times: Sequence[tuple[int, Column, tuple[str, ...]]], events: dict[int, Column]) -> tuple[Pair, ...]:
    """A column of the numbers 0 and 1 or 1 and 2 right after (else before) the only plain time."""
    bare = [(i, c) for i, c, stem in times if not stem]
    if len(bare) != 1:
        return ()
    i, time = bare[0]
    beside = [events[j] for j in (i + 1, i - 1) if j in events]
    beside = [e for e in beside if not (event_stem(e.name)[1] and event_stem(e.name)[0])]  # the status of something else
    fits = (e for e in beside if e.levels in ((0, 1), (1, 2), (False, True)) and e.role not in ("quasi-identifier", "sensitive", "group"))
    return next(((Pair(time.name, e.name),) for e in fits), ())
