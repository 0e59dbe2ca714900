"""``twinset plan`` as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl

from twinset.demo import write_demo
from twinset.study import load

Run = Callable


def test_the_table_is_never_opened(tmp_path: Path, twinset: Run) -> None:
    """The table is gone, and the plan is made all the same; no ledger is begun."""
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    (tmp_path / "demo" / "actg175.csv").unlink()
    done = twinset("plan", study, "--rows", "2139", "--epsilon", "5", "--repeats", "1", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["recommended"] == 5.0
    assert told["paid"] == []
    assert len(told["forecasts"][0]["endpoints"]) == 3
    assert set(told["forecasts"][0]["by_column"]) == set(load(study).schema_of_columns().synthesised.names)
    assert not list(tmp_path.glob("**/*.ledger.jsonl"))


def test_a_public_look_alike_is_used_instead(tmp_path: Path, twinset: Run) -> None:
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    like = tmp_path / "public.csv"
    pl.read_csv(tmp_path / "demo" / "actg175.csv").head(600).write_csv(like)
    done = twinset("plan", study, "--like", like, "--epsilon", "5", "--repeats", "1")
    assert done.returncode == 0, done.stderr
    assert "600 patients" in done.stdout
    assert "does not show" in done.stdout


def test_bad_input_writes_nothing(tmp_path: Path, twinset: Run) -> None:
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    before = study.read_bytes()
    for bad in (["--rows", "2139", "--choose", "-1"], ["--rows", "2139", "--epsilon", "one"], ["--epsilon", "5"]):
        done = twinset("plan", study, *bad)
        assert done.returncode == 2
        assert "hint:" in done.stderr
    assert study.read_bytes() == before


def test_foretold_and_found_agree_on_the_demo(tmp_path: Path, twinset: Run) -> None:
    """The release made at the epsilon that the plan names has the errors it foretold, within a factor of 1.5."""
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    told = json.loads(twinset("plan", study, "--rows", "2139", "--epsilon", "1,5,10", "--choose", "5", "--json").stdout)
    assert told["recommended"] == 5.0
    done = twinset("release", study, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    found = {f["name"]: f["value"] for f in json.loads((tmp_path / "out" / "custodian" / "findings.json").read_text()) if not f["where"]}
    forecast = next(f for f in told["forecasts"] if f["epsilon"] == 5.0)
    for name in ("columns", "pairs"):
        assert 1 / 1.5 < forecast[name]["mean"] / found[f"fidelity.{name}"] < 1.5
