"""Rows in blocks of likes, each in a box: a block whose box is farther than what was found is never looked at.

With few columns nearly all blocks are passed over (seven columns: 97 in 100); with many, boxes are wide and little is lost by looking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

BLOCK = 2048
SORTED = 8 * BLOCK  # fewer rows are left in their order
SEEN = 512  # rows that tell where to cut
GAP = 255
SHELF = 32  # blocks


@dataclass(frozen=True, repr=False)
class Blocks:
    """``order`` int64 (n,): the rows, block after block. ``codes`` uint8 (d, n) and ``cells`` float32 (n, d) in that order; the boxes of blocks and of shelves."""

    order: np.ndarray
    codes: np.ndarray
    cells: np.ndarray
    blocks: Boxes
    shelves: Boxes


class Boxes(NamedTuple):
    """``low``, ``high`` uint8 (boxes, d): the ends of their codes, gaps of numbers aside (255, 0 where all are gaps); ``gaps`` bool (boxes, d): whether there are any."""

    low: np.ndarray
    high: np.ndarray
    gaps: np.ndarray

    def wider(self, size: int) -> Boxes:
        """A box around every ``size`` of these that follow each other."""
        starts = np.arange(0, len(self.low), size)
        return Boxes(np.minimum.reduceat(self.low, starts), np.maximum.reduceat(self.high, starts), np.logical_or.reduceat(self.gaps, starts))


def blocks(codes: np.ndarray, cells: np.ndarray, is_number: np.ndarray, unit: int) -> Blocks:
    """The rows cut by halves, each time across the column in which they lie farthest apart, until a block holds at most ``BLOCK``."""
    n = codes.shape[1]
    order = np.arange(n)
    if n > SORTED:
        order = _halved(codes, is_number, unit)
        codes, cells = np.ascontiguousarray(codes[:, order]), cells[order]
    starts = np.arange(0, n, BLOCK)
    is_gap = (codes == GAP) & is_number[:, None]
    low = np.minimum.reduceat(codes, starts, axis=1).T  # gaps are the highest code
    high = np.maximum.reduceat(np.where(is_gap, np.uint8(0), codes), starts, axis=1).T
    boxes = Boxes(*(np.ascontiguousarray(x) for x in (low, high, np.logical_or.reduceat(is_gap, starts, axis=1).T)))
    return Blocks(order, codes, cells, boxes, boxes.wider(SHELF))


@njit(cache=True, nogil=True)
def _halved(codes, is_number, unit):  # type: ignore[no-untyped-def]
    """The rows, int64 (n,), in the order of a tree of halves; all blocks but the last are full."""
    n = codes.shape[1]
    order, spare = np.arange(n), np.empty(n, np.int64)
    counts = np.empty(257, np.int64)
    starts, ends, waiting = np.zeros(64, np.int64), np.zeros(64, np.int64), 1
    ends[0] = n
    while waiting > 0:
        waiting -= 1
        start, end = starts[waiting], ends[waiting]
        if end - start <= BLOCK:
            continue
        mine = order[start:end]
        x = codes[_widest(codes, mine, is_number, unit, counts)]
        counts[:] = 0
        for r in mine:
            counts[x[r] + 1] += 1
        for c in range(256):
            counts[c + 1] += counts[c]
        for r in mine:
            spare[counts[x[r]]] = r
            counts[x[r]] += 1
        mine[:] = spare[: mine.size]
        middle = start + (mine.size + 2 * BLOCK - 1) // (2 * BLOCK) * BLOCK
        starts[waiting], ends[waiting] = start, middle
        starts[waiting + 1], ends[waiting + 1] = middle, end
        waiting += 2
    return order


@njit(cache=True, nogil=True)
def _widest(codes, mine, is_number, unit, counts):  # type: ignore[no-untyped-def]
    """The column in which these rows lie farthest apart: numbers by their middle four fifths, categories by the chance that two rows differ."""
    widest, column = -1.0, 0
    step = max(1, mine.size // SEEN)
    for j in range(codes.shape[0]):
        counts[:] = 0
        n = 0
        for i in range(0, mine.size, step):
            counts[codes[j, mine[i]]] += 1
            n += 1
        wide, reached, low, high = 1.0, 0, -1, 255
        for c in range(256):
            reached += counts[c]
            if low < 0 and 10 * reached >= n:
                low = c
            if 10 * reached >= 9 * n:
                high = min(high, c)
            wide -= (counts[c] / n) ** 2
        if is_number[j]:
            wide = (high - low) / unit
        if wide > widest:
            widest, column = wide, j
    return column


@njit(cache=True, nogil=True)
def apart(query, boxes, b, is_number, unit, limit):  # type: ignore[no-untyped-def]
    """Code steps that a query is away from every row of box ``b`` at least; adding stops beyond ``limit``."""
    total = 0
    for j in range(query.size):
        value, low, high = query[j], boxes.low[b, j], boxes.high[b, j]
        if is_number[j] and value == GAP:
            total += 0 if boxes.gaps[b, j] else unit
        elif low > high:  # nothing but gaps
            total += unit
        elif value < low:
            total += low - value if is_number[j] else unit
        elif value > high:
            total += value - high if is_number[j] else unit
        if total > limit:
            break
    return total


@njit(cache=True, nogil=True)
def closest(query, boxes, start, end, is_number, unit):  # type: ignore[no-untyped-def]
    """The box of ``start`` .. ``end`` that is least far from a query."""
    least, at = 1 << 30, start
    for b in range(start, min(end, len(boxes.low))):
        far = apart(query, boxes, b, is_number, unit, least)
        if far < least:
            least, at = far, b
    return at
