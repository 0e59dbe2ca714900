"""Hazard ratios from noisy counts of who left when: time in bins, arms, with or without the event. Post-processing."""

from __future__ import annotations

import math

import numpy as np

from twinset.asking.estimate import Told, ratio

FINE, BINS = 32, 6  # cells of the first look at time, bins of the second


def bins(counts: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Edges of about six bins with equally many exits, from noisy ``counts`` on even public cells. They begin and end as ``edges`` do."""
    reached = np.cumsum(np.maximum(counts, 0.0))
    places = np.searchsorted(reached, reached[-1] * np.arange(1, BINS) / BINS) + 1
    return np.asarray(edges[np.unique(np.r_[0, places, len(edges) - 1])])


def hazard_ratio(counts: np.ndarray, edges: np.ndarray, arm: int, *, sigma: float, spread: float = 1.0) -> Told:
    """The hazard of ``arm`` divided by that of arm 0. ``counts``: noisy, (arms, bins, 2), the last axis without and with the event.

    Mantel and Haenszel's rate ratio over the bins (Rothman, Greenland and Lash, Modern Epidemiology, chapter 15), patients who leave in a bin at risk
    for half of it: what Cox's model estimates where hazards are proportional and bins short. The interval is Fieller's, with sampling
    (independent Poisson cells) and noise propagated through every cell. Not for hazards that cross: no one number tells them.
    """
    pair = counts[[0, arm]].astype(np.float64)
    width = np.diff(edges)
    top, below = _sums(pair, width)
    slopes = _slopes(pair, width, max(sigma, 1.0))
    variance = spread * np.maximum(pair, 0.0).ravel() + sigma**2
    spreads = ((slopes[0] ** 2 * variance).sum(), (slopes[1] ** 2 * variance).sum(), (slopes[0] * slopes[1] * variance).sum())
    low, high = ratio(top, below, (float(spreads[0]), float(spreads[1]), float(spreads[2])))
    n = float(pair.sum())
    if not math.isfinite(high) or not top > 0:
        return Told(None, 0.0, math.inf, n, math.inf)
    value = top / below
    noise = sigma * float(np.linalg.norm((slopes[0] - value * slopes[1]) / below))
    return Told(value, max(low, 0.0), high, n, noise)


def _sums(pair: np.ndarray, width: np.ndarray) -> tuple[float, float]:
    """Numerator and denominator: sums over bins of one arm's events times the other's share of the time at risk."""
    leaving = pair.sum(axis=2)
    at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    time = np.maximum(at_risk - leaving / 2, 0.5) * width
    share = time / time.sum(axis=0)
    return float(pair[1, :, 1] @ share[0]), float(pair[0, :, 1] @ share[1])


def _slopes(pair: np.ndarray, width: np.ndarray, step: float) -> np.ndarray:
    """Of both sums by every cell, (2, cells): central differences, a step the size of the noise wide."""
    out = np.empty((2, pair.size))
    for i in range(pair.size):
        up, down = pair.copy().ravel(), pair.copy().ravel()
        up[i] += step
        down[i] -= step
        above, under = _sums(up.reshape(pair.shape), width), _sums(down.reshape(pair.shape), width)
        out[:, i] = [(a - u) / (2 * step) for a, u in zip(above, under, strict=True)]
    return out
