"""What breaks a rule: the vectorised answer against one row at a time, then findings and schema rules."""

from __future__ import annotations

import math
import time
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.errors import RuleInvalid, SchemaMismatch
from twinset.rules import tree
from twinset.rules.check import check, clopper_pearson
from twinset.rules.language import from_node, parse
from twinset.rules.ranges import schema_rules

SCHEMA = Schema(
    (
        Column("x", "number"),
        Column("y", "integer", missing_codes=(-8.0,)),
        Column("arm", "category", levels=(0, 1, 2)),
        Column("sex", "category", levels=("f", "m")),
        Column("flag", "category", levels=(False, True)),
        Column("day", "date"),
    )
)


def cohort_of(n: int, name: str) -> Cohort:
    rng = stream(7, name)

    def some(values: list[object]) -> list[object]:
        return [None if rng.random() < 0.2 else values[int(rng.integers(len(values)))] for _ in range(n)]

    data = {
        "x": pl.Series(some([-1.5, 0.0, 1.0, 2.0, float("nan")]), dtype=pl.Float64, strict=False),
        "y": pl.Series(some([-8, -1, 0, 1, 2]), dtype=pl.Int64),
        "arm": pl.Series(some([0, 1, 2]), dtype=pl.Int32),
        "sex": pl.Series(some(["f", "m"]), dtype=pl.String),
        "flag": pl.Series(some([False, True]), dtype=pl.Boolean),
        "day": pl.Series(some([date(2020, 1, 1), date(2020, 1, 3), date(1969, 12, 30)]), dtype=pl.Date),
    }
    return Cohort(pl.DataFrame(data), SCHEMA)


# --- one row at a time, written without numpy ------------------------------------------------------


def cell(row: dict[str, object], name: str) -> object:
    value = row[name]
    if isinstance(value, date):
        return float((value - date(1970, 1, 1)).days)
    if value is None or (isinstance(value, float) and math.isnan(value)) or (name == "y" and value == -8):
        return None
    return value


def slow_value(node: tree.Node, row: dict[str, object]) -> object:
    if isinstance(node, tree.Name):
        return cell(row, node.column)
    if isinstance(node, tree.Constant):
        return node.value
    if isinstance(node, tree.Negate):
        inner = slow_value(node.of, row)
        return None if inner is None else -float(inner)  # type: ignore[arg-type]
    assert isinstance(node, tree.Binary)
    left, right = slow_value(node.left, row), slow_value(node.right, row)
    if left is None or right is None:
        return None
    one, two = float(left), float(right)  # type: ignore[arg-type]
    if node.op == "/":
        return None if two == 0 else one / two
    return {"+": one + two, "-": one - two, "*": one * two}[node.op]


def slow_comparison(node: tree.Node, row: dict[str, object]) -> bool | None:
    if isinstance(node, tree.Presence):
        return (cell(row, node.column) is None) == node.missing
    if isinstance(node, tree.Chain):
        pairs = [slow_compare(a, op, b, row) for a, op, b in zip(node.terms, node.ops, node.terms[1:], strict=False)]
        return False if False in pairs else None if None in pairs else True
    assert isinstance(node, tree.Member)
    value = slow_value(node.term, row)
    return None if value is None else (value in [c.value for c in node.items]) != node.negated


def slow_truth(node: tree.Node, row: dict[str, object]) -> bool | None:
    if isinstance(node, tree.Presence | tree.Chain | tree.Member):
        return slow_comparison(node, row)
    if isinstance(node, tree.Not):
        inner = slow_truth(node.of, row)
        return None if inner is None else not inner
    if isinstance(node, tree.And | tree.Or):
        parts = [slow_truth(p, row) for p in node.parts]
        stop = isinstance(node, tree.Or)
        return stop if stop in parts else None if None in parts else not stop
    assert isinstance(node, tree.Implies | tree.Same)
    left, right = slow_truth(node.left, row), slow_truth(node.right, row)
    if isinstance(node, tree.Implies):
        return True if left is False or right is True else False if left is True and right is False else None
    return None if left is None or right is None else left == right


