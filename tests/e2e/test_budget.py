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


def test_where_the_ledger_was_stands_in_the_certificate(folder: Path, twinset) -> None:
    assert twinset("release", "study.toml", "-o", "twin").returncode == 0
    told = certificate(folder)
    assert (told["ledger"], told["register"]["kept"], told["warnings"]) == ("beside the table", True, [])
    assert told["register"]["since"][:2] == "20"


def test_a_ledger_that_the_study_names(folder: Path, twinset) -> None:
    """Allowed where none lies beside the table; told; and then the only one."""
    named = ("--set", "privacy.ledger=kept.jsonl")
    assert twinset("release", "study.toml", "-o", "twin", *named).returncode == 0
    told = certificate(folder)
    assert told["ledger"] == "named by the study"
    assert any("not beside the table" in w for w in told["warnings"])
    text = json.dumps(told) + (folder / "twin" / "release" / "study.json").read_text()
    assert "kept.jsonl" not in text
    assert twinset("release", "study.toml", "-o", "more", *named).returncode == 3
    refused(twinset("release", "study.toml", "-o", "more"), "another ledger", "kept.jsonl")
    (folder / LEDGER).symlink_to(folder / "kept.jsonl")
    assert twinset("release", "study.toml", "-o", "more").returncode == 3


def test_a_table_that_is_a_link_has_the_ledger_of_the_real_one(folder: Path, twinset) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "link.csv").symlink_to(folder / "patients.csv")
    assert twinset("release", "study.toml", "-o", "twin", "--set", "data.path=mine/link.csv").returncode == 0
    assert (folder / LEDGER).exists()
    assert certificate(folder)["ledger"] == "beside the table"
    assert twinset("release", "study.toml", "-o", "more").returncode == 3


def test_a_ledger_deleted_moved_or_set_back_is_no_fresh_budget(folder: Path, twinset) -> None:
    first = twinset("release", "study.toml", "-o", "twin", "--set", "privacy.epsilon=0.5", "--set", "privacy.budget=1")
    assert first.returncode == 0, first.stderr
    older = (folder / LEDGER).read_bytes()
    assert twinset("release", "study.toml", "-o", "twin2", "--set", "privacy.epsilon=0.8").returncode == 0
    newest = (folder / LEDGER).read_bytes()
    (folder / LEDGER).write_bytes(older)
    refused(twinset("release", "study.toml", "-o", "more", "--set", "privacy.epsilon=0.8"), "older copy")
    refused(twinset("ledger", "verify", LEDGER), "older copy")
    shown = twinset("ledger", "show", LEDGER)
    assert (shown.returncode, "saw lines that this ledger no longer has" in shown.stdout) == (0, True)
    assert json.loads(twinset("ledger", "show", LEDGER, "--json").stdout)["register"]["behind"] is True
    (folder / LEDGER).unlink()
    refused(twinset("release", "study.toml", "-o", "more"), "another ledger", "ledger forget")
    (folder / "moved.jsonl").write_bytes(newest)
    moved = twinset("release", "study.toml", "-o", "more", "--set", "privacy.ledger=moved.jsonl")
    assert moved.returncode == 3, "the ledger itself, wherever it is, is accepted, and it is spent"


def test_a_ledger_given_up_by_order_is_told_by_every_later_certificate(folder: Path, twinset) -> None:
    spent(twinset)
    (folder / LEDGER).rename(folder / "old.jsonl")
    assert twinset("ledger", "forget", "patients.csv").returncode == 2, "a reason must be given"
    done = twinset("ledger", "forget", "patients.csv", "--why", "the board said so")
    assert (done.returncode, LEDGER in done.stdout) == (0, True)
    refused(twinset("ledger", "forget", "patients.csv", "--why", "again"), "knows no ledger")
    assert twinset("release", "study.toml", "-o", "more").returncode == 0
    assert any("given up 1 time(s) by order" in w for w in certificate(folder, "more")["warnings"])
    shown = twinset("ledger", "show", LEDGER).stdout
    assert "1 other ledger(s) of the same table" in shown
    refused(twinset("ledger", "verify", "old.jsonl", "--table", "patients.csv"), "another ledger")
    assert "does not know this ledger" in twinset("ledger", "show", "old.jsonl").stdout


