"""Progress: late on a terminal, now and then in a log, silent for short work, and time left only where parts are alike."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from collections.abc import Callable

import pytest

from twinset.cli import progress
from twinset.cli.progress import Pace, spell

LONG = 60.0  # seconds that no machine is too slow for


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A stderr that is no terminal. (Set in the test: pytest puts its own in place after the fixtures.)"""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def terminal(monkeypatch: pytest.MonkeyPatch) -> Tty:
    stream = Tty()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return stream


def test_short_work_leaves_no_line_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = log(monkeypatch)
    with progress.progress() as say:
        say("step")
    assert stream.getvalue() == ""


def test_long_work_tells_its_step_in_a_log_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was told off a terminal before: a run of minutes looked like one that hangs."""
    stream = log(monkeypatch)
    monkeypatch.setattr(progress, "EVERY", 0.001)
    with progress.progress() as say:
        say("fitting")
        until(lambda: "fitting" in stream.getvalue())
        say("attacks")
        until(lambda: "attacks" in stream.getvalue())
    assert re.fullmatch(r"fitting \(\d+ s\)\nattacks \(\d+ s\)\n", stream.getvalue())


def test_a_long_step_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = log(monkeypatch)
    monkeypatch.setattr(progress, "EVERY", 0.001)
    monkeypatch.setattr(progress, "STILL", 0.01)
    with progress.progress() as say:
        say("attacks")
        until(lambda: stream.getvalue().count("attacks") >= 3)


def test_each_step_is_told_at_once_where_a_log_may_miss_none(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = log(monkeypatch)
    with progress.progress(each=True) as say:
        say("1 of 3 points")
        say("2 of 3 points")
    assert [line.partition(" (")[0] for line in stream.getvalue().splitlines()] == ["1 of 3 points", "2 of 3 points"]


def test_quiet_work_and_work_under_a_promise_tell_a_log_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it took and which tests ran depends on the rows: a log of a private run may not hold it."""
    stream = log(monkeypatch)
    monkeypatch.setattr(progress, "EVERY", 0.001)
    before = threading.active_count()
    for options in ({"quiet": True}, {"promised": True}):
        with progress.progress(**options) as say:
            assert threading.active_count() == before  # nobody is there to tell anything
            say("step")
    assert stream.getvalue() == ""


def test_a_terminal_shows_the_step_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", 0.001)
    with progress.progress(promised=True) as say:
        say("fitting [trees]")
        until(lambda: "fitting [trees]" in stream.getvalue())


def test_a_terminal_shows_nothing_of_short_work_or_where_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", LONG)
    for quiet in (False, True):
        with progress.progress(quiet=quiet) as say:
            say("step")
    assert stream.getvalue() == ""


def test_progress_ends_with_the_work_even_if_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", 0.001)
    before = threading.active_count()

    def interrupted() -> None:
        with progress.progress("work"):
            until(lambda: bool(stream.getvalue()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    until(lambda: threading.active_count() == before)


def test_time_left_is_told_of_parts_alike_and_of_nothing_else() -> None:
    pace = Pace()
    assert pace.left("fitting trees to 500 rows, 2 of 5", 0.0) is None
    assert pace.left("3 of 9 points", 10.0) is None  # a sweep gone on with: two were there before
    assert pace.left("4 of 9 points", 20.0) is None
    assert pace.left("6 of 9 points", 24.0) == pytest.approx(14.0)
    assert pace.left("9 of 9 points", 30.0) is None
    assert pace.left("0 of 4 pairs", 40.0) is None  # other work
    assert pace.left("1 of 4 pairs", 50.0) == pytest.approx(30.0)
    big = Pace()
    assert big.left("0 of 2,000 pairs", 0.0) is None
    assert big.left("1,000 of 2,000 pairs", 90.0) == pytest.approx(90.0)


def test_the_first_parts_do_not_foretell_the_rest() -> None:
    """Workers that start and compile: five parts of 50 in 20 s, then one a second. From the first part on it would be 74 s at the tenth."""
    pace, told = Pace(), {}
    for done in range(51):
        told[done] = pace.left(f"{done} of 50 refits", 4.0 * min(done, 5) + max(done - 5, 0))
    assert all(told[done] is None for done in (*range(10), 50))
    assert all(told[done] == pytest.approx(50 - done) for done in range(10, 50))


def test_times_read_as_people_say_them() -> None:
    assert [spell(s) for s in (0.2, 59.4, 59.6, 3599.0, 3600.0)] == ["0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min"]
