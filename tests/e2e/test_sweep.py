"""A sweep from the command line: its files, a kill and what is kept, refusals that write nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from twinset.core.finding import Finding
from twinset.dp import ledger_file

STUDY = """
name = "hospital"
[data]
path = "patients.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
[generator]
name = "mst"
[privacy]
epsilon = 1
unit = "row"
[columns.age]
type = "integer"
low = 18
high = 95
origin = "public"
[columns.sex]
type = "category"
levels = ["female", "male"]
origin = "public"
[columns.creatinine]
type = "number"
low = 0.0
high = 5.0
decimals = 2
origin = "public"
[columns.arm]
type = "category"
levels = [0, 1]
role = "arm"
origin = "public"
[columns.days]
type = "integer"
low = 0
high = 1000
role = "time"
origin = "public"
[columns.event]
type = "category"
role = "event"
levels = [0, 1]
origin = "public"
[[endpoints]]
kind = "survival"
name = "death"
time = "days"
event = "event"
event_value = 1
arm = "arm"
reference = 0
"""
SMALL = ("--epsilon", "1,20", "--generator", "mst", "--repeats", "1")


@pytest.fixture
def hospital(tmp_path: Path, people: pl.DataFrame) -> Path:
    people.select("age", "sex", "creatinine", "arm", "days", "event").write_csv(tmp_path / "patients.csv")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def points(folder: Path) -> dict[str, int]:
    """Finished points and when each was written."""
    return {p.name: p.stat().st_mtime_ns for p in (folder / "out" / "custodian" / "points").glob("[!.]*.json")}


def begin(folder: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "twinset.cli.app", "sweep", "study.toml", "--epsilon", "1,2,5,10", "--generator", "mst", "--repeats", "1"]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.Popen(
        [*command, *more, "-o", "out"], cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )


def wait_for(what, *, seconds: float = 90) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_sweep_its_list_and_its_page(hospital: Path, twinset) -> None:
    made = twinset("sweep", "study.toml", *SMALL[:2], "--generator", "mst,trees", "--repeats", "2", "--workers", "2", "-o", "out")
    assert made.returncode == 0, made.stderr
    assert "6 of 6 points" in made.stderr
    assert "mst: " in made.stdout
    listed = json.loads((hospital / "out" / "custodian" / "sweep.json").read_text())
    assert [(p["generator"], p["epsilon"], p["repeat"]) for p in listed] == [
        ("mst", 1.0, 1), ("mst", 20.0, 1), ("trees", None, 1), ("mst", 1.0, 2), ("mst", 20.0, 2), ("trees", None, 2),
    ]  # fmt: skip
    names = {Finding.from_dict(f).name for f in listed[1]["findings"]}
    assert {"fidelity.pairs", "endpoint.difference", "membership.distance", "fidelity.tstr.boosting"} <= names
    better = [next(f["value"] for f in p["findings"] if f["name"] == "fidelity.pairs" and not f["where"]) for p in listed]
    assert better[0] > 1.5 * better[1], "epsilon 1 on 280 patients must be far worse than 20"
    html = (hospital / "out" / "custodian" / "sweep.html").read_text()
    assert "This sweep is itself a look at the patients" in html
    assert not list(hospital.glob("*.ledger.jsonl")), "a custodian's look begins no ledger"
    again = twinset("sweep", "study.toml", *SMALL[:2], "--generator", "mst,trees", "--repeats", "2", "--json", "-o", "out")
    assert json.loads(again.stdout) == listed
    assert again.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for orphans in /proc")
def test_a_killed_sweep_keeps_its_points_and_leaves_no_worker(hospital: Path, twinset) -> None:
    running = begin(hospital, "--workers", "2")
    try:
        wait_for(lambda: len(points(hospital)) > 0)
        workers = children(running.pid)
    finally:
        running.kill()
        running.communicate()
    assert workers
    wait_for(lambda: not any(alive(w) for w in workers), seconds=20)
    kept = points(hospital)
    assert 1 <= len(kept) < 4
    done = twinset("sweep", "study.toml", "--epsilon", "1,2,5,10", "--generator", "mst", "--repeats", "1", "--workers", "2", "-o", "out")
    assert done.returncode == 0, done.stderr
    after = points(hospital)
    assert len(after) == 4
    assert {n: after[n] for n in kept} == kept, "a finished point was run again"
    assert f"{len(kept) + 1} of 4 points" in done.stderr


def test_ctrl_c_loses_nothing_finished(hospital: Path) -> None:
    running = begin(hospital, "--workers", "2")
    try:
        wait_for(lambda: len(points(hospital)) >= 1)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=120)
    finally:
        running.kill()
    assert running.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    for path in (hospital / "out" / "custodian" / "points").glob("*.json"):
        assert json.loads(path.read_text())["findings"]
    assert not (hospital / "out" / "custodian" / "sweep.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--epsilon", ""), "the list of epsilons is empty"),
        (("--epsilon", "-1,5"), "not a positive finite number"),
        (("--epsilon", "0"), "not a positive finite number"),
        (("--epsilon", "one,two"), "not a number"),
        (("--generator", "aimm"), "did you mean `aim`"),
        (("--generator", "trees"), "works within a budget"),
        (("--generator", ","), "no generator is named"),
        (("--set", "privacy.unit=patient"), "disagree on who a patient is"),
        (("--set", "privacy.delta=0.5"), "privacy.delta"),
    ],
)
def test_bad_input_writes_nothing(hospital: Path, twinset, arguments: tuple[str, ...], said: str) -> None:
    done = twinset("sweep", "study.toml", *arguments, "-o", "out")
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "hint:" in done.stderr
    assert not (hospital / "out").exists()


def test_the_unit_must_be_said(hospital: Path, twinset) -> None:
    (hospital / "study.toml").write_text(STUDY.replace('[privacy]\nepsilon = 1\nunit = "row"\n', ""))
    done = twinset("sweep", "study.toml", *SMALL, "-o", "out")
    assert done.returncode == 2
    assert "privacy.unit" in done.stderr
    assert "it has no default" in " ".join(done.stderr.split())


@pytest.mark.slow
def test_a_folder_of_other_settings_is_refused(hospital: Path, twinset) -> None:
    small = ("sweep", "study.toml", "--epsilon", "2", "--generator", "mst", "--repeats", "1", "-o", "out")
    assert twinset(*small).returncode == 0
    before = points(hospital)
    other = twinset(*small, "--set", "seed=5")
    assert other.returncode == 2
    assert "other settings (study: seed)" in " ".join(other.stderr.split())
    assert points(hospital) == before
    (hospital / "else").mkdir()
    (hospital / "else" / "notes.txt").write_text("mine")
    assert twinset(*small[:-1], "else").returncode == 2


def test_publishing_is_billed_first_and_refused_where_the_budget_is_too_small(hospital: Path, twinset) -> None:
    publish = ("sweep", "study.toml", *SMALL, "--publish", "-o", "out")
    unsaid = twinset(*publish)
    assert unsaid.returncode == 2
    assert "privacy.budget" in unsaid.stderr
    small = twinset(*publish, "--set", "privacy.budget=20")
    assert small.returncode == 3, small.stderr
    assert not (hospital / "out").exists()
    assert not list(hospital.glob("*.ledger.jsonl"))
    seeing = twinset(*publish[:4], "--generator", "mst,trees", "--publish", "-o", "out", "--set", "privacy.budget=1000")
    assert seeing.returncode == 3
    assert "trees" in seeing.stderr
    assert twinset(*publish, "--set", "privacy.budget=40").returncode == 0
    book = ledger_file.read(hospital / "patients.csv.ledger.jsonl")
    assert [(r.epsilon, r.settled) for r in book.runs] == [(1.0, True), (20.0, True)]
    assert "It was billed" in (hospital / "out" / "custodian" / "sweep.html").read_text()


@pytest.mark.slow
def test_a_sweep_that_stays_is_recorded_in_a_ledger_that_exists(hospital: Path, twinset) -> None:
    assert twinset("release", "study.toml", "-o", "twin").returncode in (0, 1)
    assert twinset("sweep", "study.toml", "--epsilon", "2", "--generator", "mst", "--repeats", "1", "-o", "out").returncode == 0
    book = ledger_file.read(hospital / "patients.csv.ledger.jsonl")
    assert [r.generator for r in book.runs] == ["mst", "sweep"]
    assert book.reveals == 1
    shown = twinset("ledger", "show", "patients.csv.ledger.jsonl")
    assert "sweep" in shown.stdout


@pytest.mark.slow
def test_the_demo_swept_killed_and_resumed(tmp_path: Path, twinset) -> None:
    """ACTG 175: 2,139 patients, every bound found within the budget, four arms of survival."""
    from twinset.demo import write_demo

    write_demo(tmp_path / "demo")
    options = (
        "--epsilon",
        "1,20",
        "--generator",
        "aim,trees",
        "--repeats",
        "2",
        "--workers",
        "2",
        "--set",
        "rules=[]",
        "--set",
        "privacy.unit=row",
        "-o",
        "out",
    )
    command = [sys.executable, "-m", "twinset.cli.app", "sweep", "demo/study.toml", *options]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: len(points(tmp_path)) >= 1, seconds=240)
    finally:
        running.kill()
        running.wait()
    kept = points(tmp_path)
    done = twinset("sweep", "demo/study.toml", *options, timeout=600)
    assert done.returncode == 0, done.stderr
    after = points(tmp_path)
    assert len(after) == 6
    assert {n: after[n] for n in kept} == kept
    listed = json.loads((tmp_path / "out" / "custodian" / "sweep.json").read_text())
    by = {(p["generator"], p["epsilon"]): next(f["value"] for f in p["findings"] if f["name"] == "fidelity.pairs" and not f["where"]) for p in listed}
    assert by["aim", 1.0] > 2 * by["aim", 20.0]
    assert by["aim", 20.0] < 0.1
