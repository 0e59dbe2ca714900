"""``twinset ask`` from the command line: the documented commands, the exit codes, what is on stdout."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from twinset.demo import write_demo

DOCS = Path(__file__).resolve().parents[2] / "docs" / "ask.md"
LEDGER = "demo/actg175.csv.ledger.jsonl"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    write_demo(tmp_path / "demo")
    return tmp_path


def test_the_commands_of_the_page_work(demo: Path, twinset) -> None:
    commands = [shlex.split(line)[1:] for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("    twinset ")]
    asked = [c for c in commands if c[0] != "demo"]
    assert len(asked) >= 4
    for command in asked:
        done = twinset(*command)
        assert done.returncode == 0, (command, done.stderr)
    written = json.loads((demo / "effect.json").read_text())
    assert [a["group"] for a in written["answers"]] == [{"arms": 1}, {"arms": 2}, {"arms": 3}]


def test_answers_are_on_stdout_and_a_second_budget_there_is_not(demo: Path, twinset) -> None:
    budget = ("--set", "privacy.budget=1")
    done = twinset("ask", "demo/private.toml", "count() by arms", "mean(age)", "-e", "0.8", *budget)
    assert done.returncode == 0, done.stderr
    for said in ("count() by arms", "arms count 95 % interval noise n", "mean(age)", "epsilon = 0.8", "of a budget of 1", "It does not show"):
        assert said in " ".join(done.stdout.split()), said
    before = (demo / LEDGER).read_bytes()
    again = twinset("ask", "demo/private.toml", "count()", "-e", "0.8", *budget)
    assert (again.returncode, again.stdout) == (3, "")
    assert "budget of this data set is spent" in " ".join(again.stderr.split())
    assert (demo / LEDGER).read_bytes() == before


def test_json_is_answers_and_certificate_and_nothing_else(demo: Path, twinset) -> None:
    done = twinset("ask", "demo/private.toml", "share(cens == 1) by arms", "--epsilon", "2", "--json", "--set", "privacy.budget=5")
    told = json.loads(done.stdout)
    assert (told["format"], told["epsilon"], len(told["answers"])) == ("twinset answers 1", 2.0, 4)
    assert {"ledger", "register", "accountant"} <= set(told)
    assert not {"second", "decided_by"} & set(told)
    assert {"unit", "relation", "delta", "ledger_head", "events", "not_covered", "asked"} <= set(told)
    assert all(a["low"] <= a["value"] <= a["high"] and a["silent_on"] for a in told["answers"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("count() by nobody", "-e", "1", "--set", "privacy.budget=2"), "there is no column of this name"),
        (("count()", "-e", "-1"), "positive"),
        (("count()", "-e", "1", "--set", "privacy={epsilon=1, unit='row'}", "--set", "privacy.budget=0"), "privacy.budget"),
        (("count()", "-e", "1", "-o", "demo/private.toml"), "exists already"),
    ],
)
def test_bad_questions_spend_nothing(demo: Path, twinset, arguments: tuple[str, ...], said: str) -> None:
    done = twinset("ask", "demo/private.toml", *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert not (demo / LEDGER).exists()
