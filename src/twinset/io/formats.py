"""Readers of the files that carry their own types: Parquet, Arrow, SAS, SPSS, Stata, DuckDB."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from twinset.errors import BadInput, TableUnreadable

TINIEST = 1e-70  # SAS transport files of some writers hold zero as 5.4e-79
SPSS_EPOCH, SAS_EPOCH = 141_428 * 86_400.0, 3_653 * 86_400.0  # seconds from 1582-10-14, and from 1960 (Stata's too), to 1970
SPSS = {"date": ("DATE", "ADATE", "EDATE", "JDATE", "SDATE"), "datetime": ("DATETIME", "YMDHMS"), "time": ("TIME", "DTIME")}
STATA = {"date": ("%td", "%d", "%tdD_m_Y", "%tdCCYY-NN-DD"), "datetime": ("%tC", "%tc"), "time": ("%tcHH:MM:SS", "%tcHH:MM")}
SAS = {  # the formats that print a whole date, moment or time; others stay numbers, as in the open reader
    "date": (
        *(f"{order}{sign}" for order in ("MMDDYY", "DDMMYY", "YYMMDD") for sign in ("", "B", "C", "D", "N", "P", "S")),
        *("DATE", "WEEKDATE", "WEEKDATX", "DTDATE", "IS8601DA", "E8601DA", "B8601DA"),
    ),
    "datetime": ("DATETIME", "E8601DT", "DATEAMPM", "MDYAMPM", "IS8601DT", "B8601DT", "B8601DN"),
    "time": ("TIME", "HHMM", "TOD", "TIMEAMPM", "IS8601TM", "E8601TM", "B8601TM"),
}


def read_parquet(path: Path) -> pl.DataFrame:
    """A Parquet file. Raises TableUnreadable if it is none."""
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError):
        raise TableUnreadable(
            "this is not a Parquet file, or it is damaged", where=path.name, hint="write it again, or give it the suffix of what it is"
        ) from None


def read_arrow(path: Path) -> pl.DataFrame:
    """An Arrow IPC (feather) file. Raises TableUnreadable if it is none."""
    try:
        return pl.read_ipc(path)
    except (pl.exceptions.PolarsError, OSError):
        raise TableUnreadable("this is not an Arrow file, or it is damaged", where=path.name, hint="write it again as .arrow or .parquet") from None


def scan_parquet(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """A Parquet file, ``rows`` at a time; at least one table, maybe empty. Raises TableUnreadable if it is none."""
    try:
        whole = pl.scan_parquet(path)
        n = int(whole.select(pl.len()).collect().item())
        for start in range(0, max(n, 1), rows):
            yield whole.slice(start, rows).collect()
    except (pl.exceptions.PolarsError, OSError):
        raise TableUnreadable(
            "this is not a Parquet file, or it is damaged", where=path.name, hint="write it again, or give it the suffix of what it is"
        ) from None


def read_statistical(path: Path) -> pl.DataFrame:
    """A SAS (xpt, sas7bdat), SPSS (sav, zsav, por) or Stata (dta) file; whole columns of floats become integers.

    Values keep their codes, not their labels. SAS' tiny stand-ins for zero become zero. Raises TableUnreadable.
    """
    frame, _ = _readstat(path, {})
    return frame.with_columns(whole(frame[c]) for c in frame.columns if frame[c].dtype.is_float())


def statistical_cells(path: Path, *, encoding: str) -> pl.DataFrame:
    """The same file cell by cell: a moment that no calendar has is a gap, a text that its encoding cannot read is read as Latin-1.

    Which columns are dates, moments and times their formats say. The encoding is the one that the file's header states, else ``encoding``.
    """
    try:
        stated = _readstat(path, {"metadataonly": True})[1].file_encoding or encoding
        b"a".decode(stated)
    except (TableUnreadable, LookupError, UnicodeError):
        stated = encoding
    coded = path.suffix.lower() != ".por"  # whose texts are of the file's own table of signs
    frame, about = _readstat(path, {"disable_datetime_conversion": True} | ({"encoding": "ISO-8859-1"} if coded else {}))
    read = [_instants(frame[c], path.suffix.lower(), about.original_variable_types[c] or "") for c in frame.columns]
    if not coded:
        return pl.DataFrame(read)
    return pl.DataFrame([_recoded(s, stated).rename(_reread(s.name, stated)) for s in read])


def _readstat(path: Path, how: dict[str, Any]) -> tuple[pl.DataFrame, Any]:
    """What the library reads, and what it says of the file; SAS' tiny stand-ins for zero are zero."""
    import pyreadstat

    suffix = path.suffix.lower()
    readers: dict[str, Callable[..., tuple[pl.DataFrame, object]]] = {
        ".xpt": pyreadstat.read_xport,
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".sav": pyreadstat.read_sav,
        ".zsav": pyreadstat.read_sav,
        ".por": pyreadstat.read_por,
        ".dta": pyreadstat.read_dta,
    }
    wrong = (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ArithmeticError, TypeError, ValueError, pl.exceptions.PolarsError)
    try:
        frame, about = readers[suffix](str(path), output_format="polars", **how)
    except (*wrong, pl.exceptions.PanicException):  # a panic of the table library's, too, quotes the cell
        raise TableUnreadable(f"this is not a {suffix} file, or it is damaged", where=path.name, hint="export it again, or as CSV") from None
    if suffix in (".xpt", ".sas7bdat"):
        floats = cs.float()
        frame = frame.with_columns(pl.when(floats.abs() < TINIEST).then(0.0).otherwise(floats).name.keep())
    return frame, about


