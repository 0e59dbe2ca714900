"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from twinset.errors import OutputProblem
from twinset.io.place import disk_error, new_file, new_folder


def left(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    goal = tmp_path / "deep" / "run"
    with new_folder(goal) as part:
        (part / "a.txt").write_text("a")
        assert not goal.exists()
        assert part.parent == goal.parent
    assert (goal / "a.txt").read_text() == "a"
    assert left(goal.parent) == {"run"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError])
def test_nothing_is_left_when_the_work_stops(tmp_path: Path, stop: type[BaseException]) -> None:
    with pytest.raises(stop), new_folder(tmp_path / "run") as part:  # noqa: PT012
        (part / "a.txt").write_text("a")
        raise stop
    with pytest.raises(stop), new_file(tmp_path / "a.csv") as part:  # noqa: PT012
        part.write_text("half")
        raise stop
    assert left(tmp_path) == set()


def test_a_second_run_never_overwrites_silently(tmp_path: Path) -> None:
    goal = tmp_path / "run"
    with new_folder(goal) as part:
        (part / "a.txt").write_text("first")
    with pytest.raises(OutputProblem, match="--overwrite"), new_folder(goal):
        pytest.fail("the block must not run")
    (tmp_path / "f.csv").write_text("first")
    with pytest.raises(OutputProblem, match="exists already"), new_file(tmp_path / "f.csv"):
        pytest.fail("the block must not run")
    assert (goal / "a.txt").read_text() == "first"


def test_overwriting_swaps_at_the_end_and_keeps_the_old_one_on_failure(tmp_path: Path) -> None:
    goal = tmp_path / "run"
    with new_folder(goal) as part:
        (part / "a.txt").write_text("first")
    with pytest.raises(KeyboardInterrupt), new_folder(goal, overwrite=True) as part:  # noqa: PT012
        (part / "a.txt").write_text("second")
        raise KeyboardInterrupt
    assert (goal / "a.txt").read_text() == "first"
    with new_folder(goal, overwrite=True) as part:
        (part / "a.txt").write_text("third")
        assert (goal / "a.txt").read_text() == "first"
    assert (goal / "a.txt").read_text() == "third"
    assert left(tmp_path) == {"run"}


def test_overwriting_never_removes_what_is_not_made_anew(tmp_path: Path) -> None:
    goal = tmp_path / "run"
    goal.mkdir()
    (goal / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputProblem, match="does not make"), new_folder(goal, overwrite=True) as part:
        (part / "a.txt").write_text("a")
    assert left(goal) == {"thesis.txt"}
    assert left(tmp_path) == {"run"}


def test_the_folder_one_stands_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(OutputProblem, match="you work in"), new_folder(tmp_path, overwrite=True):
        pytest.fail("the block must not run")


def test_an_empty_folder_may_be_filled_and_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as part:
        (part / "a.txt").write_text("a")
    assert left(tmp_path / "empty") == {"a.txt"}
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputProblem, match="a file of this name"), new_folder(tmp_path / "file", overwrite=True):
        pytest.fail("the block must not run")
    with pytest.raises(OutputProblem, match="a folder"), new_file(tmp_path / "empty"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputProblem, match="disk is full"), new_folder(tmp_path / "run") as part:  # noqa: PT012
        (part / "a.txt").write_text("a")
        with open("/dev/full", "w") as full:
            full.write("x" * 100_000)
    assert left(tmp_path) == set()


def test_disk_errors_are_recognised_however_they_are_worded() -> None:
    assert disk_error(OSError(errno.ENOSPC, "x")) == errno.ENOSPC
    assert disk_error(RuntimeError(f"IO error: {os.strerror(errno.ENOSPC)}")) == errno.ENOSPC
    assert disk_error(OSError("File too large (os error 27)")) == errno.EFBIG
    assert disk_error(ValueError("column has 28 rows")) is None


SCRIPT = """
import resource, sys
from pathlib import Path
import polars as pl
from twinset.errors import OutputProblem
from twinset.io.write import WRITERS, write_table
import duckdb, xlsxwriter, pyreadstat
frame = pl.DataFrame({f"x{i}": pl.Series(range(40000)).cast(pl.Float64).sqrt() * (i + 1) for i in range(5)})
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
for suffix in WRITERS:
    try:
        write_table(frame, folder / f"t{suffix}")
        print("WROTE", suffix)
    except OutputProblem as e:
        assert e.exit_code == 2 and e.hint, suffix
    if list(folder.iterdir()):
        print("LEFT", suffix)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a file size limit")
def test_no_writer_leaves_half_a_file_on_a_full_disk(tmp_path: Path) -> None:
    """The fault this catches is real: one library writes a truncated file and says nothing."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == ""
