"""Which donor of a leaf suits which row: scores of the predictors, fitted by ridge regression inside the leaves.

A tree leaves its donors alike but not equal. Handed out at random they lose what the predictors still tell inside a leaf, and a treatment effect with
it. A score orders the rows of a leaf; they take the leaf's donors in order of value, after as much noise as leaves the regression of the value on the
score as it is in train (``draw.join``). Every margin stays as it was dealt, and whose value it is plays no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from twinset.core.contracts import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

PENALTY = 4.0  # of the ridge, on columns of unit standard deviation
SHRINK = 10.0  # patients of the average added to each level of a nominal predictor
STEPS = 5  # a predictor of three to so many cells enters cell by cell, one of more as its square too
MOST_PREDICTORS = 40
ROWS = 40_000  # the coefficients are estimated on so many rows at most


@dataclass(frozen=True, repr=False)
class Scores:
    """All scores of a column. ``tables``: float32 (scores, groups, predictors, cells), to be summed over predictors by cell; ``features``: int64
    (predictors,), rows of the board; ``by``: int64, the steps whose cells together are the group, and ``sizes`` int64, how many they have.

    Donors are told apart in rounds: ``which`` int16 (rounds, train rows) names the score that a train row has a part in (-1: none), ``y`` float32 of the same
    shape is what that score is a regression of. In the first round all have a part in score 0.
    """

    tables: FloatArray
    features: IntArray
    by: IntArray
    sizes: IntArray
    which: IntArray
    y: FloatArray


@dataclass(frozen=True, repr=False)
class Scale:
    """Where the cells of an ordinal predictor lie, float (cells,) each, standardised: ``place`` mid-ranks, gaps at nought; ``more``: single cells or squares, and gaps or not, where there are such."""

    place: FloatArray
    more: tuple[FloatArray, ...]


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
        if len(self.rows) <= most:
            return self
        every = np.arange(0, len(self.rows), -(-len(self.rows) // most))
        return Leaves(self.rows[every], np.searchsorted(every, self.begin))


@dataclass(frozen=True, repr=False)
class Terms:
    """The columns of the regression. ``place``: int64 (t,), which predictor; ``tables``: float32 (t, cells), its values by cell; ``step``: int64 (t,), another
    row of the board (-1: none) by whose cell they are multiplied with ``factor``, float32 (t, cells of the step).
    """

    place: IntArray
    tables: FloatArray
    step: IntArray
    factor: FloatArray


@dataclass(frozen=True, repr=False)
class Predictors:
    """What a score may look at. ``work``: uint8 (steps, n), the board; ``features``: int64 (p,), rows of it; ``scales``: of each step, ``None`` where its
    cells have no order; ``sizes``: int64 (steps,); ``by``: the steps whose products with all others enter (an arm; for a time an event too): level by level
    with the steps in ``closely``, as one axis with the others.
    """

    work: IntArray
    features: IntArray
    scales: Sequence[Scale | None]
    sizes: IntArray
    by: tuple[int, ...]
    closely: frozenset[int]

    def strongest(self, rows: IntArray, y: FloatArray) -> Predictors:
        """At most 40 of them: those of ``by``, and those whose cells correlate most with ``y``."""
        if len(self.features) <= MOST_PREDICTORS:
            return self
        some = rows[:: max(1, len(rows) // 2000)]
        centred = y[some] - y[some].mean()
        strength = np.array([np.inf if f in self.by else abs(self._placed(some, y, f)[self.work[f, some]] @ centred) for f in self.features])
        return replace(self, features=np.sort(self.features[np.argsort(-strength, kind="stable")[:MOST_PREDICTORS]]))

    @property
    def nominal(self) -> bool:
        """Whether the cells of some have no order of their own."""
        return any(self.scales[f] is None for f in self.features)

    def terms(self, rows: IntArray, y: FloatArray | None) -> Terms:
        """Every predictor, what bends it, its gaps where it has any, and its products with ``by``. Nominal ones are placed by the mean of ``y``, or as the tree has them."""
        places = {int(f): self._placed(rows, y, int(f)) for f in self.features}
        factors = {step: _contrasts(int(self.sizes[step]), places[step]) for step in self.by}
        found: list[tuple[int, FloatArray, int, FloatArray | None]] = []
        for p, f in enumerate(self.features):
            scale = self.scales[f]
            found.append((p, places[f], -1, None))
            found += [(p, table, -1, None) for table in (scale.more if scale else ())]
            for step, (levels, axis) in factors.items():
                if f == step:
                    found += [(p, np.ones(len(axis)), step, level) for level in levels]
                else:
                    found += [(p, places[f], step, level) for level in (levels if f in self.closely else [axis])]
        return _terms(found, int(self.sizes[self.features].max()), max([int(self.sizes[step]) for step in self.by], default=1))

    def _placed(self, rows: IntArray, y: FloatArray | None, feature: int) -> FloatArray:
        """Where each cell of a predictor lies: its mid-rank, or the mean of y there, shrunk, where cells have no order."""
        scale, size = self.scales[feature], int(self.sizes[feature])
        if scale is not None:
            return scale.place
        counts, sums = sums_by_cell(self.work[feature], rows, np.zeros(len(self.work[feature]), dtype=np.float32) if y is None else y, size)
        if y is None:
            return _standard(np.cumsum(counts) - counts / 2, counts)
        return _standard((sums + SHRINK * sums.sum() / max(len(rows), 1)) / (counts + SHRINK), counts)


def _contrasts(size: int, axis: FloatArray) -> tuple[list[FloatArray], FloatArray]:
    """The levels but the first, one by one, and all of them on one axis."""
    return list(np.eye(size)[1:]), axis if size > 2 else np.eye(2)[1]


def _terms(found: Sequence[tuple[int, FloatArray, int, FloatArray | None]], width: int, groups: int) -> Terms:
    tables, factor = np.zeros((len(found), width), dtype=np.float32), np.zeros((len(found), groups), dtype=np.float32)
    for t, (_, table, _, by) in enumerate(found):
        tables[t, : len(table)] = table
        if by is not None:
            factor[t, : len(by)] = by
    return Terms(np.array([p for p, *_ in found]), tables, np.array([step for _, _, step, _ in found]), factor)


@dataclass(frozen=True, repr=False)
class Regression:
    """Ridge regressions inside the leaves on the same rows and columns. ``x``: float32 (terms, rows), ``gram``: x x' + penalty, ``spread``: (terms,), the terms' deviations."""

    predictors: Predictors
    rows: IntArray
    terms: Terms
    x: FloatArray
    gram: FloatArray
    spread: FloatArray

    def tables(self, y: FloatArray) -> FloatArray:
        """The score for ``y``, float32 (n,) by train row: float32 (groups, predictors, cells)."""
        p, terms = self.predictors, self.terms
        weights = np.linalg.solve(self.gram, self.x @ y[self.rows]) / self.spread
        scaled = terms.tables * weights[:, None].astype(np.float32)
        sizes = p.sizes[list(p.by)]
        cells = np.indices(tuple(sizes)).reshape(len(sizes), -1) if len(sizes) else np.zeros((0, 1), dtype=np.int64)
        factor = np.ones((len(weights), cells.shape[1]), dtype=np.float32)
        for t in np.flatnonzero(terms.step >= 0):
            factor[t] = terms.factor[t, cells[p.by.index(terms.step[t])]]
        return np.asarray(spread_out(scaled, terms.place, factor, len(p.features)))

    def directions(self, classes: IntArray) -> FloatArray:
        """A value for each class such that the predictors tell the values apart as well as they can: the first direction of a ridge discriminant analysis."""
        some = classes[self.rows]
        counts = np.bincount(some, minlength=int(classes.max()) + 1)
        moments = sums_by_class(self.x, some, len(counts))
        root = 1 / np.sqrt(np.maximum(counts, 1.0))
        told = (moments.T @ np.linalg.solve(self.gram, moments)) * root[:, None] * root
        return np.asarray(root * np.linalg.eigh((told + told.T) / 2)[1][:, -1])

    def clearest(self, y: FloatArray) -> float:
        """The largest of the terms' simple regressions on ``y``, in standard errors."""
        some = y[self.rows]
        return float(np.max(np.abs(self.x @ (some - some.mean())) / np.sqrt(np.diag(self.gram)))) / max(float(some.std()), 1e-6)


