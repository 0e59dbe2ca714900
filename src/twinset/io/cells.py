"""A column of text becomes numbers, dates, booleans, or stays text: one column at a time, all cells at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from twinset.io.absent import TOKENS
from twinset.io.moments import in_numbers

CODE_NAME = re.compile(r"icd|diag|snomed|loinc|atc|cpt|code", re.IGNORECASE)
DATE_NAME = re.compile(r"(^|[^a-z])(date|dt|dob|datum|day|birth\w*)([^a-z]|$)|date$", re.IGNORECASE)
YEAR_FIRST, YEAR_LAST = r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}$", r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}$"
FORMS = (r"^\d{4}-", r"^\d{4}/", r"^\d{4}\.", r"^\d{1,2}-", r"^\d{1,2}/", r"^\d{1,2}\.")
CLOCK = r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$"
MOST_ODD = 3
SHORT = 2000
SIMPLE = re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,12})?")


@dataclass(frozen=True, repr=False)
class Typed:
    """A column with its type, and how its texts were read.

    Attributes:
        tokens: texts taken as missing among numbers.
        odd: texts that alone keep it from being numbers.
        thousands: the sign that grouped thousands, "" for none.
        date_order: the order of day, month and year ("ymd", "dmy", "mdy"), "" where no text was read as a date.
        two_orders: whether these could be dates, but day and month cannot be told apart.
    """

    series: pl.Series
    n_padded: int = 0
    tokens: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    note: str = ""
    thousands: str = ""
    date_order: str = ""
    two_orders: bool = False


def typed(series: pl.Series, *, decimal: str = ".", missing: Sequence[str] = (), thousands: str = "", order: str = "") -> Typed:
    """A String column as Int64, Float64, Boolean, Date, Datetime or String, whatever holds every cell exactly.

    Cells are stripped; empty ones and those listed in ``missing`` become null. Numbers with leading zeros, more than
    64 bits, or codes that differ only in trailing zeros stay text; a date is one only if all cells can be read in one way alone.
    ``thousands``: the sign that may group digits, "" = found out; ``order``: of day, month and year where the cells leave it open.
    """
    simple = _simple_numbers(series, decimal, missing) if len(series) <= SHORT and not thousands else None
    if simple is not None:
        return Typed(simple)
    clean, n_padded = stripped(series, missing)
    distinct = clean.drop_nulls().unique()
    if not len(distinct):
        return Typed(clean, n_padded)
    points = _points(distinct, decimal, thousands)
    plain = _rewritten(distinct, points)
    odd = distinct.filter(_finite(plain).is_null())
    if len(odd) == len(distinct):
        return _words(clean, distinct, n_padded, order)
    tokens = odd.filter(odd.str.to_lowercase().is_in(list(TOKENS)))
    if len(tokens) < len(odd):
        few = odd.filter(~odd.is_in(tokens.implode()))
        mostly = len(few) <= MOST_ODD and len(distinct) >= 20 * len(few)
        return Typed(clean, n_padded, odd=tuple(few.sort()) if mostly else ())
    made = _number_column(_rewritten(clean, points), plain.filter(_finite(plain).is_not_null()))
    if made is None:
        return Typed(clean, n_padded)
    found = Typed(made, n_padded, tuple(tokens.sort()), date_order="ymd" if made.dtype == pl.Date else "")
    return replace(found, note="numbers with grouped thousands", thousands=points.other) if points.grouped else found


def _simple_numbers(series: pl.Series, decimal: str, missing: Sequence[str]) -> pl.Series | None:
    """The quick way for short columns of plain numbers and empty cells, so that ten thousand columns are no burden; ``None`` for all else."""
    cells = series.to_list()
    match = SIMPLE.fullmatch
    if missing or CODE_NAME.search(series.name) or DATE_NAME.search(series.name) or not all(c is None or match(c) for c in cells):
        return None
    if not any(c is not None and "." in c for c in cells):
        return pl.Series(series.name, [None if c is None else int(c) for c in cells], dtype=pl.Int64) if any(cells) else None
    if decimal != ".":
        return None  # these points group thousands, or make the cells no numbers
    values = [None if c is None else float(c) for c in cells]
    return None if all(v is None or v.is_integer() for v in values) else pl.Series(series.name, values, dtype=pl.Float64)


@dataclass(frozen=True)
class Points:
    """How a column's numbers are punctuated: the decimal sign, and whether the other sign groups thousands."""

    decimal: str
    other: str
    grouped: bool


