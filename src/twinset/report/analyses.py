"""Section 2 of a report: estimates on train and synthetic patients side by side, and survival curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from twinset.core.contracts import Comparison, Curve, Effect
from twinset.report.charts import Estimate, Guide, row, scale_row, survival, survival_floor
from twinset.report.material import Page
from twinset.report.svg import Axis
from twinset.report.words import interval, number, precision

AGAINST = " against "


@dataclass(frozen=True)
class Analysis:
    """One contrast: its plot row, its figures in words, and whether the conclusion stands."""

    contrast: str
    chart: Markup
    train: tuple[str, str]  # estimate and interval
    synthetic: tuple[str, str]
    holdout: tuple[str, str]
    kept: bool
    verdict: str
    overlap: str
    constraint: str


@dataclass(frozen=True)
class Forest:
    """All contrasts of one endpoint on one axis."""

    endpoint: str
    against: str  # what every contrast is compared with, if it is one thing
    unit: str
    scale: Markup
    analyses: tuple[Analysis, ...]
    holdout: bool
    constraints: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    arm: str
    chart: Markup


@dataclass(frozen=True)
class Curves:
    """Survival curves of one endpoint, one panel for each arm."""

    endpoint: str
    panels: tuple[Panel, ...]
    floor: str


def forests(page: Page) -> tuple[Forest, ...]:
    """One plot for each endpoint and kind of estimate, in the audit's order."""
    groups: dict[tuple[str, bool], list[Comparison]] = {}
    for c in page.result.comparisons:
        groups.setdefault((c.endpoint, c.train.ratio), []).append(c)
    timed = {c.endpoint for c in page.result.curves}
    return tuple(_forest(endpoint, group, ratio=ratio, hazard=endpoint in timed) for (endpoint, ratio), group in groups.items())


def _forest(endpoint: str, group: Sequence[Comparison], *, ratio: bool, hazard: bool) -> Forest:
    axis = _axis(group, ratio=ratio)
    none = 1.0 if ratio else 0.0
    guides = [Guide(t, "grid", number(t, decimals=_places(t))) for t in axis.ticks() if t != none]
    guides.append(Guide(none, "zero", "1, no effect" if ratio else "0, no effect"))
    crowded = [g for g in guides if g.kind == "grid" and abs(axis.at(g.value) - axis.at(none)) < 21]
    guides = [Guide(g.value, g.kind) if g in crowded else g for g in guides]
    unit = ("hazard ratio" if hazard else "ratio") + ", logarithmic axis" if ratio else "difference, in the endpoint's own unit"
    sides = {c.train.contrast.partition(AGAINST)[2] for c in group}
    against = sides.pop() if len(sides) == 1 else ""
    firsts = {c.train.contrast.split(" ")[0] for c in group}
    analyses = tuple(_analysis(c, axis, guides) for c in group)
    analyses = tuple(replace(a, contrast=a.contrast.removesuffix(AGAINST + against)) for a in analyses)
    reasons = tuple(dict.fromkeys(c.constraint for c in group if c.constraint))
    told = f"{firsts.pop()} {against}" if against and " " not in against and len(firsts) == 1 else against  # "arms 1 against 0"
    return Forest(endpoint, told, unit, scale_row(axis, guides), analyses, any(c.holdout for c in group), reasons)


def _axis(group: Sequence[Comparison], *, ratio: bool) -> Axis:
    ends: list[float] = [0.0]
    for c in group:
        effects = [c.train, *([c.holdout] if c.holdout else [])]
        ends += [v for e in effects for v in (e.low, e.high)] + [c.synthetic.value, c.widened_low, c.widened_high]
    finite = [v for v in ends if math.isfinite(v)]
    low, high = min(finite), max(finite)
    if not ratio:
        room = 0.06 * (high - low) or 1.0
        return Axis(low - room, high + room, margin=1.0)
    middle = max(low, math.log(1 / 30)), min(high, math.log(30))
    room = max(0.06 * (middle[1] - middle[0]), 0.12)
    return Axis(math.exp(middle[0] - room), math.exp(middle[1] + room), log=True, margin=1.0)


