"""Nearest neighbours in mixed tables: equal to brute force, cell kinds and all."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.audit.privacy.neighbours import Points, nearest, points, together
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.errors import SchemaMismatch

SCHEMA = Schema(
    (Column("lab", "number", missing_codes=(-8.0,)), Column("age", "integer"), Column("code", "category"), Column("seen", "date"), Column("note", "text"))
)


def cohort(n: int, seed: int, levels: int = 400) -> Cohort:
    rng = np.random.default_rng(seed)
    lab = np.round(rng.lognormal(size=n), 2)
    lab[rng.random(n) < 0.1] = -8
    frame = pl.DataFrame(
        {
            "lab": pl.Series(lab).to_frame().select(pl.when(pl.Series(rng.random(n) < 0.1)).then(None).otherwise(pl.first())).to_series(),
            "age": rng.integers(0, 100, n),
            "code": [f"c{v}" for v in rng.integers(0, levels, n)],
            "seen": pl.Series(rng.integers(0, 20_000, n).astype(np.int32)).cast(pl.Date),
            "note": ["free text"] * n,
        }
    )
    return Cohort(frame, SCHEMA)


def brute(queries: Points, rows: Points) -> np.ndarray:
    """All distances, from the cells and nothing else."""
    a, b = queries.cells[:, None, :].astype(np.float64), rows.cells[None, :, :].astype(np.float64)
    on_line = rows.is_number & (a >= 0) & (b >= 0)
    return np.where(on_line, np.abs(a - b), a != b).sum(axis=2)


@pytest.mark.parametrize("k", [1, 5])
def test_equals_brute_force(k: int) -> None:
    queries, rows = points((cohort(150, 0), cohort(5000, 1)))  # several blocks, more than 255 levels, two kinds of gap
    everything = brute(queries, rows)
    distance, index = nearest(queries, rows, k=k)
    assert distance == pytest.approx(np.sort(everything, axis=1)[:, :k], abs=1e-5)
    assert np.take_along_axis(everything, index, axis=1) == pytest.approx(distance, abs=1e-5)


def test_the_byte_bound_alone_would_be_wrong() -> None:
    """The broken twin: rows ranked by their codes only. Shows that the exact step does work."""
    queries, rows = points((cohort(150, 0), cohort(5000, 1)))
    coarse = np.where(rows.is_number[:, None, None], 0, queries.codes[:, :, None] != rows.codes[:, None, :]).sum(axis=0)
    assert (np.take_along_axis(brute(queries, rows), coarse.argmin(axis=1)[:, None], axis=1)[:, 0] > nearest(queries, rows)[0][:, 0] + 1e-3).any()


def test_many_columns_do_not_overflow() -> None:
    rng = np.random.default_rng(2)
    cells = rng.random((300, 600)).astype(np.float32)
    unit = 65_535 // 600
    whole = Points(np.round(cells.T * unit).astype(np.uint8), cells, np.ones(600, dtype=np.bool_), unit)
    a, b = whole.take(np.arange(20)), whole.take(np.arange(20, 300))
    assert nearest(a, b)[0][:, 0] == pytest.approx(brute(a, b).min(axis=1), abs=1e-3)
    far = Points(np.zeros((600, 1), np.uint8), np.zeros((1, 600), np.float32), whole.is_number, unit)
    farther = Points(np.full((600, 1), unit, np.uint8), np.ones((1, 600), np.float32), whole.is_number, unit)
    assert nearest(far, farther)[0][0, 0] == pytest.approx(600)


def test_oneself_is_left_out_and_few_rows_are_told() -> None:
    (rows,) = points((cohort(40, 3),))
    assert (nearest(rows, rows)[0][:, 0] == 0).all()
    alone = nearest(rows, rows, own=np.arange(40))
    assert (alone[1][:, 0] != np.arange(40)).all()
    distance, index = nearest(rows, rows.take(np.arange(2)), k=3)
    assert np.isinf(distance[:, 2]).all()
    assert (index[:, 2] == -1).all()


def test_one_outlier_does_not_squash_a_column() -> None:
    frame = pl.DataFrame({"x": [*np.arange(1000.0), 1e9]})
    (place,) = points((Cohort(frame, Schema((Column("x", "number"),))),))
    assert place.cells[500, 0] == pytest.approx(0.5, abs=0.01)


def test_integers_meet_floats_and_words_do_not() -> None:
    schema = Schema((Column("x", "integer"),))
    whole, half = Cohort(pl.DataFrame({"x": [1, 2]}), schema), Cohort(pl.DataFrame({"x": [2.0, 3.0]}), schema)
    a, b = points((whole, half))
    assert nearest(a, b)[0][1, 0] == 0
    with pytest.raises(SchemaMismatch, match="same columns"):
        together((whole, Cohort(pl.DataFrame({"y": [1]}), Schema((Column("y", "integer"),)))))


@pytest.mark.parametrize("k", [1, 4])
def test_passing_over_blocks_changes_nothing(k: int) -> None:
    """Enough rows that they are put in order and shelves are passed over; few values, so that many rows are equally far and the first must win."""
    queries, rows = points((cohort(60, 0, levels=3), cohort(80_000, 1, levels=3)))
    queries, rows = _coarse(queries), _coarse(rows)
    own = np.arange(60) * 7
    everything = brute(queries, rows)
    everything[np.arange(60), own] = np.inf
    first = np.argsort(everything, axis=1, kind="stable")[:, :k]
    distance, index = nearest(queries, rows, k=k, own=own)
    assert np.array_equal(index, first)
    assert distance == pytest.approx(np.take_along_axis(everything, first, axis=1), abs=1e-5)


def _coarse(made: Points) -> Points:
    """Numbers in eighths, so that sums are exact, and the bytes that belong to them."""
    cells = np.where(made.is_number & (made.cells >= 0), np.round(made.cells * 8) / 8, made.cells).astype(np.float32)
    codes = np.where(made.is_number, np.where(cells < 0, 255, np.round(cells * made.unit)), cells).astype(np.uint8).T
    return Points(np.ascontiguousarray(codes), cells, made.is_number, made.unit)
