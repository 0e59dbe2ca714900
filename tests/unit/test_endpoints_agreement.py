"""Agreement of effects: what is kept, what a perfect generator would reach, and what cannot be said."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.audit.endpoints.agreement import comparison, measure, verdict
from twinset.audit.endpoints.hazards import kaplan_meier
from twinset.audit.endpoints.scatter import fresh, independent, perfect, scales
from twinset.audit.endpoints.survival import Survival
from twinset.audit.run import run
from twinset.core.cohort import Cohort
from twinset.core.contracts import Effect, Trial
from twinset.core.refits import Refits
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.errors import SchemaMismatch, StudyInvalid
from twinset.generators.trees import Trees
from twinset.pipeline import notes

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
    assert np.mean([p.keeps(cut=1.959964) for p in ceiling]) == pytest.approx(naive, abs=0.012)


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
    for told, shown in (({"generator": "trees"}, True), ({"generator": "trees", "changed": "dealing"}, False), ({"generator": "avatars"}, False), ({}, False)):
        found = measure(ENDPOINT, Trial(train, train, notes=told), stream(0))
        ends = [e for c in found.comparisons for e in (c.widened_low, c.widened_high)]
        assert bool(np.isfinite(ends).all()) == bool(np.isfinite(ends).any()) == shown
        decision = next(f for f in found.findings if f.name == "endpoint.decision")
        assert ("simulated trials" in decision.says) == shown
        assert ("not tested" in decision.silent_on) == (not shown)
        assert found.comparisons[0].decision_kept


def refitted(train: Cohort, *, sd: float, bias: float = 0.0, runs: int = 50) -> Trial:
    """The patients as their own synthetic copy, with refits as given."""
    (found,) = ENDPOINT.estimate(train)
    refits = Refits("progression", found.contrast, sd, bias, runs)
    other = Refits("another", found.contrast, 9.0, 9.0, runs)
    return Trial(train, train.synthesised, endpoints=(ENDPOINT,), refits=(other, refits), notes={"generator": "trees"})


def test_with_refits_the_interval_is_theirs_and_its_sentences_say_so() -> None:
    train = trial_of(400, 0.5, 0)
    trial = refitted(train, sd=0.1, bias=0.3)
    found = measure(ENDPOINT, trial, stream(0))
    (made,) = found.comparisons
    assert made.refits == trial.refits[1]
    assert made.widened_error == trial.refits[1].error > 0.3
    assert (made.widened_low, made.widened_high) == trial.refits[1].interval(made.synthetic.value)
    decision = next(f for f in found.findings if f.name == "endpoint.decision")
    assert "50 refits on resampled patients" in decision.says
    assert "shifted" in decision.says
    assert "widened" not in decision.says
    assert "fair sample" in decision.silent_on
    assert "T_s" not in decision.says + decision.silent_on
    avatars = measure(ENDPOINT, Trial(train, train.synthesised, refits=trial.refits, notes={"generator": "avatars"}), stream(0)).comparisons[0]
    assert np.isfinite(avatars.widened_low)


def test_refits_decide_by_their_own_interval() -> None:
    """Wide refits lose a decision that T_s keeps; with 20 runs the quantile is 2.09, not 1.96: an effect of two errors is then not shown."""
    train = trial_of(400, 0.5, 0)
    value = abs(ENDPOINT.estimate(train)[0].value)
    for sd, runs, kept in ((value / 10, 50, True), (value, 50, False), (value / 2.05, 1000, True), (value / 2.05, 20, False)):
        assert measure(ENDPOINT, refitted(train, sd=sd, runs=runs), stream(0)).comparisons[0].decision_kept == kept


def test_the_whole_audit_keeps_the_refits() -> None:
    train = trial_of(400, 0.5, 0)
    assert run(refitted(train, sd=0.1), seed=0).comparisons[0].refits


def test_a_wide_interval_is_not_excused_by_what_stands_beside_it() -> None:
    """Fresh patients judged with the release's own width would keep nothing where it is three times too wide, and it would count as good as real.

    They are judged as patients, with their own interval; the perfect model by what its refits would give; independent columns by theirs, whose shift is
    the whole effect. None of these depends on the release.
    """
    train = trial_of(400, 0.5, 0)
    beside = [next(f for f in measure(ENDPOINT, refitted(train, sd=sd), stream(0)).findings if f.name == "endpoint.decision") for sd in (0.1, 3.0)]
    assert [f.value for f in beside] == [1.0, 0.0]
    assert beside[0].beside == beside[1].beside
    scores = scales([3.5] * 8, 1.0, np.eye(8), stream(0), quantiles=[2.01] * 8)["decision"]
    assert scores["floor_low"] > 0.4
    assert scores["independent"] < 0.001


def test_what_stands_beside_refits_is_what_a_simulation_gives() -> None:
    """Each reference is drawn and judged as its docstring says: 400,000 draws, error 0.001."""
    draws = np.random.default_rng(0).standard_normal(400_000)
    for z, ratio in ((2.5, 1.0), (0.5, 2.0), (-3.0, 0.5)):
        q = 2.01

        def decided(x: np.ndarray, cut: float | np.ndarray, z: float = z) -> float:
            return float((np.where(np.abs(x) < cut, 0, np.sign(x)) == (0 if abs(z) < 1.96 else np.sign(z))).mean())

        own = decided(z + np.sqrt(1 + 1 / ratio) * draws, 1.96 * np.sqrt(1 / ratio))
        assert fresh(z, ratio, quantile=q).keeps() == pytest.approx(own, abs=0.004)
        assert perfect(z, ratio, quantile=q).keeps() == pytest.approx(decided(z + draws / np.sqrt(ratio), q * np.sqrt(1 + 1 / ratio)), abs=0.004)
        assert independent(z, ratio, quantile=q).keeps() == pytest.approx(decided(draws / np.sqrt(ratio), q * np.sqrt(1 / ratio + z**2)), abs=0.004)
    (mixed,) = (scales([2.5, 2.5], 1.0, np.eye(2), stream(0), quantiles=[None, 2.01])["decision"],)
    assert mixed["floor"] == pytest.approx((fresh(2.5, 1.0).keeps() + fresh(2.5, 1.0, quantile=2.01).keeps()) / 2)


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


def test_settings_that_are_not_the_defaults_are_noted() -> None:
    schema = trial_of(10, 0.5, 0).schema
    assert "changed" not in notes("trees", Trees(), schema)
    assert notes("trees", Trees(dealing="random", by_arm=False, order=["arm"]), schema)["changed"] == "order dealing by_arm"
