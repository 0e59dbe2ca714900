"""What a rule is once read: a small tree of frozen nodes, and its text again.

``show(node)`` is the canonical text; parsing it gives an equal tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

Type = Literal["number", "text", "flag", "date", "truth", "any"]

KEYWORDS = frozenset({"and", "or", "not", "in", "missing", "present", "follows", "within", "true", "false"})
FUNCTIONS = {"abs": 1, "floor": 1, "round": 2, "min": 2, "max": 2}
BARE = re.compile(r"[^\W\d][\w.]*")
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Constant:
    """A number (float), text, flag (bool) or date (float, days since 1970-01-01)."""

    value: float | str | bool
    type: Type


@dataclass(frozen=True)
class Name:
    column: str


@dataclass(frozen=True)
class Negate:
    of: Node


@dataclass(frozen=True)
class Binary:
    op: str  # + - * / ^
    left: Node
    right: Node


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Chain:
    """``a <= b < c``: every neighbouring pair must hold."""

    terms: tuple[Node, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Near:
    """``left ~= right within tolerance``; a relative tolerance is a share of ``right``."""

    left: Node
    right: Node
    tolerance: float
    relative: bool


@dataclass(frozen=True)
class Presence:
    column: str
    missing: bool


@dataclass(frozen=True)
class Member:
    term: Node
    items: tuple[Constant, ...]
    negated: bool


@dataclass(frozen=True)
class Not:
    of: Node


@dataclass(frozen=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Implies:
    left: Node
    right: Node


@dataclass(frozen=True)
class Same:
    """``left <-> right``"""

    left: Node
    right: Node


@dataclass(frozen=True)
class Derive:
    """``column = term``"""

    column: str
    term: Node


@dataclass(frozen=True)
class Follows:
    """``column follows by``; ``table`` pairs the values of ``by`` with the value of ``column`` (empty = learnt from rows)."""

    column: str
    by: tuple[str, ...]
    table: tuple[tuple[tuple[Constant, ...], Constant], ...] = ()


Node: TypeAlias = Constant | Name | Negate | Binary | Call | Chain | Near | Presence | Member | Not | And | Or | Implies | Same | Derive | Follows

_STRENGTH = {Implies: 1, Same: 1, Or: 2, And: 3, Not: 4, Chain: 5, Near: 5, Presence: 5, Member: 5, Negate: 8}
_OP_STRENGTH = {"+": 6, "-": 6, "*": 7, "/": 7, "^": 9}


def columns(node: Node) -> tuple[str, ...]:
    """The columns a node names, each once, in order of appearance."""
    return tuple(dict.fromkeys(_columns(node)))


def _columns(node: object) -> Iterator[str]:
    if isinstance(node, Name | Presence):
        yield node.column
    elif isinstance(node, Follows):
        yield node.column
        yield from node.by
    elif isinstance(node, Derive):
        yield node.column
        yield from _columns(node.term)
    elif isinstance(node, tuple):
        for part in node:
            yield from _columns(part)
    elif isinstance(node, Negate | Binary | Call | Chain | Near | Member | Not | And | Or | Implies | Same):
        for field in fields(node):
            yield from _columns(getattr(node, field.name))


def may_be_blank(node: object, column: str) -> bool:
    """Whether the rule itself speaks of ``column`` being missing."""
    if isinstance(node, Presence):
        return node.column == column and node.missing
    if isinstance(node, tuple):
        return any(may_be_blank(part, column) for part in node)
    if isinstance(node, Not | And | Or | Implies | Same):
        return any(may_be_blank(getattr(node, field.name), column) for field in fields(node))
    return False


def blanked(node: Node) -> str:
    """The column ``x`` that a rule wants missing under a condition on other columns, or "".

    ``A -> x missing``, ``x present -> A``, and ``A <-> x missing`` or ``x present`` either way round.

    >>> blanked(Implies(Presence("a", False), Presence("x", True)))
    'x'
    """
    if not isinstance(node, Implies | Same):
        return ""
    for side, other in ((node.right, node.left), (node.left, node.right)):
        if not isinstance(side, Presence) or side.column in columns(other):
            continue
        if isinstance(node, Same) or side.missing == (side is node.right):
            return side.column
    return ""


def show(node: Node) -> str:
    """The text of a rule, canonical: one way to write each tree.

    >>> show(Chain((Name("age"), Constant(18.0, "number")), (">=",)))
    'age >= 18'
    """
    if isinstance(node, Derive | Follows):
        return f"{show_name(node.column)} = {show(node.term)}" if isinstance(node, Derive) else _show_follows(node)
    if isinstance(node, Constant | Name):
        return show_constant(node) if isinstance(node, Constant) else show_name(node.column)
    if isinstance(node, Negate | Binary | Call):
        return _show_arithmetic(node)
    if isinstance(node, Chain | Near | Presence | Member):
        return _show_comparison(node)
    return _show_logic(node)


def show_name(name: str) -> str:
    """A column name as a rule writes it: bare where it can be, else in backquotes.

    >>> show_name("age"), show_name("Smokes (years)")
    ('age', '`Smokes (years)`')
    """
    if BARE.fullmatch(name) and name not in KEYWORDS:
        return name
    return "`" + name.replace("`", "``") + "`"


def show_constant(constant: Constant) -> str:
    """A number, text, flag or date as a rule writes it."""
    value = constant.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
            value = value.replace(plain, escaped)
        return f'"{value}"'
    if constant.type == "date":
        moment = EPOCH + timedelta(microseconds=round(value * 86_400_000_000))
        return f"date({moment.date().isoformat() if float(value).is_integer() else moment.isoformat()})"
    return show_number(value)


def show_number(value: float) -> str:
    """Shortest text that reads back as the same float."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _strength(node: Node) -> int:
    if isinstance(node, Binary):
        return _OP_STRENGTH[node.op]
    if isinstance(node, Constant) and isinstance(node.value, float) and node.type == "number" and node.value < 0:
        return 8
    return _STRENGTH.get(type(node), 10)


