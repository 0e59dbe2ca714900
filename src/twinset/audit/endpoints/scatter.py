"""What a synthetic cohort is expected to score when its estimates scatter about a centre: fresh patients, a perfect model, independent columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit.endpoints.hazards import Z95
from twinset.audit.exact import normal_tail
from twinset.core.seeds import Rng

DRAWS = 4000
SHARED = 0.5  # correlation of contrasts against one reference arm, arms of one size


@dataclass(frozen=True)
class Scatter:
    """An estimate normal about ``centre`` with standard deviation ``spread``, where train's lies at ``z``; all in train's standard errors.

    ``cut``: how far from 0 it must lie to be shown. See :func:`fresh`, :func:`perfect` and :func:`independent`.
    """

    z: float
    centre: float
    spread: float
    cut: float

    def keeps(self, *, cut: float | None = None) -> float:
        """Probability that the decision of train stands, by its own ``cut`` or another."""
        far = self.cut if cut is None else cut
        above, below = normal_tail((far - self.centre) / self.spread), normal_tail((far + self.centre) / self.spread)
        if abs(self.z) < Z95:
            return 1 - above - below
        return above if self.z > 0 else below

    def inside(self) -> float:
        """Probability that the estimate lies inside the train interval."""
        return normal_tail((self.z - Z95 - self.centre) / self.spread) - normal_tail((self.z + Z95 - self.centre) / self.spread)

    def gap(self) -> float:
        """Expected distance from the train estimate, in train standard errors (folded normal)."""
        far = self.centre - self.z
        return self.spread * math.sqrt(2 / math.pi) * math.exp(-((far / self.spread) ** 2) / 2) + far * (1 - 2 * normal_tail(far / self.spread))

    def overlap(self) -> float:
        """Expected overlap of the intervals, not clipped."""
        return 1 - self.gap() / (2 * Z95)


def fresh(z: float, ratio: float, *, quantile: float | None = None) -> Scatter:
    """``k`` fresh patients in the place of the release: variance v (1 + n/k) about train's estimate, for both cohorts are samples.

    Beside intervals by T_s they are judged as if they were the release, by T_s. Beside intervals from refits (``quantile``: of their t) they are judged as the
    patients they are, by their own interval, v n/k: with the release's own width a release whose interval is too wide to show anything would stand beside fresh
    patients who show nothing either, and count as good as real.

    The true effect is unknown and given a flat prior: right on average over effects, for the decision not for each. Of trials of 80 % power fresh patients keep
    51 % of decisions by T_s (k = n) and 63 % is told here, by their own interval 68 % and 74 %; of trials without an effect 94 % and 88 %, and 90 % and 75 %.
    The other measures depend on no effect.
    """
    return Scatter(z, z, math.sqrt(1 + 1 / ratio), _t_s(ratio) if quantile is None else Z95 / math.sqrt(ratio))


def perfect(z: float, ratio: float, *, quantile: float | None = None) -> Scatter:
    """A generator whose model is right: variance v n/k about train's estimate, which it knows; its refits spread as T_s says, by patients and by drawing.

    Averaged over trials of 80 % power it keeps the decision in 0.667 (T_s) or 0.800 (v k/n) of cases: papers' table for one copy.
    """
    return Scatter(z, z, 1 / math.sqrt(ratio), _t_s(ratio, quantile or Z95))


def independent(z: float, ratio: float, *, quantile: float | None = None) -> Scatter:
    """Columns drawn independently of each other: no effect, whatever train's is. Its refits show that: their shift is train's whole effect."""
    return Scatter(z, 0.0, 1 / math.sqrt(ratio), _t_s(ratio) if quantile is None else quantile * math.sqrt(1 / ratio + z**2))


def _t_s(ratio: float, quantile: float = Z95) -> float:
    """T_s in train's standard errors: v_k (k/n + 1), v_k = v n/k."""
    return quantile * math.sqrt(1 + 1 / ratio)


Scores = dict[str, float]
MEASURES: dict[str, Callable[[Scatter], float]] = {
    "decision": Scatter.keeps,
    "estimate": Scatter.inside,
    "overlap": Scatter.overlap,
    "difference": Scatter.gap,
}


def scales(z: Sequence[float], ratio: float, correlation: np.ndarray | None, rng: Rng, *, quantiles: Sequence[float | None] = ()) -> dict[str, Scores]:
    """What stands beside each measure of ``MEASURES``, a mean over contrasts.

    ``z`` (contrasts,): train's estimates in their standard errors; ``correlation`` (contrasts, contrasts) of the estimates, 0.5 where unknown;
    ``quantiles`` (contrasts,): of the t of intervals from refits, ``None`` where they are by T_s (all of them where it is empty). ``ratio``: synthetic rows
    per train patient. ``floor``: fresh patients, with ``floor_low`` and ``floor_high``, between which 95 % of such cohorts lie; ``perfect``: the perfect
    model; ``independent``. Nothing here depends on the release: a wide interval of its own is not excused.
    """
    how = quantiles or [None] * len(z)
    kinds = [[kind(x, ratio, quantile=q) for x, q in zip(z, how, strict=True)] for kind in (fresh, perfect, independent)]
    bands = _bands(kinds[0], correlation, rng)
    out = {}
    for name, of in MEASURES.items():
        floor, best, useless = (float(np.mean([of(s) for s in kind])) for kind in kinds)
        low, high = bands[name]
        out[name] = {"floor": floor, "floor_low": low, "floor_high": high, "perfect": best, "independent": useless}
    return out


def _bands(patients: Sequence[Scatter], correlation: np.ndarray | None, rng: Rng) -> dict[str, tuple[float, float]]:
    """Ends of the middle 95 % of each measure, over cohorts of fresh patients drawn about train's estimates."""
    n = len(patients)
    z, cut = np.array([p.z for p in patients]), np.array([p.cut for p in patients])
    shared = np.full((n, n), SHARED) + (1 - SHARED) * np.eye(n) if correlation is None else correlation
    off = patients[0].spread * rng.multivariate_normal(np.zeros(n), shared, DRAWS, method="cholesky")
    gap = np.abs(off)
    train, made = np.where(np.abs(z) < Z95, 0.0, np.sign(z)), np.where(np.abs(z + off) < cut, 0.0, np.sign(z + off))
    found = {
        "decision": (made == train).mean(axis=1),
        "estimate": (gap <= Z95).mean(axis=1),
        "overlap": 1 - gap.mean(axis=1) / (2 * Z95),
        "difference": gap.mean(axis=1),
    }
    return {k: (float(np.quantile(v, 0.025)), float(np.quantile(v, 0.975))) for k, v in found.items()}
