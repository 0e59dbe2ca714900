"""The rule language's reader: text to a typed tree, by recursive descent. The language is described in ``language.py``."""

from __future__ import annotations

from collections.abc import Callable

from twinset.core.schema import Schema
from twinset.rules import tree
from twinset.rules.kinds import Typed, comparable, same_type, type_of, value
from twinset.rules.terms import Terms
from twinset.rules.tree import Constant, Name, Node

_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def read(text: str, schema: Schema, *, name: str = "") -> Node:
    """The tree of a rule, every name and type checked against the schema. Raises RuleInvalid."""
    return Rules(text, f"rule {name}" if name else "rule", schema=schema).rule()


class Rules(Terms):
    """The upper half: rules, conditions, comparisons, from weak to strong. ``truth(arrow())`` reads a condition, also for others."""

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
        same_type(Typed(Name(column), type_of(self.schema[column]), item.at), item, self.wrong)
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
            comparable(terms[-2], ops[-1], terms[-1], self.schema, self.wrong)
        return Typed(tree.Chain(tuple(t.node for t in terms), tuple(ops)), "truth", first.at)

    def member(self, first: Typed) -> Typed:
        negated = self.skip("not")
        self.need("in")
        value(first, self.wrong)
        self.need("{")
        items: list[Constant] = []
        while True:
            item = self.constant()
            same_type(first, item, self.wrong)
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
        same_type(first, second, self.wrong)
        self.need("within")
        at = self.now.at
        size = self.constant()
        if size.type != "number" or not isinstance(size.node, Constant) or float(size.node.value) < 0:
            raise self.wrong("`within` takes a number from 0", at)
        return Typed(tree.Near(first.node, second.node, float(size.node.value), self.skip("%")), "truth", first.at)
