"""Budgets to rho and back, what an attacker gains, and the second opinion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from twinset.dp import events, noise
from twinset.dp.accountant import advantage, epsilon, guess, pld_epsilon, rho_of, total_rho
from twinset.errors import BadInput


@given(st.floats(0.001, 200), st.floats(1e-15, 0.01))
def test_rho_of_is_the_inverse_and_never_too_much(asked: float, delta: float) -> None:
    rho = rho_of(asked, delta)
    assert epsilon(rho, delta) <= asked
    assert epsilon(rho * (1 + 1e-6), delta) >= asked * (1 - 1e-4)


@pytest.mark.parametrize("asked, rho", [(1.0, 0.01497), (5.0, 0.31169), (10.0, 1.09079)])
def test_rho_of_the_field_notes(asked: float, rho: float) -> None:
    assert rho_of(asked, 1e-9) == pytest.approx(rho, abs=1e-5)


@pytest.mark.parametrize("asked, delta", [(0.0, 1e-9), (-1.0, 1e-9), (math.inf, 1e-9), (1.0, 0.0), (1.0, 1.0), (math.nan, 1e-9)])
def test_a_budget_must_make_sense(asked: float, delta: float) -> None:
    with pytest.raises(BadInput, match="epsilon > 0"):
        rho_of(asked, delta)


@pytest.mark.parametrize("rho", [1e-4, 0.015, 0.3, 1.0, 4.0])
def test_the_advantage_bounds_the_gaussians_true_one_and_not_absurdly(rho: float) -> None:
    """Gaussian noise of this rho has total variation 2 Phi(mu / 2) - 1, mu = sqrt(2 rho)."""
    true = 2 * norm.cdf(math.sqrt(2 * rho) / 2) - 1
    assert true <= advantage(rho) <= min(1.0, 1.6 * true)
    assert guess(advantage(rho)) == pytest.approx(0.5 + advantage(rho) / 2)


def test_the_advantage_of_nothing_and_of_everything() -> None:
    assert advantage(0.0) == 0.0
    assert advantage(math.inf) == 1.0
    assert advantage(0.1, 0.01) == pytest.approx(advantage(0.1) + 0.01)


def test_the_second_opinion_is_tighter_on_plain_noise_and_bears_selections() -> None:
    pytest.importorskip("dp_accounting")
    plain = [events.gaussian("a", sigma=12.0, sensitivity=1.0)] * 40
    assert pld_epsilon(plain, 1e-9) == pytest.approx(3.079, abs=0.01)  # the notes: PLD 3.079, zCDP 3.235
    assert epsilon(total_rho(plain), 1e-9) == pytest.approx(3.235, abs=0.01)
    mixed = [*plain, *[events.noisy_max("b", epsilon=0.05)] * 20]
    assert pld_epsilon(plain, 1e-9) < pld_epsilon(mixed, 1e-9) < epsilon(total_rho(mixed), 1e-9)
    assert math.isinf(pld_epsilon([*plain, events.reveal("x")], 1e-9))


def divergence(a: np.ndarray, b: np.ndarray, level: float) -> float:
    """The hockey-stick divergence of two distributions on the same places."""
    return float(np.maximum(a - math.exp(level) * b, 0.0).sum())


def discrete(sigma: float, shift: int) -> np.ndarray:
    weight = np.exp(-((np.arange(-40, 41) - shift) ** 2) / (2 * sigma**2))
    return np.asarray(weight / weight.sum())


@pytest.mark.parametrize("sigma, shifts", [(1.2, (1,)), (1.2, (1, 1)), (3.0, (2,)), (3.0, (1, 1, 1)), (3.0, (2, 1)), (2.5, (3,))])
def test_the_loss_of_whole_noise_is_never_told_too_small(sigma: float, shifts: tuple[int, ...]) -> None:
    """Brute force over every outcome. The twin, continuous noise of the same scale (what dp-accounting has an event for), is too small: discrete noise loses more."""
    pytest.importorskip("dp_accounting")
    from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

    from twinset.dp.accountant import _gaussian_loss

    size = math.sqrt(sum(s * s for s in shifts))
    told, twin = _gaussian_loss(sigma, size), from_gaussian_mechanism(sigma / size)
    p, q = np.ones(1), np.ones(1)
    for shift in shifts:
        p, q = np.outer(p, discrete(sigma, 0)).ravel(), np.outer(q, discrete(sigma, shift)).ravel()
    levels = (0.0, 0.05, 0.1, 0.3, 0.6, 1.0, 2.0)
    true = [divergence(p, q, level) for level in levels]
    assert all(told.get_delta_for_epsilon(level) >= t * (1 - 1e-9) for level, t in zip(levels, true, strict=True))
    assert any(twin.get_delta_for_epsilon(level) < t * (1 - 1e-4) for level, t in zip(levels, true, strict=True))


@pytest.mark.parametrize("asked", [0.05, 0.4, 2.0])
def test_the_loss_of_a_selection_is_never_told_too_small(asked: float) -> None:
    """Three selections one after another, each by the exponential mechanism, whose next scores depend on what was chosen; the twin, half as wide, fails."""
    pytest.importorskip("dp_accounting")
    from twinset.dp.accountant import _selection_loss

    rng = np.random.default_rng(0)
    told, twin = _selection_loss(asked).self_compose(3), _selection_loss(asked / 2).self_compose(3)
    twin_fails = False
    for _ in range(60):
        # a tree of choices: at each node another base, and a neighbour whose scores all move by up to 1/2 either way of the sensitivity 1
        p, q = np.ones(1), np.ones(1)
        for depth in range(3):
            base = rng.normal(0, 3, (4**depth, 4))
            moved = base + rng.choice([-1.0, 0.0, 1.0], (4**depth, 4), p=[0.45, 0.1, 0.45])
            a, b = (np.exp(asked * x / 2) for x in (base, moved))
            p = (p[:, None] * a / a.sum(axis=1, keepdims=True)).ravel()
            q = (q[:, None] * b / b.sum(axis=1, keepdims=True)).ravel()
        for level in (0.0, 0.5 * asked, asked):
            for x, y in ((p, q), (q, p)):
                assert told.get_delta_for_epsilon(level) >= divergence(x, y, level) - 1e-12
                twin_fails |= twin.get_delta_for_epsilon(level) < divergence(x, y, level)
    assert twin_fails


def test_prices_follow_from_noise_and_sensitivity() -> None:
    for event in (
        events.gaussian("a", sigma=3.0, sensitivity=2.0),
        events.noisy_max("b", epsilon=0.7),
        events.threshold("c", sigma=9.0, sensitivity=1.0, delta=1e-10),
    ):
        assert events.price(event) == pytest.approx(event.rho, rel=1e-12)
    assert math.isinf(events.price(events.reveal("x")))
    with pytest.raises(BadInput):
        events.threshold("c", sigma=9.0, sensitivity=1.0, delta=0.0)
    with pytest.raises(BadInput):
        events.noisy_max("b", epsilon=math.nan)
    with pytest.raises(BadInput):
        events.gaussian("a", sigma=1.0, sensitivity=math.nan)


@pytest.mark.true_noise
def test_a_noisy_maximum_is_the_exponential_mechanism() -> None:
    """Gumbel noise of scale 2 s / epsilon: shares in proportion to exp(epsilon score / (2 s)). Lines at 5 standard errors: by luck 2 in a million runs."""
    scores, n = np.array([0, 10, 20]), 6000
    drawn = np.bincount([noise.noisy_max(scores, sensitivity=10, epsilon=1.0) for _ in range(n)], minlength=3) / n
    expected = np.exp(scores / 20.0) / np.exp(scores / 20.0).sum()
    assert (np.abs(drawn - expected) < 5 * np.sqrt(expected * (1 - expected) / n)).all()


@pytest.mark.parametrize("scores", [np.zeros(0, dtype=np.int64), np.zeros(3), np.zeros((2, 2), dtype=np.int64)])
def test_a_selection_needs_whole_scores(scores: np.ndarray) -> None:
    with pytest.raises(BadInput):
        noise.noisy_max(scores, sensitivity=1, epsilon=1.0)
