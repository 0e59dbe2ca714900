"""Private rows in a Parquet, CSV or DuckDB file, larger than memory: counted by DuckDB, never loaded."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from twinset.coding.history import GOLDEN, MASK, MIX
from twinset.core.cohort import Cohort
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Level, Schema
from twinset.dp import sql
from twinset.dp.counts import Counts
from twinset.dp.duck import Database, DuckCounts, Reading
from twinset.dp.tables import same_cells
from twinset.errors import BadInput, SchemaMismatch, TableUnreadable, collect

IntArray = np.ndarray
DTYPES: dict[str, type[pl.DataType]] = {"BOOLEAN": pl.Boolean, "BIGINT": pl.Int64, "DOUBLE": pl.Float64, "VARCHAR": pl.String}
KINDS: dict[str, pl.DataType] = {"number": pl.Float64(), "integer": pl.Int64(), "date": pl.Date(), "datetime": pl.Datetime("us")}
TEXT = (".csv", ".tsv", ".txt", ".psv")


class FileTable:
    """The rows of a file, of which each patient keeps at most ``bound`` (0 = all), chosen by ``seed`` as ``coding.history.bound_locally`` does.

    Answers as a :class:`~twinset.dp.tables.MemoryTable` of the same rows would, to the integer. Columns are read as the schema's kinds
    say (a category without listed levels as text); what cannot be read so is refused before anything is asked. Codes of cells, a byte or two
    a value, are kept in a temporary folder that only this user can read and that goes with the object. ``cohort`` is refused.
    Raises TableUnreadable, SchemaMismatch; never with a value in the message.
    """

    def __init__(self, path: str | Path, schema: Schema, *, bound: int = 0, seed: int = 0, reading: Reading | None = None) -> None:
        self._path, self._schema, self._reading = Path(path), schema, reading or Reading()
        if not self._path.is_file():
            raise TableUnreadable("there is no such file", where=self._path.name, hint="check the path")
        self._database = Database(self._reading, where=self._path.name)
        self._domain: Domain | None = None
        self._numbers = itertools.count(1)
        self._stored = self._open()
        self._relation = self._typed(table=bool(bound and schema.unit) or self._path.suffix.lower() in TEXT)
        if bound and schema.unit:
            self._keep(bound, seed)
        self._n_rows = self._check()

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        return {c.name: KINDS.get(c.kind) or DTYPES[sql.level_type(c, self._stored[c.name])]() for c in self._schema.synthesised}

    def __len__(self) -> int:
        return self._n_rows

    def most_rows(self) -> int:
        if not self._schema.unit:
            return 1
        return int(self._database.rows(f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM {self._relation} GROUP BY unit)")[0][0])

    def histogram(self, axis: Axis) -> IntArray:
        counts = self._database.tally(sql.cell(axis, self._x(axis.name)), self._relation, axis.n_fine + 1)
        _no_unlisted([axis.name] if counts[-1] else [])
        return counts[:-1]

    def levels(self, name: str) -> tuple[Sequence[Level], IntArray]:
        x = self._x(name)
        found = self._database.rows(f"SELECT {x}, count(*) FROM {self._relation} WHERE {x} IS NOT NULL GROUP BY 1 ORDER BY 1")
        return [level for level, _ in found], np.array([n for _, n in found], dtype=np.int64)

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

    def _open(self) -> dict[str, str]:
        """The view ``given``, the file as it is; returns how each column is stored."""
        suffix, path, reading = self._path.suffix.lower(), sql.text(str(self._path)), self._reading
        if suffix in (".duckdb", ".db"):
            self._database.run(f"ATTACH {path} AS outside (READ_ONLY)")
            given = "outside." + sql.name(reading.table)
        elif suffix == ".parquet":
            given = f"read_parquet({path})"
        elif suffix in TEXT:
            given = f"read_csv({path}, all_varchar=true, header=true{f', delim={sql.text(reading.separator)}' if reading.separator else ''})"
        else:
            raise TableUnreadable(f"cannot count in a `{suffix}` file", where=self._path.name, hint="give a .parquet, .csv or .duckdb file")
        self._database.run(f"CREATE VIEW given AS SELECT * FROM {given}")
        stored = {str(row[0]): str(row[1]) for row in self._database.rows("DESCRIBE given")}
        absent = [f"column `{c}`" for c in self._schema.names if c not in stored]
        if absent:
            raise SchemaMismatch("the file lacks " + ", ".join(absent[:20]), where=self._path.name, hint="correct the study file")
        return stored

    def _typed(self, *, table: bool) -> str:
        """x0, x1, ... the values of the schema's synthesised columns; b0, ... whether there was anything to read; and the patient."""
        parts = []
        for i, column in enumerate(self._schema.synthesised):
            stored = self._stored[column.name]
            x = sql.bare(column.name, stored, self._reading.missing)
            there = f"{x} IS NOT NULL" + (f" AND isfinite({x})" if stored in ("DOUBLE", "FLOAT") else "")
            parts += [f"{sql.value(column, x, stored)} AS x{i}", f"({there}) AS b{i}"]
        unit = self._schema.unit
        parts.append((f"coalesce({sql.bare(unit, self._stored[unit], ())}::VARCHAR, '')" if unit else "NULL") + " AS unit")
        self._database.run(f"CREATE {'TABLE' if table else 'VIEW'} typed AS SELECT {', '.join(parts)} FROM given")
        return "typed"

    def _keep(self, bound: int, seed: int) -> None:
        """The table ``bounded``: at most so many rows of each patient, by a hash of the patient and of the row's place among his."""
        key = (
            f"SELECT id, unit, place, ((md5_number_lower('{int(seed)}:' || unit)::HUGEINT + (place + 1)::HUGEINT * {GOLDEN}) & {MASK})::UBIGINT AS z"
            " FROM (SELECT rowid AS id, unit, row_number() OVER (PARTITION BY unit ORDER BY rowid) - 1 AS place FROM typed)"
        )
        for shift, factor in MIX:
            key = f"SELECT id, unit, place, ((xor(z, z >> {shift})::HUGEINT * {factor}) & {MASK})::UBIGINT AS z FROM ({key})"
        first = f"SELECT id, row_number() OVER (PARTITION BY unit ORDER BY z, place) AS r FROM ({key})"
        self._database.run(
            f"CREATE TABLE bounded AS SELECT typed.* FROM typed SEMI JOIN (SELECT id FROM ({first}) WHERE r <= {int(bound)}) ON typed.rowid = id"
        )
        self._database.run("DROP TABLE typed")
        self._relation = "bounded"

    def _check(self) -> int:
        """The number of rows, if every cell can be read as the schema says."""
        columns = tuple(self._schema.synthesised)
        lost = [f"count(*) FILTER (b{i} AND x{i} IS NULL)" for i in range(len(columns))]
        odd = [f"count(*) FILTER (x{i} <> round(x{i}) OR abs(x{i}) > {sql.EXACT})" if c.kind == "integer" else "0" for i, c in enumerate(columns)]
        n_rows, *found = self._database.rows(f"SELECT count(*), {', '.join(lost + odd)} FROM {self._relation}")[0]
        unread, broken = found[: len(columns)], found[len(columns) :]
        _no_unlisted([c.name for c, n in zip(columns, unread, strict=True) if n and c.kind == "category"])
        problems = [f"column `{c.name}` is declared {c.kind} and holds something else" for c, n in zip(columns, unread, strict=True) if n]
        problems += [f"column `{c.name}` is declared integer but holds fractions, or integers beyond 2^53" for c, n in zip(columns, broken, strict=True) if n]
        if problems:
            raise SchemaMismatch(collect(problems), where=self._path.name, hint="correct the types in the study file, or list the texts that mean missing")
        return int(n_rows)

    def _code(self, domain: Domain) -> None:
        """The table ``fine``: the fine cells of every row."""
        self._domain = None
        coded = [f"({sql.cell(a, self._x(a.name))})::{_narrow(a.n_fine + 1)} AS f{i}" for i, a in enumerate(domain)]
        self._database.run(f"DROP TABLE IF EXISTS fine; CREATE TABLE fine AS SELECT {', '.join(coded)} FROM {self._relation}")
        most = self._database.rows(f"SELECT {', '.join(f'max(f{i})' for i in range(len(domain)))} FROM fine")[0]
        _no_unlisted([a.name for a, m in zip(domain, most, strict=True) if m is not None and m >= a.n_fine])
        self._domain = domain


def _narrow(size: int) -> str:
    return "UTINYINT" if size <= 2**8 else "USMALLINT" if size <= 2**16 else "UINTEGER"


def _no_unlisted(names: Sequence[str]) -> None:
    if names:
        raise SchemaMismatch(
            collect([f"column `{n}` holds levels that were not declared" for n in names]),
            hint="declare every level, recode the column, or remove its levels to have them found within the budget",
        )
