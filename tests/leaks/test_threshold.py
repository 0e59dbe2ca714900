"""The threshold that shows a level, in closed form: what one patient alone holds passes with probability delta at most, at every delta that anybody claims.

Counting how often a level passes sees a fault at delta = 0.02; at delta = 1e-12 only arithmetic does.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from twinset.dp import discover

Threshold = Callable[..., float]
DELTAS = tuple(10.0**-e for e in range(2, 15))
ROWS = (1, 2, 3, 5, 10, 25, 50)
SIGMAS = (0.5, 1.0, 3.0, 17.0, 56.0, 400.0)


@functools.cache
def tails(sigma: float) -> np.ndarray:
    """P(X >= j) of the discrete Gaussian, j from 0 to 12 sigma and some: its own tails, no bound on them (Canonne, Kamath and Steinke 2020, definition 1)."""
    mass = np.exp(-(np.arange(math.ceil(12 * sigma) + 60) ** 2.0) / (2 * sigma**2))
    return np.cumsum(mass[::-1])[::-1] / (2 * mass.sum() - 1)


def passes(held: Iterable[int], *, threshold: float, sigma: float) -> float:
    """The probability, at most, that one of levels which a patient alone holds, so many rows each, shows more than ``threshold``."""
    tail, total = tails(sigma), 0.0
    for rows in held:
        least = math.floor(threshold - rows) + 1  # of the noise, a whole number
        total += 1.0 if least <= 0 else tail[least] if least < len(tail) else 0.0
    return total


def worst(*, threshold: float, sigma: float, per_patient: int) -> float:
    """Over all ways to spread a patient's rows over levels: beyond the middle a tail is convex, so one level holds what the others leave over."""
    spreads = ([per_patient - m + 1] + [1] * (m - 1) for m in range(1, per_patient + 1))
    return max(passes(held, threshold=threshold, sigma=sigma) for held in spreads)


def least(*, sigma: float, delta: float, per_patient: int) -> int:
    """The lowest whole threshold that keeps delta: a noisy count beyond it is one more at least."""
    low, high = 0, per_patient + math.ceil(12 * sigma) + 50
    while low < high:
        middle = (low + high) // 2
        kept = worst(threshold=middle, sigma=sigma, per_patient=per_patient) <= delta
        low, high = (low, middle) if kept else (middle + 1, high)
    return low


def least_threshold_ok(threshold: Threshold, *, looser: float = 1.45) -> None:
    """The threshold keeps delta, and asks for no more than ``looser`` times the least that would (and two patients, for rounding)."""
    for delta, per_patient, sigma in itertools.product(DELTAS, ROWS, SIGMAS):
        at = threshold(per_patient=per_patient, sigma=sigma, delta=delta)
        terms = f"at delta = {delta:g}, {per_patient} rows a patient, sigma = {sigma:g}"
        passed = worst(threshold=at, sigma=sigma, per_patient=per_patient)
        assert passed <= delta, f"a level of one patient is shown {passed / delta:.3g} times as often as it may {terms}"
        enough = least(sigma=sigma, delta=delta, per_patient=per_patient)
        assert at <= looser * enough + 2, f"the threshold hides levels that it need not: {at:.1f} where {enough} would do {terms}"


def in_use(*, per_patient: int, sigma: float, delta: float) -> float:
    """The threshold of one column's levels, in patients, as the vault uses it."""
    return discover.threshold([1], per_patient=per_patient, sigma=sigma, delta=delta)


def test_the_threshold_keeps_delta_and_is_no_higher_than_it_must() -> None:
    least_threshold_ok(in_use)


def test_one_level_with_what_the_others_leave_over_is_the_worst_spread() -> None:
    """By all ways to write seven as a sum."""

    def spreads(rows: int, most: int) -> Iterable[tuple[int, ...]]:
        if not rows:
            yield ()
        for first in range(min(rows, most), 0, -1):
            for rest in spreads(rows - first, first):
                yield (first, *rest)

    for sigma, threshold in itertools.product((0.5, 1.0, 3.0, 17.0), (7.0, 7.5, 9.0, 12.3, 30.0, 60.0)):
        found = max(passes(held, threshold=threshold, sigma=sigma) for held in spreads(7, 7))
        assert found <= worst(threshold=threshold, sigma=sigma, per_patient=7) * (1 + 1e-12)


def half_exponent(*, per_patient: int, sigma: float, delta: float) -> float:
    """The square root of the logarithm, without its two: legal at delta = 0.02, 20,000 times too often at 7e-12."""
    return per_patient + sigma * math.sqrt(math.log(2 * per_patient / delta))


def one_level(*, per_patient: int, sigma: float, delta: float) -> float:
    """As if a patient held one level only."""
    return in_use(per_patient=1, sigma=sigma, delta=delta)


def shared_out(*, per_patient: int, sigma: float, delta: float) -> float:
    """As if a patient's rows never fell on one level."""
    return in_use(per_patient=per_patient, sigma=sigma, delta=delta) - per_patient + 1


def delta_times_rows(*, per_patient: int, sigma: float, delta: float) -> float:
    """As if the threshold had a delta for each of a patient's levels."""
    return in_use(per_patient=per_patient, sigma=sigma, delta=min(0.5, 3 * delta * per_patient))


@pytest.mark.parametrize("twin", [half_exponent, one_level, shared_out, delta_times_rows])
def test_a_threshold_that_is_too_low_is_seen(twin: Threshold) -> None:
    with pytest.raises(AssertionError, match="times as often as it may"):
        least_threshold_ok(twin)


def test_half_of_the_exponent_is_legal_where_counting_can_see() -> None:
    """Why the tests that count do not catch it."""
    assert worst(threshold=half_exponent(per_patient=1, sigma=17.0, delta=0.02), sigma=17.0, per_patient=1) <= 0.02
    assert worst(threshold=half_exponent(per_patient=1, sigma=17.0, delta=7e-12), sigma=17.0, per_patient=1) > 10_000 * 7e-12


def test_a_threshold_that_is_too_high_is_seen() -> None:
    with pytest.raises(AssertionError, match="hides levels that it need not"):
        least_threshold_ok(lambda *, per_patient, sigma, delta: 2 * in_use(per_patient=per_patient, sigma=sigma, delta=delta))