def _points(texts: pl.Series, decimal: str, thousands: str) -> Points:
    other = thousands or ("," if decimal == "." else ".")
    marked = texts.filter(texts.str.contains(other, literal=True))
    group = re.escape(other)
    grouped = len(marked) > 0 and bool(marked.str.contains(rf"^[+-]?[1-9]\d{{0,2}}({group}\d{{3}})+([{decimal}]\d*)?$").all())
    return Points(decimal, other, grouped)


def _rewritten(texts: pl.Series, points: Points) -> pl.Series:
    """The texts with grouping removed and the decimal sign a point; a sign that is neither stays and makes them no numbers."""
    if points.grouped:
        texts = texts.str.replace_all(points.other, "", literal=True)
    return texts.str.replace(",", ".", literal=True) if points.decimal == "," else texts


def stripped(series: pl.Series, missing: Sequence[str] = ()) -> tuple[pl.Series, int]:
    """Text without blanks around it, empty and listed texts as null; and how many cells had blanks around something."""
    bare = series.str.strip_chars()
    n_padded = int(((bare != series) & (bare != "")).sum())
    gone = ["", *missing]
    name = series.name
    return bare.to_frame("x").select(pl.when(~pl.col("x").is_in(gone)).then("x").alias(name)).to_series(), n_padded


def uses_comma(columns: Sequence[pl.Series]) -> bool:
    """Whether numbers among these String columns are written with a decimal comma (``1,5``), not with grouping (``1,500``)."""
    for series in columns:
        sample = series.head(2000).drop_nulls().str.strip_chars().unique()
        if not bool(sample.str.contains(r"^[+-]?\d+,\d+$").any()):
            continue
        texts = sample.filter(~sample.str.to_lowercase().is_in(["", *TOKENS]))
        plain = texts.filter(texts.str.contains(r"^[+-]?\d*(,\d+)?$"))
        n_odd = len(texts) - len(plain)
        if n_odd <= MOST_ODD and len(plain) >= 20 * n_odd and not bool(plain.str.contains(r"^[+-]?([1-9]\d{0,2}(,\d{3})+|\d{1,3})$").all()):
            return True
    return False


def dates(series: pl.Series, *, order: str = "") -> Typed:
    """A String column as Date or Datetime if every cell reads as one in one way alone (or in ``order``); else as it is."""
    distinct = series.drop_nulls().unique()
    return _dates(series, distinct, 0, order) or Typed(series)


def _finite(texts: pl.Series) -> pl.Series:
    """Finite numbers as Float64, null for what is none."""
    values = texts.cast(pl.Float64, strict=False)
    return values.to_frame("x").select(pl.when(pl.col("x").is_finite()).then("x").alias(texts.name)).to_series()


def _number_column(clean: pl.Series, numbers: pl.Series) -> pl.Series | None:
    """Int64 or Float64; ``None`` if numbers would not hold these texts (they are codes). ``numbers``: the distinct ones, as text."""
    if bool(numbers.str.contains(r"^[+-]?0\d").any()):
        return None
    if bool(numbers.str.contains(r"^[+-]?\d+([.]0*)?$").all()):
        whole = clean.str.replace(r"[.]0*$", "").cast(pl.Int64, strict=False)
        if len(whole) - whole.null_count() != int(clean.is_in(numbers.implode()).sum()):
            return None  # more than 64 bits
        return _compact_dates(whole) if DATE_NAME.search(clean.name) else whole
    ends = numbers.str.extract(r"[.](\d*)$").fill_null("")
    trailing = bool(ends.str.ends_with("0").any()) and ends.str.len_chars().n_unique() > 1
    return None if trailing and CODE_NAME.search(clean.name) else _finite(clean)


def _compact_dates(whole: pl.Series) -> pl.Series:
    """Dates written as 20200131, where all are."""
    seen = whole.drop_nulls()
    if not bool(seen.is_between(18500101, 22001231).all()):
        return whole
    made = whole.cast(pl.String).str.to_date("%Y%m%d", strict=False)
    return made if made.null_count() == whole.null_count() else whole


