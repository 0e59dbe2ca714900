"""Intervals from a private release cover the population; the same code that forgets the noise does not."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

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
