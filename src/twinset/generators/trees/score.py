"""Which donor of a leaf suits which row: a score of the predictors, fitted by ridge regression inside the leaves.

A tree leaves its donors alike but not equal. Handed out at random they lose what the predictors still tell inside a leaf, and a treatment effect
with it; joined to rows in the order of this score (predictive mean matching, Rubin 1986, on ranks) they keep it, and every margin stays as it was dealt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from twinset.core.contracts import BoolArray, FloatArray, IntArray

PENALTY = 4.0  # of the ridge, on columns of unit standard deviation
SHRINK = 10.0  # patients of the average added to each level of a nominal predictor
CURVED = 8  # a predictor of more cells also enters as its square
MOST_PREDICTORS = 40
MOST_GROUPS = 6  # an arm of more levels has no products
ROWS = 10_000  # the coefficients are estimated on so many rows at most


@dataclass(frozen=True, repr=False)
class Score:
    """A sum of tables looked up by cell. ``tables``: float32 (groups, predictors, cells); ``features``: int64 (predictors,), rows of the board;
    ``by``: int64, the steps whose cells together are the group; ``sizes``: int64, their cells. ``y``: float32 (n,) by train row, what it tells apart; NaN: no part in it.
    """

    tables: FloatArray
    features: IntArray
    by: IntArray
    sizes: IntArray
    y: FloatArray

    def of(self, work: IntArray) -> FloatArray:
        """The score of each row of a board, float32 (n,)."""
        return np.asarray(add_up(work, self.features, self.tables, self.by, self.sizes))


@dataclass(frozen=True, repr=False)
class Scale:
    """Where the cells of an ordinal predictor lie: standardised mid-ranks, gaps at nought. ``missing``: which cells are gaps; ``sizes``: rows in each cell."""

    place: FloatArray
    missing: BoolArray
    sizes: IntArray


@dataclass(frozen=True, repr=False)
class Leaves:
    """Train rows leaf by leaf: ``rows`` int (n,), ``begin`` int64 (leaves + 1,)."""

    rows: IntArray
    begin: IntArray

    def only(self, keep: BoolArray) -> Leaves:
        """Without the rows that are not to be kept, ``keep`` (n,) by train row."""
        kept = np.flatnonzero(keep[self.rows])
        return Leaves(self.rows[kept], np.searchsorted(kept, self.begin))

    def thinned(self, most: int) -> Leaves:
        """Every k-th row, so that at most ``most`` are left."""
        every = np.arange(0, len(self.rows), -(-len(self.rows) // most))
        return self if len(self.rows) <= most else Leaves(self.rows[every], np.searchsorted(every, self.begin))


@dataclass(frozen=True, repr=False)
class Terms:
    """The columns of the regression: ``feature`` int64 (t,), row of the board; ``tables`` float32 (t, cells); ``step`` and ``cell`` int64 (t,): the only cell of
    another row of the board in which the term is not nought (-1: everywhere); ``place`` int64 (t,): position of the feature in the score.
    """

    feature: IntArray
    tables: FloatArray
    step: IntArray
    cell: IntArray
    place: IntArray


@dataclass(frozen=True, repr=False)
class Predictors:
    """What a score may look at. ``work``: uint8 (steps, n), the board; ``features``: int64 (p,), rows of it; ``scales``: of each step, ``None`` where its
    cells have no order; ``sizes``: int64 (steps,); ``by``: int64, the steps whose products with all others enter (arms; events, for a time).
    """

    work: IntArray
    features: IntArray
    scales: Sequence[Scale | None]
    sizes: IntArray
    by: IntArray

    def strongest(self, rows: IntArray, y: FloatArray) -> Predictors:
        """At most 40 of them: those of ``by``, and those whose cells correlate most with ``y``."""
        if len(self.features) <= MOST_PREDICTORS:
            return self
        some = rows[:: max(1, len(rows) // 2000)]
        centred = y[some] - y[some].mean()
        strength = np.array([abs(self._placed(some, y, f)[self.work[f, some]] @ centred) for f in self.features])
        strength[np.isin(self.features, self.by)] = np.inf
        return replace(self, features=np.sort(self.features[np.argsort(-strength, kind="stable")[:MOST_PREDICTORS]]))

    def terms(self, rows: IntArray, y: FloatArray, *, products: bool = True) -> Terms:
        """Every predictor, its square where it has many cells, its gaps where it has any, and its products with the levels of ``by``."""
        found: list[tuple[int, FloatArray, int, int]] = []
        for p, f in enumerate(self.features):
            scale, size = self.scales[f], int(self.sizes[f])
            place = self._placed(rows, y, f)
            found.append((p, place, -1, -1))
            if scale is not None and size > CURVED:
                found.append((p, _standard(place**2 * ~scale.missing, scale.sizes), -1, -1))
            if scale is not None and scale.missing.any():
                found.append((p, _standard(scale.missing.astype(np.float64), scale.sizes), -1, -1))
            for step in self.by if products else ():
                found += [(p, np.ones(size) if f == step else place, int(step), cell) for cell in range(1, int(self.sizes[step]))]
        tables = np.zeros((len(found), int(self.sizes[self.features].max())), dtype=np.float32)
        for t, (_, place, _, _) in enumerate(found):
            tables[t, : len(place)] = place
        at, step, cell = (np.array(v, dtype=np.int64) for v in ([p for p, _, _, _ in found], [s for _, _, s, _ in found], [c for _, _, _, c in found]))
        return Terms(self.features[at], tables, step, cell, at)

    def _placed(self, rows: IntArray, y: FloatArray, feature: int) -> FloatArray:
        """Where each cell of a predictor lies: its mid-rank, or the target's mean there, shrunk, where cells have no order."""
        scale, size = self.scales[feature], int(self.sizes[feature])
        if scale is not None:
            return scale.place
        cells = self.work[feature, rows]
        counts = np.bincount(cells, minlength=size)
        means = (np.bincount(cells, weights=y[rows], minlength=size) + SHRINK * y[rows].mean()) / (counts + SHRINK)
        return _standard(means, counts)


