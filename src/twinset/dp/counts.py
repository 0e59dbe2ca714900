"""Counting: exact, private, and never seen outside the vault."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numba
import numpy as np

from twinset.dp.cover import Axes, cover, marginals

IntArray = np.ndarray
CACHED = 100_000  # cells of a covering table: 4 bytes each, so that it stays in the processor's second cache
WIDEST = 5  # columns of a covering table
WORTH = 4  # rows, for each marginal and column, from which planning pays
ONCE = 2**31  # rows counted before 32-bit counts are added up


class Counts(Protocol):
    """Exact counts of modelled cells. Backends agree to the integer."""

    def count(self, cliques: Sequence[Axes]) -> list[IntArray]:
        """int64, for each clique one axis a column, in the clique's order; no columns = the number of rows, shape ()."""
        ...


class MemoryCounts:
    """Counts of codes held in memory: ``codes`` unsigned integers (columns, n), ``sizes`` the cells of each column."""

    def __init__(self, codes: IntArray, sizes: Sequence[int]) -> None:
        self._codes = np.ascontiguousarray(codes, dtype=np.uint8 if max(sizes, default=0) <= 256 else np.uint16)
        self._sizes = tuple(sizes)

    def count(self, cliques: Sequence[Axes]) -> list[IntArray]:
        n = self._codes.shape[1]
        if n < max(WORTH * len(cliques) * len(self._sizes), 50_000):
            return [self._table(c) for c in cliques]
        out: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(cliques)
        for table in cover(cliques, self._sizes, most=min(CACHED, max(n // 64, 1)), widest=WIDEST):
            wanted = [cliques[i] for i in table.places]
            for i, counts in zip(table.places, marginals(self._table(table.axes), table.axes, wanted), strict=True):
                out[i] = counts
        return out

    def _table(self, axes: Axes) -> IntArray:
        shape = tuple(self._sizes[a] for a in axes)
        n = self._codes.shape[1]
        if not axes:
            return np.asarray(n, dtype=np.int64)
        if len(axes) > WIDEST:
            cell = np.zeros(n, dtype=np.int64)
            for a in axes:
                cell = cell * self._sizes[a] + self._codes[a]
            return np.bincount(cell, minlength=math.prod(shape)).astype(np.int64).reshape(shape)
        out = np.zeros(math.prod(shape), dtype=np.int64)
        for begin in range(0, n, ONCE):
            part = np.zeros(len(out), dtype=np.uint32)
            KERNELS[len(axes) - 1](*[self._codes[a, begin : begin + ONCE] for a in axes], np.array(shape, dtype=np.uint32), part)
            out += part
        return out.reshape(shape)


@numba.njit(cache=True, nogil=True)
def _one(v, _sizes, out):  # type: ignore[no-untyped-def]
    for i in range(len(v)):
        out[v[i]] += np.uint32(1)


@numba.njit(cache=True, nogil=True)
def _two(v, w, sizes, out):  # type: ignore[no-untyped-def]
    b = sizes[1]
    for i in range(len(v)):
        out[np.uint32(v[i]) * b + np.uint32(w[i])] += np.uint32(1)


@numba.njit(cache=True, nogil=True)
def _three(v, w, x, sizes, out):  # type: ignore[no-untyped-def]
    b, c = sizes[1], sizes[2]
    for i in range(len(v)):
        out[(np.uint32(v[i]) * b + np.uint32(w[i])) * c + np.uint32(x[i])] += np.uint32(1)


@numba.njit(cache=True, nogil=True)
def _four(v, w, x, y, sizes, out):  # type: ignore[no-untyped-def]
    b, c, d = sizes[1], sizes[2], sizes[3]
    for i in range(len(v)):
        out[((np.uint32(v[i]) * b + np.uint32(w[i])) * c + np.uint32(x[i])) * d + np.uint32(y[i])] += np.uint32(1)


@numba.njit(cache=True, nogil=True)
def _five(v, w, x, y, z, sizes, out):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, one column each
    b, c, d, e = sizes[1], sizes[2], sizes[3], sizes[4]
    for i in range(len(v)):
        out[(((np.uint32(v[i]) * b + np.uint32(w[i])) * c + np.uint32(x[i])) * d + np.uint32(y[i])) * e + np.uint32(z[i])] += np.uint32(1)


KERNELS = (_one, _two, _three, _four, _five)
