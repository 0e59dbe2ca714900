"""What a column seems to be for, from its name and its cells: proposals for a person to check."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from twinset.core.schema import Column, Level, Role
from twinset.io.words import vocabulary, words

ARMS = ("arms", "arm", "trt", "treat", "treatment", "tx", "rx", "trt01p", "trtp", "actarm", "allocation", "randomised", "randomized", "group")
TIMES = ("days", "futime", "d time", "time", "os time", "survival time", "time to event", "tte", "fu time", "followup time", "follow up time", "survtime", "tstop", "os months", "aval", "duration")  # fmt: skip
EVENTS = ("cens", "censor", "status", "event", "death", "death event", "dead", "died", "fustat", "os event", "os status", "vital status", "cnsr")
EXACT_OUTCOMES = vocabulary("class target label result response outcome y")
OUTCOMES = vocabulary("outcome readmitted improved survives survived survival mortality death died dead recurrence relapse biopsy")
PLACE = re.compile(
    r"(study|treating|trial)?(hosp(ital)?|clinic|cent(er|re)|ctr|facility|ward|provider|practice|physician|doctor|surgeon|cntry|site|inst(itution)?|dataset|department|dept)"
    r"(num|no|id|code|nbr|name|number|s)?"
)
SAFE_AGE = vocabulary(
    "age ages xage agegr at diagnosis years yrs year group grp gr cat band decade months mo baseline bl entry enrolment enrollment admission patient aged range class"
)
QUASI = vocabulary(
    "sex gender male female race race1 race3 raceth ethnic ethnicity hispanic hisp black white asian zip zip3 postcode city town county state region country nationality native "
    "marital marstat married education educ edu edulevel educdec occupation job profession employment language religion height weight wtkg born birth yob born placesize socprof"
)
SENSITIVE = vocabulary(
    "hiv aids std stds sti syphilis gonorrhea chlamydia herpes hpv homo homosexual ivdrug drug drugs marijuana marij cannabis cocaine opioid alcohol alcabuse alc alcsol smoker smokes smoke "
    "abortion ab stillbirth pregnancy pregnancies pregnant pregnancy depress depressed depression psych psychiatric suicide suicidal mental schizophrenia dementia addict addiction abuse "
    "income salary payor payer insurance diag diagnosis icd icd9 icd10 dx genetic genotype brca sexual sex orientation partner partners"
)
CODES = vocabulary("id code nbr icd icd9 icd10 zip zipcode postcode")
MOST_ARMS, MOST_OUTCOMES, MOST_CODES = 8, 25, 1000


def is_code(series: pl.Series) -> bool:
    """Whether whole numbers are names of something (a hospital, a type): its name says so and each occurs many times."""
    parts = words(series.name)
    named = bool(parts) and (parts[-1] in CODES or is_place(series.name))
    return named and series.n_unique() <= min(MOST_CODES, max(2, series.len() / 10))


def is_place(name: str) -> bool:
    """Whether a name says hospital, centre, ward, doctor ... and nothing else."""
    return PLACE.fullmatch("".join(words(name))) is not None


def with_roles(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns with a role each where one is plain. Identifiers keep theirs; at most one time, event and outcome.

    Time and event are proposed only together. Proposals only: a name can mislead.
    """
    free = [c for c in columns if c.synthesised]
    roles: dict[str, Role] = {}
    for arm in _arms(free):
        roles[arm] = "arm"
    time = _first(free, TIMES, lambda c: c.kind in ("number", "integer") and (c.low or 0) >= 0)
    event = _first(free, EVENTS, lambda c: c.kind == "category" and 2 <= len(c.levels) <= 3)
    if time and event:
        roles[time], roles[event] = "time", "event"
    outcome = next((c.name for names in (exact_outcome, some_outcome) for c in reversed(free) if c.name not in roles and names(c)), "")
    if outcome:
        roles[outcome] = "outcome"
    return tuple(replace(c, role=roles.get(c.name) or _plain_role(c)) if c.synthesised and not c.role else c for c in columns)


def _first(columns: Sequence[Column], names: Sequence[str], fits: Callable[[Column], bool]) -> str:
    """The column that fits and has the foremost of these names (a letter at the end, as in ``time_d``, is another column)."""
    called = {" ".join(words(c.name)): c for c in reversed(columns)}
    return next((called[n].name for n in names if n in called and fits(called[n])), "")


def _arms(columns: Sequence[Column]) -> tuple[str, ...]:
    def fits(column: Column) -> bool:
        return column.kind == "category" and 2 <= len(column.levels) <= MOST_ARMS

    factors = tuple(c.name for c in columns if c.name.lower().startswith("rx") and len(c.name) > 2 and fits(c))
    one = _first(columns, ARMS, fits) or _first(columns, ("treatment arm", "study arm", "treatment group", "study group"), fits)
    return (one,) if one else factors


def exact_outcome(column: Column) -> bool:
    """A category called class, target, result ... and nothing else."""
    return _few_levels(column) and set(words(column.name)) <= EXACT_OUTCOMES


def some_outcome(column: Column) -> bool:
    """A category whose name has a word for an outcome in it."""
    return _few_levels(column) and bool(OUTCOMES & set(words(column.name)))


def _few_levels(column: Column) -> bool:
    return column.kind == "category" and 2 <= len(column.levels) <= MOST_OUTCOMES


def _plain_role(column: Column) -> Role:
    parts = words(column.name)
    has = set(parts)
    if is_place(column.name) and column.kind in ("category", "integer"):
        return "group"
    if column.kind in ("date", "datetime") or (has & {"age", "ages", "xage", "agegr"} and has <= SAFE_AGE):
        return "quasi-identifier"
    if has & {"date", "rdate"} and column.kind == "category":
        return "quasi-identifier"
    if has & QUASI and ("sex" not in has or has <= {"sex", "at", "birth", "patient"}):
        return "quasi-identifier"
    return "sensitive" if has & SENSITIVE else ""


def event_value(column: Column) -> Level:
    """The level that most likely means the event was seen: of numbers the largest (CDISC's CNSR: 0), of texts the one that says so."""
    said = ("dead", "death", "died", "event", "yes", "true", "1", "relapse", "deceased")
    if words(column.name) == ("cnsr",):
        return column.levels[0]
    texts = {str(v).lower(): v for v in column.levels}
    return next((texts[s] for s in said if s in texts and isinstance(column.levels[0], str)), column.levels[-1])


def reference(column: Column) -> Level:
    """The arm to compare against: placebo, control, standard, none; else the first."""
    said = ("placebo", "control", "standard", "usual", "none", "untreated", "sham")
    return next((v for v in column.levels if isinstance(v, str) and any(s in v.lower() for s in said)), column.levels[0])
