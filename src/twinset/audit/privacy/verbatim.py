"""Patients whom nobody resembles, in the release word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.audit.privacy.copies import among, row_keys
from twinset.audit.privacy.neighbours import nearest, points, stacked
from twinset.audit.privacy.patients import patients
from twinset.core.cohort import Cohort
from twinset.core.contracts import IntArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

NAME = "privacy.verbatim"
LABEL = "Patients whom nobody resembles, word for word"
SILENT = "Copies of patients who resemble others, and near copies: `privacy.copies` and `privacy.tail` look for those."
TWINS = 0.001  # of patients who may have an equal row
TWINS_BUT_ONE = 0.01  # of patients who may have one once any single column is left out
TELLING = 20  # columns left out in turn: those with the most values
YARDSTICK = 2_000  # patients whose isolation says what half of them is
MOST_FOUND = 2_000


@dataclass(frozen=True)
class Verbatim:
    """``privacy.verbatim``: how many isolated train patients are in the release word for word. It must be 0.

    Counted are train patients with a row in the release that no other real patient has, and whose nearest other real patient (that row) is as far as for the
    more isolated half of all. Where strangers never share rows nothing but copying makes such a row, so one is enough, and the size of the hold-out does not matter.
    Not measured where strangers do share rows: where more than 0.1 % of real patients equal another, or more than 1 % would if a single column were left out
    (the margin that keeps tables of few columns from false alarms; measured on random thirds of 16 real tables).
    Cost: linear in rows but for the few that are found.
    """

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        if not len(trial.synthetic) or not len(trial.train):
            return [not_measured(NAME, "one of train and release is empty", label=LABEL)]
        rows, of = _real(trial)
        if _shared(rows, of):
            return [not_measured(NAME, "strangers share rows in this table, so an equal row proves nothing by itself", label=LABEL, arises=False)]
        found = len(np.unique(of[_found(rows, of, trial, rng)]))
        n = patients(trial.train).n
        says = f"{found:,} of {n:,} train patients have a row that nobody else has, that resembles nobody's, and that is in the release word for word."
        value = float(found)
        return [Finding(NAME, value, value, value, n, "lower", {"floor": 0.0}, "", says, SILENT, label=LABEL)]


def _real(trial: Trial) -> tuple[Cohort, IntArray]:
    """All rows of train, then hold-out, and whose they are."""
    sides = [patients(c) for c in (trial.train, trial.holdout) if c is not None]
    starts = np.cumsum([0, *(side.n for side in sides)])
    return stacked([side.rows for side in sides]), np.concatenate([start + side.of for start, side in zip(starts, sides, strict=False)])


def _shared(rows: Cohort, of: IntArray) -> bool:
    """Whether strangers share rows in this table, or would with one column less."""
    n = int(of.max()) + 1
    if _twins(row_keys((rows,))[0], of) > TWINS * n:
        return True
    names = sorted(rows.schema.names, key=lambda c: -rows[c].n_unique())[:TELLING]
    without = (rows.select([c for c in rows.schema.names if c != name]) for name in names)
    return len(rows.schema) < 2 or any(_twins(row_keys((fewer,))[0], of) > TWINS_BUT_ONE * n for fewer in without)


def _owners(keys: IntArray, of: IntArray) -> IntArray:
    """How many patients have the row of each row, int64 (rows,)."""
    frame = pl.DataFrame({"key": keys, "of": of})
    return np.asarray(frame.select(pl.col("of").n_unique().over("key")).to_series().to_numpy(), dtype=np.int64)


def _twins(keys: IntArray, of: IntArray) -> int:
    """How many patients have a row that another patient has too."""
    return len(np.unique(of[_owners(keys, of) > 1]))


def _found(rows: Cohort, of: IntArray, trial: Trial, rng: Rng) -> IntArray:
    """The rows of train that are unique, isolated, and in the release."""
    keys, release = row_keys((rows, trial.synthetic))
    n_train = len(trial.train)
    found = np.flatnonzero(among(keys[:n_train], release) & (_owners(keys, of)[:n_train] == 1))[:MOST_FOUND]
    if not len(found):
        return found
    (place,) = points((rows,))
    some = np.sort(rng.permutation(len(rows))[:YARDSTICK])
    usual, own = (nearest(place.take(at), place, own=of[at], of=of)[0][:, 0] for at in (some, found))
    return np.asarray(found[own >= np.median(usual)])
