"""What `init` tells in the terminal: everything that was decided and asked, in 80 columns, and no cell of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinset.cli.app import run
from twinset.core.schema import Column, Schema, left_out
from twinset.draft.summary import questions
from twinset.study import load
from twinset.table import read_cohort

SECRET = "Zebulon-Quill"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def german(path: Path, *extra: str, encoding: str = "cp1252") -> Path:
    head = "PLZ;Patientennummer;age;sex;Hb;RR;Aufnahme;Arzt;height;arm;days;death;note;Kommentar"
    rows = [
        f"{10115 + 7 * i};P{1000 + i};{20 + i % 60};{'mw'[i % 2]};{'k.A.' if i % 11 == 0 else f'{9 + i % 70},5'};{100 + i % 60}/{60 + i % 41};"
        f"{13 + i % 15:02}.{1 + i % 12:02}.2020;{('Dr. Müller', 'Schwester Anna')[i % 2]};{f'1,{50 + i % 40}' if i % 3 == 0 else 150 + i % 40};"
        f"{('placebo', 'drug')[i % 2]};{10 + 3 * i};{i % 3 % 2};{i if i else SECRET};fiel {i} Stufen hinab, {SECRET}"
        for i in range(200)
    ]
    path.write_bytes("\n".join([head, *rows, *extra, ""]).encode(encoding))
    return path


def test_everything_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Red before: one line, on stderr; nothing said what was left out, found or asked."""
    run(["init", str(german(Path("t.csv"))), "-o", "study.toml"])
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    flat = " ".join(out.split())
    for said in (
        "rows 200, each taken for a patient",
        "left out 6 columns",
        "PLZ postcode",
        "Patientennummer record number",
        "RR two numbers in one cell: split it",
        "Arzt name",
        "Kommentar free text",
        "arm: arm",
        "time: days",
        "event: death",
        "survival: time to death",
        "the text is not UTF-8 but cp1252",
        "RR: left out, since each cell holds two numbers",
        "height: its numbers fall into two groups far apart: two units in one column?",
        "note: numbers, but for ...: list these under [data] missing",
        "twinset release",
    ):
        assert said in flat
    assert SECRET not in out
    assert "1.5 to" not in flat
    text = (tmp_path / "study.toml").read_text()
    assert f'numbers, but for "{SECRET}"' in text  # it stays with the custodian
    assert "Seen: 1.5 to 1.89 and 150 to 189" in text


def test_a_private_draft_is_told_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["init", str(german(Path("t.csv"), encoding="utf-16")), "--private"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "the text is not UTF-8 but utf-16" in out
    flat = " ".join(out.split())
    assert "a private run needs UTF-8" in flat
    assert "twinset plan" in flat
    assert SECRET not in out + (tmp_path / "study.toml").read_text()


def test_a_private_draft_takes_the_lines_that_a_private_run_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Red before: `init --private` refused a table that `release` reads without its bad lines."""
    path = german(tmp_path / "t.csv", f"1;2;{SECRET}", f'1;2;3;"{SECRET}', encoding="utf-8")
    run(["init", str(path), "-o", str(tmp_path / "study.toml"), "--private"])
    flat = " ".join(capsys.readouterr().out.split())
    assert "rows 200," in flat
    assert "2 lines are no rows of the table (another number of fields, or an open quotation mark): left out" in flat
    assert read_cohort(load(tmp_path / "study.toml")).frame.height == 200
    assert run(["init", str(path), "-o", str(tmp_path / "open.toml")]) == 2


def test_a_table_that_is_not_there_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Red before: the draft that exists was named, not the table that does not."""
    Path("study.toml").write_text("x")
    assert run(["init", "no.csv"]) == 2
    assert "no.csv: there is no such file" in capsys.readouterr().err
    assert run(["init", str(german(Path("t.csv")))]) == 2
    assert "it exists already" in capsys.readouterr().err


def test_what_is_left_out() -> None:
    schema = Schema(
        (
            Column("pid", "text", "identifier", identifier="patient number"),
            Column("plz", "text", "identifier", identifier="postcode"),
            Column("own", "category", "identifier"),
            Column("bp", "text", description="two numbers in one cell: split it"),
            Column("story", "text"),
            Column("age", "integer"),
        ),
        unit="pid",
    )
    assert left_out(schema) == (
        ("pid", "names the patient"),
        ("plz", "postcode"),
        ("own", "identifier"),
        ("bp", "two numbers in one cell: split it"),
        ("story", "free text"),
    )


def test_questions_tell_no_cell() -> None:
    text = f'# CHECK: "NA" stands among numbers and "{SECRET}" too\n[data]\nmissing = []\n[columns.a]\n# CHECK: odd? Seen: {SECRET}\n[columns."b c"]\n# CHECK: odd?\n'
    assert questions(text) == (('"NA" stands among numbers and ... too', ("data",)), ("odd?", ("a", "b c")))


def test_a_table_without_arms_says_that_nothing_compares_groups(capsys: pytest.CaptureFixture[str]) -> None:
    text = german(Path("t.csv"), encoding="utf-8").read_text(encoding="utf-8")
    run(["init", "t.csv"])
    assert "no arm was found" not in capsys.readouterr().out
    Path("t.csv").write_text(text.replace(";arm;", ";visits;").replace(";placebo;", ";1;").replace(";drug;", ";2;"), encoding="utf-8")
    run(["init", "t.csv", "--overwrite"])
    assert "no arm was found: nothing compares groups" in capsys.readouterr().out


def test_what_to_look_for_is_how_the_draft_writes_it(capsys: pytest.CaptureFixture[str]) -> None:
    run(["init", str(german(Path("t.csv")))])
    assert "look for CHECK in the draft" in capsys.readouterr().out
    assert "# check:" not in Path("study.toml").read_text(encoding="utf-8")
