"""The file of a user's register: where it is, how it is begun, held by one process at a time, and read. What it says: :mod:`twinset.dp.register`."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twinset.dp import chain
from twinset.errors import BadInput

FORMAT = "twinset register 1"
FILE = "register.jsonl"
PLACE = "TWINSET_CONFIG"  # of the environment: the folder of the register
TABLE = ("exact", "lines", "at")
KEYS = {"run": (*TABLE, "ledger", "head", "path"), "reveal": TABLE, "public": TABLE, "forget": TABLE}  # of the lines after the first, all texts
Entry = Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Register:
    """The register, locked, with its lines."""

    file: int
    text: bytes
    entries: Sequence[Entry]
    writable: bool

    @property
    def key(self) -> bytes:
        """What tables' fingerprints are keyed with."""
        return bytes.fromhex(self.entries[0]["key"])


def folder() -> Path | None:
    """The user's configuration folder: ``TWINSET_CONFIG``, else what the system says; ``None`` where there is no home."""
    if stated := os.environ.get(PLACE):
        return Path(stated)
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "twinset"
    stated = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(stated) if os.path.isabs(stated) else home / ".config") / "twinset"


@contextmanager
def apart(config: Path) -> Iterator[None]:
    """Inside it this process and those it starts keep their register in ``config``: for trials on invented or public tables, which nobody need remember."""
    before = os.environ.get(PLACE)
    os.environ[PLACE] = str(config)
    try:
        yield
    finally:
        if before is None:
            del os.environ[PLACE]
        else:
            os.environ[PLACE] = before


def begin() -> None:
    """The register, if there is none and one can be."""
    path = _path()
    if path is None or os.path.exists(path):
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        chain.create(path, {"entry": "register", "format": FORMAT, "key": secrets.token_hex(32), "at": now()})
    except (OSError, BadInput):
        return


@contextmanager
def held() -> Iterator[Register | None]:
    """The register, held by this process alone; ``None`` where there is none or it cannot be opened. Raises BadInput where it was changed or cut."""
    opened = _opened()
    if opened is None:
        yield None
        return
    file, path, writable = opened
    try:
        if not _locked(file):
            yield None
            return
        text = chain.content(file)
        yield Register(file, text, _entries(text, path), writable)
    finally:
        os.close(file)  # and with it the lock


def _locked(file: int) -> bool:
    """Whether the lock could be had; some network drives and Windows have none."""
    try:
        chain.lock(file)
    except (OSError, BadInput):
        return False
    return True


def _opened() -> tuple[int, Path, bool] | None:
    path = _path()
    if path is None or not os.path.isfile(path):
        return None
    for flags, writable in ((os.O_RDWR | os.O_APPEND, True), (os.O_RDONLY, False)):
        try:
            return os.open(path, flags), path, writable
        except OSError:
            continue
    return None


def _entries(text: bytes, path: Path) -> Sequence[Entry]:
    try:
        found = chain.entries(text, path)
        first, *rest = found
        if first["format"] != FORMAT or not {e["entry"] for e in rest} <= KEYS.keys() or any(not isinstance(e[k], str) for e in rest for k in KEYS[e["entry"]]):
            raise KeyError
        bytes.fromhex(first["key"])
    except (BadInput, KeyError, ValueError, TypeError):
        raise BadInput(
            "the register of this user's ledgers is corrupted",
            where=str(path),
            hint="restore it from a backup, or put it away and let a new one begin: later certificates say since when it is kept",
        ) from None
    return found


def now() -> str:
    """The time to the second, as it is written."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _path() -> Path | None:
    where = folder()
    return None if where is None else where / FILE
