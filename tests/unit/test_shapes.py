"""Dates, pairs of numbers and words for missing, as people write them: read where there is one way to, else left out with the reason."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from twinset.draft import draft
from twinset.io.cells import typed
from twinset.io.infer import describe
from twinset.io.moments import moments
from twinset.io.read import read, read_table
from twinset.io.shapes import MIXED, OPEN, PAIRS, SEVERAL, SHORT, unreadable
from twinset.study import parse
from twinset.table import read_cohort

DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=3 * i) for i in range(120)]


def column(path: Path, name: str, cells: list[str], sep: str = ";") -> dict[str, Any]:
    path.write_text("\n".join([f"{name}{sep}g", *(f"{c}{sep}{'ab'[i % 2]}" for i, c in enumerate(cells))]) + "\n")
    made: dict[str, Any] = tomllib.loads(draft(path))
    return made


MIXES = {
    "iso and dotted": (["%Y-%m-%d", "%d.%m.%Y"], "dmy"),
    "slashes and month names": (["%m/%d/%Y", "%d %b %Y"], "mdy"),
    "iso, dotted and slashes of one order": (["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y"], "dmy"),
    "month names": (["%d%b%Y", "%B %d, %Y", "%d-%b-%Y"], "ymd"),
}


@pytest.mark.parametrize("name", MIXES)
def test_dates_in_several_formats_that_each_read_in_one_way(name: str) -> None:
    """Red before: text, and so lost. The private reader gives the same days."""
    forms, order = MIXES[name]
    texts = pl.Series("d", [day.strftime(forms[i % len(forms)]) for i, day in enumerate(DAYS)])
    made = typed(texts)
    assert made.series.to_list() == DAYS
    assert made.date_order == order
    assert moments(texts, order=order).cast(pl.Date).to_list() == DAYS


def test_dates_whose_formats_contradict_each_other_are_left_out() -> None:
    both = pl.Series("d", [day.strftime(("%d.%m.%Y", "%m/%d/%Y")[i % 2]) for i, day in enumerate(DAYS)])
    assert typed(both).series.dtype == pl.String
    five = [day.strftime(("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %y", "%Y%m%d")[i % 5]) for i, day in enumerate(DAYS)]
    early = [f"{1 + i % 12:02}.{1 + i // 12:02}.2020" if i % 2 else f"2020-{1 + i // 12:02}-{1 + i % 12:02}" for i in range(120)]  # 05.04.: which is it?
    for texts in (both, pl.Series("visit", five), pl.Series("visit", early)):
        made = describe(typed(texts).series)
        assert (made.kind, made.identifier, made.description) == ("text", "", SEVERAL)


def test_reasons() -> None:
    assert unreadable(pl.Series([day.strftime("%d.%m.%y") for day in DAYS])) == SHORT
    assert unreadable(pl.Series([f"{1 + i % 12:02}/{1 + i // 12:02}/{2000 + i % 9}" for i in range(120)])) == OPEN
    assert unreadable(pl.Series([f"{110 + i % 50} / {60 + i % 31}" for i in range(120)])) == PAIRS
    assert unreadable(pl.Series([f"{i}/2020" for i in range(120)])) == ""  # a number of a year
    assert unreadable(pl.Series(["1/2", "1/4"] * 60)) == ""  # levels
    assert unreadable(pl.Series([f"A{i}" for i in range(120)])) == ""
    assert describe(pl.Series("crp", [f"{i}.5 mg/l" for i in range(120)])).description == MIXED


def test_a_pressure_is_two_numbers(tmp_path: Path) -> None:
    made = column(tmp_path / "t.csv", "bp", [f"{100 + i % 61}/{60 + i % 37}" for i in range(200)])["columns"]["bp"]
    assert (made["type"], made["description"], made.get("identifier")) == ("text", PAIRS, None)
    text = draft(tmp_path / "t.csv")
    assert "split it in the table into `bp_1` and `bp_2`" in text


WORDS = ["k.A.", "n/a", "unbekannt", "keine Angabe", "nicht erhoben", "fehlt", "inconnu", "ND", "desconocido", "sin dato", "missing", "Unknown", "not done"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("cell", ["{0},1", "{1}.01.2020"], ids=["numbers", "dates"])
def test_words_for_missing_in_several_languages(tmp_path: Path, word: str, cell: str) -> None:
    """Red before: one word made a hundred levels of the numbers."""
    cells = [word if i % 11 == 0 else cell.format(9 + i % 80, f"{1 + i % 31:02}") for i in range(160)]
    made = column(tmp_path / "t.csv", "hb", cells)
    assert made["columns"]["hb"]["type"] in ("number", "date")
    assert made["data"]["missing"] == [word]
    study = parse(draft(tmp_path / "t.csv"), folder=tmp_path)
    assert read_cohort(study).frame["hb"].null_count() == 15


def test_a_word_for_missing_among_texts_is_a_level(tmp_path: Path) -> None:
    made = column(tmp_path / "t.csv", "smoker", ["yes", "no", "unknown"] * 40)
    assert made["columns"]["smoker"]["levels"] == ["no", "unknown", "yes"]
    assert made["data"]["missing"] == []


def test_what_the_study_says_of_dates_and_thousands_is_kept_to(tmp_path: Path) -> None:
    """Red before: the open reader found these out and forgot what the study said."""
    path = tmp_path / "t.csv"
    rows = [f"{1 + i % 12:02}/{1 + i // 12:02}/2020,{'ab'[i % 2]},1 {100 + i}" for i in range(100)]
    path.write_text("\n".join(["day,g,cost", *rows]) + "\n")
    assert read(path).two_orders == ("day",)
    text = draft(path).replace("missing = []", 'missing = []\nthousands = " "').replace('"text"\nrole = ""\ndescription', '"date"\nrole = ""\ndescription')
    text = text[: text.index("[columns.cost]")] + '[columns.cost]\ntype = "integer"\n'
    for order, second in (("dmy", dt.date(2020, 1, 2)), ("mdy", dt.date(2020, 2, 1))):
        study = parse(text, folder=tmp_path, overrides=[f"data.date_order={order}"])
        frame = read_cohort(study).frame
        assert frame["day"][1] == second
        assert frame["cost"][1] == 1101
    assert read_table(path, thousands=" ")["cost"][1] == 1101


def test_bounds_of_dates_are_dates(tmp_path: Path) -> None:
    """Red before: days since 1970, which nobody reads."""
    path = tmp_path / "t.parquet"
    pl.DataFrame({"day": DAYS, "seen": [dt.datetime(2021, 3, 4, 5, 6, 7) + dt.timedelta(hours=7 * i) for i in range(120)]}).write_parquet(path)
    made = tomllib.loads(draft(path))["columns"]
    assert (made["day"]["low"], made["day"]["high"]) == (DAYS[0], DAYS[-1])
    assert made["seen"]["low"] == dt.datetime(2021, 3, 4, 5, 6, 7)
    study = parse(draft(path), folder=tmp_path)
    assert study.columns["day"].low == (DAYS[0] - dt.date(1970, 1, 1)).days
    assert study.schema_of_columns()["seen"].low == describe(read_table(path)["seen"]).low


def test_levels_that_are_ranges_are_in_order() -> None:
    size = describe(pl.Series("size", ["<=20", ">50", "20-50"] * 20))
    assert (size.levels, size.ordered) == (("<=20", "20-50", ">50"), True)
    age = describe(pl.Series("age", ["65+", "18-40", "under 18", "41-64"] * 20))
    assert (age.levels, age.ordered) == (("under 18", "18-40", "41-64", "65+"), True)
    assert not describe(pl.Series("code", ["8302-2", "29463-7", "8480-6"] * 20)).ordered
    assert not describe(pl.Series("x", ["<5", "a"] * 20)).ordered


def test_numbers_that_are_no_grades() -> None:
    sodium = describe(pl.Series("sodium", [131 + i % 20 for i in range(200)]))
    assert (sodium.kind, sodium.low, sodium.high) == ("integer", 131, 150)
    assert describe(pl.Series("year", [1995 + i % 9 for i in range(200)])).kind == "integer"
    for name, values, ordered in (("sex", [1, 2], False), ("arm", [0, 1, 2], False), ("flag", [0, 1], False), ("stage", [1, 2, 3, 4], True)):
        made = describe(pl.Series(name, values * 30))
        assert (made.kind, made.ordered) == ("category", ordered)


@pytest.mark.parametrize(
    ("name", "values", "asked"),
    [
        ("height", [1.45 + i % 52 / 100 if i % 5 else 150 + i % 40 for i in range(200)], True),
        ("x", [2.9 + i % 90 / 10 if i % 3 else 52 + i % 97 for i in range(200)], True),
        ("glucose", [2.9 * 1.02 ** (i % 200) for i in range(400)], True),
        ("crp", [0.3 * 1.03 ** (i % 200) for i in range(400)], False),
        ("days", [1 + (i * i) % 3000 for i in range(400)], False),
        ("height", [150 + i % 41 for i in range(200)], False),
        ("bmi", [18 + i % 150 / 10 for i in range(200)], False),
    ],
)
def test_two_units_are_asked_about(tmp_path: Path, name: str, values: list[float], asked: bool) -> None:
    path = tmp_path / "t.csv"
    pl.DataFrame({name: [float(v) for v in values], "g": ["a", "b"] * (len(values) // 2)}).write_csv(path)
    assert ("two units" in draft(path)) == asked
    private = draft(path, private=True)
    assert ("two units" in private) == asked
    assert "Seen:" not in private
