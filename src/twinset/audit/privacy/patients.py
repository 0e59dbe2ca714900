"""A cohort seen by patient: whose each row is, and figures per row turned into figures per patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.core.cohort import Cohort
from twinset.core.contracts import BoolArray, FloatArray, IntArray
from twinset.core.seeds import Rng


@dataclass(frozen=True, repr=False)
class Patients:
    """``rows``: the columns that may be synthesised. ``of`` int64 (rows,): the patient of each row, 0 .. n - 1."""

    rows: Cohort
    of: IntArray
    n: int

    def take(self, chosen: IntArray) -> Patients:
        """These patients with all their rows, renumbered in the order given."""
        place = np.full(self.n, -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(place[self.of] >= 0)
        kept = kept[np.argsort(place[self.of[kept]], kind="stable")]
        return Patients(self.rows.take(kept), place[self.of[kept]], len(chosen))

    def one_row_each(self, rng: Rng) -> IntArray:
        """A random row of every patient, int64 (n,)."""
        order = rng.permutation(len(self.of))
        row = np.empty(self.n, dtype=np.int64)
        row[self.of[order]] = order
        return row

    def mean(self, scores: FloatArray) -> FloatArray:
        """Mean over a patient's rows, float64 (n,)."""
        return np.bincount(self.of, weights=scores, minlength=self.n) / np.bincount(self.of, minlength=self.n)

    def total(self, scores: FloatArray) -> FloatArray:
        """Sum over a patient's rows, float64 (n,)."""
        return np.bincount(self.of, weights=scores, minlength=self.n)

    def any(self, flags: BoolArray) -> BoolArray:
        """Whether any of a patient's rows is flagged, bool (n,)."""
        return self.total(flags.astype(np.float64)) > 0


def patients(cohort: Cohort) -> Patients:
    """The cohort by patient; without a unit column a row is a patient."""
    names, of = np.unique(cohort.units(), return_inverse=True)
    return Patients(cohort.synthesised, of.astype(np.int64), len(names))
