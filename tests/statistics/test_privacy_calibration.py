"""The privacy figures on releases that leak nothing: centred on chance, covered by their intervals, whatever the sizes. With broken twins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from twinset.audit import interval
from twinset.audit.privacy import arena
from twinset.audit.privacy.distance import Distance
from twinset.audit.privacy.nearer import Nearer
from twinset.audit.privacy.neighbours import nearest, points
from twinset.audit.privacy.replay import Replay
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.core.schema import Column, Schema
from twinset.core.seeds import Rng, stream

SCHEMA = Schema((Column("a", "number"), Column("b", "number"), Column("c", "number"), Column("k", "category"), Column("m", "category")))


def population(n: int, rng: Rng) -> Cohort:
    z = rng.normal(size=(n, 2))
    frame = pl.DataFrame(
        {
            "a": np.round(10 * z[:, 0] + 4 * rng.normal(size=n)),
            "b": np.round(np.exp(z[:, 1] + 0.3 * rng.normal(size=n)), 1),
            "c": np.round(z.sum(axis=1) + rng.normal(size=n), 2),
            "k": rng.zipf(2.0, n).clip(1, 12).astype(str),
            "m": np.where(z[:, 1] + rng.normal(size=n) > 0, "yes", "no"),
        }
    )
    return Cohort(frame, SCHEMA)


def fresh(measure: Callable[[Trial, int], Finding], sizes: tuple[int, int, int], times: int) -> tuple[float, float, float]:
    """Over so many releases of fresh people: mean distance from chance in its own standard errors, coverage, mean."""
    off, covered = [], []
    for seed in range(times):
        rng = np.random.default_rng(seed)
        train, held, release = (population(n, rng) for n in sizes)
        f = measure(Trial(train, release, held), seed)
        off.append(f.value - 0.5)
        covered.append(f.low <= 0.5 <= f.high)
    return float(np.mean(off) / (np.std(off) / np.sqrt(times))), float(np.mean(covered)), float(np.mean(off) + 0.5)


def _distance(trial: Trial, seed: int) -> Finding:
    return arena.stage(trial, {"distance": Distance()}, stream(seed))[0]


def _nearer(trial: Trial, seed: int) -> Finding:
    return Nearer().measure(trial, stream(seed))[0]


def _values(trial: Trial, seed: int) -> Finding:
    return Replay().measure(trial, stream(seed))[0]


def _combinations(trial: Trial, seed: int) -> Finding:
    return Replay().measure(trial, stream(seed))[1]


@pytest.mark.parametrize("measure", [_distance, _nearer, _values, _combinations])
@pytest.mark.parametrize("sizes", [(400, 400, 400), (400, 100, 400)])
def test_fresh_people_read_chance_whatever_the_sizes(measure: Callable[[Trial, int], Finding], sizes: tuple[int, int, int]) -> None:
    """Catches a bias of about 0.01 and an interval a quarter too narrow; a hold-out of 25 % of train is no exception."""
    z, coverage, mean = fresh(measure, sizes, 100)
    assert abs(z) < 3.5
    assert abs(mean - 0.5) < 0.02
    assert coverage >= 0.89


def test_broken_twin_unequal_sizes() -> None:
    """Nearest of 400 against nearest of 100: the fault of three published libraries. It reads 0.8 on people nobody used."""

    def unequal(trial: Trial, seed: int) -> Finding:
        assert trial.holdout is not None
        release, train, held = points((trial.synthetic, trial.train, trial.holdout))
        share = float((nearest(release, train)[0] < nearest(release, held)[0]).mean())
        return Finding("broken", share, *interval.wilson(share * len(release), len(release)), len(release), "lower")

    z, coverage, mean = fresh(unequal, (400, 100, 400), 20)
    assert mean > 0.7
    assert coverage == 0.0
    assert z > 10


def test_broken_twin_others_in_the_population_sample() -> None:
    """If the attacker's sample holds the very others he is tested on, they look like strangers to the release, and it reads a leak."""

    def careless(trial: Trial, seed: int) -> Finding:
        assert trial.holdout is not None
        release, train, held = points((trial.synthetic, trial.train, trial.holdout))
        score = [np.log((nearest(t, held)[0][:, 0] + 1e-3) / (nearest(t, release)[0][:, 0] + 1e-3)) for t in (train, held)]
        value, ends = interval.auc(*score)
        return Finding("broken", value, *ends, 1, "lower")

    assert fresh(careless, (400, 400, 400), 10)[2] > 0.9


def test_broken_twin_rows_as_independent_evidence() -> None:
    """A small hold-out and a large release: without the effective number, `nearer` would be sure of what chance did."""

    def naive(trial: Trial, seed: int) -> Finding:
        f = _nearer(trial, seed)
        return Finding("broken", f.value, *interval.wilson(f.value * f.n, f.n), f.n, "lower")

    assert fresh(naive, (100, 60, 1500), 60)[1] < 0.7
    assert fresh(_nearer, (100, 60, 1500), 60)[1] > 0.89


@pytest.mark.slow
def test_the_parts_judge_each_other() -> None:
    """Why `MUTUAL` is there: without it the interval over all passes covers about 90 %."""
    hits, plain_hits = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        train, held, release = population(800, rng), population(240, rng), population(800, rng)
        f = _distance(Trial(train, release, held), seed)
        half = (f.high - f.low) / 2
        members, others = 1 / (12 * 800) * 0.73, 1 / (12 * 240)
        plain = half * np.sqrt((members + others) / (members + arena.MUTUAL * others))
        hits.append(abs(f.value - 0.5) <= half)
        plain_hits.append(abs(f.value - 0.5) <= plain)
    assert np.mean(hits) >= 0.93
    assert np.mean(plain_hits) < np.mean(hits)
    assert np.mean(plain_hits) < 0.935
