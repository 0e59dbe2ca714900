"""Delimited text to a table of strings: separator, header, quotes, ragged lines."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from twinset.errors import TableUnreadable
from twinset.io.header import header_lines, joined, looked_at
from twinset.io.text import to_utf8

SEPARATORS = (",", ";", "\t", "|")
SPELT = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
SAMPLE_BYTES, SAMPLE_ROWS, BLOCK = 1 << 17, 200, 1 << 23
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
NAME_WIDTH = re.compile(r"\s+")


@dataclass(frozen=True, repr=False)
class Delimited:
    """All cells as text (an empty cell is null or ""), and how they were found."""

    frame: pl.DataFrame
    separator: str
    encoding: str
    n_blank_lines: int
    commas: bool  # whether a cell can hold a comma at all
    broken: bool  # whether a line ends inside quotation marks, so that lines are not rows
    header: int  # lines of names
    n_malformed: int = 0  # lines that are no rows of the table, left out


def read_delimited(path: Path, *, separator: str | None = None, encoding: str | None = None, header: int | None = 1, by_line: bool = False) -> Delimited:
    """The strings of a CSV, TSV or other delimited text file.

    The separator is found among comma, semicolon, tab and bar where not given, and the lines of the header with ``header = None``. ``by_line``: lines that are no rows
    are left out, as a private run does. Raises TableUnreadable: empty file, header only, names missing or shared, ragged lines (with their number), an
    open quote, a wrong separator or encoding.
    """
    where = path.name
    data, encoding = to_utf8(path.read_bytes(), encoding=encoding, where=where)
    data, declared = _start(data)
    if not data.strip():
        raise TableUnreadable("the file is empty", where=where, hint="a table needs a line of names and at least one row")
    separator = _separator(data, separator or declared, where)
    header = _header(data, separator) if header is None else header
    if header > 1:
        data = _one_header(data, separator, header, where)
    names = column_names(data, separator, where)
    n_blank, broken, whole = _check_lines(data, separator, len(names))
    commas = (b'"' if separator == "," else b",") in data
    if whole:
        return Delimited(_fast(data, separator, names, n_blank, where, line=header), separator, encoding, n_blank, commas, broken, header)
    if by_line:
        frame, n_malformed = _sparing(data, separator, names)
        return Delimited(frame, separator, encoding, 0, commas, broken, header, n_malformed)
    return Delimited(_slow(data, separator, names, where, line=header), separator, encoding, 0, commas, _breaks(data, separator), header)


def _header(data: bytes, separator: str) -> int:
    """How many lines the header takes, told from the first records."""
    rows: list[list[str]] = []
    try:
        for _, row in _records(data[:SAMPLE_BYTES], separator):
            rows.append(row)
            if len(rows) >= looked_at(len(rows[0])):
                break
    except (csv.Error, UnicodeDecodeError):  # an open quotation mark; the sample ends inside a letter
        return 1
    return header_lines(rows) if len({len(row) for row in rows}) == 1 else 1


def _one_header(data: bytes, separator: str, header: int, where: str) -> bytes:
    """The text with its lines of names as one."""
    rows, end = [], 0
    try:
        for last, row in _records(data, separator):
            rows.append(row)
            end = last
            if len(rows) == header:
                break
    except csv.Error:
        raise TableUnreadable("the lines of names cannot be read", where=where, hint="is a quotation mark open there?") from None
    line = io.StringIO()
    csv.writer(line, delimiter=separator, lineterminator="\n").writerow(joined(rows))
    return line.getvalue().encode() + b"".join(data.splitlines(keepends=True)[end:])


def _sparing(data: bytes, separator: str, names: list[str]) -> tuple[pl.DataFrame, int]:
    """Line by line, each alone: the rows, and how many lines are none (another number of fields, a quotation mark left open)."""
    rows, n_malformed = [], 0
    for line in data.replace(b"\r", b"").split(b"\n")[1:]:
        try:
            row = next(csv.reader([line.decode()], delimiter=separator), [])
        except csv.Error:
            row = []
        if line and line.count(b'"') % 2 == 0 and len(row) == len(names):
            rows.append(row)
        else:
            n_malformed += bool(line)
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"), n_malformed


def _start(data: bytes) -> tuple[bytes, str | None]:
    """The text from its header on, with ``\\n`` line ends where it had old Mac ones; and Excel's ``sep=`` line, if any."""
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")
    declared = re.match(rb'"?sep=(.)"?\r?\n', data)
    return (data[declared.end() :], declared.group(1).decode("latin-1")) if declared else (data, None)


def _separator(data: bytes, given: str | None, where: str) -> str:
    sample = data[:SAMPLE_BYTES]
    if len(sample) < len(data):
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    text = sample.decode(errors="replace")
    if given is None:
        best = max(SEPARATORS, key=lambda s: _fit(text, s))
        return best if _fit(text, best)[1] > 1 else ","
    given = SPELT.get(given, given)
    if len(given.encode()) != 1 or given in '"\r\n':
        raise TableUnreadable("a separator is a single plain character", where=where, hint='for example separator = ";" or "\\t"')
    if _fit(text, given)[1] == 1 and max(_fit(text, s)[1] for s in SEPARATORS) > 1:
        raise TableUnreadable(
            "with this separator the table is a single column", where=where, hint="leave `separator` out to have it found, or give the one the file uses"
        )
    return given


