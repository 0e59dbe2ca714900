"""A rule's tree on all rows of a cohort at once, in three-valued logic.

A comparison with a missing value is neither true nor false (Kleene's strong logic); only what is
certainly false breaks a rule. ``missing`` and ``present`` are always certain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.errors import RuleInvalid
from twinset.rules import tree
from twinset.rules.tree import Constant, Name, Node
from twinset.rules.values import Line, Words, column_values, digits, is_missing

ROUNDING = 1e-9  # of the larger side, where a comparison holds arithmetic


class Truth(NamedTuple):
    """Where a condition is certainly true and where it is certainly false, bool (n,) each."""

    yes: np.ndarray
    no: np.ndarray


def truth(node: Node, cohort: Cohort) -> Truth:
    """Evaluate a condition. Raises RuleInvalid where a column does not hold what the rule compares it with."""
    if isinstance(node, tree.Presence):
        missing = is_missing(cohort, node.column)
        return Truth(missing, ~missing) if node.missing else Truth(~missing, missing)
    if isinstance(node, tree.Chain):
        pairs = zip(node.terms, node.ops, node.terms[1:], strict=False)
        return _all([_compare(left, op, right, cohort) for left, op, right in pairs])
    if isinstance(node, tree.Near):
        return _near(node, cohort)
    if isinstance(node, tree.Member):
        return _member(node, cohort)
    return _logic(node, cohort)


def line(node: Node, cohort: Cohort) -> Line:
    """Evaluate arithmetic: NaN where an operand is missing or the result is not a finite number."""
    value = term(node, cohort)
    if isinstance(value, Words):
        raise _clash(node)
    return value


def term(node: Node, cohort: Cohort) -> Line | Words:
    """Evaluate a value: a column, a constant spread over the rows, or arithmetic."""
    if isinstance(node, Name):
        return column_values(cohort, node.column)
    if isinstance(node, Constant):
        if isinstance(node.value, str):
            return Words(pl.repeat(node.value, len(cohort), dtype=pl.String, eager=True))
        return Line(np.full(len(cohort), float(node.value)), node.type)
    with np.errstate(all="ignore"):
        values = _arithmetic(node, cohort)
    return Line(np.where(np.isfinite(values), values, np.nan), "number")


def expected(node: tree.Derive, cohort: Cohort) -> pl.Series:
    """What a derived column should hold: Float64 or String, null where the right side is missing."""
    if _is_condition(node.term):
        both = truth(node.term, cohort)
        return pl.Series(np.where(both.yes, 1.0, np.where(both.no, 0.0, np.nan))).fill_nan(None)
    value = term(node.term, cohort)
    return value.values if isinstance(value, Words) else pl.Series(value.values).fill_nan(None)


def departs(node: tree.Derive, cohort: Cohort) -> np.ndarray:
    """Rows whose derived column is not what the right side gives, to the digits that the column holds."""
    right = expected(node, cohort)
    left = column_values(cohort, node.column)
    if isinstance(left, Words) or right.dtype == pl.String:
        if not isinstance(left, Words) or right.dtype != pl.String:
            raise _clash(Name(node.column))
        return (left.values != right).fill_null(False).to_numpy()
    wanted = right.fill_null(np.nan).to_numpy()
    column, dtype = cohort.schema[node.column], cohort[node.column].dtype
    places = digits(column, dtype)
    scale = np.maximum(1.0, np.abs(wanted))
    if places is not None:
        slack = 0.5 * 10.0**-places + 1e-6 * 10.0**-places + ROUNDING * scale
    else:
        slack = (1 / 86_400 if left.type == "date" else 1e-6) * (1.0 if left.type == "date" else scale)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(left.values - wanted) > slack)


def _is_condition(node: Node) -> bool:
    return isinstance(node, tree.Chain | tree.Near | tree.Member | tree.Presence | tree.Not | tree.And | tree.Or | tree.Implies | tree.Same)


def _logic(node: Node, cohort: Cohort) -> Truth:
    if isinstance(node, tree.Not):
        of = truth(node.of, cohort)
        return Truth(of.no, of.yes)
    if isinstance(node, tree.And):
        return _all([truth(p, cohort) for p in node.parts])
    if isinstance(node, tree.Or):
        parts = [truth(p, cohort) for p in node.parts]
        return Truth(np.logical_or.reduce([p.yes for p in parts]), np.logical_and.reduce([p.no for p in parts]))
    assert isinstance(node, tree.Implies | tree.Same)
    left, right = truth(node.left, cohort), truth(node.right, cohort)
    if isinstance(node, tree.Implies):
        return Truth(left.no | right.yes, left.yes & right.no)
    return Truth((left.yes & right.yes) | (left.no & right.no), (left.yes & right.no) | (left.no & right.yes))


def _all(parts: list[Truth]) -> Truth:
    return Truth(np.logical_and.reduce([p.yes for p in parts]), np.logical_or.reduce([p.no for p in parts]))


def _compare(left: Node, op: str, right: Node, cohort: Cohort) -> Truth:
    one, two = term(left, cohort), term(right, cohort)
    if isinstance(one, Words) and isinstance(two, Words):
        if op in ("==", "!="):
            same = one.values == two.values
            return _certain(same if op == "==" else ~same)
        ranks = _ranks(left, right, cohort)
        return _order(_place(one, ranks), op, _place(two, ranks), exact=True)
    if isinstance(one, Words) or isinstance(two, Words):
        raise _clash(left if isinstance(left, Name) else right)
    if {one.type, two.type} - {"any"} in ({"number", "flag"}, {"number", "date"}, {"flag", "date"}):
        raise _clash(left if isinstance(left, Name) else right)
    exact = all(isinstance(n, Name | Constant) for n in (left, right))
    return _order(one.values, op, two.values, exact=exact)


def _order(one: np.ndarray, op: str, two: np.ndarray, *, exact: bool) -> Truth:
    known = ~(np.isnan(one) | np.isnan(two))
    with np.errstate(invalid="ignore"):
        slack = 0.0 if exact else ROUNDING * np.maximum(1.0, np.maximum(np.abs(one), np.abs(two)))
        if op in ("==", "!="):
            holds = np.abs(one - two) <= slack
            holds = holds if op == "==" else ~holds
        elif op in ("<=", ">"):
            holds = one <= two + slack
            holds = holds if op == "<=" else ~holds
        else:
            holds = one >= two - slack
            holds = holds if op == ">=" else ~holds
    return Truth(holds & known, ~holds & known)


def _near(node: tree.Near, cohort: Cohort) -> Truth:
    one, two = line(node.left, cohort).values, line(node.right, cohort).values
    known = ~(np.isnan(one) | np.isnan(two))
    with np.errstate(invalid="ignore"):
        room = node.tolerance / 100 * np.abs(two) if node.relative else node.tolerance
        holds = np.abs(one - two) <= room + ROUNDING * np.maximum(1.0, np.abs(two))
    return Truth(holds & known, ~holds & known)


def _member(node: tree.Member, cohort: Cohort) -> Truth:
    value = term(node.term, cohort)
    texts = isinstance(node.items[0].value, str)
    if isinstance(value, Words):
        if not texts:
            raise _clash(node.term)
        inside = value.values.is_in([str(c.value) for c in node.items])
        known = value.values.is_not_null().to_numpy()
        holds = inside.fill_null(False).to_numpy()
    else:
        if texts or {value.type, node.items[0].type} - {"any"} in ({"number", "flag"}, {"number", "date"}, {"flag", "date"}):
            raise _clash(node.term)
        known = ~np.isnan(value.values)
        holds = np.isin(value.values, np.array([float(c.value) for c in node.items])) & known
    holds = ~holds if node.negated else holds
    return Truth(holds & known, ~holds & known)


def _arithmetic(node: Node, cohort: Cohort) -> np.ndarray:
    if isinstance(node, tree.Negate):
        return -line(node.of, cohort).values
    if isinstance(node, tree.Binary):
        one, two = line(node.left, cohort).values, line(node.right, cohort).values
        if node.op == "^":
            return np.asarray(np.power(one, two))
        by = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
        return np.asarray(by[node.op](one, two))
    assert isinstance(node, tree.Call)
    parts = [line(a, cohort).values for a in node.arguments]
    if node.function == "round":
        places = node.arguments[1]
        assert isinstance(places, Constant)
        return np.asarray(np.round(parts[0], int(places.value)))
    by_name = {"abs": np.abs, "floor": np.floor, "min": np.minimum, "max": np.maximum}
    return np.asarray(by_name[node.function](*parts))


def _certain(series: pl.Series) -> Truth:
    yes = series.fill_null(False).to_numpy()
    return Truth(yes, ~yes & series.is_not_null().to_numpy())


def _ranks(left: Node, right: Node, cohort: Cohort) -> dict[str, float]:
    """Places of the levels of the ordered category on either side."""
    for side in (left, right):
        if isinstance(side, Name) and cohort.schema[side.column].ordered:
            return {str(v): float(i) for i, v in enumerate(cohort.schema[side.column].levels)}
    raise _clash(left)


def _place(words: Words, ranks: dict[str, float]) -> np.ndarray:
    known = words.values.replace_strict(ranks, default=None, return_dtype=pl.Float64)
    return known.fill_null(np.nan).to_numpy()


def _clash(node: Node) -> RuleInvalid:
    which = f"`{node.column}`" if isinstance(node, Name) else "a value"
    return RuleInvalid(
        f"{which} does not hold what the rule compares it with", hint="numbers, text, true/false and dates are compared only with their own kind"
    )
