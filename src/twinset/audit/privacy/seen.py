"""Was the hold-out used after all? Then train and hold-out are exposed alike, and no attack that compares them sees it."""

from __future__ import annotations

import math

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import normal_tail
from twinset.audit.privacy.neighbours import nearest, points
from twinset.audit.privacy.patients import patients
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

SEEN = "control.seen"
LABEL = "Hold-out patients whom the release knows"
FAR = 4.0  # times nearer: what tells a copy or a near copy from a likeness
FAIR = 0.75  # of the hold-out patients who are so near to one side, the share that a release may have which never saw them
FEWEST = 10
FLOOR = 1e-3  # in columns, only to divide by zero


def seen(trial: Trial, rng: Rng) -> Finding:
    """``control.seen``: of the hold-out patients to whom either the release or train comes four times nearer than the other does, the share to whom it is the release.

    Release and train are brought to the same number of rows. To somebody who was never used both are other people: a release as good as fresh patients is the nearer
    one half of the time, a worse one less often. Where copies or near copies of the hold-out are in the release it is nearly always. ``p``: binomial, of a share above
    three quarters. Blind to a hold-out that was used by a generator that tells little of anybody, and in tables where strangers share rows (both are at distance 0).
    """
    if trial.holdout is None:
        return not_measured(SEEN, "there is no hold-out", label=LABEL)
    train, held = patients(trial.train), patients(trial.holdout)
    size = min(len(train.rows), len(trial.synthetic))
    if held.n < FEWEST or size < FEWEST:
        return not_measured(SEEN, f"fewer than {FEWEST} patients were trained on or held out", label=LABEL)
    some = (c if len(c) == size else c.take(np.sort(rng.permutation(len(c))[:size])) for c in (train.rows, trial.synthetic))
    real, release, asked = points((*some, held.rows.take(held.one_row_each(rng))))
    to_real, to_release = (nearest(asked, there)[0][:, 0] + FLOOR for there in (real, release))
    near, far = int((to_real > FAR * to_release).sum()), int((to_release > FAR * to_real).sum())
    n = near + far
    p = _binomial(near, n)
    low, high = interval.clopper_pearson(near, n)
    says = f"To {near:,} of {held.n:,} hold-out patients a synthetic row is more than four times nearer than any train patient is; to {far:,} it is the other way round."
    silent = "A hold-out that was used by a generator that tells little of anybody."
    return Finding(SEEN, near / n if n else 0.5, low, high, held.n, "lower", {"chance": 0.5, "p": p}, "", says, silent, label=LABEL)


def _binomial(x: int, n: int) -> float:
    """How likely x or more of n, each with chance FAIR; beyond some thousands by the normal law."""
    if n > 3_000:
        return normal_tail((x - 0.5 - n * FAIR) / math.sqrt(n * FAIR * (1 - FAIR)))
    chances = (math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(FAIR) + (n - i) * math.log(1 - FAIR) for i in range(x, n + 1))
    return min(1.0, math.fsum(map(math.exp, chances)))
