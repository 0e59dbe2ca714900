"""A private table, read as declared: what a cell becomes depends on the cell and on its own column's declaration, on no other row.

The reader in ``read`` finds out how a file is written; here nothing is found out. What cannot be read as declared is missing: a refusal
would tell everybody what some row holds. Every backend reads through this page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from twinset.core.contracts import BoolArray
from twinset.core.days import FIRST_DAY, LAST_DAY
from twinset.core.schema import Column, Schema
from twinset.errors import BadInput, SchemaMismatch, TableUnreadable, collect
from twinset.io import excel, formats, lines
from twinset.io.delimited import SPELT
from twinset.io.moments import moments
from twinset.io.read import ARROW, DELIMITED, EXCEL, STATISTICAL

EXACT = 2**53  # below it a float64 holds every integer
ROWS = 200_000  # of a block, where the file does not set its size
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
DTYPES: dict[str, pl.DataType] = {"number": pl.Float64(), "integer": pl.Int64(), "date": pl.Date(), "datetime": pl.Datetime("us"), "text": pl.String()}
LEVELS: dict[str, pl.DataType] = {"text": pl.String(), "integer": pl.Int64(), "number": pl.Float64(), "boolean": pl.Boolean()}


@dataclass(frozen=True)
class Declared:
    """How a table is written, stated and never found out. ``separator``, ``decimal``, ``encoding``: of text files; ``sheet``: Excel; ``table``: DuckDB.

    ``missing``: texts that mean missing, besides an empty cell. ``thousands``: the sign between groups of three digits, "" = none.
    ``date_order``: of day, month and year in texts that end in the year; texts that begin with it are always read. ``keep_malformed``: lines that are
    no rows of the table count as rows of gaps, where the number of rows is public; else they are nobody's and left out.
    """

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ()
    thousands: str = ""
    date_order: str = "ymd"
    sheet: str | None = None
    table: str | None = None
    keep_malformed: bool = False


STORED = Declared()  # of cells that come with a type


@dataclass(frozen=True, repr=False)
class Block:
    """Rows as declared: the schema's columns, stored as :func:`dtype_of` says. Rows that do not say whose they are are left out.

    ``n_rows``: as the file has them; ``malformed``: lines of these that are no rows of the table; ``unnamed``: rows without a patient's name;
    ``unread``: by column, cells that hold something which cannot be read as declared. All are exact counts of patients' cells: they stay with the custodian.
    """

    frame: pl.DataFrame
    n_rows: int
    malformed: int = 0
    unnamed: int = 0
    unread: dict[str, int] = field(default_factory=dict)


def level_type(column: Column) -> str:
    """What the levels of a category are: by those listed, else as declared, else text."""
    kinds = {type(level) for level in column.levels}
    if kinds == {int, float}:
        return "number"
    if len(kinds) == 1:
        return {bool: "boolean", int: "integer", float: "number"}.get(kinds.pop(), "text")
    return "text" if kinds else column.level_type or "text"


def dtype_of(column: Column) -> pl.DataType:
    """How a column is stored: by its declaration alone. What is not synthesised (identifiers, free text) stays text."""
    if not column.synthesised:
        return DTYPES["text"]
    return LEVELS[level_type(column)] if column.kind == "category" else DTYPES[column.kind]


def empty(schema: Schema) -> pl.DataFrame:
    """No rows of this schema."""
    return pl.DataFrame(schema={c.name: dtype_of(c) for c in schema})


def read_declared(path: Path, schema: Schema, how: Declared) -> Iterator[Block]:
    """The rows of a file in its order, a block at a time; text, Parquet and DuckDB files are never held whole.

    Raises TableUnreadable, SchemaMismatch or BadInput for the file, its header and its types; never for what a row holds.
    """
    try:
        for raw, malformed in _raw(path, how):
            _check_names(raw.columns, schema, path.name)
            kept = raw if how.keep_malformed or not malformed.any() else raw.filter(~malformed)
            block = as_declared(kept, schema, how)
            yield replace(block, n_rows=raw.height, malformed=int(malformed.sum()), unnamed=block.unnamed)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # its words may quote a cell
        raise TableUnreadable("a table of this file cannot be read as declared", where=path.name, hint="export it again, or as CSV") from None


def as_declared(raw: pl.DataFrame, schema: Schema, how: Declared) -> Block:
    """A table of any types with each cell as its column's declaration reads it, without the rows that name no patient where a column must."""
    made, unread = [], {}
    for column in schema:
        given = _bare(raw[column.name], how)
        read = _read(given, column, how) if column.synthesised else _text(given)
        made.append(read.rename(column.name))
        lost = given.len() - given.null_count() - (read.len() - read.null_count())
        if lost:
            unread[column.name] = lost
    frame = pl.DataFrame(made)
    named = frame.filter(pl.col(schema.unit).is_not_null()) if schema.unit else frame
    return Block(named, raw.height, 0, frame.height - named.height, unread)


