"""Noisy sums: billed before they are answered, for the most that one patient can move them."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.dp.ledger import Allowance, Ledger, Relation
from twinset.dp.vault import Vault
from twinset.errors import BadInput, BudgetExhausted

SCHEMA = Schema(
    (
        Column("step", "category", levels=(0, 1, 2), origin="public"),
        Column("group", "category", levels=(0, 1), origin="public"),
        Column("age", "number"),
    )
)
ROWS = list(itertools.product((0, 1, 2, None), (0, 1, None)))
WEIGHTS = [np.array(w) for w in ([-3, 0, 3], [1, 2, 7], [-5, -4, -1], [0, 0, 1])]
SIGMA = 0.05  # so little noise that a sum is the sum


def vault(rows: list[tuple], allowed: Allowance | None = None) -> Vault:
    frame = pl.DataFrame([(*r, 1.0) for r in rows], schema={"step": pl.Int64, "group": pl.Int64, "age": pl.Float64}, orient="row")
    return Vault(Cohort(frame, SCHEMA), Ledger(), allowed)


def sums(rows: list[tuple], weights: np.ndarray) -> np.ndarray:
    out = np.zeros(3, dtype=np.int64)  # the last: rows without a group
    for step, group in rows:
        out[2 if group is None else group] += 0 if step is None else weights[step]
    return out


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_a_total_adds_up_the_weights_of_each_group(weights: np.ndarray) -> None:
    """Noise of 0.05 rounds to 0 but once in 10^80."""
    rows = ROWS * 3
    assert np.array_equal(vault(rows).total("step", weights, by=["group"], sigma=SIGMA).counts, sums(rows, weights))
    assert int(vault(rows).total("step", weights, sigma=SIGMA).counts) == sums(rows, weights).sum()


@pytest.mark.parametrize(("relation", "cap"), [("add-remove", 1), ("add-remove", 2), ("replace", 1), ("replace", 2)])
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_no_neighbour_moves_a_total_by_more_than_its_swing(weights: np.ndarray, relation: Relation, cap: int) -> None:
    """Over all patients of so many rows, gone or exchanged for another; and the bound is met where it can be, so that no noise is wasted."""
    patients = [list(p) for p in itertools.combinations_with_replacement(ROWS, cap)]
    swing = vault(ROWS, Allowance(1.0, relation=relation, per_patient=cap)).swing(weights)
    others: list[list[tuple]] = [[]] if relation == "add-remove" else patients
    moved = [float(np.linalg.norm(sums(one, weights) - sums(other, weights))) for one in patients for other in others]
    assert max(moved) == pytest.approx(swing)


def test_a_total_is_billed_before_it_is_answered() -> None:
    made = vault(ROWS, Allowance(0.1))
    made.total("step", WEIGHTS[0], by=["group"], sigma=10.0)
    (event,) = made.ledger.events
    assert (event.sensitivity, event.noise, event.rho) == (3.0, 10.0, pytest.approx(0.045))
    assert "step" in event.name
    with pytest.raises(BudgetExhausted):
        made.total("step", WEIGHTS[0], by=["group"], sigma=1.0)
    assert len(made.ledger.events) == 1


@pytest.mark.parametrize(
    ("column", "weights", "sigma"),
    [
        ("step", np.array([0.5, 1, 2]), 1.0),
        ("step", np.array([1, 2]), 1.0),
        ("step", np.array([1, 2, 2**40]), 1.0),
        ("step", np.array([1, 2, -(2**63)]), 1.0),
        ("step", np.array([1, 2, 3]), 0.0),
        ("age", np.array([1, 2, 3]), 1.0),
    ],
)
def test_what_is_no_total_is_refused_unbilled(column: str, weights: np.ndarray, sigma: float) -> None:
    made = vault(ROWS)
    with pytest.raises(BadInput):
        made.total(column, weights, sigma=sigma)
    assert not made.ledger.events


def test_a_total_on_joined_levels_is_refused() -> None:
    """Its weights would not know their cells."""
    listed = SCHEMA.select(("step", "group"))
    made = Vault(Cohort(pl.DataFrame(ROWS, schema={"step": pl.Int64, "group": pl.Int64}, orient="row"), listed), Ledger())
    domain = made.discretise(rho=0.0)
    made.recode(domain.with_axes({"step": domain["step"].grouped(np.array([0, 0, 1, 2]))}))
    with pytest.raises(BadInput):
        made.total("step", np.array([1, 2, 3]), sigma=1.0)
    assert not made.ledger.events
