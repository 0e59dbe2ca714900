"""A schema read from the data: kinds, roles, levels and bounds, all of private origin."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from twinset.core.schema import Column, Kind, Level, Schema
from twinset.errors import SchemaMismatch
from twinset.io.identifiers import identifier
from twinset.io.roles import ARMS, is_code, with_roles
from twinset.io.shapes import mixed, unreadable
from twinset.io.words import vocabulary, words

MOST_NUMERIC_LEVELS = 20
LEAST_LINE = 13  # so many whole numbers without a gap are a measure, not grades
LEAST_FAR_LINE, FAR = 8, 20  # and so many that begin far from nought (years, sodium)
NAMES_ONLY = vocabulary(
    "sex gender male female geschlecht sexe sexo sesso race ethnicity ethnic rasse marital region country type kind typ art side seite"
) | frozenset(ARMS)
BOUND = r"(\d+(?:[.,]\d+)?)"
FROM_TO = re.compile(rf"[\[(]?\s*{BOUND}\s*(?:-|–|—|to|bis|à|a|,|;)\s*(?:<\s*)?{BOUND}\s*[\])]?")
UP_TO = re.compile(rf"(?:<|<=|=<|≤|under|below|up to|unter|bis|jusqu'à|hasta)\s*{BOUND}|{BOUND}\s*(?:or less|and under|and below|und weniger)")
BEYOND = re.compile(rf"(?:>|>=|=>|≥|over|above|über|ab|plus de|más de)\s*{BOUND}|{BOUND}\s*(?:\+|or more|and over|and above|und mehr|et plus|y más)")
UNIT = re.compile(r"\s*(?:years?|yrs?|jahre?|ans|años|mm|cm|m|kg|g|mg|ml|l|days?|tage?|months?|monate?|%)$")
MOST_MISSING_CODES = 4
MOST_DECIMALS = 6
MS_PER_DAY = 86_400_000
HIGH_CODES = frozenset(d * (10**k - 1) // 9 for d in (7, 8, 9) for k in range(2, 8))
CODE_NUMBERS = (*range(-9, 0), *(-11 * i for i in range(5, 10)), *(-111 * i for i in range(5, 10)), *(-1111 * i for i in range(5, 10)), -99999)


def infer_schema(frame: pl.DataFrame, *, unit: str = "") -> Schema:
    """What each column of ``frame`` seems to be, in its order; ``unit`` names the patient's column ("" = a row is a patient).

    Strings and booleans are categories, in order where all levels are ranges of numbers (``<=20``, ``20-50``, ``>50``); numbers with at most 20 distinct
    values (and fewer than a fifth of the rows) are categories, in order but for pairs, codes of places and types, sexes and arms; whole numbers that fill
    an even range of 13 or more (sodium from 131 to 150) are none; other numbers are ``integer`` where whole, else ``number``
    with the decimals they carry; direct identifiers and free text are ``text`` and never synthesised. Negative codes among
    numbers that are otherwise not negative are ``missing_codes``. Roles are proposals. Every bound and level is read from the
    rows, so its origin is ``private``: a schema to start from, never one to claim privacy with.
    Raises SchemaMismatch if there is no column ``unit``.

    >>> infer_schema(pl.DataFrame({"x": list(range(40)), "sex": ["f", "m"] * 20})).columns
    (Column('x', integer, private), Column('sex', category, quasi-identifier, 2 levels, private))
    """
    if unit and unit not in frame.columns:
        raise SchemaMismatch(f"no column `{unit}` to name the patient", hint="name it as in the table")
    columns = [describe(frame[name]) for name in frame.columns]
    if unit:
        columns = [Column(c.name, "text", "identifier", identifier="patient number") if c.name == unit else c for c in columns]
    return Schema(with_roles(columns), unit=unit)


def describe(series: pl.Series) -> Column:
    """The column as its name and cells alone tell it; no role but ``identifier``."""
    name, dtype = series.name, series.dtype
    found = identifier(series)
    if found:
        return Column(name, "text", "identifier", identifier=found)
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        low, high = _span(series)
        return Column(name, "date" if dtype == pl.Date else "datetime", low=low, high=high)
    if dtype.is_numeric():
        return _number(series)
    values = series.drop_nulls()
    why = unreadable(series)
    if why or (dtype == pl.String and len(values) >= MOST_NUMERIC_LEVELS and values.n_unique() > max(MOST_NUMERIC_LEVELS, len(values) / 2)):
        return Column(name, "text", description=why or mixed(series))  # codes nearly every row has its own of, or what nobody can read
    ranges = _ranges(_levels(series)) if dtype == pl.String else ()
    return Column(name, "category", levels=ranges or _levels(series), ordered=bool(ranges))


def propose_unit(schema: Schema) -> str:
    """The column that names the patient of several rows, or "": the first that was recognised as a repeating patient number."""
    return next((c.name for c in schema if c.identifier == "patient number"), "")


def missing_codes(values: pl.Series) -> tuple[float, ...]:
    """Negative codes (-8, -99 ...) among numbers that are otherwise not negative: few, whole, and more often than single cells.

    >>> missing_codes(pl.Series([*range(100), -8, -8, -8])), missing_codes(pl.Series([-8.0, -7.9, 0.0, 1.0]))
    ((-8.0,), ())
    """
    low = values.filter(values < 0)
    codes = low.unique().sort()
    if not len(codes) or len(codes) > MOST_MISSING_CODES or not bool(codes.cast(pl.Float64).is_in([float(c) for c in CODE_NUMBERS]).all()):
        return ()
    heavy = len(low) >= max(2 * len(codes), 0.002 * len(values))
    return tuple(float(c) for c in codes) if heavy and len(low) < len(values) else ()


def _number(series: pl.Series) -> Column:
    values = series.drop_nulls()
    n_distinct = values.n_unique()
    if n_distinct <= MOST_NUMERIC_LEVELS and n_distinct <= max(2, len(values) / 5) and (is_code(values) or not _line(values)):
        return Column(
            series.name, "category", levels=_levels(series), ordered=n_distinct > 2 and not is_code(values) and not frozenset(words(series.name)) & NAMES_ONLY
        )
    integral = values.dtype.is_integer() or bool((values == values.round(0)).all())
    if integral and is_code(values):
        return Column(series.name, "category", levels=_levels(series))
    codes = missing_codes(values)
    values = values.filter(~values.cast(pl.Float64).is_in(list(codes))) if codes else values
    kind: Kind = "integer" if integral else "number"
    low, high = _span(values)
    return Column(series.name, kind, low=low, high=high, missing_codes=codes, decimals=None if integral else _decimals(values))


def _line(values: pl.Series) -> bool:
    """Whether these are whole numbers in an even range, each of which occurs: a measure with few values, not grades."""
    low, high, n_distinct = values.min(), values.max(), values.n_unique()
    if not values.dtype.is_integer() or not isinstance(low, int) or not isinstance(high, int):
        return False
    long = n_distinct >= LEAST_LINE or (n_distinct >= LEAST_FAR_LINE and low >= FAR)
    return long and high - low + 1 <= 1.1 * n_distinct


def _ranges(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Levels that are ranges of numbers (``<=20``, ``20-50``, ``>50``) in their order; empty where not all are, or most are bare numbers.

    >>> _ranges([">50", "20-50", "<=20"]), _ranges(["3", "4", ">4"])
    (('<=20', '20-50', '>50'), ())
    """
    found = {level: _range(str(level)) for level in levels}
    spans = [span for span in found.values() if span is not None]
    if len(spans) < max(2, len(found)) or 2 * sum(low == high for low, high in spans) >= len(spans):
        return ()
    return tuple(sorted(found, key=lambda level: found[level] or (0.0, 0.0)))


