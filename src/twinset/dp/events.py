"""What was asked of the private rows: frozen, in order, nothing left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from twinset.errors import BadInput

Mechanism = Literal["discrete-gaussian", "noisy-max", "threshold", "dp-sgd", "reveal"]


@dataclass(frozen=True)
class Event:
    """One billed look.

    ``rho`` is the zCDP cost (infinite for ``reveal``); ``noise`` the scale of the noise in counts (of a ``noisy-max``:
    in steps of its grid; of a ``threshold``: in weights, of which a row has ``discover.SCALE``); ``sensitivity`` the L2 change one patient can make, in the same unit (of a ``noisy-max``: the most
    that one score moves). ``delta``: the probability with which rho does not hold, for a public threshold on private counts.
    """

    name: str
    mechanism: Mechanism
    noise: float
    sensitivity: float
    rho: float
    why: str = ""
    delta: float = 0.0


def gaussian(name: str, *, sigma: float, sensitivity: float) -> Event:
    """The bill of Gaussian noise of standard deviation ``sigma``: rho = (sensitivity / sigma)^2 / 2.

    Reference: Canonne, Kamath and Steinke, NeurIPS 2020, theorem 4 (discrete Gaussian, the same rho).

    >>> round(gaussian("age", sigma=10.0, sensitivity=1.0).rho, 6)
    0.005

    Raises BadInput where ``sigma`` or ``sensitivity`` is not a positive finite number: a bill of NaN would pass every budget.
    """
    return Event(name, "discrete-gaussian", sigma, sensitivity, _gaussian_rho(sigma, sensitivity))


def noisy_max(name: str, *, epsilon: float) -> Event:
    """The bill of one private selection by report-noisy-max with Gumbel noise: rho = epsilon^2 / 8.

    Noise and sensitivity are in steps of the grid that scores are rounded to: a score moves by at most 1, the noise has scale 2 / epsilon.
    Reference: Cesar and Rogers, "Bounding, concentrating, and truncating" (ALT 2021), for bounded range; the same map as OpenDP's.

    >>> round(noisy_max("which pair", epsilon=0.2).rho, 6)
    0.005

    Raises BadInput where ``epsilon`` is not a positive finite number.
    """
    if not 0 < epsilon < math.inf:
        raise BadInput("the epsilon of a selection must be positive", hint="give a finite epsilon > 0")
    return Event(name, "noisy-max", 2 / epsilon, 1.0, epsilon**2 / 8)


def threshold(name: str, *, sigma: float, sensitivity: float, delta: float) -> Event:
    """The bill of noisy weights of levels nobody declared, of which only those above a public threshold are shown.

    ``sigma`` and ``sensitivity`` in the same unit, whatever it is. The noise costs what :func:`gaussian` costs; ``delta`` bounds the probability that
    any level held by one patient alone is shown, and adds to the delta at which epsilon is told (under replace-one for both patients together).
    Raises BadInput where ``delta`` is not between 0 and 1, or ``sigma`` not positive.
    """
    if not 0 < delta < 1:
        raise BadInput("a threshold needs its probability of failure", hint="give delta between 0 and 1")
    return Event(name, "threshold", sigma, sensitivity, _gaussian_rho(sigma, sensitivity), delta=delta)


def reveal(why: str) -> Event:
    """The rows themselves: an infinite bill."""
    return Event("all rows", "reveal", 0.0, math.inf, math.inf, why)


def price(event: Event) -> float:
    """The rho of an event computed again from its noise and sensitivity: what an auditor does with a certificate."""
    if event.mechanism in ("discrete-gaussian", "threshold"):
        return _gaussian_rho(event.noise, event.sensitivity)
    if event.mechanism == "noisy-max":
        return (2 * event.sensitivity / event.noise) ** 2 / 8
    return math.inf if event.mechanism == "reveal" else event.rho


def _gaussian_rho(sigma: float, sensitivity: float) -> float:
    if not 0 < sigma < math.inf:
        raise BadInput("the noise scale must be positive", hint="give a finite sigma > 0")
    if not 0 < sensitivity < math.inf:
        raise BadInput("the sensitivity must be positive", hint="give the most that one patient can change the counts, in L2")
    return (sensitivity / sigma) ** 2 / 2
