"""A cohort as the avatars see it: full numbers, category codes, and marks that say which cells are not ordinary numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from twinset.coding.columns import Coded, Codes, Numbers, decode, encode
from twinset.core.cohort import Cohort

FloatArray = np.ndarray
IntArray = np.ndarray


@dataclass(frozen=True)
class Typing:
    """When a column of numbers is treated as categories, and which of its values are marked.

    ``most_levels``: at most so many distinct values are categories. ``rows_per_level``: but only with so many rows a value.
    ``spike``: a value held by at least this share of the rows is marked (2 = never).
    """

    most_levels: int
    rows_per_level: int
    spike: float


LOCAL = Typing(most_levels=20, rows_per_level=5, spike=0.1)
PUBLISHED = Typing(most_levels=10, rows_per_level=0, spike=2.0)


@dataclass(frozen=True, repr=False)
class Marks:
    """What a column of numbers holds that is not an ordinary number: kinds of missing, spikes, or all its few values.

    ``codes`` (n,): the mark of each cell. ``values``, ``gaps`` (marks,): what a mark stands for.
    ``ordinary``: whether mark 0 means "an ordinary number".
    """

    codes: IntArray
    values: FloatArray
    gaps: IntArray
    ordinary: bool


@dataclass(frozen=True, repr=False)
class Table:
    """Columns of a cohort in two blocks.

    ``numbers`` (n, q): ordinary values, NaN where marked; ``number_of`` (q,): their positions in ``coded``.
    ``codes`` (n, m): levels and marks; ``sizes`` (m,); ``code_of`` (m,): positions in ``coded`` (a column of numbers has its marks here).
    """

    coded: tuple[Coded, ...]
    dtypes: Mapping[str, pl.DataType]
    marks: Mapping[int, Marks]
    numbers: FloatArray
    number_of: tuple[int, ...]
    codes: IntArray
    sizes: tuple[int, ...]
    code_of: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def names(self) -> tuple[str, ...]:
        """The names of the category columns; the marks of a number go by its name."""
        return tuple(self.coded[i].column.name for i in self.code_of)


def build(cohort: Cohort, typing: Typing) -> Table:
    """The table of a cohort's synthesised columns."""
    coded = encode(cohort)
    marks: dict[int, Marks] = {}
    for i, column in enumerate(coded):
        if isinstance(column, Numbers):
            marks[i] = _few(column) if _is_category(column, typing) else _mark(column, typing)
    number_of = tuple(i for i, m in marks.items() if m.ordinary)
    code_of = tuple(i for i, c in enumerate(coded) if isinstance(c, Codes) or not (marks[i].ordinary and len(marks[i].values) == 1))
    n = len(cohort)
    numbers = np.empty((n, len(number_of)))
    for j, i in enumerate(number_of):
        values = coded[i]
        assert isinstance(values, Numbers)
        numbers[:, j] = np.where(marks[i].codes == 0, values.values, np.nan)
    codes = np.empty((n, len(code_of)), dtype=np.int32)
    sizes = []
    for j, i in enumerate(code_of):
        column = coded[i]
        codes[:, j] = column.codes if isinstance(column, Codes) else marks[i].codes
        sizes.append(max(1, len(column.levels) if isinstance(column, Codes) else len(marks[i].values)))
    return Table(coded, dict(cohort.synthesised.frame.schema), marks, numbers, number_of, codes, tuple(sizes), code_of)


def to_cohort(table: Table, numbers: FloatArray, codes: IntArray) -> Cohort:
    """Drawn numbers (n, q) and codes (n, m), as a cohort like the one the table came from."""
    number_at = {i: j for j, i in enumerate(table.number_of)}
    code_at = {i: j for j, i in enumerate(table.code_of)}
    out: list[Coded] = []
    for i, column in enumerate(table.coded):
        if isinstance(column, Codes):
            out.append(replace(column, codes=np.ascontiguousarray(codes[:, code_at[i]])))
            continue
        marks = table.marks[i]
        mark = codes[:, code_at[i]] if i in code_at else np.zeros(len(codes), dtype=np.int32)
        values, gaps = marks.values[mark], marks.gaps[mark]
        if marks.ordinary:
            values = np.where(mark == 0, numbers[:, number_at[i]], values)
        out.append(replace(column, values=values, gaps=gaps))
    return decode(out, table.dtypes)


def constrain(column: Numbers, values: FloatArray) -> FloatArray:
    """Made-up values rounded to what the column carries and kept inside its declared bounds."""
    out = values if column.decimals is None else np.round(values, column.decimals)
    if column.column.low is not None or column.column.high is not None:
        out = np.clip(out, column.column.low, column.column.high)
    return np.asarray(out)


def fingerprints(table: Table) -> IntArray:
    """A 64-bit hash of each row's content, shape (n,)."""
    parts = np.concatenate([np.nan_to_num(table.numbers, nan=-1e300).view(np.uint64).reshape(len(table), -1), table.codes.astype(np.uint64)], axis=1)
    out = np.full(len(table), 1469598103934665603, dtype=np.uint64)
    for j in range(parts.shape[1]):
        out = (out ^ parts[:, j]) * np.uint64(0x9E3779B97F4A7C15)
        out ^= out >> np.uint64(29)
    return out


def _is_category(column: Numbers, typing: Typing) -> bool:
    held = column.values[column.gaps == 0]
    if not len(held):
        return True
    distinct = len(np.unique(held)) + len(np.unique(column.gaps[column.gaps > 0]))
    return distinct <= typing.most_levels and distinct * typing.rows_per_level <= len(column.values)


def _few(column: Numbers) -> Marks:
    """Every value and every kind of missing is a mark of its own."""
    held = np.unique(column.values[column.gaps == 0])
    kinds = np.unique(column.gaps[column.gaps > 0])
    codes = np.where(column.gaps == 0, np.searchsorted(held, column.values), len(held) + np.searchsorted(kinds, column.gaps))
    values = np.concatenate([held, np.full(len(kinds), np.nan)])
    gaps = np.concatenate([np.zeros(len(held)), kinds]).astype(np.int16)
    return Marks(codes.astype(np.int32), values, gaps, ordinary=False)


def _mark(column: Numbers, typing: Typing) -> Marks:
    """Mark 0 for ordinary numbers, then the kinds of missing, then the spikes."""
    n = len(column.values)
    kinds = np.unique(column.gaps[column.gaps > 0])
    codes = np.where(column.gaps == 0, 0, 1 + np.searchsorted(kinds, column.gaps))
    held, counts = np.unique(column.values[column.gaps == 0], return_counts=True)
    spikes: Sequence[float] = held[counts >= max(10.0, typing.spike * n)].tolist()
    for s, value in enumerate(spikes):
        codes[column.values == value] = 1 + len(kinds) + s
    if not np.any(codes == 0):
        return _few(column)
    values = np.concatenate([[np.nan], np.full(len(kinds), np.nan), spikes])
    gaps = np.concatenate([[0], kinds, np.zeros(len(spikes))]).astype(np.int16)
    return Marks(codes.astype(np.int32), values, gaps, ordinary=True)
