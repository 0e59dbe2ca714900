"""Does a generator work within a budget? Its first question tells, and no row is needed for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import BoolArray, FloatArray, Generator, Measurement, Rule
from twinset.core.domain import Domain
from twinset.core.schema import Schema
from twinset.core.seeds import stream


class _Asked(BaseException):
    """What the generator asked first. Not an error of anybody's, so that nobody's ``except`` keeps it."""

    def __init__(self, *, private: bool) -> None:
        super().__init__()
        self.private = private


@dataclass(frozen=True)
class FirstQuestion:
    """A source with a budget and no rows: it answers nothing and remembers what was asked."""

    schema: Schema
    dtypes: Mapping[str, pl.DataType]
    rules: Sequence[Rule] = ()
    private: bool = True
    remaining: float = 1.0
    sensitivity: float = 1.0
    n_public: int | None = None

    def discretise(self, *, rho: float) -> Domain:
        raise _Asked(private=True)

    def recode(self, domain: Domain) -> None:
        raise _Asked(private=True)

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        raise _Asked(private=True)

    def choose(
        self,
        workload: Sequence[tuple[str, ...]],
        estimates: FloatArray,
        *,
        weights: FloatArray,
        penalties: FloatArray,
        allowed: BoolArray,
        epsilon: float,
    ) -> int:
        raise _Asked(private=True)

    def train(self, step: Callable[..., Any], *, clip: float, noise_multiplier: float, rate: float, steps: int) -> Any:
        raise _Asked(private=True)

    def reveal(self, why: str) -> Cohort:
        raise _Asked(private=False)


def promises(generator: Generator, train: Cohort) -> bool:
    """Whether the generator asks for noisy answers where there is a budget; ``False`` where it asks for the rows."""
    source = FirstQuestion(train.schema, {n: train[n].dtype for n in train.schema.synthesised.names})
    try:
        generator.fit(source, stream(0, "first question"))
    except _Asked as asked:
        return asked.private
    return False
