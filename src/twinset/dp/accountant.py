"""Events to (epsilon, delta), and to what an attacker can gain."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from twinset.dp.events import Event
from twinset.errors import BadInput

STEP = 1e-4  # of the grid that privacy losses are rounded (up) to
ROUNDING = 2.0  # scale of discrete noise that makes whole numbers of continuous ones: 16 exp(-2 (pi ROUNDING)^2) is 8e-34
NEGLIGIBLE = 1e-15  # of delta, for that: enough for a billion cells at epsilon = 20


def total_rho(events: Iterable[Event]) -> float:
    """The zCDP cost of all events together: costs add (Bun and Steinke, TCC 2016, lemma 2.3)."""
    return math.fsum(e.rho for e in events)


def total_delta(events: Iterable[Event]) -> float:
    """The probability with which some event's rho does not hold: these add too (Bun and Steinke, lemma 8.2)."""
    return math.fsum(e.delta for e in events)


@lru_cache(maxsize=256)
def epsilon(rho: float, delta: float) -> float:
    """The smallest epsilon at ``delta`` that rho-zCDP promises.

    Minimises over Rényi orders a > 1: a rho + log(1 - 1/a) - log(a delta) / (a - 1), the tight form of
    Canonne, Kamath and Steinke (NeurIPS 2020, proposition 12 and corollary 13). Every order gives a true
    promise, so an imperfect minimum errs upwards.

    >>> round(epsilon(0.5, 1e-6), 2)
    5.22
    """
    if rho == 0:
        return 0.0
    if not math.isfinite(rho):
        return math.inf

    def at(log_excess: float) -> float:
        order = 1.0 + math.exp(log_excess)
        return order * rho + math.log1p(-1.0 / order) - (math.log(delta) + math.log(order)) / (order - 1.0)

    return max(0.0, _least(at, -12.0, 20.0))


