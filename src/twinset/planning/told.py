"""What a plan says, as nouns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Z95, Z80 = 1.959964, 0.841621  # two-sided 95 %, and 80 % power


@dataclass(frozen=True)
class Range:
    """A mean over the tries, with the smallest and the largest of them."""

    mean: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Range:
        known = [v for v in values if math.isfinite(v)]
        return Range(float(np.mean(known)), min(known), max(known)) if known else Range(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Endpoint:
    """What a declared endpoint could show on a synthetic cohort.

    ``error``: its standard error with the spread that the privacy noise adds, NaN where no try gave an estimate;
    ``ratio``: on the scale of logarithms. ``tries``: how many gave one.
    """

    name: str
    contrast: str
    error: float
    ratio: bool
    tries: int = 1

    @property
    def width(self) -> float:
        """Of the 95 % interval, on the scale of the estimate (logarithms for ratios)."""
        return 2 * Z95 * self.error

    @property
    def detectable(self) -> float:
        """The smallest true effect found in 80 % of trials at 5 %: a ratio for ratios, else a difference."""
        effect = (Z95 + Z80) * self.error
        return math.exp(effect) if self.ratio else effect


@dataclass(frozen=True)
class Forecast:
    """One epsilon, foretold. Errors are total variation distances to the train rows, in [0, 1], 0 best, as a release's audit reads them.

    Attributes:
        columns, pairs: mean over single columns, and over pairs.
        floor: of pairs: what as many fresh patients would read; ``independent``: what independent columns would.
        by_column, by_pair: one by one; a pair is named ``a × b``. Of more than 2,000 pairs, 2,000 drawn by lot.
        advantage, guess: the best that any attacker can do about one patient's presence.
        looks: questions asked of the rows, all in all; ``rounds``: pairs measured, on average over the tries.
        first: the first pairs measured in the first try. On real rows others may be.
        cpu_seconds: of one fit and one copy, the slowest try; ``peak_mb``: of the whole process.
    """

    epsilon: float
    columns: Range
    pairs: Range
    floor: float
    independent: float
    by_column: dict[str, Range]
    by_pair: dict[str, Range]
    endpoints: tuple[Endpoint, ...]
    advantage: float
    guess: float
    looks: float
    rounds: float
    first: tuple[str, ...]
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Plan:
    """Forecasts in the order of their epsilons, and the epsilon they speak for."""

    n: int
    n_train: int
    generator: str
    delta: float
    unit: str
    relation: str
    tried_on: str  # "invented patients" or "a public table"
    paid: tuple[str, ...]  # columns whose domain has to be found within the budget
    rules_kept: bool  # False: invented patients could not be made to keep the public rules, so they were left out
    private_rules: int  # rules that a private release would refuse
    forecasts: tuple[Forecast, ...]
    recommended: float

    def at(self, epsilon: float) -> Forecast:
        """The forecast of one epsilon of the plan."""
        return next(f for f in self.forecasts if f.epsilon == epsilon)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what is not a number becomes ``None``; endpoints carry width and smallest detectable effect."""
        made = asdict(self)
        for told, forecast in zip(made["forecasts"], self.forecasts, strict=True):
            told["endpoints"] = [asdict(e) | {"width": e.width, "detectable": e.detectable} for e in forecast.endpoints]
        plain: dict[str, Any] = _plain(made)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
