"""The published avatar recipe (Guillaudeux et al. 2023), identified from its published runs.

Each avatar is a random weighted mean of its record's k nearest neighbours, all coordinates averaged (which equals
averaging raw numbers and raw indicators); every category column is drawn on its own; integers are truncated.
"""

from __future__ import annotations

import numpy as np

from twinset.coding.columns import Numbers
from twinset.core.seeds import Rng
from twinset.generators.avatars.table import Table

FloatArray = np.ndarray
IntArray = np.ndarray


def weights(distances: FloatArray, rng: Rng) -> FloatArray:
    """Weights (n, k), rows summing to 1: (1/d) x Exp(1) x a random order of 2^-1 ... 2^-k; at distance 0 a neighbour takes all."""
    n, k = distances.shape
    order = rng.permuted(np.tile(np.arange(1.0, k + 1.0), (n, 1)), axis=1)
    chance = rng.exponential(size=(n, k)) * 2.0 ** -np.minimum(order, 1000.0)
    zero = distances <= 1e-9
    inverse = np.where(zero.any(axis=1, keepdims=True), zero, 1.0 / np.where(zero, 1.0, distances))
    raw = inverse * chance
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def blend(table: Table, filled: FloatArray, near: IntArray, share: FloatArray, rng: Rng) -> tuple[FloatArray, IntArray]:
    """Avatars of some records: numbers (n, q) averaged, codes (n, m) drawn, one draw a column."""
    numbers = np.empty((len(near), filled.shape[1]))
    for j, i in enumerate(table.number_of):
        column = table.coded[i]
        assert isinstance(column, Numbers)
        around = filled[near, j]
        mean = np.clip((around * share).sum(axis=1), around.min(axis=1), around.max(axis=1))
        numbers[:, j] = _truncated(mean) if column.decimals == 0 else mean
    ladder = np.cumsum(share, axis=1)
    codes = np.empty((len(near), table.codes.shape[1]), dtype=np.int32)
    for j in range(codes.shape[1]):
        pick = (ladder < rng.random((len(near), 1)) * ladder[:, -1:]).sum(axis=1)
        codes[:, j] = table.codes[near[np.arange(len(near)), np.minimum(pick, near.shape[1] - 1)], j]
    return numbers, codes


def _truncated(values: FloatArray) -> FloatArray:
    """Towards zero, as a cast does; a mean that is whole but for rounding stays whole."""
    return np.asarray(np.trunc(values + np.copysign(1e-9 * np.maximum(1.0, np.abs(values)), values)))
