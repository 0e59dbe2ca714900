"""Rows to cells of a domain, and cells back to rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import polars as pl

from twinset.coding.columns import Coded, Codes, Numbers, decode, encode
from twinset.coding.hierarchy import nearest
from twinset.core.cohort import Cohort
from twinset.core.domain import OTHER, Axis, Domain
from twinset.core.schema import Column, Level, Schema
from twinset.core.seeds import Rng
from twinset.errors import SchemaMismatch, collect

IntArray = np.ndarray
Unlisted = Literal["refused", "missing"]


def fine_cells(cohort: Cohort, domain: Domain, *, unlisted: Unlisted = "refused") -> IntArray:
    """The fine cell of every value: int32 (axes, n). Numbers beyond the bounds are clamped.

    A level without a cell: where ``refused``, it raises SchemaMismatch, as an integer beyond 2^53 does; where ``missing``, it is counted
    as missing, and such an integer clamped. Then nothing that a row holds raises, which a refusal under a budget would tell for free.
    """
    chosen = cohort.select(domain.names)
    coded = encode(_as_floats(chosen) if unlisted == "missing" else chosen)
    out = np.empty((len(domain), len(cohort)), dtype=np.int32)
    problems = []
    for i, (axis, column) in enumerate(zip(domain, coded, strict=True)):
        out[i] = _numbers(column, axis) if isinstance(column, Numbers) else _levels(column, axis, unlisted)
        if (out[i] < 0).any():
            problems.append(f"column `{axis.name}` holds levels that were not declared")
    if problems:
        raise SchemaMismatch(collect(problems), hint="declare every level, recode the column, or remove its levels to have them found within the budget")
    return out


def cells(fine: IntArray, domain: Domain) -> IntArray:
    """The modelled cell of every fine cell: uint16 (axes, n)."""
    return np.stack([axis.cell_of.astype(np.uint16)[row] for axis, row in zip(domain, fine, strict=True)])


def rows(codes: IntArray, domain: Domain, schema: Schema, dtypes: Mapping[str, pl.DataType], rng: Rng) -> Cohort:
    """Rows in modelled cells (axes, n) as a cohort of ``schema``: a fine cell by its weight, then a level, or a value drawn evenly in the interval.

    Values lie inside their interval and carry the declared digits; whole numbers and dates stay whole.
    """
    coded = []
    for axis, row in zip(domain, codes, strict=True):
        fine = _spread(axis, row, rng)
        column = schema[axis.name]
        coded.append(_number(axis, column, fine, rng) if column.numeric else _level(axis, column, fine, dtypes[axis.name], rng))
    return decode(coded, dtypes)


def _numbers(column: Numbers, axis: Axis) -> IntArray:
    place = np.searchsorted(axis.edges, column.values, side="right") - 1
    out = np.clip(place, 0, axis.n_values - 1)
    first = axis.n_values + axis.other
    n_codes = axis.n_fine - first - 1
    gaps = column.gaps.astype(np.int64)
    out = np.where(gaps == 0, out, np.where(gaps == 1, first + n_codes, first + gaps - 2))
    return np.minimum(out, axis.n_fine - 1).astype(np.int32)


def _as_floats(cohort: Cohort) -> Cohort:
    """Numbers as floats, however large."""
    return Cohort(
        cohort.frame.with_columns(cohort.frame[c.name].cast(pl.Float64, strict=False) for c in cohort.schema if c.kind in ("number", "integer")), cohort.schema
    )


def _levels(column: Codes, axis: Axis, unlisted: Unlisted) -> IntArray:
    known: dict[Level | None, int] = {code: axis.n_values + axis.other + j for j, code in enumerate(axis.column.missing_codes)}
    known |= {level: i for i, level in enumerate(axis.levels)}
    elsewhere = axis.n_values if axis.other else axis.n_fine - 1 if unlisted == "missing" else -1

    def place(level: Level | None) -> int:
        if level is None:
            return axis.n_fine - 1
        if level in known:
            return known[level]
        prefix = nearest(level, known, axis.name) if axis.other and isinstance(level, str) else None
        return elsewhere if prefix is None else prefix

    table = [place(level) for level in column.levels]
    return np.array(table, dtype=np.int32)[column.codes] if table else np.zeros(0, dtype=np.int32)


def _spread(axis: Axis, row: IntArray, rng: Rng) -> IntArray:
    """A fine cell for each row in its modelled cell: in proportion to the weights, by systematic sampling in random order."""
    order = np.argsort(axis.cell_of, kind="stable")
    weights = np.maximum(axis.weights[order], 0.0)
    cell = axis.cell_of[order]
    mass = np.bincount(cell, weights=weights, minlength=axis.size)
    weights = np.where(mass[cell] > 0, weights / np.where(mass > 0, mass, 1.0)[cell], 1.0 / np.bincount(cell, minlength=axis.size)[cell])
    reached = np.cumsum(weights)  # cell g's weights run from g to g + 1
    shuffled = rng.permutation(len(row))
    by_cell = shuffled[np.argsort(row[shuffled], kind="stable")]
    n_in = np.bincount(row, minlength=axis.size)
    place = np.arange(len(row)) - np.repeat(np.cumsum(n_in) - n_in, n_in)
    sorted_cells = np.repeat(np.arange(axis.size), n_in)
    point = (place + rng.random(axis.size)[sorted_cells]) / n_in[sorted_cells]
    found = np.minimum(np.searchsorted(reached, sorted_cells + point * (1 - 1e-12), side="right"), len(order) - 1)
    out = np.empty(len(row), dtype=np.int64)
    out[by_cell] = order[found]
    return out


def _number(axis: Axis, column: Column, fine: IntArray, rng: Rng) -> Numbers:
    inside = np.minimum(fine, max(axis.n_values - 1, 0))
    low, high = axis.edges[inside], axis.edges[inside + 1]
    width = np.where(high <= np.nextafter(low, np.inf), 0.0, high - low)  # a cell of one value: nothing between it and the next number
    values = low + rng.random(len(fine)) * width
    digits = 0 if column.kind in ("integer", "date") else column.decimals
    if digits is not None and column.kind != "datetime":
        unit = 10.0**digits
        values = np.maximum(np.floor(values * unit + 1e-9) / unit, np.ceil(low * unit - 1e-9) / unit)
    top = axis.edges[-1] if axis.column.high is None else axis.column.high
    values = np.clip(values, axis.edges[0], top)
    first = axis.n_values + axis.other
    gaps = np.where(fine < axis.n_values, 0, np.where(fine == axis.n_fine - 1, 1, fine - first + 2)).astype(np.int16)
    values[gaps > 0] = np.nan
    return Numbers(column, values, gaps, digits if column.kind != "datetime" else None)


def _level(axis: Axis, column: Column, fine: IntArray, dtype: pl.DataType, rng: Rng) -> Coded:
    """``other`` is a word where levels are texts; where they are numbers there is no way to write it, and a listed level is drawn instead."""
    if axis.other and dtype != pl.String and axis.levels:
        unlisted = np.flatnonzero(fine == axis.n_values)
        mass = np.maximum(axis.weights[: axis.n_values], 1e-300)
        fine = fine.copy()
        fine[unlisted] = rng.choice(axis.n_values, len(unlisted), p=mass / mass.sum())
    other = (OTHER if dtype == pl.String else None,) if axis.other else ()
    codes = [None if dtype == pl.String else int(c) if dtype.is_integer() else c for c in axis.column.missing_codes]
    levels: tuple[Level | None, ...] = (*axis.levels, *other, *codes, None)
    return Codes(column, fine.astype(np.int32), levels)
