"""Intervals: against references, by simulation, and where samples are tiny."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from twinset.audit import interval
from twinset.errors import BadInput


def test_shares_match_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for k, n in [(0, 20), (3, 20), (20, 20), (57, 1000)]:
        assert interval.wilson(k, n) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-9)
        assert interval.clopper_pearson(k, n, level=0.9) == pytest.approx(proportion_confint(k, n, alpha=0.1, method="beta"), abs=1e-9)


def test_difference_is_newcombes_published_example() -> None:
    """Newcombe 1998, table II, method 10: 56/70 - 48/80."""
    low, high = interval.difference(56, 70, 48, 80)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_auc_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    members, others = rng.integers(0, 6, 40), rng.integers(0, 5, 30)
    pairs = np.sign(members[:, None] - others[None, :]) / 2 + 0.5
    assert interval.auc(members, others)[0] == pytest.approx(pairs.mean())
    assert interval.auc(others, members)[0] == pytest.approx(1 - pairs.mean())


def test_delong_agrees_with_the_bootstrap() -> None:
    """Catches a variance wrong by 25 % (standard error by 12 %)."""
    rng = np.random.default_rng(1)
    members, others = rng.normal(0.8, 1.5, 300), rng.normal(0, 1, 200)
    again = [interval.auc(rng.choice(members, 300), rng.choice(others, 200))[0] for _ in range(1500)]
    low, high = interval.auc(members, others)[1]
    assert (high - low) / (2 * 1.96) == pytest.approx(np.std(again), rel=0.08)


def coverage(ends, m: int, n: int, shift: float, times: int = 400) -> float:
    """How often ``ends(members, others)`` covers the true AUC of two normals."""
    rng, truth = np.random.default_rng(2), NormalDist().cdf(shift / math.sqrt(2))
    hits = [low <= truth <= high for low, high in (ends(rng.normal(shift, 1, m), rng.normal(0, 1, n)) for _ in range(times))]
    return float(np.mean(hits))


@pytest.mark.parametrize("m, n", [(5, 5), (15, 6), (75, 32), (300, 100)])
@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_auc_interval_covers(m: int, n: int, shift: float) -> None:
    assert coverage(lambda a, b: interval.auc(a, b)[1], m, n, shift) >= 0.93


def test_broken_twins_do_not_cover() -> None:
    """Plain DeLong in a tiny sample, and pairs counted as if they were independent."""

    def plain(members: np.ndarray, others: np.ndarray) -> interval.Interval:
        up, down = interval.placements(members, others)
        return interval.normal(up.mean(), math.sqrt(up.var(ddof=1) / len(up) + down.var(ddof=1) / len(down)))

    def pairs(members: np.ndarray, others: np.ndarray) -> interval.Interval:
        n = len(members) * len(others)
        return interval.wilson(interval.auc(members, others)[0] * n, n)

    assert coverage(plain, 15, 6, 2.0) < 0.85
    assert coverage(pairs, 75, 32, 0.0) < 0.6


def test_auc_interval_is_never_of_width_zero() -> None:
    for members, others in [(np.ones(600), np.ones(300)), (np.full(15, 2.0), np.zeros(6))]:
        value, (low, high) = interval.auc(members, others)
        assert low < value <= high
        assert high - low > 0.005
    assert interval.auc(np.full(15, 2.0), np.zeros(6))[1].low > 0.5


def test_bootstrap_of_a_mean_is_its_standard_error() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    low, high = interval.bootstrap(lambda rows: float(x[rows].mean()), 400, rng, times=400)
    assert (low + high) / 2 == pytest.approx(x.mean())
    assert (high - low) / (2 * 1.96) == pytest.approx(x.std(ddof=1) / 20, rel=0.12)


def test_nothing_to_measure() -> None:
    assert interval.wilson(0, 0) == (0.0, 1.0)
    assert interval.clopper_pearson(0, 0) == (0.0, 1.0)
    with pytest.raises(BadInput):
        interval.auc(np.array([]), np.array([1.0]))
    with pytest.raises(BadInput):
        interval.wilson(1, 2, level=95)
