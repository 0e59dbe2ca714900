"""A draft states how the file is read, so that a private run need not find anything out."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import polars as pl

from twinset.draft import draft


def data_of(path: Path) -> dict[str, Any]:
    return tomllib.loads(draft(path))["data"]


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path


def test_a_text_file_states_every_reading_key(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "x,day", *(f"{i},2020-01-{1 + i % 28:02}" for i in range(40)))
    data = data_of(path)
    assert (data["separator"], data["decimal"], data["encoding"], data["missing"], data["date_order"]) == (",", ".", "utf-8", [], "ymd")
    assert "thousands" not in data


def test_no_dates_no_order(tmp_path: Path) -> None:
    assert "date_order" not in data_of(write(tmp_path / "t.csv", "x,y", *(f"{i},{i}" for i in range(40))))


def test_a_typed_file_states_its_missing_texts_and_no_punctuation(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"x": range(40), "day": ["13.02.2020"] * 40}).write_parquet(path)
    data = data_of(path)
    assert (data["missing"], data["date_order"]) == ([], "dmy")
    assert not {"separator", "decimal", "encoding"} & set(data)


def test_a_german_table(tmp_path: Path) -> None:
    lines = [f"{20 + i};{1 + i % 9}.234;{i},5;{13 + i % 15:02}.02.2020;{'männlich' if i % 2 else 'weiblich'}" for i in range(60)]
    path = write(tmp_path / "t.csv", "Alter;Kosten;CRP;Aufnahme;Geschlecht", *lines, encoding="cp1252")
    data = data_of(path)
    assert (data["separator"], data["decimal"], data["thousands"], data["date_order"]) == (";", ",", ".", "dmy")
    assert data["encoding"].lower() in ("cp1252", "windows-1252")


def test_dates_in_two_orders(tmp_path: Path) -> None:
    """The table's order is the more frequent one; a column that differs says so."""
    lines = [f"{13 + i % 15:02}.02.2020,{13 + i % 15:02}.03.2020,02/{13 + i % 15:02}/2020,2020-02-{13 + i % 15:02} 10:30" for i in range(40)]
    made = tomllib.loads(draft(write(tmp_path / "t.csv", "a,b,c,d", *lines)))
    assert made["data"]["date_order"] == "dmy"
    assert {n: c.get("date_order", "") for n, c in made["columns"].items()} == {"a": "", "b": "", "c": "mdy", "d": "ymd"}


def test_signs_among_numbers_and_dates_are_listed(tmp_path: Path) -> None:
    lines = [f"{'NA' if i % 9 == 0 else i},{'?' if i % 7 == 0 else f'2020-01-{1 + i % 28:02}'},{'fg'[i % 2]}" for i in range(60)]
    assert data_of(write(tmp_path / "t.csv", "x,day,g", *lines))["missing"] == ["?", "NA"]


def test_a_sign_that_is_a_level_elsewhere_is_asked_about(tmp_path: Path) -> None:
    """``NA`` may be North America: it becomes missing there only if the custodian lists it."""
    lines = [f"{'NA' if i % 9 == 0 else i},{('EU', 'NA')[i % 2]}" for i in range(60)]
    text = draft(write(tmp_path / "t.csv", "x,region", *lines))
    assert tomllib.loads(text)["data"]["missing"] == []
    assert 'CHECK: "NA" stands among numbers, where it is read as missing, and is a level of `region`' in text


def test_what_a_private_run_cannot_read_is_said(tmp_path: Path) -> None:
    rows = [f"{i},a" for i in range(40)]
    assert "needs UTF-8" in draft(write(tmp_path / "u.csv", "x,y", *rows, encoding="utf-16"))
    assert "needs UTF-8" not in draft(write(tmp_path / "l.csv", "x,ü", *rows, encoding="latin-1"))
    broken = draft(write(tmp_path / "b.csv", "x,y", *rows, '41,"one\ntwo"'))
    assert "line breaks inside" in broken
    assert "Parquet" in broken
    assert "line breaks inside" not in draft(write(tmp_path / "q.csv", "x,y", *rows, '41,"one, two"'))
    ragged = [f'{i},"a" b' for i in range(40)]
    assert "line breaks inside" in draft(write(tmp_path / "s.csv", "x,y", *ragged, '41,"one\n\ntwo"'))
