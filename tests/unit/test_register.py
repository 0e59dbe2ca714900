"""The register of a user: a table goes with one ledger, a ledger only grows, and what was forgotten is remembered as such."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from twinset.dp import ledger_file, register, register_file
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance
from twinset.dp.ledger_file import Budget
from twinset.dp.marks import PIECE, marks
from twinset.errors import BadInput, BudgetExhausted

DELTA = 1e-9
BUDGET = Budget("row", "add-remove", 5.0, DELTA)
ROWS = "age,sex\n31,f\n62,m\n44,f\n"
KEY = b"k" * 32


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "patients.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "patients.csv.ledger.jsonl"


def reserve(path: Path, table: Path, asked: float = 1.0) -> int:
    return ledger_file.reserve(path, BUDGET, Allowance(rho_of(asked, DELTA)), table=table, generator="aim", asked=asked)


def check(path: Path, table: Path) -> None:
    ledger_file.check(path, BUDGET, Allowance(rho_of(1.0, DELTA)), table=table, asked=1.0)


def entries(config: Path) -> list[dict]:
    return [json.loads(line) for line in (config / "register.jsonl").read_text().splitlines()]


def standing(table: Path, path: Path) -> register.Standing:
    return register.standing(table, path, ledger_file.read(path).hashes)


# what the fingerprints know and what not

LIKE: dict[str, Callable[[bytes], bytes]] = {
    "the order of rows": lambda t: b"\n".join([t.split(b"\n")[0], *sorted(t.split(b"\n")[1:])]),
    "no newline at the end": lambda t: t.rstrip(b"\n"),
    "line ends of Windows": lambda t: t.replace(b"\n", b"\r\n"),
    "a byte order mark": lambda t: b"\xef\xbb\xbf" + t,
    "empty lines": lambda t: t.replace(b"\n", b"\n\n"),
}
UNLIKE: dict[str, Callable[[bytes], bytes]] = {
    "a changed cell": lambda t: t.replace(b"62", b"63"),
    "a row less": lambda t: t.replace(b"62,m\n", b""),
    "a row twice": lambda t: t.replace(b"62,m\n", b"62,m\n62,m\n"),
    "another separator": lambda t: t.replace(b",", b";"),
    "columns exchanged": lambda t: b"".join(b",".join(reversed(line.split(b","))) + b"\n" for line in t.split()),
    "a blank in a cell": lambda t: t.replace(b"62,m", b"62, m"),
    "another encoding": lambda t: t.decode().encode("utf-16"),
}


@pytest.mark.parametrize("how", LIKE)
def test_lines_are_known_again(table: Path, how: str) -> None:
    before = marks(table, KEY)
    table.write_bytes(LIKE[how](ROWS.encode()))
    assert table.read_bytes() != ROWS.encode()
    after = marks(table, KEY)
    assert (after.lines, after.exact != before.exact) == (before.lines, True)


@pytest.mark.parametrize("how", UNLIKE)
def test_other_cells_are_another_table(table: Path, how: str) -> None:
    before = marks(table, KEY)
    table.write_bytes(UNLIKE[how](ROWS.encode()))
    after = marks(table, KEY)
    assert after.lines != before.lines
    assert after.exact != before.exact


def test_lines_that_stand_there_twice_do_not_cancel(table: Path) -> None:
    table.write_text("age\n31\n31\n")
    before = marks(table, KEY)
    table.write_text("age\n62\n62\n")
    assert marks(table, KEY).lines != before.lines


def test_fingerprints_depend_on_the_key_and_on_nothing_else(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.txt"
    shutil.copy(table, other)
    one, again, keyed = marks(table, KEY), marks(other, KEY), marks(table, b"j" * 32)
    assert one == again
    assert {one.exact, one.lines}.isdisjoint({keyed.exact, keyed.lines})


@pytest.mark.parametrize("length", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7])
def test_lines_at_the_edge_of_a_piece(tmp_path: Path, length: int) -> None:
    """A line cut where the file is read in pieces must not look different from one that is not."""
    lines = [b"a" * 10, b"b" * length, b"c" * (PIECE // 2), b"d" * 3]
    found = set()
    for order in ([0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 1, 0], [3, 2, 0, 1]):
        (tmp_path / "long.csv").write_bytes(b"".join(lines[i] + b"\r\n" for i in order))
        found.add(marks(tmp_path / "long.csv", KEY).lines)
    assert len(found) == 1


def test_a_file_changed_in_place_is_read_again(table: Path) -> None:
    """Same size, same times: the file system still knows that it was written to."""
    before, was = marks(table, KEY), table.stat()
    table.write_text(ROWS.replace("62", "63"))
    os.utime(table, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert table.stat().st_size == was.st_size
    assert marks(table, KEY).exact != before.exact


# what is refused


def test_a_copy_of_the_table_is_refused_and_nothing_is_written(path: Path, table: Path, tmp_path: Path, config: Path) -> None:
    reserve(path, table)
    before = (config / "register.jsonl").read_bytes()
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "q.csv"
    for how in (lambda t: t, *LIKE.values()):
        copy.write_bytes(how(ROWS.encode()))
        for act in (check, reserve):
            with pytest.raises(BadInput, match="with another ledger") as caught:
                act(copy.with_name("q.csv.ledger.jsonl"), copy)
            assert str(path.resolve()) in caught.value.hint
            assert "twinset ledger forget" in caught.value.hint
    assert os.listdir(copy.parent) == ["q.csv"]
    assert (config / "register.jsonl").read_bytes() == before


def test_what_is_told_names_no_cell(path: Path, table: Path, config: Path) -> None:
    reserve(path, table)
    text = (config / "register.jsonl").read_text()
    assert not any(word in text for word in ("sex", "31,f", "62,m"))


def test_one_changed_cell_is_another_table(path: Path, table: Path, tmp_path: Path) -> None:
    """What the page for privacy officers says is not prevented, is not."""
    reserve(path, table)
    other = tmp_path / "q.csv"
    other.write_text(ROWS.replace("62", "63"))
    assert reserve(tmp_path / "q.csv.ledger.jsonl", other) == 1


def test_a_ledger_moved_along_or_to_another_place_is_the_same(path: Path, table: Path, tmp_path: Path) -> None:
    reserve(path, table)
    (tmp_path / "new").mkdir()
    moved, kept = shutil.copy(table, tmp_path / "new" / "patients.csv"), tmp_path / "new" / "kept.jsonl"
    path.rename(kept)
    assert reserve(kept, Path(moved)) == 2
    assert standing(table, kept).kept


def test_a_deleted_or_renamed_ledger_is_missed(path: Path, table: Path, tmp_path: Path) -> None:
    reserve(path, table)
    path.rename(tmp_path / "hidden.jsonl")
    for act in (check, reserve):
        with pytest.raises(BadInput, match="with another ledger"):
            act(path, table)
    assert not path.exists()


def test_an_older_copy_of_the_ledger_is_refused(path: Path, table: Path) -> None:
    reserve(path, table)
    older = path.read_bytes()
    reserve(path, table)
    newest = path.read_bytes()
    path.write_bytes(older)
    for act in (check, reserve):
        with pytest.raises(BadInput, match="an older copy of it, or its end was cut off") as caught:
            act(path, table)
        assert str(path.resolve()) in caught.value.hint
    with pytest.raises(BadInput, match="older copy"):
        ledger_file.revealed(path, table=table, generator="trees", why="a run")
    assert path.read_bytes() == older
    path.write_bytes(newest)
    assert reserve(path, table) == 3


def test_two_copies_of_a_ledger_do_not_both_go_on(path: Path, table: Path, tmp_path: Path) -> None:
    reserve(path, table)
    fork = tmp_path / "fork.jsonl"
    shutil.copy(path, fork)
    assert reserve(fork, table) == 2
    with pytest.raises(BadInput, match="older copy"):
        reserve(path, table)


def test_two_copies_never_grow_alike(path: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same run at the same moment in two copies of a ledger: were their lines the same, nobody could tell that there are two."""
    reserve(path, table)
    fork = tmp_path / "fork.jsonl"
    shutil.copy(path, fork)
    monkeypatch.setattr(register_file, "folder", lambda: None)
    monkeypatch.setattr(ledger_file, "_now", lambda: "2026-01-01T00:00:00+00:00")
    reserve(path, table)
    reserve(fork, table)
    assert ledger_file.read(path).head != ledger_file.read(fork).head