def slow_compare(a: tree.Node, op: str, b: tree.Node, row: dict[str, object]) -> bool | None:
    left, right = slow_value(a, row), slow_value(b, row)
    if left is None or right is None:
        return None
    if isinstance(left, str):
        return (left == right) == (op == "==")
    close = abs(left - right) <= 1e-9 * max(1, abs(left), abs(right))  # type: ignore[operator,arg-type]
    return {
        "==": close,
        "!=": not close,
        "<": left < right and not close,
        "<=": left <= right or close,
        ">": left > right and not close,
        ">=": left >= right or close,
    }[op]  # type: ignore[operator]


_values = st.recursive(
    st.sampled_from(
        [tree.Name("x"), tree.Name("y"), tree.Name("arm"), tree.Constant(1.0, "number"), tree.Constant(-1.5, "number"), tree.Constant(0.0, "number")]
    ),
    lambda inner: st.one_of(st.builds(tree.Binary, st.sampled_from("+-*/"), inner, inner), inner.map(tree.Negate)),
    max_leaves=4,
)
_ops = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_atoms = st.one_of(
    st.builds(lambda a, o, b: tree.Chain((a, b), (o,)), _values, _ops, _values),
    st.builds(lambda a, o, b, p, c: tree.Chain((a, b, c), (o, p)), _values, _ops, _values, _ops, _values),
    st.builds(tree.Presence, st.sampled_from(SCHEMA.names), st.booleans()),
    st.builds(lambda o: tree.Chain((tree.Name("sex"), tree.Constant("m", "text")), (o,)), st.sampled_from(["==", "!="])),
    st.builds(lambda o: tree.Chain((tree.Name("flag"), tree.Constant(True, "flag")), (o,)), st.sampled_from(["==", "!="])),
    st.builds(lambda o, d: tree.Chain((tree.Name("day"), tree.Constant(d, "date")), (o,)), _ops, st.sampled_from([0.0, 18262.0, -2.0])),
    st.builds(lambda n: tree.Member(tree.Name("arm"), (tree.Constant(0.0, "number"), tree.Constant(2.0, "number")), n), st.booleans()),
    st.builds(lambda n: tree.Member(tree.Name("sex"), (tree.Constant("f", "text"),), n), st.booleans()),
)
_logic = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.builds(tree.Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: tree.And(tuple(p))),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: tree.Or(tuple(p))),
        st.builds(tree.Implies, inner, inner),
        st.builds(tree.Same, inner, inner),
    ),
    max_leaves=5,
)
ROWS = cohort_of(200, "brute")


@settings(max_examples=250, deadline=None)
@given(_logic)
def test_broken_is_what_one_row_at_a_time_says(node: tree.Node) -> None:
    broken = from_node(node).broken(ROWS)
    assert broken.dtype == np.bool_
    assert broken.tolist() == [slow_truth(node, row) is False for row in ROWS.frame.to_dicts()]


def test_follows_against_counting_by_hand() -> None:
    rows = ROWS.frame.to_dicts()
    rule = parse("y follows arm, sex", SCHEMA)
    seen: dict[object, dict[object, int]] = {}
    for row in rows:
        key, value = (cell(row, "arm"), cell(row, "sex")), cell(row, "y")
        if None not in key and value is not None:
            seen.setdefault(key, {}).setdefault(value, 0)
            seen[key][value] += 1
    common = {key: min(counts, key=lambda v: (-counts[v], v)) for key, counts in seen.items()}  # type: ignore[operator,type-var]
    wanted = []
    for row in rows:
        key, value = (cell(row, "arm"), cell(row, "sex")), cell(row, "y")
        wanted.append(key in common and value is not None and value != common[key])
    assert rule.broken(ROWS).tolist() == wanted
    assert any(wanted)


