"""What the parts of a rule stand for, and which go together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twinset.core.schema import Column, Schema
from twinset.errors import RuleInvalid
from twinset.rules.tree import Constant, Name, Node, Type

Wrong = Callable[..., RuleInvalid]  # message, character, hint


class Typed(NamedTuple):
    """A node, what it stands for, and the character where it starts."""

    node: Node
    type: Type
    at: int


def type_of(column: Column) -> Type:
    """What a column's values are to a rule: number, date, text or flag; ``any`` where the schema does not say."""
    if column.kind in ("number", "integer"):
        return "number"
    if column.kind in ("date", "datetime"):
        return "date"
    if column.kind == "text":
        return "text"
    kinds = {_level_type(level) for level in column.levels}
    return kinds.pop() if len(kinds) == 1 else "any"


def _level_type(level: object) -> Type:
    if isinstance(level, bool):
        return "flag"
    return "text" if isinstance(level, str) else "number"


def comparable(left: Typed, op: str, right: Typed, schema: Schema, wrong: Wrong) -> None:
    """Raise where a comparison mixes kinds, names a level that the schema does not list, or orders what has no order."""
    same_type(left, right, wrong)
    for one, other in ((left, right), (right, left)):
        if not isinstance(one.node, Name):
            continue
        column = schema[one.node.column]
        _known_level(column, op, other, wrong)
        if op not in ("==", "!=") and one.type == "text" and not column.ordered:
            hint = "only numbers, dates and categories marked `ordered = true` have an order"
            raise wrong(f"`{column.name}` has no order", one.at, hint)


def _known_level(column: Column, op: str, other: Typed, wrong: Wrong) -> None:
    if not isinstance(other.node, Constant):
        return
    if other.node.type == "number" and op in ("==", "!=") and other.node.value in column.missing_codes:
        raise wrong(f"this is a missing code of `{column.name}`", other.at, "write `missing` or `present`")
    exact = op in ("==", "!=") or other.type == "text"
    if column.kind == "category" and column.levels and exact and other.node.value not in column.levels:
        raise wrong(f"this is not a level of `{column.name}`", other.at, "check the spelling against the levels in the study file, or add it there")


def same_type(left: Typed, right: Typed, wrong: Wrong) -> None:
    """Raise where two values are of different kinds; ``any`` goes with every kind."""
    value(left, wrong)
    value(right, wrong)
    if left.type == right.type or "any" in (left.type, right.type):
        return
    words = {"number": "a number", "text": "text", "flag": "true or false", "date": "a date"}
    name = f"`{left.node.column}`" if isinstance(left.node, Name) else "the left side"
    hint = {
        "text": 'text goes in double quotes: "..."',
        "date": "a date is written date(2020-01-31)",
        "flag": "write true or false",
        "number": "numbers are written without quotes",
    }
    raise wrong(f"{name} is {words[left.type]}, and is compared with {words[right.type]}", right.at, hint[left.type])


def value(part: Typed, wrong: Wrong) -> Typed:
    """The part as it came; raise where it is a condition."""
    if part.type == "truth":
        raise wrong("a value is expected here, this is a condition", part.at, "write -> or <-> between conditions")
    return part
