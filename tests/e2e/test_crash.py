"""What nobody expected: one line without values, exit code 70, from every command and every worker; an interruption: one line, exit code 130."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from twinset.cli.app import app
from twinset.cli.app import run as inside
from twinset.cli.net import ORDER

VALUE = "Mary Smith 1950"
PLANTED = """
import importlib, logging, os, sys, threading, warnings
import numpy, polars
module = importlib.import_module("{module}")

class Odd:
    def __del__(self):
        raise ValueError("Mary Smith 1950")

def planted(error):
    def boom(*_, **__):
        warnings.warn("Mary Smith 1950")
        logging.getLogger("library").critical("Mary Smith 1950")
        os.write(2, b"thread panicked: Mary Smith 1950")
        Odd()
        def apart():
            raise ValueError("Mary Smith 1950")
        thread = threading.Thread(target=apart)
        thread.start()
        thread.join()
        raise error
    return boom

from twinset.cli.app import main
sys.argv = ["twinset", *{arguments}]
for error in {errors}:
    module.{name} = planted(error)
    try:
        main()
    except SystemExit as end:
        print("ended with", end.code)
"""
ERRORS = (
    'polars.exceptions.ComputeError("conversion failed for Mary Smith 1950")',
    'polars.exceptions.PanicException("Mary Smith 1950")',
    'ValueError("could not convert string to float: Mary Smith 1950")',
    'numpy.linalg.LinAlgError("Mary Smith 1950")',
    'AssertionError("Mary Smith 1950")',
    'UnicodeDecodeError("utf-8", b"Mary Smith 1950", 0, 1, "Mary Smith 1950")',
)
STUDY = ["s.toml", "-o", "out"]
COMMANDS = {  # where the command first calls other code, and how it is called
    "init": ("twinset.draft", "drafted", ["init", "t.csv"]),
    "release": ("twinset.study", "load", ["release", *STUDY]),
    "report": ("twinset.release.page_file", "read_page", ["report", "out"]),
    "audit": ("twinset.io.read", "read", ["audit", "--train", "t.csv", "--synthetic", "t.csv", "-o", "out"]),
    "compare": ("twinset.study", "load", ["compare", *STUDY]),
    "split": ("twinset.io.read", "read_table", ["split", "t.csv", "-o", "out"]),
    "plan": ("twinset.study", "load", ["plan", "s.toml"]),
    "sweep": ("twinset.study", "load", ["sweep", *STUDY]),
    "ask": ("twinset.study", "load", ["ask", "s.toml", "count()", "-e", "1"]),
    "ledger show": ("twinset.dp.ledger_file", "read", ["ledger", "show", "x"]),
    "ledger verify": ("twinset.dp.ledger_file", "read", ["ledger", "verify", "x"]),
    "ledger forget": ("twinset.dp.register", "forget", ["ledger", "forget", "t.csv", "--why", "lost"]),
    "audit-dp": ("twinset.neighbouring.run", "audit", ["audit-dp"]),
    "plugins": ("twinset.api", "plugins", ["plugins"]),
    "demo": ("twinset.demo", "write_demo", ["demo"]),
}


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, env=os.environ | environment)


def code(command: str, errors: tuple[str, ...]) -> str:
    module, name, arguments = COMMANDS[command]
    return PLANTED.format(module=module, name=name, errors=f"({', '.join(errors)},)", arguments=arguments)


def told(done: subprocess.CompletedProcess[str], n: int) -> None:
    assert done.stdout.splitlines() == ["ended with 70"] * n, done.stdout + done.stderr
    assert "Mary" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: unexpected") == 2 * n, "one line of the command, one of its thread"
    assert done.stderr.count("its message is withheld") == 2 * n


def test_every_command_is_tried() -> None:
    root = get_command(app)
    ledgers = root.commands["ledger"].commands  # type: ignore[attr-defined]
    assert set(COMMANDS) == set(ORDER) - {"ledger"} | {f"ledger {name}" for name in ledgers}
    assert set(ORDER) == set(root.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unexpected_error_is_told_without_its_message(tmp_path: Path, command: str) -> None:
    """Planted in errors, a warning, a log, a thread, a destructor and native output: nothing of it reaches the terminal."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    told(run(code(command, ERRORS), tmp_path), len(ERRORS))


def test_an_error_of_lifelines_too(tmp_path: Path) -> None:
    told(run("import lifelines.exceptions\n" + code("release", ('lifelines.exceptions.ConvergenceError("Mary Smith 1950")',)), tmp_path), 1)


def test_whoever_asks_sees_all_of_it(tmp_path: Path) -> None:
    done = run(code("plugins", ERRORS[:1]), tmp_path, TWINSET_DEBUG="1")
    assert done.stdout == "ended with 70\n"
    assert "Traceback" in done.stderr
    assert "conversion failed for Mary Smith 1950" in done.stderr
    assert "thread panicked" in done.stderr


