"""Train and hold-out, drawn by patient before anything is fitted."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from twinset.coding.identity import SIDE, copies, digests, mixed, row_texts
from twinset.core.cohort import Cohort
from twinset.errors import BadInput

How = Literal["exact", "place", "coins"]


def split(cohort: Cohort, *, fraction: float, seed: int, how: How = "exact") -> tuple[Cohort, Cohort]:
    """Train and hold-out; ``fraction`` of the patients are held out, and no patient is in both.

    ``exact``: patients are permuted by ``numpy.random.default_rng(seed)``; the first ``int((1 - fraction) * n)`` are train.
    Rows come in the permuted order (a patient's own rows in theirs), which tells nothing about the order of the file.
    ``place``: the same, but patients count by where they first appear, not by name, so that exchanging one for another in the same place
    moves nobody else.
    ``coins``: each patient's side depends on a keyed hash of that patient alone (of the row, where a row is a patient), so that adding
    or removing one moves nobody else; the fraction is met on average only, and a side may be empty. The latter two are for private releases.
    Raises BadInput where either side would be empty (not for ``coins``).
    """
    if how == "coins":
        held = coins(cohort, seed) < fraction
        return cohort.where(~held), cohort.where(held)
    units = cohort.units() if how == "exact" else _by_place(cohort.units())
    names, place = np.unique(units, return_inverse=True)
    n_train = int((1 - fraction) * len(names)) if 0 < fraction < 1 else 0
    if not 0 < n_train < len(names):
        raise BadInput(
            f"a hold-out of {fraction:g} of {len(names):,} patients leaves one side empty",
            where="holdout.fraction",
            hint="0.3 is usual; a table of a few patients cannot be split",
        )
    order = np.random.default_rng(seed).permutation(len(names))
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    position = rank[place]
    rows = np.argsort(position, kind="stable")
    is_train = position[rows] < n_train
    return cohort.take(rows[is_train]), cohort.take(rows[~is_train])


def coins(cohort: Cohort, seed: int) -> np.ndarray:
    """A number in [0, 1) for each row, float64 (n,), that depends on its patient alone: the same for all rows of a patient.

    A keyed hash (:mod:`twinset.coding.identity`) of the patient's name as text; where a row is a patient, of the row's cells and of how many
    equal rows stand before it. Columns must be stored by declaration: a cell's type found from other rows would change its hash.
    """
    if cohort.schema.unit:
        base = digests(cohort[cohort.schema.unit].cast(pl.String), purpose=SIDE, seed=seed)
        place = np.zeros(len(cohort), dtype=np.int64)
    else:
        base = digests(row_texts(cohort.frame), purpose=SIDE, seed=seed)
        place = copies(base)
    return np.asarray(mixed(base[:, 0], place) / 2.0**63)


def _by_place(units: np.ndarray) -> np.ndarray:
    """Patients numbered by where they first appear."""
    _, first, place = np.unique(units, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[place]