def test_a_hidden_look_is_missed_too(path: Path, table: Path) -> None:
    """An older copy that lacks a run without a budget would hide that warning."""
    reserve(path, table)
    older = path.read_bytes()
    ledger_file.revealed(path, table=table, generator="trees", why="a run")
    path.write_bytes(older)
    with pytest.raises(BadInput, match="older copy"):
        check(path, table)


def test_a_second_unit_is_a_second_ledger(path: Path, table: Path, tmp_path: Path) -> None:
    reserve(path, table)
    with pytest.raises(BadInput, match="with another ledger"):
        ledger_file.reserve(
            tmp_path / "p.jsonl", Budget("sex", "add-remove", 5.0, DELTA), Allowance(rho_of(1.0, DELTA)), table=table, generator="aim", asked=1.0
        )


# what is remembered


def test_forgetting_is_written_down_and_told(path: Path, table: Path, config: Path) -> None:
    reserve(path, table)
    path.unlink()
    assert register.forget(table, why="the disk died on Monday") == (str(path.resolve()),)
    last = entries(config)[-1]
    assert (last["entry"], last["why"], last["at"][:2]) == ("forget", "the disk died on Monday", "20")
    assert reserve(path, table) == 1
    told = standing(table, path)
    assert (told.kept, told.forgotten) == (True, 1)
    with pytest.raises(BadInput, match="with another ledger"):
        reserve(path.with_name("third.jsonl"), table)
    assert register.known(ledger_file.read(path).hashes).forgotten == 1


