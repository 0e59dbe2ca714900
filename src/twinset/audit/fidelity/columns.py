"""One column at a time: does each have the right distribution?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit.fidelity.cells import Binned, aligned, binned
from twinset.audit.fidelity.variation import Z95, compare_counts, expected_variation
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

SILENT = "Says nothing about relationships between columns: columns drawn apart from each other score as well."


@dataclass(frozen=True)
class Columns:
    """Total variation distance of every column, in [0, 1], 0 best; the mean over columns, and the ``worst`` columns one by one.

    Numbers are cut at the 20-quantiles of train, each kind of missing is a cell of its own. Beside: what fresh patients would score (``floor``,
    closed form), hold-out patients (``holdout``, brought to the size of the synthetic table), columns with equally likely
    cells (``chance``), permuted train columns (``independent``: 0, they keep every margin). The interval is for another synthetic
    table of the same model (closed form, over rows). Not for judging whether an analysis works: see pairs, endpoints.
    """

    worst: int = 5

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        others = [trial.synthetic] if trial.holdout is None else [trial.synthetic, trial.holdout]
        tables = binned(*aligned(trial.train, *others))
        train, synthetic = tables[:2]
        if not train.names:
            return (not_measured("fidelity.columns", "there is no column that a generator may model", label="Single columns"),)
        scores = [_score(train, synthetic, j) for j in range(len(train.names))]
        value, floor, chance = (np.array(x) for x in zip(*(s[:3] for s in scores), strict=True))
        influence = np.sum([s[3] for s in scores], axis=0) / len(scores)
        beside = {"floor": float(floor.mean()), "chance": float(chance.mean()), "independent": 0.0}
        if len(tables) > 2:
            beside["holdout"] = float(np.mean([_holdout(train, tables[2], j, f) for j, f in enumerate(floor)]))
        n = synthetic.n
        error = float(influence.std()) / n**0.5
        null = Z95 * _null_spread(train, rng) * (1 / n + 1 / train.n) ** 0.5
        beside |= {"floor_low": max(0.0, beside["floor"] - null), "floor_high": beside["floor"] + null}
        mean = float(value.mean())
        says = f"A column's distribution is off by {mean:.1%} of the patients on average; fresh patients would be off by {beside['floor']:.1%}."
        low, high = max(0.0, mean - Z95 * error), min(1.0, mean + Z95 * error)
        whole = Finding("fidelity.columns", mean, low, high, n, "lower", beside, says=says, silent_on=SILENT, label="Single columns")
        order = np.argsort(floor - value, kind="stable")[: self.worst]
        return (whole, *(_one(train, synthetic, int(j), scores[j]) for j in order))


Score = tuple[float, float, float, np.ndarray]


def _score(train: Binned, synthetic: Binned, j: int) -> Score:
    """Distance, its floor, the distance of a useless column, and the influence of each synthetic row.

    Useless is the worse of equally likely cells and of one value for everybody.
    """
    size = int(train.sizes[j])
    a = np.bincount(train.codes[j], minlength=size)
    b = np.bincount(synthetic.codes[j], minlength=size)
    value, signs = compare_counts(a, b)
    seen = a > 0
    even = compare_counts(a, seen.astype(np.int64))[0]
    chance = max(even, 1.0 - float(a.max()) / max(1, int(a.sum())))
    return value, expected_variation(a, synthetic.n), chance, 0.5 * signs[synthetic.codes[j]]


def _null_spread(train: Binned, rng: Rng) -> float:
    """Standard deviation over rows of their influence on the mean when the other table is a fresh one (here: train redrawn)."""
    rows = rng.integers(0, train.n, train.n)
    influence = np.zeros(train.n)
    for codes, size in zip(train.codes, train.sizes, strict=True):
        signs = compare_counts(np.bincount(codes, minlength=size), np.bincount(codes[rows], minlength=size))[1]
        influence += signs[codes]
    return 0.5 * float(influence.std()) / len(train.names)


def _holdout(train: Binned, holdout: Binned, j: int, floor: float) -> float:
    """Hold-out against train, brought to the size of the synthetic table by the ratio of the floors."""
    size = int(train.sizes[j])
    a = np.bincount(train.codes[j], minlength=size)
    own = expected_variation(a, holdout.n)
    value = compare_counts(a, np.bincount(holdout.codes[j], minlength=size))[0]
    return value * floor / own if own > 0 else value


def _one(train: Binned, synthetic: Binned, j: int, score: Score) -> Finding:
    value, floor, chance, influence = score
    error = Z95 * float(influence.std()) / synthetic.n**0.5
    says = f"This column's distribution is off by {value:.1%} of the patients; fresh patients would be off by {floor:.1%}."
    return Finding(
        "fidelity.columns",
        value,
        max(0.0, value - error),
        min(1.0, value + error),
        synthetic.n,
        "lower",
        {"floor": floor, "chance": chance, "independent": 0.0, "of": float(len(train.names))},
        where=train.names[j],
        says=says,
        silent_on=SILENT,
        label=f"Column {train.names[j]}",
    )
