"""Before anything is counted, one patient more or less may move nobody else: not to the other side, and not another row of his."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.audit.privacy.split import split
from twinset.coding.history import bound, bound_locally
from twinset.coding.identity import row_texts
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.door import declared
from twinset.io.declared import Declared, as_declared

UNIT = Schema((Column("id", "text"), Column("x", "integer")), unit="id")
ROWS = Schema((Column("id", "text"), Column("x", "integer")))


def people(n: int, *, schema: Schema = UNIT, each: int = 3) -> Cohort:
    ids = np.repeat([f"p{i}" for i in range(n)], each)
    return Cohort(pl.DataFrame({"id": ids, "x": np.arange(n * each) % 7}), schema)


def without(cohort: Cohort, name: str) -> Cohort:
    return Cohort(cohort.frame.filter(pl.col("id") != name), cohort.schema)


def rows_of(cohort: Cohort) -> list[tuple]:
    return sorted(cohort.frame.rows())


@pytest.mark.parametrize("schema", [UNIT, ROWS])
@given(st.integers(0, 39), st.integers(0, 2**32))
def test_by_coins_removing_a_patient_moves_nobody(schema: Schema, who: int, seed: int) -> None:
    whole = people(40, schema=schema, each=1)
    less = without(whole, f"p{who}")
    for full, part in zip(split(whole, fraction=0.3, seed=seed, how="coins"), split(less, fraction=0.3, seed=seed, how="coins"), strict=True):
        assert rows_of(without(full, f"p{who}")) == rows_of(part)


def test_the_exact_split_would_have_moved_many() -> None:
    """The fault that the coins mend: without one patient, a fixed permutation puts others elsewhere."""
    whole = people(40, each=1)
    full, part = split(whole, fraction=0.3, seed=0)[0], split(without(whole, "p3"), fraction=0.3, seed=0)[0]
    assert len({r[0] for r in rows_of(without(full, "p3"))} ^ {r[0] for r in rows_of(part)}) > 4


def test_by_place_exchanging_a_patient_moves_nobody() -> None:
    whole = people(40)
    other = Cohort(whole.frame.with_columns(pl.col("id").replace("p3", "zz")), UNIT)
    for full, part in zip(split(whole, fraction=0.3, seed=1, how="place"), split(other, fraction=0.3, seed=1, how="place"), strict=True):
        assert {r[0] for r in rows_of(full)} - {"p3"} == {r[0] for r in rows_of(part)} - {"zz"}
        assert len(full) == len(part)


def test_coins_keep_patients_whole_and_meet_the_fraction_on_average() -> None:
    whole = people(4000, each=2)
    train, held = split(whole, fraction=0.3, seed=5, how="coins")
    assert not set(train["id"]) & set(held["id"])
    assert len(held) / len(whole) == pytest.approx(0.3, abs=0.04)
    again, _ = split(whole, fraction=0.3, seed=6, how="coins")
    assert len(set(train["id"]) & set(again["id"])) / 4000 == pytest.approx(0.49, abs=0.04)


def test_equal_rows_toss_coins_of_their_own() -> None:
    same = Cohort(pl.DataFrame({"id": ["a"] * 2000, "x": [1] * 2000}), ROWS)
    _, held = split(same, fraction=0.3, seed=0, how="coins")
    assert len(held) == pytest.approx(600, abs=150)


@given(st.integers(0, 19), st.integers(1, 4))
def test_the_local_bound_hangs_on_the_patient_alone(who: int, most: int) -> None:
    whole = people(20, each=6)
    kept = bound_locally(whole, most, seed=3)
    assert set(kept["id"].value_counts()["count"]) == {most}
    assert rows_of(without(kept, f"p{who}")) == rows_of(bound_locally(without(whole, f"p{who}"), most, seed=3))


def test_the_ordinary_bound_would_not_do() -> None:
    whole = people(20, each=6)
    kept = bound(whole, 2, np.random.default_rng(0))
    assert rows_of(without(kept, "p3")) != rows_of(bound(without(whole, "p3"), 2, np.random.default_rng(0)))


def test_what_was_read_from_the_rows_does_not_reach_the_vault() -> None:
    private = Column("x", "number", low=1.0, high=9.0, missing_codes=(-8.0,), decimals=2)
    public = Column("y", "category", levels=("a", "b"), origin="public")
    found = declared(Schema((private, public)))
    assert found["x"] == Column("x", "number")
    assert found["y"] == public


def test_how_a_file_stores_a_column_does_not_matter() -> None:
    """One row that reads as a fraction or as text changes the storage of a whole column; what leaves must not show it."""
    schema = Schema((Column("n", "number"), Column("c", "category", levels=(0, 1)), Column("t", "category")))
    whole = as_declared(pl.DataFrame({"n": [1, 2], "c": [0, 1], "t": [True, False]}), schema, Declared()).frame
    odd = as_declared(pl.DataFrame({"n": [1.5, 2.0], "c": ["0", "1"], "t": ["true", "x"]}), schema, Declared()).frame
    assert whole.schema == odd.schema
    assert odd["c"].to_list() == [0, 1]


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.none() | st.text(max_size=3) | st.sampled_from(["1:a", ":", "-", "1:"])] * 3), min_size=2, max_size=2))
def test_different_rows_have_different_texts(rows: list[tuple]) -> None:
    """Else one row would toss the coin of another: ("a:b", "c") is not ("a", "b:c")."""
    texts = row_texts(pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String, "c": pl.String}, orient="row"))
    assert (texts[0] == texts[1]) == (rows[0] == rows[1])


def test_rows_that_only_a_length_tells_apart() -> None:
    rows = [("a", "b"), ("ab", ""), ("", "ab"), ("a1:b", ""), ("a", None), ("a-", ""), (None, None)]
    assert row_texts(pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")).n_unique() == len(rows)