def test_a_table_that_nobody_knows_cannot_be_forgotten(path: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no register"):
        register.forget(table, why="x")
    reserve(path, table)
    other = tmp_path / "q.csv"
    other.write_text("a\n")
    with pytest.raises(BadInput, match="knows no ledger"):
        register.forget(other, why="x")


def test_an_older_copy_can_be_gone_on_with_once_it_is_said(path: Path, table: Path) -> None:
    reserve(path, table)
    older = path.read_bytes()
    reserve(path, table)
    path.write_bytes(older)
    register.forget(table, why="the newest backup is of Sunday")
    assert reserve(path, table) == 2
    assert standing(table, path).forgotten == 1


def test_a_ledger_in_the_place_of_another_is_told(path: Path, table: Path, tmp_path: Path) -> None:
    """The table changed by a cell, its ledger put away: allowed, and the next certificate says so."""
    reserve(path, table)
    path.rename(tmp_path / "old.jsonl")
    table.write_text(ROWS.replace("62", "63"))
    reserve(path, table)
    assert standing(table, path).replaced == 1


def test_a_look_without_a_ledger_is_remembered_where_the_table_is_known(path: Path, table: Path, tmp_path: Path, config: Path) -> None:
    other = tmp_path / "q.csv"
    other.write_text("a\n1\n")
    assert not register.revealed(other, why="a run")
    assert not config.exists()
    reserve(path, table)
    shutil.copy(table, other)
    assert register.revealed(other, why="a run")
    assert standing(table, path).reveals == 1


def test_a_public_table_may_have_many_ledgers(path: Path, table: Path, tmp_path: Path) -> None:
    register.publish(table, why="a demo")
    register.publish(table, why="a demo")
    assert reserve(path, table) == reserve(tmp_path / "other.jsonl", table) == 1
    assert standing(table, path).public


def test_the_register_is_for_its_user_only(path: Path, table: Path, config: Path) -> None:
    reserve(path, table)
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert stat.S_IMODE((config / "register.jsonl").stat().st_mode) == 0o600
    assert os.listdir(config) == ["register.jsonl"]


@pytest.mark.parametrize("how", ["a file in the way", "no home", "a folder in its place"])
def test_where_none_can_be_kept_the_run_goes_on_and_it_is_told(path: Path, table: Path, config: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "a file in the way":
        config.write_text("")
    elif how == "a folder in its place":
        (config / "register.jsonl").mkdir(parents=True)
    else:
        monkeypatch.setattr(register_file, "folder", lambda: None)
    assert reserve(path, table) == 1
    assert standing(table, path) == register.Standing()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_register_that_can_only_be_read_still_refuses(path: Path, table: Path, config: Path, tmp_path: Path) -> None:
    reserve(path, table)
    (config / "register.jsonl").chmod(0o400)
    with pytest.raises(BadInput, match="with another ledger"):
        reserve(tmp_path / "other.jsonl", table)
    assert reserve(path, table) == 2
    assert not standing(table, path).kept


@pytest.mark.parametrize("how", [lambda t: t[:-9], lambda t: t.replace(b'"run"', b'"sun"'), lambda t: b"", lambda t: t + b"\n"])
def test_a_corrupted_register_is_found(path: Path, table: Path, config: Path, how: Callable[[bytes], bytes]) -> None:
    reserve(path, table)
    file = config / "register.jsonl"
    file.write_bytes(how(file.read_bytes()))
    for act in (check, reserve):
        with pytest.raises(BadInput, match="register of this user's ledgers is corrupted") as caught:
            act(path, table)
        assert caught.value.hint
    assert len(ledger_file.read(path).runs) == 1


@pytest.mark.parametrize(
    "variables, platform, expected",
    [
        ({"TWINSET_CONFIG": "/c"}, "linux", "/c"),
        ({"XDG_CONFIG_HOME": "/x"}, "linux", "/x/twinset"),
        ({"XDG_CONFIG_HOME": "not/absolute"}, "linux", "/h/.config/twinset"),
        ({}, "linux", "/h/.config/twinset"),
        ({"TWINSET_CONFIG": ""}, "darwin", "/h/Library/Application Support/twinset"),
    ],
)
def test_where_it_is(monkeypatch: pytest.MonkeyPatch, variables: dict, platform: str, expected: str) -> None:
    for name in ("TWINSET_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/h", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert register_file.folder() == Path(expected)


# several runs at once, and runs that are killed

RACER = """
import fcntl, os, signal, sys
from pathlib import Path
from twinset.dp import ledger_file
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance
from twinset.errors import BadInput, BudgetExhausted
path, table, rho = Path(sys.argv[1]), Path(sys.argv[2]), rho_of(1.0, 1e-9)
steps, killed = 0, int(sys.argv[3]) if len(sys.argv) > 3 else 0  # which step on a file it does not live to take; a negative one: how many of its locks it tells of
told = -min(killed, 0)
def watch(event, arguments):
    global steps, told
    if not event.startswith(("open", "os.", "fcntl.")):
        return
    steps += 1
    if steps == killed:
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "fcntl.flock" and told:
        told -= 1
        print("asks for the lock", flush=True)
print("ready", flush=True)
sys.stdin.readline()
if killed:
    sys.addaudithook(watch)
won = 0
while True:
    try:
        ledger_file.reserve(path, ledger_file.Budget("row", "add-remove", 5.0, 1e-9), Allowance(rho), table=table, generator="aim", asked=1.0)
    except (BudgetExhausted, BadInput):
        break
    won += 1
print(won)
"""


def race(pairs: list[tuple[Path, Path]]) -> list[int]:
    """Processes that reserve epsilon = 1 in their ledger, each until it is refused; how often each could."""
    racers = [subprocess.Popen([sys.executable, "-c", RACER, *map(str, p)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for p in pairs]
    for r in racers:
        assert r.stdin
        assert r.stdout
        r.stdout.readline()
    for r in racers:
        assert r.stdin
        r.stdin.write("go\n")
        r.stdin.flush()
    return [int(r.communicate(timeout=120)[0]) for r in racers]


def started(path: Path, table: Path, *, step: int) -> subprocess.Popen[str]:
    """A process that reserves until it is refused, dies at its ``step``-th step on a file, or (-1) says when it first asks for a lock."""
    run = subprocess.Popen([sys.executable, "-c", RACER, str(path), str(table), str(step)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdin
    assert run.stdout
    run.stdout.readline()
    run.stdin.write("go\n")
    run.stdin.flush()
    return run


FIVE = int(rho_of(5.0, DELTA) / rho_of(1.0, DELTA))  # runs of epsilon = 1 that a budget of 5 holds


def test_a_run_waits_for_the_register(path: Path, table: Path) -> None:
    """While one process holds it, another gets as far as asking for it, and reserves nothing. (One that asks for no lock says a number instead.)"""
    reserve(path, table)
    with register_file.held():
        run = started(path, table, step=-1)
        assert run.stdout
        assert run.stdout.readline() == "asks for the lock\n"
        assert len(ledger_file.read(path).runs) == 1
    assert int(run.communicate(timeout=120)[0]) == FIVE - 1


def test_of_several_first_ledgers_at_once_one_wins(table: Path, tmp_path: Path) -> None:
    """Each process names another ledger: all of them together get one budget."""
    won = race([(tmp_path / f"{i}.jsonl", table) for i in range(4)])
    assert sorted(won) == [0, 0, 0, FIVE]


def test_of_several_copies_of_a_ledger_at_once_one_goes_on(path: Path, table: Path, tmp_path: Path) -> None:
    """Each process has its own copy of the begun ledger: what all of them may look at is one budget."""
    reserve(path, table)
    for i in range(4):
        shutil.copy(path, tmp_path / f"{i}.jsonl")
    won = race([(tmp_path / f"{i}.jsonl", table) for i in range(4)])
    assert sum(won) == FIVE - 1
    assert sorted(won)[:3] == [0, 0, 0]


@pytest.mark.parametrize("first", [1, 2, 3])
def test_killed_before_any_step_the_next_run_goes_on(path: Path, table: Path, config: Path, first: int) -> None:
    """SIGKILL before any step on a file leaves a register that is whole and a ledger it accepts: of the 22 steps of a first run and the 11 of a later one."""
    for step in range(first, first + 24, 3):
        run = started(path, table, step=step)
        run.communicate(timeout=120)
        assert run.returncode == -signal.SIGKILL
        if path.exists():
            assert ledger_file.read(path).epsilon() <= 5.0
        try:
            check(path, table)
        except BudgetExhausted:
            break
    reached = ledger_file.read(path) if path.exists() else None
    assert reached is None or register.known(reached.hashes).behind is False


def test_trials_keep_a_register_of_their_own(path: Path, table: Path, config: Path, tmp_path: Path) -> None:
    with register_file.apart(tmp_path / "own"):
        reserve(path, table)
        assert standing(table, path).kept
    assert not config.exists()
    assert register_file.folder() == config
