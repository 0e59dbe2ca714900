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
    kinds = {"age": "integer", "sick": "category", "well": "category", "site": "category"}
    made = twinset.synthesize(people().to_pandas(), "mst", epsilon=5.0, n=77, kinds=kinds)
    assert isinstance(made, pd.DataFrame)
    assert made.shape == (77, 4)


def test_a_studys_public_domain_is_free_and_its_private_levels_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    made = twinset.synthesize(people(), "mst", epsilon=5.0, study=tmp_path / "study.toml")
    assert set(made["sick"].unique()) == {"no", "yes"}
    assert "secret place" not in set(made["site"].unique())
    odd = people().with_columns(pl.lit("maybe").alias("sick"))
    made = twinset.synthesize(odd, "mst", epsilon=5.0, study=tmp_path / "study.toml")
    assert made["sick"].null_count() > 0.9 * len(made)  # a refusal would tell that somebody holds such a level


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
        ({"generator": "aim", "epsilon": 1.0, "delta": 0.5}, BadInput, "`delta`"),
        ({"generator": "aim", "epsilon": 1.0, "unit": "nobody"}, SchemaMismatch, "no such patient column"),
    ],
)
def test_no_way_around_the_budget(wrong: dict, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said):
        twinset.synthesize(people(), **wrong)


@pytest.mark.parametrize(
    "cells", [["a", "b"], [1, 2], [1.0, 2.0], [1.5, None], [True, False]], ids=["objects", "integers", "floats", "floats with gaps", "booleans"]
)
def test_what_pandas_chose_by_looking_at_the_cells_has_to_be_declared(cells: list) -> None:
    """One missing cell turns integers into floats, one word turns them into objects: such a type is no declaration."""
    frame = pd.DataFrame({"x": cells * 50})
    with pytest.raises(BadInput, match=r"can depend on a single cell: `x`") as refused:
        twinset.synthesize(frame, "mst", epsilon=5.0)
    assert "kinds=" in refused.value.hint
    assert len(twinset.synthesize(frame, "mst", epsilon=5.0, n=9, kinds={"x": "category"})) == 9


@pytest.mark.parametrize("kinds, said", [({"y": "integer"}, "not there"), ({"x": "whole"}, "unknown kind")])
def test_kinds_that_are_none(kinds: dict, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        twinset.synthesize(pd.DataFrame({"x": [1, 2]}), "mst", epsilon=5.0, kinds=kinds)


@pytest.mark.parametrize(
    "kind, before, after",
    [
        ("integer", [1, 2, 3, 4], [1, 2, 3, 4, None]),
        ("category", [1, 2, 1, 2], [1, 2, 1, 2, "x"]),
        ("category", [1.0, 2.0, 1.0, 2.0], [1, 2, 1, 2, 1]),
        ("datetime", pd.to_datetime(["2020-01-01", "2020-01-02"] * 2), pd.to_datetime(["2020-01-01", "2020-01-02"] * 2 + ["2020-01-01 10:30"], format="mixed")),
        ("number", [1.5, 2.5, 3.5, 4.5], [1.5, 2.5, 3.5, 4.5, "high"]),
    ],
)
def test_a_frames_cell_is_read_alone(kind: str, before: object, after: object) -> None:
    """One cell more changes the type that pandas gives a column; what the others become stays."""
    from twinset.io.declared import Declared, as_declared
    from twinset.io.frames import cells_of
    from twinset.io.kinds import declared_schema

    read = []
    for cells in (before, after):
        frame = pd.DataFrame({"x": cells})
        table = cells_of(frame, by_cell=True)
        read.append(as_declared(table, declared_schema(frame, table, kinds={"x": kind}), Declared()).frame)
    assert read[0].schema == read[1].schema
    assert read[0].equals(read[1].head(4))
