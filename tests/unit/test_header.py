"""Headers of several lines and sheets of workbooks: found, joined, stated in the draft, and read so again."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from twinset.draft import draft
from twinset.errors import StudyInvalid, TableUnreadable
from twinset.io.header import header_lines, joined
from twinset.io.read import Options, read, read_table
from twinset.study import parse
from twinset.table import read_cohort

SECRET = "Zebulon-Quill"
ROWS = [[str(20 + i % 60), "fm"[i % 2], f"{9 + i % 60 / 10:.1f}", f"2020-01-{1 + i % 28:02}"] for i in range(40)]
MERGED = (["Demographics", "", "Labs", ""], ["age", "sex", "Hb", "day"])


def csv(path: Path, lines: Sequence[Sequence[str]]) -> Path:
    path.write_text("\n".join(",".join(line) for line in [*lines, *ROWS]) + "\n")
    return path


def workbook(path: Path, sheets: dict[str, Sequence[Sequence[str | float | dt.date | None]]]) -> Path:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        form = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, dt.date):
                        sheet.write_datetime(i, j, dt.datetime(cell.year, cell.month, cell.day), form)
                    elif cell not in (None, ""):
                        sheet.write(i, j, cell)
    return path


def cells() -> list[list[str | float | dt.date | None]]:
    return [[float(a), s, float(h), dt.date.fromisoformat(d)] for a, s, h, d in ROWS]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (MERGED, ["age", "sex", "Hb", "day"]),
        ((["age", "sex", "Hb", "day"], ["years", "", "g/dl", "date"]), ["age_years", "sex", "Hb_g/dl", "day_date"]),
        ((["Baseline", "", "Month 6", ""], ["x", "y", "x", "y"]), ["Baseline_x", "Baseline_y", "Month 6_x", "Month 6_y"]),
        ((["Export of a study", "", "", ""], ["age", "sex", "Hb", "day"]), ["age", "sex", "Hb", "day"]),
        ((["Study", "", "", ""], ["Demographics", "", "Labs", ""], ["age", "sex", "Hb", "day"]), ["age", "sex", "Hb", "day"]),
        ((["age", "sex", "Hb", "day"],), ["age", "sex", "Hb", "day"]),
    ],
)
def test_lines_of_names(tmp_path: Path, lines: Sequence[Sequence[str]], names: list[str]) -> None:
    """Red before: the second line of names was the first patient, and every number a text."""
    made = read(csv(tmp_path / "t.csv", lines), Options(header=None))
    assert made.options.header == len(lines)
    assert made.frame.columns == names
    assert (made.frame.height, made.frame.dtypes[0]) == (40, pl.Int64)


def test_patients_are_no_names() -> None:
    rows = [["age", "Hb", "x"], ["unclear", "n/a", "?"], *(["50", "11", "a"] for _ in range(9))]
    assert header_lines(rows) == 1
    assert header_lines([["a", "b"], ["f", "g"], ["f", "g"], ["m", "h"], ["f", "g"]]) == 1
    assert header_lines([["a", "2010", "2011"], *(["x", "50", "11"] for _ in range(9))]) == 1
    refused = ["not eligible", "not eligible", "b"]  # two odd cells in the first row, and again further down
    assert header_lines([["age", "Hb", "x"], refused, *(["50", "11", "a"] for _ in range(9)), refused]) == 1
    assert header_lines([["only"]]) == 1
    assert joined([]) == []


def test_the_draft_states_the_header_and_the_run_reads_it(tmp_path: Path) -> None:
    for path in (csv(tmp_path / "t.csv", MERGED), workbook(tmp_path / "t.xlsx", {"data": [*MERGED, *cells()]})):
        study = parse(draft(path), folder=tmp_path)
        assert study.data.header == 2
        assert list(study.columns) == ["age", "sex", "Hb", "day"]
        assert [c.kind for c in study.columns.values()] == ["integer", "category", "number", "date"]
        frame = read_cohort(study).frame
        assert (frame.height, frame.columns) == (40, ["age", "sex", "Hb", "day"])
    assert read_table(tmp_path / "t.csv", header=1).columns[:2] == ["Demographics", "column_2"]


def test_a_ragged_line_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", MERGED)
    path.write_text(path.read_text() + f"1,{SECRET}\n")
    with pytest.raises(TableUnreadable, match="line 43 has 2 fields") as caught:
        read_table(path, header=2)
    assert SECRET not in str(caught.value)


def test_a_private_run_reads_one_line_of_names(tmp_path: Path) -> None:
    text = draft(csv(tmp_path / "t.csv", MERGED), private=True)
    assert "CHECK: a private run reads one line of names" in text
    with pytest.raises(StudyInvalid, match="one line of names"):
        read_cohort(parse(text, folder=tmp_path))


def test_sheets(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", {"Leer": [], "Titel": [["only a title"]], "Daten": [["age", "sex", "Hb", "day"], *cells()], "alt": [["x"], [1.0]]})
    made = read(path, Options(header=None))
    assert made.options.sheet == "Daten"
    assert made.frame.height == 40
    assert 'sheet "Daten" of 4 was read ("Leer", "Titel", "Daten", "alt")' in made.notes[0]
    assert tomllib.loads(draft(path))["data"]["sheet"] == "Daten"
    with pytest.raises(TableUnreadable, match='"Leer", "Titel", "Daten", "alt"'):
        read_table(path, sheet="Nope")
    alone = workbook(tmp_path / "one.xlsx", {"data": [["x"], [1.0], [2.0]]})
    assert "sheet" not in tomllib.loads(draft(alone))["data"]


def test_days_of_a_sheet_are_dates(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", {"data": [["age", "sex", "Hb", "day"], *cells()]})
    assert read_table(path)["day"].dtype == pl.Date
    assert tomllib.loads(draft(path))["columns"]["day"]["type"] == "date"


def test_options_are_kept(tmp_path: Path) -> None:
    assert read(csv(tmp_path / "t.csv", MERGED[1:]), Options(header=1)).options.header == 1
