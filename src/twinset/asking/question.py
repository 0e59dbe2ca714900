"""What may be asked, and how it is written: one line a question.

    count()                                   how many
    count() by arm, sex                       in each group
    share(event == 1) by arm                  of those of whom it is known; any condition of the rule language
    mean(age) by arm where sex == "female"    only of those of whom the condition is certain
    median(cd4)                               the same as quantile(cd4, 0.5)
    quantile(cd4, 0.9) by sex
    effect("time to death")                   of an endpoint that the study declares, each arm against the reference

Conditions, names and constants are those of the rule language (``rules/language.py``): text in double quotes, odd column
names in backquotes. Groups are categories. Whoever is missing in the column, the condition or a group is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twinset.core.schema import Schema
from twinset.errors import RuleInvalid
from twinset.rules import tree
from twinset.rules.parse import Rules
from twinset.rules.tree import Constant, Node

Kind = Literal["count", "share", "mean", "quantile", "effect"]
FORMS = 'count()  share(event == 1)  mean(age)  median(age)  quantile(age, 0.9)  effect("endpoint"), then  by arm  and  where age >= 18'


@dataclass(frozen=True)
class Question:
    """One question, checked against the columns but not yet against their bounds.

    ``column``: of a mean or quantile. ``share``: the condition whose share is asked. ``at``: the quantile's probability.
    ``endpoint``: the name of an effect's endpoint. ``by``: columns of the groups. ``where``: who is asked about; None = all.
    """

    kind: Kind
    column: str = ""
    share: Node | None = None
    at: float = 0.5
    endpoint: str = ""
    by: tuple[str, ...] = ()
    where: Node | None = None

    @property
    def text(self) -> str:
        """The question as it is written: ``parse(question.text, schema) == question``."""
        inside = {
            "count": "",
            "share": tree.show(self.share) if self.share is not None else "",
            "mean": tree.show_name(self.column),
            "quantile": f"{tree.show_name(self.column)}, {tree.show_number(self.at)}",
            "effect": tree.show_constant(Constant(self.endpoint, "text")),
        }[self.kind]
        by = f" by {', '.join(map(tree.show_name, self.by))}" if self.by else ""
        where = f" where {tree.show(self.where)}" if self.where is not None else ""
        return f"{self.kind}({inside}){by}{where}"

    @property
    def conditions(self) -> tuple[Node, ...]:
        """What it asks the share of, and of whom."""
        return tuple(n for n in (self.share, self.where) if n is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names (those of an endpoint not among them), once each."""
        named = [c for c in (self.column, *self.by) if c] + [c for n in self.conditions for c in tree.columns(n)]
        return tuple(dict.fromkeys(named))


def parse(text: str, schema: Schema) -> Question:
    """Read one question against the columns of a study.

    >>> from twinset.core.schema import Column, Schema
    >>> parse("median( age )by sex", Schema((Column("age", "number"), Column("sex", "category")))).text
    'quantile(age, 0.5) by sex'

    Raises RuleInvalid with the place where it cannot be read, names an unknown column or compares kinds that do not go together.
    """
    return _Reader(text, "question", schema=schema).question()


class _Reader(Rules):
    """The question's own words; what stands in conditions is read by the rule language."""

    def question(self) -> Question:
        token = self.take()
        if token.kind != "name" or token.text not in ("count", "share", "mean", "median", "quantile", "effect"):
            raise self.wrong("this is no question", token.at, f"ask {FORMS}")
        self.need("(")
        word = token.text
        column = self.number_column() if word in ("mean", "median", "quantile") else ""
        share = self.truth(self.arrow()).node if word == "share" else None
        at = self.probability() if word == "quantile" else 0.5
        endpoint = self.name() if word == "effect" else ""
        self.need(")")
        by = self.groups() if self.skip("by") else ()
        where = self.truth(self.arrow()).node if self.skip("where") else None
        if self.now.kind != "end":
            raise self.wrong("the question should end here", self.now.at, "first `by`, then `where`, and no more")
        kinds: dict[str, Kind] = {"count": "count", "share": "share", "mean": "mean", "median": "quantile", "quantile": "quantile", "effect": "effect"}
        for node in (share, where):
            if node is not None and not tree.columns(node):
                raise self.wrong("a condition names no column", 1)
        return Question(kinds[word], column, share, at, endpoint, by, where)

    def number_column(self) -> str:
        at, name = self.now.at, self.column()
        if self.schema[name].kind not in ("number", "integer", "date"):
            raise self.wrong(f"`{name}` is no number and no date", at, f"ask  share({tree.show_name(name)} == ...)  or  count() by {tree.show_name(name)}")
        return name

    def probability(self) -> float:
        self.need(",")
        at, item = self.now.at, self.constant()
        assert isinstance(item.node, Constant)
        if item.type != "number" or not 0 < float(item.node.value) < 1:
            raise self.wrong("a quantile is asked at a number between 0 and 1", at, "for example  quantile(age, 0.9)")
        return float(item.node.value)

    def name(self) -> str:
        at, item = self.now.at, self.constant()
        assert isinstance(item.node, Constant)
        if item.type != "text":
            raise self.wrong("an endpoint's name is expected here", at, 'in double quotes, as in the study file:  effect("time to death")')
        return str(item.node.value)

    def groups(self) -> tuple[str, ...]:
        at, names = self.now.at, [self.column()]
        while self.skip(","):
            names.append(self.column())
        odd = [n for n in names if self.schema[n].kind != "category"]
        if odd:
            raise self.wrong(f"groups are categories, and `{odd[0]}` is none", at, "ask with `where` instead, once for each range")
        if len(set(names)) < len(names):
            raise self.wrong("a group is named twice", at)
        return tuple(names)


def wrong_number(n: int) -> RuleInvalid:
    """No question, or far too many."""
    return RuleInvalid(f"{n} questions in one call", where="question", hint=f"ask one to 100: {FORMS}")
