"""Patients that never were: a table made from the declared schema alone, to try a release on.

A Gaussian copula with a few random factors gives the columns something to do with each other; shapes inside the declared bounds are
drawn at random. Nothing of it is true, and no row was read.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from scipy.special import betaincinv, ndtr

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import Rng

FACTORS = 3  # hidden causes that columns share
SHARED = 0.45  # of a column's variance, on average, that comes from them
SKEWS = (1.5, 3.0, 6.0)  # second parameter of the beta distribution a number is drawn from
ZEROS = 0.25  # of the numbers whose bounds begin at 0: those with a third of their patients at 0
UNKNOWN_LEVELS = 3  # of a category that declares none
UNKNOWN_SPAN = 1000.0  # of a number that declares no bounds


def stand_in(schema: Schema, n: int, rng: Rng) -> Cohort:
    """``n`` made-up patients with the schema's synthesised columns.

    Numbers fill their declared bounds (or invented ones, where none are declared), levels are unevenly frequent (those of an arm or an event evenly), nothing is missing.
    Use it to foretell errors, never as data: two calls differ in everything but the domain.
    """
    columns = tuple(schema.synthesised)
    hidden = rng.normal(size=(n, FACTORS))
    series = []
    for column in columns:
        loadings = rng.normal(size=FACTORS)
        share = 0.0 if column.role == "arm" else float(rng.beta(2.0, 2.0 * (1 - SHARED) / SHARED))  # arms are drawn by lot
        loadings *= math.sqrt(share) / max(float(np.linalg.norm(loadings)), 1e-9)
        score = ndtr(hidden @ loadings + math.sqrt(1 - share) * rng.normal(size=n))
        series.append(_number(column, score, rng) if column.numeric else _levels(column, score, rng))
    return Cohort(pl.DataFrame(series), Schema(columns))


def _number(column: Column, score: np.ndarray, rng: Rng) -> pl.Series:
    low = -UNKNOWN_SPAN / 2 if column.low is None else float(column.low)
    high = low + UNKNOWN_SPAN if column.high is None else float(column.high)
    values = low + (high - low) * betaincinv(2.0, float(rng.choice(SKEWS)), score)
    if low == 0 and rng.random() < ZEROS:
        values = np.where(score < 1 / 3, 0.0, values)
    if column.kind == "number":
        return pl.Series(column.name, values if column.decimals is None else np.round(values, column.decimals))
    if column.kind == "datetime":
        return pl.Series(column.name, (values * 86_400_000_000).astype(np.int64)).cast(pl.Datetime("us"))
    whole = pl.Series(column.name, np.round(values).astype(np.int64))
    return whole.cast(pl.Int32).cast(pl.Date) if column.kind == "date" else whole


def _levels(column: Column, score: np.ndarray, rng: Rng) -> pl.Series:
    levels = list(column.levels) or [f"level {i}" for i in range(1, UNKNOWN_LEVELS + 1)]
    share = np.full(len(levels), 1 / len(levels)) if column.role in ("arm", "event") else np.sort(rng.dirichlet(np.full(len(levels), 1.0)))[::-1]
    order = np.arange(len(levels)) if column.ordered else rng.permutation(len(levels))
    place = np.minimum(np.searchsorted(np.cumsum(share), score), len(levels) - 1)
    return pl.Series(column.name, levels).gather(order[place])
