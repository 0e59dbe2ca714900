"""The rule language's reader: text to tokens to a typed tree, by recursive descent.

The language itself is described in ``language.py``. Errors carry the place, never the text: a rule may hold levels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from twinset.core.schema import Column, Schema
from twinset.errors import RuleInvalid
from twinset.rules import tree
from twinset.rules.tree import Constant, Name, Node, Type

MOST_NESTED = 30
MOST_OPERATORS = 100
MOST_CHARACTERS = 200_000

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<date>date\(\s*[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?\s*\))
  | (?P<quoted>`(?:[^`]|``)+`)
  | (?P<text>"(?:[^"\\]|\\["\\ntr])*")
  | (?P<name>[^\W\d][\w.]*)
  | (?P<sign><->|->|<=|>=|==|!=|~=|[<>=+\-*/^%(){},:])
    )""",
    re.VERBOSE,
)
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", '\\"': '"', "\\\\": "\\"}


class Token(NamedTuple):
    kind: str  # number, date, quoted, text, name, sign, end
    text: str
    at: int  # 1-based character in the rule


class Typed(NamedTuple):
    """A node, what it stands for, and the character where it starts."""

    node: Node
    type: Type
    at: int


def read(text: str, schema: Schema, *, name: str = "") -> Node:
    """The tree of a rule, every name and type checked against the schema. Raises RuleInvalid."""
    reader = _Reader(schema, f"rule {name}" if name else "rule", [], 0)
    reader.tokens = reader.cut(text)
    return reader.rule()


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


