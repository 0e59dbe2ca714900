"""Excel workbooks: which sheet, how many lines of header, and its cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from twinset.errors import TableUnreadable
from twinset.io.header import header_lines, joined, looked_at

TEXTS: dict[str, Any] = {"header_row": None, "dtypes": "string"}


@dataclass(frozen=True, repr=False)
class Page:
    """One sheet of a workbook as a table: its name, the names of all sheets, and how many lines its header takes."""

    frame: pl.DataFrame
    sheet: str
    sheets: tuple[str, ...]
    header: int


def read_excel(path: Path, sheet: str | None, *, header: int | None = 1) -> Page:
    """One sheet of a workbook: the one named, or the first that holds anything; ``header``: its lines of names, ``None`` = found out.

    Raises TableUnreadable: no such sheet (with those there are), no table on it, not a workbook.
    """
    sheets = sheet_names(path)
    sheet = sheet if sheet is not None else _first(path, sheets)
    page = _sheet(path, sheet, {})
    names = [c.name for c in page.available_columns()]
    if header is None:
        top = _sheet(path, sheet, {**TEXTS, "n_rows": looked_at(len(names))}).to_polars()
        header = header_lines([[cell or "" for cell in row] for row in top.rows()])
    if header > 1:
        return Page(excel_texts(path, sheet, header=header), sheet, sheets, header)
    frame: pl.DataFrame = page.to_polars()
    if (
        any("_duplicated_" in n or (n.rsplit("_", 1)[0] in names and n.rsplit("_", 1)[-1].isdigit()) for n in names)
        and len(names) > 1
        and _shares_names(path, sheet)
    ):
        raise _shared(path)
    return Page(frame, sheet, sheets, 1)


def sheet_names(path: Path) -> tuple[str, ...]:
    """The names of a workbook's sheets, in their order. Raises TableUnreadable if it is none."""
    import fastexcel

    try:
        return tuple(fastexcel.read_excel(path).sheet_names)
    except fastexcel.FastExcelError:
        raise _no_table(path) from None


def _first(path: Path, sheets: tuple[str, ...]) -> str:
    """The first sheet that may be a table (names, two rows and two columns at least); else the first that has a row, else the first of all."""
    if not sheets:
        raise TableUnreadable("the workbook has no sheet", where=path.name, hint="save the table on a sheet")
    if len(sheets) == 1:
        return sheets[0]
    tops = {s: _sheet(path, s, {**TEXTS, "n_rows": 3}).to_polars() for s in sheets}
    tables = [s for s, top in tops.items() if top.height > 2 and top.width > 1]
    return next(iter([*tables, *(s for s, top in tops.items() if top.height > 1)]), sheets[0])


def excel_texts(path: Path, sheet: str | None, *, header: int = 1) -> pl.DataFrame:
    """The same sheet with every cell as text, whatever else its column holds; dates as 2020-01-31 00:00:00, what shows an error as a gap.

    The header is the first line that holds anything, or so many of them. Columns without a name in it are not read, lines without a cell under a name
    are nobody's.
    """
    cells: pl.DataFrame = _sheet(path, sheet, TEXTS).to_polars()
    if not cells.height:
        raise _no_table(path)
    top = [[cell or "" for cell in cells.row(i)] for i in range(min(header, cells.height))]
    names = joined(top) if header > 1 else [cell.strip() for cell in top[0]]
    named = [(c, name) for c, name in zip(cells.columns, names, strict=True) if name]
    if len({name for _, name in named}) != len(named):
        raise _shared(path)
    rows = cells.slice(header).select(pl.col(c).cast(pl.String).alias(name) for c, name in named)
    return rows.filter(pl.any_horizontal(pl.all().str.strip_chars() != ""))


def _sheet(path: Path, sheet: str | None, how: dict[str, Any]) -> Any:
    """The page of a workbook that is meant."""
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        if not book.sheet_names:
            raise TableUnreadable("the workbook has no sheet", where=path.name, hint="save the table on a sheet")
        if sheet is not None and sheet not in book.sheet_names:
            listed = ", ".join(f'"{name}"' for name in book.sheet_names)
            raise TableUnreadable("the workbook has no sheet of this name", where=path.name, hint=f"its sheets: {listed}; or leave the name out")
        return book.load_sheet(sheet if sheet is not None else 0, schema_sample_rows=None, **how)
    except fastexcel.FastExcelError:
        raise _no_table(path) from None


def _no_table(path: Path) -> TableUnreadable:
    return TableUnreadable("no table can be read from this workbook", where=path.name, hint="is there a line of names on top and rows below, and no password?")


def _shared(path: Path) -> TableUnreadable:
    return TableUnreadable("two columns share a name", where=path.name, hint="give every column a name of its own; is the header of several lines? header = 2")


def _shares_names(path: Path, sheet: str | None) -> bool:
    """Whether the header itself, before any renaming, has a name twice."""
    page = _sheet(path, sheet, {**TEXTS, "n_rows": 1})
    header = [v for v in page.to_polars().row(0) if v is not None]
    return len(set(header)) != len(header)
