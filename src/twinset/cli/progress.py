"""How far the work is, on stderr: a line that moves on a terminal, plain lines off it, nothing for short work.

Work made of parts alike begins its text with ``3 of 8``: time left is told for such work alone, since the stages of a release are not alike.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

PATIENCE = 2.0  # seconds before a terminal shows anything
EVERY = 5.0  # seconds between plain lines, and before the first
STILL = 30.0  # seconds after which a plain line is said again
PARTS = re.compile(r"([\d,]+) of ([\d,]+)\b")


@contextmanager
def progress(what: str = "", *, quiet: bool = False, each: bool = False, promised: bool = False) -> Iterator[Callable[[str], None]]:
    """Yields ``say(text)``, which tells the current step once the work has taken a while.

    On a terminal's stderr, after two seconds: a spinner with the step, the seconds, and what is left where it can be foretold. Elsewhere, after five seconds:
    a plain line where the step has changed, every five seconds at most; the same step again after thirty. ``each``: every step is a line at once, so that a
    log misses none. ``promised``: nothing off a terminal, for work whose output may not depend on the rows, as steps and seconds do. Nothing where ``quiet``.
    """
    if sys.stderr.isatty() and not quiet:
        with closing(_Spinner(what)) as spinner:
            yield spinner.say
    elif quiet or promised:
        yield _nothing
    else:
        with closing(_Lines(what, each=each)) as lines:
            yield lines.say


class Pace:
    """How long parts alike still take, from texts that begin with ``3 of 8`` and when they were said (seconds).

    Told when a fifth is done: parts that were there before the first text cost nothing now, and the first tenth pays for what is loaded and compiled once.
    """

    def __init__(self) -> None:
        self._of, self._first = 0, 0
        self._from = (0, 0.0)  # parts done, and when: the pace is measured from here

    def left(self, text: str, now: float) -> float | None:
        """Seconds left after ``text``, said at ``now``; ``None`` where they cannot be foretold."""
        parts = PARTS.match(text)
        if parts is None:
            return None
        done, of = (int(p.replace(",", "")) for p in parts.groups())
        if of != self._of or done < self._from[0]:  # other work
            self._of, self._first, self._from = of, done, (done, now)
        before, start = self._from
        if before < done <= self._first + (of - self._first) // 10:
            self._from = (done, now)
        if done == of or 5 * (done - self._first) < of - self._first:
            return None
        return (now - start) / (done - before) * (of - done)


def spell(seconds: float) -> str:
    """A time as a person says it.

    >>> spell(7.4), spell(80), spell(5000)
    ('7 s', '1 min 20 s', '1 h 23 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


class _Lines:
    """Plain lines, now and then, from a thread of its own: work that says nothing for long is heard of too."""

    def __init__(self, what: str, *, each: bool) -> None:
        self._text, self._each = what, each
        self._start = self._last = time.monotonic()
        self._told = ""
        self._pace, self._left = Pace(), ""
        self._lock, self._done = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._text = text
            left = self._pace.left(text, now)
            self._left = "" if left is None else f", about {spell(left)} left"
            if self._each:
                self._tell(now)

    def close(self) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(EVERY):
            now = time.monotonic()
            with self._lock:
                if self._text and (self._text != self._told or now - self._last >= STILL):
                    self._tell(now)

    def _tell(self, now: float) -> None:
        self._told, self._last = self._text, now
        _line(f"{self._text} ({spell(now - self._start)}{self._left})")


class _Spinner:
    """A line that appears late and leaves no trace."""

    def __init__(self, what: str) -> None:
        self._lock = threading.Lock()
        self._text = what
        self._done = False
        self._pace = Pace()
        self._live: Callable[[], None] | None = None
        self._update: Callable[[str], None] = _nothing
        self._timer = threading.Timer(PATIENCE, self._start)
        self._timer.daemon = True
        self._timer.start()

    def say(self, text: str) -> None:
        now = time.monotonic()
        with self._lock:
            left = self._pace.left(text, now)
            self._text = text if left is None else f"{text}, about {spell(left)} left"
            self._update(self._text)

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._done = True
            if self._live is not None:
                self._live()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(stderr=True, highlight=False, soft_wrap=False)
        plain = not (console.encoding or "").lower().startswith("utf")
        with self._lock:
            if self._done:
                return
            columns = (SpinnerColumn("line" if plain else "dots"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            bar = Progress(*columns, console=console, transient=True)
            task = bar.add_task(self._text, total=None)
            bar.start()
            self._live = bar.stop
            self._update = lambda text: bar.update(task, description=text)


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _nothing(_: str) -> None:
    return None
