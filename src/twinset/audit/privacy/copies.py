"""Patients who appear in the release word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.audit import interval
from twinset.audit.exact import drawn
from twinset.audit.privacy.neighbours import together
from twinset.audit.privacy.patients import Patients, patients
from twinset.coding.columns import Coded, Numbers
from twinset.core.cohort import Cohort
from twinset.core.contracts import BoolArray, IntArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

NAME = "privacy.copies"
LABEL = "Exact copies, excess over hold-out"
SILENT = "Near copies (a value changed in the last digit is not a copy): the distance attack looks for those."


@dataclass(frozen=True)
class Copies:
    """``privacy.copies``: share of train patients found word for word in the release, minus the same share of hold-out patients.

    Equal rows are no disclosure by themselves: in tables with few columns strangers share a row. Hold-out patients were not used, so their
    share is what chance gives. Both are shares of *patients*, so the sizes of train and hold-out need not be equal
    for a fair comparison; a share of release rows would need that (beside, ``release_rows``: the plain share of release rows equal to a train row).
    A patient with several rows is found if any of them is. Interval: Newcombe's for a difference of two shares; ``p`` beside: exact, of so many of the found
    being train patients by lot. Rows are compared by key: tables of any size are compared whole.
    Do not use it to call a release safe: no copies proves little.
    """

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        if trial.holdout is None:
            return [not_measured(NAME, "there is no hold-out to say how many equal rows chance gives", label=LABEL)]
        train, held = patients(trial.train), patients(trial.holdout)
        if not (train.n and held.n and len(trial.synthetic)):
            return [not_measured(NAME, "one of train, hold-out and release is empty", label=LABEL)]
        ours, theirs, release = row_keys((train.rows, held.rows, trial.synthetic))
        found, found_held = _found(train, ours, release), _found(held, theirs, release)
        k, k_held = int(found.sum()), int(found_held.sum())
        low, high = interval.difference(k, train.n, k_held, held.n)
        tails = drawn(k, k + k_held, train.n, train.n + held.n)
        beside = {
            "floor": 0.0,
            "train": k / train.n,
            "holdout": k_held / held.n,
            "release_rows": float(among(release, ours).mean()),
            "p": tails.above,
            "p_below": tails.below,
        }
        says = (
            f"{k:,} of {train.n:,} train patients ({k / train.n:.2%}) are in the release word for word; "
            f"of hold-out patients, who were not used, {k_held:,} of {held.n:,} ({k_held / held.n:.2%})."
        )
        return [Finding(NAME, k / train.n - k_held / held.n, low, high, train.n + held.n, "lower", beside, "", says, SILENT, label=LABEL)]


def row_keys(cohorts: Sequence[Cohort]) -> tuple[IntArray, ...]:
    """One 64-bit key per row of each cohort, uint64; equal rows have equal keys (others by accident once in 10^9 tables). Linear in rows."""
    columns = [pl.Series(str(j), array) for j, coded in enumerate(together(cohorts)) for array in _cells(coded)]
    keys = pl.DataFrame([s.alias(str(i)) for i, s in enumerate(columns)]).hash_rows().to_numpy()
    ends = np.cumsum([len(c) for c in cohorts])
    return tuple(keys[end - len(c) : end] for c, end in zip(cohorts, ends, strict=True))


def _cells(coded: Coded) -> tuple[np.ndarray, ...]:
    if isinstance(coded, Numbers):
        return np.where(coded.gaps > 0, 0.0, coded.values) + 0.0, coded.gaps  # + 0.0: minus zero is zero
    return (coded.codes,)


def _found(side: Patients, keys: IntArray, release: IntArray) -> BoolArray:
    return side.any(among(keys, release))


def among(keys: IntArray, others: IntArray) -> BoolArray:
    """Whether each key is one of the others, bool (n,); by hash, where numpy would sort."""
    return pl.Series(keys).is_in(pl.Series(others).unique().implode()).to_numpy()
