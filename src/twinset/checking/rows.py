"""Cells of an open table that lie outside what their column declares: named by row number, or made missing or ``other``, as the study says.

Never under ``[privacy]``: whether a run is refused must not depend on what a row holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from twinset.coding.columns import on_a_line
from twinset.core.cohort import Cohort
from twinset.core.contracts import BoolArray
from twinset.core.domain import OTHER
from twinset.core.schema import Column, Schema
from twinset.errors import TwinsetError
from twinset.rules.language import RowRule

KINDS = {"flags": "true and false", "texts": "texts", "numbers": "numbers"}
NAMED = 5  # rows that are named in a sentence
ROUNDING, ROUNDING_32 = 1e-9, 1e-6  # of a bound; of one whose column is stored in 32 bits


@dataclass(frozen=True, repr=False)
class Beyond:
    """The cells of a column that lie outside in one way: bool (n,)."""

    column: str
    what: str
    cells: BoolArray


def beyond(frame: pl.DataFrame, schema: Schema) -> Iterator[Beyond]:
    """Cells below ``low``, above ``high`` or in no declared level; nulls and missing codes lie outside nothing."""
    for column in schema.synthesised:
        series = frame[column.name]
        if clash(series, column):
            continue
        if not column.numeric:
            found = [("hold a level that is not declared", _unlisted(series, column))] if column.levels else []
        else:
            values = on_a_line(series).fill_null(np.nan).to_numpy()
            values = np.where(np.isin(values, column.missing_codes), np.nan, values)
            found = list(_past(values, column, ROUNDING_32 if series.dtype == pl.Float32 else ROUNDING))
        yield from (Beyond(column.name, what, cells) for what, cells in found if cells.any())


def problems(frame: pl.DataFrame, schema: Schema, outside: Mapping[str, str]) -> list[str]:
    """What is outside where it must not be, in sentences: how many rows, and the first of them by number."""
    out = [f"column `{c.name}`: {words}" for c in schema.synthesised if (words := clash(frame[c.name], c))]
    wrong = [b for b in beyond(frame, schema) if outside.get(b.column, "error") == "error"]
    return out + [f"column `{b.column}`: {counted(b.cells)} {b.what} {_rows(b.cells)}" for b in wrong]


def settled(cohort: Cohort, outside: Mapping[str, str]) -> tuple[Cohort, dict[str, int]]:
    """The rows with every cell outside made missing or ``other``, as ``outside`` says by column; and how many were, by column."""
    changed: dict[str, int] = {}
    frame = cohort.frame
    for found in beyond(frame, cohort.schema):
        mode = outside.get(found.column, "error")
        if mode != "error":
            series = frame[found.column]
            kept = series.cast(pl.String) if mode == "other" else series
            to = pl.lit(OTHER if mode == "other" else None, dtype=kept.dtype)
            frame = frame.with_columns(pl.when(pl.Series(found.cells)).then(to).otherwise(kept).alias(found.column))
            changed[found.column] = changed.get(found.column, 0) + int(found.cells.sum())
    return Cohort(frame, cohort.schema), changed


def clash(series: pl.Series, column: Column) -> str:
    """Why no cell of a category can be one of its levels: they are written as another kind. "" where they can."""
    if column.kind != "category" or not column.levels or series.dtype == pl.Null:
        return ""
    level = column.levels[0]
    listed = "flags" if isinstance(level, bool) else "texts" if isinstance(level, str) else "numbers"
    stored = "flags" if series.dtype == pl.Boolean else "texts" if series.dtype in (pl.String, pl.Categorical, pl.Enum) else "numbers"
    if listed == stored:
        return ""
    if "flags" in (listed, stored):
        return f"its levels are {KINDS[listed]}, and the table holds {KINDS[stored]}"
    if listed == "texts":
        return "its levels are texts, and the table holds numbers or dates: write the levels without quotes"
    return f"its levels are numbers, and the table holds text{texts(series)}"


def texts(series: pl.Series) -> str:
    """Which cells of a column of texts are no numbers, where some are and some are not; else ""."""
    odd = (series.cast(pl.String, strict=False).str.strip_chars().cast(pl.Float64, strict=False).is_null() & series.is_not_null()).to_numpy()
    return f" in {counted(odd)} {_rows(odd)}" if 0 < odd.sum() < len(series) - series.null_count() else ""


def seen(frame: pl.DataFrame, schema: Schema, names: Sequence[str]) -> Schema:
    """The schema with the levels that the rows show where these columns declare none."""
    for name in names:
        column = schema[name]
        if not column.levels and column.kind in ("category", "integer", "number"):
            shown = tuple(frame[name].drop_nulls().unique().to_list())
            if column.kind == "category" or len(shown) <= 2 * NAMED:
                schema = schema.with_column(replace(column, levels=shown))
    return schema


def clashes(rules: Sequence[tuple[str, RowRule]], cohort: Cohort) -> list[str]:
    """Rules whose columns hold another kind of value than they are compared with."""
    out, nobody = [], cohort.take(np.zeros(0, dtype=np.int64))
    for place, rule in rules:
        try:
            rule.learn(nobody).broken(nobody)
        except TwinsetError as error:
            out.append(f"{place}: {Exception.__str__(error)}")
    return out


def counted(cells: BoolArray) -> str:
    """How many rows.

    >>> counted(np.array([True, False]))
    '1 of 2 rows'
    """
    return f"{int(cells.sum()):,} of {len(cells):,} rows"


def _rows(cells: BoolArray) -> str:
    numbers = np.flatnonzero(cells) + 1
    more = ", ..." if len(numbers) > NAMED else ""
    return f"({'row' if len(numbers) == 1 else 'rows'} {', '.join(map(str, numbers[:NAMED].tolist()))}{more})"


def _unlisted(series: pl.Series, column: Column) -> BoolArray:
    if series.dtype.is_float():
        series = series.fill_nan(None)
    known = {*column.levels, *column.missing_codes}
    odd = [v for v in series.unique().to_list() if v is not None and v not in known]
    if not odd:
        return np.zeros(len(series), dtype=np.bool_)
    plain = series.cast(pl.String) if isinstance(odd[0], str) else series
    return plain.is_in(odd).fill_null(False).to_numpy()


def _past(values: np.ndarray, column: Column, rounding: float) -> Iterator[tuple[str, BoolArray]]:
    if column.low is not None and column.high is not None and column.low > column.high:
        return  # told of the study itself
    with np.errstate(invalid="ignore"):
        if column.low is not None:
            yield "lie below `low`", values < column.low - rounding * max(1.0, abs(column.low))
        if column.high is not None:
            yield "lie above `high`", values > column.high + rounding * max(1.0, abs(column.high))
