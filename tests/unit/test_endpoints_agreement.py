"""Agreement of effects: what is kept, what a perfect generator would reach, and what cannot be said."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.audit.endpoints.agreement import comparison, measure, verdict
from twinset.audit.endpoints.hazards import kaplan_meier
from twinset.audit.endpoints.scatter import fresh, independent, perfect, scales
from twinset.audit.endpoints.survival import Survival
from twinset.core.cohort import Cohort
from twinset.core.contracts import Effect, Trial
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.errors import SchemaMismatch, StudyInvalid

ENDPOINT = Survival("progression", "days", "seen", True, "arm", "control")


def trial_of(n: int, ratio: float, seed: int) -> Cohort:
    """Exponential times in two arms, hazard ratio as given, censoring at 400 days."""
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    time = np.ceil(rng.exponential(np.where(treated, 300 / ratio, 300)))
    frame = pl.DataFrame(
        {"days": np.minimum(time, 400).astype(np.int64), "seen": time <= 400, "arm": np.where(treated, "new", "control")},
        schema={"days": pl.Int64, "seen": pl.Boolean, "arm": pl.String},
    )
    columns = (
        Column("days", "integer", "time"),
        Column("seen", "category", "event", levels=(False, True)),
        Column("arm", "category", "arm", levels=("control", "new")),
    )
    return Cohort(frame, Schema(columns))


def effect(value: float, error: float) -> Effect:
    return Effect("a against b", value, error, value - 1.96 * error, value + 1.96 * error, 0.0, 100)


def test_train_as_synthetic_agrees_fully() -> None:
    train = trial_of(600, 0.5, 0)
    found = measure(ENDPOINT, Trial(train, train), stream(0))
    values = {f.name: f.value for f in found.findings}
    assert values["endpoint.decision"] == values["endpoint.estimate"] == values["endpoint.overlap"] == values["endpoint.logrank"] == 1.0
    assert values["endpoint.difference"] == values["endpoint.curve"] == 0.0
    assert {c.cohort for c in found.curves} == {"train", "synthetic"}


def test_agreement_falls_as_arms_are_mixed() -> None:
    train = trial_of(2000, 0.5, 0)
    scores = []
    for share in (0.0, 0.5, 1.0):
        n = int(share * len(train))
        rng = np.random.default_rng(1)
        arm = train["arm"].to_numpy().copy()
        arm[:n] = rng.permutation(arm[:n])
        mixed = Cohort(train.frame.with_columns(pl.Series("arm", arm)), train.schema)
        found = {f.name: f.value for f in measure(ENDPOINT, Trial(train, mixed), stream(0)).findings}
        scores.append((found["endpoint.overlap"], -found["endpoint.difference"]))
    assert scores[0] > scores[1] > scores[2]
    assert scores[2][0] < 0


def test_the_synthetic_interval_is_wider_than_the_naive_one() -> None:
    made = comparison("e", effect(-0.7, 0.2), effect(-0.6, 0.1), 4.0, None, "")
    assert made.widened_error == pytest.approx(0.1 * 5**0.5)
    assert made.widened_high - made.widened_low > made.synthetic.high - made.synthetic.low
    assert made.overlap == pytest.approx(1 - 0.5 / (2 * 1.96), abs=1e-4)  # seen from train the lengths are equal, z = 0.5


def test_a_sign_decides_only_where_something_was_shown() -> None:
    assert verdict(0.1, 1.0) == verdict(-0.1, 1.0) == 0
    assert comparison("e", effect(0.1, 1.0), effect(-0.1, 1.0), 1.0, None, "").decision_kept
    assert not comparison("e", effect(1.0, 0.1), effect(-1.0, 0.1), 1.0, None, "").decision_kept


@pytest.mark.parametrize(
    ("power", "naive", "widened"), [(0.05, 0.849, 0.934), (0.5, 0.748, 0.704), (0.8, 0.800, 0.667), (0.9, 0.851, 0.708), (0.99, 0.952, 0.865)]
)
def test_ceiling_averages_to_the_published_table(power: float, naive: float, widened: float) -> None:
    """Ceiling of a perfect generator, one copy, k = n: 20,000 trials drawn about the effect of that power (Monte Carlo error 0.003)."""
    from statistics import NormalDist

    centre = 0.0 if power == 0.05 else 1.959964 + NormalDist().inv_cdf(power)
    z = centre + np.random.default_rng(0).standard_normal(20_000)
    ceiling = [perfect(float(x), 1.0) for x in z]
    assert np.mean([p.keeps() for p in ceiling]) == pytest.approx(widened, abs=0.012)
    assert np.mean([p.keeps(widening=1.0) for p in ceiling]) == pytest.approx(naive, abs=0.012)


def test_overlap_and_estimate_have_their_known_values() -> None:
    """At k = n fresh patients lie sqrt(2) as far from train's estimate as a perfect model does."""
    assert perfect(2.5, 1.0).overlap() == pytest.approx(0.796, abs=0.001)
    assert perfect(2.5, 1.0).inside() == pytest.approx(0.95, abs=0.001)
    assert perfect(2.5, 1.0).gap() == pytest.approx(0.798, abs=0.001)
    assert fresh(2.5, 1.0).overlap() == pytest.approx(0.712, abs=0.001)
    assert fresh(2.5, 1.0).inside() == pytest.approx(0.834, abs=0.001)
    assert fresh(2.5, 1.0).gap() == pytest.approx(1.128, abs=0.001)
    draws = np.random.default_rng(0).normal(0.0, 2**-0.5, 200_000)
    assert independent(2.5, 2.0).gap() == pytest.approx(np.abs(draws - 2.5).mean(), abs=0.005)


