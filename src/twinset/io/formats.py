"""Readers of the files that carry their own types: Parquet, Arrow, Excel, SAS, SPSS, Stata, DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from twinset.errors import TableUnreadable

TINIEST = 1e-70  # SAS transport files of some writers hold zero as 5.4e-79


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


def read_excel(path: Path, sheet: str | None, *, as_text: bool = False) -> pl.DataFrame:
    """One sheet of a workbook: the one named, or the first; ``as_text``: every cell as text, whatever else its column holds.

    Raises TableUnreadable: no such sheet, no table on it, not a workbook.
    """
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        if not book.sheet_names:
            raise TableUnreadable("the workbook has no sheet", where=path.name, hint="save the table on a sheet")
        if sheet is not None and sheet not in book.sheet_names:
            raise TableUnreadable(
                f"no sheet of this name; the workbook has {len(book.sheet_names)}",
                where=path.name,
                hint="give the name as on the tab, or leave it out for the first",
            )
        types: Any = "string" if as_text else None
        page = book.load_sheet(sheet if sheet is not None else 0, schema_sample_rows=None, dtypes=types)
        names = [c.name for c in page.available_columns()]
        frame: pl.DataFrame = page.to_polars()
    except fastexcel.FastExcelError:
        raise TableUnreadable(
            "no table can be read from this workbook", where=path.name, hint="is there a line of names on top and rows below, and no password?"
        ) from None
    if (
        any("_duplicated_" in n or (n.rsplit("_", 1)[0] in names and n.rsplit("_", 1)[-1].isdigit()) for n in names)
        and len(names) > 1
        and _shares_names(path, sheet)
    ):
        raise TableUnreadable("two columns share a name", where=path.name, hint="give every column a name of its own")
    return frame


def _shares_names(path: Path, sheet: str | None) -> bool:
    """Whether the header itself, before any renaming, has a name twice."""
    import fastexcel

    page = fastexcel.read_excel(path).load_sheet(sheet if sheet is not None else 0, header_row=None, n_rows=1, dtypes="string")
    header = [v for v in page.to_polars().row(0) if v is not None]
    return len(set(header)) != len(header)


def read_statistical(path: Path) -> pl.DataFrame:
    """A SAS (xpt, sas7bdat), SPSS (sav, zsav, por) or Stata (dta) file; whole columns of floats become integers.

    Values keep their codes, not their labels. SAS' tiny stand-ins for zero become zero. Raises TableUnreadable.
    """
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
    try:
        frame, _ = readers[suffix](str(path), output_format="polars")
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, OverflowError, UnicodeError):
        raise TableUnreadable(f"this is not a {suffix} file, or it is damaged", where=path.name, hint="export it again, or as CSV") from None
    if suffix in (".xpt", ".sas7bdat"):
        floats = cs.float()
        frame = frame.with_columns(pl.when(floats.abs() < TINIEST).then(0.0).otherwise(floats).name.keep())
    return frame.with_columns(whole(frame[c]) for c in frame.columns if frame[c].dtype.is_float())


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
    return next(scan_duckdb(path, table, 2**62))


def scan_duckdb(path: Path, table: str | None, rows: int) -> Iterator[pl.DataFrame]:
    """The same, ``rows`` at a time in the table's order; at least one table, maybe empty."""
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            query = f"select * from {_duckdb_table(connection, path, table)}"
            start = 0
            while True:
                limit = "" if rows >= 2**62 else f" limit {rows} offset {start}"
                frame = pl.DataFrame(_Stream(connection.sql(query + limit)))
                if frame.height or not start:
                    yield frame
                if frame.height < rows:
                    return
                start += rows
    except duckdb.Error:
        raise TableUnreadable("this is not a DuckDB file that can be opened", where=path.name, hint="is it open elsewhere, or of another version?") from None


def _duckdb_table(connection: Any, path: Path, table: str | None) -> str:
    """The quoted name of the table that is meant."""
    found = connection.execute("select table_schema, table_name from information_schema.tables order by all").fetchall()
    known = {f"{s}.{t}": (s, t) for s, t in found}
    matches = [v for k, v in known.items() if table is None or table in (k, v[1])]
    if len(matches) != 1:
        what = "no table of this name" if table else f"{len(known)} tables"
        raise TableUnreadable(
            f"the database holds {what}" if table is None else what,
            where=path.name,
            hint=f"give table = one of: {', '.join(t for _, t in known.values()) or 'none there'}",
        )
    schema, name = (part.replace('"', '""') for part in matches[0])
    return f'"{schema}"."{name}"'
