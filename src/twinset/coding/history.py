"""How many rows one patient may contribute."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.seeds import Rng

IntArray = np.ndarray
MASK = 2**63 - 1
GOLDEN = 0x1E3779B97F4A7C15
MIX = ((30, 0x3F58476D1CE4E5B9), (27, 0x14D049BB133111EB), (31, 1))  # shift, then factor


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
    """As :func:`bound`, but which rows of a patient are kept hangs on that patient's rows alone (on a hash of the patient
    and of the row's place among his).

    For private releases: there, adding a patient may change nothing about any other.
    """
    if not most or not cohort.schema.unit:
        return cohort
    units = cohort.units()
    order = np.argsort(units, kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(units[order])) + 1]
    lengths = np.diff(np.r_[starts, len(units)])
    place = np.arange(len(units)) - np.repeat(starts, lengths)
    names = cohort.frame[cohort.schema.unit].gather(order[starts]).cast(pl.String).fill_null("")
    base = np.array([int.from_bytes(hashlib.md5(f"{seed}:{name}".encode(), usedforsecurity=False).digest()[8:], "little") for name in names], dtype=np.uint64)
    of = np.repeat(np.arange(len(starts)), lengths)
    first = order[np.lexsort((place, _mixed(base[of], place), of))]
    return cohort.take(np.sort(first[place < most]))


def _mixed(base: IntArray, place: IntArray) -> IntArray:
    """63 random bits for each place of each patient: splitmix64's steps (Steele, Lea and Flood 2014), which SQL can repeat exactly."""
    with np.errstate(over="ignore"):
        z = (base + (place.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)) & np.uint64(MASK)
        for shift, factor in MIX:
            z = ((z ^ (z >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(MASK)
    return np.asarray(z)
