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
    for part in ("600 rows", "a public table", "does not show", "Hardest pairs", "would measure", "epsilon = 5"):
        assert part in " ".join(done.stdout.split()), part


def test_the_studys_own_table_is_no_look_alike(tmp_path: Path, twinset: Run) -> None:
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    (tmp_path / "public.csv").symlink_to(tmp_path / "demo" / "actg175.csv")
    done = twinset("plan", study, "--like", tmp_path / "public.csv", "--epsilon", "5", "--repeats", "1")
    assert done.returncode == 2
    assert "own table" in done.stderr


def test_bad_input_writes_nothing(tmp_path: Path, twinset: Run) -> None:
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    before = study.read_bytes()
    for bad in (["--rows", "2139", "--choose", "-1"], ["--rows", "2139", "--epsilon", "one"], ["--epsilon", "5"]):
        done = twinset("plan", study, *bad)
        assert done.returncode == 2
        assert "hint:" in done.stderr
    assert study.read_bytes() == before


def test_the_choice_is_written_once_and_comments_stay(tmp_path: Path, twinset: Run) -> None:
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    text = study.read_text(encoding="utf-8").replace("epsilon = 5.0", "epsilon = 9.0  # to be decided")
    study.write_text(text, encoding="utf-8")
    call = ("plan", study, "--rows", "500", "--epsilon", "1", "--repeats", "1", "--choose", "1")
    assert twinset(*call).returncode == 0
    once = study.read_text(encoding="utf-8")
    before, _, section = text.partition("[privacy]")
    section = section.replace("epsilon = 9.0", "epsilon = 1.0").replace('unit = "row"\n', 'unit = "row"\nrelation = "add-remove"\n')
    assert once == before + "[privacy]" + section
    assert twinset(*call).returncode == 0
    assert study.read_text(encoding="utf-8") == once
    assert load(study).privacy is not None


def test_nobody_is_promised_anything_by_default(tmp_path: Path, twinset: Run) -> None:
    """A study that does not say who a patient is gets a plan, but no section [privacy]."""
    study = tmp_path / "study.toml"
    study.write_text('[data]\npath = "t.csv"\n[columns.age]\ntype = "integer"\nlow = 0\nhigh = 90\norigin = "public"\n', encoding="utf-8")
    before = study.read_bytes()
    done = twinset("plan", study, "--rows", "500", "--epsilon", "1", "--repeats", "1", "--choose", "1")
    assert done.returncode == 2
    assert "data.unit" in done.stderr
    assert study.read_bytes() == before
    assert twinset("plan", study, "--rows", "500", "--epsilon", "1", "--repeats", "1").returncode == 0


def test_foretold_and_found_agree_on_the_demo(tmp_path: Path, twinset: Run) -> None:
    """The release made at the epsilon that the plan names has the errors it foretold, within a factor of 1.5; what it foretold for another epsilon fails that."""
    study = write_demo(tmp_path / "demo").with_name("private.toml")
    told = json.loads(twinset("plan", study, "--rows", "2139", "--epsilon", "1,5,10", "--json").stdout)
    named = told["recommended"]
    assert named > 1
    done = twinset("release", study, "-o", tmp_path / "out", "--json", "--set", f"privacy.epsilon={named}")
    assert done.returncode == 0, done.stderr
    found = {f["name"]: f["value"] for f in json.loads((tmp_path / "out" / "custodian" / "findings.json").read_text()) if not f["where"]}

    def agree(epsilon: float) -> list[bool]:
        forecast = next(f for f in told["forecasts"] if f["epsilon"] == epsilon)
        return [1 / 1.5 < forecast[name]["mean"] / found[f"fidelity.{name}"] < 1.5 for name in ("columns", "pairs")]

    assert agree(named) == [True, True]
    assert agree(1.0) == [False, False]
