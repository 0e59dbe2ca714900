"""Train and hold-out, drawn by patient before anything is fitted."""

from __future__ import annotations

from typing import Literal

import numpy as np

from twinset.core.cohort import Cohort
from twinset.errors import BadInput

How = Literal["exact", "place", "coins"]


def split(cohort: Cohort, *, fraction: float, seed: int, how: How = "exact") -> tuple[Cohort, Cohort]:
    """Train and hold-out; ``fraction`` of the patients are held out, and no patient is in both.

    ``exact``: patients are permuted by ``numpy.random.default_rng(seed)``; the first ``int((1 - fraction) * n)`` are train.
    Rows come in the permuted order (a patient's own rows in theirs), which tells nothing about the order of the file.
    ``place``: the same, but patients count by where they first appear, not by name, so that exchanging one moves nobody else.
    ``coins``: each patient's side hangs on a hash of the patient alone (of the row, where a row is a patient), so that adding
    or removing one moves nobody else; the fraction is met on average only. The latter two are for private releases.
    Raises BadInput where either side would be empty.
    """
    units = cohort.units() if how == "exact" else _by_place(cohort.units())
    names, place = np.unique(units, return_inverse=True)
    n_train = int((1 - fraction) * len(names)) if 0 < fraction < 1 else 0
    if not 0 < n_train < len(names):
        raise BadInput(
            f"a hold-out of {fraction:g} of {len(names):,} patients leaves one side empty",
            where="holdout.fraction",
            hint="0.3 is usual; a table of a few patients cannot be split",
        )
    if how == "coins":
        held = coins(cohort, seed) < fraction
        return cohort.where(~held), cohort.where(held)
    order = np.random.default_rng(seed).permutation(len(names))
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    position = rank[place]
    rows = np.argsort(position, kind="stable")
    is_train = position[rows] < n_train
    return cohort.take(rows[is_train]), cohort.take(rows[~is_train])


def coins(cohort: Cohort, seed: int) -> np.ndarray:
    """A number in [0, 1) for each row, float64 (n,), that hangs on its patient alone: the same for all rows of a patient.

    Where a row is a patient it hangs on the row's cells, and on how many equal rows stand before it.
    """
    again = np.zeros(len(cohort), dtype=np.uint64)
    if cohort.schema.unit:
        keys = cohort[cohort.schema.unit].hash(seed).to_numpy()
    else:
        keys = cohort.frame.hash_rows(seed=seed).to_numpy()
        order = np.argsort(keys, kind="stable")
        starts = np.r_[0, np.flatnonzero(np.diff(keys[order])) + 1]
        again[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
    return _mixed(keys.astype(np.uint64) + again * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)) / 2.0**64


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit of the result hangs on every bit of ``x``."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        x = np.bitwise_xor(x, np.right_shift(x, np.uint64(shift))) * np.uint64(factor)
    return x


def _by_place(units: np.ndarray) -> np.ndarray:
    """Patients numbered by where they first appear."""
    _, first, place = np.unique(units, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[place]
