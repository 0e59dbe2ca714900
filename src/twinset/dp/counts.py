"""Counting: exact, private, and never seen outside the vault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numba
import numpy as np

IntArray = np.ndarray


class Counts(Protocol):
    """Exact counts of cells. Backends agree to the integer."""

    def count(self, axes: Sequence[int]) -> IntArray:
        """int64, one axis for each of these columns."""
        ...


class MemoryCounts:
    """Counts of codes held in memory: ``codes`` unsigned integers (columns, n), ``sizes`` the cells of each column."""

    def __init__(self, codes: Sequence[IntArray], sizes: Sequence[int]) -> None:
        self._codes = [np.ascontiguousarray(c, dtype=np.uint8 if s <= 256 else np.uint16) for c, s in zip(codes, sizes, strict=True)]
        self._sizes = tuple(sizes)

    def count(self, axes: Sequence[int]) -> IntArray:
        shape = [self._sizes[a] for a in axes]
        out = np.zeros(int(np.prod(shape)), dtype=np.int64)
        match [self._codes[a] for a in axes]:
            case []:
                out[0] = len(self._codes[0])
            case [x]:
                _one(x, out)
            case [x, y]:
                _two(x, y, shape[1], out)
            case [x, y, z]:
                _three(x, y, z, shape[1], shape[2], out)
            case many:
                cell = np.zeros(len(many[0]), dtype=np.int64)
                for x, size in zip(many, shape, strict=True):
                    cell = cell * size + x
                out += np.bincount(cell, minlength=len(out))
        return out.reshape(shape)


@numba.njit(cache=True, nogil=True)
def _one(x, out):
    for i in range(len(x)):
        out[x[i]] += 1


@numba.njit(cache=True, nogil=True)
def _two(x, y, n_y, out):
    for i in range(len(x)):
        out[np.int64(x[i]) * n_y + y[i]] += 1


@numba.njit(cache=True, nogil=True)
def _three(x, y, z, n_y, n_z, out):  # noqa: PLR0913
    for i in range(len(x)):
        out[(np.int64(x[i]) * n_y + y[i]) * n_z + z[i]] += 1
