"""Many small jobs on a few processes, one thread each. What is done is written down line by line, so that a run that was stopped goes on where it was.

A job is the arguments of a function, as JSON knows them; its answer is a dictionary. Answers are kept under the digest of the package's source and of
the benchmarks': changed code starts afresh.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DONE = ROOT / "bench" / "results" / "done"
SOURCES = ("src/twinset/generators", "src/twinset/coding", "src/twinset/core", "src/twinset/audit", "src/twinset/refitting", "bench")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS")


def done(name: str, function: Callable[..., dict[str, Any]], jobs: Sequence[tuple[Any, ...]], *, workers: int = 2) -> list[dict[str, Any]]:
    """The answers in the order of the jobs; ``name`` is that of the file under ``bench/results/done``. A job that fails ends the run with its error."""
    path = DONE / f"{digest()}-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    answers = dict(map(json.loads, path.read_text().splitlines())) if path.exists() else {}
    missing = [j for j in jobs if json.dumps(j) not in answers]
    if not missing:
        return [answers[json.dumps(j)] for j in jobs]
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by each worker as it starts
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool, path.open("a", encoding="utf-8") as file:
        waiting = {pool.submit(function, *j): json.dumps(j) for j in missing}
        try:
            for one in as_completed(waiting):
                answers[waiting[one]] = one.result()
                file.write(json.dumps([waiting[one], answers[waiting[one]]]) + "\n")
                file.flush()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [answers[json.dumps(j)] for j in jobs]


@cache
def digest() -> str:
    """Of the code that the answers depend on."""
    files = sorted(f for source in SOURCES for f in (ROOT / source).rglob("*.py") if f.name not in ("effects.py", "work.py"))
    found = hashlib.sha256()
    for file in files:
        found.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:12]
