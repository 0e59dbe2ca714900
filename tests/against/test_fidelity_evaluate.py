"""Our fidelity metrics against the project's common evaluator, on published synthetic copies of ACTG 175."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from twinset.audit.fidelity.columns import Columns
from twinset.audit.fidelity.giveaway import declared
from twinset.audit.fidelity.hellinger import Hellinger
from twinset.audit.fidelity.learners import one_thread
from twinset.audit.fidelity.pairs import Pairs
from twinset.audit.fidelity.predict import Predict
from twinset.audit.fidelity.propensity import Propensity
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.schema import Column, Role, Schema
from twinset.core.seeds import stream

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]


def schema_of(frame: pl.DataFrame) -> Schema:
    roles: dict[str, Role] = {"arms": "arm", "cens": "event", "days": "time"}
    return Schema(tuple(Column(c, "number" if frame[c].n_unique() > 20 else "category", roles.get(c, "")) for c in frame.columns))


@pytest.fixture(scope="module")
def evaluator(shared_data: Path) -> ModuleType:
    path = shared_data.parent / "notes" / "evaluate.py"
    if not path.is_file():
        pytest.skip("the common evaluator is not here")
    spec = importlib.util.spec_from_file_location("evaluate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["avatar", "synthpop", "ctgan"])
def test_same_numbers_as_the_common_evaluator(shared_data: Path, evaluator: ModuleType, name: str) -> None:
    """Columns, pairs, own-rank Hellinger to 1e-9; prediction to 1e-6 (same learners; a fold of the propensity's own split: 0.02)."""
    table = pl.read_csv(shared_data / "actg175.csv").drop("pidnum")
    schema = schema_of(table)
    order = np.random.default_rng(0).permutation(table.height)
    cut = int(0.7 * table.height)
    train, holdout = Cohort(table[order[:cut]], schema), Cohort(table[order[cut:]], schema)
    synthetic = Cohort(pl.read_csv(shared_data / f"reference_synthetic/ref_actg175_{name}.csv").select(schema.names), schema)
    trial = Trial(train, synthetic, holdout)
    real, held, made = (c.frame.to_pandas() for c in (train, holdout, synthetic))
    num, _ = evaluator.schema(real)
    one, two = evaluator.marginals(*evaluator.codes(real, made, num))
    codes = evaluator.codes(real, made, num)

    columns = Columns(worst=30).measure(trial, stream(0))
    assert columns[0].value == pytest.approx(np.mean(list(one.values())), abs=1e-9)
    assert {f.where: round(f.value, 9) for f in columns[1:]} == {k: round(v, 9) for k, v in one.items()}
    assert Pairs().measure(trial, stream(0))[0].value == pytest.approx(two, abs=1e-9)
    dependence = Hellinger().measure(trial, stream(0))[0].beside["dependence"]
    assert dependence == pytest.approx(evaluator.hellinger(real, made, num, codes[0], codes[1]), abs=1e-6)

    encoder = evaluator.Encoder(real, num)
    told = declared(trial, "cens")  # known only with the outcome: no predictor of ours
    assert told == ("days",)
    known, made_known, held_known = (f.drop(columns=list(told)) for f in (real, made, held))
    predictors = evaluator.Encoder(known, [n for n in num if n not in told])
    logistic, boosting = Predict().measure(trial, stream(0))
    assert logistic.value == pytest.approx(evaluator.auroc(predictors, made_known, held_known, "cens", "1", "lr"), abs=2e-4)
    assert boosting.value == pytest.approx(evaluator.auroc(predictors, made_known, held_known, "cens", "1", "hgb"), abs=2e-3)
    if name == "avatar":
        told = Propensity().measure(trial, stream(0))[0].value
        with one_thread():
            assert told == pytest.approx(evaluator.propensity(encoder, real, made), abs=0.02)
