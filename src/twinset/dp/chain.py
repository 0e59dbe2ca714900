"""A file of JSON lines that can only grow: each line carries its own SHA-256 and that of the one before, under a lock, synced to disk.

The chain finds accidents and careless edits. Whoever recomputes it from the edit on is found by a certificate, which remembers a hash.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from twinset.errors import BadInput

START = b'{"before": "'  # begins every line
MARK = b', "hash": "'  # ends a line: the SHA-256 of what stands before it


def entries(text: bytes, path: Path) -> list[Mapping[str, Any]]:
    """The lines as JSON objects, each checked against its own hash and that of the one before; at least one.

    Raises BadInput where the chain is broken, cut or unreadable.
    """
    lines = text.split(b"\n")
    if lines.pop() or not lines:
        raise corrupted(path, "it ends in the middle of a line" if lines else "it holds no complete line")
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        body, _, end = line.rpartition(MARK)
        try:
            entry = json.loads(line)
            chained, whole = entry["before"] == (found[-1]["hash"] if found else ""), entry["hash"] == _hash(body)
        except (ValueError, KeyError, TypeError):
            raise corrupted(path, f"line {number} cannot be read") from None
        if not whole or len(end) != 66:
            raise corrupted(path, f"line {number} was changed")
        if not chained:
            raise corrupted(path, f"line {number} does not follow from the line before it")
        found.append(entry)
    return found


def create(path: Path, first: Mapping[str, Any]) -> None:
    """The file with its first line, whole or not at all; if another run was faster, its file stays."""
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    with _writable(path):
        try:
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(file, _line("", first))
                os.fsync(file)
            finally:
                os.close(file)
            with suppress(FileExistsError):
                os.link(part, path)
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """The file, open for reading and appending, held by this process alone."""
    with _writable(path):
        file = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        lock(file)
        yield file
    finally:
        os.close(file)  # and with it the lock


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise BadInput("the ledger cannot be written here", where=str(path), hint="name another place under privacy.ledger") from None


def lock(file: int) -> None:
    """Wait until no other process holds the file."""
    try:
        import fcntl
    except ImportError:  # Windows
        raise BadInput("a ledger needs file locks, which this system lacks", hint="run private releases on Linux or macOS") from None
    fcntl.flock(file, fcntl.LOCK_EX)


def content(file: int) -> bytes:
    """All bytes of an open file."""
    os.lseek(file, 0, os.SEEK_SET)
    pieces = []
    while piece := os.read(file, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def append(file: int, text: bytes, entry: Mapping[str, Any]) -> str:
    """One more line, chained and on the disk, or none; gives its hash."""
    line = _line(json.loads(text[:-1].rsplit(b"\n", 1)[-1])["hash"], entry)
    try:
        if os.write(file, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    except OSError:
        os.ftruncate(file, len(text))
        raise
    return line[-67:-3].decode()


def _line(before: str, entry: Mapping[str, Any]) -> bytes:
    body = json.dumps({"before": before, **entry}, allow_nan=False, ensure_ascii=False).encode()[:-1]
    return body + MARK + _hash(body).encode() + b'"}\n'


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def corrupted(path: Path, why: str) -> BadInput:
    """The error for a file that cannot be trusted."""
    return BadInput(
        f"the ledger is corrupted: {why}",
        where=path.name,
        hint="restore it from a backup. Nothing private is done on a ledger that cannot be trusted; a new one may only begin where nothing was ever spent",
    )
