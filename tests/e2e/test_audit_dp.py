"""``twinset audit-dp`` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twinset import private
from twinset.audit.privacy.split import split
from twinset.cli.app import run

STUDY = """
[data]
path = "nobody-may-open-this.csv"
separator = ";"
decimal = ","
encoding = "utf-8"
missing = ["-9"]
date_order = "dmy"
unit = "mrn"
per_patient = 2
[generator]
name = "mst"
[columns.mrn]
type = "text"
role = "identifier"
[columns.seen]
type = "date"
[columns.dose]
type = "number"
low = 0.0
high = 9.5
decimals = 1
origin = "public"
[columns.arm]
type = "category"
levels = [0, 1]
origin = "public"
[privacy]
epsilon = 2
unit = "mrn"
"""


def test_a_study_is_tried_without_its_table(twinset, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    done = twinset("audit-dp", "study.toml", "--front", "--pairs", "60", "--workers", "2", "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["pairs"], told["looked"], told["counterexamples"], told["crashes"]) == (60, 60, [], {})
    assert told["ends"] == {"answered": 60, "released": 0, "kept in refused": 0, "ended in an error": 0, "crashed": 0, "ended differently": 0}
    assert {p.name for p in tmp_path.iterdir()} == {"study.toml"}


def test_a_study_that_cannot_be_used_is_told_as_always(twinset, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY.replace("epsilon = 2", "epsilon = -2"))
    done = twinset("audit-dp", "study.toml", "--front", "--pairs", "10", "--workers", "1")
    assert done.returncode == 2
    assert "privacy.epsilon" in done.stderr


def test_a_study_that_answers_nothing_does_not_pass(twinset, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY.replace('name = "mst"', 'name = "trees"'))
    done = twinset("audit-dp", "study.toml", "--pairs", "2", "--workers", "1", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was tried" in done.stderr
    assert "hint:" in done.stderr


def test_a_counterexample_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A planted fault, in this process: who is held out is a permutation of all patients. The sentence, the files, the JSON, the exit code."""
    monkeypatch.setattr(private, "split", lambda cohort, *, fraction, seed, how: split(cohort, fraction=fraction, seed=seed, how="exact"))
    (tmp_path / "study.toml").write_text(STUDY)
    arguments = ["audit-dp", str(tmp_path / "study.toml"), "--front", "--pairs", "3", "--workers", "1"]
    assert run([*arguments, "--keep", str(tmp_path / "kept")]) == 1
    out, err = capsys.readouterr()
    assert "3 of 3 pairs" in err
    assert "COUNTEREXAMPLE 0-0 (add-remove, unit = a column): one patient more: " in out
    assert "rows of other patients: train" in out
    assert "3 answered, 0 ended in an error; " in out
    kept = tmp_path / "kept" / "0-0"
    one, other = ((kept / side / "table.csv").read_bytes().splitlines() for side in ("one", "other"))
    assert set(one) < set(other)
    assert (kept / "one" / "study.toml").read_bytes() == (kept / "other" / "study.toml").read_bytes()
    assert run([*arguments, "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == ""
    first = told["counterexamples"][0]
    assert (first["block"], first["number"], first["kind"], first["relation"], first["unit"]) == (0, 0, "one patient more", "add-remove", "a column")
    assert {"what": "rows of other patients", "where": "train"} in first["faults"]
