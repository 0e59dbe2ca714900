"""DuckDB as a counter: one connection with limits, errors without values, and counts by covering tables."""

from __future__ import annotations

import math
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twinset.dp import sql
from twinset.dp.counts import WIDEST
from twinset.dp.cover import Axes, cover, marginals
from twinset.errors import TableUnreadable

IntArray = np.ndarray
CELLS = 100_000  # of a covering table: DuckDB then counts in an array, not in a hash table
ARRAY_BITS = 20  # cells that DuckDB counts in an array, as a power of two


@dataclass(frozen=True)
class Limits:
    """What DuckDB may use."""

    memory: str = "2GB"
    threads: int = 1


class Database:
    """A database for what is derived from the rows, in a temporary folder that only this user can read and that goes with the object.

    ``folder``: for files on the way into it. ``where`` names the source in errors.
    """

    def __init__(self, limits: Limits, *, where: str) -> None:
        import duckdb

        self.folder = folder = Path(tempfile.mkdtemp(prefix="twinset-"))
        self._error, self._where = duckdb.Error, where
        self._connection = duckdb.connect(str(folder / "work.duckdb"))
        weakref.finalize(self, _remove, self._connection, folder)
        for setting in (
            f"memory_limit = {sql.text(limits.memory)}",
            f"threads = {int(limits.threads)}",
            f"temp_directory = {sql.text(str(folder / 'spill'))}",
            f"perfect_ht_threshold = {ARRAY_BITS}",
            "autoinstall_known_extensions = false",
            "force_compression = 'bitpacking'",
        ):
            self.run(f"SET {setting}")

    def run(self, command: str) -> Any:
        """Raises TableUnreadable: DuckDB's own messages quote values."""
        try:
            return self._connection.execute(command)
        except self._error as e:
            raise TableUnreadable(
                f"the table cannot be counted ({type(e).__name__})", where=self._where, hint="is the file whole, and its types as the study says?"
            ) from None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.run(query).fetchall()
        return found

    def tally(self, expression: str, table: str, n_cells: int) -> IntArray:
        """How often each value from 0 to ``n_cells`` - 1 of a whole-number expression occurs: int64 (n_cells,)."""
        found = self.run(f"SELECT k, count(*) AS n FROM (SELECT {expression} AS k FROM {table}) GROUP BY k").fetchnumpy()
        out = np.zeros(n_cells, dtype=np.int64)
        out[np.asarray(found["k"], dtype=np.int64)] = np.asarray(found["n"], dtype=np.int64)
        return out


class DuckCounts:
    """Counts over the columns c0, c1, ... of a table of modelled cells; the rows stay in DuckDB, only tables of counts come out."""

    def __init__(self, database: Database, table: str, sizes: Sequence[int], n_rows: int) -> None:
        self._database, self._table, self._sizes, self._n_rows = database, table, tuple(sizes), n_rows

    def count(self, cliques: Sequence[Axes]) -> list[IntArray]:
        out: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(cliques)
        for group in cover(cliques, self._sizes, most=CELLS, widest=WIDEST):
            counted = marginals(self._tally(group.axes), group.axes, [cliques[i] for i in group.places])
            for i, counts in zip(group.places, counted, strict=True):
                out[i] = counts
        return out

    def _tally(self, axes: Axes) -> IntArray:
        if not axes:
            return np.asarray(self._n_rows, dtype=np.int64)
        shape = [self._sizes[a] for a in axes]
        return self._database.tally(sql.key([f"c{a}" for a in axes], shape), self._table, math.prod(shape)).reshape(shape)


def _remove(connection: Any, folder: Path) -> None:
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)
