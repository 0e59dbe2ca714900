"""Two keyed fingerprints of a data file, by which a register knows it again: of its bytes, and of its lines in any order.

The second one knows a copy whose lines stand in another order, end in another way, or that has empty lines or a byte order mark more or less.
It does not know one in which a cell, a column's place, the separator or the encoding was changed, or a line left out. Without the key
neither tells anything; with it, only a guess of the whole file can be tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from twinset.errors import BadInput

PIECE = 1 << 20  # bytes read at once, and the longest line that is kept whole
BOM = b"\xef\xbb\xbf"
SUMS = 2**256


@dataclass(frozen=True, repr=False)
class Marks:
    """The fingerprints of one file under one key, each as 64 hexadecimal digits."""

    exact: str
    lines: str

    def known(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is of the same file, or of another one with the same lines."""
        return bool(self.lines == entry["lines"])


def marks(table: Path, key: bytes) -> Marks:
    """Both fingerprints in one pass, with memory for a few pieces. Raises BadInput where there is no such file.

    The lines' is a keyed hash of the sum of their keyed hashes modulo 2^256 (Clarke et al. 2003, MSet-Add-Hash): how often
    a line stands there counts, its place does not. What was read last is remembered as long as the file's times and size stay.
    """
    try:
        found = table.stat()
        return _marks(table, key, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise BadInput("a ledger belongs to one data file, and there is none", where=table.name, hint="correct data.path in the study file") from None


@lru_cache(maxsize=4)
def _marks(table: Path, key: bytes, _state: tuple[int, ...]) -> Marks:
    exact = hashlib.blake2b(key=key, digest_size=32, person=b"table")
    row = hashlib.blake2b(key=key, digest_size=32, person=b"line")
    total = count = 0
    for lines in _lines(_read(table, exact)):
        count += len(lines)
        for line in lines:
            one = row.copy()
            one.update(line)
            total += int.from_bytes(one.digest(), "big")
    made = hashlib.blake2b(f"{count} {total % SUMS}".encode(), key=key, digest_size=32, person=b"lines")
    return Marks(exact.hexdigest(), made.hexdigest())


def _read(table: Path, exact: hashlib.blake2b) -> Iterator[bytes]:
    with table.open("rb") as file:
        start = BOM
        while piece := file.read(PIECE):
            exact.update(piece)
            yield piece.removeprefix(start).replace(b"\r", b"")
            start = b""


def _lines(pieces: Iterator[bytes]) -> Iterator[list[bytes]]:
    """The lines that are not empty, those of a piece together; one that is longer than a piece in parts of that length."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield [part for line in whole if line for part in (_parts(line) if len(line) > PIECE else (line,))]
        if len(rest) >= PIECE:
            full = len(rest) // PIECE * PIECE
            yield _parts(rest[:full])
            rest = rest[full:]
    yield _parts(rest)


def _parts(line: bytes) -> list[bytes]:
    return [line[at : at + PIECE] for at in range(0, len(line), PIECE)]
