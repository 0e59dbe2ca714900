"""Exact nearest neighbours in tables of mixed type, at one byte a cell.

The distance between two patients is the sum over columns of: |difference| of numbers, scaled so that the middle 99 % of
the column spans 1 and clipped there (one outlier may not squash a column); 1 where categories differ; where a number is
missing, 0 if the other is missing in the same way, else 1. That is Gower's (1971) L1 distance times the number of columns.

Bytes give a lower bound for whole blocks of rows at once (``blocks``: for a whole block at once); only rows whose bound could still win are measured exactly.
No table of all pairs is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit

from twinset.audit.privacy.blocks import BLOCK, GAP, SHELF, apart, blocks, closest
from twinset.coding.columns import Coded, Numbers, encode
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray, IntArray
from twinset.errors import SchemaMismatch

TAIL = 0.005


@dataclass(frozen=True, repr=False)
class Points:
    """Patients as points: ``codes`` uint8 (d, n) for the bound, ``cells`` float32 (n, d) for the exact distance.

    A cell is a number on the clipped scale 0..1, -1 - j for a gap of kind j, or a category's code. ``unit`` is what a
    distance of 1 is in code steps; ``is_number`` bool (d,).
    """

    codes: np.ndarray
    cells: np.ndarray
    is_number: np.ndarray
    unit: int

    def __len__(self) -> int:
        return len(self.cells)

    def take(self, rows: IntArray) -> Points:
        return Points(np.ascontiguousarray(self.codes[:, rows]), self.cells[rows], self.is_number, self.unit)


def stacked(cohorts: Sequence[Cohort]) -> Cohort:
    """Cohorts of one schema one below the other; integers and floats meet in floats.

    Raises SchemaMismatch where their columns cannot be brought to one type.
    """
    schema = cohorts[0].synthesised.schema
    try:
        frame = pl.concat([c.frame.select(schema.names) for c in cohorts], how="vertical_relaxed")
    except (pl.exceptions.SchemaError, pl.exceptions.ColumnNotFoundError):
        raise SchemaMismatch("the cohorts do not have the same columns and types", where="audit", hint="read all with one schema") from None
    return Cohort(frame, schema)


def together(cohorts: Sequence[Cohort]) -> tuple[Coded, ...]:
    """Cohorts of one schema coded as if they were one table: equal codes mean equal values."""
    return encode(stacked(cohorts))


def points(cohorts: Sequence[Cohort]) -> tuple[Points, ...]:
    """One ``Points`` per cohort, on scales and codes common to all of them."""
    coded = together(cohorts)
    n = sum(len(c) for c in cohorts)
    unit = min(GAP - 1, 65_535 // max(1, len(coded)))
    codes = np.empty((len(coded), n), dtype=np.uint8)
    cells = np.empty((n, len(coded)), dtype=np.float32)
    for j, column in enumerate(coded):
        cells[:, j], codes[j] = _scaled(column, unit) if isinstance(column, Numbers) else (column.codes, (column.codes & 255).astype(np.uint8))
    is_number = np.array([isinstance(c, Numbers) for c in coded], dtype=np.bool_)
    whole = Points(codes, cells, is_number, unit)
    ends = np.cumsum([len(c) for c in cohorts])
    return tuple(whole.take(np.arange(end - len(c), end)) for c, end in zip(cohorts, ends, strict=True))


def nearest(queries: Points, rows: Points, *, k: int = 1, own: IntArray | None = None, of: IntArray | None = None) -> tuple[FloatArray, IntArray]:
    """The k smallest distances from each query, ascending, float64 (n, k), and the rows they belong to, int64 (n, k).

    ``own`` (n,): a row to leave out for each query (itself), -1 for none; with ``of`` (rows,), whose each row is, a patient to leave out with all his rows.
    With fewer than k rows the distance is infinite and the row -1.
    Of equally distant rows the first wins. Cost: at most queries x rows x columns byte operations, about 0.04 CPU-seconds per 10^9.
    """
    own = np.full(len(queries), -1, dtype=np.int64) if own is None else np.asarray(own, dtype=np.int64)
    of = np.arange(len(rows), dtype=np.int64) if of is None else np.asarray(of, dtype=np.int64)
    best = np.full((len(queries), k), np.inf, dtype=np.float64)
    index = np.full((len(queries), k), -1, dtype=np.int64)
    columns = np.ascontiguousarray(queries.codes.T)
    b = blocks(rows.codes, rows.cells, rows.is_number, rows.unit)
    _search(columns, queries.cells, b.codes, b.cells, b.order, of[b.order], b.blocks, b.shelves, rows.is_number, rows.unit, own, best, index)
    return best, index


def _scaled(column: Numbers, unit: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells and codes of a column of numbers. Codes are rounded: two are off by at most one step together."""
    values = column.values
    seen = values[np.isfinite(values)]
    low, high = np.quantile(seen, [TAIL, 1 - TAIL]) if len(seen) else (0.0, 1.0)
    if high <= low and len(seen):
        low, high = seen.min(), seen.max()
    scaled = np.clip((values - low) / (high - low if high > low else 1.0), 0.0, 1.0).astype(np.float32)
    gap = column.gaps > 0
    codes = np.where(gap, GAP, np.round(np.where(gap, 0, scaled) * unit)).astype(np.uint8)
    return np.where(gap, -column.gaps.astype(np.float32), scaled), codes


