"""Leaks on purpose, by a chosen amount: for tests, and to show what a leak looks like in a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Source
from twinset.core.seeds import Rng
from twinset.errors import BadInput
from twinset.generators.independent import Independent, IndependentModel


@dataclass(frozen=True)
class Copycat:
    """``share`` of the rows are patients copied word for word; the rest are independent columns.

    Never use it to release anything.
    """

    share: float = 1.0

    def fit(self, source: Source, rng: Rng) -> CopycatModel:
        if not 0 <= self.share <= 1:
            raise BadInput("`share` must lie between 0 and 1", where="generator", hint="0.02 copies 2 % of the rows")
        rest = Independent().fit(source, rng)
        return CopycatModel(source.reveal("copycat: whole rows, on purpose").synthesised, rest, self.share)


@dataclass(frozen=True, repr=False)
class CopycatModel:
    train: Cohort
    rest: IndependentModel
    share: float

    def sample(self, n: int, rng: Rng) -> Cohort:
        n_copied = round(self.share * n)
        rows = np.concatenate([rng.permutation(len(self.train)) for _ in range(n_copied // len(self.train) + 1)])[:n_copied]
        copied = self.train.take(rows).frame
        frame = pl.concat([copied, self.rest.sample(n - n_copied, rng).frame]) if n_copied < n else copied
        return Cohort(frame[rng.permutation(n)], self.train.schema)
