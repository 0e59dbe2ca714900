"""Two columns at a time: do they go together as they do in patients?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit.fidelity.cells import Binned, aligned, binned, independent
from twinset.audit.fidelity.variation import Z95, compare_counts, expected_variation
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

DENSE = 2_000_000  # tables with more cells are counted through their occupied cells only
ENOUGH = 20_000  # rows that settle how wide the range of fresh patients is
SILENT = "Says nothing about three or more columns together, and a score below the floor is no merit: it means that sampling noise was copied."


@dataclass(frozen=True)
class Pairs:
    """Mean total variation distance over all pairs of columns, in [0, 1], 0 best; and the ``worst`` pairs one by one.

    Cells as for single columns. At most ``most`` pairs are looked at; beyond that a seeded sample of them, which the finding says.
    Beside: ``floor`` (fresh patients of this size, closed form), ``holdout`` (hold-out patients, brought to this size by the ratio of
    the floors), ``independent`` (train with every column permuted). The interval is for another synthetic table of the same model.
    """

    most: int = 2_000
    worst: int = 3

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        others = [trial.synthetic] if trial.holdout is None else [trial.synthetic, trial.holdout]
        names = trial.train.schema.synthesised.names
        pairs, n_all = choose_pairs(len(names), self.most, rng)
        used = sorted({j for pair in pairs for j in pair})
        place = {j: i for i, j in enumerate(used)}
        pairs = [(place[a], place[b]) for a, b in pairs]
        coded = aligned(trial.train, *others, names=[names[j] for j in used])
        tables = binned(*coded)
        if not n_all:
            return (not_measured("fidelity.pairs", "it takes two columns to make a pair", label="Pairs of columns"),)
        shuffled = binned(coded[0], independent(coded[0], rng))[1]
        again = rng.integers(0, tables[0].n, min(tables[0].n, ENOUGH))
        tally = _tally([tables[0], shuffled, *tables[1:]], pairs, again)
        return (_whole(tally, n_all), *(_one(tally, int(i)) for i in np.argsort(tally.floor - tally.value, kind="stable")[: self.worst]))


def choose_pairs(n_columns: int, most: int, rng: Rng) -> tuple[list[tuple[int, int]], int]:
    """All pairs of columns (or ``most`` of them, drawn without replacement), and how many there are."""
    n_all = n_columns * (n_columns - 1) // 2
    if n_all <= most:
        return [(a, b) for a in range(n_columns) for b in range(a + 1, n_columns)], n_all
    flat = np.sort(rng.choice(n_all, most, replace=False))
    first = (np.floor((2 * n_columns - 1 - np.sqrt((2 * n_columns - 1) ** 2 - 8.0 * flat)) / 2)).astype(np.int64)
    second = flat - first * (2 * n_columns - first - 1) // 2 + first + 1
    return list(zip(first.tolist(), second.tolist(), strict=True)), n_all


@dataclass(frozen=True, repr=False)
class _Tally:
    names: tuple[tuple[str, str], ...]
    n_train: int
    n: int
    value: np.ndarray
    floor: np.ndarray
    independent: np.ndarray
    holdout: np.ndarray  # NaN without hold-out
    spread: float  # sd over synthetic rows of their influence on the mean
    null: float  # the same if the synthetic rows were fresh patients
    spreads: np.ndarray


def _tally(tables: list[Binned], pairs: list[tuple[int, int]], again: np.ndarray) -> _Tally:
    """Go through the pairs once; ``tables``: train, permuted train, synthetic and perhaps hold-out; ``again``: train rows redrawn."""
    from twinset.audit.fidelity.counting import count, tally

    train, synthetic = tables[0], tables[2]
    redrawn = Binned(train.names, np.ascontiguousarray(train.codes[:, again]), train.sizes)
    out = np.full((5, len(pairs)), np.nan)
    influence, null = np.zeros(synthetic.n, dtype=np.int64), np.zeros(len(again), dtype=np.int64)
    for i, (a, b) in enumerate(pairs):
        (fresh, *cells), width, size = _joint([redrawn, *tables], a, b)
        counts = [count(x, y, width, size) for x, y in cells]
        floor = expected_variation(counts[0], synthetic.n)
        value, signs = compare_counts(counts[0], counts[2])
        plain, square = tally(*cells[2], width, signs.astype(np.int64), influence)
        tally(*fresh, width, compare_counts(counts[0], count(*fresh, width, size))[1].astype(np.int64), null)
        spread = max(0.0, square / synthetic.n - (plain / synthetic.n) ** 2) ** 0.5
        out[:4, i] = value, floor, compare_counts(counts[0], counts[1])[0], 0.5 * spread
        if len(tables) > 3:
            scale = floor / max(expected_variation(counts[0], tables[3].n), 1e-12)
            out[4, i] = compare_counts(counts[0], counts[3])[0] * scale
    names = tuple((train.names[a], train.names[b]) for a, b in pairs)
    whole, new = (0.5 * float(x.std()) / len(pairs) for x in (influence, null))
    return _Tally(names, train.n, synthetic.n, out[0], out[1], out[2], out[4], whole, new, out[3])


Cells = tuple[np.ndarray, np.ndarray]  # the row's cell in the first column and in the second


def _joint(tables: list[Binned], a: int, b: int) -> tuple[list[Cells], int, int]:
    """The cells of columns a and b in each table, how many the second has, and the number of cells of both (where that is large: of those in use)."""
    width = int(tables[0].sizes[b])
    size = int(tables[0].sizes[a]) * width
    if size <= DENSE:
        return [(t.codes[a], t.codes[b]) for t in tables], width, size
    joint = [t.codes[a].astype(np.int64) * width + t.codes[b] for t in tables]
    occupied, place = np.unique(np.concatenate(joint), return_inverse=True)
    ends = np.cumsum([len(x) for x in joint])[:-1]
    return [(x.astype(np.int32), np.zeros(len(x), dtype=np.int32)) for x in np.split(place, ends)], 1, len(occupied)


def _whole(tally: _Tally, n_all: int) -> Finding:
    mean, floor = float(tally.value.mean()), float(tally.floor.mean())
    null = Z95 * tally.null * (1 / tally.n + 1 / tally.n_train) ** 0.5
    beside = {"floor": floor, "floor_low": max(0.0, floor - null), "floor_high": floor + null, "independent": float(tally.independent.mean())}
    if not np.isnan(tally.holdout).any():
        beside["holdout"] = float(tally.holdout.mean())
    error = Z95 * tally.spread / tally.n**0.5
    says = f"Two columns together are off by {mean:.1%} of the patients on average; fresh patients would be off by {floor:.1%}."
    if len(tally.value) < n_all:
        says += f" Measured on {len(tally.value):,} pairs drawn from {n_all:,}."
    low, high = max(0.0, mean - error), min(1.0, mean + error)
    return Finding("fidelity.pairs", mean, low, high, tally.n, "lower", beside, says=says, silent_on=SILENT, label="Pairs of columns")


def _one(tally: _Tally, i: int) -> Finding:
    value, floor, name = float(tally.value[i]), float(tally.floor[i]), " × ".join(tally.names[i])
    error = Z95 * float(tally.spreads[i]) / tally.n**0.5
    beside = {"floor": floor, "independent": float(tally.independent[i]), "of": float(len(tally.value))}
    if not np.isnan(tally.holdout[i]):
        beside["holdout"] = float(tally.holdout[i])
    says = f"These two columns together are off by {value:.1%} of the patients; fresh patients would be off by {floor:.1%}."
    low, high = max(0.0, value - error), min(1.0, value + error)
    return Finding("fidelity.pairs", value, low, high, tally.n, "lower", beside, name, says=says, silent_on=SILENT, label=f"Pair {name}")