def regression(predictors: Predictors, leaves: Leaves, y: FloatArray | None) -> Regression:
    """What the rows of ``leaves`` (40,000 of them, evenly, where there are more) tell; ``y`` places nominal predictors, see ``Predictors.terms``."""
    some = leaves.thinned(ROWS)
    p, terms = predictors, predictors.terms(some.rows, y)
    x, spread = design(p.work, some.rows, some.begin, p.features[terms.place], terms.tables, terms.step, terms.factor)
    gram = x @ x.T
    gram[np.diag_indices(len(x))] += PENALTY
    return Regression(p, some.rows, terms, x, gram, spread)


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrix products on one thread: here they are too small for more, and waiting threads burn time."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def scale_of(cells: IntArray, size: int, n_gaps: int, *, last: bool) -> Scale:
    """The scale of a column from the cell of every train row; its gaps are the first ``n_gaps`` cells, or the ``last``."""
    sizes, gap = np.bincount(cells, minlength=size), np.zeros(size, dtype=bool)
    gap[size - n_gaps if last else 0 : size if last else n_gaps] = True
    here = np.where(gap, 0, sizes)
    place = _standard((np.cumsum(here) - here / 2) * ~gap, here) * ~gap
    n_values = size - n_gaps
    bent = [_standard(place**2, here) * ~gap] if n_values > STEPS else [_standard(level, here) * ~gap for level in np.eye(size)[~gap][1 : n_values - 1]]
    return Scale(place, (*bent, *((_standard(gap.astype(np.float64), sizes),) if n_gaps else ())))