@dataclass
class _Reader:
    schema: Schema
    where: str
    tokens: list[Token]
    place: int
    nested: int = 0
    operators: int = 0

    # --- tokens -----------------------------------------------------------------------------------

    def cut(self, text: str) -> list[Token]:
        if len(text) > MOST_CHARACTERS:
            raise self.wrong("the rule is too long", 1)
        tokens, start, end = [], 0, len(text.rstrip())
        while start < end:
            match = _TOKEN.match(text, start)
            if match is None:
                at = start + len(text[start:]) - len(text[start:].lstrip()) + 1
                raise self.wrong("cannot read on from here", at, 'text goes in double quotes ("), odd column names in backquotes (`), \\" for a quote inside')
            kind = str(match.lastgroup)
            tokens.append(Token(kind, match[kind], match.start(kind) + 1))
            start = match.end()
        tokens.append(Token("end", "", len(text) + 1))
        return tokens

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.tokens[self.place]
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def sees(self, *texts: str) -> bool:
        return self.now.kind in ("sign", "name") and self.now.text in texts

    def skip(self, text: str) -> bool:
        if self.sees(text):
            self.take()
            return True
        return False

    def need(self, text: str) -> None:
        if not self.skip(text):
            raise self.wrong(f"`{text}` is expected here", self.now.at)

    def wrong(self, message: str, at: int, hint: str = "") -> RuleInvalid:
        return RuleInvalid(message, where=f"{self.where}, character {at}", hint=hint)

    # --- rules ------------------------------------------------------------------------------------

    def rule(self) -> Node:
        follower = self.tokens[1] if len(self.tokens) > 1 else self.now
        if self.is_name(self.now) and follower.kind == "sign" and follower.text == "=":
            node = self.derive()
        elif self.is_name(self.now) and follower.kind == "name" and follower.text == "follows":
            node = self.follows()
        else:
            node = self.truth(self.arrow()).node
        if self.now.kind != "end":
            hint = "write == for a comparison; = only defines a derived column, at the start of a rule" if self.sees("=") else ""
            raise self.wrong("the rule should end here", self.now.at, hint)
        if not tree.columns(node):
            raise self.wrong("the rule names no column", 1)
        return node

    def derive(self) -> Node:
        at = self.now.at
        column = self.column()
        self.need("=")
        term = self.arrow()
        left = type_of(self.schema[column])
        fitting = ("number", "flag", "any") if term.type == "truth" else (term.type, "any")
        if left not in fitting and term.type != "any":
            raise self.wrong(
                f"`{column}` cannot hold what the right side computes", at, "both sides of = must be of one kind: number, date, text or true/false"
            )
        if column in tree.columns(term.node):
            raise self.wrong(f"`{column}` is defined by itself", at)
        return tree.Derive(column, term.node)

    def follows(self) -> Node:
        at = self.now.at
        column = self.column()
        self.need("follows")
        by = [self.column()]
        while self.skip(","):
            by.append(self.column())
        if len(set(by)) < len(by) or column in by:
            raise self.wrong("a column is named twice", at)
        table: list[tuple[tuple[Constant, ...], Constant]] = []
        if self.skip("{"):
            table.append(self.pair(column, by))
            while self.skip(","):
                table.append(self.pair(column, by))
            self.need("}")
        if len({key for key, _ in table}) < len(table):
            raise self.wrong("the table gives one combination twice", at)
        return tree.Follows(column, tuple(by), tuple(table))

    def pair(self, column: str, by: list[str]) -> tuple[tuple[Constant, ...], Constant]:
        bracket = len(by) > 1
        if bracket:
            self.need("(")
        key = []
        for i, name in enumerate(by):
            if i:
                self.need(",")
            key.append(self.level(name))
        if bracket:
            self.need(")")
        self.need(":")
        return tuple(key), self.level(column)

    def level(self, column: str) -> Constant:
        item = self.constant()
        self.same_type(Typed(Name(column), type_of(self.schema[column]), item.at), item)
        assert isinstance(item.node, Constant)
        return item.node

    # --- logic ------------------------------------------------------------------------------------

    def arrow(self) -> Typed:
        left = self.either()
        if not self.sees("->", "<->"):
            return left
        sign = self.take().text
        self.truth(left)
        right = self.truth(self.either())
        if self.sees("->", "<->"):
            raise self.wrong("a second arrow", self.now.at, "put one of the two in brackets")
        make: Callable[[Node, Node], Node] = tree.Implies if sign == "->" else tree.Same
        return Typed(make(left.node, right.node), "truth", left.at)

    def either(self) -> Typed:
        return self.joined("or", self.both, tree.Or)

    def both(self) -> Typed:
        return self.joined("and", self.negated, tree.And)

    def joined(self, word: str, part: Callable[[], Typed], make: Callable[[tuple[Node, ...]], Node]) -> Typed:
        first = part()
        if not self.sees(word):
            return first
        parts = [self.truth(first).node]
        while self.skip(word):
            parts.append(self.truth(part()).node)
        return Typed(make(tuple(parts)), "truth", first.at)

    def negated(self) -> Typed:
        at = self.now.at
        if not self.skip("not"):
            return self.comparison()
        with_not = self.deeper(self.negated)
        return Typed(tree.Not(self.truth(with_not).node), "truth", at)

    def truth(self, part: Typed) -> Typed:
        if part.type != "truth":
            hint = "compare it: == true, == 1, >= 18, missing, present"
            raise self.wrong("a condition is expected here, this is only a value", part.at, hint)
        return part

    # --- comparisons ------------------------------------------------------------------------------

    def comparison(self) -> Typed:
        first = self.sum()
        if self.sees("missing", "present"):
            if not isinstance(first.node, Name):
                raise self.wrong("only a column can be missing or present", first.at)
            return Typed(tree.Presence(first.node.column, self.take().text == "missing"), "truth", first.at)
        if self.sees("in", "not"):
            return self.member(first)
        if self.skip("~="):
            return self.near(first)
        if not self.sees(*_COMPARISONS):
            return first
        terms, ops = [first], []
        while self.sees(*_COMPARISONS):
            ops.append(self.take().text)
            terms.append(self.sum())
            self.comparable(terms[-2], ops[-1], terms[-1])
        return Typed(tree.Chain(tuple(t.node for t in terms), tuple(ops)), "truth", first.at)

    def member(self, first: Typed) -> Typed:
        negated = self.skip("not")
        self.need("in")
        self.value(first)
        self.need("{")
        items: list[Constant] = []
        while True:
            item = self.constant()
            self.same_type(first, item)
            assert isinstance(item.node, Constant)
            items.append(item.node)
            if not self.skip(","):
                break
        self.need("}")
        if len({c.type for c in items}) > 1:
            raise self.wrong("the list mixes kinds of values", first.at)
        return Typed(tree.Member(first.node, tuple(dict.fromkeys(items)), negated), "truth", first.at)

    def near(self, first: Typed) -> Typed:
        second = self.sum()
        for part in (first, second):
            if part.type not in ("number", "date", "any"):
                raise self.wrong("~= compares numbers or dates", part.at)
        self.same_type(first, second)
        self.need("within")
        at = self.now.at
        size = self.constant()
        if size.type != "number" or not isinstance(size.node, Constant) or float(size.node.value) < 0:
            raise self.wrong("`within` takes a number from 0", at)
        return Typed(tree.Near(first.node, second.node, float(size.node.value), self.skip("%")), "truth", first.at)

    def comparable(self, left: Typed, op: str, right: Typed) -> None:
        self.same_type(left, right)
        for one, other in ((left, right), (right, left)):
            if not isinstance(one.node, Name):
                continue
            column = self.schema[one.node.column]
            self.known_level(column, op, other)
            if op not in ("==", "!=") and one.type == "text" and not column.ordered:
                hint = "only numbers, dates and categories marked `ordered = true` have an order"
                raise self.wrong(f"`{column.name}` has no order", one.at, hint)

    def known_level(self, column: Column, op: str, other: Typed) -> None:
        if not isinstance(other.node, Constant):
            return
        if other.node.type == "number" and op in ("==", "!=") and other.node.value in column.missing_codes:
            raise self.wrong(f"this is a missing code of `{column.name}`", other.at, "write `missing` or `present`")
        exact = op in ("==", "!=") or other.type == "text"
        if column.kind == "category" and column.levels and exact and other.node.value not in column.levels:
            raise self.wrong(f"this is not a level of `{column.name}`", other.at, "check the spelling against the levels in the study file, or add it there")

    def same_type(self, left: Typed, right: Typed) -> None:
        self.value(left)
        self.value(right)
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
        raise self.wrong(f"{name} is {words[left.type]}, and is compared with {words[right.type]}", right.at, hint[left.type])

    def value(self, part: Typed) -> Typed:
        if part.type == "truth":
            raise self.wrong("a value is expected here, this is a condition", part.at, "write -> or <-> between conditions")
        return part

    # --- arithmetic -------------------------------------------------------------------------------

    def sum(self) -> Typed:
        return self.left_to_right(("+", "-"), self.product)

    def product(self) -> Typed:
        return self.left_to_right(("*", "/"), self.unary)

    def left_to_right(self, signs: tuple[str, ...], part: Callable[[], Typed]) -> Typed:
        left = part()
        while self.sees(*signs):
            sign = self.take().text
            left = self.binary(left, sign, part())
        return left

    def binary(self, left: Typed, sign: str, right: Typed) -> Typed:
        self.operators += 1
        if self.operators > MOST_OPERATORS:
            raise self.wrong("too much arithmetic in one rule", left.at)
        kinds = (left.type, right.type)
        if sign == "-" and kinds == ("date", "date"):
            kind: Type = "number"
        elif sign in "+-" and kinds in (("date", "number"), ("date", "any")):
            kind = "date"
        elif set(kinds) <= {"number", "any"}:
            kind = "number"
        else:
            raise self.wrong("arithmetic takes numbers; a date minus a date is days, a date plus days is a date", right.at)
        return Typed(tree.Binary(sign, left.node, right.node), kind, left.at)

    def unary(self) -> Typed:
        at = self.now.at
        if not self.skip("-"):
            return self.power()
        of = self.deeper(self.unary)
        if of.type not in ("number", "any"):
            raise self.wrong("only a number can be negative", of.at)
        if isinstance(of.node, Constant):
            return Typed(Constant(-float(of.node.value), "number"), "number", at)
        if isinstance(of.node, tree.Negate):
            return Typed(of.node.of, "number", at)
        return Typed(tree.Negate(of.node), "number", at)

    def power(self) -> Typed:
        base = self.primary()
        if not self.skip("^"):
            return base
        return self.binary(base, "^", self.deeper(self.unary))

    def primary(self) -> Typed:
        at = self.now.at
        if self.skip("("):
            inside = self.deeper(self.arrow)
            self.need(")")
            return inside._replace(at=at)
        after = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
        if self.now.kind == "name" and after.kind == "sign" and after.text == "(":
            return self.call()
        if self.is_name(self.now):
            column = self.column()
            return Typed(Name(column), type_of(self.schema[column]), at)
        return self.constant()

    def call(self) -> Typed:
        token = self.take()
        size = tree.FUNCTIONS.get(token.text)
        if size is None:
            hint = "a date is written date(2020-01-31)" if token.text == "date" else f"functions are {', '.join(tree.FUNCTIONS)}"
            raise self.wrong("no such function", token.at, hint)
        self.need("(")
        parts = [self.deeper(self.sum)]
        while self.skip(","):
            parts.append(self.deeper(self.sum))
        self.need(")")
        if len(parts) != size:
            raise self.wrong(f"`{token.text}` takes {size} argument{'s' if size > 1 else ''}", token.at)
        if not {p.type for p in parts} <= {"number", "any"}:
            raise self.wrong(f"`{token.text}` takes numbers", token.at)
        if token.text == "round" and not (isinstance(parts[1].node, Constant) and parts[1].node.value in range(-12, 13)):
            raise self.wrong("the digits of `round` are a whole number from -12 to 12", parts[1].at)
        return Typed(tree.Call(token.text, tuple(p.node for p in parts)), "number", token.at)

    # --- words ------------------------------------------------------------------------------------

    def is_name(self, token: Token) -> bool:
        return token.kind == "quoted" or (token.kind == "name" and token.text not in tree.KEYWORDS)

    def column(self) -> str:
        token = self.take()
        if not self.is_name(token):
            raise self.wrong("a column is expected here", token.at)
        name = token.text[1:-1].replace("``", "`") if token.kind == "quoted" else token.text
        if name not in self.schema:
            near = get_close_matches(name, self.schema.names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else 'check the spelling; a level goes in double quotes: "..."'
            raise self.wrong("there is no column of this name", token.at, hint)
        return name

    def constant(self) -> Typed:
        minus = self.skip("-")
        token = self.take()
        if token.kind == "number":
            value = float(token.text)
            if not math.isfinite(value):
                raise self.wrong("the number is too large", token.at)
            return Typed(Constant(-value if minus else value, "number"), "number", token.at)
        if minus:
            raise self.wrong("a number is expected after -", token.at)
        if token.kind == "text":
            value_text = re.sub(r"\\.", lambda m: _ESCAPES[m[0]], token.text[1:-1])
            return Typed(Constant(value_text, "text"), "text", token.at)
        if token.kind == "date":
            return Typed(Constant(self.days(token), "date"), "date", token.at)
        if token.kind == "name" and token.text in ("true", "false"):
            return Typed(Constant(token.text == "true", "flag"), "flag", token.at)
        raise self.wrong("a value or a column is expected here", token.at)

    def days(self, token: Token) -> float:
        try:
            moment = datetime.fromisoformat(token.text[5:-1].strip())
        except ValueError:
            raise self.wrong("there is no such date", token.at, "year-month-day: date(2020-01-31)") from None
        return (moment - tree.EPOCH) / timedelta(days=1)

    def deeper(self, part: Callable[[], Typed]) -> Typed:
        self.nested += 1
        if self.nested > MOST_NESTED:
            raise self.wrong("nested too deep", self.now.at)
        typed = part()
        self.nested -= 1
        return typed
