"""Enforcement by redrawing keeps the model's distribution given the rules. Broken twins show what the test catches."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import Rng, stream
from twinset.rules.check import clopper_pearson
from twinset.rules.enforce import Enforced, enforce
from twinset.rules.language import parse

N = 20_000
LEVELS = 6
SCHEMA = Schema((Column("a", "integer"), Column("b", "integer"), Column("c", "integer")))
RULES = (parse("a <= b", SCHEMA), parse("a == 0 -> c >= 3", SCHEMA))
JOINT = stream(1, "joint").dirichlet(np.ones(LEVELS**3) * 2)


def model(n: int, rng: Rng) -> Cohort:
    """Rows from a known joint distribution, sorted: a model need not hand out its rows in random order."""
    cells = np.sort(rng.choice(LEVELS**3, n, p=JOINT))
    a, b, c = np.unravel_index(cells, (LEVELS,) * 3)
    return Cohort(pl.DataFrame({"a": a, "b": b, "c": c}), SCHEMA)


def distance(cohort: Cohort) -> float:
    """Pearson's chi-square of the rows against the known joint given the rules, over its 99.99 % point: above 1 is a fault."""
    cells = pl.DataFrame(dict(zip("abc", np.unravel_index(np.arange(LEVELS**3), (LEVELS,) * 3), strict=True)))
    allowed = ~np.logical_or.reduce([r.broken(Cohort(cells, SCHEMA)) for r in RULES])
    wanted = np.where(allowed, JOINT, 0)
    wanted = wanted / wanted.sum() * len(cohort)
    columns = [cohort[c].to_numpy() for c in "abc"]
    counts = np.bincount(np.ravel_multi_index(columns, (LEVELS,) * 3), minlength=LEVELS**3)  # type: ignore[call-overload]
    assert counts[~allowed].sum() == 0
    statistic = ((counts - wanted)[allowed] ** 2 / wanted[allowed]).sum()
    return float(statistic / chi2.ppf(0.9999, allowed.sum() - 1))


def test_redrawn_rows_follow_the_model_given_the_rules() -> None:
    done = enforce(model(N, stream(2, "model")), RULES, model, stream(2, "enforce"))
    assert done.n_cells == 0
    assert done.n_redrawn > N / 3
    assert distance(done.cohort) < 1


def first_fit(cohort: Cohort) -> Cohort:
    """Twin: takes the first rows that fit instead of a random choice of them."""
    broken = np.logical_or.reduce([r.broken(cohort) for r in RULES])
    more = model(4 * N, stream(3, "more"))
    fit = np.flatnonzero(~np.logical_or.reduce([r.broken(more) for r in RULES]))[: broken.sum()]
    return Cohort(pl.concat([cohort.frame.filter(~broken), more.frame[fit]]), SCHEMA)


def swapped(cohort: Cohort) -> Cohort:
    """Twin: repairs a row in place (exchanging a and b, lifting c) instead of drawing another."""
    a, b, c = (cohort[x].to_numpy() for x in "abc")
    low, high = np.minimum(a, b), np.maximum(a, b)
    return Cohort(pl.DataFrame({"a": low, "b": high, "c": np.where((low == 0) & (c < 3), 3, c)}), SCHEMA)


def one_rule_at_a_time(cohort: Cohort) -> Cohort:
    """Twin: 5 % of the redrawn rows copy one row that fits."""
    done = enforce(cohort, RULES, model, stream(2, "enforce")).cohort.frame
    return Cohort(pl.concat([done[: -N // 50], done[[0] * (N // 50)]]), SCHEMA)


@pytest.mark.parametrize("twin", [first_fit, swapped, one_rule_at_a_time])
def test_broken_twins_are_caught(twin: object) -> None:
    assert callable(twin)
    assert distance(twin(model(N, stream(2, "model")))) > 1.5


def test_rows_that_fit_are_never_touched() -> None:
    cohort = model(2_000, stream(4, "model"))
    done: Enforced = enforce(cohort, RULES, model, stream(4, "enforce"))
    fit = ~np.logical_or.reduce([r.broken(cohort) for r in RULES])
    assert done.cohort.frame.filter(fit).equals(cohort.frame.filter(fit))
    assert done.n_redrawn == int((~fit).sum())


def test_exact_interval_covers_at_least_as_often_as_it_says() -> None:
    """Coverage computed, not simulated, for shares that rules are broken at; an interval for 90 % in its place is caught."""
    from scipy.stats import binom

    for n, p in ((50, 0.01), (200, 0.005), (200, 0.2)):
        counts = np.arange(n + 1)
        weights = binom.pmf(counts, n, p)
        covered = {
            level: sum(w for k, w in zip(counts, weights, strict=True) if (i := clopper_pearson(int(k), n, level=level))[0] <= p <= i[1])
            for level in (0.95, 0.8)
        }
        assert covered[0.95] >= 0.95
    assert covered[0.8] < 0.95
