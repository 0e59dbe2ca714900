"""The register of one user: which table goes with which ledger, and how far that ledger had come. It finds copies, and ledgers that are older than they were.

One append-only file in the user's configuration folder, chained like a ledger and under a lock. It holds keyed fingerprints of tables
(:mod:`twinset.dp.marks`), the hashes of ledgers' first and last lines, and where those ledgers were; no cell value and no name of a column. It
is kept by and for one user of one machine: whoever deletes it, or works elsewhere, is not stopped by it. ``since`` in a certificate says how old it is.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twinset.dp import chain
from twinset.dp.marks import Marks, marks
from twinset.errors import BadInput

FORMAT = "twinset register 1"
FILE = "register.jsonl"
PLACE = "TWINSET_CONFIG"  # of the environment: the folder of the register
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """What the register says of a table and its ledger.

    ``kept``: it knows them; ``since``: the day it was begun; ``forgotten``: how often it was told to forget a ledger of this
    table; ``replaced``: ledgers of other tables that were at this ledger's place before; ``reveals``: runs outside any
    budget while there was no ledger to write them to; ``public``: it was told that the table is.
    """

    kept: bool = False
    since: str = ""
    forgotten: int = 0
    replaced: int = 0
    reveals: int = 0
    public: bool = False


@dataclass(frozen=True)
class Known:
    """What the register says of a ledger: whether it knows it, where other ledgers of its tables were, how often one was forgotten.

    ``behind``: it saw lines that this ledger no longer has.
    """

    known: bool = False
    others: tuple[str, ...] = ()
    forgotten: int = 0
    behind: bool = False


@dataclass(frozen=True, repr=False)
class _Open:
    """The register's file, locked, with its lines."""

    file: int
    text: bytes
    entries: Sequence[Entry]
    writable: bool

    @property
    def key(self) -> bytes:
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


def check(table: Path, ledger: Path, hashes: Sequence[str]) -> None:
    """Raise BadInput where the register knows this table with another ledger, or this ledger with lines it no longer has.

    ``hashes``: of the ledger's lines in order; none where it is not begun. Nothing is written, nothing is begun.
    """
    _warm(table)
    with _held() as book:
        if book is not None:
            _check(book.entries, marks(table, book.key), ledger, hashes)


def note(table: Path, ledger: Path, hashes: Sequence[str]) -> None:
    """Remember that this table goes with this ledger, which ends where ``hashes`` end. Begins the register. Raises as :func:`check`.

    To be called before a reservation is written and again after it, and before anything is looked at: of two ledgers, or of
    two copies of one, the second to come is refused. Where no register can be kept nothing happens: see :class:`Standing`.
    """
    _begin()
    _warm(table)
    with _held() as book:
        if book is None:
            return
        mine = marks(table, book.key)
        _check(book.entries, mine, ledger, hashes)
        last = next((e for e in reversed(_remembered(book.entries)) if e["ledger"] == hashes[0] and e["exact"] == mine.exact), None)
        if book.writable and (last is None or last["head"] != hashes[-1]):
            _append(book, mine, {"entry": "run", "ledger": hashes[0], "head": hashes[-1], "path": os.path.realpath(ledger)})


def revealed(table: Path, *, why: str) -> bool:
    """Remember that a run saw the rows of this table outside any budget; only where the table is known. Whether it was."""
    _warm(table)
    with _held() as book:
        if book is None or not book.writable:
            return False
        mine = marks(table, book.key)
        known = any(mine.known(e) for e in _remembered(book.entries))
        if known:
            _append(book, mine, {"entry": "reveal", "why": why})
        return known


def publish(table: Path, *, why: str) -> None:
    """Remember that this table is public, so that it may have many ledgers. For tables that ship with the package."""
    _begin()
    _warm(table)
    with _held() as book:
        if book is not None and book.writable:
            mine = marks(table, book.key)
            if not _public(book.entries, mine):
                _append(book, mine, {"entry": "public", "why": why})


def forget(table: Path, *, why: str) -> tuple[str, ...]:
    """Forget which ledgers this table had, and write down that they were; gives where they were. Later certificates warn.

    Raises BadInput where the register does not know the table, or cannot be written.
    """
    _warm(table)
    with _held() as book:
        if book is None or not book.writable:
            raise BadInput("there is no register here that could be written", where=FILE, hint="it is begun by the first private run of a user")
        mine = marks(table, book.key)
        gone = tuple(dict.fromkeys(e["path"] for e in _remembered(book.entries) if mine.known(e)))
        if not gone:
            raise BadInput("the register knows no ledger of this table", where=table.name, hint="there is nothing to forget")
        _append(book, mine, {"entry": "forget", "why": why})
        return gone


def standing(table: Path, ledger: Path, hashes: Sequence[str]) -> Standing:
    """What a certificate must say of the register, after :func:`note`."""
    with _held() as book:
        if book is None:
            return Standing()
        mine, runs = marks(table, book.key), _remembered(book.entries)
        place = os.path.realpath(ledger)
        return Standing(
            kept=book.writable and bool(hashes) and any(e["ledger"] == hashes[0] and mine.known(e) for e in runs),
            since=str(book.entries[0]["at"])[:10],
            forgotten=_count(book.entries, mine, "forget"),
            replaced=len({e["ledger"] for e in book.entries if e["entry"] == "run" and e["path"] == place and not mine.known(e)}),
            reveals=_count(book.entries, mine, "reveal"),
            public=_public(book.entries, mine),
        )


