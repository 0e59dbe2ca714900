"""Where a table's ledger is: links of every sort lead to the same one, and two are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from twinset.dp import whereabouts
from twinset.errors import BadInput

NAME = "patients.csv.ledger.jsonl"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "patients.csv"
    path.write_text("age\n31\n")
    return path


def linked(table: Path) -> Path:
    """A link to the table, under another name in another folder."""
    folder = table.parents[1] / "mine"
    folder.mkdir()
    (folder / "link.csv").symlink_to(table)
    return folder / "link.csv"


def test_a_link_has_the_ledger_of_the_real_file(table: Path) -> None:
    link = linked(table)
    assert whereabouts.chosen(link) == whereabouts.chosen(table) == table.with_name(NAME)
    table.with_name(NAME).touch()
    assert whereabouts.chosen(link) == table.with_name(NAME)
    assert whereabouts.kind(link, table.with_name(NAME)) == "beside the table"


def test_a_ledger_beside_a_link_is_found_too(table: Path) -> None:
    link = linked(table)
    mine = link.with_name("link.csv.ledger.jsonl")
    mine.touch()
    assert whereabouts.chosen(link) == mine
    assert whereabouts.kind(link, mine) == "beside the table"
    table.with_name(NAME).touch()
    with pytest.raises(BadInput, match="two ledgers"):
        whereabouts.chosen(link)
    with pytest.raises(BadInput, match="two ledgers"):
        whereabouts.chosen(link, mine)


def test_a_folder_that_is_a_link_is_no_second_place(table: Path) -> None:
    (table.parents[1] / "way").symlink_to(table.parent)
    assert whereabouts.places(table.parents[1] / "way" / "patients.csv") == (table.parents[1] / "way" / NAME,)


SAME: dict[str, Callable[[Path, Path], None]] = {
    "a soft link": lambda ledger, named: named.symlink_to(ledger),
    "a hard link": lambda ledger, named: os.link(ledger, named),
    "the other way round": lambda ledger, named: (ledger.rename(named), ledger.symlink_to(named))[1],
}


@pytest.mark.parametrize("how", SAME)
def test_a_named_ledger_that_is_the_one_beside(table: Path, tmp_path: Path, how: str) -> None:
    ledger, named = table.with_name(NAME), tmp_path / "kept.jsonl"
    ledger.write_text("one\n")
    SAME[how](ledger, named)
    assert whereabouts.chosen(table, named).samefile(ledger)
    assert whereabouts.kind(table, named) == "beside the table"


@pytest.mark.parametrize("exists", [True, False])
def test_another_one_is_refused_while_one_lies_beside(table: Path, tmp_path: Path, exists: bool) -> None:
    table.with_name(NAME).touch()
    if exists:
        (tmp_path / "other.jsonl").touch()
    with pytest.raises(BadInput, match="beside the table already") as caught:
        whereabouts.chosen(table, tmp_path / "other.jsonl")
    assert caught.value.hint


def test_a_link_that_leads_nowhere_is_not_nothing(table: Path, tmp_path: Path) -> None:
    """A ledger on a drive that is not mounted: no other one may take its place."""
    table.with_name(NAME).symlink_to(tmp_path / "not mounted" / "kept.jsonl")
    with pytest.raises(BadInput, match="beside the table already"):
        whereabouts.chosen(table, tmp_path / "other.jsonl")
    assert whereabouts.chosen(table) == table.with_name(NAME)


def test_named_where_none_lies_beside(table: Path, tmp_path: Path) -> None:
    named = tmp_path / "kept.jsonl"
    assert whereabouts.chosen(table, named) == named
    assert whereabouts.kind(table, named) == "named by the study"
