"""The page of a sweep: what each epsilon buys, what it costs, and where more buys nothing. Panels, tables and their sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from twinset.core.finding import Finding
from twinset.core.scale import Scale, is_attack, scale
from twinset.dp.accountant import advantage, guess
from twinset.report import words
from twinset.report.frontier import Advice, Frontier, title_of
from twinset.report.series import Place, Series, plot, swatch

FIDELITY = ("fidelity.pairs", "fidelity.columns", "fidelity.hellinger", "fidelity.tstr.logistic", "fidelity.tstr.boosting", "fidelity.propensity")
ENDPOINTS = ("endpoint.difference", "endpoint.overlap", "endpoint.curve")
ANALYSES = "The declared analyses, repeated on the synthetic rows of every point."
ATTACKS = (("membership.distance", "all patients"), ("membership.distance", "isolated 5 %"), ("membership.classifier", "all patients"), ("privacy.nearer", ""))
UNITS = {
    "fidelity.pairs": "total variation, 0 is equal",
    "fidelity.columns": "total variation, 0 is equal",
    "fidelity.hellinger": "Hellinger distance, 0 is equal",
    "fidelity.tstr": "AUROC on unseen patients (a number as outcome: rank correlation)",
    "fidelity.propensity": "how often a classifier tells them apart, 0.5 is a coin",
    "endpoint.difference": "distance in train standard errors",
    "endpoint.overlap": "overlap of 95 % intervals, 1 is full",
    "endpoint.curve": "largest vertical gap between curves",
    "membership": "how often the attack is right, 0.5 is a coin",
    "privacy.nearer": "share of synthetic rows, 0.5 is fair",
}


@dataclass(frozen=True)
class Panel:
    """One plot: its title, unit, what is better, a sentence, the drawing."""

    title: str
    unit: str
    better: str
    sentence: str
    chart: Markup


@dataclass(frozen=True)
class Line:
    """One epsilon of a generator in the table of the page."""

    epsilon: str
    rho: str
    right: str
    cells: tuple[tuple[str, str], ...]  # mean, lowest and highest
    standing: str
    tone: str
    chosen: bool


@dataclass(frozen=True)
class Content:
    """What the template needs beside the frontier itself."""

    headline: str
    tone: str
    legend: tuple[tuple[Markup, str], ...]
    groups: tuple[tuple[str, str, tuple[Panel, ...]], ...]
    heads: tuple[tuple[str, str], ...]  # label, place
    tables: tuple[tuple[str, tuple[Line, ...]], ...]
    worst: str


def content(frontier: Frontier) -> Content:
    """Panels, tables and sentences."""
    first = frontier.advice[0] if frontier.advice else None
    best = first.epsilon if first else None
    headline = f"ε = {best:g} with {first.generator}" if first and best is not None else "No epsilon is recommended"
    groups = (
        ("Looks like the patients", "What each epsilon buys in fidelity.", _panels(frontier, _keys(frontier, FIDELITY), "fidelity")),
        (
            "Leads to the same conclusions",
            ANALYSES if _keys(frontier, ENDPOINTS) else words.NO_ENDPOINTS,
            _panels(frontier, _keys(frontier, ENDPOINTS), "endpoint"),
        ),
        (
            "Withstands attacks",
            "What attackers who were tried could do. The promise bounds them all; these are lower bounds.",
            _panels(frontier, _attacks(frontier), "attack"),
        ),
    )
    columns = _columns(frontier)
    legend = tuple((swatch(i, private=_private(frontier, g)), g) for i, g in enumerate(frontier.generators))
    tables = tuple((a.generator, _lines(frontier, a, columns)) for a in frontier.advice)
    heads = tuple((words.label(next(f for s in frontier.spots for f in s.findings if (f.name, f.where) == k)), k[1]) for k in columns)
    return Content(headline, _tone(best), legend, groups, heads, tables, _worst(frontier))


def _tone(best: float | None) -> str:
    return "wait" if best is None else "good" if best <= 10 else "wait"


def _private(frontier: Frontier, generator: str) -> bool:
    return any(s.generator == generator and s.epsilon is not None for s in frontier.spots)


def _keys(frontier: Frontier, names: Sequence[str]) -> list[tuple[str, str]]:
    found = dict.fromkeys((f.name, f.where) for s in frontier.spots for f in s.findings if f.measured)
    return [k for n in names for k in found if k[0] == n and (not k[1] or n.startswith(("endpoint.", "fidelity.tstr")))]


def _attacks(frontier: Frontier) -> list[tuple[str, str]]:
    """The usual attacks, then any of the sweep's own: everything where a coin is right half of the time."""
    usual = [k for k in ATTACKS if any(frontier.at(s.generator, s.epsilon, k) for s in frontier.spots)]
    known = ("membership.", "privacy.", "fidelity.", "endpoint.", "rules.")
    own = dict.fromkeys((f.name, f.where) for s in frontier.spots for f in s.findings if f.measured and not f.name.startswith(known))
    return [*usual, *own]


