"""Every look is billed before it is answered, and refused where a bound is not declared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput, BudgetExhausted, SchemaMismatch

ARM = Column("arm", "category", levels=(0, 1, 2), origin="public")
SEX = Column("sex", "category", levels=("f", "m"), origin="public")
FRAME = pl.DataFrame({"arm": [0, 0, 1, 2, None] * 20, "sex": ["f", "m", "f", None, "m"] * 20, "age": list(range(100)), "site": ["north", "south"] * 50})
COHORT = Cohort(FRAME, Schema((ARM, SEX, Column("age", "integer", low=0, high=120, origin="public"), Column("site", "category", levels=("north", "south")))))
SIGMA = 0.05  # so little noise that a count is the count


def test_reveal_gives_the_rows_and_bills_infinity() -> None:
    ledger = Ledger()
    assert Vault(COHORT, ledger).reveal("because") is COHORT
    assert [(e.mechanism, e.why) for e in ledger.events] == [("reveal", "because")]


def test_a_marginal_counts_with_a_last_cell_for_missing() -> None:
    ledger = Ledger()
    measured = Vault(COHORT, ledger).marginal(["arm", "sex"], sigma=SIGMA)
    assert measured.clique == ("arm", "sex")
    assert measured.counts.shape == (4, 3)
    assert measured.counts.dtype == np.int64
    expected = np.zeros((4, 3), dtype=int)
    for arm, sex in zip(FRAME["arm"], FRAME["sex"], strict=True):
        expected[3 if arm is None else arm, 2 if sex is None else "fm".index(sex)] += 1
    assert np.array_equal(measured.counts, expected)
    assert ledger.rho == pytest.approx(0.5 / SIGMA**2)


def test_axes_follow_the_order_asked() -> None:
    vault = Vault(COHORT, Ledger())
    assert np.array_equal(vault.marginal(["sex", "arm"], sigma=SIGMA).counts, vault.marginal(["arm", "sex"], sigma=SIGMA).counts.T)


def test_no_columns_is_the_noisy_row_count() -> None:
    ledger = Ledger()
    measured = Vault(COHORT, ledger).marginal([], sigma=SIGMA)
    assert measured.counts.shape == ()
    assert int(measured.counts) == 100
    assert ledger.events[0].name == "row count"


def test_a_level_that_never_occurs_still_has_its_cell() -> None:
    cohort = Cohort(FRAME, COHORT.schema.with_column(replace(ARM, levels=(0, 1, 2, 3))))
    assert Vault(cohort, Ledger()).marginal(["arm"], sigma=SIGMA).counts.tolist() == [40, 20, 20, 0, 20]


@pytest.mark.parametrize("column", ["age", "site"])
def test_undeclared_domains_are_refused_and_not_billed(column: str) -> None:
    """A number has no levels; a list read from the rows is not free."""
    ledger = Ledger()
    with pytest.raises(BadInput, match="no declared public levels") as caught:
        Vault(COHORT, ledger).marginal(["arm", column], sigma=1.0)
    assert not ledger.events
    assert "north" not in str(caught.value)


def test_levels_outside_the_declared_ones_are_refused_without_naming_them() -> None:
    cohort = Cohort(FRAME, COHORT.schema.with_column(replace(SEX, levels=("f", "x"))))
    with pytest.raises(SchemaMismatch, match="not declared") as caught:
        Vault(cohort, Ledger()).marginal(["sex"], sigma=1.0)
    assert "'m'" not in str(caught.value)


def test_many_rows_a_patient_are_refused() -> None:
    ledger = Ledger()
    with pytest.raises(BadInput, match="one row per patient"):
        Vault(Cohort(FRAME, replace(COHORT.schema, unit="site")), ledger).marginal(["arm"], sigma=1.0)
    with pytest.raises(BadInput, match="more rows than the bound"):
        Vault(Cohort(FRAME, replace(COHORT.schema, unit="site")), ledger, Allowance(1.0, per_patient=49)).discretise(rho=0.5)
    assert not ledger.events
    assert Vault(Cohort(FRAME, replace(COHORT.schema, unit="age")), ledger).marginal(["arm"], sigma=1.0).counts.shape == (4,)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf")])
def test_noise_without_a_scale_is_refused(sigma: float) -> None:
    ledger = Ledger()
    with pytest.raises(BadInput, match="must be positive"):
        Vault(COHORT, ledger).marginal(["arm"], sigma=sigma)
    assert not ledger.events


def test_the_budget_holds() -> None:
    ledger = Ledger(budget_rho=0.02)
    vault = Vault(COHORT, ledger)
    vault.marginal(["arm"], sigma=5.0)
    with pytest.raises(BudgetExhausted):
        vault.marginal(["sex"], sigma=5.0)
    assert len(ledger.events) == 1


PAIRS = (("arm", "sex"), ("arm",), ("sex",))


def choose(vault: Vault, estimates: np.ndarray, *, epsilon: float = 50.0, allowed: tuple[bool, ...] = (True,) * 3) -> int:
    return vault.choose(PAIRS, estimates, weights=np.ones(3), penalties=np.zeros(3), allowed=np.array(allowed), epsilon=epsilon)


def truth() -> list[np.ndarray]:
    vault = Vault(COHORT, Ledger())
    return [vault.marginal(names, sigma=SIGMA).counts.ravel().astype(float) for names in PAIRS]


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_the_marginal_that_is_wrong_is_chosen(wrong: int) -> None:
    """With much budget the worst is found; a place that may not win does not."""
    tables = truth()
    tables[wrong] = tables[wrong][::-1].copy()
    ledger = Ledger()
    vault = Vault(COHORT, ledger)
    vault.marginal(["arm", "sex"], sigma=1.0)
    assert choose(vault, np.concatenate(tables)) == wrong
    assert choose(vault, np.concatenate(tables), allowed=tuple(i != wrong for i in range(3))) != wrong
    assert [e.mechanism for e in ledger.events] == ["discrete-gaussian", "noisy-max", "noisy-max"]
    assert ledger.events[1].rho == pytest.approx(50.0**2 / 8)


def test_nothing_to_choose_from() -> None:
    vault = Vault(COHORT, Ledger())
    vault.marginal(["arm", "sex"], sigma=1.0)
    with pytest.raises(BadInput, match="nothing to choose"):
        choose(vault, np.concatenate(truth()), allowed=(False, False, False))


def test_a_choice_beyond_the_allowance_is_refused() -> None:
    vault = Vault(COHORT, Ledger(), Allowance(1.0))
    vault.marginal(["arm", "sex"], sigma=1.0)
    with pytest.raises(BudgetExhausted):
        choose(vault, np.concatenate(truth()), epsilon=3.0)


def test_training_is_not_built_and_says_so() -> None:
    with pytest.raises(BadInput, match="not available yet"):
        Vault(COHORT, Ledger()).train(lambda: None, clip=1.0, noise_multiplier=1.0, rate=0.1, steps=1)


def test_repr_is_silent() -> None:
    assert repr(Vault(COHORT, Ledger())) == "Vault(4 columns, Ledger(0 events, rho = 0, unit = row))"
