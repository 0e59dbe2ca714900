"""Rows of patients as cells to be counted: each row's cell depends on that row and on public figures alone.

So a patient who comes, goes or is exchanged moves no cell but their own, and the noise of a count on these cells hides him.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from twinset.audit.endpoints.survival import equals, positions
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Level, Schema
from twinset.rules.evaluate import truth
from twinset.rules.tree import Node
from twinset.rules.values import Line, column_values

IntArray = np.ndarray
NOWHERE = -1  # the cell of a row that is not counted
MOST_STEPS = 4096  # of a number between its bounds, for sums


def everybody(cohort: Cohort, where: Node | None) -> IntArray:
    """Cell 0 for each row of whom the condition is certain, int64 (n,); ``NOWHERE`` for the others."""
    if where is None:
        return np.zeros(len(cohort), dtype=np.int64)
    return np.where(truth(where, cohort).yes, 0, NOWHERE)


def grouped(cohort: Cohort, by: Sequence[str], where: Node | None) -> tuple[IntArray, int]:
    """The group of each row, and how many there are: all combinations of the public levels, the last column running fastest."""
    cell, n = everybody(cohort, where), 1
    for name in by:
        levels = cohort.schema[name].levels
        cell, n = within(cell, placed(cohort, name, levels), len(levels)), n * len(levels)
    return cell, n


def placed(cohort: Cohort, name: str, levels: tuple[Level, ...]) -> IntArray:
    """The place of each row's level among ``levels``, int64 (n,); ``NOWHERE`` for any other and for missing."""
    return positions(cohort[name], levels).fill_null(NOWHERE).to_numpy()


def happened(cohort: Cohort, name: str, level: Level) -> IntArray:
    """1 where the column holds this level, 0 where another, ``NOWHERE`` where missing."""
    return equals(cohort[name], level).cast(pl.Int64).fill_null(NOWHERE).to_numpy()


def within(cell: IntArray, part: IntArray, n_parts: int) -> IntArray:
    """Every cell cut into ``n_parts``."""
    return np.where((cell < 0) | (part < 0), NOWHERE, cell * n_parts + part)


def either(cohort: Cohort, condition: Node) -> IntArray:
    """0 where a condition is certainly true, 1 where it is certainly false, else ``NOWHERE``."""
    known = truth(condition, cohort)
    return np.where(known.yes, 0, np.where(known.no, 1, NOWHERE))


def bounds(column: Column) -> tuple[float, float]:
    """The declared bounds of a number; whole numbers for whole numbers."""
    low, high = float(column.low or 0.0), float(column.high or 0.0)
    return (math.floor(low), math.ceil(high)) if whole(column) else (low, high)


def whole(column: Column) -> bool:
    """Whether the column's values are whole numbers (of days, for dates)."""
    return column.kind in ("integer", "date")


def n_steps(column: Column) -> int:
    """Steps between the bounds: one a digit that the column carries, ``MOST_STEPS`` at most."""
    low, high = bounds(column)
    digits = 0 if whole(column) else column.decimals
    exact = MOST_STEPS if digits is None else round((high - low) * 10.0**digits)
    return exact if 0 < exact <= MOST_STEPS else MOST_STEPS


def steps(cohort: Cohort, column: Column) -> IntArray:
    """The step of each value, 0 at the lower bound and ``n_steps`` at the upper, int64 (n,); beyond the bounds it is the bound's."""
    low, high = bounds(column)
    values = _numbers(cohort, column.name)
    place = np.rint((np.clip(values, low, high) - low) / (high - low) * n_steps(column))
    return np.where(np.isnan(values), NOWHERE, np.nan_to_num(place)).astype(np.int64)


def between(cohort: Cohort, column: Column, edges: Sequence[np.ndarray], group: IntArray) -> IntArray:
    """The interval of each value among the edges of its own row's group, counted on from group to group, int64 (n,)."""
    values = _numbers(cohort, column.name)
    out, first = np.full(len(values), NOWHERE, dtype=np.int64), 0
    for g, cuts in enumerate(edges):
        rows = (group == g) & ~np.isnan(values)
        out[rows] = first + np.clip(np.searchsorted(cuts, values[rows], side="right") - 1, 0, len(cuts) - 2)
        first += len(cuts) - 1
    return out


def view(cohort: Cohort, columns: Mapping[str, tuple[IntArray, int]]) -> Cohort:
    """A cohort of cells, one column for each (cell of each row, number of cells), all of them public; and the patients' column, if there is one."""
    unit = cohort.schema.unit
    kept = [cohort.schema[unit]] if unit else []
    made = [Column(name, "category", levels=tuple(range(n)), origin="public") for name, (_, n) in columns.items()]
    series = [pl.Series(name, cell, dtype=pl.Int64).replace(NOWHERE, None) for name, (cell, _) in columns.items()]
    return Cohort(pl.DataFrame([*(cohort[c.name] for c in kept), *series]), Schema((*kept, *made), unit=unit))


def _numbers(cohort: Cohort, name: str) -> np.ndarray:
    line = column_values(cohort, name)
    assert isinstance(line, Line)
    return line.values
