"""Sorts of columns: what a study declares about one, and how its cells are written in a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twinset.core.seeds import Rng

Declared = Mapping[str, Any]
DAY, DAYS = dt.date(1990, 1, 1), 4000
WORDS = ("north", "south", "east", "west")
CLOCKED = 0.6  # of the moments: those that are not at midnight


@dataclass(frozen=True)
class Form:
    """How a file is written, which a private study has to declare."""

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    date_order: str = "ymd"
    missing: tuple[str, ...] = ()
    suffix: str = "csv"
    thousands: str = ""

    def number(self, value: float, digits: int) -> str:
        """A number with so many digits after its decimal sign, its thousands grouped where the file has a sign for that."""
        group = "," if self.thousands else ""
        return f"{value:{group}.{digits}f}".translate({ord(","): self.thousands, ord("."): self.decimal})

    def day(self, day: dt.date) -> str:
        """A date in the declared order."""
        return {"ymd": f"{day:%Y-%m-%d}", "dmy": f"{day:%d/%m/%Y}", "mdy": f"{day:%m/%d/%Y}"}[self.date_order]


@dataclass(frozen=True, repr=False)
class Field:
    """One invented column: its name, its sort, and what the study says of it."""

    name: str
    sort: str
    declared: Declared = field(default_factory=dict)

    def cell(self, form: Form, rng: Rng, *, patient: int = 0) -> str:
        """The text of an ordinary cell. Identifiers depend on the patient alone."""
        return SORTS[self.sort].cell(self, form, rng, patient)


@dataclass(frozen=True)
class Sort:
    """How columns of a kind are declared and written."""

    declare: Callable[[Rng], Declared]
    cell: Callable[[Field, Form, Rng, int], str]


def fields(names: Mapping[str, str], rng: Rng) -> tuple[Field, ...]:
    """Columns of these sorts, by name, each declared at random within its sort."""
    return tuple(Field(name, sort, dict(SORTS[sort].declare(rng))) for name, sort in names.items())


def field_of(name: str, declared: Declared) -> Field:
    """A column of somebody's study, whose cells are to be invented from what it declares."""
    return Field(name, _sort(declared), declared)


def _sort(declared: Declared) -> str:
    kind, role = declared["type"], declared.get("role")
    if role == "identifier" or kind == "text":
        return "name" if role == "identifier" else "note"
    if kind != "category":
        return str(kind) if declared.get("low") is not None else f"{kind}, found"
    if declared.get("levels"):
        return "words"
    found = {"integer": "whole levels, found", "number": "fraction levels, found", "boolean": "yes or no, found"}
    return found.get(declared.get("level_type", ""), "words, found")


def _bounded(kind: str, low: float, high: float, decimals: int | None = None) -> Callable[[Rng], Declared]:
    extra = {} if decimals is None else {"decimals": decimals}
    return lambda rng: {"type": kind, "low": low, "high": high + int(rng.integers(0, 5)), "origin": "public", **extra}


def _found(kind: str, level_type: str = "") -> Callable[[Rng], Declared]:
    return lambda _: {"type": kind, "level_type": level_type} if level_type else {"type": kind}


def _listed(*levels: Any) -> Callable[[Rng], Declared]:
    return lambda _: {"type": "category", "levels": list(levels), "origin": "public"}


def _epoch(day: dt.date) -> float:
    return float((day - dt.date(1970, 1, 1)).days)


def _between(field: Field, rng: Rng) -> float:
    low = float(field.declared.get("low") or 0.0)
    high = field.declared.get("high")
    return low + ((100.0 if high is None else float(high)) - low) * float(rng.beta(2, 3))


def _number(field: Field, form: Form, rng: Rng, _: int) -> str:
    digits = field.declared.get("decimals")
    return form.number(_between(field, rng), int(rng.integers(0, 4)) if digits is None else digits)


def _integer(field: Field, form: Form, rng: Rng, _: int) -> str:
    return form.number(round(_between(field, rng)), 0)


def _day(field: Field, rng: Rng) -> dt.date:
    low, high = field.declared.get("low"), field.declared.get("high")
    if low is None or high is None:
        return DAY + dt.timedelta(days=int(rng.integers(0, DAYS)))
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(rng.integers(int(low), int(high) + 1)))


def _date(field: Field, form: Form, rng: Rng, _: int) -> str:
    return form.day(_day(field, rng))


def _moment(field: Field, form: Form, rng: Rng, _: int) -> str:
    clock = f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}" if rng.random() < CLOCKED else ""
    return f"{form.day(_day(field, rng))} {clock}".strip()


def _level(field: Field, form: Form, rng: Rng, _: int) -> str:
    levels = field.declared.get("levels") or LEVELS[field.sort]
    level = levels[min(len(levels) - 1, int(rng.geometric(0.45)) - 1)]
    return spelt(level, form)


def spelt(level: Any, form: Form) -> str:
    """A level as a file writes it."""
    if isinstance(level, bool):
        return "true" if level else "false"
    return form.number(level, 1) if isinstance(level, float) else str(level)


def _record(_: Field, __: Form, ___: Rng, patient: int) -> str:
    return str(100_001 + 37 * patient)  # no patient is called 100000, 1e5 or 104000: the odd names of others


def _name(_: Field, __: Form, ___: Rng, patient: int) -> str:
    return f"Patient Nr{patient:05d}"


def _note(_: Field, __: Form, rng: Rng, ___: int) -> str:
    return f"{WORDS[int(rng.integers(4))]} {rng.integers(0, 50)}"


def _as(role: str) -> Callable[[Rng], Declared]:
    return lambda _: {"type": "text", "role": role} if role else {"type": "text"}


LEVELS: dict[str, tuple[Any, ...]] = {
    "words, found": WORDS,
    "whole levels, found": (1, 2, 3),
    "fraction levels, found": (1.0, 2.0, 0.5),
    "yes or no, found": (True, False),
    "figures, found": ("1", "2", "NA", "3"),
}
SORTS: dict[str, Sort] = {
    "number": Sort(_bounded("number", 0.0, 20.0, 2), _number),
    "number, found": Sort(_found("number"), _number),
    "integer": Sort(_bounded("integer", 18.0, 90.0), _integer),
    "integer, found": Sort(_found("integer"), _integer),
    "date": Sort(_bounded("date", _epoch(DAY), _epoch(DAY) + DAYS), _date),
    "date, found": Sort(_found("date"), _date),
    "datetime": Sort(_bounded("datetime", _epoch(DAY), _epoch(DAY) + DAYS), _moment),
    "datetime, found": Sort(_found("datetime"), _moment),
    "words": Sort(_listed(*WORDS), _level),
    "words, found": Sort(_found("category", "text"), _level),
    "whole levels": Sort(_listed(1, 2, 3), _level),
    "whole levels, found": Sort(_found("category", "integer"), _level),
    "fraction levels": Sort(_listed(1.0, 2.0, 0.5), _level),
    "fraction levels, found": Sort(_found("category", "number"), _level),
    "figures": Sort(_listed("1", "2", "NA", "3"), _level),
    "figures, found": Sort(_found("category", "text"), _level),
    "codes": Sort(_listed("01", "02", "10"), _level),
    "yes or no": Sort(_listed(True, False), _level),
    "yes or no, found": Sort(_found("category", "boolean"), _level),
    "record number": Sort(_as("identifier"), _record),
    "name": Sort(_as("identifier"), _name),
    "note": Sort(_as(""), _note),
}
MODELLED = tuple(s for s in SORTS if s not in ("record number", "name", "note"))
