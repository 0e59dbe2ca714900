"""Fidelity metrics on small made-up cohorts: best on train itself, worse as corruption grows, never a crash."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

from twinset.audit.fidelity import FIDELITY
from twinset.audit.fidelity.cells import aligned, binned, significant
from twinset.audit.fidelity.columns import Columns
from twinset.audit.fidelity.hellinger import Hellinger
from twinset.audit.fidelity.learners import boosting, fitted
from twinset.audit.fidelity.pairs import Pairs, choose_pairs
from twinset.audit.fidelity.predict import Predict
from twinset.audit.fidelity.propensity import Propensity
from twinset.audit.run import run
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.core.schema import Column, Role, Schema
from twinset.core.seeds import stream
from twinset.errors import BadInput, SchemaMismatch


def patients(n: int, seed: int = 0, *, outcome: Role = "outcome") -> Cohort:
    """Age, a lab that follows age and has gaps, a site with text levels and missing ones, a sick flag that follows the lab."""
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 90, n)
    lab = np.round(age / 10 + rng.normal(0, 1, n), 3)
    site = rng.choice(["north", "south", "NA", ""], n, p=[0.5, 0.3, 0.15, 0.05])
    frame = pl.DataFrame(
        {
            "age": age,
            "lab": pl.Series([None if rng.random() < 0.1 else float(x) for x in lab]),
            "site": pl.Series([None if s == "" else str(s) for s in site]),
            "sick": (lab + rng.normal(0, 1, n) > 6).astype(np.int64),
        }
    )
    columns = (
        Column("age", "integer"),
        Column("lab", "number"),
        Column("site", "category"),
        Column("sick", "category", outcome, levels=(0, 1)),
    )
    return Cohort(frame, Schema(columns))


def first(metric: object, trial: Trial, seed: int = 0) -> Finding:
    return metric.measure(trial, stream(seed, "test"))[0]  # type: ignore[attr-defined, no-any-return]


def corrupted(cohort: Cohort, share: float) -> Cohort:
    """A share of the rows replaced by one and the same age and site, and their lab shuffled."""
    rng = np.random.default_rng(5)
    frame = cohort.frame
    hit = np.arange(len(cohort)) < share * len(cohort)
    lab = frame["lab"].to_numpy().copy()
    lab[hit] = rng.permutation(lab[hit]) + 3
    out = frame.with_columns(
        pl.Series("age", np.where(hit, 30, frame["age"].to_numpy())),
        pl.Series("lab", lab).fill_nan(None),
        pl.when(pl.Series(hit)).then(pl.lit("north")).otherwise(pl.col("site")).alias("site"),
    )
    return Cohort(out, cohort.schema)


@pytest.mark.parametrize("metric", [Columns(), Pairs(), Hellinger()])
def test_train_itself_scores_nought_and_corruption_only_makes_it_worse(metric: object) -> None:
    train = patients(800)
    scores = [first(metric, Trial(train, corrupted(train, s))).value for s in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert scores[0] == pytest.approx(0, abs=1e-7)
    assert all(b > a + 0.005 for a, b in itertools.pairwise(scores))


def test_prediction_and_propensity_get_worse_with_corruption() -> None:
    train, holdout = patients(400), patients(400, 1)
    tell = [first(Propensity(folds=2), Trial(train, corrupted(patients(400, 2), s))).value for s in (0.0, 0.4, 1.0)]
    assert 0.42 < tell[0] < 0.58
    assert tell[1] > tell[0] + 0.03
    assert tell[2] > 0.95
    useful = Predict().measure(Trial(train, train, holdout), stream(0))
    assert [f.value for f in useful] == [f.beside["train"] for f in useful]
    shuffled = Cohort(train.frame.with_columns(pl.col("sick").shuffle(seed=3)), train.schema)
    assert all(f.value < f.beside["train"] - 0.15 for f in Predict().measure(Trial(train, shuffled, holdout), stream(0)))


def test_every_finding_has_scale_interval_and_words() -> None:
    train, synthetic, holdout = patients(150), patients(120, 1), patients(100, 2)
    for name in FIDELITY:
        for found in FIDELITY[name]().measure(Trial(train, synthetic, holdout), stream(0, name)):
            assert found.measured
            assert found.low <= found.value <= found.high
            assert {"floor", "chance"} & set(found.beside)
            assert "independent" in found.beside
            assert found.n > 0
            assert found.says
            assert found.silent_on
            assert found.label
            assert all(math.isfinite(v) for v in found.beside.values())


def test_without_holdout_only_prediction_is_not_measured() -> None:
    trial = Trial(patients(100), patients(100, 1))
    missing = [f.name for name in FIDELITY for f in FIDELITY[name]().measure(trial, stream(0)) if not f.measured]
    assert missing == ["fidelity.tstr.logistic", "fidelity.tstr.boosting"]


def test_prediction_says_why_it_cannot_run() -> None:
    nobody = Trial(patients(100, outcome=""), patients(100, outcome=""), patients(100, outcome=""))
    assert all("role" in f.missing for f in Predict().measure(nobody, stream(0)))
    one_class = Cohort(patients(100).frame.with_columns(pl.lit(0, dtype=pl.Int64).alias("sick")), patients(100).schema)
    assert all("does not vary" in f.missing for f in Predict().measure(Trial(patients(100), one_class, patients(100)), stream(0)))


def test_an_event_column_stands_in_for_an_outcome_and_a_number_is_predicted_by_rank() -> None:
    event = Trial(*(patients(n, n, outcome="event") for n in (300, 301)), patients(302, 302, outcome="event"))
    assert all(f.where == "sick" and f.measured for f in Predict().measure(event, stream(0)))
    number = Predict(outcome="lab").measure(Trial(patients(500), patients(500, 1), patients(300, 2)), stream(0))
    assert all(f.beside["chance"] == 0.0 and f.value > 0.7 for f in number)


def test_missing_is_one_level_however_many_new_levels_the_synthetic_table_has() -> None:
    train = patients(300)
    new = Cohort(train.frame.with_columns(pl.when(pl.col("site") == "south").then(pl.lit("zz")).otherwise(pl.col("site")).alias("site")), train.schema)
    a, b = binned(*aligned(train, new))
    missing = train["site"].is_null().to_numpy()
    assert set(a.codes[2][missing]) == set(b.codes[2][missing])
    assert len(set(a.codes[2][missing])) == 1
    assert not set(b.codes[2][(new["site"] == "zz").fill_null(False).to_numpy()]) & set(a.codes[2])


def test_a_float32_round_trip_is_no_difference() -> None:
    values = np.array([0.1, 12345.678, -3.3e-7, 0.0, np.nan])
    assert np.array_equal(significant(values), significant(values.astype(np.float32).astype(np.float64)), equal_nan=True)


@pytest.mark.parametrize("n_columns", [2, 3, 100, 10_000])
def test_sampled_pairs_are_distinct_and_valid(n_columns: int) -> None:
    pairs, n_all = choose_pairs(n_columns, 500, stream(0))
    assert n_all == n_columns * (n_columns - 1) // 2
    assert len(set(pairs)) == len(pairs) == min(500, n_all)
    assert all(0 <= a < b < n_columns for a, b in pairs)


def test_huge_tables_of_cells_are_counted_without_being_built() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": [f"x{i}" for i in rng.permutation(3000)], "b": [f"y{i}" for i in rng.permutation(3000)]})
    cohort = Cohort(frame, Schema((Column("a", "category"), Column("b", "category"))))
    assert first(Pairs(), Trial(cohort, cohort)).value == 0.0
    assert first(Pairs(), Trial(cohort, cohort)).beside["independent"] > 0.99


@pytest.mark.parametrize("n", [1, 2, 5, 25])
def test_tiny_and_degenerate_tables_give_findings_not_crashes(n: int) -> None:
    nulls = pl.Series("nothing", [None] * n, dtype=pl.Float64)
    frame = patients(n).frame.with_columns(nulls, pl.lit(1).alias("same"))
    schema = Schema((*patients(n).schema.columns, Column("nothing", "number"), Column("same", "integer")))
    cohort = Cohort(frame, schema)
    for name in FIDELITY:
        assert FIDELITY[name]().measure(Trial(cohort, cohort, cohort), stream(0))


def test_a_synthetic_number_column_may_be_all_missing() -> None:
    train = patients(100)
    empty = Cohort(train.frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("lab")), train.schema)
    for name in FIDELITY:
        assert all(f.measured for f in FIDELITY[name]().measure(Trial(train, empty, patients(100, 1)), stream(0)))


def test_the_runner_refuses_tables_that_do_not_fit_and_quotes_no_value() -> None:
    train = patients(50)
    renamed = Cohort(train.frame.rename({"age": "alter"}), Schema((Column("alter", "integer"), *train.schema.columns[1:])))
    with pytest.raises(SchemaMismatch, match="2 problems"):
        run(Trial(train, renamed), seed=0)
    text = Cohort(train.frame.with_columns(pl.col("age").cast(pl.String)), train.schema)
    with pytest.raises(SchemaMismatch, match="another kind of value in `age`"):
        run(Trial(train, text), seed=0)
    with pytest.raises(BadInput, match="no rows"):
        run(Trial(train, train.take(np.array([], dtype=np.int64))), seed=0)


def test_the_runner_repeats_itself_and_says_what_it_does() -> None:
    trial = Trial(patients(120), patients(120, 1), patients(60, 2))
    said: list[str] = []
    one, two = run(trial, seed=3, progress=said.append), run(trial, seed=3)
    assert [f.to_dict() for f in one.findings] == [f.to_dict() for f in two.findings]
    assert len(set(said)) == len(said) >= len(FIDELITY.table)
    names = [f.name for f in one.findings]
    assert names.index("fidelity.columns") < names.index("fidelity.propensity") < names.index("membership.distance")
    other = run(trial, seed=4)
    assert [f.name for f in other.findings if f.where == ""] == [f.name for f in one.findings if f.where == ""]


@pytest.mark.parametrize(("columns", "bins"), [(100, 255), (101, 63)])
def test_wide_tables_are_boosted_in_fewer_bins(columns: int, bins: int) -> None:
    cells = np.random.default_rng(0).normal(size=(300, columns))
    assert fitted(boosting(0).set_params(max_iter=1), cells, np.arange(300) % 2).get_params()["max_bins"] == bins