def _inside(node: Node, least: int) -> str:
    text = show(node)
    return f"({text})" if _strength(node) < least else text


def _show_arithmetic(node: Negate | Binary | Call) -> str:
    if isinstance(node, Negate):
        return f"-{_inside(node.of, 8)}"
    if isinstance(node, Call):
        return f"{node.function}({', '.join(show(a) for a in node.arguments)})"
    own = _OP_STRENGTH[node.op]
    if node.op == "^":  # binds its base tightly; its exponent may be negated
        return f"{_inside(node.left, 10)}^{_inside(node.right, 8)}"
    return f"{_inside(node.left, own)} {node.op} {_inside(node.right, own + 1)}"


def _show_comparison(node: Chain | Near | Presence | Member) -> str:
    if isinstance(node, Presence):
        return f"{show_name(node.column)} {'missing' if node.missing else 'present'}"
    if isinstance(node, Member):
        items = ", ".join(show_constant(c) for c in node.items)
        return f"{_inside(node.term, 6)} {'not in' if node.negated else 'in'} {{{items}}}"
    if isinstance(node, Near):
        size = show_number(node.tolerance) + (" %" if node.relative else "")
        return f"{_inside(node.left, 6)} ~= {_inside(node.right, 6)} within {size}"
    text = _inside(node.terms[0], 6)
    for op, term in zip(node.ops, node.terms[1:], strict=True):
        text += f" {op} {_inside(term, 6)}"
    return text


def _show_logic(node: Not | And | Or | Implies | Same) -> str:
    if isinstance(node, Not):
        return f"not {_inside(node.of, 4)}"
    if isinstance(node, And):
        return " and ".join(_inside(p, 4) for p in node.parts)
    if isinstance(node, Or):
        return " or ".join(_inside(p, 3) for p in node.parts)
    arrow = "->" if isinstance(node, Implies) else "<->"
    return f"{_inside(node.left, 2)} {arrow} {_inside(node.right, 2)}"


def _show_follows(node: Follows) -> str:
    text = f"{show_name(node.column)} follows {', '.join(show_name(b) for b in node.by)}"
    if not node.table:
        return text
    rows = []
    for key, value in node.table:
        keys = ", ".join(show_constant(k) for k in key)
        rows.append(f"{f'({keys})' if len(key) > 1 else keys}: {show_constant(value)}")
    return f"{text} {{{', '.join(rows)}}}"
