"""Everything Twinset raises on purpose.

    TwinsetError                 exit code
    ├── BadInput                 2   a table, a study file or an argument cannot be used
    │   ├── TableUnreadable      2   the file is not a table we can read
    │   ├── SchemaMismatch       2   table and schema disagree (all problems, collected)
    │   ├── StudyInvalid         2   the study file is wrong (all problems, collected)
    │   ├── RuleInvalid          2   a rule cannot be parsed or names an unknown column
    │   └── OutputProblem        2   the output cannot be written; nothing half-written is left
    ├── PolicyRefused            1   the policy says no, with reasons
    └── BudgetExhausted          3   the ledger has nothing left to spend

A message says what happened and where; ``hint`` says what to do. No message, hint or
attribute ever holds a cell value, a level or a row: a traceback is a disclosure.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class TwinsetError(Exception):
    """What went wrong (``str``), where (``where``) and what to do about it (``hint``)."""

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = super().__str__()
        if self.where:
            text = f"{self.where}: {text}"
        return f"{text}\nhint: {self.hint}" if self.hint else text


class BadInput(TwinsetError):
    """Something the user gave cannot be used."""


class TableUnreadable(BadInput):
    """The file is not a table we can read."""


class SchemaMismatch(BadInput):
    """Table and schema disagree."""


class StudyInvalid(BadInput):
    """The study file is wrong."""


class RuleInvalid(BadInput):
    """A rule cannot be parsed, or names a column that is not there."""


class OutputProblem(BadInput):
    """The output cannot be written."""


class PolicyRefused(TwinsetError):
    """The policy says no. ``reasons`` are plain sentences without data values."""

    exit_code = 1

    def __init__(self, reasons: Sequence[str], *, where: str = "", hint: str = "") -> None:
        super().__init__("; ".join(reasons), where=where, hint=hint)
        self.reasons = tuple(reasons)


class BudgetExhausted(TwinsetError):
    """The ledger has nothing left to spend."""

    exit_code = 3


def collect(problems: Sequence[str]) -> str:
    """All problems as one message: a single one as it is, several as a list.

    >>> print(collect(["a", "b"]))
    2 problems:
      - a
      - b
    """
    if len(problems) == 1:
        return problems[0]
    return f"{len(problems)} problems:\n" + "\n".join(f"  - {p}" for p in problems)


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest to a misspelt one, as a question in brackets; "" where none is near.

    >>> meant("trease", ["trees", "avatars"])
    ' (did you mean `trees`?)'
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""
