"""Exact p-values against chance: who was used and who was held out is a matter of lot, and lots can be counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from twinset.core.contracts import FloatArray

COUNTED = 4_000  # the smaller sample times all scores: up to here every way to deal the ranks is counted
UNTIED, LOTS = 2_000, 20_000


class Tails(NamedTuple):
    """The chance of a figure at least as high, and of one at least as low, if only the lot decides."""

    above: float
    below: float


def drawn(x: int, k: int, marked: int, n: int) -> Tails:
    """How likely x or more (or fewer) of k patients drawn by lot from n are among the marked ones: hypergeometric tails.

    >>> round(1 / drawn(5, 5, 5, 10).above)
    252
    """
    low, high = max(0, k - (n - marked)), min(k, marked)
    chances = [math.exp(_choose(marked, i) + _choose(n - marked, k - i) - _choose(n, k)) for i in range(low, high + 1)]
    return Tails(min(1.0, math.fsum(chances[max(0, x - low) :])), min(1.0, math.fsum(chances[: max(0, x - low + 1)])))


def crossed(x: int, k: int, marked: int, n: int) -> float:
    """How likely x or more of k disjoint pairs of patients are mixed (one marked, one not), if ``marked`` of n are marked by lot.

    >>> round(crossed(2, 2, 2, 4), 3)
    0.667
    """
    total = 0.0
    for h in range(max(0, 2 * k - (n - marked)), min(2 * k, marked) + 1):  # marked patients in the pairs, then mixed pairs given those
        inside = _choose(marked, h) + _choose(n - marked, 2 * k - h) - _choose(n, 2 * k) - _choose(2 * k, h)
        for c in range(x + (h - x) % 2, min(h, 2 * k - h) + 1, 2):
            whole = (h - c) // 2
            ways = math.lgamma(k + 1) - math.lgamma(c + 1) - math.lgamma(whole + 1) - math.lgamma(k - c - whole + 1)
            total += math.exp(inside + ways + c * math.log(2))
    return min(1.0, total)


def ranks(members: FloatArray, others: FloatArray, *, inflate: float = 1.0) -> Tails:
    """The permutation test of AUC = 0.5: how likely members rank so high (or so low) among all scores by lot.

    Exact, ties included (Streitberg and Roehmel 1986), while the smaller sample times all scores is at most COUNTED; else Mann and Whitney's normal approximation
    with its correction for ties, its variance times ``inflate``; where more than half of the scores are equal, and under 2,000 are not, by drawing 20,000 lots
    among those (the normal law is far off there; the smallest p is then 1 in 20,001).

    >>> round(1 / ranks(np.arange(7.0, 13.0), np.arange(7.0)).above)
    1716
    """
    m, n = len(members), len(others)
    if not m or not n:
        return Tails(1.0, 1.0)
    doubled, ties = _ranks(np.concatenate([members, others]))
    if min(m, n) * (m + n) <= COUNTED:
        few = doubled[:m] if m <= n else doubled[m:]
        tails = _counted(doubled, few)
        return tails if m <= n else Tails(tails.below, tails.above)
    if (heavy := _tied(doubled)) is not None:
        return _by_hand(doubled - heavy, m)
    excess = float(doubled[:m].sum()) / 2 - m * (m + n + 1) / 2
    variance = inflate * m * n / 12 * ((m + n + 1) - ties / ((m + n) * (m + n - 1)))
    if variance <= 0:
        return Tails(1.0, 1.0)
    return Tails(normal_tail((excess - 0.5) / math.sqrt(variance)), normal_tail((-excess - 0.5) / math.sqrt(variance)))


def by_lot(observed: float, draw: Callable[[int], FloatArray], *, most: int, enough: int = 10, batch: int = 99) -> float:
    """The p-value of a figure by drawing lots: how often ``draw`` (that many figures under the lot) reaches ``observed``.

    It stops once ``enough`` draws did (Besag and Clifford 1991), so that only a small p costs ``most`` draws; the smallest is 1 / (most + 1).
    """
    higher = n = 0
    while n < most and higher < enough:
        some = draw(min(batch, most - n))
        higher, n = higher + int((some >= observed - 1e-9 * max(1.0, abs(observed))).sum()), n + len(some)
    return (higher + 1) / (n + 1)


def _tied(doubled: np.ndarray) -> int | None:
    """The rank that more than half of the scores share, where few others are left; else ``None``."""
    value, size = np.unique(doubled, return_counts=True)
    at = int(size.argmax())
    return int(value[at]) if 2 * size[at] > len(doubled) and len(doubled) - size[at] < UNTIED else None


def _by_hand(apart: np.ndarray, m: int) -> Tails:
    """Both tails of the sum of ``apart`` (0 for most) over m of them drawn by lot. Seeded: the same scores give the same p."""
    rng = np.random.default_rng(0)
    own, others = float(apart[:m].sum()), apart[apart != 0].astype(np.float64)
    drawn_ = rng.hypergeometric(len(others), len(apart) - len(others), m, size=LOTS) if len(others) else np.zeros(LOTS, dtype=np.int64)
    sums = np.array([rng.permuted(others)[:k].sum() for k in drawn_])
    return Tails((1 + int((sums >= own).sum())) / (LOTS + 1), (1 + int((sums <= own).sum())) / (LOTS + 1))


def _ranks(scores: FloatArray) -> tuple[np.ndarray, float]:
    """Twice the mid-rank of each score, int64, and the sum of t^3 - t over ties of t."""
    _, place, size = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(size)
    return (2 * ends - size + 1)[place], float((size.astype(np.float64) ** 3 - size).sum())


def _counted(doubled: np.ndarray, few: np.ndarray) -> Tails:
    """Both tails of the sum of ``few``, from the number of ways to draw as many ranks with each sum."""
    k, least = len(few), int(doubled.min())
    shifted = doubled - least
    ways = np.zeros((k + 1, int(np.sort(shifted)[-k:].sum()) + 1))
    ways[0, 0] = 1.0
    for r in shifted.tolist():
        if r < ways.shape[1]:
            ways[1:, r:] += ways[:-1, : ways.shape[1] - r].copy()
    sums = ways[k] / ways[k].sum()
    at = int(few.sum()) - k * least
    return Tails(min(1.0, float(sums[at:].sum())), min(1.0, float(sums[: at + 1].sum())))


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def normal_tail(z: float) -> float:
    """The upper tail of the normal law."""
    return 0.5 * math.erfc(z / math.sqrt(2))
