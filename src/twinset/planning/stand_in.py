"""Patients that never were: tables made from the declared schema alone, to try a release on.

A Gaussian copula with a few random factors gives the columns something to do with each other; shapes inside the declared bounds are
drawn at random. Nothing of it is true, and no row was read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import betaincinv, ndtr

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Level, Schema
from twinset.core.seeds import Rng

FACTORS = 3  # hidden causes that columns share
SHARED = 0.45  # of a column's variance, on average, that comes from them
SKEWS = (1.5, 3.0, 6.0, 20.0)  # second parameter of the beta distribution a number is drawn from: its mean lies at 57, 40, 25 or 9 % of its range
ZEROS = 0.25  # of the numbers whose bounds begin at 0: those with a third of their patients at 0
FINE = 3  # digits: a number declared with fewer comes in steps that everybody knows
HEAPED = 0.4  # of the numbers with that many digits, or none declared: those written down in round figures all the same
STEPS = (20, 50, 100)  # round figures in the range of such a number
GAPS = 0.3  # of the columns: those with missing values
MISSING = (1.0, 5.0)  # beta distribution of the share that is missing there: one in six on average
UNKNOWN_LEVELS = 3  # of a category that declares none
UNKNOWN_SPAN = 1000.0  # of a number that declares no bounds
COMPLETE = ("arm", "event", "time")  # roles whose columns have no gaps
EVEN = ("arm", "event")  # roles whose levels are equally frequent


@dataclass(frozen=True, repr=False)
class Trait:
    """How one invented column comes about from the hidden causes: ``loadings`` (FACTORS,) on them, ``own`` the weight of what is its own."""

    column: Column
    loadings: np.ndarray
    own: float
    skew: float
    at_low: float  # share of patients at the lower bound
    steps: int  # round figures in the range; 0 = all values
    levels: tuple[Level, ...]
    reached: np.ndarray  # cumulative shares of the levels
    gaps: float


@dataclass(frozen=True, repr=False)
class Population:
    """An invented population with the schema's synthesised columns; every sample of it is another set of patients."""

    traits: tuple[Trait, ...]

    def sample(self, n: int, rng: Rng) -> Cohort:
        """``n`` patients: numbers inside their declared bounds (or invented ones, where none are declared), levels as declared, some values missing."""
        hidden, absent = rng.normal(size=(n, FACTORS)), rng.normal(size=n)
        series = []
        for trait in self.traits:
            score = ndtr(hidden @ trait.loadings + trait.own * rng.normal(size=n))
            gone = (absent + rng.normal(size=n)) / math.sqrt(2)  # gaps go together: a visit missed is missed whole
            values = _numbers(trait, score) if trait.column.numeric else pl.Series(trait.column.name, list(trait.levels)).gather(_levels(trait, score))
            series.append(pl.select(pl.when(pl.Series(ndtr(gone) >= trait.gaps)).then(values).alias(trait.column.name)).to_series())
        return Cohort(pl.DataFrame(series), Schema(tuple(t.column for t in self.traits)))


def invent(schema: Schema, rng: Rng) -> Population:
    """A population with random relations, skews, level frequencies and shares of missing values.

    Its samples serve to foretell errors, never as data: two populations differ in everything but the declared domain.
    """
    return Population(tuple(_trait(c, rng) for c in schema.synthesised))


def _trait(column: Column, rng: Rng) -> Trait:
    loadings = rng.normal(size=FACTORS)
    share = 0.0 if column.role == "arm" else float(rng.beta(2.0, 2.0 * (1 - SHARED) / SHARED))  # arms are drawn by lot
    levels = () if column.numeric else column.levels or tuple(f"level {i}" for i in range(1, UNKNOWN_LEVELS + 1))
    shares = np.full(len(levels), 1 / max(len(levels), 1)) if column.role in EVEN or not levels else np.sort(rng.dirichlet(np.ones(len(levels))))[::-1]
    order = np.arange(len(levels)) if column.ordered else rng.permutation(len(levels))
    return Trait(
        column,
        loadings * math.sqrt(share) / max(float(np.linalg.norm(loadings)), 1e-9),
        math.sqrt(1 - share),
        skew=float(rng.choice(SKEWS)),
        at_low=1 / 3 if rng.random() < ZEROS and column.low == 0 else 0.0,
        steps=int(rng.choice(STEPS)) if rng.random() < HEAPED and column.kind == "number" and (column.decimals is None or column.decimals >= FINE) else 0,
        levels=tuple(levels[i] for i in order),
        reached=np.cumsum(shares),
        gaps=float(rng.beta(*MISSING)) if rng.random() < GAPS and column.role not in COMPLETE else 0.0,
    )


def _numbers(trait: Trait, score: np.ndarray) -> pl.Series:
    column = trait.column
    low = -UNKNOWN_SPAN / 2 if column.low is None else float(column.low)
    high = low + UNKNOWN_SPAN if column.high is None else float(column.high)
    place = np.where(score < trait.at_low, 0.0, betaincinv(2.0, trait.skew, score))
    if trait.steps:
        place = np.round(place * trait.steps) / trait.steps
    values = low + (high - low) * place
    if column.kind == "number":
        return pl.Series(column.name, values if column.decimals is None else np.clip(np.round(values, column.decimals), low, high))
    if column.kind == "datetime":
        return pl.Series(column.name, (values * 86_400_000_000).astype(np.int64)).cast(pl.Datetime("us"))
    whole = pl.Series(column.name, np.clip(np.round(values), math.ceil(low), math.floor(high)).astype(np.int64))
    return whole.cast(pl.Int32).cast(pl.Date) if column.kind == "date" else whole


def _levels(trait: Trait, score: np.ndarray) -> np.ndarray:
    return np.minimum(np.searchsorted(trait.reached, score), len(trait.levels) - 1)
