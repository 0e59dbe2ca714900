"""Each column alone: the floor. Keeps every margin, destroys every relationship."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from twinset.coding.columns import Coded, Codes, decode, encode
from twinset.core.cohort import Cohort
from twinset.core.contracts import Source
from twinset.core.seeds import Rng


@dataclass(frozen=True)
class Independent:
    """Draws every column on its own from its train values, by systematic rounding of their ranks.

    Use it as the "useless" end of every scale, never as a release: it replays values, rare ones too.
    """

    def fit(self, source: Source, rng: Rng) -> IndependentModel:
        train = source.reveal("independent: the values of each column").synthesised
        return IndependentModel(encode(train), dict(train.frame.schema))


@dataclass(frozen=True, repr=False)
class IndependentModel:
    coded: tuple[Coded, ...]
    dtypes: Mapping[str, pl.DataType]

    def sample(self, n: int, rng: Rng) -> Cohort:
        return decode([_shuffled(c, n, rng) for c in self.coded], self.dtypes)


def _shuffled(coded: Coded, n: int, rng: Rng) -> Coded:
    """Rows floor((i + u) m / n) of the column sorted by value, in random order: the margin, evenly thinned."""
    key = coded.codes if isinstance(coded, Codes) else coded.values
    order = np.argsort(key, kind="stable")
    rows = order[np.floor((np.arange(n) + rng.random()) * len(order) / n).astype(np.int64)]
    rng.shuffle(rows)
    if isinstance(coded, Codes):
        return replace(coded, codes=coded.codes[rows])
    return replace(coded, values=coded.values[rows], gaps=coded.gaps[rows])
