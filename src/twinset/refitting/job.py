"""One refit: patients drawn with replacement, the generator fitted to them, copies drawn and analysed as those of the release."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.audit.run import CRASHES
from twinset.core.cohort import Cohort
from twinset.core.contracts import Endpoint, Generator, Rule
from twinset.core.seeds import Rng, stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.rules.copies import draw

Figures = tuple[tuple[float, float], ...]  # of each contrast: the first copy's estimate and the mean over all copies; NaN where there is none
FAILURES = tuple(kind for kind in CRASHES if kind is not MemoryError)  # what patients that nobody foresaw can raise; want of memory is not theirs


@dataclass(frozen=True, repr=False)
class Job:
    """Everything that decides the figures of all refits, and all that a process of its own needs.

    Attributes:
        generator: as the study sets it.
        train: with the patient column, where there is one.
        rules: kept in every copy, as in the release.
        endpoints: the declared analyses.
        n, copies: rows of each copy and how many there are, as in the release.
        seed: the study's.
    """

    generator: Generator
    train: Cohort
    rules: tuple[Rule, ...]
    endpoints: tuple[Endpoint, ...]
    n: int
    copies: int
    seed: int

    @property
    def work(self) -> int:
        """Cells that one refit fits and draws: a measure of its time on any machine."""
        return (len(self.train) + self.copies * self.n) * len(self.train.schema.synthesised)


@dataclass(frozen=True)
class Contrast:
    """What train can estimate: the endpoint's place in the job, the contrast, train's own estimate."""

    endpoint: int
    name: str
    own: float


def contrasts(job: Job) -> tuple[Contrast, ...]:
    """Of every endpoint what train gives a finite estimate of, in order."""
    found = ((place, e) for place, endpoint in enumerate(job.endpoints) for e in endpoint.estimate(job.train))
    return tuple(Contrast(place, e.contrast, e.value) for place, e in found if math.isfinite(e.value))


def once(job: Job, wanted: Sequence[Contrast], number: int) -> Figures:
    """The figures of refit ``number``: they depend on the job and on this number alone. NaN in all where the generator, a rule or an analysis fails on it."""
    seed = int(stream(job.seed, "refit", number).integers(2**62))
    try:
        model = job.generator.fit(Vault(resampled(job.train, stream(seed, "patients")), Ledger()), stream(seed, "fit"))
        drawn = (draw(model, job.n, job.rules, seed=seed, number=i).cohort for i in range(1, job.copies + 1))
        values = np.array([_estimates(job, wanted, cohort) for cohort in drawn])
    except FAILURES:
        return ((math.nan, math.nan),) * len(wanted)
    return tuple(zip(values[0].tolist(), values.mean(axis=0).tolist(), strict=True))


def resampled(train: Cohort, rng: Rng) -> Cohort:
    """As many patients as there are, drawn with replacement, each with all rows; one who is drawn twice is two patients, with numbers of their own and one origin."""
    unit = train.schema.unit
    if not unit:
        rows = rng.integers(0, len(train), len(train))
        return Cohort(train.frame[rows], train.schema, origin=rows)
    _, of = np.unique(train.units(), return_inverse=True)
    sizes, order = np.bincount(of), np.argsort(of, kind="stable")
    drawn = rng.integers(0, len(sizes), len(sizes))
    lengths = sizes[drawn]
    patient = np.repeat(np.arange(len(drawn)), lengths)
    within = np.arange(len(patient)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    first = np.cumsum(sizes) - sizes
    again = train.take(order[first[drawn][patient] + within])
    number = pl.Series(unit, patient)
    return Cohort(again.frame.with_columns(number.cast(pl.String) if train[unit].dtype == pl.String else number), train.schema, origin=drawn[patient])


def _estimates(job: Job, wanted: Sequence[Contrast], cohort: Cohort) -> list[float]:
    values = [{e.contrast: e.value for e in endpoint.estimate(cohort)} for endpoint in job.endpoints]
    found = (values[c.endpoint].get(c.name, math.nan) for c in wanted)
    return [v if math.isfinite(v) else math.nan for v in found]
