"""Columns to model space and back: every dtype, cell for cell."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.coding.columns import Codes, Numbers, decimals_of, decode, encode
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Kind, Schema
from twinset.errors import SchemaMismatch

EXACT = 2**53
CATEGORIES: dict[str, tuple[Any, Any]] = {
    "String": (pl.String, st.text(max_size=6)),
    "Boolean": (pl.Boolean, st.booleans()),
    "Int8": (pl.Int8, st.integers(-128, 127)),
    "Int64": (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "UInt64": (pl.UInt64, st.integers(0, 2**64 - 1)),
    "Float64": (pl.Float64, st.floats(allow_nan=False)),
    "Float32": (pl.Float32, st.floats(allow_nan=False, width=32)),
    "Date": (pl.Date, st.dates()),
    "Categorical": (pl.Categorical, st.text(max_size=4)),
    "Enum": (pl.Enum(["b", "a", "Ж", ""]), st.sampled_from(["b", "a", "Ж", ""])),
}
INTEGERS = {
    d: st.integers(-(2 ** (b - 1)) if s else 0, 2 ** (b - s) - 1)
    for d, b, s in [(pl.Int8, 8, 1), (pl.Int16, 16, 1), (pl.Int32, 32, 1), (pl.UInt8, 8, 0), (pl.UInt32, 32, 0)]
}
INTEGERS |= {pl.Int64: st.integers(-EXACT, EXACT), pl.UInt64: st.integers(0, EXACT)}


def round_trip(series: pl.Series, column: Column) -> pl.Series:
    cohort = Cohort(series.alias("x").to_frame(), Schema((column,)))
    back = decode(encode(cohort), dict(cohort.frame.schema))
    assert back.schema == cohort.schema
    assert back["x"].dtype == series.dtype
    assert len(back) == len(series)
    return back["x"]


def lists(values: Any) -> Any:
    return st.lists(st.one_of(st.none(), values), max_size=30)


@pytest.mark.parametrize("name", CATEGORIES)
@given(data=st.data())
def test_categories_come_back(name: str, data: st.DataObject) -> None:
    dtype, values = CATEGORIES[name]
    series = pl.Series("x", data.draw(lists(values)), dtype=dtype)
    assert round_trip(series, Column("x", "category")).to_list() == series.to_list()


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@given(data=st.data())
def test_integers_come_back(dtype: Any, data: st.DataObject) -> None:
    series = pl.Series("x", data.draw(lists(INTEGERS[dtype])), dtype=dtype)
    assert round_trip(series, Column("x", "integer")).to_list() == series.to_list()


@pytest.mark.parametrize("value", [EXACT + 1, -EXACT - 1, 2**63 - 1])
def test_integers_that_no_float_holds_are_refused_and_not_quoted(value: int) -> None:
    series = pl.Series("x", [1, value], dtype=pl.Int64)
    with pytest.raises(SchemaMismatch, match="beyond 2\\^53") as caught:
        round_trip(series, Column("x", "integer"))
    assert str(value) not in str(caught.value)
    assert round_trip(series, Column("x", "category")).to_list() == series.to_list()


@given(lists(st.floats(allow_nan=False)))
def test_floats_come_back(values: list[float | None]) -> None:
    series = pl.Series("x", values, dtype=pl.Float64)
    back = round_trip(series, Column("x", "number")).to_list()
    for a, b in zip(values, back, strict=True):
        assert (a is None) == (b is None)
        assert a is None or b is None or a == b or abs(a - b) <= 4 * np.spacing(abs(a))


@given(lists(st.floats(allow_nan=False, width=32)))
def test_short_floats_come_back(values: list[float | None]) -> None:
    series = pl.Series("x", values, dtype=pl.Float32)
    assert round_trip(series, Column("x", "number")).to_list() == series.to_list()


@given(lists(st.integers(-(10**8), 10**8)), st.integers(0, 5))
def test_decimals_come_back_exactly(cents: list[int | None], digits: int) -> None:
    """Numbers as people write them: so many digits after the point, bit for bit."""
    values = [None if c is None else float(f"{c}e-{digits}") for c in cents]
    series = pl.Series("x", values, dtype=pl.Float64)
    assert round_trip(series, Column("x", "number")).to_list() == values
    assert round_trip(series, Column("x", "number", decimals=digits)).to_list() == values


def test_large_floats_keep_their_fraction() -> None:
    """A relative tolerance would call these whole numbers."""
    values = [3e9 + 0.25, 3e9 + 0.5]
    assert round_trip(pl.Series("x", values), Column("x", "number")).to_list() == values
    assert decimals_of(np.array(values)) == 2


def test_odd_floats() -> None:
    series = pl.Series("x", [math.inf, -math.inf, -0.0, 1e308, 0.5, None])
    back = round_trip(series, Column("x", "number")).to_list()
    assert back == series.to_list()
    assert math.copysign(1, back[2]) == -1


def test_nan_is_missing() -> None:
    series = pl.Series("x", [1.0, math.nan, None])
    assert round_trip(series, Column("x", "number")).to_list() == [1.0, None, None]
    assert round_trip(series, Column("x", "category")).to_list() == [1.0, None, None]


def test_whole_numbers_in_a_float_column_stay_floats() -> None:
    series = pl.Series("x", [1.0, None, 3.0])
    assert round_trip(series, Column("x", "integer")).to_list() == [1.0, None, 3.0]


@given(lists(st.integers(-8, 5)))
def test_missing_codes_come_back_and_leave_the_line(values: list[int | None]) -> None:
    column = Column("x", "integer", missing_codes=(-8.0, -7.0))
    series = pl.Series("x", values, dtype=pl.Int16)
    (coded,) = encode(Cohort(series.to_frame(), Schema((column,))))
    assert isinstance(coded, Numbers)
    gaps = [1 if v is None else {-8: 2, -7: 3}.get(v, 0) for v in values]
    assert coded.gaps.tolist() == gaps
    assert np.isnan(coded.values).tolist() == [g > 0 for g in gaps]
    assert round_trip(series, column).to_list() == values


@given(lists(st.dates()))
def test_dates_come_back(values: list[dt.date | None]) -> None:
    assert round_trip(pl.Series("x", values, dtype=pl.Date), Column("x", "date")).to_list() == values


MOMENTS = st.datetimes(dt.datetime(1791, 1, 1), dt.datetime(2149, 1, 1))


@given(lists(MOMENTS))
def test_datetimes_come_back_to_the_microsecond(values: list[dt.datetime | None]) -> None:
    assert round_trip(pl.Series("x", values, dtype=pl.Datetime("us")), Column("x", "datetime")).to_list() == values


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris", "Asia/Kolkata"])
@given(values=lists(st.integers(-2_000_000_000, 4_000_000_000)))
def test_datetimes_of_every_unit_and_zone(unit: Any, zone: str | None, values: list[int | None]) -> None:
    """Also in the hour that comes twice in autumn."""
    scale = {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    series = pl.Series("x", [None if v is None else v * scale for v in values], dtype=pl.Int64).cast(pl.Datetime(unit, zone))
    assert round_trip(series, Column("x", "datetime")).equals(series)


def test_made_up_values_beyond_a_dtype_are_clipped_not_quoted() -> None:
    """A generator's value outside Int8 must not fail with a message that holds it."""
    column = Column("x", "integer")
    out = decode([Numbers(column, np.array([300.0, -300.0, 5.4]), np.zeros(3, np.int16), 0)], {"x": pl.Int8()})
    assert out["x"].to_list() == [127, -128, 5]


