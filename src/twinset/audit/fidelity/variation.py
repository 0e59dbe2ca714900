"""Total variation between tables of counts, and what two samples of the same patients would show."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import gammaln, ive

Z95 = 1.959963984540054
TOP = 64  # counts up to here are corrected for chance by table, above by formula


def expected_variation(counts: np.ndarray, n_other: int) -> float:
    """The total variation expected between a table with these counts and ``n_other`` fresh patients of the same population.

    A cell of probability p contributes half of E|X/n - Y/k|, X and Y Poisson with means np and kp, which for
    n = k is the mean absolute Skellam variable, p (I0 + I1)(2np) exp(-2np); unequal sizes enter by their harmonic mean,
    and sqrt(1 - p) turns Poisson into multinomial cells. p is not known: the counts are replaced by a function of them whose
    Poisson mean is the wanted one (a plain plug-in is 20 % low where cells hold one patient). Range [0, 1].

    >>> counts = np.full(400, 25)
    >>> 0.10 < expected_variation(counts, 10_000) < 0.12
    True
    """
    n = int(counts.sum())
    if n == 0 or n_other == 0:
        return 0.0
    counts = counts[counts > 0]
    size = 2.0 * n * n_other / (n + n_other)
    table = _corrected(round(size / n, 3))
    small = counts <= TOP
    amount = np.empty(len(counts))
    amount[small] = table[counts[small]]
    big = counts[~small]
    amount[~small] = _mean_absolute(big * size / n) * (1 + 0.125 / big)
    return float(min(1.0, 0.5 * (amount * np.sqrt(1 - counts / n)).sum() / size))


def compare_counts(train: np.ndarray, other: np.ndarray) -> tuple[float, np.ndarray]:
    """Total variation between two tables of counts, and the sign of (other - train) in each cell."""
    difference = other / max(other.sum(), 1) - train / max(train.sum(), 1)
    return float(0.5 * np.abs(difference).sum()), np.sign(difference)


def _mean_absolute(mean: np.ndarray) -> np.ndarray:
    """E|X - Y| for independent Poisson X, Y with this mean (Skellam)."""
    return np.asarray(2 * mean * (ive(0, 2 * mean) + ive(1, 2 * mean)))


@lru_cache(maxsize=64)
def _corrected(ratio: float) -> np.ndarray:
    """g (TOP + 1,) with E g(X) close to ``_mean_absolute(ratio * mean)`` for X Poisson with that mean.

    Least squares on a grid of means, drawn gently to the second-order expansion; g(0) = 0.
    """
    x = np.arange(1, 3 * TOP + 1)
    prior = _mean_absolute(x * ratio) * (1 + 0.125 / x)
    means = np.geomspace(0.02, TOP, 160)
    weights = np.exp(x[None, :] * np.log(means)[:, None] - means[:, None] - gammaln(x + 1)[None, :])
    wanted = _mean_absolute(means * ratio)
    scaled = weights[:, :TOP] * prior[None, :TOP] / wanted[:, None]
    rest = 1 - weights @ prior / wanted
    ridge = 0.4 * np.eye(TOP)
    step = np.linalg.lstsq(np.vstack([scaled, ridge]), np.r_[rest, np.zeros(TOP)], rcond=None)[0]
    return np.asarray(np.r_[0.0, prior[:TOP] * (1 + step)])
