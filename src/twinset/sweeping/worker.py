"""A process of its own for points. Light to import: threads are bounded before the libraries that start them are loaded."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")


def start(alive: Connection, threads: int) -> None:
    """Called once in a new worker: at most ``threads`` threads; gone as soon as ``alive`` is closed at its other end.

    The other end closes when the sweep is interrupted, and also when its process is killed: no worker is left behind.
    Ctrl-C is the parent's business.
    """
    for name in THREADS:
        os.environ.setdefault(name, str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_until_closed, args=(alive,), daemon=True).start()


def work(task: Any) -> dict[str, Any]:
    """One point in this process; see :func:`twinset.sweeping.point.finish`."""
    from twinset.sweeping.point import finish

    return finish(task)


def _until_closed(alive: Connection) -> None:
    with suppress(EOFError, OSError):
        alive.recv_bytes()
    os._exit(1)
