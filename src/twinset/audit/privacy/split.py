"""Train and hold-out, drawn by patient before anything is fitted."""

from __future__ import annotations

import numpy as np

from twinset.core.cohort import Cohort
from twinset.errors import BadInput


def split(cohort: Cohort, *, fraction: float, seed: int) -> tuple[Cohort, Cohort]:
    """Train and hold-out; ``fraction`` of the patients are held out, and no patient is in both.

    Patients are permuted by ``numpy.random.default_rng(seed)``; the first ``int((1 - fraction) * n)`` are train.
    Rows come in the permuted order (a patient's own rows in theirs), which tells nothing about the order of the file.
    Raises BadInput where either side would be empty.
    """
    units = cohort.units()
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
