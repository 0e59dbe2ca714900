"""Private rows in a file larger than memory: read as declared, block by block, and counted by DuckDB, never loaded."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from twinset.coding.columns import on_a_line
from twinset.coding.history import KEPT
from twinset.coding.identity import SIDE, digests, row_texts
from twinset.core.cohort import Cohort
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Level, Schema
from twinset.dp import sql
from twinset.dp.counts import Counts
from twinset.dp.duck import Database, DuckCounts, Limits
from twinset.dp.tables import same_cells
from twinset.errors import BadInput
from twinset.io.declared import Declared, dtype_of, empty, read_declared

IntArray = np.ndarray


@dataclass(frozen=True)
class Chosen:
    """Which rows of a file take part, as ``coding.history.bound_locally`` and ``audit.privacy.split`` by coins choose them.

    ``bound``: rows of each patient at most, chosen by ``bound_seed``; 0 = all. ``held_out``: the share of patients left out, by ``seed``; 0 = none.
    """

    bound: int = 0
    bound_seed: int = 0
    held_out: float = 0.0
    seed: int = 0


class FileTable:
    """The rows of a file, read as :mod:`twinset.io.declared` reads them, of which those ``chosen`` count.

    Answers as a :class:`~twinset.dp.tables.MemoryTable` of the same rows would, to the integer. Values as numbers and levels are kept in a
    temporary folder that only this user can read and that goes with the object. ``cohort`` is refused.
    Raises TableUnreadable, SchemaMismatch for the file and its header; never for what a row holds, never with a value in the message.
    """

    def __init__(self, path: str | Path, schema: Schema, how: Declared | None = None, *, chosen: Chosen | None = None, limits: Limits | None = None) -> None:
        self._path, self._schema = Path(path), schema
        self._chosen = chosen or Chosen()
        self._database = Database(limits or Limits(), where=self._path.name)
        self._domain: Domain | None = None
        self._numbers = itertools.count(1)
        self._read(how or Declared())
        self._n_rows = int(self._database.rows("SELECT count(*) FROM rows")[0][0])

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        return {c.name: dtype_of(c) for c in self._schema.synthesised}

    def __len__(self) -> int:
        return self._n_rows

    def most_rows(self) -> int:
        if not self._schema.unit:
            return 1
        return int(self._database.rows("SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM rows GROUP BY unit)")[0][0])

    def histogram(self, axis: Axis) -> IntArray:
        return self._database.tally(sql.cell(axis, self._x(axis.name)), "rows", axis.n_fine)

    def levels(self, name: str) -> tuple[Sequence[Level], IntArray]:
        x = self._x(name)
        found = self._database.rows(f"SELECT {x}, count(*) FROM rows WHERE {x} IS NOT NULL GROUP BY 1 ORDER BY 1")
        return [level for level, _ in found], np.array([n for _, n in found], dtype=np.int64)

    def unfound(self, found: Mapping[str, Sequence[Level]], weights: IntArray) -> tuple[Sequence[tuple[str, Level]], IntArray]:
        if not found:
            return [], np.zeros(0, dtype=np.int64)
        cells = [(name, cell) for name, known in found.items() for cell in sql.unfound(self._schema[name], self._x(name), self.dtypes[name], known)]
        m = " + ".join(f"(({cell}) IS NOT NULL)::INTEGER" for _, cell in cells)
        weighed = f"SELECT *, list_extract([{', '.join(map(str, weights))}]::BIGINT[], ({m}) + 1) AS weight FROM rows"
        keys: list[tuple[str, Level]] = []
        totals: list[int] = []
        for name in found:
            mine = " UNION ALL ".join(f"SELECT {cell} AS level, weight FROM weighed" for of, cell in cells if of == name)
            rows = self._database.rows(
                f"WITH weighed AS ({weighed}) SELECT level, sum(weight)::BIGINT FROM ({mine}) WHERE level IS NOT NULL GROUP BY 1 ORDER BY 1"
            )
            keys += [(name, level) for level, _ in rows]
            totals += [n for _, n in rows]
        return keys, np.array(totals, dtype=np.int64)

    def counts(self, domain: Domain) -> Counts:
        if self._domain is None or not same_cells(self._domain, domain):
            self._code(domain)
        groups = [f"({sql.regroup(f'f{i}', a.cell_of)})::{_narrow(a.size)} AS c{i}" for i, a in enumerate(domain)]
        n = next(self._numbers)
        self._database.run(f"DROP TABLE IF EXISTS cells{n - 1}; CREATE TABLE cells{n} AS SELECT {', '.join(groups)} FROM fine")
        return DuckCounts(self._database, f"cells{n}", domain.sizes, self._n_rows)

    def cohort(self) -> Cohort:
        raise BadInput("the rows of a file are counted where they lie, and not handed out", hint="read the table and give the vault a cohort")

    def __repr__(self) -> str:
        return f"FileTable({len(self._schema)} columns)"

    def _x(self, name: str) -> str:
        return f"x{self._schema.synthesised.names.index(name)}"

    def _read(self, how: Declared) -> None:
        """The table ``rows``: x0, x1, ... the values of the synthesised columns, and the patient."""
        n, blocks = 0, 0
        for block in read_declared(self._path, self._schema, how):
            frame = self._values(Cohort(block.frame, self._schema), n)
            frame.write_parquet(self._database.folder / f"block-{blocks}.parquet", compression="lz4")
            n, blocks = n + frame.height, blocks + 1
        if not blocks:
            self._values(Cohort(empty(self._schema), self._schema), 0).write_parquet(self._database.folder / "block-0.parquet")
        given = f"read_parquet({sql.text(str(self._database.folder / 'block-*.parquet'))})"
        columns = [f"x{i}" for i in range(len(self._schema.synthesised))]
        self._database.run(f"CREATE TABLE rows AS SELECT {', '.join([*columns, 'unit'])} FROM {given} {self._taking_part(given)}")
        for part in self._database.folder.glob("block-*.parquet"):
            part.unlink()

    def _values(self, cohort: Cohort, start: int) -> pl.DataFrame:
        """A block with values on a line or as levels, who each row is, and what its random numbers are made of."""
        columns = [on_a_line(cohort[c.name]) if c.numeric else cohort[c.name] for c in self._schema.synthesised]
        unit, n = self._schema.unit, len(cohort)
        who = cohort[unit] if unit else pl.Series([None] * n, dtype=pl.String)
        side = digests(who if unit else row_texts(cohort.frame), purpose=SIDE, seed=self._chosen.seed)
        kept = digests(who, purpose=KEPT, seed=self._chosen.bound_seed)[:, 0] if unit else np.zeros(n, dtype=np.uint64)
        return pl.DataFrame(
            [
                *(s.rename(f"x{i}") for i, s in enumerate(columns)),
                who.rename("unit"),
                pl.Series("id", np.arange(start, start + n)),
                *(pl.Series(name, values) for name, values in (("side", side[:, 0]), ("more", side[:, 1]), ("kept", kept))),
            ]
        )

    def _taking_part(self, given: str) -> str:
        """The rows that are not held out and within the bound, as a join."""
        unit, chosen = self._schema.unit, self._chosen
        out = ""
        if chosen.held_out:
            place = "0" if unit else "row_number() OVER (PARTITION BY side, more ORDER BY id) - 1"
            coin = sql.mixed(f"SELECT id, side AS base, {place} AS place FROM {given}")
            out += f" SEMI JOIN (SELECT id AS in_train FROM ({coin}) WHERE z::DOUBLE / {2**63}::DOUBLE >= {float(chosen.held_out)!r}::DOUBLE) ON id = in_train"
        if chosen.bound and unit:
            key = sql.mixed(f"SELECT id, unit, kept AS base, row_number() OVER (PARTITION BY unit ORDER BY id) - 1 AS place FROM {given}", also="unit, ")
            first = f"SELECT id AS within, row_number() OVER (PARTITION BY unit ORDER BY z, place) AS r FROM ({key})"
            out += f" SEMI JOIN (SELECT within FROM ({first}) WHERE r <= {int(chosen.bound)}) ON id = within"
        return out

    def _code(self, domain: Domain) -> None:
        """The table ``fine``: the fine cells of every row."""
        self._domain = None
        coded = [f"({sql.cell(a, self._x(a.name))})::{_narrow(a.n_fine)} AS f{i}" for i, a in enumerate(domain)]
        self._database.run(f"DROP TABLE IF EXISTS fine; CREATE TABLE fine AS SELECT {', '.join(coded)} FROM rows")
        self._domain = domain


def _narrow(size: int) -> str:
    return "UTINYINT" if size <= 2**8 else "USMALLINT" if size <= 2**16 else "UINTEGER"
