"""The lower half of the rule language's reader: columns, constants, arithmetic."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches

from twinset.core.schema import Schema
from twinset.rules import tree
from twinset.rules.kinds import Typed, type_of
from twinset.rules.tokens import Token, Tokens
from twinset.rules.tree import Constant, Name, Type

MOST_NESTED = 30
MOST_OPERATORS = 100

_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", '\\"': '"', "\\\\": "\\"}


@dataclass
class Terms(Tokens):
    """Reads values; what stands in brackets may be a condition, which ``arrow`` of the upper half reads."""

    schema: Schema = field(kw_only=True)
    nested: int = 0
    operators: int = 0

    def arrow(self) -> Typed:
        raise NotImplementedError

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
