"""The bound on a patient's rows."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from twinset.coding.history import bound
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema

SCHEMA = Schema((Column("patient", "text", role="identifier"), Column("x", "integer")), unit="patient")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 4), st.integers(0, 3))
def test_no_patient_keeps_more_and_none_is_lost(patients: list[int], most: int, seed: int) -> None:
    frame = pl.DataFrame({"patient": [f"p{p}" for p in patients], "x": list(range(len(patients)))})
    kept = bound(Cohort(frame, SCHEMA), most, np.random.default_rng(seed)).frame
    counts = dict(kept.group_by("patient").len().iter_rows())
    assert counts == {f"p{p}": min(most, patients.count(p)) for p in set(patients)}
    assert kept["x"].is_sorted()
    assert kept.join(frame, on=["patient", "x"], how="inner").height == kept.height


def test_every_row_of_a_patient_is_as_likely() -> None:
    """Catches a bound that always keeps first rows: each of 4 rows is kept in 250 +- 60 of 1,000 runs (over 4 sd)."""
    cohort = Cohort(pl.DataFrame({"patient": ["a"] * 4, "x": [0, 1, 2, 3]}), SCHEMA)
    rng = np.random.default_rng(0)
    kept = np.bincount([bound(cohort, 1, rng)["x"][0] for _ in range(1000)], minlength=4)
    assert np.abs(kept - 250).max() < 60


def test_zero_and_no_unit_keep_everything() -> None:
    frame = pl.DataFrame({"patient": ["a", "a"], "x": [1, 2]})
    assert len(bound(Cohort(frame, SCHEMA), 0, np.random.default_rng(0))) == 2
    assert len(bound(Cohort(frame, Schema(SCHEMA.columns)), 1, np.random.default_rng(0))) == 2
