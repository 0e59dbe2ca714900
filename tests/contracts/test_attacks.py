"""One suite for every attack in the table: it wins where rows are copied, not where patients are fresh, and never sees who was in."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import numpy as np
import pytest

from twinset.audit.privacy import ATTACKS, arena
from twinset.checks import everyday_cohort
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray, Trial, View
from twinset.core.finding import Finding
from twinset.core.seeds import Rng, stream


@cache
def people(n: int, seed: int) -> Cohort:
    return everyday_cohort(n, seed=seed).synthesised


@cache
def staged(name: str, release: str) -> dict[str, Finding]:
    """AUC of the attack by stratum, on a release of a kind."""
    train = people(500, 1)
    synthetic = {"copies": train, "fresh": people(500, 3), "holdout": people(400, 2)}[release]
    found = arena.stage(Trial(train, synthetic, people(400, 2)), {name: ATTACKS[name]()}, stream(11, name))
    return {f.where: f for f in found if f.measured and f.name == f"membership.{name}"}


def test_a_view_says_nothing_about_membership() -> None:
    assert {f.name for f in fields(View)} == {"synthetic", "population"}


@pytest.mark.parametrize("name", list(ATTACKS.table))
def test_scores_are_finite_one_a_target_and_repeatable(name: str) -> None:
    view = View(people(200, 3), people(150, 4))
    targets = people(60, 5)
    scores = ATTACKS[name]().score(view, targets, stream(0))
    assert scores.shape == (60,)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, ATTACKS[name]().score(view, targets, stream(0)))


@pytest.mark.parametrize("name", list(ATTACKS.table))
def test_order_of_targets_is_no_clue(name: str) -> None:
    view, targets = View(people(200, 3), people(150, 4)), people(60, 5)
    order = stream(6).permutation(60)
    forward = ATTACKS[name]().score(view, targets, stream(0))
    assert np.allclose(ATTACKS[name]().score(view, targets.take(order), stream(0)), forward[order])


@pytest.mark.parametrize("name", list(ATTACKS.table))
def test_beats_chance_on_copies(name: str) -> None:
    f = staged(name, "copies")["all patients"]
    assert f.low > 0.5
    assert f.value > 0.55


@pytest.mark.parametrize("name", list(ATTACKS.table))
def test_no_better_than_chance_on_fresh_patients(name: str) -> None:
    """Mean over six populations; one has a standard error of about 0.02: sees a bias of 0.035 and more."""
    values = []
    for seed in range(6):
        case = Trial(*(people(n, 100 * seed + i) for n, i in ((500, 21), (500, 22), (400, 23))))
        values += [
            f.value for f in arena.stage(case, {name: ATTACKS[name]()}, stream(seed, name)) if f.name == f"membership.{name}" and f.where == "all patients"
        ]
    assert len(values) == 6
    assert abs(np.mean(values) - 0.5) < 0.035, values


@pytest.mark.parametrize("name", list(ATTACKS.table))
def test_sign_flips_when_the_holdout_is_released(name: str) -> None:
    """Were train and hold-out swapped somewhere, this would read above 0.5."""
    f = staged(name, "holdout")["all patients"]
    assert f.value < 0.5


class Noise:
    """An attack that guesses: the broken twin of every attack."""

    def score(self, view: View, targets: Cohort, rng: Rng) -> FloatArray:
        return rng.random(len(targets))


def test_noise_in_place_of_an_attack_fails_the_suite() -> None:
    train = people(500, 1)
    found = arena.stage(Trial(train, train, people(400, 2)), {"noise": Noise()}, stream(11))
    everyone = next(f for f in found if f.where == "all patients" and f.name == "membership.noise")
    assert everyone.low <= 0.5
    assert everyone.value < 0.55
