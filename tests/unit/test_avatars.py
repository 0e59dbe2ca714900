"""Avatars: what the two recipes promise about a patient's own values."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput
from twinset.generators.avatars import Avatars
from twinset.generators.avatars.local import around
from twinset.generators.avatars.margins import fit_margin, map_margin


def made_up(n: int = 300) -> Cohort:
    rng = np.random.default_rng(0)
    arm = rng.integers(0, 2, n)
    age = np.round(rng.normal(50, 10, n) + 3 * arm, 1)
    dose = np.where(arm == 1, rng.integers(1, 4, n), 0)
    lab = np.where(dose > 0, np.round(rng.exponential(5, n), 2), np.nan)
    frame = pl.DataFrame({"arm": arm, "treated": np.where(arm == 1, "yes", "no"), "age": age, "dose": dose, "lab": lab}).with_columns(
        pl.col("lab").fill_nan(None)
    )
    columns = (
        Column("arm", "category", role="arm", levels=(0, 1)),
        Column("treated", "category", levels=("no", "yes")),
        Column("age", "number"),
        Column("dose", "category", levels=(0, 1, 2, 3), ordered=True),
        Column("lab", "number"),
    )
    return Cohort(frame, Schema(columns))


def fitted(generator: Avatars, cohort: Cohort):
    return generator.fit(Vault(cohort, Ledger()), stream(0, "fit"))


@pytest.mark.parametrize("recipe", ["published", "local"])
def test_the_same_seed_gives_the_same_avatars(recipe: str) -> None:
    model = fitted(Avatars(recipe=recipe), made_up())
    assert model.sample(200, stream(1, "a")).frame.equals(model.sample(200, stream(1, "a")).frame)
    assert not model.sample(200, stream(1, "a")).frame.equals(model.sample(200, stream(2, "a")).frame)


def test_blocks_keep_what_follows_from_each_other() -> None:
    made = fitted(Avatars(), made_up()).sample(600, stream(0, "a")).frame
    assert ((made["arm"] == 1) == (made["treated"] == "yes")).all()


def test_arm_sizes_are_those_of_train() -> None:
    cohort = made_up()
    made = fitted(Avatars(), cohort).sample(len(cohort), stream(0, "a"))
    assert abs(int(made["arm"].sum()) - int(cohort["arm"].sum())) <= 1


def test_the_published_link_is_one_to_one_and_never_a_record_itself() -> None:
    """With one neighbour an avatar is its nearest other patient: own rows would be exact copies of the link."""
    cohort = made_up()
    made, link = fitted(Avatars(recipe="published", k=1), cohort).sample_paired(len(cohort), stream(0, "a"))
    assert np.array_equal(np.sort(link), np.arange(len(cohort)))
    same = (made.frame["age", "lab"].fill_null(-1.0).to_numpy() == cohort.take(link).frame["age", "lab"].fill_null(-1.0).to_numpy()).all(axis=1)
    sampled = cohort.take(link)["lab"].is_not_null().to_numpy()
    assert same[sampled].mean() < 0.02


def test_published_averages_stay_inside_their_neighbours_range() -> None:
    cohort = made_up()
    made, _ = fitted(Avatars(recipe="published"), cohort).sample_paired(len(cohort), stream(0, "a"))
    assert cohort["age"].min() <= made["age"].min()
    assert made["age"].max() <= cohort["age"].max()
    assert float(made["age"].std()) < 0.9 * float(cohort["age"].std())


def by_rank(members: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The broken twin: points between neighbouring ranks, which round back to members' values."""
    held = np.sort(members)
    return np.interp(np.arange(len(held)) + rng.triangular(-10, 0, 10, len(held)), np.arange(len(held)), held)


