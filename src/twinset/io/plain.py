"""Typed tables brought down to the few types a cohort knows."""

from __future__ import annotations

import polars as pl

from twinset.errors import TableUnreadable


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The same cells as String, Boolean, integers, floats, Date and Datetime without time zone.

    NaN and infinities become null, categories their text, decimals floats (or integers where without places),
    durations seconds, times of day text, times with a zone UTC. Raises TableUnreadable for nested and binary columns.
    """
    nested = [c for c, t in frame.schema.items() if t.is_nested() or t in (pl.Binary, pl.Object)]
    if nested:
        raise TableUnreadable(
            f"{len(nested)} column{'s hold' if len(nested) > 1 else ' holds'} lists, records or bytes in its cells (first: `{nested[0]}`)",
            hint="leave them out, or unpack them into columns of their own",
        )
    return frame.with_columns(_plain(frame[name]) for name in frame.columns if not _is_plain(frame[name]))


def _is_plain(series: pl.Series) -> bool:
    dtype = series.dtype
    if dtype.is_float():
        return not bool((~series.is_finite()).any())
    if isinstance(dtype, pl.Datetime):
        return dtype.time_zone is None
    return dtype in (pl.String, pl.Boolean, pl.Date) or (dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128))


def _plain(series: pl.Series) -> pl.Series:
    dtype = series.dtype
    if dtype.is_float():
        return series.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first()).alias(series.name)).to_series()
    if isinstance(dtype, pl.Datetime):
        return series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if dtype == pl.Duration:
        return series.dt.total_microseconds() / 1e6
    if dtype.is_integer() or (isinstance(dtype, pl.Decimal) and dtype.scale == 0):
        whole = series.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == series.null_count() else series.cast(pl.String)
    if isinstance(dtype, pl.Decimal):
        return series.cast(pl.Float64)
    return series.cast(pl.String)