def _panels(frontier: Frontier, keys: Sequence[tuple[str, str]], name: str) -> tuple[Panel, ...]:
    return tuple(_panel(frontier, k, f"{name}-{i}") for i, k in enumerate(keys, start=1))


def _panel(frontier: Frontier, key: tuple[str, str], name: str) -> Panel:
    places = {g: _places(frontier, g, key) for g in frontier.generators}
    series = tuple(Series(g, i, places[g]) for i, g in enumerate(frontier.generators) if places[g])
    largest = [f for g in frontier.generators for e in (frontier.epsilons[-1:] or (None,)) for f in frontier.at(g, e, key)]
    any_ = largest or [f for s in frontier.spots for f in s.findings if (f.name, f.where) == key and f.measured]
    first, marks = any_[0], _mean_scale(any_)
    advice = frontier.advice[0] if frontier.advice else None
    told = _sentence(frontier, key, marks, first)
    chart = plot(series, frontier.epsilons, marks, advice.epsilon if advice else None, name=name, words=(title_of(first), told))
    return Panel(title_of(first), _unit(first), f"{first.better} is better", told, chart)


def _places(frontier: Frontier, generator: str, key: tuple[str, str]) -> tuple[Place, ...]:
    """The points of a generator at each epsilon: every repeat, and the mean ends of the figures' own intervals."""
    out = []
    for epsilon in (*frontier.epsilons, None):
        found = frontier.at(generator, epsilon, key)
        if found:
            low, high = (
                _mean([end if math.isfinite(end) else f.value for f, end in pairs]) for pairs in ([(f, f.low) for f in found], [(f, f.high) for f in found])
            )
            out.append(Place(epsilon, tuple(f.value for f in found), low, high))
    return tuple(out)


def _mean_scale(found: Sequence[Finding]) -> Scale:
    """The marks of a measure: means over the findings that carry them."""
    scales = [scale(f) for f in found]
    bands = [s.band for s in scales if s.band]
    band = (_mean([b[0] for b in bands]), _mean([b[1] for b in bands])) if bands else None
    useless, chance = [s.useless for s in scales if s.useless is not None], [s.chance for s in scales if s.chance is not None]
    first = scales[0]
    if not chance and "chance" in found[0].beside and not found[0].name.startswith(("fidelity.", "endpoint.")):
        chance = [found[0].beside["chance"]]
        band = None
    return Scale(first.value, first.low, first.high, first.better, band, _mean(useless) if useless else None, _mean(chance) if chance else None)


def _sentence(frontier: Frontier, key: tuple[str, str], marks: Scale, first: Finding) -> str:
    """What the plot says, for those who cannot see it."""
    private = [g for g in frontier.generators if _private(frontier, g)]
    if marks.chance is not None:
        return _attack_sentence(frontier, key, marks)
    parts = []
    for g in private:
        shown = [(e, _mean([f.value for f in frontier.at(g, e, key)])) for e in _told(frontier, g) if frontier.at(g, e, key)]
        lost = [f"{e:g}" for e in frontier.epsilons if not frontier.at(g, e, key)]
        parts.append(f"{g}: " + ", ".join([*(f"{words.number(v)} at ε = {e:g}" for e, v in shown), *([f"not measured at {', '.join(lost)}"] if lost else [])]))
    others = [g for g in frontier.generators if g not in private and frontier.at(g, None, key)]
    parts += [f"{g}, without a promise: {words.number(_mean([f.value for f in frontier.at(g, None, key)]))}" for g in others]
    if marks.band:
        parts.append(f"as good as real: {words.span(first, *marks.band)}")
    if marks.useless is not None:
        parts.append(f"useless: {words.figure(first, marks.useless)}")
    return "; ".join(parts) + "."


def _told(frontier: Frontier, generator: str) -> list[float]:
    """The epsilons a sentence names: the ends, the usual landmarks and the recommended one."""
    best = next((a.epsilon for a in frontier.advice if a.generator == generator), None)
    ends = {frontier.epsilons[0], frontier.epsilons[-1], *([best] if best is not None else []), *(e for e in (5.0, 10.0) if e in frontier.epsilons)}
    return sorted(ends)


