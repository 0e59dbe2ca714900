"""A column of text becomes numbers, dates, booleans, or stays text: one column at a time, all cells at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

# what stands for missing among numbers; among texts each of these is an ordinary level
TOKENS = frozenset(
    {"na", "n/a", "n.a.", "nan", "?", ".", "-", "--", "null", "none", "<na>", "#n/a", "#na", "#value!", "#div/0!", "#ref!", "#num!", "inf", "-inf"}
)
CODE_NAME = re.compile(r"icd|diag|snomed|loinc|atc|cpt|code", re.IGNORECASE)
DATE_NAME = re.compile(r"(^|[^a-z])(date|dt|dob|datum|day|birth\w*)([^a-z]|$)|date$", re.IGNORECASE)
ISO, YMD, DMY = r"^\d{4}-\d{2}-\d{2}$", r"^\d{4}([/.])\d{1,2}([/.])\d{1,2}$", r"^\d{1,2}([/.\-])\d{1,2}([/.\-])\d{4}$"
CLOCK = r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$"
MOST_ODD = 3


@dataclass(frozen=True, repr=False)
class Typed:
    """A column with its type. ``tokens``: texts taken as missing among numbers. ``odd``: texts that alone keep it from being numbers."""

    series: pl.Series
    n_padded: int = 0
    tokens: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    note: str = ""


def typed(series: pl.Series, *, decimal: str = ".", missing: Sequence[str] = ()) -> Typed:
    """A String column as Int64, Float64, Boolean, Date, Datetime or String, whatever holds every cell exactly.

    Cells are stripped; empty ones and those listed in ``missing`` become null. Numbers with leading zeros, more than
    64 bits, or codes that differ only in trailing zeros stay text; a date is one only if all cells can be read in one way alone.
    """
    clean, n_padded = stripped(series, missing)
    distinct = clean.drop_nulls().unique()
    if not len(distinct):
        return Typed(clean, n_padded)
    numbers = _as_numbers(distinct, decimal)
    odd = distinct.filter(numbers.is_null())
    if len(odd) < len(distinct):
        tokens = odd.filter(odd.str.to_lowercase().is_in(list(TOKENS)))
        if len(tokens) == len(odd):
            made = _number_column(clean, distinct.filter(numbers.is_not_null()), decimal)
            return Typed(made if made is not None else clean, n_padded, tuple(tokens.sort()) if made is not None else ())
        few = odd.filter(~odd.is_in(tokens.implode()))
        mostly = len(few) <= MOST_ODD and len(distinct) >= 20 * len(few)
        return Typed(clean, n_padded, odd=tuple(few.sort()) if mostly else ())
    return _words(clean, distinct, n_padded)


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
        plain = sample.filter(~sample.str.to_lowercase().is_in(["", *TOKENS]))
        whole = bool(plain.str.contains(r"^[+-]?\d*(,\d+)?$").all())
        if whole and not bool(plain.str.contains(r"^[+-]?([1-9]\d{0,2}(,\d{3})+|\d{1,3})$").all()):
            return True
    return False


def dates(series: pl.Series) -> Typed:
    """A String column as Date or Datetime if every cell reads as one in one way alone; else as it is."""
    distinct = series.drop_nulls().unique()
    return _dates(series, distinct, 0) or Typed(series)


def _as_numbers(texts: pl.Series, decimal: str) -> pl.Series:
    """Finite numbers as Float64, null for what is none."""
    if decimal == ",":
        grouped = bool(texts.filter(texts.str.contains(".", literal=True)).str.contains(r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$").any())
        texts = texts.str.replace(",", ".", literal=True) if not grouped else texts.str.replace(r"^(.*[.].*)$", "")
    values = texts.cast(pl.Float64, strict=False)
    return values.to_frame("x").select(pl.when(pl.col("x").is_finite()).then("x")).to_series()


def _number_column(clean: pl.Series, texts: pl.Series, decimal: str) -> pl.Series | None:
    """Int64 or Float64; ``None`` if numbers would not hold these texts (they are codes)."""
    if bool(texts.str.contains(r"^[+-]?0\d").any()):
        return None
    if bool(texts.str.contains(r"^[+-]?\d+([.,]0*)?$").all()):
        exact = bool(texts.str.contains(r"^[+-]?\d+$").all())
        whole = clean.cast(pl.Int64, strict=False) if exact else _as_numbers(clean, decimal).cast(pl.Int64, strict=False).alias(clean.name)
        n_numbers = clean.is_in(texts.implode()).sum()
        if len(whole) - whole.null_count() != n_numbers:
            return None
        return _compact_dates(whole) if DATE_NAME.search(clean.name) else whole
    ends = texts.str.extract(r"[.,](\d*)$").fill_null("")
    trailing = bool(ends.str.ends_with("0").any()) and ends.str.len_chars().n_unique() > 1
    if trailing and CODE_NAME.search(clean.name):
        return None
    return _as_numbers(clean, decimal).alias(clean.name)


def _compact_dates(whole: pl.Series) -> pl.Series:
    """Dates written as 20200131, where all are."""
    seen = whole.drop_nulls()
    if not bool(seen.is_between(18500101, 22001231).all()):
        return whole
    made = whole.cast(pl.String).str.to_date("%Y%m%d", strict=False)
    return made if made.null_count() == whole.null_count() else whole


def _words(clean: pl.Series, distinct: pl.Series, n_padded: int) -> Typed:
    if len(distinct) <= 6 and set(distinct.str.to_lowercase()) <= {"true", "false"}:
        return Typed((clean.str.to_lowercase() == "true").alias(clean.name), n_padded)
    return _dates(clean, distinct, n_padded) or Typed(clean, n_padded)


def _dates(clean: pl.Series, distinct: pl.Series, n_padded: int) -> Typed | None:
    """Dates, if all texts but missing tokens are dates in the same order of day, month and year."""
    tokens = distinct.filter(distinct.str.to_lowercase().is_in(list(TOKENS)))
    texts = distinct.filter(~distinct.is_in(tokens.implode())) if len(tokens) else distinct
    if not len(texts) or not bool(texts.head(1).str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").all()):
        return None
    zone = r"(Z|[+-]\d{2}:?\d{2})$"
    zoned = bool(texts.str.contains(CLOCK.rstrip("$") + zone).all())
    clock = zoned or bool(texts.str.contains(CLOCK).any())
    days = texts.str.replace(r"[T ].*$", "") if clock else texts
    ways = [w for w, pattern in (("ymd", ISO), ("ymd", YMD), ("dmy", DMY), ("mdy", DMY)) if bool(days.str.contains(pattern).all())]
    readable = [w for w in dict.fromkeys(ways) if _read_days(days, w).null_count() == 0]
    if len(readable) == 2:
        return Typed(clean, n_padded, note="looks like dates, but day and month cannot be told apart; write them as 2020-01-31")
    if not readable:
        return None
    made = _read_moments(clean, readable[0], zoned) if clock else _read_days(clean, readable[0])
    if made.null_count() != clean.null_count() + int(clean.is_in(tokens.implode()).sum()):
        return None
    return Typed(made.alias(clean.name), n_padded, tuple(tokens.sort()))


def _read_days(texts: pl.Series, way: str) -> pl.Series:
    form = {"ymd": "%Y-%m-%d", "dmy": "%d-%m-%Y", "mdy": "%m-%d-%Y"}[way]
    return texts.str.replace_all(r"[/.]", "-").str.to_date(form, strict=False)


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
