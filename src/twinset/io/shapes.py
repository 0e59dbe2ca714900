"""Texts that are something else, written so that nobody can read them: why such a column is left out."""

from __future__ import annotations

import polars as pl

from twinset.io.absent import TOKENS
from twinset.io.moments import in_numbers

FEW = 20
NUMBERED = r"^(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|[12]\d{7}|\d{1,2}[-/. ]{0,2}\p{L}{3,10}[-/., ]{0,3}\d{2,4})([T ]+\d.*)?$"
SIGNED = r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([T ]+\d.*)?$"
SHORT_YEAR = r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{2}([T ]+\d.*)?$"
ONE_FORM = (r"^\d{1,2}-\d{1,2}-\d{4}", r"^\d{1,2}/\d{1,2}/\d{4}", r"^\d{1,2}\.\d{1,2}\.\d{4}")
TWO_NUMBERS = r"^\d{1,3}([.,]\d+)?\s*/\s*\d{1,3}([.,]\d+)?$"
NUMBER = r"^[<>≤≥~]?=?\s*[+-]?(0|[1-9]\d*)([.,]\d+)*(\s*(%|\p{L}{2,5}|\p{L}{1,5}/\p{L}{1,5}))?$"
BARE = r"^[+-]?[\d.,]+$"

SEVERAL = "dates in several formats"
SHORT = "dates with years of two digits"
OPEN = "dates: whether day or month comes first cannot be told"
PAIRS = "two numbers in one cell: split it"
MIXED = "numbers with texts among them"


def unreadable(series: pl.Series) -> str:
    """Why a text column with many different cells is neither a category nor free text, in plain words without a cell; "" where it is neither.

    >>> unreadable(pl.Series([f"{100 + i}/{60 + i}" for i in range(40)]))
    'two numbers in one cell: split it'
    >>> unreadable(pl.Series(["2/3", "1/3"] * 20)), unreadable(pl.Series([f"{i:02}.01.20" for i in range(1, 31)]))
    ('', 'dates with years of two digits')
    """
    if series.dtype != pl.String:
        return ""
    seen = series.drop_nulls()
    distinct = seen.filter(~seen.str.to_lowercase().is_in(list(TOKENS))).unique()
    if len(distinct) <= min(FEW, len(seen) / 2):
        return ""
    texts = in_numbers(distinct)
    if _share(texts, NUMBERED) >= 0.9 and _share(texts, SIGNED) >= 0.3:
        if _share(texts, SHORT_YEAR) >= 0.9:
            return SHORT
        return (
            OPEN
            if any(_share(texts, form) == 1 for form in ONE_FORM) and not bool(texts.str.contains(r"^(1[3-9]|[23]\d)|^\d+\D(1[3-9]|[23]\d)").any())
            else SEVERAL
        )
    if _share(distinct, TWO_NUMBERS) >= 0.9:
        return PAIRS
    return ""


def mixed(series: pl.Series) -> str:
    """The same for numbers of which some carry a sign, a unit or another text, so many that they are no levels."""
    distinct = series.drop_nulls().unique()
    return MIXED if _share(distinct, NUMBER) >= 0.5 and _share(distinct, BARE) < 1 else ""


def _share(texts: pl.Series, pattern: str) -> float:
    return float(texts.str.contains(pattern).mean() or 0.0)  # type: ignore[arg-type]