@njit(cache=True, nogil=True)
def _search(queries, query_cells, codes, cells, order, of, blocks, shelves, is_number, unit, own, best, index):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Fill ``best`` and ``index``: for each query the nearest block, then shelf by shelf those blocks that may hold a nearer row; queries inside, so that a block stays in cache."""
    bound = np.empty(BLOCK, dtype=np.uint16)
    first, asked = np.empty(len(queries), dtype=np.int64), np.empty(len(queries), dtype=np.int64)
    for q in range(len(queries)):
        shelf = closest(queries[q], shelves, 0, len(shelves.low), is_number, unit)
        first[q] = closest(queries[q], blocks, shelf * SHELF, (shelf + 1) * SHELF, is_number, unit)
    for turn in range(2):
        for shelf in range(len(shelves.low)):
            n_asked = 0
            for q in range(len(queries)):
                wanted = first[q] // SHELF == shelf if turn == 0 else _reach(queries[q], shelves, shelf, is_number, unit, best[q, -1])
                if wanted:
                    asked[n_asked] = q
                    n_asked += 1
            for b in range(shelf * SHELF, min((shelf + 1) * SHELF, len(blocks.low))):
                start, end = b * BLOCK, min((b + 1) * BLOCK, codes.shape[1])
                for q in asked[:n_asked]:
                    if (first[q] == b) == (turn == 0) and (turn == 0 or _reach(queries[q], blocks, b, is_number, unit, best[q, -1])):
                        _look(queries[q], query_cells[q], codes, cells, order, of, is_number, unit, own[q], best[q], index[q], bound, start, end)


@njit(cache=True, nogil=True)
def _look(query, query_cells, codes, cells, order, of, is_number, unit, own, best, index, bound, start, end):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """One query in one block: bounds for all its rows, then exactly those that may be near enough."""
    slack = is_number.sum()
    limit = _limit(best[-1], unit, slack)
    if _bounds(query, codes, is_number, np.uint16(unit), start, end, bound) > limit:
        return
    for r in range(end - start):
        if bound[r] <= limit and of[start + r] != own:
            limit = _offer(query_cells, cells[start + r], is_number, order[start + r], best, index, unit, slack)


@njit(cache=True, nogil=True)
def _reach(query, boxes, b, is_number, unit, worst):  # type: ignore[no-untyped-def]
    """Whether a box may hold a row as near as ``worst``."""
    limit = _limit(worst, unit, is_number.sum())
    return apart(query, boxes, b, is_number, unit, limit) <= limit


@njit(cache=True, nogil=True)
def _limit(worst: float, unit: int, slack: int) -> int:
    """The bound in code steps beyond which a row cannot be as near as ``worst``."""
    return 65535 if worst == np.inf else int(worst * unit) + slack + 1


@njit(cache=True, nogil=True)
def _bounds(query, codes, is_number, unit, start, end, bound):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Distances in code steps from one query to a block of rows; gives back the smallest."""
    size = end - start
    bound[:size] = 0
    for j in range(len(query)):
        column = codes[j, start:end]
        value = np.uint16(query[j])
        if not is_number[j] or value == GAP:
            for r in range(size):
                bound[r] += unit if np.uint16(column[r]) != value else np.uint16(0)
        else:
            for r in range(size):
                other = np.uint16(column[r])
                step = np.uint16(max(other, value) - min(other, value))
                bound[r] += unit if other == GAP else step
    smallest = np.uint16(65535)
    for r in range(size):
        smallest = min(smallest, bound[r])
    return smallest


@njit(cache=True, nogil=True)
def _offer(query, row, is_number, r, best, index, unit, slack):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Measure one row exactly, keep it if it is among the best, and give back the new limit in code steps."""
    worst = best[-1]
    total = 0.0
    for j in range(len(query)):
        a, b = query[j], row[j]
        if is_number[j] and a >= 0 and b >= 0:
            total += abs(a - b)
        elif a != b:
            total += 1.0
        if total > worst:
            break
    if total < worst or (total == worst and r < index[-1]):  # blocks do not come in the order of the rows
        place = len(best) - 1
        while place > 0 and (best[place - 1] > total or (best[place - 1] == total and index[place - 1] > r)):
            best[place], index[place] = best[place - 1], index[place - 1]
            place -= 1
        best[place], index[place] = total, r
    return _limit(best[-1], unit, slack)