def _words(clean: pl.Series, distinct: pl.Series, n_padded: int, order: str) -> Typed:
    if len(distinct) <= 6 and set(distinct.str.to_lowercase()) <= {"true", "false"}:
        return Typed((clean.str.to_lowercase() == "true").alias(clean.name), n_padded)
    return _dates(clean, distinct, n_padded, order) or Typed(clean, n_padded)


def _dates(clean: pl.Series, distinct: pl.Series, n_padded: int, order: str) -> Typed | None:
    """Dates, if all texts but missing tokens are dates in the same order of day, month and year."""
    tokens = distinct.filter(distinct.str.to_lowercase().is_in(list(TOKENS)))
    texts = in_numbers(distinct.filter(~distinct.is_in(tokens.implode())) if len(tokens) else distinct)
    if not len(texts) or not bool(texts.head(1).str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").all()):
        return None
    zone = r"(Z|[+-]\d{2}:?\d{2})$"
    zoned = bool(texts.str.contains(CLOCK.rstrip("$") + zone).all())
    clock = zoned or bool(texts.str.contains(CLOCK).any())
    days = texts.str.replace(r"[T ].*$", "") if clock else texts
    ways = _orders(days)
    if len(ways) == 2 and order not in ways:
        return Typed(clean, n_padded, note="looks like dates, but day and month cannot be told apart; write them as 2020-01-31", two_orders=True)
    if not ways:
        return None
    way = order if order in ways else ways[0]
    made = _read_moments(in_numbers(clean), way, zoned) if clock else _read_days(in_numbers(clean), way)
    if made.null_count() != clean.null_count() + int(clean.is_in(tokens.implode()).sum()):
        return None
    note = "dates in several formats, each of which can be read in one way alone" if sum(bool(days.str.contains(f).any()) for f in FORMS) > 1 else ""
    return Typed(made.alias(clean.name), n_padded, tuple(tokens.sort()), note=note, date_order=way)


def _orders(days: pl.Series) -> tuple[str, ...]:
    """The orders in which these texts, all of them, are dates. Where the year stands last, each sign between must settle for the same one."""
    first, last = days.str.contains(YEAR_FIRST), days.str.contains(YEAR_LAST)
    if not bool((first | last).all()) or _read_days(days.filter(first), "ymd").null_count():
        return ()
    if not last.any():
        return ("ymd",)
    by_sign = [days.filter(last & days.str.contains(form)) for form in FORMS[3:]]
    found = {tuple(way for way in ("dmy", "mdy") if _read_days(texts, way).null_count() == 0) for texts in by_sign if len(texts)}
    return found.pop() if len(found) == 1 else ()


def _read_days(texts: pl.Series, way: str) -> pl.Series:
    form = {"ymd": "%Y-%m-%d", "dmy": "%d-%m-%Y", "mdy": "%m-%d-%Y"}[way]
    x = pl.col("x").str.replace_all(r"[/.]", "-")
    made = pl.coalesce(x.str.to_date("%Y-%m-%d", strict=False), pl.when(~x.str.contains(r"^\d{4}-")).then(x).str.to_date(form, strict=False))
    return texts.rename("x").to_frame().select(made.alias(texts.name)).to_series()


def _read_moments(texts: pl.Series, way: str, zoned: bool) -> pl.Series:
    days = _read_days(texts.str.replace(r"[T ].*$", ""), way)
    clock = texts.str.extract(r"[T ](\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)").fill_null("00:00")
    parts = (
        clock.to_frame("x")
        .select(
            pl.col("x").str.extract(r"^(\d+):").cast(pl.Int64) * 3_600_000_000
            + pl.col("x").str.extract(r"^\d+:(\d+)").cast(pl.Int64) * 60_000_000
            + (pl.col("x").str.extract(r"^\d+:\d+:(\d+(?:\.\d+)?)").cast(pl.Float64).fill_null(0.0) * 1e6).round(0).cast(pl.Int64)
        )
        .to_series()
    )
    if zoned:
        shift = texts.str.extract_groups(r"([+-])(\d{2}):?(\d{2})$").struct.unnest()
        minutes = shift["2"].cast(pl.Int64) * 60 + shift["3"].cast(pl.Int64)
        sign = pl.select(pl.when(shift["1"] == "-").then(-1).otherwise(1)).to_series()
        parts = parts - (sign * minutes).fill_null(0) * 60_000_000
    return (days.cast(pl.Datetime("us")).to_physical() + parts).cast(pl.Datetime("us"))
