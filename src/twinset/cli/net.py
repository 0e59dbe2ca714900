"""A net under every command: what nobody expected ends in one line without its message, since libraries quote cell values in theirs.

Exit codes: 70 a fault of twinset, 130 interrupted, 141 whoever read the output went away (``twinset plugins | head -1``).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import typer
from typer.core import TyperGroup

CRASHED, INTERRUPTED, UNREAD = 70, 130, 141
AGAIN = 0.05  # seconds until an interruption that was swallowed is raised again
ORDER = ("init", "release", "report", "audit", "compare", "split", "plan", "sweep", "ask", "ledger", "audit-dp", "plugins", "demo")


class Commands(TyperGroup):
    """The commands in the order a person uses them; an interruption is told."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """All names, in the order of ``--help``."""
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command; Ctrl-C ends it with 130 and a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            interrupted("nothing written")


def interrupted(what: str) -> NoReturn:
    """Say what an interruption left, and end with 130."""
    _say(f"interrupted, {what}")
    raise typer.Exit(INTERRUPTED)


class Net:
    """What nobody expected ends here, a library's panic too: typer sets a hook of its own, so one of ours would not be called.

    Under it nothing but twinset's own words reaches the terminal: warnings, logs and whatever native code or a worker process writes to
    descriptor 2 may quote the data and lead nowhere. With ``TWINSET_DEBUG`` set all of it is shown.
    """

    def __enter__(self) -> None:
        self._stdout = sys.stdout
        if os.environ.get("TWINSET_DEBUG"):
            return
        logging.disable(logging.CRITICAL)
        warnings.showwarning = _unsaid
        threading.excepthook = _in_thread
        sys.unraisablehook = _unraised
        _apart()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError as gone:
            error = gone
        if isinstance(error, BrokenPipeError) or sys.stdout is not self._stdout:  # typer wraps it where its reader is gone
            _drop()
            raise SystemExit(UNREAD) from None
        if kind is None or error is None or isinstance(error, SystemExit):
            return
        crash(kind, error, trace)
        raise SystemExit(CRASHED) from None


def crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An unexpected error, without its message: libraries quote cell values in theirs."""
    if os.environ.get("TWINSET_DEBUG"):
        sys.__excepthook__(kind, error, trace)
        return
    ours = [f for f in traceback.extract_tb(trace) if "twinset" in f.filename]
    place = f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    _say(f"error: unexpected {kind.__name__}{place}; its message is withheld because it may quote the data")
    _say("hint: this is a fault of twinset; report the line above, or look yourself with TWINSET_DEBUG=1")


def _unsaid(*_: object, **__: object) -> None:
    """A warning of a library: it may quote the data, and there is nothing to do about it."""


def _in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not isinstance(told.exc_value, BrokenPipeError):
        crash(told.exc_type, told.exc_value, told.exc_traceback)


def _unraised(told: sys.UnraisableHookArgs) -> None:
    """What Python cannot raise where it happened. An interruption is raised again a moment later, so that it is not lost; the rest was ignored."""
    if isinstance(told.exc_value, KeyboardInterrupt):
        again = threading.Timer(AGAIN, signal.raise_signal, [signal.SIGINT])
        again.daemon = True
        again.start()


def _apart() -> None:
    """Take descriptor 2 away from all but ``sys.stderr``, also in the processes that are started from here on."""
    shown, own = sys.stderr, sys.__stderr__
    if shown is None or own is None or id(shown) != id(own) or shown.fileno() != 2:
        return
    shown.flush()
    ours, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = open(ours, "w", buffering=1, encoding=shown.encoding, errors=shown.errors)  # noqa: SIM115 (open to the end)


def _drop() -> None:
    """Nobody reads stdout: what is left in it leads nowhere, so that Python does not complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
