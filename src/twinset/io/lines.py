"""Delimited text read line by line: a line is a row, and how it is read depends on that line and the declaration alone.

No quotation mark, encoding fault or missing field of one line reaches another. The price: a cell cannot hold a line break. A line that is
not a row of the table (another number of fields, a quotation mark left open) is marked: :mod:`twinset.io.declared` leaves it out, or keeps it as gaps.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from twinset.core.contracts import BoolArray, IntArray
from twinset.errors import BadInput, TableUnreadable
from twinset.io.delimited import column_names

BLOCK = 1 << 25  # bytes read at a time
STATEFUL = re.compile(r"utf[-_]?(16|32|7)|iso2022|hz|escape|punycode|idna")  # one byte may change how later lines are read
ASCII = bytes(range(32, 127))


@dataclass(frozen=True, repr=False)
class Lines:
    """Rows as text, String, one column a name; ``malformed``: bool (n,), lines that are not rows of the table, all cells null."""

    frame: pl.DataFrame
    malformed: BoolArray


def names_of(path: Path, *, separator: str, encoding: str) -> list[str]:
    """The names in the first line that is not blank. Raises TableUnreadable: no such line, names shared, or numbers in their place."""
    with path.open("rb") as file:
        line = _header(file)
    if not line.strip():
        raise TableUnreadable("the file is empty", where=path.name, hint="a table needs a line of names")
    return column_names(_decoded(line, _codec(encoding)) + b"\n", separator, path.name)


def blocks(path: Path, *, separator: str, encoding: str, size: int = BLOCK) -> Iterator[Lines]:
    """The rows in the order of the file, some ``size`` bytes at a time. Blank lines are no rows where a row has several cells.

    Raises TableUnreadable as :func:`names_of`, BadInput for an encoding in which one fault can shift what follows. Never for what a row holds.
    """
    codec = _codec(encoding)
    names = names_of(path, separator=separator, encoding=encoding)
    with path.open("rb") as file:
        _header(file)
        rest = b""
        while piece := file.read(size):
            rest += piece
            cut = rest.rfind(b"\n") + 1
            if cut:
                yield _rows(_decoded(rest[:cut], codec), names, separator)
                rest = rest[cut:]
        if rest:
            yield _rows(_decoded(rest + b"\n", codec), names, separator)


def _header(file: BinaryIO) -> bytes:
    """The first line that is not blank, without byte-order mark and Excel's ``sep=`` line; the file is left behind it."""
    line = file.readline().removeprefix(codecs.BOM_UTF8)
    while line and (not line.strip() or re.fullmatch(rb'"?sep=."?\r?\n', line)):
        line = file.readline()
    return line.rstrip(b"\r\n")


def _codec(encoding: str) -> str:
    try:
        found = codecs.lookup(encoding).name
    except LookupError:
        raise TableUnreadable("no such encoding", where="data.encoding", hint="utf-8, cp1252, latin-1 ...") from None
    if shifts(found):
        raise BadInput(
            "in this encoding one faulty byte can change how other patients' lines are read",
            where="data.encoding",
            hint="save the table as UTF-8 before a private run",
        )
    return "utf-8" if found == "utf-8-sig" else found


def shifts(encoding: str) -> bool:
    """Whether one faulty byte of this encoding can change how what follows is read, so that a private run does not take it.

    >>> shifts("utf-8"), shifts("cp1252"), shifts("utf-16")
    (False, False, True)
    """
    found = codecs.lookup(encoding).name
    try:
        return bool(STATEFUL.search(found)) or ASCII.decode(found, errors="replace") != ASCII.decode()
    except (LookupError, ValueError):  # rot13, base64: no encodings of text
        return True


def _decoded(block: bytes, codec: str) -> bytes:
    """Whole lines as UTF-8. What is not in the encoding becomes a replacement sign, line by line; a stray carriage return becomes a blank.

    Byte-order marks go, wherever they stand: polars would drop one at the start of a block only, and so by place.
    """
    block = block.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    try:
        made = block.decode(codec).encode()
    except UnicodeDecodeError:
        made = b"\n".join(line.decode(codec, errors="replace").encode() for line in block.split(b"\n"))
    return made.replace(codecs.BOM_UTF8, b"")


def _rows(block: bytes, names: list[str], separator: str) -> Lines:
    """The rows of whole lines of UTF-8."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == 10)
    width = len(names)
    n_marks, n_quotes = _per_line(data == ord(separator), ends), _per_line(data == 34, ends)
    length = np.diff(ends, prepend=-1)
    kept = (length > 1) if width > 1 else np.ones(len(ends), dtype=bool)
    plain = kept & (n_quotes == 0) & (n_marks == width - 1)
    quoted = np.flatnonzero(kept & (n_quotes > 0) & (n_quotes % 2 == 0))
    taken, cells = _quoted(block, np.r_[0, ends[:-1] + 1][quoted], ends[quoted], separator, width)
    frame = _plain(data[np.repeat(plain, length)].tobytes() if not plain.all() else block, names, separator)
    if plain.sum() == kept.sum():
        return Lines(frame, np.zeros(len(frame), dtype=bool))
    odd = pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String), orient="row")
    malformed = kept & ~plain
    malformed[quoted[taken]] = False
    gone = np.flatnonzero(malformed)
    order = np.argsort(np.concatenate([np.flatnonzero(plain), quoted[taken], gone]))
    empty = pl.DataFrame({n: pl.Series([None] * len(gone), dtype=pl.String) for n in names})
    return Lines(pl.concat([frame, odd, empty])[order], malformed[kept])


def _per_line(hits: BoolArray, ends: IntArray) -> IntArray:
    """How many of the bytes that are hits stand in each line."""
    return np.diff(np.searchsorted(np.flatnonzero(hits), ends), prepend=0)


def _plain(block: bytes, names: list[str], separator: str) -> pl.DataFrame:
    """Lines without quotation marks, each of as many fields as there are names."""
    schema = dict.fromkeys(names, pl.String)
    if not block:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(block, has_header=False, separator=separator, quote_char=None, schema=schema)


def _quoted(block: bytes, starts: IntArray, ends: IntArray, separator: str, width: int) -> tuple[BoolArray, list[list[str]]]:
    """Lines with quotation marks, each parsed alone: which of them are rows, and their cells."""
    taken, cells = np.zeros(len(starts), dtype=bool), []
    for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        try:
            row = next(csv.reader([block[start:end].decode()], delimiter=separator))
        except csv.Error:
            continue
        if len(row) == width:
            taken[i] = True
            cells.append(row)
    return taken, cells
