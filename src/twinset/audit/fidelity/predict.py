"""Train on synthetic patients, predict patients held out: is the outcome's story still in there?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from twinset.audit.fidelity.cells import Levels, Line, Table, aligned, independent, some, subsample
from twinset.audit.fidelity.encode import MOST_COLUMNS, for_lines, for_trees
from twinset.audit.fidelity.giveaway import declared, sure
from twinset.audit.fidelity.learners import boosting, fitted, linear, one_thread, predicted
from twinset.audit.fidelity.variation import Z95
from twinset.audit.interval import Interval, auc
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

Learner = Literal["logistic", "boosting"]
LEARNERS: tuple[Learner, ...] = ("logistic", "boosting")
LABELS = {"logistic": "Prediction, logistic regression", "boosting": "Prediction, boosting"}
SILENT = "One outcome, predicted by the other columns; a good score does not mean that a single effect is estimated without bias."


@dataclass(frozen=True)
class Predict:
    """AUROC on hold-out patients of models trained on synthetic patients; rank correlation where the outcome is a number.

    The outcome is ``outcome``, or else the column with role "outcome", or else the event column. With more than two classes: the most
    frequent against the rest. Columns that give the outcome away are left out and named (:mod:`twinset.audit.fidelity.giveaway`). Beside: the same model trained on train (``train``: what a perfect generator reaches), on train with its columns permuted
    (``independent``) and ``chance``. Interval: DeLong over hold-out patients (numbers: Fisher's z). At most ``most`` rows are fitted.
    """

    outcome: str = ""
    most: int = 50_000

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        name = self.outcome or outcome_of(trial.train)
        reason = _reason(trial, name)
        if trial.holdout is None or reason:
            return tuple(_missing(x, reason or "it needs hold-out patients, and there are none") for x in LEARNERS)
        told = declared(trial, name)
        names = some([n for n in trial.train.schema.synthesised.names if n not in told], MOST_COLUMNS, rng, always=name)
        tables = aligned(trial.train, trial.synthetic, trial.holdout, names=names)
        left_out = (*told, *sure(tables[0], names.index(name), rng))
        kept = np.flatnonzero([n not in left_out for n in names])
        if len(kept) < 2:
            return tuple(_missing(x, f"every other column gives the outcome away: {', '.join(left_out)}") for x in LEARNERS)
        tables = tuple(t.select(kept) for t in tables)
        target = tables[0].names.index(name)
        task = replace(_task(tables, target, independent(tables[0], rng), self.most, rng), left_out=left_out)
        seed = int(rng.integers(2**31))
        with one_thread():
            return tuple(_finding(task, learner, seed) for learner in LEARNERS)


def outcome_of(train: Cohort) -> str:
    """The name of the column to predict: role "outcome", else "event"; "" if neither is declared."""
    columns = [*train.schema.synthesised.with_role("outcome"), *train.schema.synthesised.with_role("event")]
    return columns[0].name if columns else ""


@dataclass(frozen=True, repr=False)
class _Task:
    """What to fit on (by name) and what to predict."""

    sets: dict[str, Table]
    test: Table
    target: int
    name: str
    left_out: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        return isinstance(self.test.parts[self.target], Line)


def _task(tables: Sequence[Table], target: int, shuffled: Table, most: int, rng: Rng) -> _Task:
    train, synthetic, holdout = (_answered(t, target) for t in tables)
    sets = {"synthetic": synthetic, "train": train, "independent": _answered(shuffled, target)}
    return _Task({k: subsample(v, most, rng) for k, v in sets.items()}, holdout, target, tables[0].names[target])


def _answered(table: Table, target: int) -> Table:
    """The rows whose outcome is known."""
    part = table.parts[target]
    return table.take(np.flatnonzero(part.gaps == 0 if isinstance(part, Line) else part.codes != part.missing))


def _reason(trial: Trial, name: str) -> str:
    if not name:
        return "no column has the role outcome or event"
    if len(trial.train.schema.synthesised) < 2:
        return "there is no other column to predict the outcome from"
    return ""


def _missing(learner: Learner, reason: str) -> Finding:
    return not_measured(f"fidelity.tstr.{learner}", reason, better="higher", label=LABELS[learner])


def _answers(table: Table, target: int, positive: int) -> np.ndarray:
    part = table.parts[target]
    return part.values if isinstance(part, Line) else (part.codes == positive).astype(np.int64)


def _finding(task: _Task, learner: Learner, seed: int) -> Finding:
    scored = {key: _scored(task, learner, fit, seed) for key, fit in task.sets.items()}
    value, interval = scored["synthetic"]
    best, worst = scored["train"][0], scored["independent"][0]
    if math.isnan(value) or math.isnan(best):
        return replace(_missing(learner, "the outcome does not vary among the rows to learn from or to test on"), where=task.name)
    chance = 0.0 if task.numeric else 0.5
    measure = "rank correlation" if task.numeric else "area under the ROC curve"
    says = f"A model taught by synthetic patients predicts unseen patients with {measure} {value:.3f}; taught by train, {best:.3f}."
    if task.left_out:
        says += f" Left out, because they give the outcome away: {', '.join(task.left_out)}."
    if len(task.test.names) + len(task.left_out) >= MOST_COLUMNS:
        says += f" At most {MOST_COLUMNS} columns, drawn by seed, were used."
    beside = {"train": best, "floor": best, "chance": chance, "independent": chance if math.isnan(worst) else worst}
    n = task.test.n
    name = f"fidelity.tstr.{learner}"
    return Finding(name, value, *interval, n, "higher", beside, where=task.name, says=says, silent_on=SILENT, label=LABELS[learner])


def _scored(task: _Task, learner: Learner, fit: Table, seed: int) -> tuple[float, Interval]:
    """Score on the hold-out of the learner fitted to ``fit``; NaN where an outcome does not vary."""
    nothing = (math.nan, Interval(math.nan, math.nan))
    positive = 0 if _n_classes(task) > 2 else 1  # level codes run by train frequency: 0 is the most frequent
    known, asked = _answers(fit, task.target, positive), _answers(task.test, task.target, positive)
    if min(len(known), len(asked)) < 5 or known.min() == known.max() or asked.min() == asked.max():
        return nothing
    model = boosting(seed, numeric=task.numeric) if learner == "boosting" else linear(numeric=task.numeric)
    guess = predicted(fitted(model, _features(task, learner, fit), known), _features(task, learner, task.test))
    return _rank_correlation(guess, asked) if task.numeric else auc(guess[asked == 1], guess[asked == 0])


def _features(task: _Task, learner: Learner, table: Table) -> np.ndarray:
    if learner == "boosting":
        return for_trees(table, skip=task.target)
    return for_lines(table, task.sets["train"], skip=task.target)  # type: ignore[no-any-return]


def _n_classes(task: _Task) -> int:
    part = task.test.parts[task.target]
    return part.n_train - (0 <= part.missing < part.n_train) if isinstance(part, Levels) else 0


def _rank_correlation(guess: np.ndarray, truth: np.ndarray) -> tuple[float, Interval]:
    """Spearman's, with Fisher's z interval (variance 1.06/(n - 3), Fieller 1957)."""
    from scipy.stats import rankdata

    a, b = rankdata(guess), rankdata(truth)
    if a.std() == 0:
        return 0.0, Interval(-1.0, 1.0)
    r = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    half = Z95 * math.sqrt(1.06 / max(len(truth) - 3, 1))
    z = math.atanh(min(max(r, -0.999999), 0.999999))
    return r, Interval(math.tanh(z - half), math.tanh(z + half))