def _least(of: Callable[[float], float], low: float, high: float) -> float:
    """The least value of a function with one valley, by golden section to 1e-9 (SciPy's would load 34 MB for it)."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    f_left, f_right = of(left), of(right)
    while high - low > 1e-9:
        if f_left <= f_right:
            high, right, f_right = right, left, f_left
            left = high - ratio * (high - low)
            f_left = of(left)
        else:
            low, left, f_left = left, right, f_right
            right = low + ratio * (high - low)
            f_right = of(right)
    return min(f_left, f_right)


@lru_cache(maxsize=256)
def rho_of(epsilon_: float, delta: float) -> float:
    """The largest rho whose :func:`epsilon` at ``delta`` does not exceed ``epsilon_``: rounded down.

    >>> [round(rho_of(e, 1e-9), 5) for e in (1.0, 5.0, 10.0)]
    [0.01497, 0.31169, 1.09079]

    Raises BadInput where ``epsilon_`` is not positive or ``delta`` not between 0 and 1.
    """
    if not (0 < epsilon_ < math.inf and 0 < delta < 1):
        raise BadInput("a budget needs epsilon > 0 and 0 < delta < 1", hint="for example epsilon = 1, delta = 1e-9")
    low, high = 0.0, epsilon_ + 1.0  # epsilon(rho) > rho for every delta < 1/2; doubled below where it is not
    while epsilon(high, delta) <= epsilon_:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if epsilon(middle, delta) <= epsilon_ else (low, middle)
    return low


def advantage(rho: float, delta: float = 0.0) -> float:
    """The most by which an attacker's true-positive rate can exceed his false-positive rate when he guesses who was in the data.

    Holds against any attacker who knows everything but one patient's presence. The smallest of: the bound
    (e^eps - 1 + 2 d) / (e^eps + 1) of every (eps, d) that rho promises (Kairouz, Oh and Viswanath, ICML 2015, theorem 2.1),
    sqrt(rho / 2) (Pinsker) and sqrt(1 - e^-rho) (Bretagnolle and Huber), the latter two because rho-zCDP bounds the
    Kullback-Leibler divergence by rho. ``delta``, that of the events, is added.

    >>> round(advantage(0.01497), 3)
    0.087
    """
    if rho == 0:
        return min(1.0, delta)
    if not math.isfinite(rho):
        return 1.0
    best = min(math.sqrt(rho / 2), math.sqrt(-math.expm1(-rho)))
    for k in range(1, 57):
        d = 10 ** (-k / 4)
        best = min(best, (math.tanh(epsilon(rho, d) / 2) + 2 * d / (1 + math.exp(min(700.0, epsilon(rho, d))))))
    return min(1.0, best + delta)


def guess(gain: float) -> float:
    """The most often an attacker can be right about one patient who is in the data with probability one half: (1 + advantage) / 2.

    >>> guess(0.0)
    0.5
    """
    return (1 + gain) / 2


def pld_epsilon(events: Sequence[Event], delta: float) -> float:
    """Epsilon of the same events by privacy loss distributions (Google's dp-accounting): a second opinion, and a tighter one.

    Only for runs whose noise was fixed beforehand: privacy loss distributions add up for adaptive questions, not for adaptively
    chosen noise, which is why the ledger counts rho. Infinite where rows were revealed, or where nothing is known of a mechanism.
    Each event is replaced by a pair of distributions that dominates it (Zhu, Dong and Wang, "Optimal accounting of differential privacy via
    characteristic function", AISTATS 2022, theorem 10: such pairs compose adaptively); every one errs upwards.
    Raises BadInput where dp-accounting is not installed.
    """
    try:
        from dp_accounting.pld.privacy_loss_distribution import identity
    except ImportError as error:
        raise BadInput("this needs the package dp-accounting, which is not installed", hint="pip install dp-accounting") from error
    left = delta - total_delta(events) - NEGLIGIBLE
    if left <= 0:
        return math.inf
    whole = identity(value_discretization_interval=STEP)
    for (mechanism, noise, sensitivity), times in Counter((e.mechanism, e.noise, e.sensitivity) for e in events).items():
        if mechanism in ("discrete-gaussian", "threshold"):
            one = _gaussian_loss(noise, sensitivity)
        else:
            one = _selection_loss(2 * sensitivity / noise) if mechanism == "noisy-max" else None
        if one is None:
            return math.inf
        whole = whole.compose(one.self_compose(times))
    return float(whole.get_epsilon_for_delta(left))


def _gaussian_loss(sigma: float, sensitivity: float) -> Any:
    """The loss of discrete Gaussian noise on whole counts that one patient moves by at most ``sensitivity`` (L2); ``None`` where sigma is too small to tell.

    Sensitivity 1 means one cell by one, sqrt 2 at most two cells by one each: their own distributions. Any other: noise of scale sigma
    is, but for a probability below 1e-33 a cell (part of ``NEGLIGIBLE``), continuous noise of variance sigma^2 - ROUNDING^2 rounded to whole numbers by
    discrete noise of scale ROUNDING (Peikert, "An efficient and parallel Gaussian sampler", CRYPTO 2010, theorem 3.1), so the continuous one dominates.
    """
    from dp_accounting.pld.privacy_loss_distribution import from_discrete_gaussian_mechanism, from_gaussian_mechanism

    for cells in (1, 2):
        if math.isclose(sensitivity, math.sqrt(cells), rel_tol=1e-9):
            return from_discrete_gaussian_mechanism(sigma, 1, value_discretization_interval=STEP, use_connect_dots=True).self_compose(cells)
    if sigma <= ROUNDING:
        return None
    return from_gaussian_mechanism(math.sqrt(sigma**2 - ROUNDING**2) / sensitivity, value_discretization_interval=STEP)


def _selection_loss(epsilon_: float) -> Any:
    """The loss of one selection by noisy maximum, from the most that any mechanism of that bounded range has.

    Its privacy loss lies in an interval of length ``epsilon_`` that need not begin at -epsilon_/2. With the interval [t - epsilon_, t], two
    outcomes are worst, and at a level x their divergence is (1 - e^(t - epsilon_)) (1 - e^(x - t)) / (1 - e^-epsilon_), greatest at
    t = (epsilon_ + x) / 2 (Dong, Durfee and Rogers, "Optimal differential privacy composition for exponential mechanisms", ICML 2020). The greatest over t is
    convex in e^x, hence the divergence of some pair of distributions (Zhu, Dong and Wang, proposition 8), and the same both ways.
    """
    import numpy as np
    from dp_accounting.pld.pld_pmf import create_pmf_pessimistic_connect_dots
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

    steps = np.arange(-math.ceil(epsilon_ / STEP) - 1, math.ceil(epsilon_ / STEP) + 2)
    level = np.clip(steps * STEP, -epsilon_, epsilon_)
    most = (1 - np.exp((level - epsilon_) / 2)) ** 2 / -math.expm1(-epsilon_)
    most = np.where(steps * STEP <= -epsilon_, -np.expm1(steps * STEP), most)
    return PrivacyLossDistribution(create_pmf_pessimistic_connect_dots(STEP, steps, most))
