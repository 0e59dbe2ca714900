"""A random sample of patients for those parts of an audit that need not, or cannot, look at everybody.

In a table above the bound, this is who is looked at:

============================  =====================  ==========================================================================
part                          who                    why
============================  =====================  ==========================================================================
rules                         everybody              one broken row is one too many; linear in rows
single columns, pairs         everybody              counts; the floor, in closed form, falls with all rows
endpoints                     everybody              estimates of the whole cohort; n log n in rows
copies, verbatim              everybody              equal keys; a copied patient outside a sample would be missed
replay                        everybody              that only one patient has a value can only be told from all of them
hidden rate                   everybody              follows links from row to row; asks at most 20,000 patients
all columns at once           the sample             products of columns; floor and interval are those of the sample
prediction, propensity        the sample             what is learnt from 20,000 patients is not learnt better from a million
the hold-out, tail, nearer,   the sample             every patient is compared with many others (hold-out patients who equal a train patient
attacks                                              are looked for among everybody)
============================  =====================  ==========================================================================

Where the release is compared with train it is brought to as many rows. Where patients are attacked it is thinned least, to ten million
cells: an attacker holds all of it, and the near-copy of a patient in the sample must not be lost (thinned to one row in seventy, 69 of 70
near-copies would be).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.core.seeds import stream

MOST_PATIENTS = 20_000  # of a side, where nothing else is asked for
EVERYBODY = frozenset({"columns", "pairs", "copies", "verbatim", "replay", "hidden_rate"})  # metrics by their names in the tables
EVEN = frozenset({"hellinger", "predict", "propensity"})
ROWS_EACH = 10  # a sample of patients with more rows than that on average is of fewer patients
CELLS = 10_000_000  # of the release


@dataclass(frozen=True, repr=False)
class Look:
    """A trial to measure, and the sentence that says who of it is looked at ("" where it is everybody)."""

    trial: Trial
    says: str = ""

    def stated(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """The findings, those that were measured with the sentence behind what they say."""
        return tuple(replace(f, says=f"{f.says} {self.says}".strip()) if self.says and f.measured else f for f in findings)


@dataclass(frozen=True, repr=False)
class Sample:
    """Who is looked at: ``whole`` (everybody), ``even`` (as many release rows as train rows), ``attacked`` (the release as an attacker holds it).

    In a table below the bound all three are the same trial.
    """

    whole: Look
    even: Look
    attacked: Look

    def of(self, metric: str) -> Look:
        """What a fidelity or privacy metric of this name looks at."""
        return self.whole if metric in EVERYBODY else self.even if metric in EVEN else self.attacked

    @property
    def says(self) -> str:
        """What the attacks looked at; "" where it was everybody."""
        return self.attacked.says


def sample(trial: Trial, patients: int, *, seed: int) -> Sample:
    """At most ``patients`` patients of train and of the hold-out, with all their rows; 0 = all. Tables up to that size are left as they are.

    Patients are drawn without replacement and keep their order; the same seed gives the same patients. Nobody knows the patient of a release row: rows are drawn.
    The sampled trials have no link: it belongs to the whole release.
    """
    whole = Look(trial)
    train, train_says = _some(trial.train, patients, seed, "train")
    holdout, holdout_says = (None, "") if trial.holdout is None else _some(trial.holdout, patients, seed, "hold-out")
    said = [x for x in (train_says, holdout_says) if x]
    if not said:
        return Sample(whole, whole, whole)
    few = replace(trial, train=train, holdout=holdout, link=None)
    cells = max(len(train), CELLS // max(1, len(trial.synthetic.schema)))
    return Sample(whole, *(_thinned(few, most, said, seed) for most in (len(train), cells)))


def _thinned(trial: Trial, most: int, said: list[str], seed: int) -> Look:
    n = len(trial.synthetic)
    if n > most:
        trial = replace(trial, synthetic=trial.synthetic.take(_drawn(n, most, seed, "release")))
        said = [*said, f"{most:,} of {n:,} release rows"]
    return Look(trial, f"Measured on a random sample: {_listed(said)}.")


def _some(cohort: Cohort, most: int, seed: int, side: str) -> tuple[Cohort, str]:
    """The cohort of at most so many patients, and what was taken ("" where nobody was left out)."""
    if not most or len(cohort) <= most:
        return cohort, ""
    names, of = np.unique(cohort.units(), return_inverse=True)
    n = len(names)
    if n <= most:
        return cohort, ""
    kept = min(most, max(1, most * ROWS_EACH * n // len(cohort)))
    chosen = np.zeros(n, dtype=np.bool_)
    chosen[_drawn(n, kept, seed, side)] = True
    return cohort.where(chosen[of]), f"{kept:,} of {n:,} {side} patients"


def _drawn(n: int, k: int, seed: int, side: str) -> np.ndarray:
    return np.sort(stream(seed, "sample of patients", side).choice(n, k, replace=False))


def _listed(said: list[str]) -> str:
    return said[0] if len(said) == 1 else ", ".join(said[:-1]) + " and " + said[-1]