def test_rare_values_of_a_margin_are_not_replayed() -> None:
    """Integers of one member reappear no more often than integers of nobody; the twin replays them."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3000, 1500).astype(float)
    members, others = values[:1000], np.setdiff1d(values[1000:], values[:1000])
    once = np.array([v for v, c in zip(*np.unique(members, return_counts=True), strict=True) if c == 1])

    def excess(draw) -> float:
        made = [np.round(draw()) for _ in range(20)]
        return float(np.mean([np.isin(once, m).mean() - np.isin(others, m).mean() for m in made]))

    assert abs(excess(lambda: map_margin(fit_margin(members), rng.normal(size=1000), rng))) < 0.04
    assert excess(lambda: by_rank(members, rng)) > 0.08


def test_extremes_are_not_released() -> None:
    values = np.r_[np.random.default_rng(0).normal(0, 1, 500), 50.0]
    assert map_margin(fit_margin(values), np.arange(501.0), np.random.default_rng(1)).max() < 15


def test_tied_extremes_are_a_margin_too() -> None:
    """Six patients share the lowest value: the rounded mean of five of them must not pass the sixth (0.35 * 5 / 5 rounds up for some values)."""
    for low in np.round(np.random.default_rng(0).gamma(2, 3, 200), 2):
        values = np.r_[np.full(6, low), low + 1 + np.arange(60.0), np.full(6, low + 80)]
        margin = fit_margin(values)
        assert (np.diff(margin.values) >= 0).all()
        map_margin(margin, np.arange(72.0), np.random.default_rng(1))


def drawn_again(cohort: Cohort, rows: np.ndarray, *, told: bool = True) -> Cohort:
    """Patients drawn with replacement; ``told=False`` is the broken twin: nobody says whose copies they are."""
    return Cohort(cohort.frame[rows], cohort.schema, rows if told else None)


def own_share(cohort: Cohort, of: np.ndarray) -> float:
    """Share of the weight of a seed's neighbourhood that lies on copies of the seed's own patient."""
    model = fitted(Avatars(), cohort)
    shares = []
    for s in range(len(model.crowds)):
        seeds = np.flatnonzero(model.stratum == s)
        near = around(model.points, model.crowds[s], model.patients, seeds, model.k)
        shares.append(((of[near.rows] == of[seeds][:, None]) * near.weights).sum(axis=1))
    return float(np.concatenate(shares).mean())


def test_a_copy_of_a_patient_is_not_his_neighbour() -> None:
    cohort = made_up()
    rows = np.random.default_rng(3).integers(0, len(cohort), len(cohort))
    assert own_share(drawn_again(cohort, rows), rows) == 0
    assert own_share(drawn_again(cohort, rows, told=False), rows) > 0.003  # a half of the patients have their first copy among 50 neighbours


def test_a_published_avatar_of_a_copy_is_not_the_patient_again() -> None:
    cohort = made_up()
    rows = np.repeat(np.arange(150), 2)

    def again(told: bool) -> float:
        twice = drawn_again(cohort, rows, told=told)
        made, link = fitted(Avatars(recipe="published", k=1), twice).sample_paired(len(twice), stream(0, "a"))
        return float((made["age"].to_numpy() == twice["age"].to_numpy()[link]).mean())

    assert again(True) < 0.1
    assert again(False) == 1


@pytest.mark.parametrize("recipe", ["published", "local"])
def test_saying_that_nobody_is_a_copy_changes_nothing(recipe: str) -> None:
    cohort = made_up()
    plain = fitted(Avatars(recipe=recipe), cohort).sample(200, stream(1, "a")).frame
    told = fitted(Avatars(recipe=recipe), Cohort(cohort.frame, cohort.schema, np.arange(len(cohort)))).sample(200, stream(1, "a")).frame
    assert told.equals(plain)


def test_people_alike_are_one_content_and_copies_of_one_are_not() -> None:
    """Four people share every cell and were drawn twice each: one content that stands for eight. One other man was drawn three times: three donors."""
    columns = (Column("x", "category", levels=(0, 1, 2)), Column("y", "category", levels=(0, 1, 2)))
    frame = pl.DataFrame({"x": [0] * 8 + [1] * 3 + [2, 2, 0], "y": [0] * 8 + [1] * 3 + [0, 1, 1]})
    origin = np.r_[np.repeat(np.arange(4), 2), [9, 9, 9], 10, 11, 12]
    (crowd,) = fitted(Avatars(), Cohort(frame, Schema(columns), origin)).crowds
    assert sorted(crowd.shares) == [1, 1, 1, 1, 1, 1, 8]
    assert (crowd.patients, crowd.alike) == (7, 3)


def test_copies_of_one_patient_only_are_refused() -> None:
    cohort = made_up()
    with pytest.raises(BadInput, match="two patients"):
        fitted(Avatars(), drawn_again(cohort, np.zeros(5, dtype=np.int64)))
