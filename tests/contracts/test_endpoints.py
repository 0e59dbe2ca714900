"""One suite for every endpoint in the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from twinset.audit.endpoints import ENDPOINTS
from twinset.checks import everyday_cohort
from twinset.core.cohort import Cohort
from twinset.core.seeds import stream

SETTINGS: dict[str, Callable[[], dict[str, Any]]] = {
    "survival": lambda: {"name": "time to event", "time": "time", "event": "event", "event_value": True, "arm": "arm", "reference": 0},
}


@pytest.fixture(params=list(ENDPOINTS.table))
def endpoint(request: pytest.FixtureRequest) -> Any:
    assert request.param in SETTINGS, "a new endpoint: say here how to set it up on the everyday cohort"
    return ENDPOINTS[request.param](**SETTINGS[request.param]())


def cohort(n: int = 500, seed: int = 1) -> Cohort:
    return everyday_cohort(n, seed=seed).synthesised


def test_effects_are_well_formed(endpoint: Any) -> None:
    effects = endpoint.estimate(cohort())
    assert len(effects) == 2
    for e in effects:
        assert e.contrast
        assert math.isfinite(e.value)
        assert e.error > 0
        assert e.low < e.value < e.high
        assert 0 <= e.p <= 1
        assert 0 < e.n <= 500


def test_no_effect_where_there_is_none(endpoint: Any) -> None:
    """Arms of the everyday cohort do not change the event: over 40 cohorts the intervals hold zero about 95 times in 100."""
    held = [e.low <= 0 <= e.high for seed in range(40) for e in endpoint.estimate(cohort(200, seed))]
    assert np.mean(held) > 0.86  # 80 intervals, binomial sd 0.024: catches intervals a third too short


def test_row_order_does_not_matter(endpoint: Any) -> None:
    rows = cohort()
    first, turned = endpoint.estimate(rows), endpoint.estimate(rows.take(stream(1).permutation(len(rows))))
    assert [round(e.value, 6) for e in first] == [round(e.value, 6) for e in turned]


def test_more_patients_smaller_error(endpoint: Any) -> None:
    rows = cohort()
    twice = rows.take(np.concatenate([np.arange(len(rows))] * 4))
    for a, b in zip(endpoint.estimate(rows), endpoint.estimate(twice), strict=True):
        assert b.error == pytest.approx(a.error / 2, rel=0.1)


def test_nothing_to_estimate_is_empty_not_an_error(endpoint: Any) -> None:
    rows = cohort()
    one_arm = rows.where(rows["arm"].to_numpy() == 0)
    assert endpoint.estimate(one_arm) == ()
