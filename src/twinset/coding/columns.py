"""Columns as arrays: numbers with their gaps, categories as codes. And back, exactly.

Every generator and metric goes through here, so that missing values, missing codes, dates,
64-bit integers and level types are treated once. ``decode(encode(x)) == x`` cell for cell, with these limits: NaN becomes
null, datetimes keep their microseconds (nanoseconds are rounded) from 1791 to 2149, and a float may lose its last two bits where its column carries decimals. Integers
beyond 2^53 do not fit a float: they are refused, never changed in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Level, Schema
from twinset.errors import SchemaMismatch

MS_PER_DAY = 86_400_000
US_PER_DAY = 86_400_000_000
EXACT = 2**53  # up to here a float64 holds every integer


@dataclass(frozen=True, repr=False)
class Numbers:
    """A column on a line.

    ``values``: float64 (n,), NaN where there is a gap. Dates are days since 1970-01-01, datetimes fractional days.
    ``gaps``: int16 (n,), 0 where there is a number, 1 where null, 1 + j for the j-th (from 1) missing code of the schema.
    ``decimals``: digits to round to when a value is made up (0 for integers and dates, ``None`` = as they come).
    """

    column: Column
    values: np.ndarray
    gaps: np.ndarray
    decimals: int | None


@dataclass(frozen=True, repr=False)
class Codes:
    """A category: ``codes`` int32 (n,) into ``levels``; missing is a level of its own, ``None``, last, present only where it occurs."""

    column: Column
    codes: np.ndarray
    levels: tuple[Level | None, ...]


Coded: TypeAlias = Numbers | Codes


def encode(cohort: Cohort, *, like: Sequence[Coded] | None = None) -> tuple[Coded, ...]:
    """One coded column per synthesised column of the cohort, in order.

    ``like``: codes of another cohort whose level lists are to be shared; a level unseen there is added behind them.
    Identifiers and free text are left out.
    """
    shared = {c.column.name: c for c in like or ()}
    return tuple(_encode_one(cohort[c.name], c, shared.get(c.name)) for c in cohort.schema.synthesised)


def decode(coded: Sequence[Coded], dtypes: Mapping[str, pl.DataType | type[pl.DataType]]) -> Cohort:
    """A cohort from coded columns, each cast back to the dtype it had (``dtypes`` of the source frame's schema)."""
    frame = pl.DataFrame([_decode_one(c, dtypes[c.column.name]) for c in coded])
    return Cohort(frame, Schema(tuple(c.column for c in coded)))


def decimals_of(values: np.ndarray, most: int = 6) -> int | None:
    """Digits after the point that all finite values carry; ``None`` if more than ``most``.

    >>> decimals_of(np.array([1.5, 2.25, np.nan]))
    2
    """
    finite = np.abs(values[np.isfinite(values)])
    if len(finite) and finite.max() > 1e300:
        return None
    for digits in range(most + 1):
        if np.all(np.abs(np.round(finite, digits) - finite) <= 2 * np.spacing(finite)):
            return digits
    return None


def _encode_one(series: pl.Series, column: Column, like: Coded | None) -> Coded:
    if column.numeric:
        return _numbers(series, column, like)
    return _codes(series, column, like)


def on_a_line(series: pl.Series) -> pl.Series:
    """The values of a numeric column as Float64: dates as days since 1970-01-01, datetimes as fractional days."""
    if series.dtype == pl.Date:
        return series.to_physical().cast(pl.Float64)
    if isinstance(series.dtype, pl.Datetime):
        moments = series.dt.epoch("us")
        return (moments // US_PER_DAY).cast(pl.Float64) + (moments % US_PER_DAY).cast(pl.Float64) / US_PER_DAY
    return series.cast(pl.Float64, strict=False)


def _numbers(series: pl.Series, column: Column, like: Coded | None) -> Numbers:
    decimals: int | None = 0
    if isinstance(series.dtype, pl.Datetime):
        decimals = None
    elif series.dtype != pl.Date:
        if series.dtype in (pl.Int64, pl.UInt64) and len(series) and not _exact(series):
            raise SchemaMismatch(f"column `{column.name}` holds integers beyond 2^53", hint="declare it an identifier, or a category")
        decimals = column.decimals if column.kind == "number" else 0
    array = on_a_line(series).fill_null(math.nan).to_numpy().astype(np.float64, copy=True)
    gaps = np.isnan(array).astype(np.int16)
    for j, code in enumerate(column.missing_codes, start=2):
        hit = array == code
        gaps[hit] = j
        array[hit] = np.nan
    if column.kind == "number" and decimals is None and series.dtype.is_numeric():
        decimals = like.decimals if isinstance(like, Numbers) else decimals_of(array)
    return Numbers(column, array, gaps, decimals)


def _exact(series: pl.Series) -> bool:
    """Whether every integer is one that a float64 holds."""
    low, high = series.min(), series.max()
    return low is None or (int(low) >= -EXACT and int(high) <= EXACT)  # type: ignore[arg-type]


def _codes(series: pl.Series, column: Column, like: Coded | None) -> Codes:
    if series.dtype.is_float():
        series = series.fill_nan(None)
    distinct = series.drop_nulls().unique().sort()
    seen: list[Level] = distinct.to_list()
    if isinstance(like, Codes):
        present = [v for v in like.levels if v is not None]
    elif column.levels:
        occurring = set(seen)
        present = [v for v in column.levels if v in occurring] if column.origin == "private" else list(column.levels)
    else:
        present = []
    known = set(present)
    levels: list[Level | None] = [*present, *(v for v in seen if v not in known)]
    has_missing = series.null_count() > 0 or (isinstance(like, Codes) and None in like.levels)
    place = {v: i for i, v in enumerate(levels)}
    table = np.array([place[v] for v in seen], dtype=np.int32)
    if series.null_count():
        codes = np.full(len(series), len(levels), dtype=np.int32)
        codes[series.is_not_null().to_numpy()] = table[_rank(series.drop_nulls(), distinct)] if seen else 0
    else:
        codes = table[_rank(series, distinct)]
    if has_missing:
        levels.append(None)
    return Codes(column, codes, tuple(levels))


def _rank(values: pl.Series, distinct: pl.Series) -> np.ndarray:
    """Position in ``distinct`` (ascending) of each value, none of them null, int (n,)."""
    if values.dtype == pl.String:
        return np.asarray(values.cast(pl.Enum(distinct)).to_physical().to_numpy())
    if values.dtype.is_numeric() and not values.dtype.is_decimal():
        return np.searchsorted(distinct.to_numpy(), values.to_numpy())
    return values.rank("dense").to_numpy().astype(np.int64) - 1


def _decode_one(coded: Coded, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    name = coded.column.name
    if isinstance(coded, Codes):
        levels = pl.Series(name, list(coded.levels), dtype=dtype)
        return levels.gather(coded.codes.astype(np.int64)) if len(coded.codes) else levels.clear()
    values = coded.values.copy()
    for j, code in enumerate(coded.column.missing_codes, start=2):
        values[coded.gaps == j] = code
    if coded.decimals is not None:
        values = np.round(values, coded.decimals)
    if isinstance(dtype, pl.Datetime):
        days = np.floor(values)
        moments = pl.Series(name, days).fill_nan(None).cast(pl.Int64) * US_PER_DAY + pl.Series((values - days) * US_PER_DAY).fill_nan(None).round(0).cast(
            pl.Int64
        )
        return moments.cast(pl.Datetime("us", dtype.time_zone)).cast(dtype)
    series = pl.Series(name, values).fill_nan(None)
    if dtype == pl.Date or (isinstance(dtype, type) and dtype is pl.Date):
        return series.round(0).cast(pl.Int32).cast(pl.Date)
    if dtype.is_float() or dtype.is_decimal():
        return series.cast(dtype)
    whole = series.round(0).cast(pl.Int64)
    if dtype.is_integer() and dtype not in (pl.Int64, pl.UInt64):
        span = pl.Series([0], dtype=dtype)
        whole = whole.clip(span.lower_bound()[0], span.upper_bound()[0])  # made-up values must not fail the cast with a message that quotes them
    return whole.cast(dtype)
