"""What each column is, and where every bound came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from twinset.errors import SchemaMismatch, collect

Kind = Literal["number", "integer", "category", "date", "datetime", "text"]
Role = Literal["", "identifier", "quasi-identifier", "sensitive", "outcome", "arm", "time", "event", "group"]
Origin = Literal["public", "noisy", "private"]
Level = str | int | float | bool


@dataclass(frozen=True)
class Column:
    """One column: its kind, role, bounds and levels, and where those came from.

    Attributes:
        name: as in the table.
        kind: ``number`` (float), ``integer``, ``category`` (any type, a finite list of levels),
            ``date``, ``datetime``, or ``text`` (never synthesised).
        role: what it is for; ``identifier`` columns are never synthesised.
        low, high: declared bounds. Numbers for ``number`` and ``integer``; for ``date`` and
            ``datetime`` days (fractional) since 1970-01-01; ``None`` where unknown.
        levels: the levels of a category, in order, typed as in the table; empty where unknown.
        ordered: whether the order of the levels means something (numeric codes, grades).
        missing_codes: numbers that stand for a kind of missing (-8 = refused, ...).
        decimals: digits after the point that a ``number`` carries; ``None`` = as many as needed.
        level_type: what the levels of a category are where none are listed: "text", "integer", "number", "boolean"; "" = text.
        date_order: order of day, month and year of dates written as text ("ymd", "dmy", "mdy"); "" = that of the table.
        origin: where bounds and levels came from: ``public`` (declared, or a code list),
            ``noisy`` (paid for), ``private`` (read from the rows).
        description: free text for the data dictionary.
        identifier: for a direct identifier, what kind was recognised ("name", "e-mail", ...).
    """

    name: str
    kind: Kind
    role: Role = ""
    low: float | None = None
    high: float | None = None
    levels: tuple[Level, ...] = ()
    ordered: bool = False
    missing_codes: tuple[float, ...] = ()
    decimals: int | None = None
    level_type: str = ""
    date_order: str = ""
    origin: Origin = "private"
    description: str = ""
    identifier: str = ""

    @property
    def synthesised(self) -> bool:
        """Whether a generator may model this column at all."""
        return self.kind != "text" and self.role != "identifier"

    @property
    def numeric(self) -> bool:
        """Whether the values lie on a line: number, integer, date, datetime."""
        return self.kind in ("number", "integer", "date", "datetime")

    def __repr__(self) -> str:  # levels and bounds may be private: shapes only
        role = f", {self.role}" if self.role else ""
        size = f", {len(self.levels)} levels" if self.levels else ""
        return f"Column({self.name!r}, {self.kind}{role}{size}, {self.origin})"


@dataclass(frozen=True)
class Schema:
    """The columns in order, and the column that names the patient ("" = a row is a patient)."""

    columns: tuple[Column, ...]
    unit: str = ""
    _index: dict[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._index.update({c.name: i for i, c in enumerate(self.columns)})
        problems = []
        if len(self._index) != len(self.columns):
            problems.append("two columns share a name")
        if self.unit and self.unit not in self._index:
            problems.append(f"the patient column `{self.unit}` is not in the schema")
        if problems:
            raise SchemaMismatch(collect(problems), hint="give every column a name of its own and name the patient column as in the table")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def __getitem__(self, name: str) -> Column:
        if name not in self._index:
            raise SchemaMismatch(f"no column `{name}`", hint="check the spelling against the study file")
        return self.columns[self._index[name]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    @property
    def synthesised(self) -> Schema:
        """The schema of what a generator may model: no identifiers, no free text, no unit."""
        kept = tuple(c for c in self.columns if c.synthesised and c.name != self.unit)
        return Schema(kept)

    def select(self, names: Sequence[str]) -> Schema:
        """These columns, in this order; the unit is kept only if it is among them."""
        return Schema(tuple(self[n] for n in names), unit=self.unit if self.unit in names else "")

    def with_column(self, column: Column) -> Schema:
        """The same schema with one column replaced."""
        return replace(self, columns=tuple(column if c.name == column.name else c for c in self.columns))

    def with_role(self, role: Role) -> tuple[Column, ...]:
        """The columns that have this role, in order."""
        return tuple(c for c in self.columns if c.role == role)


def level_text(level: Level) -> str:
    """A level as a text, the same for the same level whatever it is stored as.

    >>> level_text(True), level_text(2.0), level_text("f")
    ('true', '2', 'f')
    """
    return str(level).lower() if isinstance(level, bool) else f"{level:g}" if isinstance(level, float) else str(level)


def left_out(schema: Schema) -> tuple[tuple[str, str], ...]:
    """The columns that no synthetic table will hold, each with the reason in a few words, in their order. Names and reasons only: no cell is told.

    >>> left_out(Schema((Column("plz", "text", "identifier", identifier="postcode"), Column("age", "integer"), Column("bp", "text"))))
    (('plz', 'postcode'), ('bp', 'free text'))
    """
    return tuple((c.name, _why(c, schema.unit)) for c in schema if not c.synthesised or c.name == schema.unit)


def _why(column: Column, unit: str) -> str:
    if column.name == unit:
        return "names the patient"
    return column.identifier or column.description or ("identifier" if column.role == "identifier" else "free text")
