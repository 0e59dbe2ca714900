"""Intervals from a private release cover the population; the same code that forgets the noise does not."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import twinset
from twinset.audit.endpoints.hazards import cox
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Role, Schema
from twinset.core.seeds import stream
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.generators import GENERATORS
from twinset.generators.marginals import MarginalsModel
from twinset.generators.marginals.saved import from_dict, to_dict
from twinset.inference import infer_population
from twinset.inference.copies import Copies

TRIALS, RUNS, EFFECT = 80, 30, 0.2
ROLES: dict[str, Role] = {"arm": "arm", "sex": "", "response": "outcome"}  # so that arm x response is measured whatever is selected
SCHEMA = Schema(tuple(Column(n, "category", role, levels=(0, 1), origin="public") for n, role in ROLES.items()))


def difference(frame: pl.DataFrame) -> tuple[float, float]:
    """Response in arm 1 less response in arm 0."""
    known = frame.drop_nulls()
    groups = [known.filter(pl.col("arm") == a)["response"] for a in (0, 1)]
    shares = [float((g == 1).sum()) / max(len(g), 1) for g in groups]
    return shares[1] - shares[0], math.sqrt(sum(p * (1 - p) / max(len(g), 1) for p, g in zip(shares, groups, strict=True)))


def forgetful(model: MarginalsModel) -> MarginalsModel:
    """The broken twin: a released model that has lost the variances of its noise."""
    data = to_dict(model)
    data["first_sigma"] = 1e-3
    for marginal in data["marginals"]:
        marginal["sigma"] = 1e-3
    return from_dict(data)


@pytest.mark.slow
def test_coverage_and_a_twin_without_the_noise() -> None:
    honest = broken = naive = 0
    for seed in range(TRIALS):
        rng = stream(seed, "trial")
        arm, sex = rng.integers(0, 2, 1000), rng.integers(0, 2, 1000)
        frame = pl.DataFrame({"arm": arm, "sex": sex, "response": (rng.random(1000) < 0.3 + EFFECT * arm).astype(np.int64)})
        model = GENERATORS["aim"]().fit(Vault(Cohort(frame, SCHEMA), Ledger(), Allowance(rho_of(0.3, 1e-6), 0.0)), rng)
        assert isinstance(model, MarginalsModel)
        made = model.sample(model.n_rows, rng).frame
        found, lost = (infer_population(Copies((made,), SCHEMA, m), difference, runs=RUNS, level=0.95, seed=seed) for m in (model, forgetful(model)))
        honest += found.low <= EFFECT <= found.high
        broken += lost.low <= EFFECT <= lost.high
        naive += found.naive_low <= EFFECT <= found.naive_high
    assert honest >= 0.86 * TRIALS  # 95 % has a standard deviation of 2.4 points here; the twin and the naive interval covered 61 %
    assert broken <= 0.78 * TRIALS
    assert naive <= 0.78 * TRIALS


LOG_HAZARD_RATIO, PATIENTS = -0.37, 400


def survivors(rng: np.random.Generator) -> pl.DataFrame:
    """Patients of a trial in two arms, whose stage matters too, with some columns that do not."""
    arm, stage = rng.integers(0, 2, PATIENTS), rng.choice(4, PATIENTS, p=(0.35, 0.3, 0.2, 0.15))
    died, left = rng.exponential(24 / np.exp(LOG_HAZARD_RATIO * arm)), rng.uniform(6, 36, PATIENTS)
    columns = {
        "arm": arm,
        "event": (died <= left).astype(np.int64),
        "time": np.minimum(died, left).round(1),
        "age": np.round(rng.normal(62 + 2 * stage, 10)),
        "stage": stage,
        "marker": rng.gamma(2, 1 + 0.5 * stage).round(2),
        "sex": rng.integers(0, 2, PATIENTS),
        "weight": rng.normal(75, 12, PATIENTS).round(1),
    }
    return pl.DataFrame(columns)


def hazards(frame: pl.DataFrame) -> tuple[float, float]:
    """Log hazard ratio of the arms, and its error."""
    fit = cox(frame["time"].to_numpy(), frame["event"].to_numpy() == 1, frame["arm"].to_numpy())
    return float(fit.coefficients[0]), math.sqrt(fit.covariance[0, 0])


RANDOM = {"dealing": "random", "by_arm": False, "strictness": 2.0}


def held(settings: dict[str, object], *, copies: int) -> tuple[int, int]:
    """Of 40 trials, seeded: how many hold the hazard ratio in the interval that ``combine`` gives from copies of one model of trees, and in the patients' own."""
    found = own = 0
    for seed in range(40):
        frame, rng = survivors(stream(seed, "survivors")), stream(seed, "trees")
        model = GENERATORS["trees"](**settings).fit(Vault(Cohort(frame, twinset.infer(frame)), Ledger()), rng)
        made = [model.sample(PATIENTS, rng).frame for _ in range(copies)]
        told = twinset.combine(made, hazards, n=PATIENTS, generator="trees")
        value, error = hazards(frame)
        found += told.low <= LOG_HAZARD_RATIO <= told.high
        own += abs(value - LOG_HAZARD_RATIO) < 1.96 * error
    return found, own


@pytest.mark.slow
@pytest.mark.parametrize("copies", [1, 5])
def test_the_effect_of_an_arm_is_covered_from_copies_of_trees(copies: int) -> None:
    """T_s is promised for one copy and for several: fewer than 36 of 40 are seen once in a thousand where 98 % hold. Dealing at random shrinks the effect, and more copies make that worse."""
    told, own = held({}, copies=copies)
    assert min(told, own) >= 36
    assert held(RANDOM, copies=copies)[0] < 34


@pytest.mark.slow
def test_the_effect_of_an_arm_is_not_shrunk() -> None:
    """Copies' estimates less the patients', over 40 trials: dealing at random shrank a log hazard ratio of -.37 by a third."""
    found = []
    for settings in ({}, RANDOM):
        pairs = []
        for seed in range(40):
            frame = survivors(stream(seed, "survivors"))
            made = twinset.synthesize(frame, generator="trees", seed=seed, settings=settings)
            pairs.append(hazards(made)[0] - hazards(frame)[0])
        found.append(float(np.mean(pairs)))
    assert abs(found[0]) < 0.01
    assert found[1] > 0.05
