"""The custodian's bootstrap as figures: how an estimate scatters and shifts when the generator is fitted again on resampled patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

FEWEST = 20  # below it the interval's ends are too unsteady to be reported


@dataclass(frozen=True)
class Refits:
    """One contrast of a declared analysis over ``runs`` refits, each on as many patients drawn with replacement from train.

    ``sd``: standard deviation of the refits' estimates, on the endpoint's own scale (log for ratios); ``bias``: their mean less train's own estimate;
    ``copies``: the estimate is the mean over so many copies of one fitted model. ``runs`` counts those that gave a finite estimate.
    """

    endpoint: str
    contrast: str
    sd: float
    bias: float
    runs: int
    copies: int = 1

    @property
    def error(self) -> float:
        """Root mean squared error about the population's value: sqrt(sd² + max(bias² - sd²/runs, 0)); the bias is a mean of so many runs, whose own noise is taken off.

        >>> Refits("os", "arm", 0.3, 0.4, 10_000).error
        0.49999...
        """
        return math.sqrt(self.sd**2 + max(self.bias**2 - self.sd**2 / self.runs, 0.0))

    @property
    def shifted(self) -> bool:
        """Whether the bias is more than chance: beyond two standard errors of a mean of so many runs."""
        return self.bias**2 > 4 * self.sd**2 / self.runs

    def interval(self, value: float, level: float = 0.95) -> tuple[float, float]:
        """For the population, about the released ``value``: t of ``runs`` - 1 degrees of freedom times ``error``. The centre is not moved by the bias, which is itself uncertain."""
        half = self.quantile(level) * self.error
        return value - half, value + half

    def quantile(self, level: float = 0.95) -> float:
        """How many ``error`` the interval reaches to either side."""
        from scipy.special import stdtrit

        return float(stdtrit(self.runs - 1, 0.5 + level / 2))
