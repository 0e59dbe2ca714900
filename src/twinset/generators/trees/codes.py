"""Columns as cells: what a tree may split on, and the classes it tries to tell apart.

A predictor is at most 250 cells. Ordered columns keep theirs; nominal ones are put in order anew
for every target (``grow.reorder``). A value held by many patients gets a cell of its own and leaves
the other cells to the other values, so a pile of zeros costs one cell. Each kind of gap is a cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.coding.columns import Coded, Codes
from twinset.core.contracts import FloatArray, IntArray

N_CELLS = 250
N_CLASSES = 32
N_LEVEL_CLASSES = 48
N_ALONE = 24
N_LEVELS = 2048


@dataclass(frozen=True, repr=False)
class Cells:
    """How one column is cut. ``place`` gives the cell of each row, int16 (n,).

    ``nominal``: the cells have no order of their own. ``size``: how many cells.
    ``tops``: the highest value of each cell of a numeric column; gaps lie before them, ``gaps[kind]`` is their cell.
    ``table``: the cell of each level of a category.
    """

    size: int
    nominal: bool
    tops: FloatArray
    gaps: IntArray
    table: IntArray

    def place(self, coded: Coded) -> IntArray:
        if isinstance(coded, Codes):
            return np.asarray(self.table[coded.codes])
        cells = np.searchsorted(self.tops[:-1], coded.values).astype(np.int16)
        first = self.size - len(self.tops)
        if first == 0 and not coded.gaps.any():
            return cells
        return np.where(coded.gaps > 0, self.gaps[coded.gaps], cells + np.int16(first)).astype(np.int16)


@dataclass(frozen=True, repr=False)
class Target:
    """What a tree for one column looks at.

    ``ranks``: int32 (n,), equal values share a rank (gaps first). ``by_value``: rows sorted by rank.
    ``classes``: uint8 (n,), at most 48 classes of ranks. ``ordinal``: whether the classes lie on a line.
    """

    ranks: IntArray
    by_value: IntArray
    classes: IntArray
    n_classes: int
    ordinal: bool


def even_cut(counts: IntArray, most: int) -> IntArray:
    """The cell of each of the values in order, int64 (v,), at most ``most`` cells of nearly even mass.

    A value heavier than a cell's share is a cell alone; the others share what is left
    (weights min(count, sum / cells), iterated).

    >>> even_cut(np.array([1, 1, 90, 1, 1, 1, 1]), 4).tolist()
    [0, 0, 1, 2, 2, 3, 3]
    """
    if len(counts) <= most:
        return np.arange(len(counts))
    n_cells = most
    while True:
        weights = counts.astype(np.float64)
        for _ in range(12):
            weights = np.minimum(weights, weights.sum() / n_cells)
        cells = _walk(weights, weights.sum() / n_cells)
        if cells[-1] < most:
            return cells
        n_cells = max(1, min(n_cells - 1, int(n_cells * 0.95)))


def _walk(weights: FloatArray, share: float) -> IntArray:
    """Cells filled one after another; a heavy value closes the cell before it and its own."""
    heavy = weights >= share * (1 - 1e-9)
    light = np.where(heavy, 0.0, weights)
    before = np.cumsum(light) - light / 2
    run = np.cumsum(heavy)
    start = np.zeros(run[-1] + 1)
    start[1:] = np.cumsum(light)[heavy]
    inner = np.floor((before - start[run]) / share).astype(np.int64)
    changed = np.ones(len(weights), dtype=bool)
    changed[1:] = (inner[1:] != inner[:-1]) | heavy[1:] | heavy[:-1]
    return np.cumsum(changed) - 1


def target_of(coded: Coded, n_classes: int = N_CLASSES) -> Target:
    """Ranks and classes of a column (categories beyond 48 levels: ``merge_levels`` refines the classes)."""
    if isinstance(coded, Codes):
        by_code = np.argsort(coded.codes, kind="stable").astype(np.int32)
        table, k = np.arange(len(coded.levels)), len(coded.levels)
        if k > N_LEVEL_CLASSES:
            table, k = _frequent(coded), N_ALONE + 1
        return Target(coded.codes.astype(np.int32), by_code, table[coded.codes].astype(np.uint8), max(k, 1), False)
    by_value: IntArray = np.lexsort((coded.values, -coded.gaps)) if coded.gaps.any() else np.argsort(coded.values, kind="stable")
    values, gaps = coded.values[by_value], coded.gaps[by_value]
    step = np.zeros(len(values), dtype=bool)
    step[1:] = ((values[1:] != values[:-1]) & (gaps[1:] == 0)) | (gaps[1:] != gaps[:-1])
    dense = np.cumsum(step)
    ranks = np.empty(len(values), dtype=np.int32)
    ranks[by_value] = dense
    counts = np.bincount(dense) if len(dense) else np.zeros(1, dtype=np.int64)
    n_gaps = len(np.unique(coded.gaps[coded.gaps > 0]))
    table = np.concatenate([np.arange(n_gaps), n_gaps + even_cut(counts[n_gaps:], n_classes)]).astype(np.uint8)
    return Target(ranks, by_value.astype(np.int32), table[ranks], int(table.max(initial=0)) + 1, True)


def cells_of(coded: Coded, target: Target, most: int = N_CELLS) -> Cells:
    """How to cut a column into at most ``most`` cells, each kind of gap one more."""
    none = np.zeros(0)
    if isinstance(coded, Codes):
        return _level_cells(coded, most)
    counts = np.bincount(target.ranks) if len(target.ranks) else np.zeros(0, dtype=np.int64)
    kinds = np.unique(coded.gaps[coded.gaps > 0])[::-1]
    first = len(kinds)
    cut = even_cut(counts[first:], most - first) if len(counts) > first else np.zeros(0, dtype=np.int64)
    gaps = np.zeros(int(max(len(coded.column.missing_codes) + 2, coded.gaps.max(initial=0) + 1)), dtype=np.int16)
    gaps[kinds] = np.arange(first)
    if not len(cut):
        return Cells(max(first, 1), False, none if first else np.zeros(1), gaps, none)
    last = np.cumsum(counts)[first:] - 1
    highest = coded.values[target.by_value[last[np.append(cut[1:] != cut[:-1], True)]]]
    return Cells(first + len(highest), False, highest, gaps, none)


def _level_cells(coded: Codes, most: int) -> Cells:
    k = max(len(coded.levels), 1)
    nothing = np.zeros(0)
    if coded.column.ordered and k > most:
        missing = int(bool(coded.levels) and coded.levels[-1] is None)
        counts = np.bincount(coded.codes, minlength=k)
        cut = even_cut(counts[: k - missing], most - missing)
        table = np.append(cut, np.full(missing, cut[-1] + 1)).astype(np.int16)
        return Cells(int(table[-1]) + 1, False, nothing, nothing, table)
    if k <= N_LEVELS:
        return Cells(k, not coded.column.ordered and k > 2, nothing, nothing, np.arange(k, dtype=np.int16))
    common = np.argsort(-np.bincount(coded.codes, minlength=k), kind="stable")[: N_LEVELS - 1]
    table = np.full(k, N_LEVELS - 1, dtype=np.int16)
    table[common] = np.arange(N_LEVELS - 1)
    return Cells(N_LEVELS, True, nothing, nothing, table)


def _frequent(coded: Codes) -> IntArray:
    """Class of each level: the 24 most frequent alone, all others one."""
    common = np.argsort(-np.bincount(coded.codes, minlength=len(coded.levels)), kind="stable")[:N_ALONE]
    table = np.full(len(coded.levels), N_ALONE, dtype=np.int64)
    table[common] = np.arange(N_ALONE)
    return table


def merge_levels(coded: Codes, target: Target, beside: IntArray, n_beside: int) -> Target:
    """Classes for a category of many levels: the frequent ones alone, the rest in order of their profile against an earlier column, cut by mass."""
    k = len(coded.levels)
    counts = np.bincount(coded.codes, minlength=k).astype(np.float64)
    rest = np.argsort(-counts, kind="stable")[N_ALONE:]
    order = np.arange(len(rest))
    if k * n_beside <= 5_000_000:
        joint = np.bincount(coded.codes.astype(np.int64) * n_beside + beside, minlength=k * n_beside).reshape(k, n_beside)
        margin = joint.sum(axis=0) / max(len(beside), 1)
        used = margin > 0
        profile = ((joint[rest] + 10 * margin) / (counts[rest, None] + 10) - margin)[:, used] / np.sqrt(margin[used])
        order = np.argsort(profile @ np.linalg.eigh(profile.T @ profile)[1][:, -1], kind="stable")
    mass = counts[rest[order]]
    cut = np.floor((np.cumsum(mass) - mass / 2) / max(mass.sum(), 1.0) * (N_LEVEL_CLASSES - N_ALONE)).astype(np.int64)
    table = _frequent(coded)
    table[rest[order]] = N_ALONE + cut
    classes = table[coded.codes].astype(np.uint8)
    return Target(target.ranks, target.by_value, classes, N_LEVEL_CLASSES, False)
