"""A plan: made without the rows, honest about what it cannot know, written into the study without harm."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.checks import everyday_cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.demo import write_demo
from twinset.errors import BadInput
from twinset.planning.choose import choose, with_privacy
from twinset.planning.foretell import Endpoint, plan
from twinset.planning.stand_in import stand_in
from twinset.study import load, study_of

SCHEMA = Schema(
    (
        Column("age", "integer", low=18, high=90, origin="public"),
        Column("dose", "number", low=0, high=500, decimals=1, origin="public"),
        Column("start", "date", low=17_000, high=18_000, origin="public"),
        Column("arm", "category", role="arm", levels=("a", "b"), origin="public"),
        Column("response", "category", levels=(False, True), origin="public"),
        Column("stage", "category", levels=(1, 2, 3), ordered=True, origin="public"),
    )
)


@pytest.mark.parametrize("seed", range(5))
def test_a_stand_in_keeps_the_declared_domain(seed: int) -> None:
    made = stand_in(SCHEMA, 400, stream(seed))
    assert made.schema == SCHEMA
    for column in SCHEMA:
        values = made[column.name]
        assert values.null_count() == 0
        if column.levels:
            assert set(values.to_list()) <= set(column.levels)
        else:
            number = values.cast(pl.Float64) if column.kind != "date" else values.cast(pl.Int32).cast(pl.Float64)
            assert column.low is not None
            assert column.high is not None
            assert number.min() >= column.low  # type: ignore[operator]
            assert number.max() <= column.high  # type: ignore[operator]
    assert made["start"].dtype == pl.Date


def test_stand_ins_have_relations_but_arms_are_drawn_by_lot() -> None:
    found, lot = [], []
    for seed in range(30):
        frame = stand_in(SCHEMA, 500, stream(seed)).frame
        found.append(abs(np.corrcoef(frame["age"], frame["dose"])[0, 1]))
        lot.append(abs(np.corrcoef(frame["arm"] == "a", frame["age"])[0, 1]))
    assert np.mean(found) > 0.15
    assert np.mean(lot) < 0.06  # 0.036 is chance at n = 500


def test_undeclared_columns_are_invented_and_named_as_paid_for() -> None:
    schema = everyday_cohort().schema
    told = plan(study_of(schema, name="x", generator="aim"), [5.0], rows=300, repeats=1)
    assert "lab" in told.paid
    assert "age" not in told.paid


def test_more_budget_foretells_less_error_and_more_risk() -> None:
    told = plan(study_of(SCHEMA, name="x", generator="aim"), [10.0, 0.5, 2.0], rows=2000, repeats=2)
    assert [f.epsilon for f in told.forecasts] == [0.5, 2.0, 10.0]
    assert told.forecasts[0].pairs.mean > 1.5 * told.forecasts[2].pairs.mean
    assert told.forecasts[0].guess < told.forecasts[1].guess < told.forecasts[2].guess < 1
    assert told.n_train == 1400
    good = next(f for f in told.forecasts if f.epsilon == told.recommended)
    assert good.pairs.mean <= 1.25 * told.forecasts[-1].pairs.mean


def test_what_an_endpoint_could_show() -> None:
    e = Endpoint("death", "b against a", 0.2, ratio=True)
    assert e.width == pytest.approx(2 * 1.96 * 0.2, rel=1e-3)
    assert e.detectable == pytest.approx(math.exp(2.8016 * 0.2), rel=1e-3)


@pytest.mark.parametrize("epsilons", [[], [0.0], [-1.0, 2.0], [math.inf], [math.nan]])
def test_epsilons_that_are_none(epsilons: list[float]) -> None:
    with pytest.raises(BadInput, match="positive"):
        plan(study_of(SCHEMA, name="x"), epsilons, rows=500)


def test_the_number_of_patients_is_asked_for() -> None:
    with pytest.raises(BadInput, match="--rows"):
        plan(study_of(SCHEMA, name="x"), [1.0])


def test_the_choice_is_written_and_comments_stay(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    text = '# mine\nname = "x"  # a name\n[data]\npath = "t.csv"\n[columns.age]\ntype = "integer"\n'
    study.write_text(text)
    choose(study, epsilon=2.5, unit="row")
    assert study.read_text() == text + '\n[privacy]\nepsilon = 2.5\nunit = "row"\n'
    once = study.read_bytes()
    choose(study, epsilon=2.5, unit="row")
    assert study.read_bytes() == once
    choose(study, epsilon=5.0, unit="row")
    assert tomllib.loads(study.read_text())["privacy"] == {"epsilon": 5.0, "unit": "row"}
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]


keys = st.sampled_from(["budget = 10", "delta = 1e-9  # small", "# a remark", "", 'relation = "replace"', "epsilon = 3", "  epsilon=0.5 # low", 'unit = "id"'])


@given(st.lists(keys, max_size=5, unique_by=lambda k: k.partition("=")[0].strip()), st.booleans(), st.floats(0.01, 100))
def test_choosing_changes_two_keys_and_nothing_else(inside: list[str], followed: bool, epsilon: float) -> None:
    text = 'name = "x"\n\n[privacy]  # terms\n' + "".join(f"{line}\n" for line in inside) + ("[audit]\nseed = 1\n" if followed else "")
    before, after = tomllib.loads(text), tomllib.loads(with_privacy(text, epsilon=epsilon, unit="row"))
    assert after == before | {"privacy": before["privacy"] | {"epsilon": epsilon, "unit": "row"}}


def test_the_private_demo_declares_everything(tmp_path: Path) -> None:
    study = load(write_demo(tmp_path / "demo").with_name("private.toml"))
    assert study.generator.name == "aim"
    assert study.privacy is not None
    assert {c.name for c in study.schema_of_columns() if c.origin != "public"} == {"pidnum"}
    assert {r.origin for r in study.rules} == {"public"}
    assert replace(study.schema_of_columns()["wtkg"]).decimals == 1
