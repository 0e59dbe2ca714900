"""From a table to a release folder, as a stranger would from the README."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import tomllib
from pathlib import Path

import polars as pl
import pytest


def digest(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def study(table: Path, twinset) -> Path:
    made = twinset("init", table.name)
    assert made.returncode == 0, made.stderr
    file = table.parent / "study.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("[audit]\n", "[audit]\nrefits = 20\n"), encoding="utf-8")
    return file


ACCEPTED = ("--accept-inconclusive", "made-up patients")  # 300 held out are too few to rule out a leak of 0.60


def test_init_drafts_a_study_that_knows_identifiers_arm_and_endpoint(study: Path) -> None:
    data = tomllib.loads(study.read_text(encoding="utf-8"))
    roles = {name: c.get("role", "") for name, c in data["columns"].items()}
    assert roles["name"] == "identifier"
    assert roles["record_number"] == "identifier"
    assert (roles["arm"], roles["days"], roles["event"]) == ("arm", "time", "event")
    assert data["endpoints"][0]["kind"] == "survival"
    assert any("treated" in r["rule"] for r in data["rules"])
    assert (study.parent / "study.schema.json").exists()


def test_a_release_is_whole_labelled_and_without_identifiers(study: Path, twinset) -> None:
    made = twinset("release", "study.toml", "-o", "twin", "--n", "333", *ACCEPTED)
    assert made.returncode == 0, made.stdout + made.stderr
    twin = study.parent / "twin"
    data = pl.read_csv(twin / "release" / "synthetic.csv")
    assert data.height == 333
    assert data.columns[0] == "synthetic_id"
    assert data["synthetic_id"].str.starts_with("SYN-").all()
    assert not {"name", "record_number"} & set(data.columns)
    assert ((data["arm"] == 1) == (data["treated"] == "yes")).all()
    assert {p.name for p in (twin / "release").iterdir()} == {
        "synthetic.csv",
        "data-dictionary.csv",
        "README.md",
        "analyses.json",
        "verdict.json",
        "metadata.json",
        "study.json",
        "SHA256SUMS",
    }
    assert {"report.html", "findings.json", "verdict.json", "ledger.json"} <= {p.name for p in (twin / "custodian").iterdir()}
    for line in (twin / "release" / "SHA256SUMS").read_text().splitlines():
        expected, name = line.split("  ")
        assert hashlib.sha256((twin / "release" / name).read_bytes()).hexdigest() == expected
    verdict = json.loads((twin / "custodian" / "verdict.json").read_text())
    assert verdict["verdict"] in ("pass", "inconclusive")
    assert verdict["reasons"]
    findings = json.loads((twin / "custodian" / "findings.json").read_text())
    assert all({"name", "value", "low", "high", "n", "better", "beside", "where"} <= set(f) for f in findings)
    assert json.loads((twin / "custodian" / "ledger.json").read_text())["rho"] == "infinite"


def test_what_may_leave_holds_nothing_that_was_read_from_the_rows(study: Path, twinset) -> None:
    twinset("release", "study.toml", "-o", "twin", *ACCEPTED)
    public = "".join(p.read_text(encoding="utf-8") for p in (study.parent / "twin" / "release").iterdir() if p.name != "synthetic.csv")
    released = json.loads((study.parent / "twin" / "release" / "study.json").read_text())
    assert all("low" not in c and "levels" not in c for c in released["columns"].values())
    assert "patients.csv" not in public
    assert "Beispiel" not in public
    assert '"seed"' not in public


def test_the_same_study_gives_the_same_bytes(study: Path, twinset) -> None:
    for name, workers in (("a", "1"), ("b", "2")):
        made = twinset("release", "study.toml", "-o", name, "--set", f"audit.seed={3}", *ACCEPTED)
        assert made.returncode == 0, made.stderr + workers
        (study.parent / "patients.csv.attempts.jsonl").unlink()  # the second attempt would say that it is one
    assert digest(study.parent / "a") == digest(study.parent / "b")
    twinset("release", "study.toml", "-o", "c", "--seed", "5", *ACCEPTED)
    assert digest(study.parent / "a")["release/synthetic.csv"] != digest(study.parent / "c")["release/synthetic.csv"]


@pytest.mark.parametrize("share", ["1.0", "0.1"])
def test_the_copycat_is_refused_and_the_reason_named(study: Path, twinset, share: str) -> None:
    made = twinset("release", "study.toml", "-o", "leak", "--generator", "copycat", "--set", f"generator.share={share}", "--json")
    assert made.returncode == 1, made.stderr
    verdict = json.loads(made.stdout)
    assert verdict["verdict"] == "fail"
    assert any("copies" in r for r in verdict["reasons"])
    assert not (study.parent / "leak" / "release").exists()
    assert (study.parent / "leak" / "custodian" / "report.html").exists()


def test_copies_are_all_released(study: Path, twinset) -> None:
    made = twinset("release", "study.toml", "-o", "twin", "--set", "release.copies=2", "--set", "release.format=parquet", *ACCEPTED)
    assert made.returncode == 0, made.stderr
    names = {p.name for p in (study.parent / "twin" / "release").glob("synthetic*")}
    assert names == {"synthetic-1.parquet", "synthetic-2.parquet"}
    first, second = (pl.read_parquet(study.parent / "twin" / "release" / n) for n in sorted(names))
    assert not first.drop("synthetic_id").equals(second.drop("synthetic_id"))


def test_a_second_run_never_overwrites_silently(study: Path, twinset) -> None:
    (study.parent / "twin").mkdir()
    (study.parent / "twin" / "mine.txt").write_text("precious")
    made = twinset("release", "study.toml", "-o", "twin")
    assert made.returncode == 2
    assert "--overwrite" in made.stderr
    assert (study.parent / "twin" / "mine.txt").read_text() == "precious"
    made = twinset("init", "patients.csv")
    assert made.returncode == 2


def test_init_overwrites_where_it_is_told_to(study: Path, twinset) -> None:
    study.write_text("mine")
    (study.parent / "study.schema.json").write_text("{}")
    assert twinset("init", "patients.csv").returncode == 2
    assert study.read_text() == "mine"
    made = twinset("init", "patients.csv", "--overwrite")
    assert made.returncode == 0, made.stderr
    assert "[columns.age]" in study.read_text(encoding="utf-8")
    assert "date_order" in (study.parent / "study.schema.json").read_text()


def test_split_then_audit_of_a_foreign_table(study: Path, twinset) -> None:
    assert twinset("split", "patients.csv", "-o", "parts").returncode == 0
    copied = twinset(
        "audit",
        "--train",
        "parts/train.csv",
        "--holdout",
        "parts/holdout.csv",
        "--synthetic",
        "parts/train.csv",
        "--study",
        "study.toml",
        "-o",
        "bad",
        "--json",
    )
    assert copied.returncode == 1, copied.stderr
    assert json.loads(copied.stdout)["verdict"] == "fail"
    alone = twinset("audit", "--train", "parts/train.csv", "--synthetic", "parts/holdout.csv", "-o", "unsure", "--json")
    assert alone.returncode == 1, alone.stderr
    assert json.loads(alone.stdout)["verdict"] == "inconclusive"
    assert (study.parent / "unsure" / "custodian" / "findings.json").exists()


def test_report_is_written_again_from_its_findings(study: Path, twinset) -> None:
    twinset("release", "study.toml", "-o", "twin")
    page = study.parent / "twin" / "custodian" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert twinset("report", "twin").returncode == 0
    assert page.read_bytes() == before
    assert twinset("report", "nowhere").returncode == 2


def test_compare_shows_generators_side_by_side_and_releases_nothing(study: Path, twinset) -> None:
    made = twinset("compare", "study.toml", "-o", "side", "-g", "trees", "-g", "independent", "--json")
    assert made.returncode == 0, made.stderr
    assert [m["generator"] for m in json.loads(made.stdout)] == ["trees", "independent"]
    assert not list((study.parent / "side").rglob("synthetic*"))


def test_a_typo_in_the_study_is_answered(study: Path, twinset) -> None:
    study.write_text(study.read_text(encoding="utf-8").replace("[holdout]", "[holdotu]"), encoding="utf-8")
    made = twinset("release", "study.toml", "-o", "twin")
    assert made.returncode == 2
    assert "did you mean `holdout`" in made.stderr
    assert not (study.parent / "twin").exists()


def test_a_column_that_changed_since_init_is_answered_without_its_values(study: Path, twinset) -> None:
    table = study.parent / "patients.csv"
    frame = pl.read_csv(table).with_columns(age=pl.Series(["Geheimnis"] * 1000))
    frame.write_csv(table)
    made = twinset("release", "study.toml", "-o", "twin")
    assert made.returncode == 2
    assert "`age`" in made.stderr
    assert "Geheimnis" not in made.stderr + made.stdout


def _small_files() -> None:
    """As on a full disk: no file may grow beyond 20 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_leaves_nothing_half_written(study: Path, twinset) -> None:
    made = twinset("release", "study.toml", "-o", "twin", preexec_fn=_small_files)
    assert made.returncode == 2, made.stderr
    assert "hint:" in made.stderr
    assert not (study.parent / "twin").exists()
    assert {p.name for p in study.parent.iterdir()} == {"patients.csv", "patients.csv.attempts.jsonl", "study.toml", "study.schema.json"}
