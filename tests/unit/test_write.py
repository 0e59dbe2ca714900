"""What is written can be read back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from twinset.errors import OutputProblem
from twinset.io.read import read_table
from twinset.io.write import WRITERS, write_table

FRAME = pl.DataFrame(
    {
        "whole": [1, None, 3],
        "half": [1.5, None, 2.25],
        "text": ["NA", "=1+1", None],
        "quoted": ['a "b"', "c,d", "e\nf"],
        "day": [dt.date(2020, 1, 31), None, dt.date(1890, 2, 3)],
        "moment": [dt.datetime(2020, 1, 1, 10, 0), None, dt.datetime(2020, 1, 1, 10, 0, 1)],
        "yes": [True, None, False],
        "big": [2**60 + 1, None, 5],
    }
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".arrow", ".feather", ".duckdb"])
def test_round_trip_is_exact(tmp_path: Path, suffix: str) -> None:
    write_table(FRAME, tmp_path / f"t{suffix}")
    assert_frame_equal(read_table(tmp_path / f"t{suffix}"), FRAME)


@pytest.mark.parametrize("suffix", [".dta", ".sav", ".xpt", ".xlsx"])
def test_round_trip_of_formats_with_fewer_types(tmp_path: Path, suffix: str) -> None:
    """No booleans in statistics packages, no 64-bit integers in any of the four: those come back as 0/1 and as text, exactly."""
    frame = FRAME.drop("quoted")
    write_table(frame, tmp_path / f"t{suffix}")
    back = read_table(tmp_path / f"t{suffix}")
    assert back.columns == frame.columns
    assert back["whole"].to_list() == [1, None, 3]
    assert back["half"].to_list() == [1.5, None, 2.25]
    assert back["text"].to_list() == ["NA", "=1+1", None]
    assert [str(v) if v is not None else None for v in back["big"]] == [str(2**60 + 1), None, "5"]
    assert [None if v is None else bool(v) for v in back["yes"]] == [True, None, False]
    if suffix != ".xlsx":  # Excel knows no day before 1900: such a column is text there
        assert back["day"].to_list() == frame["day"].to_list()
    assert back["moment"].to_list() == frame["moment"].to_list()


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_equal_tables_are_equal_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_table(FRAME, tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(OutputProblem, match="cannot write"):
        write_table(FRAME, tmp_path / "t.doc")
    write_table(FRAME, tmp_path / "t.csv")
    with pytest.raises(OutputProblem, match="exists already"):
        write_table(FRAME, tmp_path / "t.csv")
    write_table(FRAME.head(1), tmp_path / "t.csv", overwrite=True)
    assert read_table(tmp_path / "t.csv").height == 1
    with pytest.raises(OutputProblem, match="column name"):
        write_table(pl.DataFrame({"d.time": [1]}), tmp_path / "t.sav")
    with pytest.raises(OutputProblem, match="Excel sheet holds"):
        write_table(pl.DataFrame({f"x{i}": [1] for i in range(16_385)}), tmp_path / "t.xlsx")
    with pytest.raises(OutputProblem):
        write_table(pl.DataFrame({"nested": [[1, 2]]}), tmp_path / "n.csv")
    assert {p.name for p in tmp_path.iterdir()} == {"t.csv"}


def test_every_format_can_be_read() -> None:
    from twinset.io.read import KNOWN

    assert set(WRITERS) <= set(KNOWN)
