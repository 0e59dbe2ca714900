"""Are the patients whom the release exposes most those that it was made from?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import drawn
from twinset.audit.privacy.neighbours import nearest, points, stacked
from twinset.audit.privacy.patients import Patients, patients
from twinset.core.contracts import FloatArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

NAME = "privacy.tail"
LABEL = "The most exposed patients"
SILENT = "What the release tells of everybody a little: averages over all patients (the attacks) see that."
TOPS = (5, 10, 20, 40, 80, 160, 320)  # so many of the most exposed are looked at
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
    among the k most exposed is hypergeometric, exactly, for any release and any sizes (ties are broken by lot). k = 5, 10, 20 ... 320, Bonferroni: beside, ``p``
    and the ``k`` that gave it (the largest, where nothing shows). A patient with several rows is as exposed as the most exposed of them.
    It is blind to diffuse overfitting (use the classifier attack) and to an attribute replayed alone (use ``privacy.replay``).
    """

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        if trial.holdout is None:
            return [not_measured(NAME, "there is no hold-out to say whom chance exposes", label=LABEL)]
        train, held = patients(trial.train), patients(trial.holdout)
        n = train.n + held.n
        tops = [k for k in TOPS if k <= n // 2]
        if not tops or not len(trial.synthetic) or _rarest(tops, train.n, n) > SURE:
            why = f"with {train.n:,} train and {held.n:,} hold-out patients no outcome would be rarer than chance in 1,000: a larger hold-out would tell"
            return [not_measured(NAME, why, label=LABEL)]
        order = np.lexsort((rng.random(n), -exposure(train, held, trial)))
        return [_finding(order < train.n, tops, train.n)]


def exposure(train: Patients, held: Patients, trial: Trial) -> FloatArray:
    """How much nearer the release comes to each patient (train, then hold-out) than any other real patient does; log ratio, float64 (n,)."""
    real, release = points((stacked((train.rows, held.rows)), trial.synthetic))
    of = np.concatenate([train.of, train.n + held.of])
    near_real = nearest(real, real, own=of, of=of)[0][:, 0]
    near_release = nearest(real, release)[0][:, 0]
    most = np.full(train.n + held.n, -np.inf)
    np.maximum.at(most, of, np.log((near_real + FLOOR) / (near_release + FLOOR)))
    return most


def _rarest(tops: Sequence[int], n_train: int, n: int) -> float:
    """The smallest p that these sizes can give: all of the most exposed are train patients."""
    return len(tops) * min(drawn(min(k, n_train), k, n_train, n).above for k in tops)


def _finding(is_train: np.ndarray, tops: Sequence[int], n_train: int) -> Finding:
    """``is_train``: by exposure, the most exposed first."""
    n = len(is_train)
    found = [int(is_train[:k].sum()) for k in tops]
    tails = [drawn(x, k, n_train, n) for x, k in zip(found, tops, strict=True)]
    above, below = (min(1.0, len(tops) * min(t[side] for t in tails)) for side in (0, 1))
    at = min(range(len(tops)), key=lambda i: tails[i].above) if above < SHOWN else len(tops) - 1
    x, k, share = found[at], tops[at], n_train / n
    low, high = interval.clopper_pearson(x, k)
    says = f"{x:,} of the {k:,} most exposed patients are train patients; the lot would give {share * k:.1f}"
    says += f" (chance of so many or more, over all k: {_chance(above)})."
    return Finding(NAME, x / k, low, high, n, "lower", {"chance": share, "k": float(k), "p": above, "p_below": below}, "", says, SILENT, label=LABEL)


def _chance(p: float) -> str:
    return f"{p:.2f}" if p >= 0.01 else f"{p:.4f}" if p >= 0.0001 else f"{p:.0e}"
