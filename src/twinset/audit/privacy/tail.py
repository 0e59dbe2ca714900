"""Are the patients whom the release exposes most those that it was made from?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import drawn
from twinset.audit.privacy.neighbours import nearest, points, stacked
from twinset.audit.privacy.patients import Patients, patients
from twinset.core.contracts import FloatArray, IntArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

NAME = "privacy.tail"
LABEL = "The most exposed patients"
SILENT = "What the release tells of everybody a little: averages over all patients (the attacks) see that."
FIRST, LAST = 5, 320  # every number of the most exposed between these is looked at
LOTS = 9_999  # drawn to find how rare the rarest of all those is
FLOOR = 1e-3
SURE = 1e-3  # a table in which no outcome could be rarer than this cannot be judged
SHOWN = 0.05


@dataclass(frozen=True)
class Tail:
    """``privacy.tail``: the share of train patients among the k most exposed of all real patients; chance is their share of all patients.

    Every real patient is scored by

        log(distance to the nearest other real patient, of train or hold-out / distance to the release),

    so a patient is exposed where the release comes nearer to him than any person does: copied or nearly copied rows, however few.
    Train and hold-out are treated alike; a release made without looking at train leaves membership to the lot, and the number of train patients
    among the k most exposed is hypergeometric, exactly, for any release and any sizes (ties are broken by lot). Every k from 5 to 320 is looked at; how rare the rarest
    of them is, is found by drawing lots (or bounded by Bonferroni, where that is less): beside, ``p`` and the ``k`` that gave it (the largest, where nothing shows).
    With a hold-out of 30 % about 25 patients have to be exposed before anything can show, with 10 % about 90. A patient with several rows is as exposed as the most exposed of them.
    It is blind to diffuse overfitting (use the classifier attack) and to an attribute replayed alone (use ``privacy.replay``).
    """

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        if trial.holdout is None:
            return [not_measured(NAME, "there is no hold-out to say whom chance exposes", label=LABEL)]
        train, held = patients(trial.train), patients(trial.holdout)
        n = train.n + held.n
        tops = np.arange(FIRST, min(LAST, n // 2) + 1)
        if not len(tops) or not len(trial.synthetic) or drawn(min(int(tops[-1]), train.n), int(tops[-1]), train.n, n).above * 10 > SURE:
            why = f"with {train.n:,} train and {held.n:,} hold-out patients no outcome would be rarer than chance in 1,000: a larger hold-out would tell"
            return [not_measured(NAME, why, label=LABEL)]
        order = np.lexsort((rng.random(n), -exposure(train, held, trial)))
        return [_finding(order < train.n, tops, train.n, rng)]


def exposure(train: Patients, held: Patients, trial: Trial) -> FloatArray:
    """How much nearer the release comes to each patient (train, then hold-out) than any other real patient does; log ratio, float64 (n,)."""
    real, release = points((stacked((train.rows, held.rows)), trial.synthetic))
    of = np.concatenate([train.of, train.n + held.of])
    near_real = nearest(real, real, own=of, of=of)[0][:, 0]
    near_release = nearest(real, release)[0][:, 0]
    most = np.full(train.n + held.n, -np.inf)
    np.maximum.at(most, of, np.log((near_real + FLOOR) / (near_release + FLOOR)))
    return most


def _finding(is_train: np.ndarray, tops: IntArray, n_train: int, rng: Rng) -> Finding:
    """``is_train``: by exposure, the most exposed first."""
    n, last = len(is_train), int(tops[-1])
    tails = np.ones((2, len(tops), last + 1))  # above and below, by k, by how many are train
    for i, k in enumerate(tops.tolist()):
        tails[:, i, : k + 1] = _tails(k, n_train, n)
    found = np.cumsum(is_train[:last])[tops - 1]
    own = tails[:, np.arange(len(tops)), found]
    rarest = own.min(axis=1)
    lots = np.concatenate([_rarest(tails, tops, (n_train, n), batch, rng) for batch in np.diff(np.linspace(0, LOTS, 6).astype(int))])
    above, below = (min(1.0, len(tops) * float(rarest[side]), (1 + int((lots[:, side] <= rarest[side] * (1 + 1e-9)).sum())) / (LOTS + 1)) for side in (0, 1))
    at = int(own[0].argmin()) if above < SHOWN else len(tops) - 1
    x, k, share = int(found[at]), int(tops[at]), n_train / n
    low, high = interval.clopper_pearson(x, k)
    says = f"{x:,} of the {k:,} most exposed patients are train patients; the lot would give {share * k:.1f}"
    says += f" (chance of so many or more, over all k: {_chance(above)})."
    return Finding(NAME, x / k, low, high, n, "lower", {"chance": share, "k": float(k), "p": above, "p_below": below}, "", says, SILENT, label=LABEL)


def _tails(k: int, n_train: int, n: int) -> FloatArray:
    """By x = 0 ... k: how likely x or more, and x or fewer, of k drawn by lot are train patients; float64 (2, k + 1)."""
    from scipy.special import gammaln

    x = np.arange(k + 1)
    with np.errstate(invalid="ignore"):
        ways = (
            gammaln(n_train + 1) - gammaln(x + 1) - gammaln(n_train - x + 1) + gammaln(n - n_train + 1) - gammaln(k - x + 1) - gammaln(n - n_train - k + x + 1)
        )
    whole = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    chances = np.where((x <= n_train) & (k - x <= n - n_train), np.exp(np.nan_to_num(ways, nan=-np.inf) - whole), 0.0)
    return np.asarray(np.minimum(1.0, np.array([np.cumsum(chances[::-1])[::-1], np.cumsum(chances)])))


def _rarest(tails: FloatArray, tops: IntArray, sizes: tuple[int, int], times: int, rng: Rng) -> FloatArray:
    """Above and below, the rarest of all k in so many lots, float64 (times, 2). ``sizes``: train patients, and all."""
    n_train, n = sizes
    last = int(tops[-1])
    first = np.arange(last) < rng.hypergeometric(n_train, n - n_train, last, size=times)[:, None]
    found = np.cumsum(rng.permuted(first, axis=1), axis=1)[:, tops - 1]
    return np.asarray(tails[:, np.arange(len(tops)), found].min(axis=2).T)


def _chance(p: float) -> str:
    return f"{p:.2f}" if p >= 0.01 else f"{p:.4f}" if p >= 0.0001 else f"{p:.0e}"
