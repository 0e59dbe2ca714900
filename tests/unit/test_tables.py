"""Rows in memory and rows in a file answer alike, to the integer, on tables that nobody cleaned."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.audit.privacy.split import split
from twinset.coding.history import bound_locally
from twinset.core.cohort import Cohort
from twinset.core.domain import Domain
from twinset.core.schema import Column, Schema
from twinset.dp import discover
from twinset.dp.cover import all_of
from twinset.dp.files import Chosen, FileTable
from twinset.dp.tables import MemoryTable, Table
from twinset.io.declared import Declared, as_declared

LEVELS = ("", "a", "A", "é", "e\u0301", "ß", "北京", "😀", "it's", 'say "so"', "%_\\", "z" * 40)[1:]
SCHEMA = Schema(
    (
        Column("patient", "integer", role="identifier"),
        Column("age", "integer", low=-3, high=40, missing_codes=(-8.0, -9.0), origin="public"),
        Column("dose", "number", low=0.0, high=10.0, missing_codes=(-1.0,), origin="public"),
        Column("seen", "date", low=-400, high=20_000, origin="public"),
        Column("at", "datetime", low=-400.5, high=20_000.25, origin="public"),
        Column("who", "category", levels=LEVELS, origin="public"),
        Column("grade", "category", levels=(3, 1, 2), ordered=True, origin="public"),
        Column("score", "category", levels=(0.5, 2.0, -0.1), origin="public"),
        Column("yes", "category", level_type="boolean"),
        Column("free", "category"),
    ),
    unit="patient",
)
STORED = {
    "patient": pl.Int64,
    "age": pl.Int64,
    "dose": pl.Float64,
    "seen": pl.Date,
    "at": pl.Datetime("us"),
    "who": pl.String,
    "grade": pl.Int64,
    "score": pl.Float64,
    "yes": pl.Boolean,
    "free": pl.String,
}
DATES = st.dates(dt.date(1930, 1, 1), dt.date(2060, 1, 1))
ROW = st.tuples(
    st.none() | st.integers(1, 4),
    st.none() | st.integers(-12, 60) | st.sampled_from([-8, -9, 2**53]),
    st.none() | st.floats(-5, 12) | st.sampled_from([-1.0, 0.0, -0.0, 10.0, 5e-324, 1e300, 0.1 + 0.2]),
    st.none() | DATES,
    st.none() | st.datetimes(dt.datetime(1930, 1, 1), dt.datetime(2060, 1, 1)) | st.just(dt.datetime(1969, 12, 31, 23, 59, 59, 999999)),
    st.none() | st.sampled_from(LEVELS),
    st.none() | st.sampled_from([1, 2, 3]),
    st.none() | st.sampled_from([0.5, 2.0, -0.1]),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["n1", "ñ", "中", "x y"]),
)


def frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=STORED, orient="row")


def domain() -> Domain:
    """Fine cells in every form: single values, a spike at 0, groups out of order, levels with and without ``other``."""
    axes = []
    for column in SCHEMA.synthesised:
        if column.numeric:
            axis = discover.number_axis(column, discover.grid(column))
        elif column.name == "yes":
            axis = discover.level_axis(column, (False, True), other=False)
        else:
            axis = discover.level_axis(column, column.levels or ("ñ", "n1"), other=not column.levels)
        axes.append(axis.grouped(np.unique(np.arange(axis.n_fine) * 7 % 11, return_inverse=True)[1]) if column.name in ("dose", "who") else axis)
    return Domain(tuple(axes))


def agree(memory: Table, file: Table, cells: Domain) -> None:
    assert len(memory) == len(file)
    assert dict(memory.dtypes) == dict(file.dtypes)
    assert memory.most_rows() == file.most_rows()
    for axis in cells:
        assert memory.histogram(axis).tolist() == file.histogram(axis).tolist(), axis.name
    for name in ("who", "free", "yes", "score", "grade"):
        (levels, held), (found, counted) = memory.levels(name), file.levels(name)
        assert list(levels) == list(found)
        assert held.tolist() == counted.tolist()
    cliques = [(), *all_of(len(cells), 1), *all_of(len(cells), 2), (4, 2, 0), (8, 7, 6, 5)]
    for ours, theirs in zip(memory.counts(cells).count(cliques), file.counts(cells).count(cliques), strict=True):
        assert ours.dtype == theirs.dtype == np.int64
        assert ours.shape == theirs.shape
        assert np.array_equal(ours, theirs)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(ROW, min_size=0, max_size=25),
    bound=st.integers(0, 3),
    seed=st.integers(0, 5),
    held_out=st.sampled_from([0.0, 0.4]),
    unit=st.sampled_from(["patient", ""]),
)
def test_memory_and_file_agree_cell_for_cell(rows: list[tuple[object, ...]], bound: int, seed: int, held_out: float, unit: str) -> None:
    """Also on who takes part: the hold-out's coins and the rows kept of each patient, where names are missing and where rows are alike."""
    table, schema = frame(rows), replace(SCHEMA, unit=unit)
    memory = bound_locally(Cohort(as_declared(table, schema, Declared()).frame, schema), bound, seed=seed)
    if held_out:
        memory = split(memory, fraction=held_out, seed=seed, how="coins")[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        table.write_parquet(path)
        file = FileTable(path, schema, chosen=Chosen(bound, seed, held_out, seed))
        agree(MemoryTable(memory), file, domain())
