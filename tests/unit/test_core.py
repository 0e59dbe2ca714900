"""Schema, cohort, seeds, findings."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.core.cohort import Cohort
from twinset.core.finding import Finding, not_measured
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.errors import BadInput, PolicyRefused, SchemaMismatch, TwinsetError, collect

SCHEMA = Schema(
    (
        Column("id", "integer", role="identifier"),
        Column("pat", "integer"),
        Column("x", "number", low=0.5, high=9.5),
        Column("g", "category", levels=("u", "v")),
        Column("t", "text"),
    ),
    unit="pat",
)
FRAME = pl.DataFrame({"id": [1, 2, 3, 4], "pat": [7, 7, None, 3], "x": [1.0, 2.0, None, 4.0], "g": ["u", "v", "u", "v"], "t": ["aa", "bb", "cc", "dd"]})
COHORT = Cohort(FRAME, SCHEMA)


def test_synthesised_leaves_out_identifiers_text_and_the_patient() -> None:
    assert SCHEMA.synthesised.names == ("x", "g")
    assert SCHEMA.synthesised.unit == ""
    assert COHORT.synthesised.frame.columns == ["x", "g"]


def test_schema_collects_its_problems() -> None:
    with pytest.raises(SchemaMismatch, match="2 problems") as caught:
        Schema((Column("a", "number"), Column("a", "number")), unit="p")
    assert "share a name" in str(caught.value)
    assert "hint:" in str(caught.value)


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(SchemaMismatch, match="no column `y`"):
        SCHEMA["y"]


def test_schema_looks_up_selects_and_replaces() -> None:
    assert "x" in SCHEMA
    assert "y" not in SCHEMA
    assert len(SCHEMA) == 5
    assert [c.name for c in SCHEMA] == list(SCHEMA.names)
    assert SCHEMA.select(["x", "g"]).unit == ""
    assert SCHEMA.select(["pat", "x"]).unit == "pat"
    changed = SCHEMA.with_column(Column("x", "integer"))
    assert changed["x"].kind == "integer"
    assert changed.unit == "pat"
    assert SCHEMA["x"].kind == "number"
    assert [c.name for c in SCHEMA.with_role("identifier")] == ["id"]


def test_schemas_compare_by_content() -> None:
    assert Schema(SCHEMA.columns, unit="pat") == SCHEMA
    assert Schema(SCHEMA.columns) != SCHEMA


def test_reprs_show_no_level_bound_or_cell() -> None:
    text = repr(SCHEMA) + repr(COHORT)
    for secret in ("'u'", "0.5", "9.5", "aa"):
        assert secret not in text
    assert repr(COHORT) == "Cohort(4 rows x 5 columns)"


def test_a_cohort_is_its_schema() -> None:
    with pytest.raises(SchemaMismatch) as caught:
        Cohort(FRAME.select("x", "id"), SCHEMA)
    assert "aa" not in str(caught.value)
    with pytest.raises(AttributeError):
        COHORT.frame = FRAME  # type: ignore[misc]


def test_rows_are_taken_in_order_with_repeats() -> None:
    assert COHORT.take(np.array([3, 0, 3]))["id"].to_list() == [4, 1, 4]
    assert COHORT.where(np.array([False, True, False, True]))["id"].to_list() == [2, 4]
    assert len(COHORT.take(np.array([], dtype=np.int64))) == 0


def test_units() -> None:
    assert COHORT.units().tolist() == [2, 2, 0, 1]  # rows without a patient are one group of their own
    assert Cohort(FRAME, Schema(SCHEMA.columns)).units().tolist() == [0, 1, 2, 3]


NAMES = st.lists(st.one_of(st.text(max_size=5), st.integers(-5, 5)), max_size=3)


@given(st.integers(0, 2**63 - 1), NAMES)
def test_a_stream_depends_on_seed_and_name_only(seed: int, names: list[str | int]) -> None:
    first = stream(seed, *names).integers(0, 2**62, 3)
    stream(seed, "another").random(100)
    assert np.array_equal(first, stream(seed, *names).integers(0, 2**62, 3))


def test_streams_are_independent() -> None:
    """Correlation of 200 neighbouring streams (by seed, by name): catches seeds that only shift a stream."""
    by_seed = np.array([stream(s, "x").random(2000) for s in range(100)])
    by_name = np.array([stream(1, "x", i).random(2000) for i in range(100)])
    for draws in (by_seed, by_name):
        together = np.corrcoef(draws)[np.triu_indices(100, 1)]
        assert np.abs(together).max() < 5.5 / math.sqrt(2000)
    assert not np.isin(by_seed[1], by_seed[0]).any()


def test_names_of_streams_do_not_run_together() -> None:
    assert stream(1, "ab", "c").random() != stream(1, "a", "bc").random()
    assert stream(1, "a", "b").random() != stream(1, "b", "a").random()


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(0, 10**9), st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3), st.text(max_size=20))
def test_a_finding_survives_json(value: float, low: float, high: float, n: int, beside: dict[str, float], says: str) -> None:
    finding = Finding("a.b", value, low, high, n, "lower", beside, where="x", says=says, silent_on="all else", label="L")
    assert Finding.from_dict(json.loads(json.dumps(finding.to_dict(), allow_nan=False))) == finding


def test_what_was_not_measured_survives_json_too() -> None:
    gap = not_measured("a.b", "no hold-out", better="higher", where="x")
    assert not gap.measured
    again = Finding.from_dict(json.loads(json.dumps(gap.to_dict(), allow_nan=False)))
    assert math.isnan(again.value)
    assert again.missing == "no hold-out"
    assert Finding("a", math.inf, 0, math.inf, 1, "lower", {"chance": math.nan}).to_dict()["beside"] == {"chance": None}


def test_errors_say_where_and_what_to_do() -> None:
    error = BadInput("what happened", where="here", hint="do that")
    assert str(error) == "here: what happened\nhint: do that"
    assert str(PolicyRefused(["a", "b"])) == "a; b"
    assert issubclass(SchemaMismatch, TwinsetError)
    assert (PolicyRefused(["a"]).exit_code, error.exit_code) == (1, 2)
    assert collect(["only"]) == "only"
