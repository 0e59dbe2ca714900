"""The rule language: what must hold in every row, one rule a line.

    age >= 18                                   a bound; also  0 <= bmi <= 80
    start <= end                                an order between columns (numbers, dates, ordered categories)
    sex in {"male", "female"}                   a list of levels; also  not in {..}
    r == 0 -> cd496 missing                     if .. then; conditions take  and  or  not  ( )
    r == 1 <-> cd496 present                    both or neither
    sex == "male" -> pregnant != "yes"          text in double quotes (\\" for a quote inside)
    end - start <= 30                           a date minus a date is days; date + days is a date
    onset >= date(2020-01-31)                   also date(2020-01-31T12:30)
    bmi ~= weight / (height/100)^2 within 0.1   nearly equal; also  within 5 %  (of the right side)
    chg = aval - base                           a derived column: recomputed in synthetic rows
    adult = age >= 18                           a derived flag (1/0 or true/false)
    treat follows arms                          each value of arms has one value of treat
    stage follows size, nodes                   the same for combinations
    treat follows arms {0: 0, 1: 1, 2: 1}       with the table spelt out, ("a", 1): 2 for combinations
    `Smokes (years)` <= `Age at visit`          odd column names in backquotes (doubled for one inside)

**Arithmetic** is ``+ - * / ^`` and ``abs floor round(x, digits) min(a, b) max(a, b)``. **Comparisons** are
``== != < <= > >=``, chained as in ``0 <= a < b``. From weak to strong: ``-> <->``, ``or``, ``and``, ``not``,
comparisons, ``+ -``, ``* /``, unary ``-``, ``^``. One arrow a rule; brackets for more.

**Missing** (null, NaN, or a missing code of the schema): a comparison with a missing value is neither true nor
false, and only what is certainly false breaks a rule. So ``age >= 18`` is not broken where age is missing;
to forbid that, add ``age present``. ``missing`` and ``present`` are always certain.

**Kinds** must match: numbers with numbers, text with text, dates with dates, true/false with true/false; a category
is what its levels are. Levels that the schema does not list are refused with ``==`` and ``!=``. Text has an order
only in a category marked ``ordered``: that of its levels. Where a comparison holds arithmetic, a difference of one
part in 10⁹ is rounding. Numbers are 64-bit floats: do not compare identifiers beyond 2⁵³.

**Derived** (``=``): broken where both sides are present and differ by more than the column's digits can hold.
**Follows**: without a table, the value that goes with each combination is learnt from the train rows (``learn``), so
its origin is private; write the table out to make it public. A combination whose value is always missing maps to
missing. A combination that the table lacks takes the value that is commonest in the rows at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Rule
from twinset.core.schema import Schema
from twinset.errors import RuleInvalid
from twinset.rules import evaluate, follows, tree
from twinset.rules import parse as reader
from twinset.rules.tree import Node
from twinset.rules.values import is_missing


@dataclass(frozen=True)
class RowRule:
    """Something that must hold in every row, written in the language of this module.

    Attributes:
        name: how reports call it; its text where it was given none.
        text: the rule, canonical: ``parse(rule.text, schema)`` is the same rule.
        columns: the columns it names, in order of appearance.
        node: the rule as a tree.
        table: for ``follows``, what was learnt; read from rows, so never shown.
    """

    name: str
    text: str
    columns: tuple[str, ...]
    node: Node = field(repr=False)
    table: pl.DataFrame | None = field(default=None, repr=False, compare=False)

    def broken(self, cohort: Cohort) -> np.ndarray:
        """Bool, shape (n,): the rows where the rule certainly does not hold.

        Raises SchemaMismatch where a column is absent, RuleInvalid where one holds another kind of values than the rule compares.
        """
        if isinstance(self.node, tree.Derive):
            return evaluate.departs(self.node, cohort)
        if isinstance(self.node, tree.Follows):
            return follows.departs(self.node, cohort, self._known())
        return evaluate.truth(self.node, cohort).no

    def learn(self, cohort: Cohort) -> RowRule:
        """For ``follows`` without a table of its own: the same rule bound to what these rows show. Else the rule as it is."""
        if not isinstance(self.node, tree.Follows) or self.node.table:
            return self
        return replace(self, table=follows.observed(self.node, cohort))

    def extended(self, cohort: Cohort) -> RowRule:
        """For ``follows``: combinations that its table lacks are settled by these (synthetic) rows. Else the rule as it is."""
        if not isinstance(self.node, tree.Follows):
            return self
        return replace(self, table=follows.joined(self._known(), follows.observed(self.node, cohort)))

    @property
    def target(self) -> str:
        """The column whose value the rule settles, or "": that of ``=`` and ``follows``, and ``x`` in ``.. -> x missing`` and its kin."""
        return self.node.column if isinstance(self.node, tree.Derive | tree.Follows) else tree.blanked(self.node)

    @property
    def defines(self) -> bool:
        """Whether it gives ``target`` its value in every row (``=``, ``follows``), not only where a condition holds."""
        return isinstance(self.node, tree.Derive | tree.Follows)

    def settled(self, cohort: Cohort) -> tuple[np.ndarray, pl.Series]:
        """Which rows, shape (n,), setting ``target`` repairs, and what it should hold there.

        The values are Float64 (dates as days), String, or Null for "missing". Raises RuleInvalid for a rule that settles nothing.
        """
        if isinstance(self.node, tree.Derive):
            return self.broken(cohort), evaluate.expected(self.node, cohort)
        if isinstance(self.node, tree.Follows):
            table = follows.joined(self._known(), follows.observed(self.node, cohort))
            return self.broken(cohort), follows.wanted(self.node, cohort, table)[0]
        if not self.target:
            raise RuleInvalid("this rule settles no column", where=self.name)
        return self.broken(cohort) & ~is_missing(cohort, self.target), pl.repeat(None, len(cohort), dtype=pl.Null, eager=True)

    def _known(self) -> pl.DataFrame | None:
        assert isinstance(self.node, tree.Follows)
        return self.table if self.table is not None else follows.written(self.node)


def parse(text: str, schema: Schema, *, name: str = "") -> RowRule:
    """Read one rule against a schema.

    Raises RuleInvalid with the place (never the text) where it cannot be read, names an unknown column, or compares kinds
    that do not go together.

    >>> from twinset.core.schema import Column, Schema
    >>> rule = parse("0<=bmi<= 80", Schema((Column("bmi", "number"),)))
    >>> rule.text, rule.columns
    ('0 <= bmi <= 80', ('bmi',))
    """
    return from_node(reader.read(text, schema, name=name), name=name)


def from_node(node: Node, *, name: str = "") -> RowRule:
    """A rule from its tree (not checked against any schema)."""
    text = tree.show(node)
    return RowRule(name or text, text, tree.columns(node), node)


def learn(rules: Sequence[Rule], cohort: Cohort) -> tuple[Rule, ...]:
    """The rules, each ``follows`` without a table bound to these rows. Call it once, on train rows; what it learns is private."""
    bound: list[Rule] = []
    for rule in rules:
        ready = isinstance(rule, RowRule) and all(c in cohort.schema for c in rule.columns)
        bound.append(rule.learn(cohort) if ready and isinstance(rule, RowRule) else rule)
    return tuple(bound)
