"""What was found, in figures and in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Inference:
    """An estimate from synthetic copies with an interval for the population the patients came from.

    ``value``: mean of the copies' estimates. ``bias``: of the parametric bootstrap, and then the interval is centred at ``value - bias``; or of refits on
    resampled patients, and then it is part of ``error`` and the centre is ``value``. ``error``: the whole standard error, made of
    ``sampling`` (patients are a sample), ``privacy`` (noise, and the model's smoothing) and ``synthesis`` (rows are drawn), which add in squares;
    NaN where they cannot be told apart. ``naive_*``: as if the rows of one copy were patients; never to be reported as the interval.
    ``unmeasured``: pairs of columns that the analysis relates ("stage x response") and that the released model never measured: where it is not empty, the
    value rests on an assumed independence, and the interval is not to be trusted. ``n``: real patients (a noisy count under privacy; ``None`` where the release does not say); ``rows`` and ``copies``: what was analysed; ``runs``: of the bootstrap or refits.
    """

    value: float
    error: float
    low: float
    high: float
    level: float
    bias: float
    sampling: float
    privacy: float
    synthesis: float
    naive_error: float
    naive_low: float
    naive_high: float
    n: int | None
    rows: int
    copies: int
    runs: int
    rule: str
    says: str
    silent_on: str
    unmeasured: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what could not be measured is ``None``."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in self.__dict__.items()}


def naive(found: np.ndarray, level: float) -> tuple[float, float, float]:
    """Error and interval of the first copy as if its rows were patients; NaN where the analysis gives no standard error."""
    from scipy.stats import norm

    half = float(norm.ppf(0.5 + level / 2)) * found[0, 1]
    return float(found[0, 1]), float(found[0, 0] - half), float(found[0, 0] + half)


def beside(own: tuple[float, float, float], interval: tuple[float, float]) -> str:
    """A sentence on the naive interval, where the analysis gave one, beside the one that holds."""
    width = (interval[1] - interval[0]) / (own[2] - own[1]) if own[0] > 0 else math.nan
    if not math.isfinite(width):
        return "The analysis gave no standard error of its own to set beside it."
    return f"The naive interval ({figure(own[1])} to {figure(own[2])}) takes synthetic rows for patients; this one is {width:.2f} times as wide."


def estimated(value: float, ends: tuple[float, float], level: float, ratio: str) -> str:
    """The estimate with its interval; of a ``ratio`` (its name, "" where it is none) the ratio first, then the logarithms.

    >>> estimated(-0.5, (-0.9, -0.1), 0.95, "hazard ratio")
    'hazard ratio 0.607 (95% interval 0.407 to 0.905); as logarithms -0.5 (-0.9 to -0.1)'
    """
    low, high = ends
    if not ratio:
        return f"{figure(value)} ({level:.0%} interval {figure(low)} to {figure(high)})"
    whole = f"{ratio} {figure(_exp(value))} ({level:.0%} interval {figure(_exp(low))} to {figure(_exp(high))})"
    return f"{whole}; as logarithms {figure(value)} ({figure(low)} to {figure(high)})"


def _exp(x: float) -> float:
    return float(np.exp(min(x, 700.0)))


def figure(x: float) -> str:
    """Three significant digits."""
    return f"{x:.3g}"
