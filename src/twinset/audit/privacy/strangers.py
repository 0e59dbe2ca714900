"""Are train and hold-out the same kind of people?"""

from __future__ import annotations

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import by_lot
from twinset.audit.privacy.neighbours import together
from twinset.audit.privacy.patients import patients
from twinset.coding.columns import Coded, Numbers
from twinset.core.contracts import FloatArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

NAME = "control.population"
LABEL = "Hold-out told apart from train"
SILENT = "Differences that no single column shows. A hold-out may also differ by chance: one in 1,000 does so much."
FOLDS = 5
FEWEST = 20  # patients of a side
MOST_PATIENTS = 2_000  # of a side
MOST_COLUMNS = 200
MOST_LEVELS = 20
FEWEST_IN_LEVEL = 5
MOST = 1_999  # draws of the lot


def population(trial: Trial, rng: Rng) -> Finding:
    """``control.population``: how well a classifier tells hold-out patients from train patients, as cross-validated AUC; chance 0.5.

    The classifier is ridge regression on ranks, their squares, gaps and levels, in five folds; it is quick enough to be fitted anew for each of up to
    1,999 lots of who was held out, so its ``p`` is exact for every table: the share of lots that tell the sides apart as well.
    A random row of each patient, at most 2,000 patients of a side. Sees other ages, other years, another centre; not a difference in correlations alone.
    """
    if trial.holdout is None:
        return not_measured(NAME, "there is no hold-out", label=LABEL)
    sides = [patients(trial.train), patients(trial.holdout)]
    if min(side.n for side in sides) < FEWEST:
        return not_measured(NAME, f"fewer than {FEWEST} patients were trained on or held out", label=LABEL)
    rows = [side.rows.take(rng.permutation(side.one_row_each(rng))[:MOST_PATIENTS]) for side in sides]
    lot = rng.permutation(sum(map(len, rows)))  # of equal scores the first row ranks lower
    is_held = np.repeat([0.0, 1.0], [len(r) for r in rows])[lot]
    cells = _features(together(rows), rng)[lot]
    if not cells.shape[1]:
        return not_measured(NAME, "no column differs between patients", label=LABEL)
    fold = rng.permutation(len(is_held)) % FOLDS
    hats = [_hat(cells[fold != i], cells[fold == i]) for i in range(FOLDS)]

    def told(labels: FloatArray) -> FloatArray:
        return _auc(_scores(hats, fold, labels), labels)

    def draw(times: int) -> FloatArray:
        return told(rng.permuted(np.tile(is_held, (times, 1)), axis=1).T)

    value = float(told(is_held[:, None])[0])
    p = by_lot(value, draw, most=MOST)
    low, high = interval.normal(value, float(np.std(draw(33), ddof=1)))  # folds share patients: the lot scatters more than DeLong's formula knows
    says = f"Shown one patient of the hold-out and one of train, a classifier names the right one in {value:.1%} of pairs; a coin does in 50 %."
    says += f" So much or more has a chance of {p:.2g}" + (", so they are not of one population." if p < 0.001 else " if the lot decided who was held out.")
    beside = {"chance": 0.5, "train": float(len(rows[0])), "p": p}
    return Finding(NAME, value, max(0.0, low), min(1.0, high), len(is_held), "lower", beside, "", says, SILENT, label=LABEL)


def _features(coded: tuple[Coded, ...], rng: Rng) -> FloatArray:
    """Ranks of numbers and their squares, gaps, and levels that at least five patients have: centred, of unit spread, float64 (n, features)."""
    chosen = np.sort(rng.permutation(len(coded))[:MOST_COLUMNS])
    columns: list[FloatArray] = []
    for column in (coded[i] for i in chosen):
        if isinstance(column, Numbers):
            gap = column.gaps > 0
            rank = np.zeros(len(gap))
            _, place, size = np.unique(column.values[~gap], return_inverse=True, return_counts=True)
            rank[~gap] = ((np.cumsum(size) - size / 2) / max(1, len(place)) - 0.5)[place]
            columns += [rank, np.where(gap, 0.0, rank**2 - 1 / 12), *((column.gaps == kind).astype(np.float64) for kind in np.unique(column.gaps[gap]))]
        else:
            size = np.bincount(column.codes)
            levels = [c for c in np.argsort(-size)[:MOST_LEVELS] if size[c] >= FEWEST_IN_LEVEL]
            columns += [(column.codes == level).astype(np.float64) for level in levels]
    cells = np.column_stack(columns) if columns else np.zeros((0, 0))
    spread = cells.std(axis=0) if len(cells) else np.zeros(0)
    kept = spread > 1e-9
    return np.asarray((cells[:, kept] - cells[:, kept].mean(axis=0)) / spread[kept]) if len(cells) else cells


def _hat(seen: FloatArray, asked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What turns labels of the rows seen into scores of those asked: scores = asked @ solved @ labels, the labels centred."""
    d = seen.shape[1]
    centred = seen - seen.mean(axis=0)
    return asked - seen.mean(axis=0), np.linalg.solve(centred.T @ centred + d * np.eye(d), centred.T)


def _scores(hats: list[tuple[FloatArray, FloatArray]], fold: np.ndarray, labels: FloatArray) -> FloatArray:
    """Out-of-fold scores for each column of labels, float64 (n, lots)."""
    scores = np.empty(labels.shape)
    for i, (asked, solved) in enumerate(hats):
        scores[fold == i] = asked @ (solved @ labels[fold != i])
    return scores


def _auc(scores: FloatArray, labels: FloatArray) -> FloatArray:
    """The AUC of each column, float64 (lots,); ties in the order of rows, which says nothing."""
    n, held = len(scores), labels[:, 0].sum()
    order = np.argsort(np.ascontiguousarray(scores.T), axis=1, kind="stable")
    total = (np.take_along_axis(labels.T, order, axis=1) * np.arange(1.0, n + 1)).sum(axis=1)
    return np.asarray((total - held * (held + 1) / 2) / (held * (n - held)))
