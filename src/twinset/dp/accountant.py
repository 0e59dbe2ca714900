"""Events to (epsilon, delta)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from twinset.dp.events import Event


def total_rho(events: Iterable[Event]) -> float:
    """The zCDP cost of all events together: costs add (Bun and Steinke, TCC 2016, lemma 2.3)."""
    return math.fsum(e.rho for e in events)


def epsilon(rho: float, delta: float) -> float:
    """The smallest epsilon at ``delta`` that rho-zCDP promises.

    Minimises over Rényi orders a > 1: a rho + log(1 - 1/a) - log(a delta) / (a - 1), the tight form of
    Canonne, Kamath and Steinke (NeurIPS 2020, proposition 12 and corollary 13).

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

    from scipy.optimize import minimize_scalar

    best = minimize_scalar(at, bounds=(-12.0, 20.0), method="bounded", options={"xatol": 1e-9})
    return max(0.0, float(best.fun))
