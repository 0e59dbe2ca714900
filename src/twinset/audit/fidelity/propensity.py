"""Can a classifier tell synthetic patients from train?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit.fidelity.cells import Table, aligned, independent, some, subsample
from twinset.audit.fidelity.encode import MOST_COLUMNS, for_trees
from twinset.audit.fidelity.learners import boosting, fitted, one_thread, predicted
from twinset.audit.interval import Interval, auc
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

SILENT = (
    "A classifier that fails may be too weak. Below 0.5 is no merit: rows made from single train rows confuse the classifier when they fall in another fold."
)


@dataclass(frozen=True)
class Propensity:
    """Cross-validated AUROC of boosting, train against synthetic; 0.5 best: the two cannot be told apart.

    Equal numbers of both (the larger is subsampled, at most ``most`` rows each). Beside: ``chance`` = ``floor`` = 0.5, hold-out patients against as many train rows
    (``holdout``), train with permuted columns (``independent``). Interval: DeLong, folds pooled.
    """

    folds: int = 5
    most: int = 15_000

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        others = [trial.synthetic] if trial.holdout is None else [trial.synthetic, trial.holdout]
        names = trial.train.schema.synthesised.names
        tables = aligned(trial.train, *others, names=some(names, MOST_COLUMNS, rng))
        few = min(t.n for t in tables[:2])
        if few < 4 * self.folds or not tables[0].names:
            why = f"it takes {4 * self.folds} rows of each kind and a column"
            return (not_measured("fidelity.propensity", why, label="Told apart from train"),)
        with one_thread():
            value, interval = self._told_apart(tables[0], tables[1], rng)
            beside = {"floor": 0.5, "chance": 0.5, "independent": self._told_apart(tables[0], independent(tables[0], rng), rng)[0]}
            if len(tables) > 2 and tables[2].n >= 4 * self.folds:
                beside["holdout"] = self._told_apart(tables[0], tables[2], rng)[0]
        n = min(few, self.most)
        says = f"Shown one synthetic patient and one of train, a classifier names the synthetic one in {value:.0%} of cases; guessing gives 50 %."
        if len(names) > MOST_COLUMNS:
            says += f" It saw {MOST_COLUMNS} columns drawn from {len(names):,}."
        name, label = "fidelity.propensity", "Told apart from train"
        return (Finding(name, value, *interval, n, "lower", beside, says=says, silent_on=SILENT, label=label),)

    def _told_apart(self, train: Table, other: Table, rng: Rng) -> tuple[float, Interval]:
        n = min(train.n, other.n, self.most)
        features = np.vstack([for_trees(subsample(train, n, rng)), for_trees(subsample(other, n, rng))])
        kind = np.repeat([0, 1], n)
        fold = np.concatenate([rng.permutation(n) % self.folds, rng.permutation(n) % self.folds])
        seed = int(rng.integers(2**31))
        guess = np.empty(2 * n)
        for i in range(self.folds):
            here = fold == i
            model = fitted(boosting(seed), features[~here], kind[~here])
            guess[here] = predicted(model, features[here])
        return auc(guess[kind == 1], guess[kind == 0])