def test_what_is_not_prevented_is_as_the_page_says(folder: Path, twinset, config: Path) -> None:
    """A changed cell is another table; who deletes both the ledger and the register begins anew. Both leave a trace where the page says so."""
    spent(twinset)
    (folder / LEDGER).rename(folder / "old.jsonl")
    rows = (folder / "patients.csv").read_text().splitlines(keepends=True)
    (folder / "patients.csv").write_text("".join(rows[:-1]))
    assert twinset("release", "study.toml", "-o", "changed").returncode == 0
    assert any("1 other ledger(s) were at this place before" in w for w in certificate(folder, "changed")["warnings"])
    (folder / LEDGER).unlink()
    (config / "register.jsonl").unlink()
    assert twinset("release", "study.toml", "-o", "anew").returncode == 0
    assert certificate(folder, "anew")["warnings"] == []


def test_a_look_at_a_copy_without_a_budget_is_told(folder: Path, twinset) -> None:
    text = (folder / "study.toml").read_text()
    assert twinset("release", "study.toml", "-o", "twin", "--set", "privacy.epsilon=0.5", "--set", "privacy.budget=2").returncode == 0
    (folder / "elsewhere").mkdir()
    shutil.copy(folder / "patients.csv", folder / "elsewhere" / "patients.csv")
    (folder / "elsewhere" / "study.toml").write_text(text.partition("[privacy]")[0].replace('"mst"', '"independent"'))
    assert twinset("release", "elsewhere/study.toml", "-o", "open").returncode == 0
    assert twinset("release", "study.toml", "-o", "twin2").returncode == 0
    assert any("1 time(s) without any privacy budget" in w for w in certificate(folder, "twin2")["warnings"])


def test_without_a_register_the_certificate_says_so(folder: Path, twinset, config: Path) -> None:
    config.write_text("a file, where the folder should be")
    assert twinset("release", "study.toml", "-o", "twin").returncode == 0
    told = certificate(folder)
    assert told["register"] == {"kept": False, "since": None}
    assert any("no register could be kept" in w for w in told["warnings"])
    assert twinset("release", "study.toml", "-o", "more").returncode == 3


@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_other_commands_refuse_a_second_ledger_too(folder: Path, twinset, command: str) -> None:
    (folder / LEDGER).write_text("")
    arguments = ("--epsilon", "1", "-o", "swept", "--repeats", "2") if command == "sweep" else ("--rows", "400")
    refused(twinset(command, "study.toml", *arguments, "--set", "privacy.ledger=other.jsonl"), "beside the table")
    assert not (folder / "swept").exists()


def test_a_sweep_of_a_copy_is_refused_before_it_is_published(folder: Path, twinset) -> None:
    spent(twinset)
    shutil.copy(folder / "patients.csv", folder / "copy.csv")
    options = ("--epsilon", "0.1,0.2", "--repeats", "2", "-g", "mst", "-o", "swept", "--publish")
    refused(twinset("sweep", "study.toml", *options, "--set", "data.path=copy.csv", "--set", "privacy.budget=9"), "another ledger")
    assert not (folder / "copy.csv.ledger.jsonl").exists()


def test_the_demo_is_public_and_can_be_made_again(tmp_path: Path) -> None:
    """A public table costs nobody a budget: demos elsewhere, made again, or made after the ledger went with its folder, are not refused."""
    from twinset.demo import write_demo
    from twinset.dp import ledger_file, register
    from twinset.dp.accountant import rho_of
    from twinset.dp.ledger import Allowance

    rho = rho_of(5.0, 1e-9)
    for name in ("demo", "demo", "demo2"):
        table = write_demo(tmp_path / name).with_name("actg175.csv")
        ledger = table.with_name("actg175.csv.ledger.jsonl")
        budget = ledger_file.Budget("row", "add-remove", 5.0, 1e-9)
        assert ledger_file.reserve(ledger, budget, Allowance(rho), table=table, generator="aim", asked=5.0) == 1
        assert register.standing(table, ledger, ledger_file.read(ledger).hashes).public
        write_demo(tmp_path / name, overwrite=True)
        assert len(ledger_file.read(ledger).runs) == 1, "made again where it is, it keeps its ledger"
        shutil.rmtree(tmp_path / name)
