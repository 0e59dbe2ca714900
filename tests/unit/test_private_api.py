"""``twinset.synthesize`` with an epsilon: the caller's kind of frame back, a noisy number of rows, and no way around the budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import twinset
from twinset.errors import BadInput, BudgetExhausted, SchemaMismatch

STUDY = """
[data]
path = "x.csv"
[columns.age]
type = "integer"
low = 0
high = 99
origin = "public"
[columns.sick]
type = "category"
levels = ["no", "yes"]
origin = "public"
[columns.well]
type = "category"
levels = [false, true]
origin = "public"
[columns.site]
type = "category"
levels = ["north", "secret place"]
"""


def people(n: int = 900) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(20, 80, n)
    sick = np.where(rng.random(n) < age / 100, "yes", "no")
    return pl.DataFrame({"age": age, "sick": sick, "well": sick == "no", "site": rng.choice(["north", "south"], n)})


def test_everything_is_found_within_epsilon() -> None:
    made = twinset.synthesize(people(), generator="aim", epsilon=5.0, seed=0)
    assert made.schema == people().schema
    assert abs(len(made) - 900) < 60
    assert set(made["sick"].unique()) <= {"yes", "no", "other", None}
    assert made.filter(pl.col("age") > 60)["sick"].eq("yes").mean() > made.filter(pl.col("age") < 40)["sick"].eq("yes").mean() + 0.1


def test_pandas_in_pandas_out_and_as_many_rows_as_asked() -> None:
    made = twinset.synthesize(people().to_pandas(), "mst", epsilon=5.0, n=77)
    assert isinstance(made, pd.DataFrame)
    assert made.shape == (77, 4)


def test_a_studys_public_domain_is_free_and_its_private_levels_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    made = twinset.synthesize(people(), "mst", epsilon=5.0, study=tmp_path / "study.toml")
    assert set(made["sick"].unique()) == {"no", "yes"}
    assert "secret place" not in set(made["site"].unique())
    odd = people().with_columns(pl.lit("maybe").alias("sick"))
    with pytest.raises(SchemaMismatch, match="`sick` holds levels that were not declared"):
        twinset.synthesize(odd, "mst", epsilon=5.0, study=tmp_path / "study.toml")


def test_a_patient_column_is_bounded_and_left_out() -> None:
    frame = people().with_columns(pl.Series("id", np.arange(900) // 3))
    made = twinset.synthesize(frame, "mst", epsilon=5.0, unit="id")
    assert "id" not in made.columns
    assert abs(len(made) - 300) < 60


@pytest.mark.parametrize(
    "wrong, kind, said",
    [
        ({"generator": "aim"}, BadInput, "needs|budget"),
        ({"generator": "trees", "epsilon": 1.0}, BudgetExhausted, "rows themselves"),
        ({"generator": "aim", "epsilon": 0.0}, BadInput, "above 0"),
        ({"generator": "aim", "epsilon": 1.0, "delta": 0.5}, BadInput, "one over the number"),
        ({"generator": "aim", "epsilon": 1.0, "unit": "nobody"}, SchemaMismatch, "no such patient column"),
    ],
)
def test_no_way_around_the_budget(wrong: dict, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said):
        twinset.synthesize(people(), **wrong)
