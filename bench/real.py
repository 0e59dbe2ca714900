"""Real tables for the table of effects: fidelity and attacks on one split, the arms of ACTG 175 over many draws, CPU-seconds of a bootstrap."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl

from bench import runs
from bench.attack import attack
from bench.coverage import Declared
from bench.evaluate import evaluate
from bench.tables import cohort, load
from twinset.audit.endpoints.hazards import cox
from twinset.audit.privacy import ATTACKS
from twinset.audit.privacy.arena import stage
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.refits import FEWEST
from twinset.core.seeds import stream
from twinset.refitting.job import Job
from twinset.refitting.run import refit

EFFECTS = ("arm 1", "arm 2", "arm 3", "CD4 below 350", "symptoms")


def fidelity(name: str, generator: str, split: int, attacked: bool) -> dict[str, Any]:
    """The columns of ``bench.quality`` for one split, and ``six``: the package's own learnt attack, six folds of the hold-out."""
    table = load(name)
    train, holdout = table.split(split)
    frame, _ = runs.ours(generator, train, seed=split)
    release = frame.select(train.columns).cast({c: train.schema[c] for c in train.columns}, strict=False)
    found: dict[str, Any] = evaluate(train, holdout, release, target=table.target, positive=table.positive)
    if not attacked:
        return found
    schema = cohort(train).schema
    trial = Trial(Cohort(train, schema), Cohort(release, schema), Cohort(holdout, schema))
    six = {f.where: f.value for f in stage(trial, {"classifier": ATTACKS["classifier"]()}, stream(0, "audit")) if f.name == "membership.classifier"}
    return found | attack(train, holdout, release, seed=split) | {"six": six["all patients"]}


def effects(frame: pl.DataFrame) -> np.ndarray:
    """Log hazard ratios of ACTG 175 and their errors, (5, 2): arms 1 to 3 against 0 (one model), and two factors, each alone."""
    days, event = frame["days"].to_numpy().astype(np.float64), frame["cens"].cast(pl.Int64).to_numpy() == 1
    groups = (frame["arms"].cast(pl.Int64).to_numpy(), (frame["cd40"] < 350).to_numpy().astype(np.int64), frame["symptom"].cast(pl.Int64).to_numpy())
    fits = [cox(days, event, g) for g in groups]
    return np.vstack([np.column_stack([f.coefficients, np.sqrt(np.diag(f.covariance))]) for f in fits])


def drawn(generator: str, seed: int) -> dict[str, Any]:
    """One fit and draw of ACTG 175's train part: by effect the shift from train's own, in train's standard errors."""
    train, _ = load("actg175").split(0)
    own, made = effects(train), effects(runs.ours(generator, train, seed=seed)[0])
    return dict(zip(EFFECTS, ((made[:, 0] - own[:, 0]) / own[:, 1]).tolist(), strict=True))


def bootstrap(generator: str, turns: int) -> dict[str, Any]:
    """CPU-seconds of so many refits on ACTG 175, one copy and the hazard ratios of the arms in each, after some to warm up."""
    train, _ = load("actg175").split(0)
    patients = cohort(train)
    arms = Declared({"arm 1": lambda f: tuple(effects(f)[0])})
    refit(Job(runs.generator(generator), patients, (), (arms,), len(patients), 1, 0), runs=FEWEST)
    start = time.process_time()
    refit(Job(runs.generator(generator), patients, (), (arms,), len(patients), 1, 1), runs=turns)
    return {"cpu": time.process_time() - start}
