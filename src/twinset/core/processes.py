"""Processes of our own, for parts of a work that do not depend on each other. Light to import: threads are bounded before the libraries that start them are loaded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes that end with this block, however it ends, and with this process, however it ends."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start, initargs=(reader, threads))
    try:
        yield pool
        pool.shutdown(wait=True)
    finally:
        writer.close()  # workers still at work end here
        pool.shutdown(wait=True, cancel_futures=True)
        reader.close()


def start(alive: Connection, threads: int) -> None:
    """Called once in a new process: at most ``threads`` threads; gone as soon as ``alive`` is closed at its other end.

    The other end closes when the work is interrupted, and also when its process is killed: no worker is left behind.
    Ctrl-C is the parent's business.
    """
    for name in THREADS:
        os.environ.setdefault(name, str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_until_closed, args=(alive,), daemon=True).start()


def _until_closed(alive: Connection) -> None:
    with suppress(EOFError, OSError):
        alive.recv_bytes()
    os._exit(1)
