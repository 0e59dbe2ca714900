"""Columns that are equal in some rows: told, and never redrawn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.rules.mine import BENDS, Proposal, propose


def competing(*, n: int = 600, broken: int = 0, seed: int = 0) -> Cohort:
    """Progression before death: without it, its time is that of the end, but in ``broken`` rows."""
    rng = stream(seed, "competing")
    end, progressed = rng.integers(1, 4000, n), rng.random(n) < 0.3
    first = np.where(progressed, (end * rng.random(n)).astype(np.int64), end)
    first[np.flatnonzero(~progressed)[:broken]] -= 1
    frame = pl.DataFrame({"ptime": first, "pstat": progressed.astype(np.int64), "futime": end, "sex": rng.integers(0, 2, n)})
    columns = (Column("ptime", "integer"), Column("pstat", "category", levels=(0, 1)), Column("futime", "integer"), Column("sex", "category", levels=(0, 1)))
    return Cohort(frame, Schema(columns))


def by_text(cohort: Cohort) -> dict[str, Proposal]:
    return {p.text: p for p in propose(cohort)}


def test_an_equality_that_always_holds_is_told_with_its_count_and_is_off() -> None:
    cohort = competing()
    found = by_text(cohort)
    made = found["pstat == 0 -> ptime == futime"]
    n = int((cohort["pstat"] == 0).sum())
    assert made.state == "off"
    assert f"in {n:,} of {n:,} rows" in made.why
    assert BENDS in made.why
    assert found["ptime <= futime"].state == "off"  # equal in two thirds of the rows: redrawing would lose that
    assert not any("sex" in text for text in found)


def test_a_near_equality_is_told_and_is_no_rule() -> None:
    cohort = competing(broken=8)
    made = by_text(cohort)["pstat == 0 -> ptime == futime"]
    n = int((cohort["pstat"] == 0).sum())
    assert made.state == "nearly"
    assert f"in {n - 8:,} of {n:,} rows" in made.why


def test_an_order_with_few_ties_is_live() -> None:
    rng = stream(1, "orders")
    low = rng.integers(0, 1000, 400)
    frame = pl.DataFrame({"a": low, "b": low + rng.integers(0, 100, 400)})
    assert [(p.text, p.state) for p in propose(Cohort(frame, Schema((Column("a", "integer"), Column("b", "integer")))))] == [("a <= b", "live")]


@pytest.mark.parametrize("seed", range(10))
def test_columns_that_share_a_common_value_are_no_tie(seed: int) -> None:
    """Gains and losses are both 0 for most people: equal often, and nothing follows."""
    rng = stream(seed, "zeros")
    n = 2000
    data = {c: np.where(rng.random(n) < 0.9, 0, rng.integers(1, 999, n)) for c in ("gain", "loss")}
    frame = pl.DataFrame({**data, "sex": rng.integers(0, 2, n)})
    schema = Schema((Column("gain", "integer"), Column("loss", "integer"), Column("sex", "category", levels=(0, 1))))
    assert propose(Cohort(frame, schema)) == ()


def test_what_the_sample_says_is_checked_on_every_row() -> None:
    """30,000 rows, of which 20,000 are looked at: the equality is broken in rows between them only."""
    cohort = competing(n=30_000)
    rows = np.setdiff1d(np.arange(30_000), np.arange(20_000) * 30_000 // 20_000)
    moved = cohort.frame.with_columns(ptime=pl.when(pl.int_range(pl.len()).is_in(pl.Series(rows[:3000]).implode())).then(0).otherwise(pl.col("ptime")))
    texts = {p.text: p.state for p in propose(Cohort(moved, cohort.schema))}
    assert "pstat == 0 -> ptime == futime" not in texts
