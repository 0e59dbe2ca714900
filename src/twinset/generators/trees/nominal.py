"""Nominal predictors put in order for one target (numba): along the first principal direction of their class profiles."""

from __future__ import annotations

import numpy as np
from numba import njit

from twinset.core.contracts import IntArray


@njit(cache=True, nogil=True)
def reorder(raw, widths, nominal, classes, n_classes, tables, sizes, most):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """Nominal predictors put in order for one target.

    Class profiles (counts + 10 margin) / (n + 10) - margin, over the root of the margin; the levels are sorted along the first
    principal direction and, beyond ``most`` of them, merged by mass. Writes ``tables[i, level]`` (uint8) and ``sizes``.
    """
    n = classes.size
    margin = np.zeros(n_classes)
    for i in range(n):
        margin[classes[i]] += 1.0 / n
    for a in range(nominal.size):
        f = nominal[a]
        width = widths[f]
        profile, counts = np.zeros((width, n_classes)), np.zeros(width)
        x = raw[f]
        for i in range(n):
            profile[x[i], classes[i]] += 1.0
        for level in range(width):
            counts[level] = profile[level].sum()
            for k in range(n_classes):
                if margin[k] > 0:
                    profile[level, k] = ((profile[level, k] + 10.0 * margin[k]) / (counts[level] + 10.0) - margin[k]) / np.sqrt(margin[k])
        score = _principal(profile, counts)
        _place(np.argsort(score, kind="mergesort"), counts, most, tables[a])
        sizes[f] = min(width, most)


@njit(cache=True, nogil=True)
def _principal(profile: IntArray, counts: IntArray) -> IntArray:
    """Scores along the first principal direction (power iteration from the profile farthest out)."""
    width, n_classes = profile.shape
    far, at = -1.0, 0
    for level in range(width):
        length = 0.0
        for k in range(n_classes):
            length += profile[level, k] ** 2
        if length > far:
            far, at = length, level
    direction, score = profile[at].copy(), np.zeros(width)
    for _ in range(16):
        following, length = np.zeros(n_classes), 0.0
        for level in range(width):
            s = 0.0
            for k in range(n_classes):
                s += profile[level, k] * direction[k]
            score[level] = s
            for k in range(n_classes):
                following[k] += s * profile[level, k]
        for k in range(n_classes):
            length += following[k] ** 2
        if length <= 1e-300:
            break
        direction = following / np.sqrt(length)
    return score


@njit(cache=True, nogil=True)
def _place(order: IntArray, counts: IntArray, most: int, table: IntArray) -> None:
    """Cells of the levels in this order: one each, or at most ``most`` of nearly even mass."""
    width = order.size
    if width <= most:
        for i in range(width):
            table[order[i]] = i
        return
    weights = counts.copy()
    for _ in range(12):
        weights = np.minimum(weights, weights.sum() / most)
    share, before = weights.sum() / most, 0.0
    for i in range(width):
        w = weights[order[i]]
        table[order[i]] = min(most - 1, int((before + w / 2) / share))
        before += w