def scale_of(cells: IntArray, size: int, missing: Sequence[int]) -> Scale:
    """The scale of a column from the cell of every train row; ``missing``: its cells that are gaps."""
    sizes, gap = np.bincount(cells, minlength=size), np.zeros(size, dtype=bool)
    gap[list(missing)] = True
    here = np.where(gap, 0, sizes)
    return Scale(_standard((np.cumsum(here) - here / 2) * ~gap, here) * ~gap, gap, sizes)


def fit_score(predictors: Predictors, leaves: Leaves, y: FloatArray) -> Score:
    """The score for ``y``: float32 (n,) by train row, NaN where a row takes no part."""
    p, some = predictors, leaves.only(~np.isnan(y)).thinned(ROWS)
    p = p.strongest(some.rows, y)
    terms = p.terms(some.rows, y)
    x, spread = design(p.work, some.rows, some.begin, terms.feature, terms.tables, terms.step, terms.cell)
    gram = (x @ x.T).astype(np.float64) + PENALTY * np.eye(len(x))
    weights = np.linalg.solve(gram, (x @ y[some.rows]).astype(np.float64)) / spread
    sizes = p.sizes[p.by]
    cell = np.unravel_index(np.arange(int(sizes.prod())), sizes) if len(sizes) else ()
    tables = np.zeros((int(sizes.prod()), len(p.features), terms.tables.shape[1]), dtype=np.float32)
    for t, weight in enumerate(weights):
        where = slice(None) if terms.cell[t] < 0 else cell[int(np.flatnonzero(p.by == terms.step[t])[0])] == terms.cell[t]
        tables[where, terms.place[t]] += np.float32(weight) * terms.tables[t]
    return Score(tables, p.features, p.by, sizes, y)


def directions(predictors: Predictors, leaves: Leaves, classes: IntArray, within: BoolArray) -> FloatArray:
    """A value for each class, so that the predictors tell the values apart as well as they can: the first direction of a ridge discriminant analysis inside the leaves."""
    some = leaves.only(within).thinned(ROWS)
    k = int(classes.max()) + 1
    p = predictors.strongest(some.rows, classes.astype(np.float32))
    terms = p.terms(some.rows, classes.astype(np.float32), products=False)
    x, _ = design(p.work, some.rows, some.begin, terms.feature, terms.tables, terms.step, terms.cell)
    shares = np.eye(k, dtype=np.float32)[classes[some.rows]]
    moments = (x @ shares).astype(np.float64)
    root = 1 / np.sqrt(np.maximum(shares.sum(axis=0), 1.0))
    told = (moments.T @ np.linalg.solve((x @ x.T).astype(np.float64) + PENALTY * np.eye(len(x)), moments)) * root[:, None] * root
    return np.asarray(root * np.linalg.eigh((told + told.T) / 2)[1][:, -1])


def _standard(place: FloatArray, sizes: IntArray) -> FloatArray:
    n = max(int(sizes.sum()), 1)
    centred = place - place @ sizes / n
    spread = float(np.sqrt(centred**2 @ sizes / n))
    return centred / spread if spread > 0 else np.zeros(len(place))


@njit(cache=True, nogil=True)
def design(work, rows, begin, feature, tables, step, only):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """The regression's columns, float32 (terms, rows), of unit standard deviation and then centred in every leaf; and the deviations, float64 (terms,)."""
    n = rows.size
    out, spread = np.empty((feature.size, n), np.float32), np.ones(feature.size)
    for t in range(feature.size):
        cells, table = work[feature[t]], tables[t]
        total, square = 0.0, 0.0
        for i in range(n):
            v = table[cells[rows[i]]] if only[t] < 0 or work[step[t], rows[i]] == only[t] else np.float32(0.0)
            out[t, i] = v
            total += v
            square += v * v
        deviation = np.sqrt(max(square / n - (total / n) ** 2, 0.0))
        if deviation > 1e-6:
            spread[t] = deviation
        for leaf in range(begin.size - 1):
            start, end = begin[leaf], begin[leaf + 1]
            mean = 0.0
            for i in range(start, end):
                mean += out[t, i]
            mean /= max(end - start, 1)
            for i in range(start, end):
                out[t, i] = (out[t, i] - mean) / spread[t]
    return out, spread


@njit(cache=True, nogil=True)
def add_up(work, features, tables, by, sizes):  # type: ignore[no-untyped-def]
    """The sum of the tables for every row of ``work``, float32 (n,)."""
    n = work.shape[1]
    out, group = np.zeros(n, np.float32), np.zeros(n, np.int64)
    for b in range(by.size):
        for i in range(n):
            group[i] = group[i] * sizes[b] + work[by[b], i]
    for p in range(features.size):
        cells = work[features[p]]
        for i in range(n):
            out[i] += tables[group[i], p, cells[i]]
    return out
