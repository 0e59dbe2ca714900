"""Counting at scale: all three-way tables of 10 million rows: ``python -m bench.counts [memory|file] [--rows N]``.

15 columns of 2 to 32 cells. ``memory``: codes in memory, covering tables by numba. ``file``: a Parquet file read by DuckDB under
2 GB on one thread, from the file to the last table. CPU-seconds of the work (compilation and making the data left out) and the process's peak memory.
Limits of the issue: 4 and 40 CPU-seconds. Each prints one line; a sample of the tables is checked against numpy.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from twinset.core.domain import Domain
from twinset.core.schema import Column, Schema
from twinset.dp import discover
from twinset.dp.counts import Counts, MemoryCounts
from twinset.dp.cover import all_of
from twinset.dp.files import FileTable

SIZES = (2, 2, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32)
LIMITS = {"memory": 4.0, "file": 40.0}
CHECKED = 41  # every so many tables


def codes(n: int) -> np.ndarray:
    """uint8 (15, n), uneven."""
    rng = np.random.default_rng(0)
    out = np.empty((len(SIZES), n), dtype=np.uint8)
    for row, size in zip(out, SIZES, strict=True):
        reached = np.cumsum(rng.dirichlet(np.full(size, 1.5)))
        row[:] = np.minimum(np.searchsorted(reached, rng.random(n, dtype=np.float32)), size - 1)
    return out


def schema() -> Schema:
    return Schema(tuple(Column(f"c{i}", "integer", low=0, high=s - 1, origin="public") for i, s in enumerate(SIZES)))


def write(path: Path, n: int) -> None:
    pl.DataFrame({f"c{i}": row for i, row in enumerate(codes(n))}).cast(pl.Int64).write_parquet(path)


def counted(counts: Counts, n: int) -> list[np.ndarray]:
    tables = counts.count(all_of(len(SIZES), 3))
    assert all(t.sum() == n for t in tables)
    return tables


def check(tables: list[np.ndarray], table: np.ndarray) -> None:
    for i, (a, b, c) in list(enumerate(all_of(len(SIZES), 3)))[::CHECKED]:
        cell = (table[a].astype(np.int64) * SIZES[b] + table[b]) * SIZES[c] + table[c]
        ours = tables[i][: SIZES[a], : SIZES[b], : SIZES[c]].ravel()
        assert np.array_equal(ours, np.bincount(cell, minlength=len(ours)))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(n: int) -> tuple[float, float]:
    table = codes(n)
    MemoryCounts(table[:, :100_000], SIZES).count([tuple(range(k)) for k in range(1, 6)])  # compiles
    start = time.process_time()
    tables = counted(MemoryCounts(table, SIZES), n)
    spent, most = time.process_time() - start, peak()
    check(tables, table)
    return spent, most


def file(n: int, path: Path) -> tuple[float, float]:
    axes = tuple(discover.number_axis(c, discover.grid(c)) for c in schema())
    start = time.process_time()
    tables = counted(FileTable(path, schema()).counts(Domain(axes)), n)
    spent, most = time.process_time() - start, peak()
    check(tables, codes(n))
    return spent, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where", nargs="*", default=["memory", "file"], choices=["memory", "file", "write"])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--path", type=Path, default=None)
    asked = parser.parse_args()
    path = asked.path or Path(tempfile.gettempdir()) / f"counts-{asked.rows}.parquet"
    for where in asked.where:
        if where == "write":
            write(path, asked.rows)
            continue
        spent, most = memory(asked.rows) if where == "memory" else file(asked.rows, path)
        print(f"{where}: 455 tables of {asked.rows:,} rows: {spent:.2f} CPU-s (limit {LIMITS[where]:g}), peak {most:,.0f} MB")


if __name__ == "__main__":
    main()