def test_the_band_narrows_with_contrasts_that_do_not_move_together() -> None:
    one = scales([1.0], 1.0, None, stream(0))["difference"]
    together, apart = (scales([1.0] * 3, 1.0, r, stream(0))["difference"] for r in (np.full((3, 3), 0.999) + 0.001 * np.eye(3), np.eye(3)))
    assert one["floor_high"] == pytest.approx(2.241 * 2**0.5, rel=0.05)  # the 97.5 % quantile of |Z|, times sqrt(2)
    assert together["floor_high"] == pytest.approx(one["floor_high"], rel=0.05)
    assert apart["floor_high"] - apart["floor_low"] < 0.7 * (one["floor_high"] - one["floor_low"])
    assert one["floor"] == pytest.approx(apart["floor"])


def test_an_interval_is_shown_only_where_it_was_tested() -> None:
    train = trial_of(400, 0.5, 0)
    for generator, shown in (("trees", True), ("avatars", False), ("", False)):
        found = measure(ENDPOINT, Trial(train, train, notes={"generator": generator}), stream(0))
        ends = [e for c in found.comparisons for e in (c.widened_low, c.widened_high)]
        assert bool(np.isfinite(ends).all()) == bool(np.isfinite(ends).any()) == shown
        decision = next(f for f in found.findings if f.name == "endpoint.decision")
        assert ("biased towards none" in decision.says) == shown
        assert ("not tested" in decision.silent_on) == (not shown)
        assert found.comparisons[0].decision_kept


def test_what_cannot_be_estimated_says_why() -> None:
    train = trial_of(200, 0.5, 0)
    one_arm = train.where(train["arm"].to_numpy() == "control")
    no_event = Cohort(train.frame.with_columns((pl.col("seen") & (pl.col("arm") == "control")).alias("seen")), train.schema)
    for synthetic, words in ((one_arm, "not both present"), (no_event, "no event")):
        found = measure(ENDPOINT, Trial(train, synthetic), stream(0))
        assert not found.comparisons
        reasons = {f.name: f.missing for f in found.findings if not f.measured}
        assert set(reasons) >= {"endpoint.decision", "endpoint.estimate", "endpoint.overlap", "endpoint.difference", "endpoint.logrank"}
        assert words in reasons["endpoint.decision"]


def test_found_levels_that_lack_the_reference_are_no_fault_of_the_study() -> None:
    """Noise decides which undeclared levels are found, after the budget is spent: then there is nothing to compare, and no refusal."""
    train = trial_of(200, 0.5, 0)
    undeclared = Cohort(train.frame, train.schema.with_column(Column("arm", "category", "arm")))
    found = train.schema.with_column(Column("arm", "category", "arm", levels=("new", "other"), origin="noisy"))
    synthetic = Cohort(train.frame.with_columns(pl.lit("new").alias("arm")), found)
    made = measure(ENDPOINT, Trial(undeclared, synthetic), stream(0))
    assert not made.comparisons
    assert "not both present" in {f.name: f.missing for f in made.findings}["endpoint.decision"]
    lost = Cohort(undeclared.frame.filter(pl.col("arm") == "new"), undeclared.schema)
    assert not measure(ENDPOINT, Trial(lost, synthetic), stream(0)).comparisons


def test_without_arms_there_is_a_curve_only() -> None:
    train = trial_of(200, 0.5, 0)
    found = measure(Survival("p", "days", "seen", True), Trial(train, train), stream(0))
    assert [f.name for f in found.findings if f.measured] == ["endpoint.curve"]
    assert len(found.curves) == 2


def test_a_generator_stratified_by_the_event_imposes_the_ratio() -> None:
    train = trial_of(400, 0.5, 0)
    found = measure(ENDPOINT, Trial(train, train, notes={"strata": "arm, seen"}), stream(0))
    assert "imposes" in found.comparisons[0].constraint
    assert "Imposed" in next(f.silent_on for f in found.findings if f.name == "endpoint.decision")
    assert not measure(ENDPOINT, Trial(train, train, notes={"strata": "arm"}), stream(0)).comparisons[0].constraint


def test_settings_that_do_not_fit_are_refused_without_values() -> None:
    train = trial_of(50, 0.5, 0)
    with pytest.raises(SchemaMismatch, match="no column `tage`"):
        Survival("p", "tage", "seen").estimate(train)
    with pytest.raises(StudyInvalid) as caught:
        Survival("p", "days", "seen", True, "arm", "placebo").estimate(train)
    assert "placebo" not in str(caught.value)


def test_curves_stay_on_round_times_and_between_nought_and_one() -> None:
    train = trial_of(300, 0.5, 0)
    for drawn in measure(ENDPOINT, Trial(train, train), stream(0)).curves:
        assert 30 <= len(drawn.times) <= 70
        assert all(0 <= a <= s <= b <= 1 for a, s, b in zip(drawn.low, drawn.survival, drawn.high, strict=True))
        assert list(drawn.survival) == sorted(drawn.survival, reverse=True)


def test_kaplan_meier_after_the_last_death_is_nought() -> None:
    estimate = kaplan_meier(np.array([1.0, 2.0]), np.array([True, True]), np.array([0.5, 1.0, 3.0]))
    assert estimate.survival.tolist() == [1.0, 0.5, 0.0]