def _fit(text: str, separator: str) -> tuple[bool, int, float]:
    """How well a separator explains a sample: do nearly all rows have the header's width, that width, the share."""
    widths = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=separator):
            if row:
                widths.append(len(row))
            if len(widths) > SAMPLE_ROWS:
                break
    except csv.Error:
        return False, 1, 0.0
    share = sum(w == widths[0] for w in widths) / len(widths) if widths else 0.0
    return share >= 0.9 and widths[0] > 1, widths[0] if widths else 1, share


def column_names(data: bytes, separator: str, where: str) -> list[str]:
    """The names in the first record; a column without one gets its place. Raises TableUnreadable: names shared, or numbers in their place."""
    try:
        header = next(_records(data, separator))[1]
    except csv.Error:
        raise TableUnreadable("the first line cannot be read", where=where, hint="is a quotation mark open, or the file not a table?") from None
    names = [NAME_WIDTH.sub(" ", cell).strip() for cell in header]
    numbers = [n for n in names if NUMBER.fullmatch(n)]
    years = len(set(numbers)) == len(numbers) and all(re.fullmatch(r"(19|20)\d\d|\d{1,2}", n) for n in numbers)
    if len(names) > 1 and len(numbers) * 2 >= len(names) and not years:
        raise TableUnreadable("the first line looks like data, not like column names", where=where, hint="put a line of names on top")
    names = [name or f"column_{i}" for i, name in enumerate(names, start=1)]
    seen: dict[str, int] = {}
    for i, name in enumerate(names, start=1):
        if name in seen:
            raise TableUnreadable(f"columns {seen[name]} and {i} share a name", where=where, hint="give every column a name of its own")
        seen[name] = i
    return names


def _check_lines(data: bytes, separator: str, width: int) -> tuple[int, bool, bool]:
    """Number of blank lines; whether a line ends inside quotes; whether every other line has ``width`` fields (quotes read as they should be)."""
    n_blank, inside, found, length, broken = 0, 0, 0, 0, False
    for start in range(0, len(data), BLOCK):
        block = np.frombuffer(data, dtype=np.uint8, count=min(BLOCK, len(data) - start), offset=start)
        marks, ends = block == ord(separator), block == 10
        quotes = block == 34
        if inside or quotes.any():
            quoted = ((np.cumsum(quotes, dtype=np.int32) + inside) & 1).astype(bool)
            inside = int(quoted[-1])
            marks &= ~quoted
            broken = broken or bool((ends & quoted).any())
            ends &= ~quoted
        at = np.flatnonzero(ends)
        counts = np.diff(np.searchsorted(np.flatnonzero(marks), at), prepend=0)
        lengths = np.diff(at, prepend=-1) - 1
        if len(at):
            counts[0] += found
            lengths[0] += length
            found, length = 0, -1 - int(at[-1])
        found += int(marks[(at[-1] + 1 if len(at) else 0) :].sum())
        length += len(block)
        blank = (lengths == 0) | ((lengths == 1) & (block[at - 1] == 13))
        n_blank += int(blank.sum()) if width > 1 else 0
        if bool(((counts != width - 1) & ~blank).any()):
            return 0, broken, False
    return n_blank, broken, not inside and (length <= 0 or found == width - 1 or (length == 1 and data.endswith(b"\r")))


def _fast(data: bytes, separator: str, names: list[str], n_blank: int, where: str, *, line: int) -> pl.DataFrame:
    try:
        frame = pl.read_csv(data, separator=separator, infer_schema=False, new_columns=names, raise_if_empty=True)
    except (pl.exceptions.PolarsError, ValueError):
        return _slow(data, separator, names, where, line=line)
    if n_blank:
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame


def _slow(data: bytes, separator: str, names: list[str], where: str, *, line: int) -> pl.DataFrame:
    """Row by row: says which line is wrong (the header ends in ``line``); reads odd but consistent quoting that the fast way does not."""
    rows = []
    first = line - 1
    try:
        for last, row in _records(data, separator):
            if row and len(row) != len(names):
                _ragged(line, len(row), len(names), where)
            if row:
                rows.append(row)
            line = first + last + 1
    except csv.Error:
        raise TableUnreadable(
            f"a text that starts on line {line} does not end", where=where, hint="a quotation mark is open there; double it or close it"
        ) from None
    if rows and any("\n" in cell for cell in rows[-1]) and data.count(b'"') % 2:
        raise TableUnreadable("a quotation mark is opened and never closed", where=where, hint="close it, or double it if it belongs to the text")
    columns = list(zip(*rows[1:], strict=True)) or [()] * len(names)
    return pl.DataFrame([pl.Series(name, cells, dtype=pl.String) for name, cells in zip(names, columns, strict=True)])


def _breaks(data: bytes, separator: str) -> bool:
    """Whether some record goes over more than one line, blank ones between records aside."""
    return any("\n" in cell or "\r" in cell for _, row in _records(data, separator) for cell in row)


def _ragged(line: int, found: int, width: int, where: str) -> None:
    if line == 2 and found == width + 1:
        hint = "if every row is one longer than the header, the first column lacks a name"
    else:
        hint = "a text with the separator in it needs quotes around it; a wrong separator looks like this too"
    raise TableUnreadable(f"line {line} has {found} fields, the header {width}", where=where, hint=hint)


def _records(data: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its last line."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""), delimiter=separator)
    for row in reader:
        yield reader.line_num, row
