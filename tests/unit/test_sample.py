"""Large tables: attacks and distances look at a stated random sample of patients; counts look at everybody; small tables notice nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.audit import sample as rooms
from twinset.audit.run import run
from twinset.audit.sample import sample
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.core.schema import Column, Schema

WHOLE = ("fidelity.columns", "fidelity.pairs", "privacy.copies", "privacy.replay.values")
SAMPLED = ("fidelity.hellinger", "fidelity.propensity", "membership.distance", "membership.classifier")


def flat(n: int, seed: int) -> Cohort:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    frame = pl.DataFrame({"x": np.round(x, 4), "y": np.round(x + rng.normal(size=n), 4), "z": rng.choice(["a", "b"], n)})
    return Cohort(frame, Schema((Column("x", "number"), Column("y", "number"), Column("z", "category"))))


def repeated(n_patients: int, n_rows: int, seed: int) -> Cohort:
    """Patients with several rows each, the rows in no order."""
    rng = np.random.default_rng(seed)
    rows = flat(n_rows, seed).frame.insert_column(0, pl.Series("who", np.r_[np.arange(n_patients), rng.integers(0, n_patients, n_rows - n_patients)]))
    schema = Schema((Column("who", "integer", "identifier"), *flat(2, 0).schema), unit="who")
    return Cohort(rows.sample(fraction=1.0, shuffle=True, seed=seed), schema)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial(flat(1_400, 1), flat(1_400, 2), flat(600, 3))


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {f.name: f for f in reversed(findings)}  # the first of each name


def test_a_table_within_the_bound_is_looked_at_whole(trial: Trial) -> None:
    looked = sample(trial, 1_400, seed=0)
    assert looked.whole.trial is looked.even.trial is looked.attacked.trial is trial
    assert looked.says == ""
    assert sample(trial, 0, seed=0).says == ""
    assert run(trial, seed=0, patients=1_400) == run(trial, seed=0, patients=0)


def test_above_the_bound_the_costly_parts_see_a_sample_and_say_so(trial: Trial) -> None:
    result = run(trial, seed=0, patients=400)
    found = by_name(result.findings)
    assert result.audited == "Measured on a random sample: 400 of 1,400 train patients and 400 of 600 hold-out patients."
    assert found["membership.distance"].says.endswith(result.audited)
    assert found["membership.distance"].n == 800
    assert found["membership.distance"].beside["members"] == found["membership.distance"].beside["others"] == 400
    assert found["fidelity.hellinger"].n == 400
    assert found["fidelity.hellinger"].says.endswith("400 of 600 hold-out patients and 400 of 1,400 release rows.")
    for name in WHOLE:
        assert "random sample" not in found[name].says, name
    for name in SAMPLED:
        assert "random sample" in found[name].says, name


def test_what_sees_everybody_is_as_it_was(trial: Trial) -> None:
    whole, some = (by_name(run(trial, seed=0, patients=p).findings) for p in (0, 400))
    assert all(whole[name] == some[name] for name in WHOLE)
    assert whole["fidelity.columns"].n == 1_400


def test_floor_and_interval_are_those_of_the_sample(trial: Trial) -> None:
    whole, some = (by_name(run(trial, seed=0, patients=p).findings) for p in (0, 350))
    wide, narrow = some["fidelity.hellinger"], whole["fidelity.hellinger"]
    assert wide.beside["floor"] == pytest.approx(2 * narrow.beside["floor"], rel=0.2)  # a quarter of the patients, half of the precision
    assert some["membership.distance"].high - some["membership.distance"].low > 1.15 * (whole["membership.distance"].high - whole["membership.distance"].low)


def test_the_same_seed_looks_at_the_same_patients(trial: Trial) -> None:
    one, again, other = (sample(trial, 300, seed=s).attacked.trial.train.frame for s in (7, 7, 8))
    assert one.equals(again)
    assert not one.equals(other)


def test_a_patient_is_looked_at_with_all_rows_or_not_at_all() -> None:
    train, holdout = repeated(500, 1_500, 1), repeated(200, 600, 2)
    looked = sample(Trial(train, flat(1_500, 3), holdout), 100, seed=0).attacked
    rows = train.frame.group_by("who").len().rows_by_key("who")
    kept = looked.trial.train.frame.group_by("who").len().rows_by_key("who")
    assert len(kept) == 100
    assert all(rows[who] == n for who, n in kept.items())
    assert looked.says.startswith("Measured on a random sample: 100 of 500 train patients and 100 of 200 hold-out patients")


def test_patients_with_many_rows_are_fewer() -> None:
    looked = sample(Trial(repeated(500, 20_000, 1), flat(1_500, 3), None), 100, seed=0).attacked
    assert 700 < len(looked.trial.train) < 1_300  # ten rows for each of a hundred, on average
    assert "25 of 500" in looked.says


def test_an_attacker_holds_the_whole_release(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = sample(trial, 200, seed=0)
    assert looked.attacked.trial.synthetic is trial.synthetic
    assert len(looked.even.trial.synthetic) == 200
    monkeypatch.setattr(rooms, "CELLS", 3 * 900)
    assert len(sample(trial, 200, seed=0).attacked.trial.synthetic) == 900


def test_copied_patients_are_found_in_a_sample() -> None:
    """Thinned with the patients, the release would hold one in ten of their copies: then this is 0.50."""
    train, holdout = flat(4_000, 1), flat(2_000, 3)
    copied = Cohort(pl.concat([train.frame[:1_200], flat(2_800, 2).frame]), train.schema)
    found = by_name(run(Trial(train, copied, holdout), seed=0, patients=400).findings)
    assert found["membership.distance"].low > 0.55
    assert found["privacy.copies"].value == pytest.approx(0.3, abs=0.01)
