"""Two runs with the same noise side by side: what differs beyond what was billed is a counterexample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twinset.neighbouring.changes import Pair
from twinset.neighbouring.paths import Left, Side
from twinset.neighbouring.replay import Draw, moved

SLACK = 1 + 1e-9


@dataclass(frozen=True)
class Fault:
    """One difference: ``what`` kind, and ``where``: a file's, a column's or a question's name; never a cell value."""

    what: str
    where: str = ""


def compare(pair: Pair, one: Left, other: Left) -> tuple[Fault, ...]:
    """Everything that differs between the runs on two neighbours and must not.

    Questions first: where they are not the same, what was answered afterwards cannot be compared. Then the bills, then what left.
    """
    faults = [*_questions(one, other), *_sides(pair, one, other)]
    if not faults or not other.diverged:
        faults += [*_bills(one), *_moves(pair, one, other), *_told(one, other)]
    return tuple(dict.fromkeys(faults))


def _questions(one: Left, other: Left) -> list[Fault]:
    if not other.diverged:
        return []
    for place, (a, b) in enumerate(zip(one.draws, other.draws, strict=False)):
        if a.question != b.question:
            return [Fault("another question", _named(one, place))]
    return [Fault("a question more" if len(other.draws) > len(one.draws) else "a question fewer", _named(one, min(len(one.draws), len(other.draws))))]


def _named(left: Left, place: int) -> str:
    return str(left.events[place]["name"]) if left.events is not None and place < len(left.events) else f"question {place + 1}"


def _bills(left: Left) -> list[Fault]:
    """Every draw on the ledger, for what it was drawn at."""
    if left.events is None:
        return []
    ended = left.refused and len(left.events) == len(left.draws) + 1  # billed, then refused before the answer
    if len(left.events) != len(left.draws) and not ended:
        return [Fault("an unbilled look" if len(left.events) < len(left.draws) else "a bill without a look")]
    return [Fault("a bill too small", str(e["name"])) for d, e in zip(left.draws, left.events, strict=False) if not _paid(d, e)]


def _paid(draw: Draw, event: Mapping[str, Any]) -> bool:
    if draw.mechanism == "selection":
        return float(event["rho"]) * SLACK >= draw.scale**2 / 8
    return float(event["rho"]) * SLACK >= (float(event["sensitivity"]) / draw.scale) ** 2 / 2


def _moves(pair: Pair, one: Left, other: Left) -> list[Fault]:
    """No input may move by more than what its answer was billed for."""
    most = (pair.one.per_patient if pair.one.named else 1) * (math.sqrt(2) if pair.one.relation == "replace" else 1.0)
    faults = []
    for place, (a, b) in enumerate(zip(one.draws, other.draws, strict=False)):
        if a.question != b.question:
            break
        known = one.events[place] if one.events is not None and place < len(one.events) else None
        billed = a.sensitivity if a.mechanism == "selection" else float(known["sensitivity"]) if known else most
        if moved(a, b) > billed * SLACK:
            faults.append(Fault("an input that moved too far", _named(one, place)))
    return faults


def _told(one: Left, other: Left) -> list[Fault]:
    names = sorted(set(one.told) | set(other.told))
    return [Fault("something that left", name) for name in names if one.told.get(name) != other.told.get(name)]


def _sides(pair: Pair, one: Left, other: Left) -> list[Fault]:
    """Of train and of hold-out, no more rows may differ than one patient has, and all of them must be theirs; every column is stored the same way."""
    faults = []
    for name in one.sides.keys() | other.sides.keys():
        mine, theirs = one.sides.get(name), other.sides.get(name)
        if mine is None or theirs is None:
            return [Fault("a run that ended before the sides were known")]
        if mine.dtypes != theirs.dtypes:
            faults.append(Fault("columns stored in another way", name))
        most = pair.one.per_patient if pair.one.named else 1
        gone, come = (a.rows - b.rows for a, b in ((mine, theirs), (theirs, mine)))
        if gone.total() > most or come.total() > most or _patients(gone) > 1 or _patients(come) > 1 or _both(pair, mine, theirs):
            faults.append(Fault("rows of other patients", name))
    return faults


def _patients(rows: Mapping[tuple[str, str], int]) -> int:
    return len({name for name, _ in rows})


def _both(pair: Pair, mine: Side, theirs: Side) -> bool:
    """Whether rows both came and went where a patient was only added, or only removed."""
    return pair.one.relation == "add-remove" and bool(mine.rows - theirs.rows) and bool(theirs.rows - mine.rows)