def _raw(path: Path, how: Declared) -> Iterator[tuple[pl.DataFrame, BoolArray]]:
    """Blocks as the file holds them, texts or the types it states; and which lines are no rows of the table."""
    if path.suffix.lower() in DELIMITED and path.is_file():
        separator = SPELT.get(how.separator, how.separator)
        if len(separator.encode()) != 1 or separator in '"\r\n':
            raise TableUnreadable("a separator is a single plain character", where="data.separator", hint='for example separator = ";" or "\\t"')
        yield from ((b.frame, b.malformed) for b in lines.blocks(path, separator=separator, encoding=how.encoding))
    else:
        yield from ((frame, np.zeros(frame.height, dtype=bool)) for frame in _typed(path, how))


def _typed(path: Path, how: Declared) -> Iterator[pl.DataFrame]:
    """Blocks of a file that states its types."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise TableUnreadable("there is no such file", where=path.name, hint="check the path")
    if suffix == ".parquet":
        yield from formats.scan_parquet(path, ROWS)
    elif suffix in (".duckdb", ".db"):
        yield from formats.scan_duckdb(path, how.table, ROWS)
    elif suffix in EXCEL:
        yield excel.excel_texts(path, how.sheet)
    elif suffix in STATISTICAL:
        yield formats.statistical_cells(path, encoding=how.encoding)
    elif suffix in ARROW:
        yield formats.read_arrow(path)
    else:
        raise TableUnreadable(f"cannot read a `{path.suffix}` file", where=path.name, hint="give CSV, Parquet, Excel, SAS, SPSS, Stata, Arrow or DuckDB")


def _check_names(found: Sequence[str], schema: Schema, where: str) -> None:
    """The study must name the file's columns, all of them; names that it does not know are counted, not told: they may be a patient's cells."""
    problems = [f"the table has no column `{n}`" for n in schema.names if n not in set(found)][:20]
    n_more = sum(n not in schema for n in found)
    if n_more:
        problems.append(f"the table has {n_more} column(s) that the study does not name")
    if problems:
        raise SchemaMismatch(collect(problems), where=where, hint="run `twinset init --private` again, or edit the [columns] sections")


def _bare(series: pl.Series, how: Declared) -> pl.Series:
    """Texts without blanks around them; other types as they are. Null where a float is no number, and where the text is listed as missing."""
    if isinstance(series.dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        raise TableUnreadable(f"column `{series.name}` holds lists, records or bytes in its cells", hint="leave it out, or unpack it into columns of its own")
    if series.dtype == pl.String:
        gone = ["", *how.missing]
        return _one(series.str.strip_chars(), pl.when(~pl.col("x").is_in(gone)).then(pl.col("x")))
    series = _within(series)
    if isinstance(series.dtype, pl.Decimal):
        series = series.cast(pl.Float64)
    if isinstance(series.dtype, pl.Datetime):
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if series.dtype.time_zone else series
        return series.cast(pl.Datetime("us"))
    if series.dtype.is_float():
        series = _one(series, pl.when(pl.col("x").is_finite()).then(pl.col("x")))
    if not how.missing or series.dtype == pl.Null:
        return series
    listed = _text(series).is_in(list(how.missing)).fill_null(False)
    return _one(series, pl.when(~pl.lit(listed)).then(pl.col("x")))


def _within(series: pl.Series) -> pl.Series:
    """Dates of the years 1 to 9999 and times of a day, null for others, told by the integers they are stored as; durations in seconds.

    Outside them lie infinite dates too; to write one out, or to convert it, stops the program.
    """
    stored, x = series.dtype, pl.col("x")
    if not stored.is_temporal():
        return series
    second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[stored.time_unit] if isinstance(stored, pl.Datetime | pl.Duration) else 10**9
    integers = series.to_physical()
    if isinstance(stored, pl.Duration):
        return integers.cast(pl.Float64) / second
    first, last = (FIRST_DAY, LAST_DAY) if stored == pl.Date else (0, 86_400 * second - 1)
    if isinstance(stored, pl.Datetime):
        first, last = max(FIRST_DAY * 86_400 * second, -(2**63)), min((LAST_DAY + 1) * 86_400 * second, 2**63 - 1) - 1
    return _one(series, pl.when(pl.lit(integers.is_between(first, last))).then(x))


def _read(given: pl.Series, column: Column, how: Declared) -> pl.Series:
    """The cells of a synthesised column, bare, as its declaration reads them."""
    stored = given.dtype
    how = how if stored == pl.String else STORED
    if column.kind in ("date", "datetime"):
        if stored not in (pl.Date, pl.Datetime):
            given = moments(_text(given), order=column.date_order or how.date_order, local=column.kind == "date")
        return given.cast(dtype_of(column))
    kind = column.kind if column.kind != "category" else level_type(column)
    if kind == "number" or kind == "integer":
        number = given.cast(pl.Float64, strict=False) if stored.is_numeric() else _number(_text(given), how)
        read = _whole(given if stored.is_integer() else number) if kind == "integer" else number
    elif kind == "boolean":
        text = _text(given).str.to_lowercase()
        read = _one(text, pl.when(pl.col("x").is_in(["true", "false"])).then(pl.col("x") == "true"))
    else:
        read = _text(given)
    return _listed(read, column) if column.kind == "category" else read


def _number(texts: pl.Series, how: Declared) -> pl.Series:
    """Finite numbers in the declared punctuation, Float64; null for all else."""
    x, point = pl.col("x"), how.decimal
    other = "," if point == "." else "."
    if how.thousands and how.thousands != point:
        group, mark = rf"[{how.thousands}]" if how.thousands != "^" else r"\^", rf"[{point}]"
        grouped = x.str.contains(rf"^[+-]?[0-9]{{1,3}}({group}[0-9]{{3}})+({mark}[0-9]*)?$")
        x = pl.when(grouped).then(x.str.replace_all(how.thousands, "", literal=True)).otherwise(x)
    x = pl.when(~x.str.contains(other, literal=True)).then(x.str.replace(",", ".", literal=True))
    made = pl.when(x.str.contains(NUMBER)).then(x).cast(pl.Float64, strict=False)
    return _one(texts, pl.when(made.is_finite()).then(made))


def _whole(numbers: pl.Series) -> pl.Series:
    """Whole numbers that a float64 holds exactly, Int64; null for all else."""
    x = pl.col("x")
    near = numbers.cast(pl.Float64)
    kept = _one(near, (x == x.floor()) & (x.abs() < EXACT)).fill_null(False)
    return _one(numbers, pl.when(pl.lit(kept)).then(x)).cast(pl.Int64, strict=False)


def _text(given: pl.Series) -> pl.Series:
    """A bare cell as text: a text as it is, a typed one in one spelling, the same for 1 and 1.0 and for a date and its midnight."""
    stored, x = given.dtype, pl.col("x")
    if stored == pl.String:
        return given
    if stored == pl.Boolean:
        return _one(given, pl.when(x).then(pl.lit("true")).when(~x).then(pl.lit("false")))
    if stored.is_float():
        whole = (x == x.floor()) & (x.abs() < EXACT)
        return _one(given, pl.when(whole).then(x.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(x.cast(pl.String)))
    if stored == pl.Datetime:
        day, clock = x.dt.strftime("%Y-%m-%d"), x.dt.strftime("%Y-%m-%dT%H:%M:%S")
        fraction = x.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
        midnight = x.dt.time() == pl.time(0, 0, 0)
        return _one(given, pl.when(midnight).then(day).when(x.dt.microsecond() == 0).then(clock).otherwise(fraction))
    return given.cast(pl.String)


def _listed(read: pl.Series, column: Column) -> pl.Series:
    """Without levels that a public list does not have. (A list that was read from the rows is no list here.)"""
    if column.origin != "public" or not column.levels:
        return read
    codes = [] if read.dtype in (pl.String, pl.Boolean) else list(column.missing_codes)
    known = pl.Series([*column.levels, *codes], dtype=read.dtype, strict=False)
    return _one(read, pl.when(pl.col("x").is_in(known.implode())).then(pl.col("x")))


def _one(series: pl.Series, expression: pl.Expr) -> pl.Series:
    """An expression of ``x``, a series."""
    return series.alias("x").to_frame().select(expression.alias(series.name)).to_series()


def check_declared(how: Declared) -> None:
    """Raise BadInput where the signs of numbers contradict each other."""
    if how.decimal not in (".", ","):
        raise BadInput("a decimal sign is a point or a comma", where="data.decimal", hint='decimal = "," or "."')
    if how.thousands == how.decimal or len(how.thousands) > 1:
        raise BadInput("thousands are grouped by one sign that is not the decimal sign", where="data.thousands", hint='thousands = "," or "." or "" for none')
