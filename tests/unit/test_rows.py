"""Rows chosen by a condition, patients widened to one row, and the bound by order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.coding.history import bound
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.door import declared_reading
from twinset.errors import StudyInvalid
from twinset.facts import release_text
from twinset.pipeline import _halves
from twinset.rows import differing, only, wide
from twinset.study import parse
from twinset.table import read_cohort

EYES = pl.DataFrame(
    {
        "id": [7, 7, 3, 3, 5],
        "age": [40, 40, 51, 51, 60],
        "eye": ["left", "right", "right", "left", "left"],
        "trt": [1, 0, 1, 0, 1],
        "futime": [10.5, 12.0, 3.0, 4.5, 8.0],
    }
)


def test_a_condition_chooses_rows_and_gaps_are_left_out() -> None:
    frame = pl.DataFrame({"etype": [1, 2, None, 2], "x": ["a", "b", "c", "d"]})
    assert only(frame, "etype == 2")["x"].to_list() == ["b", "d"]
    assert only(frame, 'x in {"a", "d"} and etype present')["x"].to_list() == ["a", "d"]
    assert only(frame, "") is frame


@pytest.mark.parametrize("condition", ["etyp == 2", "etype = 2", 'etype == "two"', "etype ==", "etype == 9"])
def test_a_condition_that_cannot_be_used_is_the_studys_fault(condition: str) -> None:
    frame = pl.DataFrame({"etype": [1, 2], "x": ["a", "b"]})
    with pytest.raises(StudyInvalid, match=r"data\.where") as caught:
        only(frame, condition)
    assert caught.value.hint


def test_what_differs_within_patients_is_widened_and_the_rest_stays_once() -> None:
    made = wide(EYES, "id", "eye")
    assert made.to_dict(as_series=False) == {
        "id": [7, 3, 5],
        "age": [40, 51, 60],
        "trt_left": [1, 0, 1],
        "trt_right": [0, 1, None],
        "futime_left": [10.5, 4.5, 8.0],
        "futime_right": [12.0, 3.0, None],
    }


@given(st.data())
def test_widening_loses_and_invents_nothing(data: st.DataObject) -> None:
    cells = data.draw(st.dictionaries(st.tuples(st.integers(0, 8), st.integers(0, 3)), st.integers(-5, 5), min_size=1))
    frame = pl.DataFrame({"who": [p for p, _ in cells], "visit": [v for _, v in cells], "y": list(cells.values())})
    made = wide(frame, "who", "visit")
    assert made["who"].to_list() == list(dict.fromkeys(p for p, _ in cells))
    if "y" in differing(frame, "who"):
        back = {(row["who"], v): row[f"y_{v}"] for row in made.iter_rows(named=True) for v in frame["visit"].unique() if row[f"y_{v}"] is not None}
        assert back == cells
    else:
        assert dict(zip(made["who"], made["y"], strict=True)) == {p: y for (p, _), y in cells.items()}


def test_what_cannot_be_widened_is_said_with_row_numbers_and_no_values() -> None:
    twice = pl.concat([EYES, EYES.head(1)])
    with pytest.raises(StudyInvalid, match=r"several rows of one level of `eye`, as row 6"):
        wide(twice, "id", "eye")
    with pytest.raises(StudyInvalid, match="row 2 names no level"):
        wide(EYES.with_columns(eye=pl.Series(["left", None, "right", "left", "left"])), "id", "eye")
    with pytest.raises(StudyInvalid, match=r"data\.unit is row"):
        wide(EYES, "row", "eye")
    with pytest.raises(StudyInvalid, match="no column `side`"):
        wide(EYES, "id", "side")
    with pytest.raises(StudyInvalid, match="share a name"):
        wide(EYES.with_columns(trt_left=pl.lit(1)), "id", "eye")


def test_first_and_last_are_by_the_order_of_the_file() -> None:
    schema = Schema((Column("p", "text", role="identifier"), Column("x", "integer")), unit="p")
    cohort = Cohort(pl.DataFrame({"p": ["b", "a", "b", "a", "b"], "x": [1, 2, 3, 4, 5]}), schema)
    rng = np.random.default_rng(0)
    assert bound(cohort, 1, rng, keep="first")["x"].to_list() == [1, 2]
    assert bound(cohort, 2, rng, keep="first")["x"].to_list() == [1, 2, 3, 4]
    assert bound(cohort, 1, rng, keep="last")["x"].to_list() == [4, 5]


def study(folder: Path, keys: str, columns: str, *, more: str = "") -> str:
    EYES.write_csv(folder / "eyes.csv")
    return f'[data]\npath = "eyes.csv"\nunit = "id"\nseparator = ","\ndecimal = "."\nencoding = "utf-8"\nmissing = []\n{keys}\n{columns}\n{more}'


def test_a_study_reads_the_table_that_is_left(tmp_path: Path) -> None:
    names = {"id": "text", "age": "integer", "trt_left": "integer", "trt_right": "integer", "futime_left": "number", "futime_right": "number"}
    columns = "\n".join(f'[columns.{n}]\ntype = "{t}"' for n, t in names.items())
    made = read_cohort(parse(study(tmp_path, 'where = "age < 60"\nwiden = "eye"', columns), folder=tmp_path))
    assert made.frame.columns == list(names)
    assert made["futime_right"].to_list() == [12.0, 3.0]


@pytest.mark.parametrize("keys", ['where = "age < 60"', 'widen = "eye"', 'keep = "first"\nper_patient = 1'])
def test_a_private_run_refuses_before_anything_is_read(tmp_path: Path, keys: str) -> None:
    text = study(tmp_path, keys, '[columns.id]\ntype = "text"\n[columns.age]\ntype = "integer"', more='[privacy]\nepsilon = 1\nunit = "id"\n')
    (tmp_path / "eyes.csv").unlink()
    with pytest.raises(StudyInvalid, match="does not choose or widen rows"):
        read_cohort(parse(text, folder=tmp_path))
    with pytest.raises(StudyInvalid, match="does not choose or widen rows"):
        declared_reading(parse(text, folder=tmp_path))


@pytest.mark.parametrize(("keep", "expected"), [("first", {10.5, 3.0, 8.0}), ("last", {12.0, 4.5, 8.0})])
def test_a_release_is_made_of_the_rows_that_are_kept(tmp_path: Path, keep: str, expected: set[float]) -> None:
    columns = "\n".join(
        f'[columns.{n}]\ntype = "{t}"' for n, t in {"id": "text", "age": "integer", "eye": "category", "trt": "integer", "futime": "number"}.items()
    )
    made = parse(study(tmp_path, f'per_patient = 1\nkeep = "{keep}"', columns), folder=tmp_path)
    halves = _halves(made, read_cohort(made), None)
    assert set().union(*(h["futime"].to_list() for h in halves)) == expected


def test_the_recipient_is_told_what_a_row_is_and_no_value_of_the_condition(tmp_path: Path) -> None:
    made = parse(study(tmp_path, 'where = "age < 59"\nper_patient = 1\nkeep = "last"', '[columns.id]\ntype = "text"'), folder=tmp_path)
    told = json.loads(release_text(made))["data"]
    assert {k: told[k] for k in ("unit", "per_patient", "keep")} == {"unit": "id", "per_patient": 1, "keep": "last"}
    assert "where" in told
    assert "59" not in json.dumps(told)
