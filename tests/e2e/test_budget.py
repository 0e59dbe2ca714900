"""The budget of a data set from the command line: another ledger, a copy, a moved or deleted or older ledger do not give it anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from twinset.errors import BadInput, BudgetExhausted
from twinset.pipeline import release
from twinset.study import load

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


def said(run) -> str:
    return " ".join(run.stderr.split())


def spent(folder: Path) -> None:
    """The whole budget, epsilon = 1, by one release."""
    made(folder)
    with pytest.raises(BudgetExhausted):
        made(folder)


def made(folder: Path, *overrides: str, study: str = "study.toml") -> dict:
    """A release in this process; its certificate."""
    told = release(load(folder / study, overrides=overrides)).page.certificate
    return json.loads(json.dumps(told))


def refused(run, *words: str) -> None:
    assert run.returncode == 2, (run.returncode, run.stderr)
    assert "hint:" in run.stderr
    for word in words:
        assert word in said(run), (word, run.stderr)


def test_another_ledger_named_in_the_study_is_no_fresh_budget(folder: Path, twinset) -> None:
    spent(folder)
    refused(twinset("release", "study.toml", "-o", "more", "--set", "privacy.ledger=other.jsonl"), "beside the table", "privacy.ledger")
    assert not (folder / "more").exists()
    assert not (folder / "other.jsonl").exists()


def test_a_copy_of_the_table_is_no_fresh_budget(folder: Path, twinset) -> None:
    spent(folder)
    shutil.copy(folder / "patients.csv", folder / "copy.csv")
    refused(twinset("release", "study.toml", "-o", "more", "--set", "data.path=copy.csv"), "another ledger", LEDGER)
    assert not (folder / "more").exists()
    assert not (folder / "copy.csv.ledger.jsonl").exists()


def test_a_budget_is_not_raised_by_an_override(folder: Path, twinset) -> None:
    spent(folder)
    refused(twinset("release", "study.toml", "-o", "more", "--set", "privacy.budget=9"), "budget is 1.0 in the ledger and 9.0 in the study")


def test_where_the_ledger_was_stands_in_the_certificate(folder: Path, twinset) -> None:
    done = twinset("release", "study.toml", "-o", "twin")
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "twin" / "release" / "certificate.json").read_text())
    assert (told["ledger"], told["register"]["kept"], told["warnings"]) == ("beside the table", True, [])
    assert told["register"]["since"][:2] == "20"


def test_a_ledger_that_the_study_names(folder: Path) -> None:
    """Allowed where none lies beside the table; told, without its name; and then the only one."""
    named = 'privacy.ledger="kept.jsonl"'
    told = made(folder, named)
    assert told["ledger"] == "named by the study"
    assert any("not beside the table" in w for w in told["warnings"])
    assert "kept.jsonl" not in json.dumps(told)
    with pytest.raises(BudgetExhausted):
        made(folder, named)
    with pytest.raises(BadInput, match="another ledger") as caught:
        made(folder)
    assert "kept.jsonl" in caught.value.hint
    (folder / LEDGER).symlink_to(folder / "kept.jsonl")
    with pytest.raises(BudgetExhausted):
        made(folder)


def test_a_table_that_is_a_link_has_the_ledger_of_the_real_one(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "link.csv").symlink_to(folder / "patients.csv")
    assert made(folder, 'data.path="mine/link.csv"')["ledger"] == "beside the table"
    assert (folder / LEDGER).exists()
    with pytest.raises(BudgetExhausted):
        made(folder)


def test_a_ledger_deleted_moved_or_set_back_is_no_fresh_budget(folder: Path, twinset) -> None:
    made(folder, "privacy.epsilon=0.5", "privacy.budget=1")
    older = (folder / LEDGER).read_bytes()
    made(folder, "privacy.epsilon=0.8")
    newest = (folder / LEDGER).read_bytes()
    (folder / LEDGER).write_bytes(older)
    refused(twinset("release", "study.toml", "-o", "more", "--set", "privacy.epsilon=0.8"), "older copy")
    refused(twinset("ledger", "verify", LEDGER), "older copy")
    shown = twinset("ledger", "show", LEDGER)
    assert (shown.returncode, "saw lines that this ledger no longer has" in shown.stdout) == (0, True)
    (folder / LEDGER).unlink()
    refused(twinset("release", "study.toml", "-o", "more"), "another ledger", "ledger forget")
    (folder / "moved.jsonl").write_bytes(newest)
    with pytest.raises(BudgetExhausted):  # the ledger itself, wherever it is, is accepted, and it is spent
        made(folder, 'privacy.ledger="moved.jsonl"')


def test_a_ledger_given_up_by_order_is_told_by_every_later_certificate(folder: Path, twinset) -> None:
    spent(folder)
    (folder / LEDGER).rename(folder / "old.jsonl")
    assert twinset("ledger", "forget", "patients.csv").returncode == 2, "a reason must be given"
    done = twinset("ledger", "forget", "patients.csv", "--why", "the board said so")
    assert (done.returncode, LEDGER in done.stdout) == (0, True)
    refused(twinset("ledger", "forget", "patients.csv", "--why", "again"), "knows no ledger")
    assert any("given up 1 time(s) by order" in w for w in made(folder)["warnings"])
    assert json.loads(twinset("ledger", "show", LEDGER, "--json").stdout)["register"]["forgotten"] == 1
    assert "1 other ledger(s) of the same table" in twinset("ledger", "show", LEDGER).stdout
    refused(twinset("ledger", "verify", "old.jsonl", "--table", "patients.csv"), "another ledger")
    assert "does not know this ledger" in twinset("ledger", "show", "old.jsonl").stdout


def test_what_is_not_prevented_is_as_the_page_says(folder: Path, config: Path) -> None:
    """A changed cell is another table; who deletes both the ledger and the register begins anew. The first leaves a trace, the second a date."""
    spent(folder)
    (folder / LEDGER).rename(folder / "old.jsonl")
    rows = (folder / "patients.csv").read_text().splitlines(keepends=True)
    (folder / "patients.csv").write_text("".join(rows[:-1]))
    assert any("1 other ledger(s) were at this place before" in w for w in made(folder)["warnings"])
    (folder / LEDGER).unlink()
    (config / "register.jsonl").unlink()
    assert made(folder)["warnings"] == []


def test_a_look_at_a_copy_without_a_budget_is_told(folder: Path) -> None:
    made(folder, "privacy.epsilon=0.5", "privacy.budget=2")
    (folder / "elsewhere").mkdir()
    shutil.copy(folder / "patients.csv", folder / "elsewhere" / "patients.csv")
    text = (folder / "study.toml").read_text()
    (folder / "elsewhere" / "study.toml").write_text(text.partition("[privacy]")[0].replace('"mst"', '"independent"'))
    release(load(folder / "elsewhere" / "study.toml"))
    assert any("1 time(s) without any privacy budget" in w for w in made(folder)["warnings"])


def test_without_a_register_the_certificate_says_so(folder: Path, config: Path) -> None:
    config.write_text("a file, where the folder should be")
    told = made(folder)
    assert told["register"] == {"kept": False, "since": None}
    assert any("no register could be kept" in w for w in told["warnings"])
    with pytest.raises(BudgetExhausted):
        made(folder)


@pytest.mark.parametrize("command", ["sweep", "plan"])
def test_other_commands_refuse_a_second_ledger_too(folder: Path, twinset, command: str) -> None:
    (folder / LEDGER).write_text("")
    arguments = ("--epsilon", "1", "-o", "swept", "--repeats", "2") if command == "sweep" else ("--rows", "400")
    refused(twinset(command, "study.toml", *arguments, "--set", "privacy.ledger=other.jsonl"), "beside the table")
    assert not (folder / "swept").exists()


def test_a_sweep_of_a_copy_is_refused_before_it_is_published(folder: Path, twinset) -> None:
    spent(folder)
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
