"""The smallest epsilon that costs nothing: where endpoints and fidelity cannot be told from those at the largest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twinset.core.finding import Finding
from twinset.core.scale import scale, scored
from twinset.report.frontier import Advice, Spot, title_of
from twinset.report.words import inline

JUDGED = (
    "fidelity.columns",
    "fidelity.pairs",
    "fidelity.hellinger",
    "fidelity.tstr.logistic",
    "fidelity.tstr.boosting",
    "fidelity.propensity",
    "endpoint.difference",
    "endpoint.curve",
)
HIGH = 10.0  # an epsilon above it carries a warning everywhere in Twinset
MOST = 0.8  # of a gain
Key = tuple[str, str]
PAIRS: Key = ("fidelity.pairs", "")


@dataclass(frozen=True)
class Seen:
    """One measure at one epsilon: its repeats (none better than what new patients score), the mean ends of the figures' own 95 % intervals, and where as good as real begins (NaN: unknown)."""

    values: tuple[float, ...]
    low: float
    high: float
    edge: float = math.nan

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def error(self) -> float:
        """Standard error of the mean over repeats."""
        return float(np.std(self.values, ddof=1) / math.sqrt(len(self.values)))


def advise(spots: Sequence[Spot], generator: str) -> Advice:
    """The recommendation for one private generator.

    A measure at an epsilon differs from the largest epsilon's where its mean is worse by more than both (a) the 95 % interval over repeats of the
    difference of two means (Student's t, two samples) and (b) the half of the figure's own 95 % interval on that side: less could not be
    told from the luck of which patients were sampled. What is already as good as a perfect generator or new patients does not differ: more
    than that is not gained, it is learnt by heart. The smallest epsilon at which no measure differs is recommended; none where there is one
    repeat only, or where the largest epsilon itself is no better than independent columns.
    """
    seen = table(spots, generator)
    epsilons = sorted({s.epsilon for s in spots if s.generator == generator and s.epsilon is not None})
    lost = tuple(s.missing for s in spots if s.generator == generator and s.missing)
    notes = (f"{len(lost)} of its points could not be made: {lost[0]}",) if lost else ()
    done = [e for e in epsilons if seen.get(e)]
    if len(done) < 2:
        return Advice(generator, None, "There are not two epsilons to compare.", notes, {})
    largest = done[-1]
    differs = {e: _differing(seen[e], seen[largest], spots) for e in done}
    if min(len(v.values) for e in done for v in seen[e].values()) < 2:
        return Advice(generator, None, "One repeat shows no interval: run at least two, better three.", notes, {})
    if not _useful(spots, generator, largest):
        return Advice(
            generator,
            None,
            f"Even at ε = {largest:g} nothing measured is better than columns drawn independently: the table is too small, or too wide, for this promise.",
            notes,
            differs,
        )
    best = next(e for e in done if not differs[e])
    return Advice(generator, best, _reason(best, done, differs), (*_notes(best, done, differs, seen), *notes), differs)


def table(spots: Sequence[Spot], generator: str) -> dict[float, dict[Key, Seen]]:
    """Epsilon to measure to what was seen there; measures that every repeat could make."""
    out: dict[float, dict[Key, Seen]] = {}
    for epsilon in sorted({s.epsilon for s in spots if s.epsilon is not None and s.generator == generator}):
        here = [judged(s) for s in spots if s.generator == generator and s.epsilon == epsilon and not s.missing]
        keys = [k for k in here[0] if all(k in h for h in here)] if here else []
        out[epsilon] = {k: _seen([h[k] for h in here]) for k in keys}
    return out


def judged(spot: Spot) -> dict[Key, Finding]:
    """The measures of a point that decide: of whole tables, and endpoints."""
    return {
        (f.name, f.where): f for f in spot.findings if f.measured and f.name in JUDGED and (not f.where or f.name.startswith(("endpoint.", "fidelity.tstr")))
    }


def _seen(found: Sequence[Finding]) -> Seen:
    values = [scored(f) for f in found]
    ends = [[v + (end - f.value if math.isfinite(end) else 0.0) for end in (f.low, f.high)] for v, f in zip(values, found, strict=True)]
    bands = [b for f in found if (b := scale(f).band) is not None]
    edge = float(np.mean([max(b) if found[0].better == "lower" else min(b) for b in bands])) if bands else math.nan
    return Seen(tuple(values), float(np.mean([a for a, _ in ends])), float(np.mean([b for _, b in ends])), edge)