def test_decimal_columns_keep_their_digits() -> None:
    series = pl.Series("x", ["1.25", None, "-3.10"]).str.to_decimal(scale=2)
    assert round_trip(series, Column("x", "number")).to_list() == series.to_list()


@pytest.mark.parametrize("kind", ["number", "integer", "category", "date", "datetime"])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_nothing_and_nothing_but_gaps(kind: Kind, n: int) -> None:
    dtypes: dict[str, Any] = {"number": pl.Float64, "integer": pl.Int64, "category": pl.String, "date": pl.Date, "datetime": pl.Datetime("us")}
    series = pl.Series("x", [None] * n, dtype=dtypes[kind])
    assert round_trip(series, Column("x", kind)).to_list() == [None] * n


def test_declared_levels_are_kept_in_their_order() -> None:
    series = pl.Series("x", ["b", "a", "b", None])
    public = Cohort(series.to_frame(), Schema((Column("x", "category", levels=("c", "b", "a"), origin="public"),)))
    private = Cohort(series.to_frame(), Schema((Column("x", "category", levels=("c", "b", "a")),)))
    (coded,), (read,) = encode(public), encode(private)
    assert isinstance(coded, Codes)
    assert coded.levels == ("c", "b", "a", None)
    assert read.levels == ("b", "a", None)  # type: ignore[union-attr]
    assert [coded.levels[c] for c in coded.codes] == ["b", "a", "b", None]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20), st.lists(st.sampled_from("cdef"), min_size=1, max_size=20))
def test_codes_like_another_cohort_share_its_levels(first: list[str], second: list[str]) -> None:
    schema = Schema((Column("x", "category"),))
    (a,) = encode(Cohort(pl.DataFrame({"x": first}), schema))
    (b,) = encode(Cohort(pl.DataFrame({"x": second}), schema), like=[a])
    assert isinstance(a, Codes)
    assert isinstance(b, Codes)
    assert b.levels[: len(a.levels)] == a.levels
    assert [b.levels[c] for c in b.codes] == second


def test_identifiers_and_text_stay_behind() -> None:
    frame = pl.DataFrame({"id": [1, 2], "x": [1.5, 2.5], "note": ["a", "b"]})
    cohort = Cohort(frame, Schema((Column("id", "integer", role="identifier"), Column("x", "number"), Column("note", "text"))))
    assert [c.column.name for c in encode(cohort)] == ["x"]


def test_many_levels_take_linear_time() -> None:
    """A list searched once per level would take minutes here."""
    levels = tuple(f"L{i}" for i in range(100_000))
    cohort = Cohort(pl.DataFrame({"x": levels}), Schema((Column("x", "category", levels=levels),)))
    (coded,) = encode(cohort)
    assert len(coded.levels) == 100_000  # type: ignore[union-attr]


def test_reprs_are_silent() -> None:
    (number,) = encode(Cohort(pl.DataFrame({"x": [123456.5, 2.0]}), Schema((Column("x", "number"),))))
    (code,) = encode(Cohort(pl.DataFrame({"x": ["secret", "b"]}), Schema((Column("x", "category", levels=("secret", "b")),))))
    assert "123456" not in repr(number)
    assert "secret" not in repr(code)
