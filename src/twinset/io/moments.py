"""Dates and moments from texts, each text by itself."""

from __future__ import annotations

import polars as pl

DAY = r"(?:([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})|([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})|([0-9]{4})([0-9]{2})([0-9]{2}))"
CLOCK = r"(?:[T ]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:[.,][0-9]+)?))?)?"
ZONE = r" ?(?:(Z)|([+-])([0-9]{2}):?([0-9]{2}))?"
MOMENT = f"^{DAY}{CLOCK}{ZONE}$"
MINUTE = 60_000_000  # microseconds
MONTHS = {  # English and German, whole and cut
    name: f"{i:02d}"
    for i, names in enumerate(
        [
            "jan january januar",
            "feb february februar",
            "mar march mär märz mrz",
            "apr april",
            "may mai",
            "jun june juni",
            "jul july juli",
            "aug august",
            "sep sept september",
            "oct october okt oktober",
            "nov november",
            "dec december dez dezember",
        ],
        start=1,
    )
    for name in names.split()
}
NAMED = "|".join(sorted(MONTHS, key=len, reverse=True))
DAY_FIRST = rf"(?i)^([0-9]{{1,2}})[-. ]{{0,2}}({NAMED})[-., ]{{0,2}}([0-9]{{4}})(.*)$"
MONTH_FIRST = rf"(?i)^({NAMED})[-. ]{{1,2}}([0-9]{{1,2}})[, ]{{1,2}}([0-9]{{4}})(.*)$"


def moments(texts: pl.Series, *, order: str, local: bool = False) -> pl.Series:
    """Datetime("us") of each text, null where it is no date: 2020-01-31, 20200131, 31 Jan 2020, and 31/01/2020 or 01/31/2020 as ``order`` ("dmy", "mdy") says.

    A clock and a zone may follow; moments with a zone are told in UTC, or as written where ``local``.

    >>> moments(pl.Series(["31/01/2020 10:30", "2020-02-30"]), order="dmy").to_list()
    [datetime.datetime(2020, 1, 31, 10, 30), None]
    """
    found = in_numbers(texts).rename("x").to_frame().select(pl.col("x").str.extract_groups(MOMENT)).unnest("x")
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


def in_numbers(texts: pl.Series) -> pl.Series:
    """The texts with a month's name (English, German) at a date's place written as its number; others as they are.

    >>> in_numbers(pl.Series(["31JAN2020", "March 5, 2021 10:30", "may be"])).to_list()
    ['2020-01-31', '2021-03-05 10:30', 'may be']
    """
    if not bool(texts.str.contains(r"(?i)[a-zä]{3}").any()):
        return texts
    x = pl.col("x")
    for pattern, day, month in ((DAY_FIRST, 1, 2), (MONTH_FIRST, 2, 1)):
        number = x.str.extract(pattern, month).str.to_lowercase().replace_strict(MONTHS, default=None, return_dtype=pl.String)
        made = pl.concat_str(x.str.extract(pattern, 3), pl.lit("-"), number, pl.lit("-"), x.str.extract(pattern, day).str.zfill(2), x.str.extract(pattern, 4))
        texts = texts.rename("x").to_frame().select(pl.coalesce(made, x).alias(texts.name)).to_series()
    return texts
