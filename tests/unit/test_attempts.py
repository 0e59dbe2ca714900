"""What is remembered of every run on a table, and what is told before one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from twinset.release.attempts import begin, beside, looked
from twinset.release.foresee import foresee
from twinset.release.policy import Policy
from twinset.report.material import Attempts


def tried(table: Path, *, seed: int = 0, released: bool | None = None) -> Attempts:
    attempt = begin(table, command="release", generator="trees", seed=seed, n=0, study="{}")
    told = attempt.told()
    if released is not None:
        attempt.end(released=released)
    return told


def test_the_fourth_attempt_knows_of_the_three_before(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("a\n1\n")
    assert tried(table, released=False) == Attempts(1, 0, 0, 0, (0,))
    tried(table, seed=1, released=False)
    tried(table, seed=2)  # killed
    assert tried(table, seed=3, released=True) == Attempts(4, 2, 0, 1, (0, 1, 2, 3))
    assert tried(table, seed=3) == Attempts(5, 2, 1, 1, (0, 1, 2, 3))


def test_a_look_that_ends_in_no_verdict_is_no_attempt(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("a\n")
    looked(table, command="sweep", generator="aim", seed=7, study="{}")
    assert tried(table) == Attempts(1, 0, 0, 0, (0,))
    assert len(beside(table).read_text().splitlines()) == 2


def test_lines_say_what_was_tried_and_nothing_of_the_table(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("a\nMary Smith\n")
    tried(table, released=True)
    first, last = map(json.loads, beside(table).read_text().splitlines())
    assert {"at", "command", "generator", "seed", "n", "study", "run"} <= set(first)
    assert (last["outcome"], last["run"]) == ("released", first["run"])
    assert "Mary" not in beside(table).read_text()
    assert beside(table).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", ['{"entry": "begin", "run": "x", "se', "[1, 2]", '{"entry": "begin", "run": "x", "seed": "three"}', "\u00ff"])
def test_a_torn_line_is_left_out(tmp_path: Path, torn: str) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("a\n")
    tried(table, released=False)
    with beside(table).open("a") as file:
        file.write(torn + "\n")
    assert tried(table) == Attempts(2, 1, 0, 0, (0,))


def test_a_link_is_the_table_it_leads_to(tmp_path: Path) -> None:
    table, link = tmp_path / "patients.csv", tmp_path / "other.csv"
    table.write_text("a\n")
    link.symlink_to(table)
    tried(link, released=False)
    assert tried(table).refused == 1


def test_a_folder_that_takes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remembered under the user's configuration then. (The system's answer is made up: root may write anywhere.)"""
    table = tmp_path / "patients.csv"
    table.write_text("a\n")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    tried(table, released=False)
    assert tried(table).refused == 1
    assert not beside(table).exists()


@pytest.mark.parametrize(("n_train", "n_holdout", "said"), [(54, 23, "could not show it"), (480, 206, ""), (1497, 642, "")])
def test_a_table_that_is_too_small_is_told_before_anything_is_made(n_train: int, n_holdout: int, said: str) -> None:
    lines = foresee(Policy(), n_train, n_holdout)
    assert (said in lines[0]) if said else not lines


def test_so_many_patients_would_do() -> None:
    """With the number it names the policy can pass, with a fifth fewer it cannot."""
    (line,) = foresee(Policy(), 54, 23)
    n = int(line.partition("About ")[2].partition(" ")[0].replace(",", ""))
    assert not foresee(Policy(), round(0.7 * n) + 1, round(0.3 * n) + 1)
    assert foresee(Policy(), round(0.56 * n), round(0.24 * n))


def test_a_line_behind_a_torn_one_is_not_lost_with_it(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("a\n")
    with beside(table).open("a") as file:
        file.write('{"entry": "begin", "run": "x", "se')
    tried(table, released=False)
    assert tried(table) == Attempts(2, 1, 0, 0, (0,))
