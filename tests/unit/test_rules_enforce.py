"""After enforcement no row breaks a rule, there are as many rows as before, and contradictions are said, not hidden."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.coding.columns import encode
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import Rng, stream
from twinset.errors import RuleInvalid
from twinset.generators.independent import IndependentModel
from twinset.rules.enforce import compute, enforce
from twinset.rules.groups import groups_of, in_order
from twinset.rules.language import learn, parse
from twinset.rules.ranges import schema_rules

SCHEMA = Schema(
    (
        Column("a", "integer", low=0, high=9),
        Column("b", "integer", low=0, high=9),
        Column("c", "integer"),
        Column("x", "number", decimals=2),
        Column("arm", "category", levels=(0, 1, 2, 3)),
        Column("treat", "category", levels=(0, 1)),
        Column("sex", "category", levels=("f", "m")),
        Column("preg", "category", levels=("no", "yes")),
        Column("day", "date"),
        Column("end", "date"),
    )
)


def draw(n: int, rng: Rng) -> Cohort:
    """Independent columns, a tenth of the cells missing."""
    frame = pl.DataFrame(
        {
            "a": rng.integers(0, 10, n),
            "b": rng.integers(0, 10, n),
            "c": rng.integers(0, 30, n),
            "x": np.round(rng.normal(0, 1, n), 2),
            "arm": rng.integers(0, 4, n),
            "treat": rng.integers(0, 2, n),
            "sex": np.array(["f", "m"])[rng.integers(0, 2, n)],
            "preg": np.array(["no", "yes"])[rng.integers(0, 2, n)],
            "day": pl.Series(rng.integers(18_000, 18_100, n).astype(np.int32)).cast(pl.Date),
            "end": pl.Series(rng.integers(18_000, 18_100, n).astype(np.int32)).cast(pl.Date),
        }
    )
    gaps = rng.random((n, len(SCHEMA))) < 0.1
    blanked = [pl.select(pl.when(pl.Series(gaps[:, j])).then(None).otherwise(frame[c]).alias(c)).to_series() for j, c in enumerate(SCHEMA.names)]
    return Cohort(pl.DataFrame(blanked), SCHEMA)


RULES = [
    "a <= b",
    "c = a + b",
    "treat follows arm",
    "preg follows sex, arm",
    'sex == "m" -> preg != "yes"',
    "arm == 0 -> x missing",
    "arm == 1 <-> x present",
    "day <= end",
    "end - day <= 60",
    "a + b <= 12",
    "x > -0.5 or treat == 1",
    'x present -> sex == "f"',
    "a present",
    "not (arm == 2 and treat == 0)",
    "x ~= a / 4 within 1.5",
    "treat follows arm {0: 0, 1: 1, 2: 1}",
    "treat = arm >= 2",
    "b missing <-> end missing",
    "end = day + 7",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(RULES), min_size=1, max_size=7, unique=True), st.integers(0, 10**6), st.integers(1, 120))
def test_no_row_breaks_a_rule_or_the_rules_are_refused(texts: list[str], seed: int, n: int) -> None:
    rules = (*[parse(t, SCHEMA) for t in texts], *schema_rules(SCHEMA))
    cohort = draw(n, stream(seed, "cohort"))
    try:
        done = enforce(cohort, rules, draw, stream(seed, "enforce"))
    except RuleInvalid:  # some of these lists contradict themselves
        return
    assert len(done.cohort) == n
    assert done.cohort.schema == SCHEMA
    assert done.cohort.frame.schema == cohort.frame.schema
    for rule in rules:
        assert not rule.broken(done.cohort).any(), rule.name
    again = enforce(cohort, rules, draw, stream(seed, "enforce"))
    assert again.cohort.frame.equals(done.cohort.frame)
    assert (again.n_redrawn, again.n_cells) == (done.n_redrawn, done.n_cells)


@pytest.mark.parametrize("text", RULES)
def test_each_rule_alone_can_be_kept(text: str) -> None:
    cohort = draw(300, stream(1, "alone"))
    rule = parse(text, SCHEMA)
    done = enforce(cohort, [rule], draw, stream(1, "enforce"))
    assert not rule.broken(done.cohort).any()
    assert done.by_rule == {rule.name: int(rule.broken(cohort).sum())}
    untouched = ~rule.broken(cohort)
    assert done.cohort.frame.filter(untouched).equals(cohort.frame.filter(untouched))


def test_rows_that_keep_the_rules_stay_as_drawn() -> None:
    cohort = draw(200, stream(2, "fit"))
    done = enforce(cohort, [parse("c >= 0", SCHEMA)], draw, stream(2, "enforce"))
    assert done.cohort is cohort
    assert (done.n_redrawn, done.n_cells) == (0, 0)


@pytest.mark.parametrize(
    "texts",
    [
        ["a > 5", "a < 3"],
        ["a <= b", "b < a", "a present"],
        ["c = a + b", "c = a + b + 1", "c present", "a present", "b present"],
        ["a > 5", "a <= b", "b < 4"],
        ["treat follows arm {0: 0, 1: 0, 2: 0, 3: 0}", "treat == 1"],
        ["x missing", "x present"],
    ],
)
def test_contradictions_are_refused_by_name_without_values(texts: list[str]) -> None:
    cohort = draw(300, stream(3, "contradiction"))
    rules = [parse(t, SCHEMA, name=f"R{i}") for i, t in enumerate(texts)]
    with pytest.raises(RuleInvalid) as caught:
        enforce(cohort, [*rules, parse("day <= end", SCHEMA, name="innocent")], draw, stream(3, "enforce"))
    assert "`R0`" in caught.value.where
    assert "innocent" not in caught.value.where


def test_what_a_rule_settles_is_computed_not_redrawn() -> None:
    cohort = draw(500, stream(4, "settle"))
    rules = [parse(t, SCHEMA) for t in ("treat follows arm {0: 0, 1: 1, 2: 1, 3: 1}", "c = a + b", "arm == 0 -> x missing")]
    done = enforce(cohort, rules, draw, stream(4, "enforce"))
    assert done.n_redrawn == 0
    assert done.n_cells == sum(done.by_rule.values())
    kept = [c for c in SCHEMA.names if c not in ("treat", "c", "x")]
    assert done.cohort.frame.select(kept).equals(cohort.frame.select(kept))


def test_computed_columns_wait_for_what_they_read() -> None:
    rules = [parse(t, SCHEMA) for t in ("end = day + c", "c = a + b", "a = arm + 1", "arm missing -> a missing")]
    assert in_order(rules)[-1] == 0
    ready, _, cells = compute(draw(200, stream(5, "chain")), rules)
    assert not any(r.broken(ready).any() for r in rules)
    assert cells.max() >= 3


def test_a_circle_is_checked_not_computed() -> None:
    rules = [parse(t, SCHEMA) for t in ("a = b - 1", "b = a + 1", "treat follows arm", "arm follows treat")]
    assert in_order(rules) == (0, 2)
    done = enforce(draw(200, stream(6, "circle")), rules, draw, stream(6, "enforce"))
    assert not any(r.broken(done.cohort).any() for r in rules)


def test_rules_that_share_no_column_are_kept_apart() -> None:
    rules = [parse(t, SCHEMA) for t in ("a <= b", "day <= end", "b < c", "x > 0")]
    assert [(g.rules, g.columns) for g in groups_of(rules)] == [((0, 2), ("a", "b", "c")), ((1,), ("day", "end")), ((3,), ("x",))]


def test_many_rules_seldom_kept_together_are_kept_by_borrowing() -> None:
    names = [f"v{i}" for i in range(30)]
    schema = Schema(tuple(Column(n, "integer") for n in names))

    def sample(n: int, rng: Rng) -> Cohort:
        return Cohort(pl.DataFrame({c: rng.integers(0, 2, n) for c in names}), schema)

    rules = [parse(f"{a} <= {b}", schema) for a, b in zip(names[::2], names[1::2], strict=True)]  # 0.75 ** 15 = 1.3 %
    rules += [parse(f"{c} == 1", schema) for c in names[1::2]]  # now 0.5 ** 15 = 0.003 %
    done = enforce(sample(50, stream(7, "hard")), rules, sample, stream(7, "enforce"))
    assert len(done.cohort) == 50
    assert not any(r.broken(done.cohort).any() for r in rules)
    assert done.n_cells > 0


def test_a_long_chain_that_the_model_never_draws_is_built_cell_by_cell() -> None:
    names = [f"v{i}" for i in range(9)]
    schema = Schema(tuple(Column(n, "integer") for n in names))

    def sample(n: int, rng: Rng) -> Cohort:  # one row in 9! is in order
        return Cohort(pl.DataFrame({c: rng.integers(0, 1000, n) for c in names}), schema)

    rules = [parse(f"{a} <= {b}", schema) for a, b in pairwise(names)]
    done = enforce(sample(50, stream(14, "chain")), rules, sample, stream(14, "enforce"))
    assert not any(r.broken(done.cohort).any() for r in rules)
    assert done.cohort.frame["v5"].n_unique() > 10


def test_a_model_that_never_leaves_gaps_gets_those_the_rules_want() -> None:
    def full(n: int, rng: Rng) -> Cohort:
        return Cohort(pl.DataFrame({"r": rng.integers(0, 2, n), "cd": rng.integers(1, 900, n)}), schema)

    schema = Schema((Column("r", "category", levels=(0, 1)), Column("cd", "integer")))
    rule = parse("r == 0 <-> cd missing", schema)
    cohort = full(400, stream(8, "gaps"))
    done = enforce(cohort, [rule], full, stream(8, "enforce"))
    assert done.n_redrawn == 0
    assert done.cohort["r"].equals(cohort["r"])
    assert done.cohort["cd"].null_count() == int((cohort["r"] == 0).sum())


def test_a_combination_never_seen_gets_one_value() -> None:
    schema = Schema((Column("arm", "integer"), Column("treat", "integer")))
    train = Cohort(pl.DataFrame({"arm": [0, 1], "treat": [0, 1]}), schema)
    (rule,) = learn([parse("treat follows arm", schema)], train)

    def sample(n: int, rng: Rng) -> Cohort:
        return Cohort(pl.DataFrame({"arm": rng.integers(0, 50, n), "treat": rng.integers(0, 3, n)}), schema)

    other = parse("treat >= 1", schema)  # forces redraws that bring combinations of their own
    done = enforce(sample(300, stream(9, "unseen")), [rule, other], sample, stream(9, "enforce"))
    pairs = done.cohort.frame.unique()
    assert pairs["arm"].n_unique() == len(pairs)
    assert 0 not in pairs["arm"]
    assert not rule.broken(done.cohort).any()


def test_rules_on_columns_that_are_not_there_are_passed_over() -> None:
    cohort = draw(50, stream(10, "absent")).select(["a", "b"])
    done = enforce(cohort, [parse("day <= end", SCHEMA)], draw, stream(10, "enforce"))
    assert done.cohort is cohort
    assert done.by_rule == {}


@dataclass(frozen=True)
class NoTwoAlike:
    """A rule of somebody else's that does not tell its columns."""

    name: str = "outside"

    def broken(self, cohort: Cohort) -> np.ndarray:
        return (cohort["a"] == cohort["b"]).fill_null(False).to_numpy()


