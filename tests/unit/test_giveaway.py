"""Prediction scores leave out what gives the outcome away, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from twinset.audit.endpoints.survival import Survival
from twinset.audit.fidelity.cells import aligned
from twinset.audit.fidelity.giveaway import declared, sure
from twinset.audit.fidelity.predict import Predict
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.rules.language import parse

COLUMNS = (
    Column("age", "integer"),
    Column("marker", "number"),
    Column("days", "integer", "time"),
    Column("chapter", "category", levels=("heart", "lung")),
    Column("ward", "category", levels=tuple("abcdefghij")),
    Column("death", "category", "event", levels=(0, 1)),
)


def dead(n: int, seed: int) -> Cohort:
    """A cause of death is missing exactly for the living; a strong and honest marker; a time; a ward that says nothing."""
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, n)
    risk = rng.normal(0, 1, n)
    death = (risk + 0.02 * (age - 60) + rng.normal(0, 0.5, n) > 0).astype(np.int64)
    frame = pl.DataFrame(
        {
            "age": age,
            "marker": risk.round(3),
            "days": np.where(death == 1, rng.integers(1, 500, n), rng.integers(400, 900, n)),
            "chapter": pl.Series([str(rng.choice(["heart", "lung"])) if d else None for d in death], dtype=pl.String),
            "ward": rng.choice(list("abcdefghij"), n),
            "death": death,
        }
    )
    return Cohort(frame, Schema(COLUMNS))


def measured(trial: Trial) -> list[str]:
    found = Predict().measure(trial, stream(0))
    assert all(f.measured for f in found)
    assert all(f.value < 0.99 for f in found)
    return [f.says.partition("give the outcome away: ")[2].rstrip(".") for f in found]


def test_a_cause_of_death_and_a_time_do_not_predict_death() -> None:
    """A score of 1.00 was praised that said no more than: who has a cause of death is dead."""
    assert measured(Trial(dead(400, 0), dead(400, 1), dead(300, 2))) == ["days, chapter"] * 2


def test_a_strong_marker_and_an_empty_column_stay() -> None:
    train = dead(400, 0)
    (table,) = aligned(train)
    assert sure(table, train.schema.names.index("death"), stream(0)) == ("chapter",)


def test_columns_of_endpoints_and_of_rules_that_tie_are_out() -> None:
    schema = Schema(tuple(replace(c, role="" if c.name != "death" else "outcome") for c in COLUMNS))
    train = Cohort(dead(60, 0).frame, schema)
    endpoint = Survival("x", time="days", event="chapter")
    ties = ('death == 0 -> ward == "a"', "age >= 18", "marker < age")
    rules = tuple(parse(r, schema) for r in ties)
    assert declared(Trial(train, train, rules=rules), "death") == ("ward",)
    assert declared(Trial(train, train, endpoints=(endpoint,)), "death") == ("days", "chapter")


def test_a_number_that_is_another_in_other_units_is_out() -> None:
    rng = np.random.default_rng(0)
    kg = rng.normal(70, 10, 200)
    frame = pl.DataFrame({"kg": kg, "pounds": (kg * 2.2).round(1), "age": rng.normal(50, 10, 200) + kg / 10})
    (table,) = aligned(Cohort(frame, Schema(tuple(Column(n, "number") for n in frame.columns))))
    assert sure(table, 0, stream(0)) == ("pounds",)


@pytest.mark.parametrize("seed", range(20))
def test_many_columns_of_noise_stay(seed: int) -> None:
    """Levels that few rows have fit their own rows perfectly: the other half of the rows must not be fooled. (Seeded: cannot fail by luck.)"""
    rng = np.random.default_rng(seed)
    n = 60
    frame = pl.DataFrame({"y": np.arange(n) % 5 == 0, **{f"x{j}": rng.integers(0, 40, n).astype(str) for j in range(20)}, "z": rng.normal(size=n)})
    columns = [Column("y", "category", "outcome"), *(Column(f"x{j}", "category") for j in range(20)), Column("z", "number")]
    (table,) = aligned(Cohort(frame, Schema(tuple(columns))))
    assert sure(table, 0, stream(seed)) == ()


def test_where_nothing_else_is_left_it_is_said() -> None:
    kept = ["chapter", "death"]
    trial = Trial(*(dead(n, n).select(kept) for n in (200, 201)), dead(202, 202).select(kept))
    found = Predict().measure(trial, stream(0))
    assert all("every other column gives the outcome away: chapter" in f.missing for f in found)
