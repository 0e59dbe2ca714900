"""Does my patient look more like the release than like the population?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.audit.fidelity.learners import bins_for
from twinset.audit.privacy.neighbours import together
from twinset.coding.columns import Coded, Numbers
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray, View
from twinset.core.seeds import Rng

FEWEST_ROWS = 20  # of a side: with fewer there is nothing to learn, and everyone scores alike


@dataclass(frozen=True)
class Classifier:
    """The learnt attack.

    The attacker holds the release and a sample of the same population that was not used. He teaches gradient boosting to tell the two apart.
    Where the generator leant on its training patients too much, "looks like the release" also means "looks like a training patient": he scores
    a person's record by the log odds of "release" (LOGAN, Hayes et al. 2019; the classifier attack of TAPAS, Houssiau et al. 2022).
    It is the attack that sees diffuse overfitting (trees with small leaves), where no single row is near. It is weak against a few exact copies.
    Chance: AUC 0.5. ``rows``: most rows of either side that he learns from.
    """

    trees: int = 50
    rate: float = 0.2
    leaves: int = 31
    smallest_leaf: int = 10
    rows: int = 20_000

    def score(self, view: View, targets: Cohort, rng: Rng) -> FloatArray:
        """Log odds of "release", float64 (rows of ``targets``,)."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        release, population = _some(view.synthetic, self.rows, rng), _some(view.population, self.rows, rng)
        cells = _matrix(together((release, population, targets)))
        n_seen = len(release) + len(population)
        cells = cells[:, np.isfinite(cells[:n_seen]).any(axis=0)]
        bins = bins_for(cells.shape[1])
        cells = np.column_stack([_binned(column, n_seen, bins) for column in cells.T]) if cells.shape[1] else cells
        if min(len(release), len(population)) < FEWEST_ROWS or not cells.shape[1]:
            return np.zeros(len(targets))
        label = np.arange(n_seen) < len(release)
        weight = np.where(label, 0.5 / len(release), 0.5 / len(population)) * n_seen
        model = HistGradientBoostingClassifier(
            learning_rate=self.rate,
            max_iter=self.trees,
            max_leaf_nodes=self.leaves,
            max_bins=bins,
            min_samples_leaf=self.smallest_leaf,
            early_stopping=False,
            random_state=int(rng.integers(2**31)),
        )
        with threadpool_limits(1, user_api="openmp"):  # on a busy machine, idle OpenMP threads burn ten times the work
            model.fit(cells[:n_seen], label, sample_weight=weight)
            return np.asarray(model.decision_function(cells[n_seen:]), dtype=np.float64)


def _some(cohort: Cohort, n: int, rng: Rng) -> Cohort:
    return cohort if len(cohort) <= n else cohort.take(np.sort(rng.choice(len(cohort), n, replace=False)))


def _binned(column: FloatArray, n_seen: int, bins: int) -> FloatArray:
    """The column as the bin of each cell, NaN for gaps. Left to itself, scikit-learn bins weighted rows a hundred times more slowly."""
    seen = column[:n_seen]
    edges = np.unique(np.quantile(seen[np.isfinite(seen)], np.linspace(0, 1, bins)[1:-1]))
    return np.where(np.isfinite(column), np.searchsorted(edges, column, side="right"), np.nan)


def _matrix(coded: tuple[Coded, ...]) -> np.ndarray:
    """Numbers with NaN for gaps (their kind as a column of its own where there are several), categories by code."""
    columns = []
    for column in coded:
        if isinstance(column, Numbers):
            columns.append(np.where(np.isfinite(column.values), column.values, np.nan))
            if column.gaps.max(initial=0) > 1:
                columns.append(column.gaps.astype(np.float64))
        else:
            columns.append(column.codes.astype(np.float64))
    return np.column_stack(columns)
