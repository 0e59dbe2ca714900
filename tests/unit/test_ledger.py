"""The ledger only grows, adds up, and stops at its budget."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.dp.accountant import epsilon, total_rho
from twinset.dp.events import gaussian, reveal
from twinset.dp.ledger import Ledger
from twinset.errors import BudgetExhausted


def test_costs_add() -> None:
    ledger = Ledger()
    for sigma in (1.0, 2.0, 10.0):
        ledger.bill(gaussian("a", sigma=sigma, sensitivity=1.0))
    assert ledger.rho == pytest.approx(0.5 + 0.125 + 0.005)
    assert ledger.bounded
    assert len(ledger.events) == 3


def test_an_empty_ledger_claims_nothing() -> None:
    assert not Ledger().bounded
    assert Ledger().rho == 0
    assert Ledger().epsilon(1e-6) == 0


def test_a_reveal_is_infinite_for_ever() -> None:
    ledger = Ledger(budget_rho=0.1)
    ledger.bill(reveal("trees"))
    ledger.bill(gaussian("a", sigma=10.0, sensitivity=1.0))
    assert math.isinf(ledger.rho)
    assert math.isinf(ledger.epsilon(1e-6))
    assert not ledger.bounded


def test_the_budget_stops_the_look_before_it_is_written() -> None:
    ledger = Ledger(budget_rho=0.01)
    ledger.bill(gaussian("a", sigma=10.0, sensitivity=1.0))
    ledger.bill(gaussian("b", sigma=10.0, sensitivity=1.0))  # exactly spent
    before = ledger.events
    with pytest.raises(BudgetExhausted, match="does not cover `c`") as caught:
        ledger.bill(gaussian("c", sigma=1e3, sensitivity=1.0))
    assert caught.value.exit_code == 3
    assert ledger.events == before


@given(st.lists(st.floats(0.5, 100), max_size=20), st.floats(0.001, 2))
def test_no_order_of_looks_outspends_a_budget(sigmas: list[float], budget: float) -> None:
    ledger = Ledger(budget_rho=budget)
    for sigma in sigmas:
        event = gaussian("a", sigma=sigma, sensitivity=1.0)
        fits = total_rho([*ledger.events, event]) <= budget
        try:
            ledger.bill(event)
        except BudgetExhausted:
            assert not fits
        assert ledger.rho <= budget * (1 + 1e-9)


def test_events_cannot_be_taken_back() -> None:
    ledger = Ledger()
    ledger.bill(reveal("x"))
    assert isinstance(ledger.events, tuple)
    with pytest.raises(AttributeError):
        ledger.events = ()  # type: ignore[misc]


def test_the_ledger_is_plain_json() -> None:
    ledger = Ledger(unit="patient")
    ledger.bill(reveal("trees: all rows"))
    written = json.loads(json.dumps(ledger.to_dict(), allow_nan=False))
    assert written["rho"] == "infinite"
    assert written["unit"] == "patient"
    assert written["events"][0]["why"] == "trees: all rows"


@pytest.mark.parametrize("rho, delta", [(0.005, 1e-6), (0.1, 1e-5), (0.5, 1e-6), (3.0, 1e-9)])
def test_epsilon_against_brute_force_over_orders(rho: float, delta: float) -> None:
    """Canonne, Kamath and Steinke 2020, proposition 12, minimised on a grid; and never above Bun and Steinke's loose form."""
    orders = [1 + math.exp(-10 + 25 * i / 20_000) for i in range(20_000)]
    grid = min(a * rho + math.log1p(-1 / a) - math.log(a * delta) / (a - 1) for a in orders)
    assert epsilon(rho, delta) == pytest.approx(grid, rel=1e-4)
    assert epsilon(rho, delta) <= rho + 2 * math.sqrt(rho * math.log(1 / delta))


def test_epsilon_grows_with_rho_and_falls_with_delta() -> None:
    assert epsilon(0.1, 1e-6) < epsilon(0.2, 1e-6)
    assert epsilon(0.1, 1e-6) > epsilon(0.1, 1e-4)


@pytest.mark.parametrize("rho, delta", [(0.05, 1e-6), (0.5, 1e-5), (2.0, 1e-8)])
def test_epsilon_against_dp_accounting(rho: float, delta: float) -> None:
    """Google's RDP accountant on one Gaussian of the same rho gives nearly the same epsilon (its orders are a finite list)."""
    dp_accounting = pytest.importorskip("dp_accounting")
    accountant = dp_accounting.rdp.RdpAccountant([1 + x / 20 for x in range(1, 4000)])
    accountant.compose(dp_accounting.GaussianDpEvent(1 / math.sqrt(2 * rho)))
    assert epsilon(rho, delta) == pytest.approx(accountant.get_epsilon(delta), rel=2e-3)