def _differing(here: Mapping[Key, Seen], there: Mapping[Key, Seen], spots: Sequence[Spot]) -> tuple[str, ...]:
    """Labels of the measures that are worse here than at the largest epsilon."""
    better = {(f.name, f.where): f for s in spots for f in s.findings}
    worse = [k for k in here if k in there and not _real(here[k], better[k]) and _gap(here[k], there[k], better[k]) > room(here[k], there[k], better[k])]
    lost = [k for k in there if k not in here]
    return tuple(dict.fromkeys(title_of(better[k]) for k in (*worse, *lost)))


def _real(here: Seen, finding: Finding) -> bool:
    """Whether the mean is as good as what a perfect generator, or new patients, would score."""
    return here.mean <= here.edge if finding.better == "lower" else here.mean >= here.edge


def _gap(here: Seen, there: Seen, finding: Finding) -> float:
    return (here.mean - there.mean) * (1 if finding.better == "lower" else -1)


def room(here: Seen, there: Seen, finding: Finding) -> float:
    """How much worse a mean may be before it counts as different."""
    from scipy.special import stdtrit

    if min(len(here.values), len(there.values)) < 2:
        return math.inf
    repeats = float(stdtrit(len(here.values) + len(there.values) - 2, 0.975)) * math.hypot(here.error, there.error)
    own = there.high - there.mean if finding.better == "lower" else there.mean - there.low
    return max(repeats, own, 1e-12)


def _useful(spots: Sequence[Spot], generator: str, epsilon: float) -> bool:
    """Whether anything there is better than independent columns (where that is known)."""
    found = [f for s in spots if s.generator == generator and s.epsilon == epsilon for f in judged(s).values()]
    marks = [(f, f.beside["independent"]) for f in found if math.isfinite(f.beside.get("independent", math.nan)) and f.name != "fidelity.columns"]
    return not marks or any(f.value < mark if f.better == "lower" else f.value > mark for f, mark in marks)


def _reason(best: float, done: Sequence[float], differs: Mapping[float, tuple[str, ...]]) -> str:
    largest = done[-1]
    if best == largest:
        return f"Every smaller epsilon is worse than ε = {largest:g} in something: what is gained has not levelled off within the epsilons tried."
    before = [e for e in done if e < best]
    said = f"It is the smallest epsilon whose fidelity and endpoints cannot be told from those at ε = {largest:g} within their intervals, or are already as good as real."
    return f"{said} At ε = {before[-1]:g} worse: {_list(differs[before[-1]])}." if before else said


def _notes(best: float, done: Sequence[float], differs: Mapping[float, tuple[str, ...]], seen: Mapping[float, Mapping[Key, Seen]]) -> tuple[str, ...]:
    notes = []
    if best > HIGH:
        notes.append(
            f"ε = {best:g} is above {HIGH:g}: as a promise it says next to nothing; what protects patients there is only what the attacks could not do."
        )
    above = [e for e in done if best < e < done[-1] and differs[e]]
    if above:
        notes.append(f"By the same rule ε = {above[0]:g} differs ({_list(differs[above[0]])}): the scatter of few repeats. More repeats would settle it.")
    notes += _early(best, done, seen)
    if PAIRS in seen[best] and PAIRS in seen[done[-1]] and best < done[-1]:
        size = room(seen[best][PAIRS], seen[done[-1]][PAIRS], Finding("", 0.0, 0.0, 0.0, 0, "lower"))
        notes.append(
            f"A loss of less than {size:.3f} in pairs of columns would not have been noticed with {len(seen[best][PAIRS].values)} repeats on these patients."
        )
    return tuple(notes)


def _early(best: float, done: Sequence[float], seen: Mapping[float, Mapping[Key, Seen]]) -> list[str]:
    """Where most of the gain in pairs already is, if that is below the recommended epsilon."""
    means = {e: seen[e][PAIRS].mean for e in done if PAIRS in seen[e]}
    first, last = done[0], done[-1]
    if first not in means or last not in means or not means[first] > means[last]:
        return []
    shares = {e: (means[first] - m) / (means[first] - means[last]) for e, m in means.items()}
    most = next(e for e in done if shares.get(e, 0.0) >= MOST)
    if most >= best:
        return []
    return [
        f"Most of it comes earlier: of all that ε = {last:g} gains over ε = {first:g} in pairs of columns, {100 * shares[most]:.0f} % is there at ε = {most:g}."
    ]


def _list(labels: Sequence[str]) -> str:
    return "; ".join(inline(w) for w in labels[:4]) + (f"; and {len(labels) - 4} more" if len(labels) > 4 else "")
