"""Rare numbers are redrawn from a window around them, so that no patient's own value is handed out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.coding.columns import MS_PER_DAY, Numbers
from twinset.core.contracts import FloatArray
from twinset.core.seeds import Rng

RARE = 10
REACH = 10
ENDS = 3
GRAINS = (86_400_000, 3_600_000, 60_000, 1_000)


@dataclass(frozen=True, repr=False)
class Window:
    """Where the rare values of a column lie (sorted, one entry a patient), and how a made-up value is written."""

    rare: FloatArray
    common: FloatArray
    low: float
    high: float
    decimals: int | None
    digits: int
    grain: float

    def blur(self, values: FloatArray, rng: Rng) -> FloatArray:
        """Values held by fewer than 10 patients, drawn anew; the others as they are.

        Triangular between the 10th rare value on either side, peaked at the value. Ends: no draw lies beyond the mean of the three
        lowest or three highest rare values, so an extreme is never released. A column with fewer than three rare values
        gives the nearest common value instead.
        """
        hit = np.isin(values, self.rare)
        if not hit.any():
            return values
        out, v = values.copy(), values[hit]
        if len(self.rare) < ENDS:
            out[hit] = self._nearest(v)
            return out
        bottom, top = self.rare[:ENDS].mean(), self.rare[-ENDS:].mean()
        last = len(self.rare) - 1
        low = np.maximum(self.rare[np.maximum(np.searchsorted(self.rare, v) - REACH, 0)], bottom)
        high = np.minimum(self.rare[np.minimum(np.searchsorted(self.rare, v, side="right") - 1 + REACH, last)], top)
        out[hit] = self._write(_triangular(low, np.clip(v, low, np.maximum(low, high)), np.maximum(low, high), rng))
        return out

    def _write(self, values: FloatArray) -> FloatArray:
        if self.grain:
            values = np.round(values / self.grain) * self.grain
        elif self.decimals is not None:
            values = np.round(values, self.decimals)
        elif self.digits:
            values = significant(values, self.digits)
        return np.asarray(np.clip(values, self.low, self.high))

    def _nearest(self, values: FloatArray) -> FloatArray:
        if not len(self.common):
            return values
        at = np.searchsorted(self.common, values)
        below, above = self.common[np.maximum(at - 1, 0)], self.common[np.minimum(at, len(self.common) - 1)]
        return np.where(np.abs(values - below) <= np.abs(above - values), below, above)


def window_of(numbers: Numbers) -> Window:
    """The window of a column."""
    values, counts = np.unique(numbers.values[numbers.gaps == 0], return_counts=True)
    few = (counts < RARE) & np.isfinite(values)
    column, grain, digits = numbers.column, 0.0, 0
    if column.kind == "datetime":
        grain = _grain(values)
    elif numbers.decimals is None:
        digits = _digits(values)
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    return Window(np.repeat(values[few], counts[few]), values[~few], low, high, numbers.decimals, digits, grain)


def significant(values: FloatArray, digits: int) -> FloatArray:
    """Rounded to this many significant digits.

    >>> significant(np.array([0.0123456, 123456.0]), 3).tolist()
    [0.0123, 123000.0]
    """
    size = np.zeros(len(values))
    inner = np.isfinite(values) & (values != 0)
    size[inner] = np.floor(np.log10(np.abs(values[inner])))
    places = digits - 1 - size
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.where(places >= 0, np.round(values * 10.0**places) / 10.0**places, np.round(values / 10.0**-places) * 10.0**-places)
    return np.where(np.isfinite(rounded), rounded, values)


def _digits(values: FloatArray, sample: int = 2000) -> int:
    """Significant digits in use (0: all of them)."""
    some = values[:: max(1, len(values) // sample)]
    some = some[np.isfinite(some)]
    for digits in range(1, 16):
        if np.allclose(significant(some, digits), some, rtol=1e-13, atol=0):
            return digits
    return 0


def _grain(values: FloatArray) -> float:
    """The coarsest of day, hour, minute and second that all times are whole numbers of (0: none)."""
    ms = np.round(values[np.isfinite(values)] * MS_PER_DAY)
    for grain in GRAINS:
        if np.all(ms % grain == 0):
            return grain / MS_PER_DAY
    return 0.0


def _triangular(low: FloatArray, mode: FloatArray, high: FloatArray, rng: Rng) -> FloatArray:
    """One draw each (inverse distribution function)."""
    u, width = rng.random(len(low)), high - low
    safe = np.where(width > 0, width, 1.0)
    share = (mode - low) / safe
    left = low + np.sqrt(u * safe * (mode - low))
    right = high - np.sqrt((1 - u) * safe * (high - mode))
    return np.where(width > 0, np.where(u < share, left, right), mode)
