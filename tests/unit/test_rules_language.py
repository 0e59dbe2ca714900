"""The rule language: what it reads, what it refuses and how, and that its text and its tree are one."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.errors import RuleInvalid
from twinset.rules import tree
from twinset.rules.language import RowRule, from_node, learn, parse
from twinset.rules.parse import read

SCHEMA = Schema(
    (
        Column("a", "number"),
        Column("b", "integer", missing_codes=(-8.0,)),
        Column("sex", "category", levels=("female", "male")),
        Column("grade", "category", levels=("low", "mid", "top"), ordered=True),
        Column("arm", "category", levels=(0, 1, 2)),
        Column("flag", "category", levels=(False, True)),
        Column("start", "date"),
        Column("end", "datetime"),
        Column("Preg.ended...37.wk", "category", levels=("No", "Yes")),
        Column("odd `name` (1)", "number"),
        Column("missing", "number"),
        Column("free", "category"),
    )
)

GOOD = [
    "a >= 18",
    "0 <= a <= 80",
    "arm == 0 -> b missing",
    "arm == 1 <-> b present",
    'sex == "male" -> `Preg.ended...37.wk` != "Yes"',
    "start <= end",
    "end - start <= 30",
    "start + 3 >= date(2020-01-31)",
    "end < date(2020-01-31T12:30:00)",
    "a ~= b / (a / 100)^2 within 0.1",
    "a ~= b within 5 %",
    "a = b - 2 * a2",
    "arm follows sex",
    "arm follows sex, grade",
    'arm follows sex {"male": 0, "female": 1}',
    'arm follows sex, b {("male", 1): 0, ("female", -1): 1}',
    "flag == true or not (a > 1 and b < 2)",
    'sex in {"male", "female"}',
    "arm not in {0, 1}",
    'grade >= "mid"',
    "`odd ``name`` (1)` > 0",
    "`missing` present",
    "min(a, b) <= max(a, b) and abs(a) >= floor(a) and round(a, 1) > -2",
    "-a ^ 2 < (-2)^b - (a - b)",
    "flag = a >= 18",
    'free == "x" or free == 3',
]


@pytest.mark.parametrize("text", GOOD)
def test_canonical_text_reads_back_as_the_same_rule(text: str) -> None:
    schema = Schema((*SCHEMA.columns, Column("a2", "number")))
    rule = parse(text, schema)
    assert parse(rule.text, schema) == rule
    assert parse(f"  {rule.text}\n", schema).text == rule.text


def test_text_is_canonical() -> None:
    assert parse("(a)>=18.0", SCHEMA).text == "a >= 18"
    assert parse("`a`<1e3 and(b>.5)", SCHEMA).text == "a < 1000 and b > 0.5"
    assert parse("start>=date( 2020-01-31 )", SCHEMA).text == "start >= date(2020-01-31)"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("agee > 1", 1, "no column"),
        ("a > 'x'", 5, "read on"),
        ('a > "x"', 5, "number"),
        ("sex == 1", 8, "text"),
        ('sex == "mal"', 8, "not a level"),
        ("b == -8", 6, "missing code"),
        ('sex < "male"', 1, "no order"),
        ("a = a + 1", 1, "itself"),
        ("a == 1 = 2", 8, "should end"),
        ("a", 1, "condition"),
        ("a -> b", 1, "condition"),
        ("a > 1 -> b > 1 -> a > 2", 16, "second arrow"),
        ("(a > 1", 7, "expected"),
        ("a in {}", 7, "expected"),
        ("start > 3", 9, "date"),
        ("start > date(2020-13-01)", 9, "no such date"),
        ("start + end > 3", 9, "arithmetic"),
        ("flag == 1", 9, "true or false"),
        ("1 < 2", 1, "no column"),
        ("", 1, "expected"),
        ("a > 1e999", 5, "too large"),
        ("sin(a) > 1", 1, "function"),
        ("round(a, b) > 1", 10, "digits"),
        ("arm follows arm", 1, "twice"),
        ('arm follows sex {"male": 0, "male": 1}', 1, "twice"),
        ("(a > 1) == (b > 1)", 1, "condition"),
        ("a + 1 missing", 1, "only a column"),
        ("(" * 60 + "a > 1" + ")" * 60, None, "deep"),
        ("a" + " + a" * 500 + " > 1", 1, "too much"),
    ],
)
def test_refusals_name_the_place(text: str, place: int | None, words: str) -> None:
    with pytest.raises(RuleInvalid) as caught:
        parse(text, SCHEMA, name="R1")
    if place is not None:
        assert caught.value.where == f"rule R1, character {place}"
    assert words in str(caught.value)


def test_misspelt_column_gets_the_nearest_name() -> None:
    with pytest.raises(RuleInvalid, match="`grade`"):
        parse("grad present", SCHEMA)


def test_refusal_never_quotes_the_rule() -> None:
    secret = "Zyxwv-40404"
    for text in (
        f'sex == "{secret}"',
        f'a > "{secret}"',
        f"a > {secret}",
        f"a > 1 {secret}",
        f"{secret} > 1",
        f'a in {{"{secret}"}}',
        "a == 40404 40404",
        "flag == 40404",
    ):
        with pytest.raises(RuleInvalid) as caught:
            parse(text, SCHEMA)
        assert "Zyxwv" not in repr(caught.value) + str(caught.value)
        assert "40404" not in repr(caught.value) + str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet='ab()<>=-+*/^"`{},:% 019.~!', max_size=60)))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        rule = parse(text, SCHEMA)
    except RuleInvalid:
        return
    assert parse(rule.text, SCHEMA) == rule


_WORDS = ["a", "b", "sex", "grade", "arm", "flag", "start", "end", "`odd ``name`` (1)`", "free"]
_PIECES = [
    *_WORDS,
    "->",
    "<->",
    "and",
    "or",
    "not",
    "(",
    ")",
    "==",
    "<=",
    "<",
    "!=",
    "~=",
    "within",
    "in",
    "{",
    "}",
    ",",
    ":",
    "missing",
    "present",
    "follows",
    "=",
]
_PIECES += ["1", "-8", "2.5", '"male"', '"low"', "true", "date(2020-01-31)", "+", "-", "*", "/", "^", "%", "min", "abs"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=14))
def test_any_words_parse_or_are_refused(pieces: list[str]) -> None:
    try:
        rule = parse(" ".join(pieces), SCHEMA)
    except RuleInvalid:
        return
    assert parse(rule.text, SCHEMA) == rule


# --- trees, built at random ------------------------------------------------------------------------

_numbers = st.floats(-1e12, 1e12, allow_nan=False).map(lambda v: tree.Constant(v, "number"))
_arithmetic = st.recursive(
    st.one_of(_numbers, st.sampled_from([tree.Name("a"), tree.Name("b"), tree.Name("odd `name` (1)"), tree.Name("missing")])),
    lambda inner: st.one_of(
        st.builds(tree.Binary, st.sampled_from("+-*/^"), inner, inner),
        inner.filter(lambda n: not isinstance(n, tree.Constant | tree.Negate)).map(tree.Negate),
        st.builds(lambda x, y: tree.Call("min", (x, y)), inner, inner),
    ),
    max_leaves=6,
)
_texts = st.text(max_size=8).map(lambda v: tree.Constant(v, "text"))
_atoms = st.one_of(
    st.builds(lambda x, o, y: tree.Chain((x, y), (o,)), _arithmetic, st.sampled_from(["<", "<=", ">", ">="]), _arithmetic),
    st.builds(lambda x, y, z: tree.Chain((x, y, z), ("<", ">=")), _arithmetic, _arithmetic, _arithmetic),
    st.builds(tree.Near, _arithmetic, _arithmetic, st.floats(0, 1e6), st.booleans()),
    st.builds(tree.Presence, st.sampled_from(SCHEMA.names), st.booleans()),
    st.builds(lambda v, n: tree.Member(tree.Name("free"), tuple(dict.fromkeys(v)), n), st.lists(_texts, min_size=1, max_size=4), st.booleans()),
    st.builds(
        lambda v: tree.Chain((tree.Name("end"), tree.Constant(v, "date")), (">",)),
        st.datetimes(datetime(1000, 1, 1), datetime(3000, 1, 1)).map(lambda m: (m - tree.EPOCH).total_seconds() // 1 / 86_400),
    ),
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
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(_logic)
def test_every_tree_is_its_text(node: tree.Node) -> None:
    rule = from_node(node)
    if not rule.columns:
        return
    again = read(rule.text, SCHEMA)
    assert again == node
    assert tree.show(again) == rule.text


# --- learning --------------------------------------------------------------------------------------


def _arms(arms: list[int | None], treat: list[int | None]) -> Cohort:
    schema = Schema((Column("arms", "category", levels=(0, 1, 2)), Column("treat", "category", levels=(0, 1))))
    return Cohort(pl.DataFrame({"arms": arms, "treat": treat}, schema={"arms": pl.Int64, "treat": pl.Int64}), schema)


def test_follows_learns_from_train_and_judges_others() -> None:
    train = _arms([0, 0, 1, 1, 2, None], [0, 0, 1, 1, None, 1])
    (rule,) = learn([parse("treat follows arms", train.schema)], train)
    assert not rule.broken(train).any()
    other = _arms([0, 0, 0, 1, 2, 2, None, 1], [1, 1, 0, 1, 1, None, 0, None])
    assert rule.broken(other).tolist() == [True, True, False, False, True, False, False, False]
    unlearnt = parse("treat follows arms", train.schema)
    assert unlearnt.broken(other).tolist() == [False, False, True, False, False, False, False, False]


def test_written_table_is_not_learnt_over() -> None:
    train = _arms([0, 0, 1], [1, 1, 1])
    rule = parse("treat follows arms {0: 0, 1: 1}", train.schema)
    (bound,) = learn([rule], train)
    assert bound.broken(train).tolist() == [True, True, False]


def test_learnt_table_is_never_shown() -> None:
    train = _arms([0, 0, 1], [1, 1, 1])
    (rule,) = learn([parse("treat follows arms", train.schema)], train)
    assert isinstance(rule, RowRule)
    assert rule.table is not None
    assert "shape" not in repr(rule)
    assert "DataFrame" not in repr(rule)


def test_dates_and_text_are_read_as_written() -> None:
    schema = Schema((Column("d", "date"), Column("t", "category")))
    frame = pl.DataFrame({"d": [date(2020, 1, 30), date(2020, 1, 31), None], "t": ['say "x"\\', "y", None]})
    cohort = Cohort(frame, schema)
    assert parse("d >= date(2020-01-31)", schema).broken(cohort).tolist() == [True, False, False]
    assert parse('t == "say \\"x\\"\\\\"', schema).broken(cohort).tolist() == [False, True, False]
