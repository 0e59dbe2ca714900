"""Floors are right: fresh patients score at the floor, and a metric that is blind to a fault shows it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.audit.fidelity.columns import Columns
from twinset.audit.fidelity.hellinger import Hellinger, expected_hellinger
from twinset.audit.fidelity.pairs import Pairs
from twinset.audit.fidelity.variation import expected_variation
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream


def sample(n: int, d: int, seed: int, *, shift: float = 0.0) -> Cohort:
    """Correlated normals, half of them in steps; the first moved by ``shift`` standard deviations."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + rng.normal(size=(n, 1))
    x[:, 0] += shift * np.sqrt(2)
    x[:, d // 2 :] = np.round(x[:, d // 2 :])
    names = [f"c{j}" for j in range(d)]
    return Cohort(pl.DataFrame(dict(zip(names, x.T, strict=True))), Schema(tuple(Column(c, "number") for c in names)))


def plug_in(counts: np.ndarray, k: int) -> float:
    """The broken twin: the expected absolute difference with counts taken for means."""
    n = counts.sum()
    p = counts / n
    return float(0.5 * np.sqrt(2 / np.pi * p * (1 - p) * (1 / n + 1 / k)).sum())


@pytest.mark.parametrize(("cells", "n", "k"), [(400, 1500, 1500), (400, 300, 300), (100, 300, 3000), (20, 1500, 640), (4000, 1500, 1500)])
def test_expected_variation_is_within_three_percent(cells: int, n: int, k: int) -> None:
    """Catches a floor 3 % off. Monte Carlo error 0.5 % (200 draws of many cells)."""
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(cells, 0.7))
    draws = [(rng.multinomial(n, p), rng.multinomial(k, p)) for _ in range(200)]
    measured = np.mean([0.5 * np.abs(a / n - b / k).sum() for a, b in draws])
    assert np.mean([expected_variation(a, k) for a, _ in draws]) == pytest.approx(measured, rel=0.03)


def test_the_plug_in_twin_would_be_caught() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(4000, 0.7))
    draws = [(rng.multinomial(1500, p), rng.multinomial(1500, p)) for _ in range(20)]
    measured = np.mean([0.5 * np.abs(a - b).sum() / 1500 for a, b in draws])
    assert abs(np.mean([plug_in(a, 1500) for a, _ in draws]) / measured - 1) > 0.06


@pytest.mark.parametrize("metric", [Columns(), Pairs(), Hellinger()])
def test_fresh_patients_score_at_the_floor(metric: object) -> None:
    """Mean of 20 fresh samples against their mean floor: catches 6 % for variation, 12 % for Hellinger; at least 18 lie in the 95 % range."""
    found = [metric.measure(Trial(sample(600, 10, 2 * s), sample(500, 10, 2 * s + 1)), stream(s))[0] for s in range(20)]  # type: ignore[attr-defined]
    ratio = np.mean([f.value for f in found]) / np.mean([f.beside["floor"] for f in found])
    assert ratio == pytest.approx(1, abs=0.12 if isinstance(metric, Hellinger) else 0.06)
    assert sum(f.beside["floor_low"] <= f.value <= f.beside["floor_high"] for f in found) >= 18


def test_holdout_is_brought_to_the_size_of_the_synthetic_table() -> None:
    """A hold-out of 150 against 1,500 synthetic rows: uncorrected it would read twice the floor."""
    for metric in (Columns(), Pairs(), Hellinger()):
        found = [metric.measure(Trial(sample(1500, 10, s), sample(1500, 10, s + 50), sample(150, 10, s + 99)), stream(s))[0] for s in range(8)]
        ratio = np.mean([f.beside["holdout"] for f in found]) / np.mean([f.beside["floor"] for f in found])
        assert ratio == pytest.approx(1, abs=0.2)


def test_own_ranks_miss_a_shifted_margin() -> None:
    """Ten columns, one moved by one standard deviation, 2,000 rows: seen with train's distribution function, unseen with own ranks (the broken twin)."""
    found = Hellinger().measure(Trial(sample(2000, 10, 0), sample(2000, 10, 1, shift=1.0)), stream(0))[0]
    assert found.value > 0.3
    assert found.value > 3 * found.beside["floor"]
    assert found.beside["dependence"] < 1.2 * found.beside["floor"]


def test_closed_form_of_hellinger_for_normals() -> None:
    assert expected_hellinger(20, 1000, 1000) == pytest.approx(0.236, abs=0.001)
    assert expected_hellinger(50, 1000, 1000) == pytest.approx(0.531, abs=0.002)


def test_interval_covers_the_spread_between_synthetic_tables() -> None:
    """Another synthetic table of the same model: the interval's half width is 1 to 2.2 standard deviations x 1.96 (conservative, never too narrow by 10 %)."""
    train = sample(800, 8, 0)
    for metric in (Columns(), Pairs(), Hellinger()):
        found = [metric.measure(Trial(train, sample(800, 8, s, shift=0.5)), stream(0))[0] for s in range(1, 31)]
        spread = 1.96 * np.std([f.value for f in found])
        half = np.mean([f.high - f.low for f in found]) / 2
        assert 0.9 * spread < half < 2.2 * spread
