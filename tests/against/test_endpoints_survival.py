"""Our survival endpoint against lifelines and the published hazard ratios of ACTG 175."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.audit.endpoints.hazards import kaplan_meier, logrank
from twinset.audit.endpoints.survival import Survival
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema

ENDPOINT = Survival("primary", "days", "cens", 1, "arms", 0)
COLUMNS = (
    Column("days", "integer", "time"),
    Column("cens", "category", "event", levels=(0, 1)),
    Column("arms", "category", "arm", levels=(0, 1, 2, 3)),
)


def read(path: Path) -> Cohort:
    return Cohort(pl.read_csv(path).select("days", "cens", "arms"), Schema(COLUMNS))


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "ratios"),
    [
        ("actg175.csv", (0.492, 0.525, 0.586)),
        ("reference_synthetic/ref_actg175_avatar.csv", (0.399, 0.480, 0.532)),
        ("reference_synthetic/ref_actg175_synthpop.csv", (0.587, 0.571, 0.834)),
        ("reference_synthetic/ref_actg175_ctgan.csv", (0.244, 0.320, 0.268)),
    ],
)
def test_published_hazard_ratios(shared_data: Path, file: str, ratios: tuple[float, ...]) -> None:
    found = ENDPOINT.estimate(read(shared_data / file))
    assert [round(float(np.exp(e.value)), 3) for e in found] == list(ratios)


@pytest.mark.data
def test_published_interval_of_arm_one(shared_data: Path) -> None:
    first = ENDPOINT.estimate(read(shared_data / "actg175.csv"))[0]
    assert (round(float(np.exp(first.low)), 2), round(float(np.exp(first.high)), 2)) == (0.39, 0.63)


def ties(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heavily tied times, three groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    time = np.ceil(rng.exponential(5 + 3 * group))
    return time, rng.random(n) < 0.7, group


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore")
def test_cox_logrank_and_kaplan_meier_agree_with_lifelines_under_ties(seed: int) -> None:
    import pandas as pd
    from lifelines import CoxPHFitter, KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    from twinset.audit.endpoints.hazards import cox

    time, event, group = ties(seed)
    frame = pd.DataFrame({"time": time, "event": event, "b": (group == 1) * 1, "c": (group == 2) * 1})
    theirs = CoxPHFitter().fit(frame, "time", "event")
    ours = cox(time, event, group)
    assert ours.coefficients == pytest.approx(theirs.params_.to_numpy(), abs=2e-5)
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(theirs.standard_errors_.to_numpy(), abs=1e-5)
    assert logrank(time, event, group)[0] == pytest.approx(multivariate_logrank_test(time, group, event).test_statistic, rel=1e-9)
    grid = np.arange(0.0, 20.0)
    curve = KaplanMeierFitter().fit(time, event)
    assert kaplan_meier(time, event, grid).survival == pytest.approx(curve.survival_function_at_times(grid).to_numpy(), abs=1e-12)
    band = curve.confidence_interval_.to_numpy()[np.searchsorted(curve.timeline, grid[5], side="right") - 1]
    ours_band = kaplan_meier(time, event, grid[5:6])
    assert (ours_band.low[0], ours_band.high[0]) == pytest.approx(tuple(band), abs=1e-9)
