"""Noisy counts and sums to an estimate and its 95 % interval. Post-processing: nothing here costs, and nothing here sees a row.

Every interval holds the values that the noisy answer does not reject at 5 %, the sampling of patients and the privacy noise counted together
(a score test, inverted: Wilson's interval where there is no noise; for ratios Fieller's, 1954). ``spread``: by how much sampling varies more than if
rows were patients, at most: the bound on the rows of one patient. Where the noise drowns a group, nothing is told of it but the widest interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054
GRAIN = 2**20  # steps from 0 to 1 of a squared value


@dataclass(frozen=True)
class Told:
    """``value`` None: drowned in noise. ``noise``: the standard deviation that the privacy noise alone gives the value. ``n``: rows, noisy."""

    value: float | None
    low: float
    high: float
    n: float
    noise: float


def count(found: float, *, sigma: float, spread: float = 1.0) -> Told:
    """Of the expected number, where the number itself is Poisson: (C - m)² <= z² (spread m + sigma²)."""
    middle = found + Z95**2 * spread / 2
    reach = math.sqrt(max(middle**2 - found**2 + Z95**2 * sigma**2, 0.0))
    return Told(max(found, 0.0), max(middle - reach, 0.0), max(middle + reach, 0.0), found, sigma)


def share(yes: float, no: float, *, sigma: float, spread: float = 1.0) -> Told:
    """Of p: (A - p N)² <= z² (spread N p (1 - p) + sigma² ((1 - p)² + p²)), a quadratic in p."""
    n = yes + no
    if not _clear(n, math.sqrt(2) * sigma):
        return Told(None, 0.0, 1.0, n, math.inf)
    mixed = Z95**2 * (spread * n - 2 * sigma**2)
    low, high = _roots(n**2 + mixed, yes * n + mixed / 2, yes**2 - Z95**2 * sigma**2)
    p = min(max(yes / n, 0.0), 1.0)
    return Told(p, max(low, 0.0), min(high, 1.0), n, sigma * math.hypot(1 - p, p) / n)


def ratio(top: float, below: float, variances: tuple[float, float, float]) -> tuple[float, float]:
    """Fieller's interval of a ratio; ``variances`` of the numerator, of the denominator, and their covariance. Infinite where the denominator may be 0."""
    a, b, both = (Z95**2 * v for v in variances)
    if not below > 0 or below**2 <= b:
        return -math.inf, math.inf
    return _roots(below**2 - b, top * below - both, top**2 - a)


@dataclass(frozen=True)
class Sums:
    """What a mean is made of: noisy rows, sum, and sum of squares, each with its noise.

    Values are steps from -``half`` to ``half`` (the declared bounds); squares, divided by half², are in steps of 1 / GRAIN, less GRAIN / 2.
    """

    n: float
    sum: float
    squares: float
    sigma_n: float
    sigma_sum: float
    sigma_squares: float
    half: float


def mean(of: Sums, *, spread: float = 1.0) -> Told:
    """Of the mean, in steps from -half to half.

    The variance among patients is itself noisy: one standard deviation of its noise is added, and no more is taken than the bounds allow
    (Bhatia and Davis 2000).
    """
    if not _clear(of.n, of.sigma_n):
        return Told(None, -of.half, of.half, of.n, math.inf)
    middle = min(max(of.sum / of.n, -of.half), of.half)
    raw = of.half**2 * (of.squares / of.n + GRAIN / 2) / GRAIN - middle**2
    unsure = of.half**2 * of.sigma_squares / (of.n * GRAIN)
    variance = min(max(raw, 0.0) + unsure, of.half**2 - middle**2)
    low, high = ratio(of.sum, of.n, (spread * variance * of.n + of.sigma_sum**2, of.sigma_n**2, 0.0))
    noise = math.hypot(of.sigma_sum, middle * of.sigma_n) / of.n
    return Told(middle, min(max(low, -of.half), middle), max(min(high, of.half), middle), of.n, noise)


def left_over(  # noqa: PLR0913 - what a look is, number by number
    counts: np.ndarray, edges: np.ndarray, at: float, *, sigma: float, within: tuple[float, float], spread: float = 1.0, reach: float = Z95
) -> tuple[float, float]:
    """What noisy ``counts`` (k,) between ``edges`` (k + 1,) leave of ``within`` as the place of a quantile: an interval between edges.

    An edge lies below the quantile if fewer than ``at`` of the patients lie below it. From the lowest edge up, and from the highest down, edges are
    tested one by one (at 2.5 % where ``reach`` is Z95) until one is not rejected: a fixed sequence, so that no correction is due.
    """
    n, gap, noise = _gap(counts, at, sigma)
    far = reach * np.sqrt(spread * n * at * (1 - at) + noise**2)
    under, over = (gap < -far)[1:-1], (gap > far)[1:-1]
    first = int(np.argmin(np.r_[under, False]))
    last = len(counts) - int(np.argmin(np.r_[over[::-1], False]))
    return max(float(edges[first]), within[0]), min(float(edges[last]), within[1])


def quantile(  # noqa: PLR0913
    counts: np.ndarray, edges: np.ndarray, at: float, *, sigma: float, within: tuple[float, float], whole: bool = False, spread: float = 1.0
) -> Told:
    """Of a quantile, from the last look's noisy ``counts`` between ``edges``; ``within``: what the looks before it left over.

    The value is where the distribution, made to rise, crosses ``at``; in a cell it is taken to rise evenly. ``whole``: values are whole numbers, and a
    cell [a, b) holds a to b - 1.
    """
    n, gap, noise = _gap(counts, at, sigma)
    if not _clear(n, math.sqrt(len(counts)) * sigma):
        return Told(None, within[0], within[1] - whole, n, math.inf)
    low, high = left_over(counts, edges, at, sigma=sigma, within=within, spread=spread)
    high = max(high, low + whole)  # they meet where the last look contradicts those before it
    smooth = (np.maximum.accumulate(gap) + np.minimum.accumulate(gap[::-1])[::-1]) / 2
    place = min(max(int(np.searchsorted(smooth, 0.0)), 1), len(counts))
    rise = float(smooth[place] - smooth[place - 1])
    left, right = float(edges[place - 1]), float(edges[place])
    value = left + (right - left) * (min(max(-smooth[place - 1] / rise, 0.0), 1.0) if rise > 0 else 0.5)
    value = min(math.floor(value), right - 1) if whole else value
    value, slope = min(max(value, low), high - whole), max(rise, sigma) / (right - left)
    return Told(value, low, high - whole, n, float(noise[place]) / slope)


def _gap(counts: np.ndarray, at: float, sigma: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Noisy rows in all (0 at least); at each edge, how many more rows lie below it than would below the quantile, and the noise in that."""
    below = np.r_[0.0, np.cumsum(counts, dtype=np.float64)]
    j = np.arange(len(below))
    return max(float(below[-1]), 0.0), below - at * below[-1], sigma * np.sqrt((1 - at) ** 2 * j + at**2 * (len(counts) - j))


def _clear(n: float, noise: float) -> bool:
    """Whether a noisy number of rows is surely not 0, and by enough to divide by."""
    return n > 2 * Z95 * noise and n > 0


def _roots(a: float, half_b: float, c: float) -> tuple[float, float]:
    """The roots of a t² - 2 half_b t + c; the whole line where it opens downwards."""
    if not a > 0:
        return -math.inf, math.inf
    reach = math.sqrt(max(half_b**2 - a * c, 0.0))
    return (half_b - reach) / a, (half_b + reach) / a
