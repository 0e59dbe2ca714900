"""The register of one user: which table goes with which ledger, and how far that ledger had come. It finds copies, and ledgers that are older than they were.

One append-only file in the user's configuration folder, chained like a ledger and under a lock. It holds keyed fingerprints of tables
(:mod:`twinset.dp.marks`), the hashes of ledgers' first and last lines, and where those ledgers were; no cell value and no name of a column. It
is kept by and for one user of one machine: whoever deletes it, or works elsewhere, is not stopped by it. ``since`` in a certificate says how old it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twinset.dp import chain
from twinset.dp.marks import Marks, marks
from twinset.dp.register_file import FILE, Entry, Register, begin, held, now
from twinset.errors import BadInput


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


def check(table: Path, ledger: Path, hashes: Sequence[str]) -> None:
    """Raise BadInput where the register knows this table with another ledger, or this ledger with lines it no longer has.

    ``hashes``: of the ledger's lines in order; none where it is not begun. Nothing is written, nothing is begun.
    """
    _warm(table)
    with held() as book:
        if book is not None:
            _check(book.entries, marks(table, book.key), ledger, hashes)


def note(table: Path, ledger: Path, hashes: Sequence[str]) -> None:
    """Remember that this table goes with this ledger, which ends where ``hashes`` end. Begins the register. Raises as :func:`check`.

    To be called before a reservation is written and again after it, and before anything is looked at: of two ledgers, or of
    two copies of one, the second to come is refused. Where no register can be kept nothing happens: see :class:`Standing`.
    """
    begin()
    _warm(table)
    with held() as book:
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
    with held() as book:
        if book is None or not book.writable:
            return False
        mine = marks(table, book.key)
        known = any(mine.known(e) for e in _remembered(book.entries))
        if known:
            _append(book, mine, {"entry": "reveal", "why": why})
        return known


def publish(table: Path, *, why: str) -> None:
    """Remember that this table is public, so that it may have many ledgers. For tables that ship with the package."""
    begin()
    _warm(table)
    with held() as book:
        if book is not None and book.writable:
            mine = marks(table, book.key)
            if not _public(book.entries, mine):
                _append(book, mine, {"entry": "public", "why": why})


def forget(table: Path, *, why: str) -> tuple[str, ...]:
    """Forget which ledgers this table had, and write down that they were; gives where they were. Later certificates warn.

    Raises BadInput where the register does not know the table, or cannot be written.
    """
    _warm(table)
    with held() as book:
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
    with held() as book:
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
    with held() as book:
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
    with held() as book:
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


def _warm(table: Path) -> None:
    """Read the table before the lock is taken, so that other runs need not wait."""
    with held() as book:
        key = None if book is None else book.key
    if key is not None:
        marks(table, key)


def _append(book: Register, mine: Marks, entry: Mapping[str, Any]) -> None:
    chain.append(book.file, book.text, {**entry, **asdict(mine), "at": now()})
