"""Columns of a cohort as a rule sees them, and computed values back into a column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.schema import Column
from twinset.errors import RuleInvalid
from twinset.rules.tree import Type

US_PER_DAY = 86_400_000_000


@dataclass(frozen=True, repr=False)
class Line:
    """Numbers, dates (days since 1970-01-01) or flags (0, 1): float64, NaN where missing."""

    values: np.ndarray
    type: Type


@dataclass(frozen=True, repr=False)
class Words:
    """Text: a String series, null where missing."""

    values: pl.Series


def column_values(cohort: Cohort, name: str) -> Line | Words:
    """A column, missing codes taken as missing. Raises SchemaMismatch where it is absent, RuleInvalid for nested types."""
    column = cohort.schema[name]
    series = cohort[name]
    dtype = series.dtype
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return Words(series.cast(pl.String))
    if dtype == pl.Boolean:
        return Line(_floats(series.cast(pl.Float64)), "flag")
    if dtype == pl.Date:
        return Line(_floats(series.to_physical().cast(pl.Float64)), "date")
    if isinstance(dtype, pl.Datetime):
        return Line(_floats(series.dt.epoch("us").cast(pl.Float64)) / US_PER_DAY, "date")
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise RuleInvalid(f"a rule cannot read `{name}`", hint="rules take numbers, text, true/false and dates")
    values = _floats(series.cast(pl.Float64))
    for code in column.missing_codes:
        values[values == code] = np.nan
    return Line(values, "any" if dtype == pl.Null else "number")


def series_values(cohort: Cohort, name: str, alias: str) -> pl.Series:
    """``column_values`` as a series (Float64 or String, null where missing) called ``alias``."""
    values = column_values(cohort, name)
    if isinstance(values, Words):
        return values.values.alias(alias)
    return pl.Series(alias, values.values).fill_nan(None)


def is_missing(cohort: Cohort, name: str) -> np.ndarray:
    """Shape (n,), true where the column is null, NaN or a missing code."""
    values = column_values(cohort, name)
    if isinstance(values, Words):
        return values.values.is_null().to_numpy()
    return np.asarray(np.isnan(values.values))


def put(cohort: Cohort, name: str, values: pl.Series, rows: np.ndarray) -> Cohort:
    """The cohort with ``values`` (Float64, String or Null; null = missing; full length) written into these rows of a column."""
    old = cohort[name]
    new = _cast(values, cohort.schema[name], old.dtype)
    mixed = pl.select(pl.when(pl.Series(rows)).then(new).otherwise(old).cast(old.dtype).alias(name)).to_series()
    return Cohort(cohort.frame.with_columns(mixed), cohort.schema)


def digits(column: Column, dtype: pl.DataType) -> int | None:
    """Digits after the point that a column can hold; ``None`` = as many as it likes."""
    if column.kind in ("integer", "date") or dtype.is_integer() or dtype == pl.Date:
        return 0
    return column.decimals if column.kind == "number" else None


def _cast(values: pl.Series, column: Column, dtype: pl.DataType) -> pl.Series:
    if values.dtype in (pl.String, pl.Null):
        return values.cast(dtype, strict=False)
    if dtype == pl.Boolean:
        return values.cast(pl.Boolean)
    if isinstance(dtype, pl.Datetime):
        return (values * US_PER_DAY).round(0).cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone(dtype.time_zone).cast(dtype)
    places = digits(column, dtype)
    array = values.fill_null(np.nan).to_numpy()
    rounded = pl.Series(array if places is None else np.round(array, places)).fill_nan(None)
    if dtype == pl.Date:
        return rounded.cast(pl.Int32, strict=False).cast(pl.Date)
    return rounded.cast(dtype, strict=False)


def _floats(series: pl.Series) -> np.ndarray:
    return series.fill_null(np.nan).to_numpy().astype(np.float64, copy=True)
