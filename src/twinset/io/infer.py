"""A schema read from the data: kinds, levels and bounds, all of private origin."""

from __future__ import annotations

import math
from dataclasses import replace

import polars as pl

from twinset.core.schema import Column, Kind, Level, Schema

MOST_NUMERIC_LEVELS = 20
EPOCH_MS = 86_400_000


def infer_schema(frame: pl.DataFrame, *, unit: str = "") -> Schema:
    """What each column of ``frame`` seems to be, in its order.

    Strings and booleans are categories; numbers with at most 20 distinct values (and fewer than a fifth of the rows)
    are ordered categories; other numbers are ``integer`` where whole, else ``number`` with the decimals they carry.
    Every bound and level is read from the rows, so its origin is ``private``: a schema to start from, never one to claim privacy with.

    >>> infer_schema(pl.DataFrame({"age": list(range(40)), "sex": ["f", "m"] * 20})).columns
    (Column('age', integer, private), Column('sex', category, 2 levels, private))
    """
    return Schema(tuple(describe(frame[name]) for name in frame.columns), unit=unit)


def describe(series: pl.Series) -> Column:
    """The column as its values alone tell it: kind, bounds, levels, decimals."""
    name, dtype = series.name, series.dtype
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        low, high = _span(series)
        return Column(name, "date" if dtype == pl.Date else "datetime", low=low, high=high)
    if dtype.is_numeric():
        return _number(series)
    return Column(name, "category", levels=_levels(series))


def _number(series: pl.Series) -> Column:
    values = series.drop_nulls()
    n_distinct = values.n_unique()
    if n_distinct <= MOST_NUMERIC_LEVELS and n_distinct <= max(2, len(values) / 5):
        return Column(series.name, "category", levels=_levels(series), ordered=True)
    kind: Kind = "integer" if series.dtype.is_integer() or bool((values == values.round(0)).all()) else "number"
    low, high = _span(series)
    column = Column(series.name, kind, low=low, high=high)
    return replace(column, decimals=_decimals(values)) if kind == "number" else column


def _levels(series: pl.Series) -> tuple[Level, ...]:
    return tuple(series.drop_nulls().unique().sort().to_list())


def _span(series: pl.Series) -> tuple[float | None, float | None]:
    values = series
    if series.dtype == pl.Date:
        values = series.to_physical()
    elif isinstance(series.dtype, pl.Datetime):
        values = series.dt.epoch("ms") / EPOCH_MS
    low, high = values.min(), values.max()
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None, None
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else (None, None)


def _decimals(values: pl.Series, most: int = 6) -> int | None:
    """Digits after the point that all values carry; ``None`` if more than ``most``."""
    distinct = values.unique().cast(pl.Float64)
    for digits in range(most + 1):
        scaled = distinct * 10.0**digits
        if bool(((scaled - scaled.round(0)).abs() <= 1e-9 * pl.select(pl.max_horizontal(scaled.abs(), pl.lit(1.0))).to_series()).all()):
            return digits
    return None
