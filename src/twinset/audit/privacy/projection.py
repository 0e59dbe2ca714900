"""Distances as the avatar paper measures them: both tables in the factorial space of the train rows alone.

Kept for comparison with published figures (Guillaudeux et al. 2023). For a verdict use the attacks: a distance in five
components sees nothing of what the other components hold, and copies of common rows look like copies of patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.coding.columns import Coded, Codes, Numbers, encode
from twinset.coding.factorial import Space, fit_space
from twinset.coding.impute import nearest_mean, raw_table
from twinset.core.cohort import Cohort

FloatArray = np.ndarray
IntArray = np.ndarray

FEW = 10  # the paper's rule: so many distinct values at most make a category


@dataclass(frozen=True, repr=False)
class Projection:
    """A factorial space fitted on the train rows. ``levels``: for each column its sorted train values where it counts as a category, else None."""

    space: Space
    coded: tuple[Coded, ...]
    levels: tuple[FloatArray | None, ...]

    def points(self, cohort: Cohort) -> FloatArray:
        """Coordinates of a cohort's rows, shape (n, components); gaps in numbers take the mean of the 5 nearest rows of the same table."""
        numbers, codes, _ = _blocks(encode(cohort.synthesised, like=self.coded), self.levels)
        return self.space.project(numbers, codes)


def fit_projection(train: Cohort, *, components: int | None = 5, few: int = FEW) -> Projection:
    """The space of the train rows: categories are the schema's, and numbers with at most ``few`` distinct values (missing counted).

    ``components``: dimensions kept, ``None`` for all (as DCR and NNDR want).
    """
    coded = encode(train.synthesised)
    levels = tuple(_levels(c, few) for c in coded)
    numbers, codes, sizes = _blocks(coded, levels)
    return Projection(fit_space(numbers, codes, sizes, components=components), coded, levels)


def closest(points: FloatArray, others: FloatArray) -> FloatArray:
    """DCR: the distance of each point to the nearest of the others, shape (n,)."""
    return _two(points, others)[:, 0]


def ratio(points: FloatArray, others: FloatArray) -> FloatArray:
    """NNDR: nearest over second nearest distance of each point, shape (n,), in [0, 1]; 1 where the second is 0."""
    near = _two(points, others)
    return np.divide(near[:, 0], near[:, 1], out=np.ones(len(near)), where=near[:, 1] > 0)


def cloaks(records: FloatArray, avatars: FloatArray, asked: IntArray | None = None) -> IntArray:
    """Local cloaking of the asked records (all by default): avatars of others nearer to it than its own (row i to row i); ties with its own all count."""
    from scipy.spatial import cKDTree

    rows = np.arange(len(records)) if asked is None else asked
    own = np.sqrt(((records[rows] - avatars[rows]) ** 2).sum(axis=1))
    inside = cKDTree(avatars).query_ball_point(records[rows], own * (1 + 1e-9) + 1e-9, return_length=True)
    return np.asarray(inside, dtype=np.int64) - 1


def hidden(records: FloatArray, avatars: FloatArray, asked: IntArray | None = None) -> IntArray:
    """Whether the nearest avatar of the asked records (all by default) is another's than its own (row i to row i), as bools."""
    from scipy.spatial import cKDTree

    rows = np.arange(len(records)) if asked is None else asked
    return np.asarray(cKDTree(avatars).query(records[rows], k=1)[1] != rows)


def _two(points: FloatArray, others: FloatArray) -> FloatArray:
    """The two smallest distances of each point, shape (n, 2)."""
    square = (others**2).sum(axis=1)
    out = np.empty((len(points), 2))
    step = max(1, 4_000_000 // max(1, len(others)))
    for start in range(0, len(points), step):
        part = points[start : start + step]
        at = np.argpartition(square - 2 * part @ others.T, 1, axis=1)[:, :2]
        exact = np.sqrt(((part[:, None, :] - others[at]) ** 2).sum(axis=2))
        out[start : start + step] = np.sort(exact, axis=1)
    return out


def _levels(column: Coded, few: int) -> FloatArray | None:
    if isinstance(column, Codes):
        return np.arange(len(column.levels), dtype=np.float64)
    held = np.unique(column.values[column.gaps == 0])
    return held if len(held) + bool(np.any(column.gaps > 0)) <= few else None


def _blocks(coded: tuple[Coded, ...], levels: tuple[FloatArray | None, ...]) -> tuple[FloatArray, IntArray, tuple[int, ...]]:
    """Numbers without gaps (n, q), codes (n, m) with -1 for unseen levels, and how many levels each has."""
    filled = nearest_mean(raw_table(coded))
    numbers = [filled[:, i] for i, known in enumerate(levels) if known is None]
    codes = [_code(c, known) for c, known in zip(coded, levels, strict=True) if known is not None]
    n = len(filled)
    sizes = tuple(len(known) + 1 for known in levels if known is not None)
    stacked = np.stack(codes, axis=1) if codes else np.zeros((n, 0), dtype=np.int64)
    return np.stack(numbers, axis=1) if numbers else np.zeros((n, 0)), stacked, sizes


def _code(column: Coded, known: FloatArray) -> IntArray:
    if isinstance(column, Codes):
        return np.where(column.codes < len(known), column.codes, -1).astype(np.int64)
    assert isinstance(column, Numbers)
    if not len(known):
        return np.full(len(column.values), 0, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, np.nan_to_num(column.values)), len(known) - 1)
    seen = np.where(known[at] == column.values, at, -1)
    return np.where(column.gaps > 0, len(known), seen).astype(np.int64)