def _range(text: str) -> tuple[float, float] | None:
    """From where to where a level reaches; ``None`` where it is no range."""
    bare = UNIT.sub("", text.strip().lower())
    if both := FROM_TO.fullmatch(bare):
        low, high = _float(both[1]), _float(both[2])
        return (low, high) if low <= high else None
    if up := UP_TO.fullmatch(bare):
        return -math.inf, _float(up[1] or up[2])
    if beyond := BEYOND.fullmatch(bare):
        return _float(beyond[1] or beyond[2]), math.inf
    return (_float(bare), _float(bare)) if re.fullmatch(BOUND, bare) else None


def _float(text: str) -> float:
    return float(text.replace(",", "."))


def _levels(series: pl.Series) -> tuple[Level, ...]:
    return tuple(series.drop_nulls().unique().sort().to_list())


def _span(series: pl.Series) -> tuple[float | None, float | None]:
    values = series
    if series.dtype == pl.Date:
        values = series.to_physical()
    elif isinstance(series.dtype, pl.Datetime):
        values = series.dt.epoch("ms") / MS_PER_DAY
    low, high = values.min(), values.max()
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None, None
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else (None, None)


def _decimals(values: pl.Series) -> int | None:
    """Digits after the point that all values carry; ``None`` if more than 6 (then as many as needed)."""
    distinct = values.unique().cast(pl.Float64).to_numpy()
    for digits in range(MOST_DECIMALS + 1):
        scaled = distinct * 10.0**digits
        if np.all(np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))):
            return digits
    return None


def suspect_code(series: pl.Series) -> float | int | None:
    """A largest value like 99 or 9999 that is heavy and far from the rest: perhaps a code for missing. A question, not an answer.

    >>> suspect_code(pl.Series([*range(1, 60), 999, 999, 999])), suspect_code(pl.Series(range(100)))
    (999, None)
    """
    values = series.drop_nulls()
    high = values.max()
    if not isinstance(high, (int, float)) or high not in HIGH_CODES:
        return None
    below, n_high = values.filter(values < high).max(), int((values == high).sum())
    far = isinstance(below, (int, float)) and below < 0.8 * high
    return high if far and n_high >= max(3, 0.001 * len(values)) else None
