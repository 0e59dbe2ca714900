"""Vaults broken on purpose, and the tests that must see it. If a mutant survives here, the real vault could rot the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.contracts import Measurement
from twinset.core.schema import Column, Schema
from twinset.dp import events, noise
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.errors import BudgetExhausted

LEVELS = tuple(range(9))
ROWS = np.arange(900) % 9
SCHEMA = Schema((Column("g", "category", levels=LEVELS, origin="public"),))
COHORT = Cohort(pl.DataFrame({"g": ROWS}), SCHEMA)
Make = Callable[[Cohort, Ledger], Vault]


class Unpaid(Vault):
    """Answers a marginal and forgets the bill."""

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        return Measurement(tuple(columns), noise.discrete_gaussian(self._count(columns), sigma=sigma), sigma)


class PaysLater(Vault):
    """Computes first, bills afterwards: an empty purse has already been answered."""

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        self.answered = Measurement(tuple(columns), noise.discrete_gaussian(self._count(columns), sigma=sigma), sigma)
        self.ledger.bill(events.gaussian("g", sigma=sigma, sensitivity=1.0))
        return self.answered


class HalfPrice(Vault):
    """Bills a sensitivity of one half."""

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        self.ledger.bill(events.gaussian("g", sigma=sigma, sensitivity=0.5))
        return Measurement(tuple(columns), noise.discrete_gaussian(self._count(columns), sigma=sigma), sigma)


class Exact(Vault):
    """Bills noise and adds none."""

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        self.ledger.bill(events.gaussian("g", sigma=sigma, sensitivity=1.0))
        return Measurement(tuple(columns), self._count(columns), sigma)


class FreeReveal(Vault):
    """Gives the rows for a finite price."""

    def reveal(self, why: str) -> Cohort:
        self.ledger.bill(events.gaussian(why, sigma=1.0, sensitivity=1.0))
        return self._rows.cohort()


def price_is_right(make: Make) -> None:
    """rho of a marginal is 1 / (2 sigma^2), whatever was asked."""
    for sigma in (1.0, 4.0):
        ledger = Ledger()
        make(COHORT, ledger).marginal(["g"], sigma=sigma)
        assert len(ledger.events) == 1
        assert ledger.rho == pytest.approx(1 / (2 * sigma**2))


def noise_is_there(make: Make) -> None:
    """Two answers to one question differ, and by about sigma."""
    vault = make(COHORT, Ledger())
    gaps = np.concatenate([vault.marginal(["g"], sigma=20.0).counts[:9] - 100 for _ in range(30)])
    assert 15 < gaps.std() < 25


def nothing_on_credit(make: Make) -> None:
    """With an empty purse nothing is counted at all."""
    vault = make(COHORT, Ledger(budget_rho=0.001))
    before = set(vars(vault))
    with pytest.raises(BudgetExhausted):
        vault.marginal(["g"], sigma=1.0)
    assert set(vars(vault)) == before


def rows_cost_everything(make: Make) -> None:
    ledger = Ledger()
    make(COHORT, ledger).reveal("why")
    assert not ledger.bounded


CHECKS = (price_is_right, noise_is_there, nothing_on_credit, rows_cost_everything)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_the_vault_passes(check: Callable[[Make], None]) -> None:
    check(Vault)


@pytest.mark.parametrize(
    "mutant, seen_by",
    [(Unpaid, price_is_right), (PaysLater, nothing_on_credit), (HalfPrice, price_is_right), (Exact, noise_is_there), (FreeReveal, rows_cost_everything)],
)
def test_mutants_are_seen(mutant: Make, seen_by: Callable[[Make], None]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        seen_by(mutant)


def test_one_patient_moves_one_cell_by_one() -> None:
    """Sensitivity by brute force: over every neighbouring table, the true counts differ by an L2 norm of exactly 1."""
    small = pl.DataFrame({"g": [0, 0, 1, None], "h": ["a", "b", "a", None]}, schema={"g": pl.Int64, "h": pl.String})
    schema = Schema((Column("g", "category", levels=(0, 1), origin="public"), Column("h", "category", levels=("a", "b"), origin="public")))
    for columns in ([], ["g"], ["g", "h"]):
        whole = Vault(Cohort(small, schema), Ledger())._count(columns)
        for gone in range(4):
            rest = Vault(Cohort(small[[i for i in range(4) if i != gone]], schema), Ledger())._count(columns)
            assert rest.shape == whole.shape
            assert np.linalg.norm(np.ravel(whole - rest)) == 1