def _analysis(c: Comparison, axis: Axis, guides: Sequence[Guide]) -> Analysis:
    def natural(value: float) -> float:
        return math.exp(value) if c.train.ratio else value

    def words(value: float, low: float, high: float) -> tuple[str, str]:
        ends = natural(value), natural(low), natural(high)
        places = precision(*ends)
        return number(ends[0], decimals=places), interval(ends[1], ends[2], decimals=places)

    def bar(e: Effect, low: float, high: float, look: tuple[str, str]) -> Estimate:
        shape, kind = look
        return Estimate(natural(e.value), natural(low), natural(high), shape, kind)  # type: ignore[arg-type]

    train = words(c.train.value, c.train.low, c.train.high)
    synthetic = words(c.synthetic.value, c.widened_low, c.widened_high)
    holdout = words(c.holdout.value, c.holdout.low, c.holdout.high) if c.holdout else ("", "")
    ends = (
        (c.widened_low, c.widened_high) if math.isfinite(c.widened_low) else (c.synthetic.value, c.synthetic.value)
    )  # no interval that was tested: a bare ring
    bars = [bar(c.train, c.train.low, c.train.high, ("square", "train")), bar(c.synthetic, *ends, ("ring", "made"))]
    if c.holdout:
        bars.append(bar(c.holdout, c.holdout.low, c.holdout.high, ("triangle", "holdout")))
    bars = [b for b in bars if math.isfinite(b.value) and math.isfinite(b.low) and math.isfinite(b.high)]
    verdict = "holds" if c.decision_kept else "changes"
    if not c.estimate_inside:
        verdict += ", estimate outside the train interval"
    sentence = (
        f"{c.train.contrast}: train {train}; synthetic, widened, {synthetic}" + (f"; hold-out {holdout}" if holdout else "") + f". The conclusion {verdict}."
    )
    return Analysis(
        c.train.contrast, row(axis, guides, bars, sentence), train, synthetic, holdout, c.decision_kept, verdict, number(c.overlap, decimals=2), c.constraint
    )


def curves(page: Page) -> tuple[Curves, ...]:
    """Small multiples for each endpoint with survival curves."""
    out = []
    for i, endpoint in enumerate(dict.fromkeys(c.endpoint for c in page.result.curves)):
        own = [c for c in page.result.curves if c.endpoint == endpoint]
        floor, last = survival_floor(own), max((t for c in own for t in c.times), default=1.0)
        panels = []
        for j, arm in enumerate(dict.fromkeys(c.arm for c in own)):
            pair = [c for c in own if c.arm == arm]
            panels.append(Panel(arm or "all patients", survival(pair, floor, last, name=f"km-{i}-{j}", sentence=_curve_sentence(arm, pair))))
        out.append(Curves(endpoint, tuple(panels), f"{100 * floor:.0f} %" if floor else ""))
    return tuple(out)


def _curve_sentence(arm: str, pair: Sequence[Curve]) -> str:
    ends = [f"{c.cohort} {100 * c.survival[-1]:.0f} % ({100 * c.low[-1]:.0f}–{100 * c.high[-1]:.0f} %)" for c in pair if c.survival and c.low and c.high]
    return f"{arm or 'all patients'}: share without the event at the end of the grid: " + ", ".join(ends) + "."


@dataclass(frozen=True)
class Kept:
    """How many conclusions are kept, how many a perfect generator would keep, and how likely so few are by chance alone."""

    kept: int
    total: int
    expected: float
    chance: float


def kept(page: Page) -> Kept:
    """The tally of conclusions beside its ceiling.

    Under a perfect generator the synthetic estimate scatters around the train estimate; the chance that a decision
    survives follows from the normal distribution (the ceiling of ``notes``: about two in three at 80 % power, one
    copy and widened intervals). ``chance`` is P(at most ``kept``), contrasts taken as independent.
    """
    odds = [_kept_odds(c, page) for c in page.result.comparisons]
    total, n_kept = len(odds), sum(c.decision_kept for c in page.result.comparisons)
    spread = [1.0]
    for p in odds:
        spread = [a * (1 - p) + b * p for a, b in zip([*spread, 0.0], [0.0, *spread], strict=True)]
    return Kept(n_kept, total, math.fsum(odds), math.fsum(spread[: n_kept + 1]))


def _kept_odds(c: Comparison, page: Page) -> float:
    value = abs(c.train.value)
    share = page.n_synthetic / page.n_train if page.n_train else 1.0
    copies = max(1, page.copies)
    scatter = c.widened_error * math.sqrt((1 / copies) / (share + 1 / copies))
    if not (scatter > 0 and math.isfinite(scatter) and math.isfinite(value)):
        return float(c.decision_kept)
    edge = 1.959964 * c.widened_error
    if value > 1.959964 * c.train.error:
        return _normal((value - edge) / scatter)
    return _normal((edge - value) / scatter) - _normal((-edge - value) / scatter)


def _normal(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _places(tick: float) -> int:
    text = f"{tick:.4f}".rstrip("0")
    return len(text.split(".")[1])
