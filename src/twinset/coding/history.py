"""How many rows one patient may contribute."""

from __future__ import annotations

from typing import Literal

import numpy as np

from twinset.coding.identity import digests, mixed
from twinset.core.cohort import Cohort
from twinset.core.seeds import Rng

KEPT = "twinset/kept"  # purpose of the hash that chooses among a patient's rows


def bound(cohort: Cohort, most: int, rng: Rng, *, keep: Literal["random", "first", "last"] = "random") -> Cohort:
    """At most ``most`` rows of each patient, in the order they had; 0 keeps all rows. ``keep``: which of them, chosen at random or by their order.

    Generators that model rows learn a patient with many rows many times over; a bound is what keeps one patient's
    share of the model at one patient. It also changes what the table describes: patients, no longer rows. Say so.
    """
    if not most or not cohort.schema.unit:
        return cohort
    units = cohort.units()
    order = rng.permutation(len(units)) if keep == "random" else np.arange(len(units))[:: -1 if keep == "last" else 1]
    sorted_rows = order[np.argsort(units[order], kind="stable")]
    starts = np.r_[0, np.flatnonzero(np.diff(units[sorted_rows])) + 1]
    place = np.arange(len(units)) - np.repeat(starts, np.diff(np.r_[starts, len(units)]))
    return cohort.take(np.sort(sorted_rows[place < most]))


def bound_locally(cohort: Cohort, most: int, *, seed: int) -> Cohort:
    """As :func:`bound`, but which rows of a patient are kept depends on that patient alone: on a keyed hash of their name
    (:mod:`twinset.coding.identity`) and of the row's place among theirs.

    For private releases: there, adding a patient may change nothing about any other. The patient column is text.
    """
    if not most or not cohort.schema.unit or not len(cohort):
        return cohort
    units = cohort.units()
    order = np.argsort(units, kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(units[order])) + 1]
    lengths = np.diff(np.r_[starts, len(units)])
    place = np.arange(len(units)) - np.repeat(starts, lengths)
    base = digests(cohort.frame[cohort.schema.unit].gather(order[starts]), purpose=KEPT, seed=seed)[:, 0]
    of = np.repeat(np.arange(len(starts)), lengths)
    first = order[np.lexsort((place, mixed(base[of], place), of))]
    return cohort.take(np.sort(first[place < most]))
