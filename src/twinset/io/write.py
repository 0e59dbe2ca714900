"""Tables out: format by suffix, whole or not at all."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import polars.selectors as cs

from twinset.errors import OutputProblem
from twinset.io.place import disk_error, new_file

Writer = Callable[[pl.DataFrame, Path], None]
EXCEL_ROWS, EXCEL_COLUMNS, EXCEL_EXACT = 1_048_575, 16_384, 10**15
FIXED_DATE = dt.datetime(2000, 1, 1)  # Excel files carry a date of making; a fixed one keeps equal tables equal bytes


def write_table(frame: pl.DataFrame, path: Path | str, *, overwrite: bool = False) -> None:
    """Write ``frame`` to ``path``: csv, tsv, parquet, arrow, feather, xlsx, dta (Stata), sav (SPSS), xpt (SAS), duckdb.

    The file appears whole or not at all. CSV is UTF-8 with commas, a null is an empty cell, dates are ISO.
    Raises OutputProblem: unknown suffix, file exists, disk full, or a table that the format cannot hold.
    """
    path = Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise OutputProblem(f"cannot write a `{path.suffix}` file", where=path.name, hint=f"known: {', '.join(WRITERS)}")
    with new_file(path, overwrite=overwrite) as part, _told(path):
        writer(frame, part)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Library refusals as OutputProblem; a full disk that a library words its own way is still a full disk."""
    try:
        yield
    except OutputProblem as e:
        e.where = path.name
        raise
    except (pl.exceptions.PolarsError, ValueError, TypeError, OverflowError) as e:
        raise _refused(e, path.name) from None


def _refused(error: BaseException, where: str = "") -> OutputProblem | OSError:
    """What a library's refusal means: the disk's (an OSError with its number), or a table that the format cannot hold."""
    number = disk_error(error)
    if number is not None:
        return OSError(number, os.strerror(number))
    return OutputProblem("this format cannot hold this table", where=where, hint="write csv or parquet")


def _csv(frame: pl.DataFrame, path: Path) -> None:
    _delimited(frame, path, ",")


def _tsv(frame: pl.DataFrame, path: Path) -> None:
    _delimited(frame, path, "\t")


def _delimited(frame: pl.DataFrame, path: Path, separator: str) -> None:
    whole_seconds = all(bool((frame[c].drop_nulls().dt.epoch("us") % 1_000_000 == 0).all()) for c in frame.select(cs.datetime()).columns)
    form = "%Y-%m-%dT%H:%M:%S" if whole_seconds else "%Y-%m-%dT%H:%M:%S%.6f"
    frame.write_csv(path, separator=separator, datetime_format=form)


def _parquet(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path)


def _arrow(frame: pl.DataFrame, path: Path) -> None:
    frame.write_ipc(path, compression="zstd")


def _excel(frame: pl.DataFrame, path: Path) -> None:
    import xlsxwriter  # type: ignore[import-untyped]
    from xlsxwriter.exceptions import XlsxWriterException  # type: ignore[import-untyped]

    if frame.height > EXCEL_ROWS or frame.width > EXCEL_COLUMNS:
        raise OutputProblem(f"an Excel sheet holds at most {EXCEL_ROWS:,} rows and {EXCEL_COLUMNS:,} columns", hint="write csv or parquet")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "nan_inf_to_errors": True}
    try:
        with xlsxwriter.Workbook(str(path), options) as book:
            book.set_properties({"created": FIXED_DATE})
            frame.select(_excel_safe(frame[c]) for c in frame.columns).write_excel(book, "data", autofit=False, column_widths=80)
    except XlsxWriterException as e:
        raise _refused(e) from None


def _excel_safe(series: pl.Series) -> pl.Series:
    """What Excel would corrupt, as text: integers beyond 15 digits and dates before 1900."""
    if series.dtype.is_integer() and series.len() and bool((series.cast(pl.Int128).abs() >= EXCEL_EXACT).any()):
        return series.cast(pl.String)
    if series.dtype.is_temporal() and series.dtype != pl.Time and bool((series.dt.year() < 1900).any()):
        return series.dt.to_string("iso")
    return series


def _stata(frame: pl.DataFrame, path: Path) -> None:
    import pyreadstat

    _statistical(frame, path, 32, pyreadstat.write_dta)


def _spss(frame: pl.DataFrame, path: Path) -> None:
    import pyreadstat

    _statistical(frame, path, 64, pyreadstat.write_sav)


def _sas(frame: pl.DataFrame, path: Path) -> None:
    import pyreadstat

    short = max((len(c) for c in frame.columns), default=0) <= 8
    _statistical(frame, path, 32, lambda f, p: pyreadstat.write_xport(f, p, file_format_version=5 if short else 8))


def _statistical(frame: pl.DataFrame, path: Path, longest: int, write: Callable[[pl.DataFrame, str], None]) -> None:
    """Names these formats allow, numbers they hold exactly; else OutputProblem."""
    import pyreadstat

    bad = [c for c in frame.columns if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", c) or len(c) > longest]
    if bad:
        raise OutputProblem(
            f"{len(bad)} column name{'s' if len(bad) > 1 else ''} cannot stand in a {path.suffix} file (first: `{bad[0]}`)",
            hint=f"names of at most {longest} letters, digits and underscores; or write csv or parquet",
        )
    plain = frame.with_columns(cs.boolean().cast(pl.Int32), cs.by_dtype(pl.Null).cast(pl.String))
    wide = [c for c in plain.columns if plain[c].dtype.is_integer() and bool((plain[c].cast(pl.Int128).abs() > 2**53).any())]
    plain = plain.with_columns(pl.col(wide).cast(pl.String))  # these formats know no 64-bit integers
    plain = plain.with_columns(
        (cs.integer() - cs.by_name(wide)).cast(pl.Float64) if path.suffix.lower() != ".dta" else cs.by_dtype(pl.Int64, pl.UInt32, pl.UInt64).cast(pl.Float64)
    )
    try:
        write(plain, str(path))
        whole = frame.height == 0 or _n_rows(path) == frame.height  # a full disk is not always reported
    except pyreadstat.PyreadstatError as e:
        raise _refused(e) from None
    except pyreadstat.ReadstatError:
        whole = False
    if not whole:
        raise OutputProblem("the file could not be written whole; nothing was left", hint="is the disk full? If not, write csv or parquet")


def _n_rows(path: Path) -> int:
    import pyreadstat

    readers = {".dta": pyreadstat.read_dta, ".sav": pyreadstat.read_sav, ".xpt": pyreadstat.read_xport}
    frame, _ = readers[path.suffix.lower()](str(path), output_format="polars")
    return int(frame.height)


def _duckdb(frame: pl.DataFrame, path: Path) -> None:
    import duckdb

    between = path.with_suffix(".parquet")
    try:
        frame.write_parquet(between)
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table data as select * from read_parquet(?)", [str(between)])
    except duckdb.Error as e:
        raise _refused(e) from None
    finally:
        between.unlink(missing_ok=True)


WRITERS: dict[str, Writer] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".xlsx": _excel,
    ".dta": _stata,
    ".sav": _spss,
    ".xpt": _sas,
    ".duckdb": _duckdb,
}
