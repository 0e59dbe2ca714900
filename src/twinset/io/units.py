"""Signs that one column holds numbers in two units: questions for a person, never an answer."""

from __future__ import annotations

import math
import re

import numpy as np
import polars as pl

from twinset.io.words import words

LEAST, SIDE, GAP = 20, 3, 2.2
NARROW: tuple[tuple[str, float], ...] = (
    (
        r"\b(height|groesse|größe|taille|talla|ht|htcm|bmi|hb|hgb|h(a)?emoglobin|hämoglobin|sodium|natrium|potassium|kalium|calcium|temp|temperature|temperatur)\b",
        30,
    ),
    (r"\b(albumin|hba1c|cholesterol|cholesterin|chol|hdl|ldl|glucose|glukose|glucosa|blutzucker|gluc?)\b", 30),
    (r"\b(weight|gewicht|poids|peso|wt|wtkg|creatinine|kreatinin|creat|urea|harnstoff)\b", 100),
)


def two_groups(series: pl.Series) -> tuple[float, float, float, float] | None:
    """Lowest and highest of two groups of positive numbers that lie far apart: at least a factor of 2.2 and more than any gap within a group; else ``None``.

    >>> two_groups(pl.Series([1.5 + i / 64 for i in range(40)] + [150 + i for i in range(40)]))
    (1.5, 2.109375, 150.0, 189.0)
    >>> two_groups(pl.Series([math.exp(i / 10) for i in range(80)])) is None
    True
    """
    values = np.sort(series.drop_nulls().cast(pl.Float64).to_numpy())
    values = values[values > 0]
    distinct = np.unique(values)
    if len(values) < LEAST or len(distinct) < LEAST // 2:
        return None
    gaps = np.diff(np.log(distinct))
    at = int(np.argmax(gaps))
    low, high = distinct[: at + 1], distinct[at + 1 :]
    n_low = int(np.searchsorted(values, low[-1], side="right"))
    few = min(n_low, len(values) - n_low) < max(SIDE, len(values) / 100)
    others = float(np.delete(gaps, at).max())
    if gaps[at] < math.log(GAP) or few or min(len(low), len(high)) < SIDE or gaps[at] < 1.5 * others:
        return None
    return float(low[0]), float(low[-1]), float(high[0]), float(high[-1])


def too_wide(series: pl.Series) -> bool:
    """Whether a quantity that in one unit spans little (height, glucose, sodium ...), by the column's name, spans many times more."""
    called = " ".join(words(series.name))
    most = next((fold for pattern, fold in NARROW if re.search(pattern, called)), math.inf)
    values = series.drop_nulls().cast(pl.Float64)
    values = values.filter(values > 0)
    low, high = values.min(), values.max()
    return isinstance(low, float) and isinstance(high, float) and len(values) >= LEAST and high / low > most
