"""``twinset.synthesize`` with an epsilon: the caller's kind of frame back, a noisy number of rows, and no way around the budget."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import twinset
from twinset.core.schema import Schema
from twinset.errors import BadInput, BudgetExhausted, SchemaMismatch

STUDY = """
[data]
path = "x.csv"
[columns.age]
type = "integer"
low = 0
high = 99
origin = "public"
[columns.sick]
type = "category"
levels = ["no", "yes"]
origin = "public"
[columns.well]
type = "category"
levels = [false, true]
origin = "public"
[columns.site]
type = "category"
levels = ["north", "secret place"]
"""


def people(n: int = 900) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(20, 80, n)
    sick = np.where(rng.random(n) < age / 100, "yes", "no")
    return pl.DataFrame({"age": age, "sick": sick, "well": sick == "no", "site": rng.choice(["north", "south"], n)})


def test_everything_is_found_within_epsilon() -> None:
    made = twinset.synthesize(people(), generator="aim", epsilon=5.0, seed=0)
    assert made.schema == people().schema
    assert abs(len(made) - 900) < 60
    assert set(made["sick"].unique()) <= {"yes", "no", "other", None}
    assert made.filter(pl.col("age") > 60)["sick"].eq("yes").mean() > made.filter(pl.col("age") < 40)["sick"].eq("yes").mean() + 0.1


def test_pandas_in_pandas_out_and_as_many_rows_as_asked() -> None:
    kinds = {"age": "integer", "sick": "category", "well": "category", "site": "category"}
    made = twinset.synthesize(people().to_pandas(), "mst", epsilon=5.0, n=77, kinds=kinds)
    assert isinstance(made, pd.DataFrame)
    assert made.shape == (77, 4)


def test_a_studys_public_domain_is_free_and_its_private_levels_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    made = twinset.synthesize(people(), "mst", epsilon=5.0, study=tmp_path / "study.toml")
    assert set(made["sick"].unique()) == {"no", "yes"}
    assert "secret place" not in set(made["site"].unique())
    odd = people().with_columns(pl.lit("maybe").alias("sick"))
    made = twinset.synthesize(odd, "mst", epsilon=5.0, study=tmp_path / "study.toml")
    assert made["sick"].null_count() > 0.9 * len(made)  # a refusal would tell that somebody holds such a level


def test_a_patient_column_is_bounded_and_left_out() -> None:
    frame = people().with_columns(pl.Series("id", np.arange(900) // 3))
    made = twinset.synthesize(frame, "mst", epsilon=5.0, unit="id")
    assert "id" not in made.columns
    assert abs(len(made) - 300) < 60


@pytest.mark.parametrize(
    "wrong, kind, said",
    [
        ({"generator": "aim"}, BadInput, "needs|budget"),
        ({"generator": "trees", "epsilon": 1.0}, BudgetExhausted, "rows themselves"),
        ({"generator": "aim", "epsilon": 0.0}, BadInput, "above 0"),
        ({"generator": "aim", "epsilon": 1.0, "delta": 0.5}, BadInput, "`delta`"),
        ({"generator": "aim", "epsilon": 1.0, "unit": "nobody"}, SchemaMismatch, "no such patient column"),
    ],
)
def test_no_way_around_the_budget(wrong: dict, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said):
        twinset.synthesize(people(), **wrong)


@pytest.mark.parametrize("dtype", ["object", "int64", "float64", "bool", "category", "Int64", "Float64", "boolean", "string", "datetime64[ns]"])
def test_what_a_pandas_column_is_has_to_be_declared_whatever_its_type(dtype: str) -> None:
    """One missing cell turns integers into floats, one word turns them into objects, and ``read_csv(dtype_backend=)`` finds nullable types by cells too."""
    frame = pd.DataFrame({"x": pd.Series([0, 1] * 50).astype(dtype)})
    with pytest.raises(BadInput, match=r"can depend on a single cell: `x`") as refused:
        twinset.synthesize(frame, "mst", epsilon=5.0)
    assert "kinds=" in refused.value.hint
    assert len(twinset.synthesize(frame, "mst", epsilon=5.0, n=9, kinds={"x": "category"})) == 9


@pytest.mark.parametrize("kinds, said", [({"y": "integer"}, "not there"), ({"x": "whole"}, "unknown kind")])
def test_kinds_that_are_none(kinds: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        twinset.synthesize(pd.DataFrame({"x": [1, 2]}), "mst", epsilon=5.0, kinds=kinds)


@pytest.mark.parametrize(
    "kind, before, after",
    [
        ("integer", [1, 2, 3, 4], [1, 2, 3, 4, None]),
        ("category", [1, 2, 1, 2], [1, 2, 1, 2, "x"]),
        ("category", [1.0, 2.0, 1.0, 2.0], [1, 2, 1, 2, 1]),
        ("datetime", pd.to_datetime(["2020-01-01", "2020-01-02"] * 2), pd.to_datetime(["2020-01-01", "2020-01-02"] * 2 + ["2020-01-01 10:30"], format="mixed")),
        ("number", [1.5, 2.5, 3.5, 4.5], [1.5, 2.5, 3.5, 4.5, "high"]),
    ],
)
def test_a_frames_cell_is_read_alone(kind: str, before: object, after: object) -> None:
    """One cell more changes the type that pandas gives a column; what the others become stays."""
    read = [as_read(pd.DataFrame({"x": cells}), kind) for cells in (before, after)]
    assert read[0].schema == read[1].schema
    assert read[0].equals(read[1].head(4))


def as_read(frame: pd.DataFrame, kind: str) -> pl.DataFrame:
    """The column ``x`` as a generator under epsilon gets it; ``kind``: of the column, or "unit" for the patients."""
    from twinset.io.declared import Declared, as_declared
    from twinset.io.frames import cells_of
    from twinset.io.kinds import declared_schema

    unit = "x" if kind == "unit" else ""
    table = cells_of(frame, by_cell=True, unit=unit)
    schema = declared_schema(frame, table, kinds={n: kind for n in table.columns if n != unit}, unit=unit)
    read = as_declared(table, Schema(tuple(schema), unit=""), Declared()).frame  # the rows of no patient are kept here, to compare
    assert isinstance(read, pl.DataFrame)
    return read


KINDS = ("number", "integer", "category", "boolean", "date", "datetime", "text", "unit")
MOMENTS = [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-02 10:30"), pd.Timestamp("1969-12-31 23:59:59.000100")]
COLUMNS = {
    "texts": pd.Series(["a", "007", "true", "2020-01-01"], dtype=object),
    "mixed": pd.Series([1, 1.0, "1", True, 1e-05, 10**16 + 1, dt.date(2020, 1, 1), "x"], dtype=object),
    "int64": pd.Series([0, 1, -3, 2**53 - 1, 2**53, 2**53 + 1, 10**16 + 1, 123456789012345678]),
    "int8": pd.Series([0, 1, -3], dtype="int8"),
    "float64": pd.Series([0.0, -0.0, 1.0, 0.1, 1e-05, 1e16, 1e300, float("inf"), 12345678.9]),
    "float32": pd.Series([0.1, 1.0], dtype="float32"),
    "Int64": pd.Series([0, 1, 2**53 + 1, 123456789012345678], dtype="Int64"),
    "Float64": pd.Series([0.1, 1.0, 1e-05], dtype="Float64"),
    "boolean": pd.Series([True, False], dtype="boolean"),
    "bool": pd.Series([True, False]),
    "string": pd.Series(["a", "1", "1e-05"], dtype="string"),
    "category": pd.Series(pd.Categorical(["a", "1"])),
    "coded": pd.Series(pd.Categorical([1, 2, 10**16 + 1])),
    "binned": pd.Series(pd.cut([1, 7], [0, 5, 9])),
    "datetime64[ns]": pd.Series(MOMENTS),
    "zoned": pd.Series(MOMENTS).dt.tz_localize("Asia/Tokyo"),
    "spans": pd.Series(pd.to_timedelta([1, 90], unit="s")),
}
ODD = {
    "gap": float("nan"),
    "none": None,
    "NA": pd.NA,
    "text": "odd",
    "float": 2.5,
    "bool": True,
    "huge": 10**30,
    "date": dt.date(2021, 5, 5),
    "moment": pd.Timestamp("2021-05-05 01:02:03"),
    "surrogate": "\ud800",
    "bytes": b"a",
    "list": [1],
    "NaT": pd.NaT,
    "no decimal": Decimal("sNaN"),
    "complex": 1j,  # pandas makes complex numbers of the whole column
    "numpy span": np.timedelta64(1, "s"),
}


def with_one_more(column: pd.Series, odd: object) -> list[pd.Series]:
    """The column and one row more, in every type that pandas gives the two."""
    cells = [*column.tolist(), odd]
    made = [pd.Series(cells, dtype=object), pd.Series(cells, dtype=object).infer_objects()]
    with suppress(TypeError, OverflowError, UnicodeEncodeError, InvalidOperation, NotImplementedError):  # what pandas itself cannot do
        made.append(pd.Series(cells, dtype=object).convert_dtypes())
    return made


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning", "ignore:Casting complex:numpy.exceptions.ComplexWarning")  # pandas' own
@pytest.mark.parametrize("kind, given", list(product(KINDS, COLUMNS)))
def test_one_odd_cell_changes_no_other_whatever_type_pandas_gives_the_column(kind: str, given: str) -> None:
    column = COLUMNS[given]
    alone = as_read(pd.DataFrame({"x": column}), kind)
    for name, odd in ODD.items():
        for more in with_one_more(column, odd):
            read = as_read(pd.DataFrame({"x": more}), kind)
            assert read.schema == alone.schema, (name, more.dtype)
            assert read.head(len(column)).equals(alone), (name, more.dtype)


DECLARED = {"number": "Float64", "integer": "Int64", "category": "string", "boolean": "boolean", "date": "datetime64[us]", "datetime": "datetime64[us]"}


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("kind, dtype", list(DECLARED.items()))
@pytest.mark.parametrize("column", ["int64", "float64", "bool", "mixed", "category", "datetime64[ns]"])
def test_the_types_that_come_out_are_the_declarations(kind: str, dtype: str, column: str) -> None:
    for cells in (COLUMNS[column], *(with_one_more(COLUMNS[column], odd)[0] for odd in (None, "odd"))):
        frame = pd.DataFrame({"x": pd.concat([cells] * 30, ignore_index=True), 7: 1})
        made = twinset.synthesize(frame, "mst", epsilon=5.0, n=20, kinds={"x": kind, "7": "integer"}, seed=0)
        assert list(made.columns) == ["x", 7]
        assert made.dtypes.astype(str).tolist() == [dtype, "Int64"]


def test_a_column_of_true_and_false_comes_back_as_both() -> None:
    """Cast to the type that was given, every level that is a text was True."""
    frame = pd.DataFrame({"x": [True, False] * 200})
    assert set(twinset.synthesize(frame, "mst", epsilon=5.0, kinds={"x": "category"})["x"].dropna()) >= {"true", "false"}
    made = twinset.synthesize(frame, "mst", epsilon=5.0, kinds={"x": "boolean"})
    assert set(made["x"].dropna()) == {True, False}


def test_half_a_character_is_a_gap_and_no_error() -> None:
    """``errors="surrogateescape"`` leaves such cells; an error would tell that somebody has one."""
    frame = pd.DataFrame({"id": ["\udcff", *"abcdefgh"] * 20, "x": ["a", "b\ud800", "c"] * 60})
    made = twinset.synthesize(frame, "mst", epsilon=5.0, unit="id", n=9, kinds={"x": "category"})
    assert made.shape == (9, 1)
    assert as_read(frame, "category")["x"].to_list()[:3] == ["a", None, "c"]


def test_polars_and_arrow_come_back_as_declared() -> None:
    given = pl.DataFrame({"x": pl.Series([1, 2] * 50, dtype=pl.Int8), "y": pl.Series(["a", "b"] * 50, dtype=pl.Categorical)})
    made = twinset.synthesize(given, "mst", epsilon=5.0)
    assert made.dtypes == [pl.Int64(), pl.String()]
    assert isinstance(twinset.synthesize(given.lazy(), "mst", epsilon=5.0), pl.LazyFrame)
    assert [str(t) for t in twinset.synthesize(given.to_arrow(), "mst", epsilon=5.0).schema.types] == ["int64", "string"]


def test_numbers_in_a_frame_are_read_with_a_study_that_writes_commas(tmp_path: Path) -> None:
    """One text among the floats makes objects of them all; they stay the numbers they are."""
    from twinset.io.declared import Declared, as_declared
    from twinset.io.frames import cells_of

    how = Declared(decimal=",", thousands=".")
    schema = Schema((twinset.infer(pl.DataFrame({"x": [0.5] * 9}))["x"],))
    for cells in ([1.5, 1234.0, 1.234, 1e-05], [1.5, 1234.0, 1.234, 1e-05, "2,5"]):
        read = as_declared(cells_of(pd.DataFrame({"x": cells}), by_cell=True, decimal=","), schema, how).frame
        assert read["x"].to_list()[:4] == [1.5, 1234.0, 1.234, 1e-05]


def test_patients_numbers_that_a_float_does_not_hold_are_no_names() -> None:
    """A gap makes floats of them, in which many are the same: they name nobody in either type. As texts they are read whole."""
    ids = [123456789012345678 + i for i in range(9)]
    assert as_read(pd.DataFrame({"x": ids}), "unit")["x"].null_count() == 9
    assert as_read(pd.DataFrame({"x": [*ids, None]}), "unit")["x"].null_count() == 10
    assert as_read(pd.DataFrame({"x": [str(i) for i in ids]}), "unit")["x"].n_unique() == 9
    assert as_read(pd.DataFrame({"x": [1.0, None]}), "unit")["x"].to_list() == ["1", None]
