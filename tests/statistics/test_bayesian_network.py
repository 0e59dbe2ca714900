"""The network's two faces: parents found and paid for under a budget, learnt from the rows without one; rows that follow its tables."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.generators.bayesian_network import BayesianNetwork
from twinset.generators.bayesian_network.ordinary import NetworkModel
from twinset.generators.marginals import MarginalsModel

DELTA = 1e-9
NAMES = ("seed", "left", "right", "both", "alone", "gap")


def star(n: int = 6000) -> Cohort:
    """``left`` and ``right`` follow ``seed`` and nothing else; ``both`` is, mostly, whether one and only one of ``seed`` and ``left`` is 1; ``alone`` follows nothing; ``gap`` is missing with ``left``."""
    rng = np.random.default_rng(0)
    seed = rng.integers(0, 3, n)
    left, right = ((seed + (rng.random(n) < share)) % 3 for share in (0.35, 0.15))
    both = np.where(rng.random(n) < 0.1, rng.integers(0, 2, n), (left == 1) ^ (seed == 1)).astype(int)
    gap = np.where((left == 2) & (rng.random(n) < 0.7), None, rng.integers(0, 2, n))
    frame = pl.DataFrame(
        {"seed": seed, "left": left, "right": right, "both": both, "alone": rng.integers(0, 4, n), "gap": pl.Series(gap.tolist(), dtype=pl.Int64)}
    )
    sizes = (3, 3, 3, 2, 4, 2)
    return Cohort(frame, Schema(tuple(Column(c, "category", levels=tuple(range(k)), origin="public") for c, k in zip(NAMES, sizes, strict=True))))


def private(train: Cohort, epsilon: float, **settings: object) -> tuple[MarginalsModel, Ledger]:
    ledger = Ledger()
    model = BayesianNetwork(**settings).fit(Vault(train, ledger, Allowance(rho_of(epsilon, DELTA))), stream(0, "fit"))  # type: ignore[arg-type]
    assert isinstance(model, MarginalsModel)
    return model, ledger


def ordinary(train: Cohort, **settings: object) -> NetworkModel:
    model = BayesianNetwork(**settings).fit(Vault(train, Ledger()), stream(0, "fit"))  # type: ignore[arg-type]
    assert isinstance(model, NetworkModel)
    return model


def distance(one: Cohort, other: Cohort, columns: tuple[str, ...]) -> float:
    """Total variation of the joint table of some columns, missing a level."""
    tables = [{tuple(row[:-1]): row[-1] / len(c) for row in c.frame.group_by(columns).len().iter_rows()} for c in (one, other)]
    return 0.5 * sum(abs(tables[0].get(k, 0.0) - tables[1].get(k, 0.0)) for k in set(tables[0]) | set(tables[1]))


def families(ledger: Ledger) -> list[set[str]]:
    return [set(e.name.split(" x ")) for e in ledger.events if e.mechanism == "discrete-gaussian" and " x " in e.name]


@pytest.mark.parametrize("degree", [1, 2])
def test_private_families_are_those_of_the_truth(degree: int) -> None:
    _, ledger = private(star(), 5.0, degree=degree, further_share=0.0)
    found = families(ledger)
    assert len(found) == len(NAMES) - 1
    assert max(map(len, found)) == degree + 1
    pairs = {frozenset(p) for f in found for p in itertools.combinations(f, 2)}
    assert {frozenset(("seed", "left")), frozenset(("seed", "right")), frozenset(("left", "gap"))} <= pairs or degree == 2
    if degree == 2:
        assert {"seed", "left", "both"} in found  # no pair shows the exclusive or: the pair of parents does


def test_the_private_bill_is_the_allowance() -> None:
    for further in (0.0, 0.5):
        _, ledger = private(star(500), 2.0, further_share=further)
        assert 0.99 * rho_of(2.0, DELTA) < ledger.rho <= rho_of(2.0, DELTA) * (1 + 1e-9)
        assert {e.mechanism for e in ledger.events} == {"discrete-gaussian", "noisy-max"}


def test_private_families_stay_useful() -> None:
    """Where no table is useful enough, the smallest is measured: one parent."""
    _, strict = private(star(), 5.0, further_share=0.0, useful=1e6)
    _, usual = private(star(), 5.0, further_share=0.0)
    assert max(map(len, families(strict))) == 2
    assert max(map(len, families(usual))) == 3


def test_a_wide_table_has_one_parent_a_column() -> None:
    _, ledger = private(star(), 5.0, wide=5, further_share=0.0)
    assert max(map(len, families(ledger))) == 2


def test_the_outcome_has_no_parents_and_many_children() -> None:
    train = star()
    _, ledger = private(train, 5.0, focus=("alone",), further_share=0.0)
    assert all("alone" in f for f in families(ledger)[:1])


@pytest.mark.parametrize("face", ["private", "ordinary"])
def test_rows_follow_the_truth(face: str) -> None:
    """Pairs, the exclusive or in three columns, and siblings that are independent given their parent. Independent columns would read 0.2 and more on the first two."""
    train = star()
    model = private(train, 5.0)[0] if face == "private" else ordinary(train)
    out = model.sample(len(train), stream(1))
    assert distance(train, out, ("seed", "left")) < 0.03
    assert distance(train, out, ("seed", "left", "both")) < 0.06
    assert distance(train, out, ("alone", "both")) < 0.04
    assert distance(train, out, ("seed", "left", "right")) < 0.05
    assert out["gap"].null_count() / len(out) == pytest.approx(train["gap"].null_count() / len(train), abs=0.02)
    assert distance(train, out, ("left", "gap")) < 0.03


def test_independent_columns_fail_that_test() -> None:
    train = star()
    shuffled = Cohort(train.frame.select([pl.col(c).shuffle(seed=i) for i, c in enumerate(NAMES)]), train.schema)
    assert distance(train, shuffled, ("seed", "left")) > 0.2
    assert distance(train, shuffled, ("seed", "left", "both")) > 0.2


def test_the_ordinary_one_learns_the_order_of_the_truth() -> None:
    model = ordinary(star())
    names = model.domain.names
    parents = {names[f.child]: {names[p] for p in f.parents} for f in model.families}
    assert parents["seed"] == set()
    assert not parents["alone"]
    assert not any("alone" in p for p in parents.values())
    assert {"seed", "left"} <= parents["both"] or "both" in parents["left"]
    seen: set[int] = set()
    for family in model.families:
        assert set(family.parents) <= seen
        assert np.allclose(family.table.sum(axis=1), 1.0)
        seen.add(family.child)


@pytest.mark.parametrize("settings", [{"max_parents": 1}, {"family_cells": 12}])
def test_ordinary_families_stay_within_their_limits(settings: dict[str, object]) -> None:
    model = ordinary(star(), **settings)
    assert max(len(f.parents) for f in model.families) <= 1 + ("family_cells" in settings)
    assert "family_cells" not in settings or max(f.table.size for f in model.families) <= 12


def test_ordinary_numbers_come_back_in_the_gaps_of_none() -> None:
    """Few values come back as they are; many within train's range, with a spike still a spike; missing stays missing."""
    rng = np.random.default_rng(2)
    n = 3000
    gain = np.where(rng.random(n) < 0.8, 0.0, rng.lognormal(7, 1, n))
    frame = pl.DataFrame({"grade": rng.choice([0.5, 0.1 + 0.2, 7.0], n), "gain": gain, "weeks": rng.choice([1, 2, 40], n)})
    frame = frame.with_columns(gain=pl.when(pl.Series(rng.random(n) < 0.1)).then(None).otherwise(pl.col("gain")))
    train = Cohort(frame, Schema((Column("grade", "number"), Column("gain", "number"), Column("weeks", "integer"))))
    out = ordinary(train).sample(n, stream(1))
    assert set(out["grade"]) == set(frame["grade"])
    assert set(out["weeks"]) == {1, 2, 40}
    assert (out["gain"] == 0.0).mean() == pytest.approx((frame["gain"] == 0.0).mean(), abs=0.01)
    assert out["gain"].null_count() == pytest.approx(frame["gain"].null_count(), abs=2)
    assert float(out["gain"].max()) <= float(frame["gain"].max())  # type: ignore[arg-type]
    assert math.isclose(float(out["gain"].mean()), float(frame["gain"].mean()), rel_tol=0.1)  # type: ignore[arg-type]
