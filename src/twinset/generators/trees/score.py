"""Which donor of a leaf suits which row: a score of the predictors, fitted by ridge regression inside the leaves.

A tree leaves its donors alike but not equal. Handed out at random they lose what the predictors still tell inside a leaf, and a treatment effect
with it; joined to rows in the order of this score (predictive mean matching, Rubin 1986, on ranks) they keep it, and every margin stays as it was dealt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    ``by``: the step whose cell is the group (-1: one group only). ``merit``: float32 (n,), the score of every train row.
    """

    tables: FloatArray
    features: IntArray
    by: int
    merit: FloatArray

    def of(self, work: IntArray) -> FloatArray:
        """The score of each row of a board, float32 (n,)."""
        return np.asarray(add_up(work, self.features, self.tables, self.by))


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
    """The columns of the regression: ``feature`` int64 (t,), row of the board; ``tables`` float32 (t, cells); ``group`` int64 (t,), the cell of ``by`` in
    which the term is not nought (-1: everywhere); ``place`` int64 (t,): position of the feature in the score.
    """

    feature: IntArray
    tables: FloatArray
    group: IntArray
    place: IntArray


def scale_of(cells: IntArray, size: int, missing: Sequence[int]) -> Scale:
    """The scale of a column from the cell of every train row; ``missing``: its cells that are gaps."""
    sizes, gap = np.bincount(cells, minlength=size), np.zeros(size, dtype=bool)
    gap[list(missing)] = True
    here = np.where(gap, 0, sizes)
    return Scale(_standard((np.cumsum(here) - here / 2) * ~gap, here) * ~gap, gap, sizes)


def fit_score(work: IntArray, leaves: Leaves, y: FloatArray, features: IntArray, scales: Sequence[Scale | None], sizes: IntArray, by: int) -> Score:  # noqa: PLR0913 (a regression: rows, target, predictors)
    """The score for a target ``y``: float (n,), or (n, classes) indicators, of which the direction that the predictors tell best is taken (discriminant analysis).

    ``scales``: of each step, ``None`` where its cells have no order. ``by``: the arm's step, whose products enter, or -1.
    """
    some = leaves.thinned(ROWS)
    guide = y if y.ndim == 1 else y @ np.arange(y.shape[1])
    features = _strongest(work, some.rows, guide, features, scales, sizes, by)
    by = by if by >= 0 and by in features and sizes[by] <= MOST_GROUPS else -1
    terms = _terms(work, some.rows, guide, features, scales, sizes, by)
    x, spread = design(work, some.rows, some.begin, terms.feature, terms.tables, terms.group, by)
    gram = x @ x.T + PENALTY * np.eye(len(x), dtype=np.float32)
    weights = _ridge(gram.astype(np.float64), (x @ y[some.rows].astype(np.float32)).astype(np.float64), y[some.rows])
    tables = np.zeros((int(sizes[by]) if by >= 0 else 1, len(features), terms.tables.shape[1]), dtype=np.float32)
    for t, weight in enumerate(weights / spread):
        tables[terms.group[t] if terms.group[t] >= 0 else slice(None), terms.place[t]] += np.float32(weight) * terms.tables[t]
    return Score(tables, features, by, add_up(work, features, tables, by))


def _ridge(gram: FloatArray, moments: FloatArray, y: FloatArray) -> FloatArray:
    """Coefficients; of several targets, of their combination with the largest share told: top eigenvector of the classes' moments in the ridge's metric."""
    weights = np.linalg.solve(gram, moments)
    if y.ndim == 1:
        return np.asarray(weights)
    root = 1 / np.sqrt(np.maximum(y.sum(axis=0), 1.0))
    told = (moments.T @ weights) * root[:, None] * root
    return np.asarray(weights @ (root * np.linalg.eigh((told + told.T) / 2)[1][:, -1]))


def _standard(place: FloatArray, sizes: IntArray) -> FloatArray:
    n = max(int(sizes.sum()), 1)
    centred = place - place @ sizes / n
    spread = float(np.sqrt(centred**2 @ sizes / n))
    return centred / spread if spread > 0 else np.zeros(len(place))


def _placed(work: IntArray, rows: IntArray, guide: FloatArray, feature: int, scale: Scale | None, size: int) -> FloatArray:
    """Where each cell of a predictor lies: its mid-rank, or the target's mean there, shrunk, where cells have no order."""
    if scale is not None:
        return scale.place
    cells, y = work[feature, rows], guide[rows]
    counts = np.bincount(cells, minlength=size)
    means = (np.bincount(cells, weights=y, minlength=size) + SHRINK * y.mean()) / (counts + SHRINK)
    return _standard(means, counts)


def _strongest(work, rows, guide, features, scales, sizes, by):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """At most 40 predictors: the arm, and those whose cells correlate most with the target."""
    if len(features) <= MOST_PREDICTORS:
        return features
    some = rows[:: max(1, len(rows) // 2000)]
    y = guide[some] - guide[some].mean()
    strength = np.array([abs(_placed(work, some, guide, f, scales[f], sizes[f])[work[f, some]] @ y) for f in features])
    strength[features == by] = np.inf
    return np.sort(features[np.argsort(-strength, kind="stable")[:MOST_PREDICTORS]])


def _terms(work, rows, guide, features, scales, sizes, by):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Every predictor, its square where it has many cells, its gaps where it has any, and its products with the arm's levels."""
    width = int(sizes[features].max())
    found: list[tuple[int, FloatArray, int]] = []
    for p, f in enumerate(features):
        scale, size = scales[f], int(sizes[f])
        place = _placed(work, rows, guide, int(f), scale, size)
        found.append((p, place, -1))
        if scale is not None and size > CURVED:
            found.append((p, _standard(place**2 * ~scale.missing, scale.sizes), -1))
        if scale is not None and scale.missing.any():
            found.append((p, _standard(scale.missing.astype(np.float64), scale.sizes), -1))
        if by >= 0:
            place = np.ones(size) if f == by else place
            found += [(p, place, group) for group in range(1, int(sizes[by]))]
    tables = np.zeros((len(found), width), dtype=np.float32)
    for t, (_, place, _) in enumerate(found):
        tables[t, : len(place)] = place
    at, group = np.array([p for p, _, _ in found]), np.array([g for _, _, g in found])
    return Terms(features[at], tables, group, at)


@njit(cache=True, nogil=True)
def design(work, rows, begin, feature, tables, group, by):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """The regression's columns, float32 (terms, rows), of unit standard deviation and then centred in every leaf; and the deviations, float64 (terms,)."""
    n = rows.size
    out, spread = np.empty((feature.size, n), np.float32), np.ones(feature.size)
    for t in range(feature.size):
        cells, table, only = work[feature[t]], tables[t], group[t]
        total, square = 0.0, 0.0
        for i in range(n):
            v = table[cells[rows[i]]] if only < 0 or work[by, rows[i]] == only else np.float32(0.0)
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
def add_up(work, features, tables, by):  # type: ignore[no-untyped-def]
    """The sum of the tables for every row of ``work``, float32 (n,)."""
    out = np.zeros(work.shape[1], np.float32)
    for p in range(features.size):
        cells = work[features[p]]
        if by < 0:
            table = tables[0, p]
            for i in range(out.size):
                out[i] += table[cells[i]]
        else:
            for i in range(out.size):
                out[i] += tables[work[by, i], p, cells[i]]
    return out
