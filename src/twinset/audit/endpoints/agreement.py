"""Would the trial's conclusion survive? Effects on train and on synthetic patients, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from twinset.audit.endpoints.hazards import Z95, two_sided
from twinset.audit.interval import clopper_pearson
from twinset.core.cohort import Cohort
from twinset.core.contracts import Comparison, Curve, Effect, Endpoint, Trial
from twinset.core.finding import Better, Finding, not_measured
from twinset.core.seeds import Rng

MODEL = "The widened interval (T_s) holds only if the generator's model is right."


@dataclass(frozen=True)
class Agreement:
    """What one endpoint gave."""

    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...] = ()
    curves: tuple[Curve, ...] = ()


@runtime_checkable
class WithCurves(Protocol):
    """An endpoint that also compares curves."""

    def compare_curves(self, trial: Trial, rng: Rng) -> tuple[Sequence[Finding], Sequence[Curve]]: ...


@runtime_checkable
class WithReason(Protocol):
    """An endpoint that can say why a cohort gives no effect, and what would impose agreement."""

    def reason(self, cohort: Cohort) -> str: ...

    def constraint(self, trial: Trial) -> str: ...


def measure(endpoint: Endpoint, trial: Trial, rng: Rng) -> Agreement:
    """Findings, comparisons and curves of one endpoint.

    Synthetic estimates get the variance T_s = v (k/n + 1/m), m = 1, v the naive variance at k synthetic rows and n train patients
    (Raab, Nowok and Dibben 2016): an interval for the population, if the generator's model is right. A naive interval on synthetic data covers 82 %, not 95 %.
    """
    curves: tuple[Curve, ...] = ()
    more: tuple[Finding, ...] = ()
    if isinstance(endpoint, WithCurves):
        found, drawn = endpoint.compare_curves(trial, rng)
        more, curves = tuple(found), tuple(drawn)
    comparisons = compare(endpoint, trial)
    where = endpoint.name
    if not comparisons:
        return Agreement((*(not_measured(n, _why(endpoint, trial), better=b, where=where, label=t) for n, b, t in _NAMES), *more), (), curves)
    perfect = [Perfect(c.train.value / c.train.error, len(trial.synthetic) / len(trial.train)) for c in comparisons]
    return Agreement((*_findings(comparisons, perfect), *_unmatched(endpoint, trial, comparisons), *more), comparisons, curves)


def compare(endpoint: Endpoint, trial: Trial) -> tuple[Comparison, ...]:
    """One comparison per contrast that both train and synthetic patients can estimate."""
    train = endpoint.estimate(trial.train)
    synthetic = {e.contrast: e for e in endpoint.estimate(trial.synthetic)}
    holdout = {} if trial.holdout is None else {e.contrast: e for e in endpoint.estimate(trial.holdout)}
    constraint = endpoint.constraint(trial) if isinstance(endpoint, WithReason) else ""
    ratio = len(trial.synthetic) / len(trial.train)
    pairs = [(e, synthetic[e.contrast]) for e in train if e.contrast in synthetic]
    return tuple(comparison(endpoint.name, a, b, ratio, holdout.get(a.contrast), constraint) for a, b in pairs)


def comparison(endpoint: str, train: Effect, synthetic: Effect, ratio: float, holdout: Effect | None, constraint: str) -> Comparison:
    """One contrast; ``ratio`` = synthetic rows per train patient (k/n), one copy."""
    error = synthetic.error * math.sqrt(ratio + 1)
    low, high = synthetic.value - Z95 * error, synthetic.value + Z95 * error
    kept = verdict(train.value, train.error) == verdict(synthetic.value, error)
    inside = train.low <= synthetic.value <= train.high
    overlap = karr(train, synthetic.value, synthetic.error * math.sqrt(ratio))
    return Comparison(endpoint, train, synthetic, error, low, high, kept, inside, overlap, holdout, constraint)


def verdict(value: float, error: float) -> int:
    """The decision at 5 %: the sign of a significant effect, 0 where nothing was shown (its sign then decides nothing).

    >>> verdict(-0.7, 0.1), verdict(0.1, 0.1)
    (-1, 0)
    """
    return 0 if two_sided(value / error) >= 0.05 else (1 if value > 0 else -1)


def karr(train: Effect, value: float, error: float) -> float:
    """Overlap of the train interval and the one of the synthetic estimate as seen from train (variance v k/n): the mean of the two shares.

    At most 1; negative where they do not touch (Karr et al. 2006, not clipped). A perfect generator expects 0.796 at k = n, one copy.
    """
    low, high = value - Z95 * error, value + Z95 * error
    shared = min(train.high, high) - max(train.low, low)
    return 0.5 * (shared / (train.high - train.low) + shared / (high - low))


@dataclass(frozen=True)
class Perfect:
    """What a perfect generator scores, given the train estimate ``z`` standard errors from no effect and k/n = ``ratio``.

    Its estimate scatters about the train estimate with variance v n/k. Averaged over trials of 80 % power it keeps the decision in
    0.667 (T_s) or 0.800 (v k/n) of cases: papers' table for one copy. ``centre`` = 0 in place of ``z`` gives columns drawn independently.
    """

    z: float
    ratio: float

    def keeps(self, centre: float, *, widening: float | None = None) -> float:
        """Probability that the decision stands if the synthetic estimate scatters about ``centre``."""
        cut = Z95 * math.sqrt((1 + self.ratio) / self.ratio if widening is None else widening)
        spread = 1 / math.sqrt(self.ratio)
        above, below = 1 - phi((cut - centre) / spread), phi((-cut - centre) / spread)
        if abs(self.z) < Z95:
            return 1 - above - below
        return above if self.z > 0 else below

    def inside(self, centre: float) -> float:
        """Probability that the synthetic estimate lies inside the train interval."""
        spread = 1 / math.sqrt(self.ratio)
        return phi((self.z + Z95 - centre) / spread) - phi((self.z - Z95 - centre) / spread)

    def gap(self, centre: float) -> float:
        """Expected distance of the synthetic from the train estimate, in train standard errors (folded normal)."""
        spread, far = 1 / math.sqrt(self.ratio), centre - self.z
        return spread * math.sqrt(2 / math.pi) * math.exp(-((far / spread) ** 2) / 2) + far * (1 - 2 * phi(-far / spread))

    def overlap(self, centre: float) -> float:
        """Expected overlap of the intervals, not clipped."""
        return 1 - self.gap(centre) / (2 * Z95)


def phi(x: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


_NAMES: tuple[tuple[str, Better, str], ...] = (
    ("endpoint.decision", "higher", "Decisions kept"),
    ("endpoint.estimate", "higher", "Estimates inside the train interval"),
    ("endpoint.overlap", "higher", "Overlap of intervals"),
    ("endpoint.difference", "lower", "Standardised difference"),
)


def _findings(comparisons: Sequence[Comparison], perfect: Sequence[Perfect]) -> tuple[Finding, ...]:
    where, n = comparisons[0].endpoint, len(comparisons)
    imposed = f" Imposed, not replicated: {comparisons[0].constraint}" if comparisons[0].constraint else ""
    kept, inside = sum(c.decision_kept for c in comparisons), sum(c.estimate_inside for c in comparisons)

    def expected(of: Callable[[Perfect], float]) -> float:
        return float(np.mean([of(p) for p in perfect]))

    scales = {
        "decision": {"floor": expected(lambda p: p.keeps(p.z)), "independent": expected(lambda p: p.keeps(0.0))},
        "estimate": {"floor": expected(lambda p: p.inside(p.z)), "independent": expected(lambda p: p.inside(0.0))},
        "overlap": {"floor": expected(lambda p: p.overlap(p.z)), "independent": expected(lambda p: p.overlap(0.0))},
        "difference": {"floor": expected(lambda p: p.gap(p.z)), "independent": expected(lambda p: p.gap(0.0))},
    }
    silent = f"The contrasts share a reference arm and are not independent. {MODEL}{imposed}"
    overlap = float(np.mean([c.overlap for c in comparisons]))
    gaps = [abs(c.synthetic.value - c.train.value) / c.train.error for c in comparisons]
    error = Z95 * float(np.mean([c.synthetic.error / c.train.error for c in comparisons]))  # contrasts moving together: the widest case
    gap = float(np.mean(gaps))
    p = scales["decision"]["floor"]
    return (
        Finding(
            "endpoint.decision",
            kept / n,
            *clopper_pearson(kept, n),
            n,
            "higher",
            scales["decision"] | {"ceiling": p},
            where,
            f"{kept} of {n} decisions at 5 % are kept by one widened synthetic copy; a perfect generator would keep {p:.0%} of them on average.",
            silent,
            label="Decisions kept",
        ),
        Finding(
            "endpoint.estimate",
            inside / n,
            *clopper_pearson(inside, n),
            n,
            "higher",
            scales["estimate"] | {"ceiling": scales["estimate"]["floor"]},
            where,
            f"{inside} of {n} synthetic estimates lie inside the 95 % interval of train; a perfect generator would place {scales['estimate']['floor']:.0%} there.",
            silent,
            label="Estimates inside the train interval",
        ),
        Finding(
            "endpoint.overlap",
            overlap,
            overlap - error / (2 * Z95),
            min(1.0, overlap + error / (2 * Z95)),
            n,
            "higher",
            scales["overlap"],
            where,
            f"The intervals overlap by {overlap:.0%}; a perfect generator expects {scales['overlap']['floor']:.0%}, so this is not a share of 100 %.",
            silent,
            label="Overlap of intervals",
        ),
        Finding(
            "endpoint.difference",
            gap,
            max(0.0, gap - error),
            gap + error,
            n,
            "lower",
            scales["difference"],
            where,
            f"Synthetic estimates lie {gap:.2f} train standard errors from train's on average; a perfect generator's lie {scales['difference']['floor']:.2f} away.",
            silent,
            label="Standardised difference",
        ),
    )


def _unmatched(endpoint: Endpoint, trial: Trial, comparisons: Sequence[Comparison]) -> tuple[Finding, ...]:
    """Contrasts that train can estimate and the synthetic cohort cannot."""
    done = {c.train.contrast for c in comparisons}
    lost = [e.contrast for e in endpoint.estimate(trial.train) if e.contrast not in done]
    why = "the synthetic cohort gives no finite estimate of this contrast"
    return tuple(not_measured("endpoint.decision", why, better="higher", where=f"{endpoint.name}: {c}", label="Decisions kept") for c in lost)


def _why(endpoint: Endpoint, trial: Trial) -> str:
    if not isinstance(endpoint, WithReason):
        return "train and synthetic cohort share no contrast with a finite estimate"
    reasons = (endpoint.reason(trial.train), endpoint.reason(trial.synthetic))
    if reasons[0]:
        return reasons[0]
    return f"synthetic cohort: {reasons[1] or 'no finite estimate (the arms are separated)'}"
