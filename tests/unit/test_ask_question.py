"""The language of questions: what is read is what is written, and an error says where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.asking.question import Question, parse
from twinset.core.schema import Column, Schema
from twinset.errors import RuleInvalid
from twinset.rules.tree import And, Chain, Constant, Name, Node, Not, Or, Presence

SCHEMA = Schema(
    (
        Column("age", "integer", low=0, high=100, origin="public"),
        Column("seen on", "date"),
        Column("by", "number"),
        Column("sex", "category", levels=("f", "m"), origin="public"),
        Column("arm `b`", "category", levels=(0, 1), origin="public"),
    )
)

conditions: st.SearchStrategy[Node] = st.recursive(
    st.one_of(
        st.builds(lambda v, op: Chain((Name("age"), Constant(v, "number")), (op,)), st.floats(-1e6, 1e6), st.sampled_from(["<", ">=", "==", "!="])),
        st.builds(lambda v: Chain((Name("sex"), Constant(v, "text")), ("==",)), st.sampled_from(["f", "m"])),
        st.builds(Presence, st.sampled_from(["age", "by", "seen on"]), st.booleans()),
    ),
    lambda inner: st.one_of(st.builds(Not, inner), st.tuples(inner, inner).map(And), st.tuples(inner, inner).map(Or)),
    max_leaves=5,
)
groups = st.lists(st.sampled_from(["sex", "arm `b`"]), unique=True).map(tuple)
wheres = st.none() | conditions
numbers = st.sampled_from(["age", "by", "seen on"])
questions = st.one_of(
    st.builds(lambda by, where: Question("count", by=by, where=where), groups, wheres),
    st.builds(lambda share, by, where: Question("share", share=share, by=by, where=where), conditions, groups, wheres),
    st.builds(lambda column, by, where: Question("mean", column, by=by, where=where), numbers, groups, wheres),
    st.builds(lambda column, at, by, where: Question("quantile", column, at=at, by=by, where=where), numbers, st.floats(1e-6, 1 - 1e-6), groups, wheres),
    st.builds(lambda name, where: Question("effect", endpoint=name, where=where), st.text(max_size=20), wheres),
)


@given(questions)
@settings(deadline=None)
def test_a_question_is_what_it_says(question: Question) -> None:
    """Text that is read gives a text that is read alike. (`and` in `and` is written flat, so trees are compared after one reading.)"""
    once = parse(question.text, SCHEMA)
    assert once.text == question.text
    assert parse(once.text, SCHEMA) == once
    assert (once.kind, once.column, once.at, once.endpoint, once.by) == (question.kind, question.column, question.at, question.endpoint, question.by)


@given(st.text(max_size=60) | st.lists(st.sampled_from([*'()",<=', "count", "mean", "age", "by", "sex", "where", "0.5", " "]), max_size=14).map("".join))
@settings(deadline=None)
def test_any_text_is_a_question_or_an_error(text: str) -> None:
    where = "question, character "
    try:
        parse(text, SCHEMA)
    except RuleInvalid as error:
        where = error.where
    assert where.startswith("question, character ")


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("how many", 1, "no question"),
        ("mean(agee)", 6, "no column"),
        ("mean(sex)", 6, "no number"),
        ("quantile(age, 2)", 15, "between 0 and 1"),
        ("quantile(age)", 13, "expected"),
        ("count() by age", 12, "groups are categories"),
        ("count() by sex, sex", 12, "named twice"),
        ('share(sex == "x")', 14, "not a level"),
        ("share(age)", 7, "a condition is expected"),
        ("share(1 == 1)", 1, "names no column"),
        ("count() where age >= 5 by sex", 24, "end here"),
        ("effect(age)", 8, "expected"),
        ("effect(3)", 8, "name is expected"),
    ],
)
def test_an_error_says_what_and_where(text: str, where: int, said: str) -> None:
    with pytest.raises(RuleInvalid) as caught:
        parse(text, SCHEMA)
    assert caught.value.where == f"question, character {where}"
    assert said in str(caught.value)


def test_a_median_is_a_quantile() -> None:
    assert parse("median(age)", SCHEMA) == parse("quantile( age , .5 )", SCHEMA)


def test_odd_names_are_quoted() -> None:
    question = parse("mean(`seen on`) by `arm ``b```", SCHEMA)
    assert (question.column, question.by) == ("seen on", ("arm `b`",))
    assert question.columns == ("seen on", "arm `b`")
