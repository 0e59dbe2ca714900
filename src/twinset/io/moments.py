"""Dates and moments from texts, each text by itself."""

from __future__ import annotations

import polars as pl

DAY = r"(?:([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})|([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})|([0-9]{4})([0-9]{2})([0-9]{2}))"
CLOCK = r"(?:[T ]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:[.,][0-9]+)?))?)?"
ZONE = r" ?(?:(Z)|([+-])([0-9]{2}):?([0-9]{2}))?"
MOMENT = f"^{DAY}{CLOCK}{ZONE}$"
MINUTE = 60_000_000  # microseconds


def moments(texts: pl.Series, *, order: str, local: bool = False) -> pl.Series:
    """Datetime("us") of each text, null where it is no date: 2020-01-31, 20200131, and 31/01/2020 or 01/31/2020 as ``order`` ("dmy", "mdy") says.

    A clock and a zone may follow; moments with a zone are told in UTC, or as written where ``local``.

    >>> moments(pl.Series(["31/01/2020 10:30", "2020-02-30"]), order="dmy").to_list()
    [datetime.datetime(2020, 1, 31, 10, 30), None]
    """
    found = texts.rename("x").to_frame().select(pl.col("x").str.extract_groups(MOMENT)).unnest("x")
    found.columns = [f"g{i}" for i in range(1, found.width + 1)]
    g = [pl.lit(None), *(pl.col(c) for c in found.columns)]
    day, month = (g[4], g[5]) if order == "dmy" else (g[5], g[4])
    last = pl.when(pl.lit(order in ("dmy", "mdy"))).then(pl.concat_str(g[6], pl.lit("-"), month, pl.lit("-"), day))
    first = pl.concat_str(pl.coalesce(g[1], g[7]), pl.lit("-"), pl.coalesce(g[2], g[8]), pl.lit("-"), pl.coalesce(g[3], g[9]))
    days = pl.coalesce(first, last).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    hours, minutes = (pl.coalesce(c.cast(pl.Int64), 0) for c in (g[10], g[11]))
    seconds = pl.coalesce(g[12].str.replace(",", ".", literal=True).cast(pl.Float64), 0.0)
    within = hours * 60 * MINUTE + minutes * MINUTE + (seconds * 1e6).round(0).cast(pl.Int64)
    shift = pl.when(g[14] == "-").then(-1).otherwise(1) * (g[15].cast(pl.Int64) * 60 + g[16].cast(pl.Int64)) * MINUTE
    shift = pl.lit(0) if local else pl.coalesce(shift, 0)
    real = (hours < 24) & (minutes < 60) & (seconds < 60)
    return found.select(pl.when(real).then(days + pl.duration(microseconds=within - shift)).alias(texts.name)).to_series()
