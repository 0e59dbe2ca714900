"""The budget of a data set from the command line: another ledger, a copy, a moved or deleted or older ledger do not give it anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

STUDY = """
[data]
path = "patients.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
[generator]
name = "mst"
[columns.age]
type = "integer"
low = 18
high = 95
origin = "public"
[columns.sex]
type = "category"
levels = ["female", "male"]
origin = "public"
[policy]
name = "none"
checks = []
[privacy]
epsilon = 1
unit = "row"
"""
LEDGER = "patients.csv.ledger.jsonl"


@pytest.fixture
def folder(tmp_path: Path, people: pl.DataFrame) -> Path:
    people.select("age", "sex").write_csv(tmp_path / "patients.csv")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def certificate(folder: Path, twin: str = "twin") -> dict:
    return json.loads((folder / twin / "release" / "certificate.json").read_text())


def said(run) -> str:
    return " ".join(run.stderr.split())


def spent(twinset) -> None:
    """The whole budget, epsilon = 1, by one release."""
    first = twinset("release", "study.toml", "-o", "twin")
    assert first.returncode == 0, first.stderr
    assert twinset("release", "study.toml", "-o", "again").returncode == 3


def refused(run, *words: str) -> None:
    assert run.returncode == 2, (run.returncode, run.stderr)
    assert "hint:" in run.stderr
    for word in words:
        assert word in said(run), (word, run.stderr)


def test_another_ledger_named_in_the_study_is_no_fresh_budget(folder: Path, twinset) -> None:
    spent(twinset)
    refused(twinset("release", "study.toml", "-o", "more", "--set", "privacy.ledger=other.jsonl"), "beside the table", "privacy.ledger")
    assert not (folder / "more").exists()
    assert not (folder / "other.jsonl").exists()


def test_a_copy_of_the_table_is_no_fresh_budget(folder: Path, twinset) -> None:
    spent(twinset)
    shutil.copy(folder / "patients.csv", folder / "copy.csv")
    refused(twinset("release", "study.toml", "-o", "more", "--set", "data.path=copy.csv"), "another ledger", LEDGER)
    assert not (folder / "more").exists()
    assert not (folder / "copy.csv.ledger.jsonl").exists()


def test_a_budget_is_not_raised_by_an_override(folder: Path, twinset) -> None:
    spent(twinset)
    refused(twinset("release", "study.toml", "-o", "more", "--set", "privacy.budget=9"), "budget is 1.0 in the ledger and 9.0 in the study")
