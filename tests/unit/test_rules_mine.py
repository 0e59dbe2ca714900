"""Mining finds the rules that were put in, and nothing in noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.rules.language import parse
from twinset.rules.mine import propose

N = 1200


def planted(*, spoiled: bool = False) -> Cohort:
    """A table with one rule of each kind; spoiled = one row breaks each."""
    rng = stream(3, "planted")
    arms = rng.integers(0, 4, N)
    r = rng.integers(0, 2, N)
    age = rng.integers(10, 80, N)
    base, change = rng.integers(100, 400, N), rng.integers(-50, 60, N)
    start = rng.integers(18_000, 18_300, N)
    lab = rng.normal(5, 1, N).round(2)
    frame = pl.DataFrame(
        {
            "arms": arms,
            "treat": (arms > 0).astype(int),
            "r": r,
            "cd": pl.Series(np.where(r == 0, np.nan, rng.integers(1, 900, N))).fill_nan(None).cast(pl.Int64),
            "age": age,
            "job": [None if a < 16 or u < 0.1 else "abc"[int(u * 30) % 3] for a, u in zip(age, rng.random(N), strict=True)],
            "base": base,
            "chg": change,
            "aval": base + change,
            "start": pl.Series(start.astype(np.int32)).cast(pl.Date),
            "end": pl.Series((start + rng.integers(0, 200, N)).astype(np.int32)).cast(pl.Date),
            "lab1": pl.Series(np.where(rng.random(N) < 0.2, np.nan, lab)).fill_nan(None),
            "noise": rng.choice(["x", "y", "z"], N),
        }
    ).with_columns(pl.when(pl.col("lab1").is_null()).then(None).otherwise(pl.Series(rng.normal(1, 1, N).round(2))).alias("lab2"))
    if spoiled:
        spoil = {
            "treat": 1 - frame["treat"],
            "cd": frame["cd"].fill_null(5),
            "job": frame["job"].fill_null("a"),
            "aval": frame["aval"] + 1,
            "start": frame["end"].dt.offset_by("1d"),
            "lab2": frame["lab2"].fill_null(1.0),
        }
        hit = pl.int_range(pl.len()) == int(np.flatnonzero((r == 0) & (age < 16) & frame["lab1"].is_null().to_numpy())[0])
        frame = frame.with_columns(pl.when(hit).then(s).otherwise(pl.col(c)).alias(c) for c, s in spoil.items())
    kinds = {
        "age": "integer",
        "base": "integer",
        "chg": "integer",
        "aval": "integer",
        "cd": "integer",
        "start": "date",
        "end": "date",
        "lab1": "number",
        "lab2": "number",
    }
    return Cohort(frame, Schema(tuple(Column(c, kinds.get(c, "category")) for c in frame.columns)))  # type: ignore[arg-type]


def test_every_planted_rule_is_found_and_nothing_else() -> None:
    texts = {p.text for p in propose(planted())}
    assert texts == {
        "r == 0 <-> cd missing",
        "age < 16 -> job missing",
        "treat follows arms",
        "aval = base + chg",
        "start <= end",
        "lab1 missing <-> lab2 missing",
    }


def test_one_row_that_breaks_a_rule_is_enough() -> None:
    texts = {p.text for p in propose(planted(spoiled=True))}
    assert not texts & {
        "r == 0 <-> cd missing",
        "treat follows arms",
        "aval = base + chg",
        "start <= end",
        "lab1 missing <-> lab2 missing",
        "age < 16 -> job missing",
    }


def test_noise_suggests_nothing() -> None:
    for seed in range(20):
        rng = stream(seed, "noise")
        n = 150
        data: dict[str, object] = {f"k{j}": rng.integers(0, 2 + j, n) for j in range(8)}
        data |= {f"v{j}": rng.normal(j, 3, n) for j in range(6)}
        frame = pl.DataFrame(data)
        gaps = rng.random((n, frame.width)) < rng.random(frame.width) * 0.9
        frame = frame.with_columns(pl.when(pl.Series(gaps[:, j])).then(None).otherwise(pl.col(c)).alias(c) for j, c in enumerate(frame.columns))
        schema = Schema(tuple(Column(c, "category" if c.startswith("k") else "number", ordered=c.startswith("k")) for c in frame.columns))
        assert propose(Cohort(frame, schema)) == ()


def test_proposals_read_back_hold_and_say_where_they_come_from() -> None:
    cohort = planted()
    proposals = propose(cohort)
    assert proposals == propose(cohort)
    for proposal in proposals:
        assert not parse(proposal.text, cohort.schema).broken(cohort).any()
        assert "private" in proposal.why


def test_small_empty_and_identifier_tables_suggest_nothing() -> None:
    cohort = planted()
    assert propose(cohort.take(np.arange(20))) == ()
    assert propose(cohort.take(np.arange(0))) == ()
    hidden = Cohort(cohort.frame, Schema(tuple(Column(c.name, c.kind, role="identifier") for c in cohort.schema)))
    assert propose(hidden) == ()


def test_ten_thousand_columns_are_capped() -> None:
    rng = stream(5, "wide")
    frame = pl.DataFrame(rng.integers(0, 3, (100, 10_000)), schema=[f"c{j}" for j in range(10_000)], orient="row")
    cohort = Cohort(frame, Schema(tuple(Column(c, "category") for c in frame.columns)))
    assert propose(cohort) == ()


@pytest.mark.data
def test_actg175_proposes_what_its_readme_knows(shared_data: Path) -> None:
    frame = pl.read_csv(shared_data / "actg175.csv").drop("pidnum")
    columns = [Column(c, "category" if frame[c].n_unique() <= 5 else "number", ordered=True) for c in frame.columns]
    texts = {p.text for p in propose(Cohort(frame, Schema(tuple(columns))))}
    assert texts == {"treat follows arms", "str2 follows strat", "r == 0 <-> cd496 missing"}


@pytest.mark.data
def test_retinopathy_orders_are_a_chain(shared_data: Path) -> None:
    frame = pl.read_csv(shared_data / "diabetic_retinopathy.csv")
    columns = [Column(c, "category" if frame[c].n_unique() <= 2 else "number") for c in frame.columns]
    texts = {p.text for p in propose(Cohort(frame, Schema(tuple(columns))))}
    assert {f"ma_{a} <= ma_{b}" for a, b in (("0.6", "0.5"), ("0.7", "0.6"), ("0.8", "0.7"), ("0.9", "0.8"), ("1.0", "0.9"))} <= texts
    assert "ma_1.0 <= ma_0.5" not in texts