def _standard(place: FloatArray, sizes: IntArray) -> FloatArray:
    n = max(int(sizes.sum()), 1)
    centred = place - place @ sizes / n
    spread = float(np.sqrt(centred**2 @ sizes / n))
    return centred / spread if spread > 0 else np.zeros(len(place))


@njit(cache=True, nogil=True)
def design(work, rows, begin, feature, tables, step, factor):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """The regression's columns, float32 (terms, rows), of unit standard deviation and then centred in every leaf; and the deviations, float32 (terms,)."""
    n = rows.size
    out, spread = np.empty((feature.size, n), np.float32), np.ones(feature.size, np.float32)
    for t in range(feature.size):
        cells, table = work[feature[t]], tables[t]
        total, square = 0.0, 0.0
        for i in range(n):
            v = table[cells[rows[i]]]
            if step[t] >= 0:
                v *= factor[t, work[step[t], rows[i]]]
            out[t, i] = v
            total += v
            square += v * v
        deviation = np.sqrt(max(square / max(n, 1) - (total / max(n, 1)) ** 2, 0.0))
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
def sums_by_cell(cells, rows, y, size):  # type: ignore[no-untyped-def]
    """(how many of the rows are in each cell int64 (size,), the sum of their y float64 (size,))."""
    counts, sums = np.zeros(size, np.int64), np.zeros(size)
    for row in rows:
        counts[cells[row]] += 1
        sums[cells[row]] += y[row]
    return counts, sums


@njit(cache=True, nogil=True)
def sums_by_class(x, classes, k):  # type: ignore[no-untyped-def]
    """The sum of every term over the rows of each class, float32 (terms, k)."""
    out = np.zeros((x.shape[0], k), np.float32)
    for t in range(x.shape[0]):
        for i in range(classes.size):
            out[t, classes[i]] += x[t, i]
    return out


@njit(cache=True, nogil=True)
def spread_out(scaled, place, factor, n_predictors):  # type: ignore[no-untyped-def]
    """Terms added up to tables, float32 (groups, predictors, cells). ``scaled``: float32 (terms, cells); ``factor``: float32 (terms, groups)."""
    out = np.zeros((factor.shape[1], n_predictors, scaled.shape[1]), np.float32)
    for t in range(place.size):
        for g in range(factor.shape[1]):
            if factor[t, g] != 0.0:
                for c in range(scaled.shape[1]):
                    out[g, place[t], c] += factor[t, g] * scaled[t, c]
    return out


@njit(cache=True, nogil=True)
def groups_of(work, by, sizes):  # type: ignore[no-untyped-def]
    """The group of every row: its cells of the steps ``by`` as one number, int64 (n,)."""
    group = np.zeros(work.shape[1], np.int64)
    for b in range(by.size):
        for i in range(group.size):
            group[i] = group[i] * sizes[b] + work[by[b], i]
    return group


@njit(cache=True, nogil=True)
def add_up(work, features, tables, group):  # type: ignore[no-untyped-def]
    """The sum of the tables, float32 (groups, predictors, cells), for every row of ``work``, float32 (n,)."""
    out = np.zeros(work.shape[1], np.float32)
    for p in range(features.size):
        cells = work[features[p]]
        for i in range(out.size):
            out[i] += tables[group[i], p, cells[i]]
    return out
