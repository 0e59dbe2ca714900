"""A net under every command: what nobody expected ends in one line without its message, since libraries quote cell values in theirs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

CRASHED = 70  # exit code of a fault of ours


class Net:
    """What nobody expected ends here, a library's panic too: typer sets a hook of its own, so one of ours would not be called."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None or error is None or isinstance(error, SystemExit):
            return
        crash(kind, error, trace)
        raise SystemExit(CRASHED) from None


def crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An unexpected error, without its message: libraries quote cell values in theirs."""
    import traceback

    if os.environ.get("TWINSET_DEBUG"):
        sys.__excepthook__(kind, error, trace)
        return
    ours = [f for f in traceback.extract_tb(trace) if "twinset" in f.filename]
    place = f" in {Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    _say(f"error: unexpected {kind.__name__}{place}; its message is withheld because it may quote the data")
    _say("hint: this is a fault of twinset; report the line above, or look yourself with TWINSET_DEBUG=1")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
