"""Tables in: any file a hospital keeps, as a polars frame with sensible types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from twinset.errors import TableUnreadable
from twinset.io import formats
from twinset.io.cells import Typed, dates, stripped, typed, uses_comma
from twinset.io.delimited import read_delimited
from twinset.io.excel import read_excel
from twinset.io.plain import plain

DELIMITED = (".csv", ".tsv", ".txt", ".tab", ".dat", ".psv")
STATISTICAL = (".xpt", ".sas7bdat", ".sav", ".zsav", ".por", ".dta")
EXCEL = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
ARROW = (".arrow", ".feather", ".ipc")
KNOWN = (*DELIMITED, ".parquet", *EXCEL, *STATISTICAL, *ARROW, ".duckdb", ".db")


@dataclass(frozen=True)
class Options:
    """How to read a file; ``None`` = found out. How many lines the names take is found out only where so asked (a draft, which tells it): a line taken for names is a patient lost.

    ``thousands``: the sign that may group digits, "" = found out; ``date_order``: where the cells leave the order of day and month open, ``date_orders``:
    by column, where it is another; ``by_line``: lines that are no rows of the table are left out and counted, as a private run does, not refused.
    """

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    table: str | None = None
    missing: tuple[str, ...] = ()
    header: int | None = 1
    thousands: str = ""
    date_order: str | None = None
    date_orders: tuple[tuple[str, str], ...] = ()
    by_line: bool = False


@dataclass(frozen=True, repr=False)
class Reading:
    """A table and what was found on the way.

    Attributes:
        frame: the table.
        options: how it was read: what was given, and for text files what was found out.
        notes: plain sentences on what was changed or is odd, by column name; no cell values but the usual signs for missing.
        tokens: by column, the texts that were taken as missing among numbers.
        odd: by column, the few texts (private) that alone keep it from being numbers.
        thousands: by column, the sign that grouped thousands.
        date_orders: by column, the order of day, month and year in texts that were read as dates.
        two_orders: columns that could be dates if it were known whether day or month comes first.
        broken: whether a line of the file ends inside quotation marks: a row over several lines.
    """

    frame: pl.DataFrame
    options: Options
    notes: tuple[str, ...]
    tokens: dict[str, tuple[str, ...]]
    odd: dict[str, tuple[str, ...]]
    thousands: dict[str, str]
    date_orders: dict[str, str]
    two_orders: tuple[str, ...] = ()
    broken: bool = False


def read_table(  # noqa: PLR0913
    path: Path | str,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    missing: Sequence[str] = (),
    header: int | None = 1,
    thousands: str = "",
    date_order: str | None = None,
) -> pl.DataFrame:
    """The table in a file; its suffix says what it is.

    Types out: Int64 (with nulls), Float64, String, Boolean, Date, Datetime. Only empty cells and the texts in ``missing``
    are missing; among numbers also the usual signs (NA, ?, . ...). For what was found on the way, use :func:`read`.
    Raises TableUnreadable (BadInput), never with a cell value in it.
    """
    return read(path, Options(separator, decimal, encoding, sheet, table, tuple(missing), header, thousands, date_order)).frame


def read(path: Path | str, options: Options | None = None) -> Reading:
    """As :func:`read_table`, with what was found out and what is odd."""
    path, options = Path(path), options or Options()
    _check_file(path)
    try:
        reading = _by_suffix(path, options)
    except OSError as e:
        raise TableUnreadable(f"the file cannot be read ({e.strerror or type(e).__name__})", where=path.name, hint="check its permissions") from None
    if reading.frame.width == 0 or reading.frame.height == 0:
        raise TableUnreadable(
            "the table has no rows" if reading.frame.width else "the table has no columns", where=path.name, hint="a table needs names and at least one row"
        )
    return reading


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise TableUnreadable("this is a folder, not a table", where=path.name, hint="give the file inside it")
    if not path.exists():
        raise TableUnreadable("there is no such file", where=path.name, hint="check the path")
    if path.suffix.lower() not in KNOWN:
        raise TableUnreadable(f"cannot read a `{path.suffix}` file", where=path.name, hint=f"known: {', '.join(KNOWN)}")
    if path.stat().st_size == 0:
        raise TableUnreadable("the file is empty", where=path.name, hint="a table needs names and at least one row")


def _by_suffix(path: Path, options: Options) -> Reading:
    suffix = path.suffix.lower()
    if suffix in DELIMITED:
        return _read_text(path, options)
    if suffix in EXCEL:
        return _read_excel(path, options)
    if suffix in STATISTICAL:
        return _settle(formats.read_statistical(path), options, retype=False)
    if suffix in ARROW:
        return _settle(formats.read_arrow(path), options, retype=False)
    if suffix == ".parquet":
        return _settle(formats.read_parquet(path), options, retype=False)
    return _settle(formats.read_duckdb(path, options.table), options, retype=False)


def _read_text(path: Path, options: Options) -> Reading:
    text = read_delimited(path, separator=options.separator, encoding=options.encoding, header=options.header, by_line=options.by_line)
    columns = text.frame.get_columns()
    decimal = options.decimal or ("," if text.commas and uses_comma(columns) else ".")
    if decimal not in (".", ","):
        raise TableUnreadable("a decimal sign is a point or a comma", where=path.name, hint='decimal = "," or "."')
    found = replace(options, separator=text.separator, encoding=text.encoding, decimal=decimal, header=text.header)
    notes = [f"{text.n_blank_lines} blank line{'s were' if text.n_blank_lines > 1 else ' was'} left out"] if text.n_blank_lines else []
    if text.n_malformed:
        n = text.n_malformed
        notes.append(f"{n:,} line{'s are no rows' if n > 1 else ' is no row'} of the table (another number of fields, or an open quotation mark): left out")
    notes += _told(text.encoding, text.header)
    broken = text.broken
    del text  # so that each column of text is let go once it is typed
    columns.reverse()
    made = [_typed(columns.pop(), found) for _ in range(len(columns))]
    return replace(_reading(made, found, notes), broken=broken)


def _told(encoding: str, header: int) -> list[str]:
    """What a person should know of how a file is written."""
    notes = [] if encoding.lower().startswith("utf-8") or encoding == "ascii" else [f"the text is not UTF-8 but {encoding}"]
    return notes + ([f"the header takes {header} lines, which were joined"] if header > 1 else [])


def _typed(series: pl.Series, options: Options) -> Typed:
    return typed(series, decimal=options.decimal or ".", missing=options.missing, thousands=options.thousands, order=_order(series.name, options))


def _order(name: str, options: Options) -> str:
    return dict(options.date_orders).get(name) or options.date_order or ""


def _read_excel(path: Path, options: Options) -> Reading:
    """A sheet; a column of moments that are all midnight is one of dates, which Excel has no type for."""
    page = read_excel(path, options.sheet, header=options.header)
    made = _settle(page.frame, replace(options, header=page.header), retype=True)
    midnight = [s.name for s in made.frame.get_columns() if isinstance(s.dtype, pl.Datetime) and bool((s.drop_nulls().dt.time() == dt.time()).all())]
    notes = _told("utf-8", page.header)
    if len(page.sheets) > 1:
        listed = ", ".join(f'"{s}"' for s in page.sheets)
        notes.insert(0, f'sheet "{page.sheet}" of {len(page.sheets)} was read ({listed}); another with --sheet')
    options = replace(made.options, sheet=page.sheet if len(page.sheets) > 1 else options.sheet)
    return replace(made, frame=made.frame.with_columns(pl.col(midnight).cast(pl.Date)), options=options, notes=(*notes, *made.notes))


def _settle(frame: pl.DataFrame, options: Options, *, retype: bool) -> Reading:
    """A table that came with types: plain types, texts stripped, dates among the texts read."""
    made = []
    for series in plain(frame).get_columns():
        if series.dtype != pl.String:
            made.append(Typed(series))
        elif retype:
            made.append(_typed(series, options))
        else:
            clean, n_padded = stripped(series, options.missing)
            made.append(replace(dates(clean, order=_order(series.name, options)), n_padded=n_padded))
    return _reading(made, options, [])


def _reading(columns: Sequence[Typed], options: Options, notes: list[str]) -> Reading:
    for column in columns:
        name = column.series.name
        if column.n_padded:
            notes.append(f"`{name}`: blanks around the text of {column.n_padded:,} cells were removed")
        if column.tokens:
            notes.append(f"`{name}`: {', '.join(column.tokens)} read as missing among numbers")
        if column.odd:
            notes.append(
                f"`{name}`: numbers, but for {len(column.odd)} text{'s' if len(column.odd) > 1 else ''}; if they mean missing, list them under `missing`"
            )
        if column.note:
            notes.append(f"`{name}`: {column.note}")
    frame = pl.DataFrame([c.series for c in columns])
    named = {c.series.name: c for c in columns}
    return Reading(
        frame,
        options,
        tuple(notes),
        {n: c.tokens for n, c in named.items() if c.tokens},
        {n: c.odd for n, c in named.items() if c.odd},
        {n: c.thousands for n, c in named.items() if c.thousands},
        {n: c.date_order for n, c in named.items() if c.date_order},
        tuple(n for n, c in named.items() if c.two_orders),
    )
