"""Bounds, bins and levels that nobody declared: found where patients are, paid for in full, silent about one patient. Broken twins are seen."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from twinset.coding.discretise import fine_cells
from twinset.core.cohort import Cohort
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp import discover
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault

N = 4000
RHO = 0.05
SURE = 5.0  # standard errors


def made_up(n: int = N) -> Cohort:
    rng = stream(3, "discover")
    frame = pl.DataFrame(
        {
            "weight": np.round(rng.normal(75, 12, n), 1),
            "cells": rng.poisson(350, n),
            "debt": np.where(rng.random(n) < 0.4, 0, -rng.lognormal(7, 1.5, n).astype(np.int64)),
            "share": rng.beta(2, 5, n) / 100,
            "seen": pl.Series(17_897 + rng.integers(0, 900, n), dtype=pl.Int32).cast(pl.Date),
        }
    )
    kinds = {"weight": "number", "cells": "integer", "debt": "integer", "share": "number", "seen": "date"}
    return Cohort(frame, Schema(tuple(Column(name, kind) for name, kind in kinds.items())))  # type: ignore[arg-type]


def found(cohort: Cohort, *, rho: float = RHO) -> tuple[Domain, Ledger]:
    ledger = Ledger()
    return Vault(cohort, ledger, Allowance(1e9, 0.01)).discretise(rho=rho), ledger


def days(values: pl.Series) -> np.ndarray:
    return values.to_physical().cast(pl.Float64).to_numpy()


def check_bounds() -> None:
    """Over six runs of five columns: noise alone clears the bar once in hundreds of columns, so three are not luck."""
    cohort, missed, wide = made_up(), [], []
    for _ in range(6):
        for axis in found(cohort)[0]:
            values = days(cohort[axis.name])
            assert axis.column.low is not None
            assert axis.column.high is not None
            assert axis.column.origin == "noisy"
            missed += [axis.name] * bool(np.mean((values >= axis.column.low) & (values <= axis.column.high)) < 0.95)
            wide += [axis.name] * bool(max(-axis.column.low, axis.column.high) > 4 * np.abs(values).max())
    assert len(missed) < 3, f"the range found misses patients: {missed}"
    assert len(wide) < 3, f"the range found is far too wide: {wide}"


def shares(axis: Axis, cohort: Cohort) -> np.ndarray:
    """Of patients, of each modelled cell."""
    fine = fine_cells(cohort.select([axis.name]), Domain((axis,)))[0]
    return np.bincount(axis.cell_of[fine], minlength=axis.size) / len(cohort)


def check_bins() -> None:
    cohort = made_up()
    domain = found(cohort)[0]
    for axis in domain:
        most = 0.5 if axis.name == "debt" else 0.25
        assert shares(axis, cohort).max() < most, f"{axis.name}: too many patients in one bin"
        assert axis.size < 40
    debt = domain["debt"]
    nothing = fine_cells(Cohort(pl.DataFrame({"debt": [0]}), Schema((debt.column,))), Domain((debt,)))[0, 0]
    alone = np.flatnonzero(debt.cell_of == debt.cell_of[nothing])
    assert 0.36 < shares(debt, cohort)[debt.cell_of[nothing]] < 0.44, "the spike at nothing is not alone in its bin"
    assert debt.edges[alone.max() + 1] - debt.edges[alone.min()] < 0.01 * (debt.edges[-1] - debt.edges[0])


def test_the_range_found_holds_the_patients() -> None:
    check_bounds()


def test_noise_taken_for_patients_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that counts as occupied at half a standard deviation: the range runs to the ends of the grid."""
    monkeypatch.setattr(discover, "CLEAR", 0.5)
    with pytest.raises(AssertionError, match="far too wide"):
        check_bounds()


def test_patients_taken_for_noise_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "CLEAR", 60.0)
    with pytest.raises(AssertionError, match="misses patients"):
        check_bounds()


def test_bins_hold_even_shares_and_spikes_stand_alone() -> None:
    check_bins()


def test_even_bins_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bins of even width on a skewed column: nearly all patients fall into one."""
    monkeypatch.setattr(discover, "bins", lambda counts, *, sigma: np.arange(len(counts)) * 3 // len(counts))
    with pytest.raises(AssertionError, match="in one bin"):
        check_bins()


@pytest.mark.parametrize("n", [0, 1, 300])
def test_what_is_found_costs_what_was_allowed_whatever_the_rows(n: int) -> None:
    """The bill depends on the columns, not on the patients, and is never above what was asked for."""
    domain, ledger = found(made_up(max(n, 1)).take(np.arange(n)))
    assert 0 < ledger.rho <= RHO
    assert {e.mechanism for e in ledger.events} == {"discrete-gaussian"}
    assert all(a.size >= 1 for a in domain)


def test_what_is_declared_costs_nothing() -> None:
    cohort = Cohort(
        pl.DataFrame({"g": ["a", "b"], "k": [1, 3]}),
        Schema((Column("g", "category", levels=("a", "b"), origin="public"), Column("k", "integer", low=0, high=9, origin="public"))),
    )
    domain, ledger = found(cohort)
    assert ledger.events == ()
    assert domain["g"].levels == ("a", "b")
    assert domain["k"].size == 11  # ten values, and null


def test_a_private_declaration_is_not_believed() -> None:
    """Bounds and levels that were read from the rows (origin "private") are looked for as if they were not there."""
    cohort = made_up()
    schema = Schema(tuple(Column(c.name, c.kind, low=-7e9, high=7e9) for c in cohort.schema))
    assert all((a.column.high or 0) < 1e9 for a in found(Cohort(cohort.frame, schema))[0])


DELTA, CODES = 0.02, 3000


def share_shown(held: int) -> float:
    """Of codes that so many patients hold each."""
    names = [f"code {i}" for i in range(CODES)]
    cohort = Cohort(pl.DataFrame({"code": np.repeat(names, held)}), Schema((Column("code", "category"),)))
    return len(Vault(cohort, Ledger(), Allowance(1e9, DELTA)).discretise(rho=0.5)["code"].levels) / CODES


def check_hidden() -> None:
    assert share_shown(1) <= DELTA + SURE * math.sqrt(DELTA / CODES), "a level of one patient is shown more often than delta"


def test_a_level_of_one_patient_is_hidden_and_one_of_many_found() -> None:
    check_hidden()
    assert share_shown(12) > 0.99


def test_a_lower_threshold_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """1.5 sigma above a patient: one level in fifteen gets through, and delta is no longer true."""
    monkeypatch.setattr(discover, "threshold", lambda reach, **terms: reach[0] + 1.5 * terms["sigma"])
    with pytest.raises(AssertionError, match="more often than delta"):
        check_hidden()


def test_few_patients_spread_over_many_years_are_not_lost() -> None:
    """Thirty patients a year for 25 years, noise of 20: no year is clear by itself, and the dates used to come out as 1970. Seeded noise."""
    column = Column("seen", "date")
    edges = discover.unbounded_grid(column)
    years = np.floor(edges[:-1] / 365.2425 + 1970.5)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        counts = np.where((years >= 1985) & (years <= 2009), 30.0, 0.0) + rng.normal(0, 20.0, len(years))
        counts[counts > 75] = 75.0  # none clear by itself
        first, last = discover.bounds(edges, counts, sigma=20.0)
        found.append(abs(years[first] - 1985) <= 15 and abs(years[last] - 2009) <= 15)
    assert np.mean(found) > 0.85
    assert discover.bounds(edges, np.zeros(len(years)), sigma=20.0) == (120, 120)  # nothing there