def test_rules_from_outside_are_kept_too() -> None:
    cohort = draw(200, stream(11, "outside"))
    done = enforce(cohort, [NoTwoAlike(), parse("day <= end", SCHEMA)], draw, stream(11, "enforce"))
    assert not NoTwoAlike().broken(done.cohort).any()
    assert not parse("day <= end", SCHEMA).broken(done.cohort).any()


@pytest.mark.parametrize("n", [0, 1])
def test_the_smallest_cohorts(n: int) -> None:
    done = enforce(draw(n, stream(12, "small")), [parse("a <= b", SCHEMA), parse("a present", SCHEMA)], draw, stream(12, "enforce"))
    assert len(done.cohort) == n


@pytest.mark.data
def test_actg175_from_independent_columns(shared_data: Path) -> None:
    frame = pl.read_csv(shared_data / "actg175.csv").select("age", "arms", "treat", "r", "cd496", "strat", "str2")
    kinds = {"age": "integer", "cd496": "integer"}
    columns = [Column("age", "integer", low=12, high=70) if c == "age" else Column(c, "integer" if c in kinds else "category") for c in frame.columns]
    train = Cohort(frame, Schema(tuple(columns)))
    rules = learn([parse(t, train.schema) for t in ("treat follows arms", "r == 0 <-> cd496 missing", "str2 follows strat")], train)
    assert not any(r.broken(train).any() for r in rules)
    model = IndependentModel(encode(train), dict(train.frame.schema))
    done = enforce(model.sample(1000, stream(13, "actg")), rules, model.sample, stream(13, "enforce"))
    assert not any(r.broken(done.cohort).any() for r in rules)
    assert all(v > 100 for v in done.by_rule.values())
