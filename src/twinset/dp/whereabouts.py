"""Where the ledger of a table is: beside it, or where the study says, but never in two places."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from twinset.errors import BadInput

ENDING = ".ledger.jsonl"
Kind = Literal["beside the table", "named by the study"]


def beside(table: Path) -> Path:
    """The default place of a data file's ledger.

    >>> beside(Path("trial/patients.csv")).name
    'patients.csv.ledger.jsonl'
    """
    return table.with_name(table.name + ENDING)


def places(table: Path) -> tuple[Path, ...]:
    """Every place that is beside the table: beside the file that a link leads to, then beside the link; mostly they are one."""
    given, real = beside(table), beside(Path(os.path.realpath(table)))
    return (given,) if Path(os.path.realpath(given.parent)) / given.name == real else (real, given)


def found(table: Path) -> tuple[Path, ...]:
    """The ledgers that lie beside the table, each file once. Links that lead nowhere count: something was there."""
    there: list[Path] = []
    for path in places(table):
        if os.path.lexists(path) and not any(same(path, other) for other in there):
            there.append(path)
    return tuple(there)


def chosen(table: Path, named: Path | None = None) -> Path:
    """The ledger that a run on this table must use; ``named``: where the study says it is. It need not exist yet.

    Raises BadInput where another one lies beside the table: a second ledger would be a second budget.
    """
    there = found(table)
    if len(there) > 1:
        raise BadInput(
            f"this table has two ledgers: {there[0]} and {there[1]}",
            where=table.name,
            hint="keep the one that the certificates came from (twinset ledger verify LEDGER --certificate CERTIFICATE) and put the other away, if nothing was spent in it",
        )
    if named is not None and there and not same(named, there[0]):
        raise BadInput(
            f"a ledger lies beside the table already ({there[0].name}), and the study names another: that would be a second budget",
            where="privacy.ledger",
            hint="take privacy.ledger away, or move the ledger that exists to the place it names",
        )
    return there[0] if there else places(table)[0] if named is None else named


def kind(table: Path, ledger: Path) -> Kind:
    """What a certificate says of a ledger's place."""
    there = places(table)
    return "beside the table" if any(ledger == p or same(ledger, p) for p in there) else "named by the study"


def same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that exists, through links of either sort."""
    return one.exists() and other.exists() and one.samefile(other)
