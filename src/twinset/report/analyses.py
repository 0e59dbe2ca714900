"""Section 2 of a report: estimates on train and synthetic patients side by side, and survival curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from twinset.audit.endpoints.agreement import side
from twinset.core.contracts import Comparison, Curve, Effect
from twinset.core.scale import Tone
from twinset.report.charts import Estimate, Guide, row, scale_row, survival, survival_floor
from twinset.report.intervals import how, shift, width
from twinset.report.material import Page
from twinset.report.svg import Axis
from twinset.report.words import interval, number, precision

AGAINST = " against "
Z95 = 1.959964


@dataclass(frozen=True)
class Analysis:
    """One contrast: its plot row, its figures in words, and what became of the conclusion."""

    contrast: str
    chart: Markup
    train: tuple[str, str]  # estimate and interval
    synthetic: tuple[str, str]
    holdout: tuple[str, str]
    tone: Tone
    verdict: str
    overlap: str
    constraint: str
    width: str = ""  # of the synthetic interval against the patients' own
    shift: str = ""  # what refits say of the bias


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
    mark: str  # how the interval of synthetic estimates was made, in a few words; "" where none is shown
    how: tuple[str, ...]  # the same in sentences, with what it does not show


@dataclass(frozen=True)
class Panel:
    arm: str
    chart: Markup
    missing: str  # why there is no synthetic curve


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
    return tuple(_forest(endpoint, group, page.copies, ratio=ratio, hazard=endpoint in timed) for (endpoint, ratio), group in groups.items())


def _forest(endpoint: str, group: Sequence[Comparison], copies: int, *, ratio: bool, hazard: bool) -> Forest:
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
    return Forest(endpoint, told, unit, scale_row(axis, guides), analyses, any(c.holdout for c in group), reasons, *how(group, copies))


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
    tone, verdict = conclusion(c)
    sentence = (
        f"{c.train.contrast}: train {train}; synthetic, {'from refits' if c.refits else 'widened'}, {synthetic}"
        + (f"; hold-out {holdout}" if holdout else "")
        + f": {verdict}."
    )
    chart, overlap = row(axis, guides, bars, sentence), number(c.overlap, decimals=2)
    return Analysis(c.train.contrast, chart, train, synthetic, holdout, tone, verdict, overlap, c.constraint, width(c), shift(c))


def curves(page: Page) -> tuple[Curves, ...]:
    """Small multiples for each endpoint with survival curves."""
    out = []
    for i, endpoint in enumerate(dict.fromkeys(c.endpoint for c in page.result.curves)):
        own = [c for c in page.result.curves if c.endpoint == endpoint]
        floor, last = survival_floor(own), max((t for c in own for t in c.times), default=1.0)
        panels = []
        for j, arm in enumerate(dict.fromkeys(c.arm for c in own)):
            pair = [c for c in own if c.arm == arm]
            gone = "" if any(c.cohort != "train" for c in pair) else f"No synthetic curve: {_lack(page, endpoint, arm)}."
            panels.append(Panel(arm or "all patients", survival(pair, floor, last, name=f"km-{i}-{j}", sentence=_curve_sentence(arm, pair)), gone))
        out.append(Curves(endpoint, tuple(panels), f"{100 * floor:.0f} %" if floor else ""))
    return tuple(out)


def _lack(page: Page, endpoint: str, arm: str) -> str:
    names = {endpoint, f"{endpoint}: {arm}"}
    return next((f.missing for f in page.result.findings if f.name == "endpoint.curve" and f.missing and f.where in names), "it could not be estimated")


def _curve_sentence(arm: str, pair: Sequence[Curve]) -> str:
    ends = [f"{c.cohort} {100 * c.survival[-1]:.0f} % ({100 * c.low[-1]:.0f}–{100 * c.high[-1]:.0f} %)" for c in pair if c.survival and c.low and c.high]
    return f"{arm or 'all patients'}: share without the event at the end of the grid: " + ", ".join(ends) + "."


def significant(effect: Effect) -> int:
    """The sign of an effect that is significant at 5 %, else 0."""
    return _sign(effect.value, effect.error)


def shown(c: Comparison) -> int:
    """The same of the synthetic estimate: by its interval from refits, else by T_s."""
    return side(c.widened_low, c.widened_high) if c.refits else _sign(c.synthetic.value, c.widened_error)


def _sign(value: float, error: float) -> int:
    far = value / error if error > 0 else 0.0
    return 0 if abs(far) < Z95 else (1 if far > 0 else -1)


def conclusion(c: Comparison) -> tuple[Tone, str]:
    """What became of one conclusion. That neither side is significant is no conclusion kept."""
    real, made = significant(c.train), shown(c)
    where = "estimate inside" if c.estimate_inside else "estimate outside the train interval"
    if real and made:
        if real != made:
            return "bad", "the effect is reversed"
        return ("good", "holds") if c.estimate_inside else ("short", f"holds, {where}")
    if real:
        return ("wait" if c.estimate_inside else "short"), f"no longer significant, {where}"
    if made:
        return "short", f"significant in synthetic rows only, {where}"
    return ("none" if c.estimate_inside else "short"), f"significant in neither, {where}"


@dataclass(frozen=True)
class Agreed:
    """How many synthetic estimates lie inside the patients' own intervals, how many of as many fresh patients would, and how likely so few are by chance.

    ``significant``: conclusions that the patients allow at all; ``kept`` of them significant in the same direction on synthetic rows (``keepable``: on fresh
    patients), ``reversed`` in the other.
    """

    agree: int
    total: int
    expected: float
    chance: float
    significant: int
    kept: int
    keepable: float
    chance_kept: float
    reversed: int


def agreed(page: Page) -> Agreed:
    """The tally of estimates beside what fresh patients would give.

    Both are samples: the synthetic estimate of as many fresh patients scatters about the train estimate with both variances. ``chance`` is
    P(at most ``agree``), ``chance_kept`` P(at most ``kept``), contrasts taken as independent.
    """
    found = page.result.comparisons
    odds, keeps = [_inside(c) for c in found], [_keeps(c) for c in found if significant(c.train)]
    agree = sum(c.estimate_inside for c in found)
    signs = [(significant(c.train), shown(c)) for c in found]
    kept = sum(a != 0 and a == b for a, b in signs)
    return Agreed(
        agree,
        len(found),
        math.fsum(odds),
        _at_most(agree, odds),
        sum(a != 0 for a, _ in signs),
        kept,
        math.fsum(keeps),
        _at_most(kept, keeps),
        sum(a * b < 0 for a, b in signs),
    )


def _at_most(n: int, odds: Sequence[float]) -> float:
    """The chance of at most ``n`` successes, each with its own odds."""
    spread = [1.0]
    for p in odds:
        spread = [a * (1 - p) + b * p for a, b in zip([*spread, 0.0], [0.0, *spread], strict=True)]
    return math.fsum(spread[: n + 1])


def _inside(c: Comparison) -> float:
    both = math.hypot(c.train.error, c.synthetic.error)
    return 2 * _normal(Z95 * c.train.error / both) - 1 if both > 0 and math.isfinite(both) else float(c.estimate_inside)


def _keeps(c: Comparison) -> float:
    """How likely as many fresh patients would be significant too: by T_s as the release is, beside refits by the patients' own interval (``endpoints.scatter``)."""
    both, error = math.hypot(c.train.error, c.synthetic.error), c.synthetic.error if c.refits else c.widened_error
    return _normal((abs(c.train.value) - Z95 * error) / both) if both > 0 and math.isfinite(both) else 0.0


def untested(page: Page) -> tuple[tuple[str, str], ...]:
    """Declared analyses of which nothing could be compared, with the reason: (name, why)."""
    shown = {c.endpoint for c in page.result.comparisons} | {c.endpoint for c in page.result.curves if c.cohort != "train"}
    gone = [(f.where.partition(": ")[0], f.missing) for f in page.result.findings if f.name.startswith("endpoint.") and not f.measured]
    return tuple({name: why for name, why in reversed(gone) if name not in shown}.items())


def lost(page: Page) -> int:
    """Contrasts that the patients can estimate and the synthetic rows cannot."""
    shown = {c.endpoint for c in page.result.comparisons}
    return sum(f.name == "endpoint.decision" and not f.measured and f.where.partition(": ")[0] in shown for f in page.result.findings)


def _normal(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _places(tick: float) -> int:
    text = f"{tick:.4f}".rstrip("0")
    return len(text.split(".")[1])
