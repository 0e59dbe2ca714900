"""How far a figure may be from the truth: intervals that stay honest when the sample is small."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from twinset.core.contracts import FloatArray, IntArray
from twinset.core.seeds import Rng
from twinset.errors import BadInput


class Interval(NamedTuple):
    """Lower and upper end, in the unit of the figure it belongs to."""

    low: float
    high: float


def quantile(level: float) -> float:
    """The normal quantile of a two-sided interval: 1.96 at 0.95."""
    if not 0 < level < 1:
        raise BadInput("an interval's level lies between 0 and 1", hint="0.95 is usual")
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(k: float, n: float, *, level: float = 0.95) -> Interval:
    """A share, k of n (Wilson 1927). ``n`` may be an effective number of trials. No trials: the whole of [0, 1].

    >>> wilson(0, 100).high < 0.04
    True
    """
    if n <= 0:
        return Interval(0.0, 1.0)
    z = quantile(level)
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(0.0 if k <= 0 else max(0.0, centre - half), 1.0 if k >= n else min(1.0, centre + half))


def clopper_pearson(k: int, n: int, *, level: float = 0.95) -> Interval:
    """A share, k of n, never covering less than ``level`` (Clopper and Pearson 1934): for bounds that must hold.

    >>> round(clopper_pearson(0, 30).high, 3)
    0.116
    """
    from scipy.special import betaincinv

    if n <= 0:
        return Interval(0.0, 1.0)
    tail = (1 - level) / 2
    low = 0.0 if k <= 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k >= n else float(betaincinv(k + 1, n - k, 1 - tail))
    return Interval(low, high)


def difference(k: float, n: float, k_other: float, n_other: float, *, level: float = 0.95) -> Interval:
    """k/n minus k_other/n_other of two independent groups (Newcombe 1998, method 10: Wilson bounds combined).

    >>> difference(30, 1497, 0, 642).low > 0.01
    True
    """
    share = k / n if n else 0.0
    other = k_other / n_other if n_other else 0.0
    one, two = wilson(k, n, level=level), wilson(k_other, n_other, level=level)
    low = share - other - math.hypot(share - one.low, two.high - other)
    high = share - other + math.hypot(one.high - share, other - two.low)
    return Interval(low, high)


def normal(value: float, error: float, *, level: float = 0.95) -> Interval:
    """``value`` plus and minus the normal quantile times its standard error."""
    half = quantile(level) * error
    return Interval(value - half, value + half)


def auc(members: FloatArray, others: FloatArray, *, level: float = 0.95) -> tuple[float, Interval]:
    """The area under the ROC curve of two samples of scores, and its interval.

    The value is the plain share of pairs in which the member scores higher (ties count half). The interval is
    DeLong's (DeLong, DeLong and Clarke-Pearson 1988) after each sample was extended by one score below and one
    above everything, as Agresti and Caffo (2000) do for proportions: never of width zero, wide where a sample is tiny or the
    separation perfect, and unchanged in the third decimal from some hundreds of scores on. Raises BadInput on an empty sample.

    >>> auc(np.array([3.0, 4.0]), np.array([1.0, 2.0]))[0]
    1.0
    """
    if not len(members) or not len(others):
        raise BadInput("an AUC needs scores on both sides")
    upper, lower = placements(members, others)
    return float(upper.mean()), placed(upper, lower, level=level)


def placements(members: FloatArray, others: FloatArray) -> tuple[FloatArray, FloatArray]:
    """For each member the share of others below it, for each other the share of members above it; ties half.

    Both means are the AUC; their spreads are what DeLong's variance is made of. Cost n log n.
    """
    return _below(members, others), 1.0 - _below(others, members)


def placed(upper: FloatArray, lower: FloatArray, *, level: float = 0.95, inflate: float = 1.0) -> Interval:
    """The interval of ``auc`` from the placements of its two samples.

    Use it where placements were averaged or pooled over several draws before. A further member below and one above
    everything have placements 0 and 1 (and likewise a further other): that is the extension.
    """
    m, n = len(upper), len(lower)
    up = np.concatenate([(upper * n + 1) / (n + 2), [0.5 / (n + 2), (n + 1.5) / (n + 2)]])
    down = np.concatenate([(lower * m + 1) / (m + 2), [0.5 / (m + 2), (m + 1.5) / (m + 2)]])
    centre = (float(up.mean()) + float(down.mean())) / 2
    error = math.sqrt(float(up.var(ddof=1)) / len(up) + inflate * float(down.var(ddof=1)) / len(down))
    low, high = normal(centre, error, level=level)
    return Interval(max(0.0, low), min(1.0, high))


def bootstrap(statistic: Callable[[IntArray], float], n: int, rng: Rng, *, times: int = 200) -> Interval:
    """The 95 % interval of any statistic of n rows (or patients): estimate plus and minus 1.96 bootstrap standard errors.

    ``statistic`` takes row numbers (n,) with repeats. Two hundred resamples settle a standard error, not percentiles (Efron and
    Tibshirani 1993, 6.4), and a plug-in distance is biased upwards under resampling: hence the interval is centred on the estimate.
    """
    value = statistic(np.arange(n, dtype=np.int64))
    if n < 2:
        return Interval(-math.inf, math.inf)
    again = [statistic(rng.integers(0, n, n)) for _ in range(times)]
    return normal(value, float(np.std(again, ddof=1)))


def _below(scores: FloatArray, against: FloatArray) -> FloatArray:
    """Share of ``against`` below each score, ties half."""
    ordered = np.sort(np.asarray(against, dtype=np.float64))
    left = np.searchsorted(ordered, scores, side="left")
    right = np.searchsorted(ordered, scores, side="right")
    return np.asarray((left + right) / (2.0 * len(ordered)))
