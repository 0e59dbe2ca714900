"""Columns that give an outcome away: known only after it, tied to it by definition, or it under another name. No model should be praised for reading them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from twinset.audit.endpoints.survival import Survival
from twinset.audit.fidelity.cells import Levels, Line, Part, Table, binned
from twinset.audit.interval import auc
from twinset.core.contracts import Rule, Trial
from twinset.core.seeds import Rng
from twinset.rules.language import RowRule
from twinset.rules.tree import Chain, Derive, Follows, Implies, Near, Same

SURE = 0.99  # area under the ROC curve (or rank correlation) of one column alone: of 40 clinical tables the strongest honest column reads 0.983, what is the outcome by definition 1.000
LEAST = 10  # rows on the smaller side of a binary outcome, below which one column may be this good by luck


def declared(trial: Trial, outcome: str) -> tuple[str, ...]:
    """What roles, endpoints and rules say of columns other than ``outcome``: times and events, and what an equality or implication ties to it.

    A time to an event is known when the event is (a censored patient's follow-up is long because nothing happened), whichever column is predicted.
    """
    schema = trial.train.schema.synthesised
    told = [c.name for c in (*schema.with_role("time"), *schema.with_role("event"))]
    told += [n for e in trial.endpoints if isinstance(e, Survival) for n in (e.time, e.event)]
    told += [n for columns in _ties(trial.rules) if outcome in columns for n in columns]
    return tuple(n for n in schema.names if n in told and n != outcome)


def sure(train: Table, target: int, rng: Rng) -> tuple[str, ...]:
    """Columns of train of which each alone tells the outcome almost surely: how often the outcome occurs in a cell (twentieths of a number, levels, each kind
    of missing) of one random half of the rows ranks the other half with an area under the ROC curve above 0.99, or the column's own order does.

    Of an outcome that is a number: rank correlation beyond 0.99. None where under 10 rows have the rarer outcome.
    """
    answer = train.parts[target]
    others = [j for j in range(len(train.names)) if j != target]
    if isinstance(answer, Line):
        return tuple(train.names[j] for j in others if _same_order(train.parts[j], answer))
    known = np.flatnonzero(answer.codes != answer.missing)
    positive = answer.codes[known] == (0 if answer.n_train - (0 <= answer.missing < answer.n_train) > 2 else 1)
    if min(positive.sum(), (~positive).sum()) < LEAST:
        return ()
    half = rng.permutation(len(known)) % 2 == 0
    (cut,) = binned(train)
    return tuple(
        train.names[j]
        for j in others
        if _told(cut.codes[j][known], int(cut.sizes[j]), positive, half) > SURE or _ordered(train.parts[j], known, positive) > SURE
    )


def _ties(rules: Sequence[Rule]) -> Iterator[tuple[str, ...]]:
    for rule in rules:
        if isinstance(rule, RowRule):
            equal = isinstance(rule.node, Chain) and "==" in rule.node.ops
            if equal or isinstance(rule.node, Derive | Follows | Implies | Same | Near):
                yield rule.columns


def _told(cells: np.ndarray, size: int, positive: np.ndarray, half: np.ndarray) -> float:
    """The mean over both halves of how well the other half's shares rank this half; a cell that the other half lacks has its mean share."""
    areas = []
    for seen in (half, ~half):
        n = np.bincount(cells[seen], minlength=size)
        share = (np.bincount(cells[seen], weights=positive[seen], minlength=size) + positive[seen].mean()) / (n + 1)
        score, asked = share[cells[~seen]], positive[~seen]
        if asked.all() or not asked.any():
            return 0.0
        areas.append(auc(score[asked], score[~asked])[0])
    return float(np.mean(areas))


def _ordered(part: Part, known: np.ndarray, positive: np.ndarray) -> float:
    """Of a number without gaps, how well its own order ranks the outcome, either way round."""
    if isinstance(part, Levels) or part.gaps[known].any():
        return 0.0
    area = auc(part.values[known][positive], part.values[known][~positive])[0]
    return max(area, 1 - area)


def _same_order(part: Part, answer: Line) -> bool:
    from scipy.stats import spearmanr

    if isinstance(part, Levels):
        return False
    both = (part.gaps == 0) & (answer.gaps == 0)
    one, other = part.values[both], answer.values[both]
    return len(one) >= LEAST and one.min() < one.max() and other.min() < other.max() and abs(float(spearmanr(one, other).statistic)) > SURE
