"""How wrong each marginal is, in whole numbers: no caller can make a score wrap, and no float hides how far one patient moves it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twinset.core.contracts import BoolArray, FloatArray, IntArray
from twinset.errors import BadInput, collect

STEPS = 2**20  # of a score, for one patient's row at the largest weight
MOST = 2**40  # patients: an estimate lies in [0, MOST], a distance in [0, 2 MOST], a penalty in [-2 MOST, 2 MOST]


def scores(exact: IntArray, begin: IntArray, *, estimates: FloatArray, weights: FloatArray, penalties: FloatArray) -> IntArray:
    """The score of each marginal, int64 (k,): weights[i] * (||exact_i - estimates_i||_1 - penalties[i]), in steps of the largest weight.

    ``exact``: int64, the counts of all marginals, one behind the other; ``begin``: where each begins. The others as checked by :func:`check`.
    One row more or less moves each score by at most ``STEPS``, and a row exchanged by twice that; exactly so, because all that a row
    can change is whole: the distance is a sum of |count - whole estimate| (a row moves one count by 1), cut off at 2 MOST (a cut moves
    nothing further apart), times a whole weight of at most ``STEPS``. What is rounded (estimates, weights, penalties) is the caller's, and the same for both tables.

    No score wraps. With m cells in the widest marginal, estimates are at most min(2^40, 2^60 / m), so that a distance before its cut is
    at most 2^60 + the number of rows < 2^61. After the cut it is at most 2^41; times a weight of at most 2^20 that is 2^61. A penalty is at most
    2^41, so that weight x penalty is at most 2^61 too, and their difference at most 2^62 < 2^63.
    """
    widest = int(np.diff(np.append(begin, len(exact))).max())
    expected = np.rint(np.clip(estimates, 0.0, min(MOST, 2**60 // widest))).astype(np.int64)
    apart = np.minimum(np.add.reduceat(np.abs(exact - expected), begin), 2 * MOST)
    weight = np.floor(STEPS * (weights / weights.max())).astype(np.int64)
    penalty = np.rint(weight * np.clip(penalties, -2.0 * MOST, 2.0 * MOST)).astype(np.int64)
    return np.asarray(weight * apart - penalty)


def sensitivity(*, per_patient: int, replace: bool) -> int:
    """The most that one patient moves a score: ``STEPS`` a row, twice that where the patient is exchanged for another."""
    return STEPS * per_patient * (2 if replace else 1)


def check(n_cells: Sequence[int], *, estimates: FloatArray, weights: FloatArray, penalties: FloatArray, allowed: BoolArray) -> None:
    """Raise BadInput unless :func:`scores` can be trusted with these, by what the caller gave alone; ``n_cells``: of each marginal.

    An estimate of NaN would tell with certainty whether a cell is empty, and a negative weight would move a score by more than the noise is scaled to.
    """
    k, problems = len(n_cells), []
    shapes = {"estimates": (estimates, sum(n_cells)), "weights": (weights, k), "penalties": (penalties, k)}
    for name, (values, n) in shapes.items():
        if values.shape != (n,) or values.dtype.kind not in "fiu":
            problems.append(f"`{name}` must be {n} numbers in a row")
        elif not np.isfinite(values).all():
            problems.append(f"`{name}` must be finite")
    if not problems and k and not ((weights >= 0).all() and (weights > 0).any()):
        problems.append("`weights` must not be negative, and one must be positive")
    if allowed.shape != (k,) or allowed.dtype != np.bool_:
        problems.append(f"`allowed` must be {k} booleans in a row")
    elif not allowed.any():
        problems.append("there is nothing to choose from")
    if problems:
        raise BadInput(
            collect(problems),
            where="choose",
            hint="give the expected counts of every marginal, a weight and a penalty for each, and allow one at least",
        )
