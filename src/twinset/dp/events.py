"""What was asked of the private rows: frozen, in order, nothing left out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from twinset.errors import BadInput

Mechanism = Literal["discrete-gaussian", "noisy-max", "dp-sgd", "reveal"]


@dataclass(frozen=True)
class Event:
    """One billed look.

    ``rho`` is the zCDP cost (infinite for ``reveal``); ``noise`` the scale of the noise in counts;
    ``sensitivity`` the L2 change one patient can make.
    """

    name: str
    mechanism: Mechanism
    noise: float
    sensitivity: float
    rho: float
    why: str = ""


def gaussian(name: str, *, sigma: float, sensitivity: float) -> Event:
    """The bill of Gaussian noise of standard deviation ``sigma``: rho = (sensitivity / sigma)^2 / 2.

    Reference: Canonne, Kamath and Steinke, NeurIPS 2020, theorem 4 (discrete Gaussian, the same rho).

    >>> round(gaussian("age", sigma=10.0, sensitivity=1.0).rho, 6)
    0.005

    Raises BadInput where ``sigma`` is not a positive finite number: a bill of NaN would pass every budget.
    """
    if not 0 < sigma < math.inf:
        raise BadInput("the noise scale must be positive", hint="give a finite sigma > 0")
    return Event(name, "discrete-gaussian", sigma, sensitivity, (sensitivity / sigma) ** 2 / 2)


def reveal(why: str) -> Event:
    """The rows themselves: an infinite bill."""
    return Event("all rows", "reveal", 0.0, math.inf, math.inf, why)