def known(hashes: Sequence[str]) -> Known:
    """What the register says of a ledger alone."""
    with _held() as book:
        if book is None:
            return Known()
        runs = _remembered(book.entries)
        tables = [Marks(e["exact"], e["lines"]) for e in book.entries if e["entry"] == "run" and e["ledger"] == hashes[0]]
        mine = [e for e in book.entries[1:] if any(t.known(e) for t in tables)]
        others = tuple(dict.fromkeys(e["path"] for e in mine if e["entry"] == "run" and e["ledger"] != hashes[0]))
        return Known(
            known=any(e["ledger"] == hashes[0] for e in runs),
            others=others,
            forgotten=sum(e["entry"] == "forget" for e in mine),
            behind=_lost(runs, hashes) is not None,
        )


def check_end(hashes: Sequence[str]) -> None:
    """Raise BadInput where the register saw lines that this ledger no longer has."""
    with _held() as book:
        if book is not None:
            _check_head(_remembered(book.entries), hashes)


def _check(entries: Sequence[Entry], mine: Marks, ledger: Path, hashes: Sequence[str]) -> None:
    if _public(entries, mine):
        return
    runs = _remembered(entries)
    others = [e for e in runs if mine.known(e) and not (hashes and e["ledger"] == hashes[0])]
    if others:
        exact = any(e["exact"] == mine.exact for e in others)
        raise BadInput(
            f"the register knows {'this table' if exact else 'a table with the same lines'} with another ledger: a new one would be a second budget",
            where=ledger.name,
            hint=f"that ledger was last at {others[-1]['path']}: move it beside the table or name it under privacy.ledger; if it was lost, restore it from a "
            "backup. If it must be given up, whoever is responsible for the data can say so: twinset ledger forget TABLE --why REASON",
        )
    _check_head(runs, hashes)


def _lost(runs: Sequence[Entry], hashes: Sequence[str]) -> Entry | None:
    """What was written down last of this ledger, if the ledger no longer has it."""
    last = next((e for e in reversed(runs) if hashes and e["ledger"] == hashes[0]), None)
    return last if last is not None and last["head"] not in hashes else None


def _check_head(runs: Sequence[Entry], hashes: Sequence[str]) -> None:
    last = _lost(runs, hashes)
    if last is not None:
        raise BadInput(
            "the ledger lacks what was written to it last: this is an older copy of it, or its end was cut off",
            where=os.path.basename(last["path"]),
            hint=f"use the one that was last at {last['path']}, or restore its newest backup. If the newest lines are lost, what they held was spent; whoever is "
            "responsible for the data can have them forgotten: twinset ledger forget TABLE --why REASON",
        )


def _remembered(entries: Sequence[Entry]) -> list[Entry]:
    """The lines that bind a table to a ledger and were not forgotten since."""
    kept: list[Entry] = []
    for e in entries[1:]:
        if e["entry"] == "run":
            kept.append(e)
        elif e["entry"] == "forget":
            gone = Marks(e["exact"], e["lines"])
            kept = [r for r in kept if not gone.known(r)]
    return kept


def _public(entries: Sequence[Entry], mine: Marks) -> bool:
    return _count(entries, mine, "public") > 0


def _count(entries: Sequence[Entry], mine: Marks, what: str) -> int:
    return sum(e["entry"] == what and mine.known(e) for e in entries[1:])


def _append(book: _Open, mine: Marks, entry: Mapping[str, Any]) -> None:
    chain.append(book.file, book.text, {**entry, **asdict(mine), "at": _now()})


def _path() -> Path | None:
    where = folder()
    return None if where is None else where / FILE


def _begin() -> None:
    """The register, if there is none and one can be."""
    path = _path()
    if path is None or path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        chain.create(path, {"entry": "register", "format": FORMAT, "key": secrets.token_hex(32), "at": _now()})
    except (OSError, BadInput):
        return


def _warm(table: Path) -> None:
    """Read the table before the lock is taken, so that other runs need not wait."""
    with _held() as book:
        key = None if book is None else book.key
    if key is not None:
        marks(table, key)


@contextmanager
def _held() -> Iterator[_Open | None]:
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
        yield _Open(file, text, _entries(text, path), writable)
    finally:
        os.close(file)  # and with it the lock


def _locked(file: int) -> bool:
    """Whether the lock could be had; some network drives have none."""
    try:
        chain.lock(file)
    except OSError:
        return False
    return True


def _opened() -> tuple[int, Path, bool] | None:
    path = _path()
    if path is None or not path.is_file():
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
        if found[0]["format"] != FORMAT or any(e["entry"] not in ("run", "reveal", "public", "forget") or not e["exact"] for e in found[1:]):
            raise KeyError
        bytes.fromhex(found[0]["key"])
    except (BadInput, KeyError, ValueError, TypeError):
        raise BadInput(
            "the register of this user's ledgers is corrupted",
            where=str(path),
            hint="restore it from a backup, or put it away and let a new one begin: later certificates say since when it is kept",
        ) from None
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
