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

    ``ratio`` = k/n, synthetic rows per train patient. See :func:`fresh`, :func:`perfect` and :func:`independent`.
    """

    z: float
    ratio: float
    centre: float
    spread: float

    def keeps(self, *, widening: float | None = None) -> float:
        """Probability that the decision of train stands, by T_s or with the variance ``widening`` (in train's own)."""
        cut = Z95 * math.sqrt((1 + self.ratio) / self.ratio if widening is None else widening)
        above, below = normal_tail((cut - self.centre) / self.spread), normal_tail((cut + self.centre) / self.spread)
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


def fresh(z: float, ratio: float) -> Scatter:
    """``k`` fresh patients analysed as if they were the release: variance v (1 + n/k) about train's estimate, for both cohorts are samples.

    The true effect is unknown and given a flat prior: right on average over effects, for the decision not for each. Of trials of 80 % power
    fresh patients keep 51 % of decisions (T_s, k = n) and 63 % is told here; of trials without an effect 94 % and 88 %. The other measures depend on no effect.
    """
    return Scatter(z, ratio, z, math.sqrt(1 + 1 / ratio))


def perfect(z: float, ratio: float) -> Scatter:
    """A generator whose model is right: variance v n/k about train's estimate, which it knows.

    Averaged over trials of 80 % power it keeps the decision in 0.667 (T_s) or 0.800 (v k/n) of cases: papers' table for one copy.
    """
    return Scatter(z, ratio, z, 1 / math.sqrt(ratio))


def independent(z: float, ratio: float) -> Scatter:
    """Columns drawn independently of each other: no effect, whatever train's is."""
    return Scatter(z, ratio, 0.0, 1 / math.sqrt(ratio))


Scores = dict[str, float]
MEASURES: dict[str, Callable[[Scatter], float]] = {
    "decision": Scatter.keeps,
    "estimate": Scatter.inside,
    "overlap": Scatter.overlap,
    "difference": Scatter.gap,
}


def scales(z: Sequence[float], ratio: float, correlation: np.ndarray | None, rng: Rng) -> dict[str, Scores]:
    """What stands beside each measure of ``MEASURES``, a mean over contrasts.

    ``z`` (contrasts,): train's estimates in their standard errors; ``correlation`` (contrasts, contrasts) of the estimates, 0.5 where unknown.
    ``floor``: fresh patients, with ``floor_low`` and ``floor_high``, between which 95 % of such cohorts lie; ``perfect``: the perfect model;
    ``independent``.
    """
    bands = _bands(np.asarray(z), ratio, correlation, rng)
    out = {}
    for name, of in MEASURES.items():
        floor, best, useless = (float(np.mean([of(kind(x, ratio)) for x in z])) for kind in (fresh, perfect, independent))
        low, high = bands[name]
        out[name] = {"floor": floor, "floor_low": low, "floor_high": high, "perfect": best, "independent": useless}
    return out


def _bands(z: np.ndarray, ratio: float, correlation: np.ndarray | None, rng: Rng) -> dict[str, tuple[float, float]]:
    """Ends of the middle 95 % of each measure, over cohorts of fresh patients drawn about ``z``."""
    n = len(z)
    shared = np.full((n, n), SHARED) + (1 - SHARED) * np.eye(n) if correlation is None else correlation
    spread = math.sqrt(1 + 1 / ratio)
    off = spread * rng.multivariate_normal(np.zeros(n), shared, DRAWS, method="cholesky")
    gap = np.abs(off)
    error = math.sqrt(1 + 1 / ratio)  # T_s in train's standard errors: v_k (k/n + 1), v_k = v n/k
    train, made = (np.where(np.abs(x) < Z95, 0.0, np.sign(x)) for x in (z, (z + off) / error))
    found = {
        "decision": (made == train).mean(axis=1),
        "estimate": (gap <= Z95).mean(axis=1),
        "overlap": 1 - gap.mean(axis=1) / (2 * Z95),
        "difference": gap.mean(axis=1),
    }
    return {k: (float(np.quantile(v, 0.025)), float(np.quantile(v, 0.975))) for k, v in found.items()}
