"""How many rows one patient may contribute."""

from __future__ import annotations

import numpy as np

from twinset.core.cohort import Cohort
from twinset.core.seeds import Rng


def bound(cohort: Cohort, most: int, rng: Rng) -> Cohort:
    """At most ``most`` rows of each patient, chosen at random, in the order they had; 0 keeps all rows.

    Generators that model rows learn a patient with many rows many times over; a bound is what keeps one patient's
    share of the model at one patient. It also changes what the table describes: patients, no longer rows. Say so.
    """
    if not most or not cohort.schema.unit:
        return cohort
    units = cohort.units()
    order = rng.permutation(len(units))
    sorted_rows = order[np.argsort(units[order], kind="stable")]
    starts = np.r_[0, np.flatnonzero(np.diff(units[sorted_rows])) + 1]
    place = np.arange(len(units)) - np.repeat(starts, np.diff(np.r_[starts, len(units)]))
    return cohort.take(np.sort(sorted_rows[place < most]))


def bound_locally(cohort: Cohort, most: int, *, seed: int) -> Cohort:
    """As :func:`bound`, but which rows of a patient are kept hangs on that patient's rows alone (on a hash of them).

    For private releases: there, adding a patient may change nothing about any other.
    """
    if not most or not cohort.schema.unit:
        return cohort
    keys = cohort.frame.hash_rows(seed=seed).to_numpy()
    units = cohort.units()
    order = np.lexsort((keys, units))
    starts = np.r_[0, np.flatnonzero(np.diff(units[order])) + 1]
    place = np.arange(len(units)) - np.repeat(starts, np.diff(np.r_[starts, len(units)]))
    return cohort.take(np.sort(order[place < most]))