def test_derived_allows_what_the_digits_round_away() -> None:
    schema = Schema((Column("a", "number", decimals=1), Column("b", "number"), Column("c", "integer"), Column("f", "category", levels=(0, 1))))
    frame = pl.DataFrame({"a": [0.3, 0.4, None, 0.3], "b": [1.0, 1.0, 1.0, None], "c": [3, 3, 3, 3], "f": [0, 1, 1, 0]})
    cohort = Cohort(frame, schema)
    assert parse("a = b / c", schema).broken(cohort).tolist() == [False, True, False, False]
    assert parse("c = b * 2.6", schema).broken(cohort).tolist() == [False, False, False, False]
    assert parse("f = a > 0.35", schema).broken(cohort).tolist() == [False, False, False, False]
    assert parse("f = a <= 0.35", schema).broken(cohort).tolist() == [True, True, False, True]


def test_near_is_absolute_or_relative() -> None:
    schema = Schema((Column("a", "number"), Column("b", "number")))
    cohort = Cohort(pl.DataFrame({"a": [10.0, 10.5, 11.0, None], "b": [10.0, 10.0, 10.0, 10.0]}), schema)
    assert parse("a ~= b within 0.5", schema).broken(cohort).tolist() == [False, False, True, False]
    assert parse("a ~= b within 5 %", schema).broken(cohort).tolist() == [False, False, True, False]
    assert parse("a ~= b within 10 %", schema).broken(cohort).tolist() == [False, False, False, False]


def test_ordered_text_and_datetimes() -> None:
    schema = Schema(
        (
            Column("g", "category", levels=("low", "mid", "top"), ordered=True),
            Column("h", "category", levels=("low", "mid", "top"), ordered=True),
            Column("t", "datetime"),
        )
    )
    frame = pl.DataFrame({"g": ["top", "mid", None, "low"], "h": ["low", "top", "mid", "low"], "t": [datetime(2020, 1, 1, h) for h in (0, 6, 12, 18)]})
    cohort = Cohort(frame, schema)
    assert parse('g >= "mid"', schema).broken(cohort).tolist() == [False, False, False, True]
    assert parse("g <= h", schema).broken(cohort).tolist() == [True, False, False, False]
    assert parse("t <= date(2020-01-01T06:00)", schema).broken(cohort).tolist() == [False, False, True, True]
    zoned = Cohort(frame.with_columns(pl.col("t").dt.replace_time_zone("UTC")), schema)
    assert parse("t <= date(2020-01-01T06:00)", schema).broken(zoned).tolist() == [False, False, True, True]


def test_a_column_that_holds_something_else_is_named_without_values() -> None:
    schema = Schema((Column("a", "number"), Column("b", "category")))
    cohort = Cohort(pl.DataFrame({"a": ["SECRET1", "SECRET2"], "b": [1, 2]}), schema)
    for text in ("a > 1", "a in {1, 2}", "a + 1 > b", 'b == "x"', 'b in {"x"}', "b == true"):
        with pytest.raises(RuleInvalid) as caught:
            parse(text, schema).broken(cohort)
        assert "SECRET" not in str(caught.value)
    with pytest.raises(SchemaMismatch):
        parse("a > 1", schema).broken(cohort.select(["b"]))


def test_an_empty_cohort_breaks_nothing() -> None:
    empty = ROWS.take(np.array([], dtype=np.int64))
    for text in ("x > 1", "y follows arm", "x = y + 1", "arm == 0 -> x missing", 'sex == "m"', "day > date(2020-01-01)"):
        assert parse(text, SCHEMA).broken(empty).shape == (0,)


def test_findings_carry_interval_and_name() -> None:
    rules = [parse("y >= 0", SCHEMA, name="R1"), parse("x <= 2", SCHEMA)]
    first, second = check(rules, ROWS, what="source")
    n_broken = sum(1 for row in ROWS.frame.to_dicts() if (v := cell(row, "y")) is not None and float(v) < 0)  # type: ignore[arg-type]
    assert (first.name, first.where, first.n, first.better) == ("rules.broken", "R1", 200, "lower")
    assert first.value == n_broken / 200
    assert 0 < first.low < first.value < first.high < 1
    assert "200 rows of the source cohort" in first.says
    assert "rows of the hold-out break" in check(rules, ROWS, what="the hold-out")[0].says
    assert first.silent_on
    assert second.value == second.low == 0
    assert second.high == pytest.approx(1 - 0.025 ** (1 / 200))


