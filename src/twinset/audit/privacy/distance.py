"""Is there a synthetic patient suspiciously close to mine?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.audit.privacy.neighbours import nearest, points
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray, View
from twinset.core.seeds import Rng


@dataclass(frozen=True)
class Distance:
    """The calibrated distance attack.

    The attacker holds the release, a sample of the same population that was certainly not used (another hospital's patients), and the full
    record of a person: a neighbour, an employee, a patient in the news. He wants to know whether that person was among the patients behind
    the release. He looks for the synthetic row nearest to the record. Near alone means little, since ordinary people are near to
    everything; so he divides by how near the closest person of his own sample is:

        score = log(distance to the population / distance to the release),

    the ratio form of the calibrated attack of Chen et al. 2020 (GAN-Leaks, section 4.4) with exact mixed-type distances. Copied, lightly noised and
    interpolated patients score high. Chance: members and others rank alike, AUC 0.5.
    It is nearly blind to diffuse overfitting (use ``classifier``) and needs ``floor`` (in columns) only to divide by zero.
    """

    floor: float = 1e-3

    def score(self, view: View, targets: Cohort, rng: Rng) -> FloatArray:
        """Log ratio of distances, float64 (rows of ``targets``,)."""
        release, population, asked = points((view.synthetic, view.population, targets))
        near_release = nearest(asked, release)[0][:, 0]
        near_population = nearest(asked, population)[0][:, 0]
        return np.log((near_population + self.floor) / (near_release + self.floor))
