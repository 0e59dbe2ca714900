"""A hold-out that is no control must be found before anything that leans on it is believed; fair ones must be left in peace."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.audit.run import run
from twinset.checks import everyday_cohort
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.core.schema import Column, Schema

LIMIT = 0.001
N = 500
ALL = ("control", "privacy.copies", "privacy.tail", "privacy.nearer")


@cache
def people(n: int, seed: int) -> Cohort:
    return everyday_cohort(n, seed=seed).synthesised


def joined(*parts: Cohort) -> Cohort:
    return Cohort(pl.concat([p.frame for p in parts]), parts[0].schema)


def controls(trial: Trial, *, only: tuple[str, ...] = ALL) -> dict[str, Finding]:
    return {f.name: f for f in run(trial, seed=0, only=only).findings if f.name.startswith("control.")}


def refused(found: dict[str, Finding]) -> set[str]:
    return {name for name, f in found.items() if f.beside.get("p", 1.0) < LIMIT}


def test_the_train_table_as_hold_out() -> None:
    """Ended in "pass, released": copies of everybody are no nearer to train than to the hold-out."""
    found = controls(Trial(people(N, 1), people(N, 1), people(N, 1)))
    assert refused(found) == {"control.overlap"}
    assert f"{N} hold-out patients equal a train patient" in found["control.overlap"].says


def test_swapped_files() -> None:
    """The release copies the hold-out, which is what train was."""
    found = controls(Trial(people(300, 2), people(N, 1), people(N, 1)))
    assert refused(found) == {"control.impossible", "control.seen"}
    assert "swapped or overlap" in found["control.impossible"].says


def nudged(cohort: Cohort, seed: int = 0) -> Cohort:
    """Every fraction moved by about 1 % of its spread: near copies of everybody."""
    rng = np.random.default_rng(seed)
    moved = []
    for c in cohort.schema:
        if c.kind == "number" and cohort[c.name].dtype.is_float():
            spread = float(cohort[c.name].std() or 0.0)  # type: ignore[arg-type]
            moved.append((pl.col(c.name) + pl.Series(rng.normal(0, 0.01 * spread, len(cohort)))).alias(c.name))
    return Cohort(cohort.frame.with_columns(moved), cohort.schema)


def test_a_hold_out_that_was_used() -> None:
    """Near copies of everybody, split afterwards: both sides are exposed alike, so every attack reads a coin."""
    train, held = people(N, 1), people(300, 2)
    found = controls(Trial(train, nudged(joined(train, held)), held))
    assert refused(found) == {"control.seen"}
    assert not refused(controls(Trial(train, nudged(train), held), only=("control",))), "the leak of train alone is no fault of the hold-out"
    assert not refused(controls(Trial(train, people(N, 3), held)))


def test_half_of_the_hold_out_are_train_patients() -> None:
    train = people(N, 1)
    half = joined(train.take(np.arange(150)), people(150, 2))
    assert "control.overlap" in refused(controls(Trial(train, people(N, 3), half), only=("control",)))


def test_train_patients_in_the_hold_out_with_changed_digits() -> None:
    train = people(N, 1)
    rng = np.random.default_rng(0)
    numbers = [c.name for c in train.schema if c.kind == "number" and train[c.name].dtype.is_float()]
    moved = train.frame[:100].with_columns((pl.col(c) * (1 + 0.002 * rng.normal())).alias(c) for c in numbers)
    found = controls(Trial(train, people(N, 3), joined(Cohort(moved, train.schema), people(200, 2))), only=("control",))
    assert found["control.overlap"].beside["equal"] < 100
    assert "control.overlap" in refused(found)


def test_a_hold_out_of_other_people() -> None:
    """A safe release failed here, and privacy was named as the reason."""
    whole = people(2 * N, 1)
    ages = whole[next(c.name for c in whole.schema if c.kind in ("integer", "number"))].fill_null(0).to_numpy()
    order = np.argsort(ages, kind="stable")
    found = controls(Trial(whole.take(order[:600]), people(N, 3), whole.take(order[600:])), only=("control",))
    assert refused(found) == {"control.population"}
    assert "not of one population" in found["control.population"].says


@pytest.mark.parametrize("n_held", [500, 60])
def test_fair_hold_outs_are_left_in_peace(n_held: int) -> None:
    """Four fair trials: a false alarm happens to one in 500."""
    for seed in range(4):
        case = Trial(people(N, 1000 + seed), people(N, 2000 + seed), people(n_held, 3000 + seed))
        assert not refused(controls(case)), seed


def few_columns(n: int, seed: int) -> Cohort:
    rng = np.random.default_rng(seed)
    schema = Schema(tuple(Column(c, "category") for c in "abcd"))
    return Cohort(pl.DataFrame({c: rng.integers(0, 4, n).astype(str) for c in "abcd"}), schema)


def test_twins_by_nature_accuse_nobody_and_the_train_table_is_found_among_them() -> None:
    """256 kinds of people: most patients have equals on the other side, by chance."""
    for seed in range(4):
        found = controls(Trial(few_columns(400, seed), few_columns(400, 100 + seed), few_columns(300, 200 + seed)), only=("control",))
        assert not refused(found)
        assert found["control.overlap"].beside["equal"] > 150
    same = few_columns(400, 1)
    assert "control.overlap" in refused(controls(Trial(same, few_columns(400, 2), same), only=("control",)))
    half = joined(same.take(np.arange(150)), few_columns(150, 3))
    assert controls(Trial(same, few_columns(400, 2), half), only=("control",))["control.overlap"].beside["p"] < 0.05


def test_the_same_patient_under_two_names() -> None:
    """Patients with several rows are compared as patients, in whatever order their rows stand."""
    rng = np.random.default_rng(0)
    schema = Schema((Column("who", "category", "identifier"), Column("x", "number"), Column("k", "category")), unit="who")

    def visits(n: int, start: int) -> pl.DataFrame:
        return pl.DataFrame({"who": np.repeat(np.arange(start, start + n), 3), "x": rng.normal(size=3 * n), "k": rng.choice(list("ab"), 3 * n)})

    train = visits(200, 0)
    again = train[:150].reverse().with_columns(pl.col("who") + 5000)
    trial = Trial(*(Cohort(f, schema) for f in (train, visits(200, 1000), pl.concat([again, visits(100, 2000)]))))
    found = controls(trial, only=("control",))
    assert found["control.overlap"].beside["equal"] == 50
    assert refused(found) == {"control.overlap"}


def test_the_hold_out_comes_first_and_what_cannot_be_comes_last() -> None:
    case = Trial(people(100, 1), people(100, 2), people(60, 3))
    found = run(case, seed=0, only=("control", "fidelity.columns", "privacy")).findings
    names = [f.name for f in found]
    assert names[:2] == ["control.overlap", "control.population"]
    assert names[-1] == "control.impossible"
    assert any(name.startswith("fidelity.") for name in names)
    some = run(case, seed=0, only=("privacy",)).findings
    assert some
    assert all(a == b for a, b in zip(some, [f for f in found if f.name.startswith("privacy.")], strict=True) if a.measured)


def test_without_a_hold_out_or_with_a_tiny_one_it_says_why() -> None:
    assert all(f.missing for f in controls(Trial(people(60, 1), people(60, 2))).values())
    assert all(f.missing or f.beside["p"] > 0.01 for f in controls(Trial(people(60, 1), people(60, 2), people(5, 3))).values())


@pytest.mark.data
@pytest.mark.parametrize("name", ["mgus2.csv", "colon.csv", "haberman.csv", "pima.csv", "wbcd.csv"])
def test_random_splits_of_real_tables_are_fair(shared_data: Path, name: str) -> None:
    from twinset.io.infer import infer_schema

    frame = pl.read_csv(shared_data / name, infer_schema_length=None, null_values=["NA"])
    whole = Cohort(frame, infer_schema(frame))
    for seed in range(2):
        rows = np.random.default_rng(seed).permutation(len(whole))
        n = len(rows) // 3
        case = Trial(whole.take(rows[:n]), whole.take(rows[2 * n :]).synthesised, whole.take(rows[n : 2 * n]))
        assert not refused(controls(case))