def test_what_cannot_be_checked_says_why() -> None:
    rule = parse("x <= 2", SCHEMA)
    absent = check([rule], ROWS.select(["y"]), what="synthetic")[0]
    assert not absent.measured
    assert "`x`" in absent.missing
    assert not check([rule], ROWS.take(np.array([], dtype=np.int64)), what="synthetic")[0].measured


@pytest.mark.parametrize(("k", "n", "low", "high"), [(0, 10, 0.0, 0.3085), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0)])
def test_exact_interval_against_printed_tables(k: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(k, n) == pytest.approx((low, high), abs=5e-5)


def test_schema_rules_say_what_is_declared_and_read_back() -> None:
    schema = Schema(
        (
            Column("id", "integer", role="identifier", low=0),
            Column("age", "integer", low=18, high=70, missing_codes=(-8.0,)),
            Column("dose", "number", high=0.5),
            Column("day", "date", low=18262.0, high=18263.0),
            Column("t", "datetime", low=18262.25),
            Column("sex", "category", levels=("f", 'm "x"')),
            Column("arm", "category", levels=(1, 2)),
            Column("flag", "category", levels=(False, True)),
            Column("mixed", "category", levels=(1, "a")),
            Column("free", "category"),
            Column("far", "date", low=-1e9),
        )
    )
    rules = schema_rules(schema)
    assert [r.name for r in rules] == ["age: bounds", "dose: bounds", "day: bounds", "t: bounds", "sex: levels", "arm: levels", "flag: levels"]
    texts = [getattr(r, "text", "") for r in rules]
    assert texts[0] == "18 <= age <= 70"
    assert texts[3] == "t >= date(2020-01-01T06:00:00)"
    assert [parse(t, schema).text for t in texts] == texts
    start = date(2020, 1, 1)
    frame = pl.DataFrame(
        {
            "id": [-1, -1, -1],
            "age": [17, -8, 70],
            "dose": [0.5, 0.6, None],
            "day": [start, start + timedelta(2), None],
            "t": [datetime(2020, 1, 1, 6), datetime(2020, 1, 1), None],
            "sex": ["f", "g", None],
            "arm": [1, 3, None],
            "flag": [True, False, None],
            "mixed": ["a", "b", None],
            "free": ["a", "b", None],
            "far": [start, start, start],
        }
    )
    cohort = Cohort(frame, schema)
    assert {r.name: np.flatnonzero(r.broken(cohort)).tolist() for r in rules if r.broken(cohort).any()} == {
        "age: bounds": [0],
        "dose: bounds": [1],
        "day: bounds": [1],
        "t: bounds": [1],
        "sex: levels": [1],
        "arm: levels": [1],
    }


def test_twenty_rules_on_a_quarter_million_rows_take_less_than_a_second() -> None:
    n = 254_000
    rng = stream(8, "speed")
    frame = pl.DataFrame({f"v{i}": rng.integers(0, 50, n) for i in range(8)} | {"sex": rng.choice(["f", "m"], n), "treat": rng.integers(0, 2, n)})
    schema = Schema(tuple(Column(c, "category" if c == "sex" else "integer") for c in frame.columns))
    texts = [f"v{i} <= v{(i + 1) % 8}" for i in range(8)] + [f"v{i} ~= v{i + 1} / (v{i + 2} / 100)^2 within 5 %" for i in range(4)]
    texts += [
        'sex == "m" -> v1 missing',
        "v1 present <-> v2 > 3",
        "treat follows v0",
        "treat follows v0, sex",
        "v3 = v1 + v2",
        'sex in {"f", "m"}',
        "0 <= v4 <= 40",
        "v5 not in {1, 2, 3}",
    ]
    rules = [parse(t, schema) for t in texts]
    cohort = Cohort(frame, schema)
    started = time.process_time()
    findings = check(rules, cohort, what="source")
    assert len(findings) == 20
    assert time.process_time() - started < 2  # measured: 0.3
