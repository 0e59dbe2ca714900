"""Counting pairs of columns (numba): one pass over the rows, nothing held but the counts."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def count(first, second, width, size):  # type: ignore[no-untyped-def]
    """How many rows fall in each cell ``first * width + second``, int64 (size,)."""
    out = np.zeros(size, np.int64)
    for i in range(first.size):
        out[np.int64(first[i]) * width + second[i]] += 1
    return out


@njit(cache=True, nogil=True)
def tally(first, second, width, signs, total):  # type: ignore[no-untyped-def]
    """Add the sign of each row's cell to ``total`` (n,); gives the sum of the signs and of their squares."""
    plain, square = 0, 0
    for i in range(first.size):
        s = signs[np.int64(first[i]) * width + second[i]]
        total[i] += s
        plain += s
        square += s * s
    return plain, square