WORKERS = """
import os, sys, warnings
import {module} as module

class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(one)

def boom(*_, **__):
    warnings.warn("Mary Smith 1950")
    os.write(2, b"Mary Smith 1950")
    raise {error}

module.{name} = boom  # in the children too: they import this file

if __name__ == "__main__":
    from twinset.cli.app import main
    sys.argv = ["twinset", *{arguments}]
    main()
"""
IN_WORKERS = {
    "sweep": ("twinset.sweeping.point", "finish", ["sweep", "study.toml", "-e", "1,2", "-g", "mst", "--repeats", "1", "--workers", "2", "-o", "out"]),
    "audit-dp": ("twinset.neighbouring.run", "invent", ["audit-dp", "--front", "--pairs", "96", "--workers", "2"]),
}


@pytest.mark.parametrize("error", ['ValueError("Mary Smith 1950")', 'Odd("Mary Smith 1950", 2)'], ids=["plain", "cannot be sent"])
@pytest.mark.parametrize("command", IN_WORKERS)
def test_an_error_in_a_worker_is_told_without_its_message(tmp_path: Path, people, command: str, error: str) -> None:
    from tests.e2e.test_sweep import STUDY as PRIVATE

    people.select("age", "sex", "creatinine", "arm", "days", "event").write_csv(tmp_path / "patients.csv")
    (tmp_path / "study.toml").write_text(PRIVATE)
    module, name, arguments = IN_WORKERS[command]
    (tmp_path / "script.py").write_text(WORKERS.format(module=module, name=name, error=error, arguments=arguments))
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 70, done.stderr
    assert "Mary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("its message is withheld") == 1


EAGER = """
import sys
from twinset.cli import progress
progress.EVERY = 0.001
from twinset.cli.app import main
sys.argv = ["twinset", *sys.argv[1:]]
main()
"""


def interrupted(folder: Path, script: str, *arguments: str, at: str) -> str:
    """SIGINT as soon as the process has said ``at`` on stderr; all that it said."""
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if at in line:
            process.send_signal(signal.SIGINT)
            break
    out, rest = process.communicate(timeout=120)
    assert process.returncode == 130, said + rest
    assert out == ""
    assert "Traceback" not in rest
    return said + rest


@pytest.mark.parametrize("step", ["fitting trees", "of 20 refits", "prediction of unseen patients", "attacks"])
def test_ctrl_c_says_so_and_writes_nothing(tmp_path: Path, table: Path, twinset, step: str) -> None:
    """While numba compiles the trees, among the refits, while scikit-learn fits, among the attacks: one line, 130, and no half of a folder."""
    assert twinset("init", "patients.csv").returncode == 0
    before = {p.name for p in tmp_path.iterdir()}
    said = interrupted(tmp_path, EAGER, "release", "study.toml", "-o", "twin", "--set", "audit.refits=20", at=step)
    assert re.search(r"\ninterrupted, nothing written(?: but \d+ finished refits? in .*\.refits\.jsonl: .*)?\n$", said)  # kept where they take long
    attempts = {p.name for p in tmp_path.iterdir()} - before
    assert not any("twin" in name and "attempt" not in name for name in attempts), attempts


SWALLOWED = """
import signal, sys, time
import twinset.api as module

class Odd:
    def __del__(self):
        print("now", file=sys.stderr)
        time.sleep(60)  # the interruption ends this, in a place that cannot raise it

def slow():
    Odd()
    while True:
        time.sleep(0.01)

module.plugins = slow
from twinset.cli.app import main
sys.argv = ["twinset", "plugins"]
main()
"""


def test_an_interruption_that_python_swallows_is_raised_again(tmp_path: Path) -> None:
    """In a callback or a destructor a KeyboardInterrupt is printed and lost; the run went on."""
    assert interrupted(tmp_path, SWALLOWED, at="now").endswith("interrupted, nothing written\n")


def test_an_interruption_ends_the_work_of_all_workers(tmp_path: Path) -> None:
    said = interrupted(tmp_path, EAGER, "audit-dp", "--front", "--pairs", "9600", "--workers", "2", at="of 9,600 pairs")
    assert said.endswith("interrupted, what was tried until then is told above\n")
    assert not list(tmp_path.iterdir())


def test_an_interruption_of_a_command_inside_a_command_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It became exit code 130 of the inner command, and `audit-dp` went on to the next pair."""

    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("twinset.api.plugins", stopped)
    with pytest.raises(KeyboardInterrupt):
        inside(["plugins"])


@pytest.mark.parametrize("options", [(), ("-u",)], ids=["buffered", "unbuffered"])
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, options: tuple[str, ...]) -> None:
    """As with `twinset plugins | head -1`: no traceback, no complaint, and not 1, which means refused."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, *options, "-m", "twinset.cli.app", "plugins"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_help_is_short_everywhere_and_in_the_order_of_use(tmp_path: Path, twinset) -> None:
    listed = twinset("-h").stdout
    places = [listed.index(f"\n  {name} ") for name in ORDER]
    assert places == sorted(places)
    assert "--install-completion" in listed
    for command in ("release", "ledger", "audit-dp"):
        assert twinset(command, "-h").stdout == twinset(command, "--help").stdout != ""
