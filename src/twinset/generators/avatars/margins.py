"""Drawn numbers mapped onto the train margins, without replaying rare or extreme values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twinset.coding.columns import Numbers
from twinset.core.seeds import Rng
from twinset.generators.avatars.table import Table, constrain

FloatArray = np.ndarray
IntArray = np.ndarray

FREQUENT = 10  # a value held by so many train rows may be repeated as it is
REACH = 10  # a rarer one is redrawn between the 10th rare values on either side
EXTREME = 5  # so many lowest and highest values become their mean
LEAST_GROUP = 20


@dataclass(frozen=True, repr=False)
class Margin:
    """The ordinary values of a number, sorted, extremes replaced; ``rare`` marks those held by fewer than 10 train rows."""

    values: FloatArray
    rare: FloatArray


def fit_margin(values: FloatArray) -> Margin:
    """The margin of some train values (no NaN): the 5 lowest and the 5 highest replaced by their mean."""
    ordered = np.sort(values)
    end = min(EXTREME, len(ordered) // 2)
    _, where, counts = np.unique(ordered, return_inverse=True, return_counts=True)
    rare = counts[where.ravel()] < FREQUENT
    if end:
        ordered[:end] = _mean(ordered[:end])
        ordered[-end:] = _mean(ordered[-end:])
    return Margin(ordered, rare)


def _mean(values: FloatArray) -> float:
    """Of sorted values, never beyond them: the rounded mean of equal values may pass them by a bit, and the margin would no longer be sorted."""
    return float(np.clip(values.mean(), values[0], values[-1]))


def map_margin(margin: Margin, scores: FloatArray, rng: Rng) -> FloatArray:
    """Values in the order of the scores, shape (n,), with the margin's distribution.

    Rank r of n takes the train value at rank floor((r + u) m / n). A frequent value stays; a rare one is drawn anew, triangular
    between the rare values 10 ranks to either side (fewer in a small table) and peaked at itself. In values, not in ranks:
    a point between two neighbouring ranks rounds back to one of them wherever values lie densely, and replays it.
    """
    n, m = len(scores), len(margin.values)
    at = np.minimum(np.floor((np.arange(n) + rng.random()) * m / max(1, n)).astype(np.int64), m - 1)
    out = margin.values[at]
    redrawn = margin.rare[at]
    held = margin.values[margin.rare]
    reach = min(REACH, max(1, len(held) // 8))
    place = (np.cumsum(margin.rare) - 1)[at[redrawn]]
    if len(held):
        low, high = held[np.maximum(place - reach, 0)], held[np.minimum(place + reach, len(held) - 1)]
        wide = high > low
        drawn = held[place]
        drawn[wide] = rng.triangular(low[wide], drawn[wide], high[wide])
        out[redrawn] = drawn
    mapped = np.empty(n)
    mapped[np.argsort(scores, kind="stable")] = out
    return mapped


def map_all(table: Table, within: Mapping[str, Sequence[str]], scores: FloatArray, codes: IntArray, rng: Rng) -> FloatArray:
    """All numbers (n, q) from their scores, inside groups of categories where ``within`` names them for a column."""
    names = table.names()
    out = np.full(scores.shape, np.nan)
    for j, i in enumerate(table.number_of):
        column = table.coded[i]
        assert isinstance(column, Numbers)
        wanted = np.ones(len(codes), dtype=bool)
        if i in table.code_of:
            wanted = codes[:, table.code_of.index(i)] == 0
        held = ~np.isnan(table.numbers[:, j])
        by = [names.index(c) for c in within.get(column.column.name, ()) if c in names]
        groups = groups_of(table.codes, codes, by)
        for train_rows, rows in _matched(groups, held, wanted):
            out[rows, j] = map_margin(fit_margin(table.numbers[train_rows, j]), scores[rows, j], rng)
        out[:, j] = constrain(column, out[:, j])
    return out


def groups_of(train: IntArray, drawn: IntArray, by: Sequence[int]) -> tuple[IntArray, IntArray]:
    """The group of each train and each drawn row: the combination of these columns' codes; 0 without any."""
    if not by:
        return np.zeros(len(train), dtype=np.int64), np.zeros(len(drawn), dtype=np.int64)
    both = np.unique(np.concatenate([train[:, by], drawn[:, by]]), axis=0, return_inverse=True)[1].ravel()
    return both[: len(train)], both[len(train) :]


def _matched(groups: tuple[IntArray, IntArray], held: IntArray, wanted: IntArray) -> list[tuple[IntArray, IntArray]]:
    """Pairs of train rows and drawn rows: one a group of at least 20 train rows, the rest of the drawn rows against the whole column."""
    train, drawn = groups
    sizes = np.bincount(train[held], minlength=int(max(train.max(initial=0), drawn.max(initial=0))) + 1)
    large = np.flatnonzero(sizes >= LEAST_GROUP) if len(sizes) > 1 else np.zeros(0, dtype=np.int64)
    pairs = [(np.flatnonzero(held & (train == g)), np.flatnonzero(wanted & (drawn == g))) for g in large]
    pairs.append((np.flatnonzero(held), np.flatnonzero(wanted & ~np.isin(drawn, large))))
    return [(a, b) for a, b in pairs if len(a) and len(b)]
