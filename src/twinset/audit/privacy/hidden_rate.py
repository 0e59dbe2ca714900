"""How often a patient's own avatar is not the one nearest to him, and how many stand between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit import interval
from twinset.audit.privacy.projection import cloaks, fit_projection, hidden
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

RATE, CLOAKING = "privacy.hidden_rate", "privacy.local_cloaking"
RATE_LABEL, CLOAKING_LABEL = "Hidden rate", "Local cloaking"
SILENT = (
    "Anything but the row that started from the patient: other rows may hold his values, and word-for-word copies of common rows still read well. "
    "Membership is for the attacks."
)


@dataclass(frozen=True)
class HiddenRate:
    """``privacy.hidden_rate`` and ``privacy.local_cloaking`` of the avatar paper, for a true one-to-one pairing only.

    The attacker's story: he holds a patient's full record and the release, and takes the nearest synthetic row for that patient's avatar.
    Hidden rate is the share of patients for whom he is wrong; local cloaking, the median number of other rows nearer to the patient than his own
    (ties counted; in the hidden rate a tie is broken by lot). By chance he is wrong n - 1 times in n. Distances in ``components`` factorial components of the train rows (Guillaudeux et al.
    2023). Without a one-to-one link the figures mean nothing (any unpaired release reads 99.9 %), so they are reported as not measured.
    ``most``: patients asked, drawn at random from larger tables.
    """

    components: int = 5
    most: int = 20_000

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        why = _why_not(trial)
        if why or trial.link is None:
            return [
                not_measured(RATE, why, better="higher", label=RATE_LABEL),
                not_measured(CLOAKING, why, better="higher", label=CLOAKING_LABEL),
            ]
        projection = fit_projection(trial.train, components=self.components)
        records = projection.points(trial.train)[trial.link]
        avatars = projection.points(trial.synthetic)
        asked = np.sort(rng.permutation(len(records))[: self.most])
        missed = hidden(records, avatars, asked)
        between = np.sort(cloaks(records, avatars, asked))
        return [_rate(float(missed.sum()), len(asked), len(avatars)), _cloaking(between, len(avatars))]


def _why_not(trial: Trial) -> str:
    """Why the pairing cannot be measured; empty where it can."""
    if trial.link is None:
        return "the generator keeps no link from patients to synthetic rows, and without the true pairing the figure means nothing"
    if len(trial.link) != len(trial.synthetic):
        return "the link does not belong to this release: it has another number of rows"
    if len(trial.link) < 2:
        return "there are fewer than two synthetic rows"
    if len(np.unique(trial.link)) != len(trial.link):
        return "several synthetic rows started from the same patient, so no patient has one avatar of his own (set `one_to_one` to measure this)"
    return ""


def _rate(missed: float, n: int, n_avatars: int) -> Finding:
    value = missed / n
    low, high = interval.wilson(missed, n)
    says = f"For {value:.1%} of {n:,} patients the nearest synthetic row is not the one that started from them; chance would give {1 - 1 / n_avatars:.2%}."
    return Finding(RATE, value, low, high, n, "higher", {"chance": 1 - 1 / n_avatars}, says=says, silent_on=SILENT, label=RATE_LABEL)


def _cloaking(between: np.ndarray, n_avatars: int) -> Finding:
    """The median, with the order-statistic interval (binomial ranks)."""
    n = len(between)
    half = 0.98 * np.sqrt(n)
    low, high = between[max(0, int(np.floor(n / 2 - half)))], between[min(n - 1, int(np.ceil(n / 2 + half)))]
    value = float(np.median(between))
    says = f"In the median {value:g} synthetic rows of others are nearer to a patient than the one that started from him ({n:,} patients)."
    chance = {"chance": (n_avatars - 1) / 2}
    return Finding(CLOAKING, value, float(low), float(high), n, "higher", chance, says=says, silent_on=SILENT, label=CLOAKING_LABEL)
