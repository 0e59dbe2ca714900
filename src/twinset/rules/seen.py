"""A sample of the rows in the form that mining wants: levels as codes, numbers as arrays, gaps as masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.rules.tree import Constant, Node, Type
from twinset.rules.values import Line, Words, column_values

MOST_ROWS = 20_000
MOST_COLUMNS = 400
MOST_LEVELS = 100
FEW_VALUES = 5


@dataclass(frozen=True, repr=False)
class Levels:
    """A column of few values: ``codes`` (n,), -1 where missing, into ``constants``; ``numeric`` where it is a number or ordered numbers."""

    codes: np.ndarray
    constants: tuple[Constant, ...]
    numeric: bool


@dataclass(frozen=True, repr=False)
class Seen:
    """``n`` rows, evenly spaced in the table; columns in the schema's order.

    ``levels``: columns of 2 to 100 values; ``lines``: columns the schema calls numbers, dates or ordered categories of numbers, of at least 5 values, NaN where missing;
    ``gaps``: bool masks of the columns with some missing and some present.
    """

    n: int
    order: dict[str, int]
    levels: dict[str, Levels] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    gaps: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """A rule that the sample suggests: its tree, why, and how hard it is to get by chance (larger = first)."""

    node: Node
    why: str
    strength: float


Finder = Callable[[Seen], list[Candidate]]


def see(cohort: Cohort) -> Seen:
    """Look at up to 20,000 rows and 400 columns of a cohort."""
    names = cohort.schema.synthesised.names[:MOST_COLUMNS]
    n = min(len(cohort), MOST_ROWS)
    sample = cohort.select(names).take(np.arange(n) * len(cohort) // max(n, 1))
    seen = Seen(n, {name: i for i, name in enumerate(names)})
    for name in names:
        _add(seen, name, sample)
    return seen


def _add(seen: Seen, name: str, sample: Cohort) -> None:
    dtype = sample[name].dtype
    if not (dtype.is_numeric() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date) or isinstance(dtype, pl.Datetime)):
        return
    value = column_values(sample, name)
    series = value.values if isinstance(value, Words) else pl.Series(value.values).fill_nan(None)
    gap = series.is_null().to_numpy()
    if gap.any() and not gap.all():
        seen.gaps[name] = gap
    distinct = series.drop_nulls().unique().sort()
    column = sample.schema[name]
    numeric = column.numeric or (column.ordered and isinstance(value, Line) and value.type == "number")
    kind: Type = "text" if isinstance(value, Words) else value.type
    if isinstance(value, Line) and numeric and len(distinct) >= FEW_VALUES:
        seen.lines[name] = value
    whole = isinstance(value, Words) or kind == "flag" or bool((distinct == distinct.round(0)).all())
    if 2 <= len(distinct) <= (MOST_LEVELS if whole else 12) and kind != "date":
        codes = np.full(seen.n, -1, dtype=np.int64)
        codes[~gap] = series.drop_nulls().rank("dense").to_numpy().astype(np.int64) - 1
        constants = tuple(Constant(bool(v) if kind == "flag" else v, kind) for v in distinct.to_list())
        seen.levels[name] = Levels(codes, constants, numeric)
