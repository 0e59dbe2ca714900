"""Split, patients, and the privacy metrics in small: what they count, and what they do where they cannot."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.audit.privacy import ATTACKS, PRIVACY, arena
from twinset.audit.privacy.copies import Copies
from twinset.audit.privacy.nearer import Nearer
from twinset.audit.privacy.patients import patients
from twinset.audit.privacy.replay import Replay
from twinset.audit.privacy.split import split
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.errors import BadInput

ROWS = Schema((Column("x", "number"), Column("k", "category")))
VISITS = Schema((Column("who", "category"), Column("x", "number"), Column("k", "category")), unit="who")


def table(x: list[float], k: list[str]) -> Cohort:
    return Cohort(pl.DataFrame({"x": x, "k": k}, schema={"x": pl.Float64, "k": pl.String}), ROWS)


def visits(who: list[int], x: list[float]) -> Cohort:
    return Cohort(pl.DataFrame({"who": who, "x": x, "k": ["a"] * len(x)}, schema={"who": pl.Int64, "x": pl.Float64, "k": pl.String}), VISITS)


def numbers(n: int, seed: int) -> Cohort:
    rng = np.random.default_rng(seed)
    return table(list(rng.random(n)), list(rng.choice(["a", "b"], n)))


def test_the_split_is_the_documented_permutation() -> None:
    train, held = split(table(list(range(100)), ["a"] * 100), fraction=0.3, seed=7)
    order = np.random.default_rng(7).permutation(100)
    assert train["x"].to_list() == order[:70].tolist()
    assert held["x"].to_list() == order[70:].tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=30, max_size=60), st.floats(0.2, 0.8), st.integers(0, 99))
def test_no_patient_straddles(who: list[int], fraction: float, seed: int) -> None:
    if len(set(who)) < 6:
        return
    cohort = visits(who, list(range(len(who))))
    train, held = split(cohort, fraction=fraction, seed=seed)
    assert not set(train["who"]) & set(held["who"])
    assert sorted([*train["x"], *held["x"]]) == list(range(len(who)))
    assert train["who"].n_unique() == int((1 - fraction) * len(set(who)))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 0.999])
def test_an_empty_side_is_refused(fraction: float) -> None:
    with pytest.raises(BadInput, match="empty"):
        split(table([1.0, 2.0], ["a", "b"]), fraction=fraction, seed=0)


def test_patients_keep_their_rows() -> None:
    side = patients(visits([7, 3, 7, 9], [1.0, 2.0, 3.0, 4.0]))
    assert side.n == 3
    assert side.mean(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [2.0, 2.0, 4.0]
    chosen = side.take(np.array([2, 1]))
    assert chosen.rows["x"].to_list() == [4.0, 1.0, 3.0]
    assert chosen.of.tolist() == [0, 1, 1]
    assert side.of[side.one_row_each(np.random.default_rng(0))].tolist() == [0, 1, 2]


def test_copies_count_patients_and_compare_with_the_hold_out() -> None:
    train, held = numbers(200, 0), numbers(50, 1)
    release = Cohort(pl.concat([train.frame[:20], held.frame[:1], numbers(179, 2).frame]), ROWS)
    (found,) = Copies().measure(Trial(train, release, held), stream(0))
    assert found.beside["train"] == 0.1
    assert found.beside["holdout"] == 0.02
    assert found.value == pytest.approx(0.08)
    assert found.beside["release_rows"] == pytest.approx(20 / 200)


def test_copies_see_through_types_gaps_and_minus_zero() -> None:
    train = table([0.0, None, 3.0], ["a", "b", None])
    release = table([-0.0, None, 3.0], ["a", "b", None])
    assert Copies().measure(Trial(train, release, numbers(30, 0)), stream(0))[0].beside["train"] == 1.0
    whole = Cohort(pl.DataFrame({"x": [0, None, 3], "k": ["a", "b", None]}), ROWS)
    assert Copies().measure(Trial(train, whole, numbers(30, 0)), stream(0))[0].beside["train"] == 1.0
    other_gap = table([0.0, 0.0, None], ["a", "b", None])
    assert Copies().measure(Trial(train, other_gap, numbers(30, 0)), stream(0))[0].beside["train"] == pytest.approx(1 / 3)


def test_a_patient_with_one_copied_visit_is_copied() -> None:
    train = visits([0, 0, 0, 1, 1, 1], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    release = Cohort(pl.DataFrame({"x": [3.0], "k": ["a"]}), Schema(VISITS.columns[1:]))
    assert Copies().measure(Trial(train, release, visits([5], [9.0])), stream(0))[0].beside["train"] == 0.5


def test_a_value_that_one_patient_repeats_is_still_his_alone() -> None:
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(120), 3)
    cohort = visits(list(who), list(np.repeat(rng.random(120), 3)))  # the same value at all three visits
    train, held = split(cohort, fraction=0.5, seed=0)
    values = Replay().measure(Trial(train, train.synthesised, held), stream(0))[0]
    assert values.value == 1.0
    assert values.n == 120


def test_shared_values_and_gaps_single_nobody_out() -> None:
    train, held = table([1.0, 2.0, None] * 20, ["a", None, "b"] * 20), table([1.0, 2.0] * 20, ["a", "b"] * 20)
    assert not any(f.measured for f in Replay().measure(Trial(train, train, held), stream(0)))


def test_without_hold_out_the_reason_is_given() -> None:
    trial = Trial(numbers(50, 0), numbers(50, 1))
    found = [f for m in (Copies(), Replay(), Nearer()) for f in m.measure(trial, stream(0))] + list(arena.measure(trial, stream(0)))
    assert {f.name for f in found} == {
        "privacy.copies",
        "privacy.replay.values",
        "privacy.replay.combinations",
        "privacy.nearer",
        *(f"membership.{a}" for a in ATTACKS),
    }
    assert all("hold-out" in f.missing for f in found)


@pytest.mark.parametrize("n", [0, 1, 2, 12])
def test_tiny_tables_do_not_crash(n: int) -> None:
    trial = Trial(numbers(n, 0), numbers(n, 1), numbers(n, 2))
    found = [f for m in (Copies(), Replay(), Nearer()) for f in m.measure(trial, stream(0))] + list(arena.measure(trial, stream(0)))
    for f in found:
        assert f.missing or (f.low <= f.value <= f.high and f.says and f.silent_on)


def test_a_tiny_stratum_says_that_power_is_lacking() -> None:
    found = {(f.name, f.where): f for f in arena.measure(Trial(numbers(300, 0), numbers(300, 1), numbers(120, 2)), stream(0))}
    assert "Not enough power" in found["membership.distance", "isolated 5 %"].says
    assert "Not enough power" not in found["membership.distance", "all patients"].says
    assert "500 hold-out patients" in found["membership.distance.tpr", "all patients"].missing


def test_same_seed_same_findings_whatever_else_is_staged() -> None:
    from twinset.audit.privacy.distance import Distance

    trial = Trial(numbers(100, 0), numbers(100, 1), numbers(60, 2))
    alone = arena.stage(trial, {"distance": Distance()}, stream(3))
    together = [f for f in arena.measure(trial, stream(3)) if f.name.startswith("membership.distance")]
    assert [f.value for f in alone if f.measured] == [f.value for f in together if f.measured]


def test_the_tables_load() -> None:
    for name in ATTACKS:
        assert ATTACKS[name].__doc__
    assert set(PRIVACY.names()) >= {"copies", "replay", "nearer", "hidden_rate"}


def test_empty_and_infinite_columns_do_not_crash() -> None:
    def odd(seed: int) -> Cohort:
        base = numbers(60, seed)
        return table([float("inf") if i == 0 else x for i, x in enumerate(base["x"])], [None] * 60)  # type: ignore[list-item]

    found = arena.measure(Trial(odd(0), odd(1), odd(2)), stream(0))
    assert all(f.missing or f.low <= f.value <= f.high for f in found)
    hollow = [table([None] * 60, ["a", "b"] * 30) for _ in range(3)]  # type: ignore[list-item]
    found = arena.measure(Trial(hollow[0], hollow[1], hollow[2]), stream(0))
    assert all(f.missing or (f.low <= 0.5 and f.beside.get("p", 1.0) > 0.1) for f in found)


def test_patients_with_many_rows_are_attacked_as_patients() -> None:
    rng = np.random.default_rng(9)
    cohort = visits(list(np.repeat(np.arange(150), 4)), list(rng.random(600)))
    train, held = split(cohort, fraction=0.4, seed=0)
    first = arena.measure(Trial(train, train.synthesised, held), stream(0))[0]
    assert first.n == 150
    assert first.value > 0.9