def _attack_sentence(frontier: Frontier, key: tuple[str, str], marks: Scale) -> str:
    points = [(g, e, found) for g in frontier.generators for e in (*frontier.epsilons, None) if (found := frontier.at(g, e, key))]
    worst = max((p for p in points if p[1] is not None), key=lambda p: _mean([f.value for f in p[2]]), default=None)
    parts = []
    if worst:
        found = worst[2]
        ends = words.interval(_mean([f.low for f in found]), _mean([f.high for f in found]), decimals=3)
        parts.append(
            f"highest mean of all private points: {words.number(_mean([f.value for f in found]))} {ends}, {worst[0]} at ε = {worst[1]:g}; chance is {marks.chance:.2g}"
        )
        parts.append(_beyond(points, marks))
    for g, e, found in points:
        if e is None:
            parts.append(f"{g}, without a promise: {words.number(_mean([f.value for f in found]))}")
    return words.sentence("; ".join(parts))


def _beyond(points: Sequence[tuple[str, float | None, list[Finding]]], marks: Scale) -> str:
    """How many private points are above chance by their own interval, and how many would be by luck."""
    single = [f for _, e, found in points if e is not None for f in found if math.isfinite(f.low)]
    above = sum(f.low > (marks.chance or 0.5) for f in single)
    return f"{above} of {len(single)} single points lie above chance by their own 95 % interval ({0.025 * len(single):.1f} would by luck)"


def _columns(frontier: Frontier) -> list[tuple[str, str]]:
    """What the table of epsilons shows: at most four measures."""
    fidelity = [*_keys(frontier, ("fidelity.pairs",)), *_keys(frontier, ("fidelity.tstr.boosting",))[:1]]
    return [*fidelity, *_keys(frontier, ("endpoint.difference",))[:1], *_attacks(frontier)[:1]]


def _lines(frontier: Frontier, advice: Advice, columns: Sequence[tuple[str, str]]) -> tuple[Line, ...]:
    out = []
    for e in frontier.epsilons:
        rho = frontier.bill.costs.get(e, math.inf)
        cells = tuple(_cell(frontier.at(advice.generator, e, k)) for k in columns)
        standing, tone = _standing(advice, e, frontier.epsilons[-1])
        out.append(Line(f"{e:g}", words.number(rho), _share(guess(advantage(rho))), cells, standing, tone, e == advice.epsilon))
    others = [g for g in frontier.generators if not _private(frontier, g)]
    out += [Line(f"none ({g})", "infinite", "always", tuple(_cell(frontier.at(g, None, k)) for k in columns), "no promise", "none", False) for g in others]
    return tuple(out)


def _share(value: float) -> str:
    """Never rounded up to certainty."""
    return f"{100 * value:.1f} %" if value < 0.9995 else "over 99.9 %"


def _standing(advice: Advice, epsilon: float, largest: float) -> tuple[str, str]:
    if epsilon == largest:
        return "the largest: the others are held against it", "none"
    if epsilon not in advice.differs:
        return "not judged", "none"
    worse = advice.differs[epsilon]
    if not worse:
        return "not worse than the largest", "good"
    return "worse: " + "; ".join(words.inline(w) for w in worse[:3]) + (f"; and {len(worse) - 3} more" if len(worse) > 3 else ""), "short"


def _cell(found: Sequence[Finding]) -> tuple[str, str]:
    if not found:
        return "not measured", ""
    values = [f.value for f in found]
    ends = words.interval(min(values), max(values), decimals=3) if len(values) > 1 else ""
    return words.number(_mean(values), decimals=3), ends


def _worst(frontier: Frontier) -> str:
    """One sentence on all attacks of all private points."""
    found = [(s, f) for s in frontier.spots if s.epsilon is not None for f in s.findings if f.measured and is_attack(f) and not f.name.endswith(".tpr")]
    if not found:
        return "No attack was measured: there are too few patients, or none was held out."
    above = [f for _, f in found if math.isfinite(f.low) and f.low > 0.5]
    return (
        f"{len(above)} of {len(found)} attacks on private points were right more often than a coin by their own 95 % interval; by luck alone about "
        f"{0.025 * len(found):.0f} would be (more or fewer at once, since all points share one hold-out)."
    )


def _unit(finding: Finding) -> str:
    return next((u for n, u in UNITS.items() if finding.name.startswith(n)), "")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
