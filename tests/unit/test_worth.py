"""A private run that is foretold to be of no use stops before it spends."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.errors import PolicyRefused
from twinset.pipeline import _public_size, release
from twinset.release.terms import Privacy
from twinset.study import Study, parse

OPEN = "\n".join(f'[columns.c{i}]\ntype = "number"' for i in range(8))  # nothing declared: everything has to be found within the budget
LISTED = "\n".join(f'[columns.c{i}]\ntype = "integer"\nlow = 0\nhigh = 4\norigin = "public"' for i in range(8))


def study(tmp_path: Path, columns: str, *, epsilon: float, about: int, more: str = "") -> Study:
    rng = stream(1, "worth")
    pl.DataFrame({f"c{i}": rng.integers(0, 5, 400) for i in range(8)}).write_csv(tmp_path / "t.csv")
    text = f"""
{more}
[data]
path = "t.csv"
unit = "row"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
[generator]
name = "mst"
{columns}
[privacy]
epsilon = {epsilon}
unit = "row"
about = {about}
"""
    return parse(text, folder=tmp_path)


def test_it_stops_before_it_spends_and_says_what_to_declare(tmp_path: Path) -> None:
    with pytest.raises(PolicyRefused) as refused:
        release(study(tmp_path, OPEN, epsilon=0.02, about=400))
    assert "of no use" in str(refused.value)
    assert "`c" in refused.value.hint
    assert "--spend-anyway" in refused.value.hint
    assert not list(tmp_path.glob("*.ledger.jsonl")), "something was spent"


def test_it_goes_on_anyway_where_so_asked(tmp_path: Path) -> None:
    """The gate then refuses what came out, and what was paid for is kept."""
    made = release(study(tmp_path, OPEN, epsilon=0.02, about=400, more="policy.output.foretold = 1"))
    assert list(tmp_path.glob("*.ledger.jsonl"))
    assert (made.verdict.verdict, made.verdict.released) == ("of no use", False)


@pytest.mark.parametrize(("columns", "about"), [(LISTED, 400), (OPEN, 0)], ids=["worth it", "number of patients not known"])
def test_what_is_worth_it_or_cannot_be_foretold_goes_on(tmp_path: Path, columns: str, about: int) -> None:
    release(study(tmp_path, columns, epsilon=5, about=about))
    assert list(tmp_path.glob("*.ledger.jsonl"))


def test_rows_of_patients_are_not_counted_for_it() -> None:
    """Under replace-one only the number of rows that are patients is public: rows a patient more or less must not decide whether a run goes on."""
    cohort = Cohort(pl.DataFrame({"who": [1, 1, 2], "x": [1, 2, 3]}), Schema((Column("who", "text", "identifier"), Column("x", "integer")), unit="who"))
    assert [
        _public_size(cohort, Privacy(epsilon=1, unit=unit, relation=relation))
        for unit, relation in (("who", "replace"), ("row", "replace"), ("row", "add-remove"))
    ] == [0, 3, 0]
