"""The 95 % intervals of answers hold the population's value: sampling and noise both count, and a twin that forgets the noise is seen.

Seeded: cohorts are drawn by numpy, and the noise with them (rounded normal, which at these scales is the discrete Gaussian to the digit), so that no
test here fails by luck. That the vault's own noise is as large as it says is tested in ``test_noise``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from twinset.asking.estimate import GRAIN, Sums, Told, count, mean, quantile, share
from twinset.asking.hazard import hazard_ratio

N, RUNS = 400, 2000
SIGMA = 9.0  # about that of epsilon = 0.7
LEAST, MOST = 0.935, 0.985  # 3 standard deviations of 2,000 runs below 0.95; above: intervals so wide that nobody would use them
Draw = Callable[[np.random.Generator, float], tuple[Told, float]]


def noise(rng: np.random.Generator, size: int | tuple[int, ...], sigma: float) -> np.ndarray:
    return np.rint(rng.normal(0, sigma, size))


def a_count(rng: np.random.Generator, told_sigma: float) -> tuple[Told, float]:
    return count(float(rng.poisson(60) + noise(rng, 1, SIGMA)[0]), sigma=told_sigma), 60.0


def a_share(rng: np.random.Generator, told_sigma: float) -> tuple[Told, float]:
    yes = rng.binomial(N, 0.07)
    found = np.array([yes, N - yes]) + noise(rng, 2, SIGMA)
    return share(*found, sigma=told_sigma), 0.07


def a_mean(rng: np.random.Generator, told_sigma: float, sigma: float = SIGMA) -> tuple[Told, float]:
    half = 50.0
    steps = rng.binomial(100, 0.2, N) - half + 10 * (rng.random(N) < 0.1)
    truth = 100 * 0.2 - half + 1.0
    squares = np.rint((steps / half) ** 2 * GRAIN) - GRAIN // 2
    scales = 1.0, half, GRAIN / 2
    n, total, second = (x + noise(rng, 1, sigma * s)[0] for x, s in zip((N, steps.sum(), squares.sum()), scales, strict=True))
    return mean(Sums(n, total, second, *(told_sigma * s for s in scales), half=half)), truth


def a_quantile(rng: np.random.Generator, told_sigma: float) -> tuple[Told, float]:
    edges = np.linspace(0.0, 6.0, 31)
    counts = np.histogram(np.minimum(rng.exponential(1.0, N), 5.9), edges)[0] + noise(rng, 30, SIGMA)
    return quantile(counts, edges, 0.7, sigma=told_sigma, within=(0.0, 6.0)), -float(np.log(0.3))


def a_whole_quantile(rng: np.random.Generator, told_sigma: float) -> tuple[Told, float]:
    counts = np.bincount(rng.binomial(20, 0.3, N), minlength=21) + noise(rng, 21, SIGMA)
    return quantile(counts, np.arange(22.0), 0.6, sigma=told_sigma, within=(0.0, 21.0), whole=True), 6.0


def an_effect(rng: np.random.Generator, told_sigma: float) -> tuple[Told, float]:
    edges = np.array([0.0, 100, 200, 300, 400, 600, 1000])
    counts = np.zeros((2, 6, 2))
    for arm, hazard in enumerate((0.002, 0.001)):
        death, end = rng.exponential(1 / hazard, 2 * N), rng.uniform(100, 1000, 2 * N)
        for happened in (0, 1):
            counts[arm, :, happened] = np.histogram(np.minimum(death, end)[(death <= end) == happened], edges)[0]
    return hazard_ratio(counts + noise(rng, (2, 6, 2), SIGMA), edges, 1, sigma=told_sigma), 0.5


def covered(draw: Draw, told_sigma: float, runs: int = RUNS) -> float:
    rng = np.random.default_rng(20)
    hits = 0
    for _ in range(runs):
        told, truth = draw(rng, told_sigma)
        hits += told.low <= truth <= told.high
    return hits / runs


@pytest.mark.parametrize(
    ("draw", "most"), [(a_count, MOST), (a_share, MOST), (a_mean, MOST), (a_quantile, 0.995), (a_whole_quantile, 0.995), (an_effect, MOST)]
)
def test_an_interval_holds_the_truth(draw: Draw, most: float) -> None:
    """A quantile's interval ends at edges of cells, so it holds more often than it says."""
    assert LEAST <= covered(draw, SIGMA) <= most


@pytest.mark.parametrize("draw", [a_count, a_share, a_mean, a_quantile, a_whole_quantile, an_effect])
def test_an_interval_that_forgets_the_noise_is_seen(draw: Draw) -> None:
    assert covered(draw, 1e-3, runs=600) < LEAST - 0.03


@pytest.mark.parametrize("known", [True, False], ids=["bounded", "twin that takes rows for patients"])
def test_rows_of_one_patient_widen_an_interval(known: bool) -> None:
    """Four equal rows of each patient: the bound on a patient's rows makes up for it; without it the truth is missed too often."""
    spread = 4.0 if known else 1.0

    def rows(rng: np.random.Generator, told_sigma: float) -> tuple[Told, float]:
        yes = 4 * rng.binomial(N, 0.3)
        return share(*(np.array([yes, 4 * N - yes]) + noise(rng, 2, SIGMA)), sigma=told_sigma, spread=spread), 0.3

    assert (covered(rows, SIGMA) >= LEAST) == known


def test_a_mean_that_forgets_the_sampling_is_seen() -> None:
    """With little noise, so that patients count more."""

    def twin(rng: np.random.Generator, told_sigma: float) -> tuple[Told, float]:
        told, truth = a_mean(rng, told_sigma, sigma=told_sigma)
        assert told.value is not None
        return Told(told.value, told.value - 1.96 * told.noise, told.value + 1.96 * told.noise, told.n, told.noise), truth

    assert covered(twin, 2.0) < LEAST - 0.05


@pytest.mark.parametrize("draw", [a_count, a_share, a_mean, an_effect])
def test_values_are_right_on_average(draw: Draw) -> None:
    """To 3 % of the truth (10 % for the ratio of two noisy figures), and to four standard errors of the runs: a bias of the noise or of a scale would show."""
    rng = np.random.default_rng(21)
    values = np.array([(told.value, truth) for told, truth in (draw(rng, SIGMA) for _ in range(600)) if told.value is not None])
    assert len(values) > 0.95 * 600
    gap = values[:, 0] - values[:, 1]
    assert abs(gap.mean()) <= max(4 * gap.std() / len(gap) ** 0.5, (0.1 if draw is an_effect else 0.03) * abs(values[0, 1]))


@pytest.mark.parametrize("sigma", [1e-6, 3.0, 40.0, 1000.0])
def test_an_interval_holds_its_value_whatever_the_noise(sigma: float) -> None:
    rng = np.random.default_rng(3)
    for draw in (a_count, a_share, a_mean, a_quantile, a_whole_quantile, an_effect):
        for _ in range(20):
            told, _ = draw(rng, sigma)
            assert told.value is None or told.low <= told.value <= told.high, draw


def test_a_group_that_noise_drowns_is_told_as_such() -> None:
    for told, low, high in (
        (share(3, 5, sigma=10), 0.0, 1.0),
        (mean(Sums(8, 3, 2, 10, 500, 1e6, half=50)), -50.0, 50.0),
        (quantile(np.array([3.0, -1, 4]), np.arange(4.0), 0.5, sigma=10, within=(0.0, 3.0)), 0.0, 3.0),
    ):
        assert (told.value, told.low, told.high) == (None, low, high)
