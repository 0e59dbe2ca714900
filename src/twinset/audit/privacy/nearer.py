"""Do synthetic patients keep closer to the train patients than to people nobody used?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import normal_tail
from twinset.audit.privacy.neighbours import Points, nearest, points
from twinset.audit.privacy.patients import Patients, patients
from twinset.core.contracts import IntArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

NAME = "privacy.nearer"
LABEL = "Nearer to train than to hold-out"
SILENT = "Single patients: copying only the most isolated 1 % word for word hardly moves it. It raises suspicion; it never clears."
TIE = 1e-6


@dataclass(frozen=True)
class Nearer:
    """``privacy.nearer``: share of synthetic rows nearer to train than to equally many hold-out patients; ties count half; chance 0.5.

    Equal sizes are the point: the nearest of many is nearer than the nearest of few. The larger side is thinned, by patient,
    in up to ``draws`` disjoint draws whose shares are averaged. Synthetic rows that share their nearest patient are not independent evidence.
    If train and hold-out were named by lot, the share would have variance (sum(w^2) - 1/N) / 4, w the share of rows that fall to each of the N patients
    of one draw; the interval is Wilson's at the effective number 1 / (sum(w^2) - 1/N), at most the number of rows.
    ``rows``: most synthetic rows asked; ``most``: most patients of a side. Do not use it alone: see ``silent_on``.
    """

    rows: int = 10_000
    most: int = 20_000
    draws: int = 3

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        if trial.holdout is None:
            return [not_measured(NAME, "there is no hold-out to compare distances with", label=LABEL)]
        train, held = patients(trial.train), patients(trial.holdout)
        size = min(train.n, held.n, self.most)
        if size < 2 or not len(trial.synthetic):
            return [not_measured(NAME, "one of train, hold-out and release is (nearly) empty", label=LABEL)]
        asked = np.sort(rng.permutation(len(trial.synthetic))[: self.rows])
        release, ours, theirs = points((trial.synthetic.take(asked), train.rows, held.rows))
        one, two = rng.permutation(train.n), rng.permutation(held.n)
        n_draws = max(1, min(self.draws, max(train.n, held.n) // size))
        pairs = [(_some(train, ours, one, i, size), _some(held, theirs, two, i, size)) for i in range(n_draws)]
        shares, effective = zip(*(_duel(release, a, b) for a, b in pairs), strict=True)
        value, n = float(np.mean(shares)), float(np.mean(effective))
        low, high = interval.wilson(value * n, n)
        says = f"{value:.1%} of {len(asked):,} synthetic rows are nearer to one of {size:,} train patients than to one of {size:,} hold-out patients; fair is 50 %."
        z = (value - 0.5) * 2 * math.sqrt(n)
        beside = {"chance": 0.5, "effective_n": n, "p": normal_tail(z), "p_below": normal_tail(-z)}
        return [Finding(NAME, value, low, high, len(asked), "lower", beside, "", says, SILENT, label=LABEL)]


def _some(side: Patients, place: Points, order: IntArray, i: int, size: int) -> tuple[Points, IntArray]:
    """The rows of the i-th draw of ``size`` patients (the first again where there are too few), and whose they are."""
    start = i * size if (i + 1) * size <= side.n else 0
    rows = np.flatnonzero(np.isin(side.of, order[start : start + size]))
    return place.take(rows), side.of[rows]


def _duel(release: Points, ours: tuple[Points, IntArray], theirs: tuple[Points, IntArray]) -> tuple[float, float]:
    """The share nearer to train, and the effective number of rows behind it."""
    to_train, at_train = nearest(release, ours[0])
    to_held, at_held = nearest(release, theirs[0])
    near = to_held[:, 0] - to_train[:, 0]
    wins = np.where(near > TIE, 1.0, np.where(near < -TIE, 0.0, 0.5))
    falls_to = np.where(wins > 0, ours[1][at_train[:, 0]], -1 - theirs[1][at_held[:, 0]])
    weights = np.unique(falls_to, return_counts=True)[1] / len(wins)
    n_patients = len(np.unique(ours[1])) + len(np.unique(theirs[1]))
    lot = float(np.sum(weights**2)) - 1.0 / n_patients
    return float(wins.mean()), 1.0 / max(lot, 1.0 / len(wins))
