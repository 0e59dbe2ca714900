"""What the schema itself demands of every row: bounds and levels, as rules."""

from __future__ import annotations

import math

from twinset.core.contracts import Rule
from twinset.core.schema import Column, Schema
from twinset.rules.language import from_node
from twinset.rules.tree import Chain, Constant, Member, Name, Node, Type

_DAYS = (-719_162, 2_932_896)  # the years 1 to 9999


def schema_rules(schema: Schema) -> tuple[Rule, ...]:
    """One rule per synthesised column that declares something, in the schema's order.

    ``low <= column <= high`` (either end alone where only one is declared) for numbers and dates,
    ``column in {..}`` for categories with levels. Missing values and missing codes always pass.
    The rules are named for the column (``age: bounds``, ``sex: levels``) and are as private as the schema's bounds.

    >>> from twinset.core.schema import Column, Schema
    >>> [r.text for r in schema_rules(Schema((Column("age", "integer", low=18),)))]
    ['age >= 18']
    """
    rules: list[Rule] = []
    for column in schema.synthesised:
        node = _levels(column) if column.kind == "category" else _bounds(column)
        if node is not None:
            rules.append(from_node(node, name=f"{column.name}: {'levels' if column.kind == 'category' else 'bounds'}"))
    return tuple(rules)


def _levels(column: Column) -> Node | None:
    if not column.levels:
        return None
    items = []
    for level in column.levels:
        if isinstance(level, bool):
            items.append(Constant(level, "flag"))
        elif isinstance(level, str):
            items.append(Constant(level, "text"))
        elif math.isfinite(level):
            items.append(Constant(float(level), "number"))
    if len({item.type for item in items}) != 1:
        return None
    codes = () if items[0].type != "number" else tuple(Constant(float(c), "number") for c in column.missing_codes)
    return Member(Name(column.name), tuple(dict.fromkeys([*items, *codes])), negated=False)


def _bounds(column: Column) -> Node | None:
    kind: Type = "date" if column.kind in ("date", "datetime") else "number"
    low, high = (_end(value, kind) for value in (column.low, column.high))
    name = Name(column.name)
    if low and high:
        return Chain((low, name, high), ("<=", "<="))
    if low:
        return Chain((name, low), (">=",))
    if high:
        return Chain((name, high), ("<=",))
    return None


def _end(value: float | None, kind: Type) -> Constant | None:
    if value is None or not math.isfinite(value):
        return None
    if kind == "date" and not _DAYS[0] <= value < _DAYS[1] + 1:
        return None
    return Constant(float(value), kind)