def _instants(numbers: pl.Series, suffix: str, written: str) -> pl.Series:
    """A column of dates, moments or times of day as such, by the format it is ``written`` in; any other as it is."""
    if numbers.dtype == pl.String:
        return numbers
    stata, spss = suffix == ".dta", suffix in (".sav", ".zsav", ".por")
    name = written if stata else re.sub(r"[0-9]+(\.[0-9]+)?\.?$", "", written)
    kind = next((k for k, names in (STATA if stata else SPSS if spss else SAS).items() if name in names), None)
    if kind is None:
        return numbers
    seconds = 86_400.0 if kind == "date" and not spss else 0.001 if stata else 1.0
    since = pl.col("x").cast(pl.Float64) * seconds - (SPSS_EPOCH if spss else SAS_EPOCH)
    first, last = -719_162 * 86_400.0, 2_932_897 * 86_400.0 - 1  # of the years 1 to 9999
    moment = (pl.when(since.is_between(first, last)).then(since) * 1e6).round(0).cast(pl.Int64).cast(pl.Datetime("us"))
    made = {"date": moment.cast(pl.Date), "datetime": moment, "time": moment.dt.time()}[kind]
    return numbers.alias("x").to_frame().select(made.alias(numbers.name)).to_series()


def _recoded(series: pl.Series, encoding: str) -> pl.Series:
    """Texts that were read as Latin-1, each read again as ``encoding``."""
    if series.dtype != pl.String:
        return series
    odd = series.filter(series.str.len_bytes() != series.str.len_chars()).unique().to_list()
    return series.replace(odd, [_reread(text, encoding) for text in odd]) if odd else series


def _reread(text: str, encoding: str) -> str:
    """One text that was read as Latin-1, in ``encoding``, or as it is where its bytes are none of it."""
    try:
        return text.encode("latin-1").decode(encoding)
    except (UnicodeError, LookupError):
        return text


def whole(series: pl.Series) -> pl.Series:
    """A float column as Int64 with nulls where every number is whole and exact; else as it is."""
    seen = series.fill_nan(None)
    values = seen.drop_nulls()
    if not len(values) or not bool(((values == values.round(0)) & (values.abs() < 2**53)).all()):
        return series
    return seen.cast(pl.Int64)


@dataclass(frozen=True)
class _Stream:
    """A query's result as an Arrow stream and nothing else; given the result itself, polars asks it for more and DuckDB's binding leaks at exit."""

    result: Any

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.result.__arrow_c_stream__(requested_schema)


def read_duckdb(path: Path, table: str | None) -> pl.DataFrame:
    """One table (or view) of a DuckDB file: the one named (``schema.name`` too), or the only one. Raises TableUnreadable."""
    with _database(path) as connection:
        return _fetched(connection, f"select * from {_duckdb_table(connection, path, table, views=True)}")


def scan_duckdb(path: Path, table: str | None, rows: int) -> Iterator[pl.DataFrame]:
    """A stored table of a DuckDB file, at most ``rows`` at a time, each row once and in the table's order; at least one block, maybe empty.

    Raises BadInput for a view, which is computed anew at each look. A table with a column named ``rowid`` comes in one block.
    """
    with _database(path) as connection:
        quoted = _duckdb_table(connection, path, table, views=False)
        query = f"select * from {quoted}"
        names = [n.lower() for n in connection.sql(query).columns]
        last = None if "rowid" in names else connection.execute(f"select max(rowid) from {quoted}").fetchall()[0][0]
        if last is None:
            yield _fetched(connection, query)
            return
        for start in range(0, last + 1, rows):
            yield _fetched(connection, f"{query} where rowid >= {start} and rowid < {start + rows} order by rowid")


@contextmanager
def _database(path: Path) -> Iterator[Any]:
    """An open DuckDB file, for reading."""
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            yield connection
    except duckdb.Error:
        raise TableUnreadable("this is not a DuckDB file that can be opened", where=path.name, hint="is it open elsewhere, or of another version?") from None


def _fetched(connection: Any, query: str) -> pl.DataFrame:
    """What a query gives."""
    result = connection.sql(query)
    spans = [n for n, t in zip(result.columns, result.types, strict=True) if str(t).startswith("INTERVAL")]
    if spans:
        raise TableUnreadable(f"column `{spans[0]}` holds intervals, which have no one length", hint="store them as a number of days")
    return pl.DataFrame(_Stream(result))


def _duckdb_table(connection: Any, path: Path, table: str | None, *, views: bool) -> str:
    """The quoted name of the table that is meant."""
    found = connection.execute("select table_schema, table_name, table_type from information_schema.tables order by all").fetchall()
    known = {f"{s}.{t}": (s, t) for s, t, kind in found if views or kind == "BASE TABLE"}
    matches = [v for k, v in known.items() if table is None or table in (k, v[1])]
    if not matches and any(table in (None, t, f"{s}.{t}") for s, t, _ in found):
        raise BadInput("a view is computed anew at each look", where=path.name, hint="save it as a table: CREATE TABLE ... AS SELECT * FROM the view")
    if len(matches) != 1:
        what = "no table of this name" if table else f"{len(known)} tables"
        raise TableUnreadable(
            f"the database holds {what}" if table is None else what,
            where=path.name,
            hint=f"give table = one of: {', '.join(t for _, t in known.values()) or 'none there'}",
        )
    schema, name = (part.replace('"', '""') for part in matches[0])
    return f'"{schema}"."{name}"'
