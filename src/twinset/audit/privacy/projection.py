"""Distances as the avatar paper measures them: both tables in the factorial space of the train rows alone.

Kept for comparison with published figures (Guillaudeux et al. 2023). For a verdict use the attacks: a distance in five
components sees nothing of what the other components hold, and copies of common rows look like copies of patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.coding.columns import Coded, Codes, encode
from twinset.coding.factorial import Space, fit_space
from twinset.coding.impute import nearest_mean, raw_table
from twinset.core.cohort import Cohort

FloatArray = np.ndarray
IntArray = np.ndarray


@dataclass(frozen=True, repr=False)
class Projection:
    """A factorial space fitted on the train rows; a level they do not have counts as no level."""

    space: Space
    coded: tuple[Coded, ...]

    def points(self, cohort: Cohort) -> FloatArray:
        """Coordinates of a cohort's rows, shape (n, components); gaps in numbers take the mean of the 5 nearest rows of the same table."""
        numbers, codes, _ = _blocks(encode(cohort.synthesised, like=self.coded))
        return self.space.project(numbers, codes)


def fit_projection(train: Cohort, *, components: int | None = 5) -> Projection:
    """The space of the train rows, categories and numbers as the schema has them; ordered codes declared as integers count as numbers.

    ``components``: dimensions kept, ``None`` for all (as DCR and NNDR want).
    """
    coded = encode(train.synthesised)
    numbers, codes, sizes = _blocks(coded)
    return Projection(fit_space(numbers, codes, sizes, components=components), coded)


def closest(points: FloatArray, others: FloatArray) -> FloatArray:
    """DCR: the distance of each point to the nearest of the others, shape (n,)."""
    return _two(points, others)[:, 0]


def ratio(points: FloatArray, others: FloatArray) -> FloatArray:
    """NNDR: nearest over second nearest distance of each point, shape (n,), in [0, 1]; 1 where the second is 0."""
    near = _two(points, others)
    return np.asarray(np.divide(near[:, 0], near[:, 1], out=np.ones(len(near)), where=near[:, 1] > 0))


def cloaks(records: FloatArray, avatars: FloatArray, asked: IntArray | None = None) -> IntArray:
    """Local cloaking of the asked records (all by default): avatars of others nearer to it than its own (row i to row i); ties with its own all count."""
    from scipy.spatial import cKDTree

    rows = np.arange(len(records)) if asked is None else asked
    own = np.sqrt(((records[rows] - avatars[rows]) ** 2).sum(axis=1))
    inside = cKDTree(avatars).query_ball_point(records[rows], own * (1 + 1e-9) + 1e-9, return_length=True)
    return np.asarray(inside, dtype=np.int64) - 1


def hidden(records: FloatArray, avatars: FloatArray, asked: IntArray | None = None) -> FloatArray:
    """The chance that the nearest avatar of each asked record (all by default) is not its own (row i to row i), a tie broken by lot."""
    from scipy.spatial import cKDTree

    rows = np.arange(len(records)) if asked is None else asked
    tree = cKDTree(avatars)
    reach = tree.query(records[rows], k=1)[0] * (1 + 1e-9) + 1e-9
    own = np.sqrt(((records[rows] - avatars[rows]) ** 2).sum(axis=1))
    tied = np.asarray(tree.query_ball_point(records[rows], reach, return_length=True), dtype=np.int64)
    return np.where(own <= reach, 1.0 - 1.0 / np.maximum(tied, 1), 1.0)


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


def _blocks(coded: tuple[Coded, ...]) -> tuple[FloatArray, IntArray, tuple[int, ...]]:
    """Numbers without gaps (n, q), codes (n, m), and how many levels each has."""
    filled = nearest_mean(raw_table(coded))
    numbers = [i for i, c in enumerate(coded) if not isinstance(c, Codes)]
    codes = [c.codes for c in coded if isinstance(c, Codes)]
    sizes = tuple(max(1, len(c.levels)) for c in coded if isinstance(c, Codes))
    return filled[:, numbers], np.stack(codes, axis=1) if codes else np.zeros((len(filled), 0), dtype=np.int32), sizes
