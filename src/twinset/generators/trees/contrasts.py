"""What the values of a column are told apart by: a short list of scores, asked one after another, each about the donors that the ones before left together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from twinset.coding.columns import Coded, Codes
from twinset.core.contracts import FloatArray, IntArray
from twinset.generators.trees.codes import Target
from twinset.generators.trees.score import Leaves, Predictors, Score, regression

FEW = 20  # patients: fewer are not told apart
CLEAR = 3.5  # standard errors of the clearest of all predictors of spread, for it to be followed
BANDS = (0.0, 0.25, 0.4, 1.0)  # distances from the middle of a leaf inside which values are ranked again


def scores_of(coded: Coded, target: Target, leaves: Leaves, predictors: Predictors) -> tuple[Score, ...]:
    """A number: gaps from values, middle from ends where predictors tell them, then by rank. A category: by rank if ordered, else one half of its classes
    from the other and each half again, halves being those that predictors tell best.
    """
    if isinstance(coded, Codes):
        if coded.column.ordered:
            y = mid_ranks(target.ranks)
            return (regression(predictors, leaves, y).score(y),)
        return tuple(_halves(target.classes, np.unique(target.classes), leaves, predictors))
    return tuple(_numbers(coded.gaps > 0, target, leaves, predictors))


def _numbers(gap: IntArray, target: Target, leaves: Leaves, predictors: Predictors) -> Iterator[Score]:
    if gap.any():
        held = (~gap).astype(np.float32)
        yield regression(predictors, leaves, held).score(held)
        leaves = leaves.only(~gap)
        if len(leaves.rows) < FEW:
            return
    y = np.where(gap, np.nan, mid_ranks(target.ranks)).astype(np.float32)
    fitted = regression(predictors, leaves, y)
    far = _far(leaves, len(y))
    if fitted.clearest(far) < CLEAR:
        yield fitted.score(y)
        return
    yield fitted.score(far)
    for low, high in itertools.pairwise(BANDS):
        band = (far >= low) & (far < high)
        part = leaves.only(band)
        if len(part.rows) >= FEW:
            some = np.where(band, y, np.nan).astype(np.float32)
            yield regression(predictors, part, some).score(some)


def _far(leaves: Leaves, n: int) -> FloatArray:
    """How far each row is from the middle of its leaf, as a share of the leaf's rows, float32 (n,), NaN where it is in none; a leaf's rows lie in order of value."""
    out = np.full(n, np.nan, dtype=np.float32)
    sizes = np.diff(leaves.begin)
    place = (np.arange(len(leaves.rows)) - np.repeat(leaves.begin[:-1], sizes) + 0.5) / np.repeat(np.maximum(sizes, 1), sizes)
    out[leaves.rows] = np.abs(place - 0.5)
    return out


def _halves(classes: IntArray, some: IntArray, leaves: Leaves, predictors: Predictors) -> Iterator[Score]:
    if len(some) < 2 or len(leaves.rows) < FEW:
        return
    fitted = regression(predictors, leaves, classes.astype(np.float32))
    order = some if len(some) == 2 else some[np.argsort(fitted.directions(classes)[some], kind="stable")]
    mass = np.cumsum(np.bincount(classes[leaves.rows], minlength=int(classes.max()) + 1)[order])
    cut = min(len(order) - 1, 1 + int(np.abs(mass[:-1] - mass[-1] / 2).argmin()))
    upper, inside = np.zeros(int(classes.max()) + 1, dtype=np.float32), np.zeros(int(classes.max()) + 1, dtype=bool)
    upper[order[cut:]], inside[some] = 1, True
    yield fitted.score(upper[classes] if inside.all() else np.where(inside[classes], upper[classes], np.nan).astype(np.float32))
    for half in (order[:cut], order[cut:]):
        if len(half) > 1:
            mine = np.zeros(len(inside), dtype=bool)
            mine[half] = True
            yield from _halves(classes, half, leaves.only(mine[classes]), predictors)


def mid_ranks(ranks: IntArray) -> FloatArray:
    """The mid-rank of every row as a share of the rows, float32 (n,)."""
    counts = np.bincount(ranks)
    return np.asarray(((np.cumsum(counts) - counts / 2) / max(len(ranks), 1)).astype(np.float32)[ranks])
