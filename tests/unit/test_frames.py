"""Frames of any kind in, the same kind back."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from twinset.errors import BadInput
from twinset.io.frames import back, to_polars

INDEX = [5, 6, 7]


def pandas_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "gap": [1.0, float("nan"), 3.0],
            "big": pd.array([1, None, 2**60 + 1], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "text": ["a", None, "NA"],
            "level": pd.Categorical(["u", None, "v"], categories=["v", "u", "unused"], ordered=True),
            "coded": pd.Categorical([3, 1, 1]),
            "day": pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
            "moment": pd.to_datetime(["2020-01-01 10:00", None, "2021-01-01 00:00"]),
            "zoned": pd.to_datetime(["2020-01-01 10:00", None, "2021-01-01 00:00"]).tz_localize("Europe/Paris"),
            "span": pd.to_timedelta([1, 2, 3], unit="h"),
            "small": pd.Series([1, 2, 3], dtype="int8", index=INDEX),
            7: [1, 2, 3],
        },
        index=INDEX,
    )


def test_pandas_in() -> None:
    frame = to_polars(pandas_frame())
    assert frame["big"].to_list() == [1, None, 2**60 + 1]
    assert frame["gap"].to_list() == [1.0, None, 3.0]
    assert frame["level"].to_list() == ["u", None, "v"]
    assert frame["level"].dtype == pl.String
    assert frame["coded"].to_list() == [3, 1, 1]
    assert frame["day"].to_list() == [dt.date(2020, 1, 1), None, dt.date(2021, 1, 1)]
    assert frame["zoned"][0] == dt.datetime(2020, 1, 1, 9, 0)
    assert frame["text"].to_list() == ["a", None, "NA"]
    assert frame.columns[-1] == "7"


def test_pandas_back_has_the_same_types_and_cells_and_a_new_index() -> None:
    given = pandas_frame()
    made = back(to_polars(given), given)
    assert list(made.columns) == list(given.columns)
    for name in given.columns:
        if name != "level":  # levels that do not occur are gone: they are the caller's private list
            assert made[name].dtype == given[name].dtype, name
        assert made[name].isna().tolist() == given[name].isna().tolist()
        assert made[name].dropna().tolist() == given[name].dropna().tolist()
    assert made["level"].cat.categories.tolist() == ["v", "u"]
    assert made["level"].cat.ordered
    assert made.index.tolist() == [0, 1, 2]


def test_pandas_whole_numbers_with_new_gaps_become_nullable() -> None:
    given = pd.DataFrame({"x": [1, 2]})
    made = back(pl.DataFrame({"x": [1, None]}), given)
    assert str(made["x"].dtype) == "Int64"
    assert made["x"].isna().tolist() == [False, True]


def test_pandas_mixed_objects_become_text() -> None:
    given = pd.DataFrame({"mixed": ["a", 1, 2.5], "ints": pd.Series([1, None, 2], dtype=object), "flags": pd.Series([True, None, False], dtype=object)})
    frame = to_polars(given)
    assert frame.dtypes == [pl.String, pl.Int64, pl.Boolean]
    assert frame["mixed"].to_list() == ["a", "1", "2.5"]


def test_polars_and_arrow_and_lazy() -> None:
    given = pl.DataFrame({"c": pl.Series(["u", "v"], dtype=pl.Categorical), "n": pl.Series([1, 2], dtype=pl.Int8), "f": [1.0, float("nan")]})
    plain = to_polars(given)
    assert plain.dtypes == [pl.String, pl.Int8, pl.Float64]
    assert plain["f"].to_list() == [1.0, None]
    assert back(plain, given).dtypes == given.dtypes
    assert isinstance(back(plain, given.lazy()), pl.LazyFrame)
    assert_frame_equal(to_polars(given.lazy()), plain)
    table = pa.table({"a": pa.array([1, None], pa.int32()), "s": ["x", "y"], "c": pa.array(["u", "v"]).dictionary_encode()})
    made = back(to_polars(table), table)
    assert made.schema.field("a").type == pa.int32()
    assert made.schema.field("s").type == pa.string()
    assert made.column("c").to_pylist() == ["u", "v"]


def test_refusals_name_no_cell() -> None:
    with pytest.raises(BadInput, match="not a data frame"):
        to_polars({"a": ["secret"]})
    with pytest.raises(BadInput, match="share a name"):
        to_polars(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(BadInput, match="lists"):
        to_polars(pl.DataFrame({"a": [[1]]}))
    with pytest.raises(BadInput, match="not a data frame"):
        back(pl.DataFrame({"a": [1]}), [1])


WITHOUT_PYARROW = """
import importlib.machinery as m
old = m.PathFinder.find_spec
m.PathFinder.find_spec = classmethod(lambda cls, name, *rest: None if name.split(".")[0] == "pyarrow" else old(name, *rest))
import pandas as pd
from twinset.io.frames import back, to_polars
from twinset.io.read import read_table
from twinset.io.write import write_table, WRITERS
from pathlib import Path
import sys
given = pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "s": ["a", None], "d": pd.to_datetime(["2020-01-01", None]), "c": pd.Categorical(["x", "y"])})
made = back(to_polars(given), given)
assert made.dtypes.tolist() == given.dtypes.tolist()
for suffix in WRITERS:
    write_table(to_polars(given), Path(sys.argv[1]) / f"t{suffix}")
    assert read_table(Path(sys.argv[1]) / f"t{suffix}").height == 2, suffix
assert "pyarrow" not in sys.modules
"""


def test_everything_works_without_pyarrow(tmp_path) -> None:  # type: ignore[no-untyped-def]
    done = subprocess.run([sys.executable, "-c", WITHOUT_PYARROW, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
