"""What the values of a column are told apart by: a short list of scores, asked one after another, each about the donors that the ones before left together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twinset.coding.columns import Coded, Codes
from twinset.core.contracts import FloatArray, IntArray
from twinset.generators.trees.codes import Target
from twinset.generators.trees.score import Leaves, Predictors, Scores, regression

FEW, SHARE = 50, 0.02  # patients, and share of all patients: fewer are not told apart
FEW_VALUES = 8  # of a number that is told apart value by value
CLEAR = 3.5  # standard errors of the clearest of all predictors of spread, for it to be followed
BANDS = (0.0, 0.25, 0.4, 1.0)  # distances from the middle of a leaf inside which values are ranked again


@dataclass(frozen=True, repr=False)
class Contrast:
    """One score: in which round it is asked, of which train rows (int), what it is a regression of (float32 (n,) by train row), and its tables."""

    round: int
    rows: IntArray
    y: FloatArray
    tables: FloatArray


def scores_of(coded: Coded, target: Target, leaves: Leaves, predictors: Predictors) -> Scores:
    """A number: gaps from values, middle from ends where predictors tell them, then by rank. A category, or a number of few values: one half of its classes
    from the other and each half again, lower from upper where they have an order, else those that predictors tell best.
    """
    chosen = predictors.strongest(leaves.rows, target.classes.astype(np.float32))
    if not isinstance(coded, Codes):
        found = list(_numbers(coded.gaps > 0, target, leaves, chosen))
    else:
        found = list(_halves(target.classes, np.unique(target.classes), leaves, chosen, begun=0, ordered=coded.column.ordered))
    rounds, n = max((c.round for c in found), default=-1) + 1, len(target.ranks)
    which, y = np.full((rounds, n), -1, dtype=np.int16), np.zeros((rounds, n), dtype=np.float32)
    for c, contrast in enumerate(found):
        which[contrast.round, contrast.rows] = c
        y[contrast.round, contrast.rows] = contrast.y[contrast.rows]
    tables = np.array([c.tables for c in found]) if found else np.zeros((0, 1, 0, 0), dtype=np.float32)
    return Scores(tables, chosen.features, np.array(chosen.by, dtype=np.int64), chosen.sizes[list(chosen.by)], which, y)


def _numbers(gap: IntArray, target: Target, leaves: Leaves, predictors: Predictors) -> Iterator[Contrast]:
    begun = 0
    if gap.any():
        held = (~gap).astype(np.float32)
        yield Contrast(0, leaves.rows, held, regression(predictors, leaves, held).tables(held))
        begun, leaves = 1, leaves.only(~gap)
        if len(leaves.rows) < FEW:
            return
    values = np.unique(target.classes[leaves.rows])
    if len(values) <= FEW_VALUES:
        yield from _halves(target.classes, values, leaves, predictors, begun=begun, ordered=True)
        return
    y = mid_ranks(target.ranks)
    fitted, far = regression(predictors, leaves, y), _far(leaves, len(y))
    if fitted.clearest(far) < CLEAR:
        yield Contrast(begun, leaves.rows, y, fitted.tables(y))
        return
    yield Contrast(begun, leaves.rows, far, fitted.tables(far))
    for low, high in itertools.pairwise(BANDS):
        part = leaves.only((far >= low) & (far < high))
        if len(part.rows) >= FEW:
            yield Contrast(begun + 1, part.rows, y, regression(predictors, part, y).tables(y))


def _far(leaves: Leaves, n: int) -> FloatArray:
    """How far each row is from the middle of its leaf, as a share of the leaf's rows, float32 (n,), NaN where it is in none; a leaf's rows lie in order of value."""
    out = np.full(n, np.nan, dtype=np.float32)
    sizes = np.diff(leaves.begin)
    place = (np.arange(len(leaves.rows)) - np.repeat(leaves.begin[:-1], sizes) + 0.5) / np.repeat(np.maximum(sizes, 1), sizes)
    out[leaves.rows] = np.abs(place - 0.5)
    return out


def _halves(classes: IntArray, some: IntArray, leaves: Leaves, predictors: Predictors, *, begun: int, ordered: bool) -> Iterator[Contrast]:
    if len(some) < 2 or len(leaves.rows) < max(FEW, SHARE * len(classes)):
        return
    k, order, fitted = int(classes.max()) + 1, some, None
    if len(some) > 2 and not ordered:
        fitted = regression(predictors, leaves, None)
        order = some[np.argsort(fitted.directions(classes)[some], kind="stable")]
    mass = np.cumsum(np.bincount(classes[leaves.rows], minlength=k)[order])
    cut = min(len(order) - 1, 1 + int(np.abs(mass[:-1] - mass[-1] / 2).argmin()))
    upper = np.zeros(k, dtype=np.float32)
    upper[order[cut:]] = 1
    y = upper[classes]
    if fitted is None or predictors.nominal:
        fitted = regression(predictors, leaves, y)
    yield Contrast(begun, leaves.rows, y, fitted.tables(y))
    for half in (order[:cut], order[cut:]):
        if len(half) > 1:
            mine = np.zeros(k, dtype=bool)
            mine[half] = True
            yield from _halves(classes, half, leaves.only(mine[classes]), predictors, begun=begun + 1, ordered=ordered)


def mid_ranks(ranks: IntArray) -> FloatArray:
    """The mid-rank of every row as a share of the rows, float32 (n,)."""
    counts = np.bincount(ranks)
    return np.asarray(((np.cumsum(counts) - counts / 2) / max(len(ranks), 1)).astype(np.float32)[ranks])
