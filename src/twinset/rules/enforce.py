"""A synthetic cohort that breaks no rule, with as many rows as before.

Three steps, each only for the rows that need it:

1. **Compute.** What a rule settles is written where it is broken, in the order the rules depend on each other: derived
   and following columns (``=``, ``follows``), and a missing value where a rule wants one (``r == 0 -> cd496 missing``).
2. **Redraw.** Rows that still break a rule are drawn anew from the model, and computed, until they keep all rules:
   rejection, so the rows are the model's own distribution given the rules.
3. **Borrow**, a last resort for rules that the model almost never keeps together: rules that share columns form a group;
   the columns that a broken group names are taken from a synthetic row that keeps that group, made by exchanging cells
   (``walk``) where the model never draws one. This loosens the tie
   between the borrowed columns and the rest of the row, so ``n_cells`` counts it.

No step looks at a real row: a filter on synthetic rows that consults real ones leaks (ReconSyn).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Rule
from twinset.core.seeds import Rng
from twinset.errors import RuleInvalid
from twinset.rules import tree, values
from twinset.rules.groups import Group, groups_of, in_order
from twinset.rules.language import RowRule
from twinset.rules.walk import walk

MOST_ROUNDS = 12
LEAST_BATCH = 64
MOST_SPARE = 50_000  # rows drawn in vain that are kept to borrow from
ENOUGH = 1_000  # further rows to look at before rules are called contradictory
MOST_WALKERS = 200

Sample = Callable[[int, Rng], Cohort]


@dataclass(frozen=True)
class Enforced:
    """``cohort``: as many rows as came in, none breaking a rule. ``n_redrawn``: rows replaced by a fresh draw.

    ``n_cells``: cells of the result that were computed or borrowed rather than drawn.
    ``by_rule``: rows that broke each rule as they came from the model, by rule name.
    """

    cohort: Cohort
    n_redrawn: int
    n_cells: int
    by_rule: Mapping[str, int]


@dataclass
class _Work:
    """The rows on their way: ``rules`` as extended so far, ``cells`` touched per row, ``spare`` further synthetic rows."""

    cohort: Cohort
    rules: list[Rule]
    broken: np.ndarray
    cells: np.ndarray
    n_redrawn: int = 0
    spare: list[Cohort] = field(default_factory=list)


def enforce(cohort: Cohort, rules: Sequence[Rule], sample: Sample, rng: Rng) -> Enforced:
    """Make every row of a synthetic cohort keep every rule.

    ``sample(m, rng)`` draws m further rows with the cohort's schema. Rules that name a column which the cohort lacks
    cannot be broken by it and are passed over. Same cohort, rules, model and rng: the same rows.

    Raises RuleInvalid, naming the rules, where no row that keeps them could be found.
    """
    used = [r for r in rules if not isinstance(r, RowRule) or all(c in cohort.schema for c in r.columns)]
    by_rule = {r.name: int(r.broken(cohort).sum()) for r in used}
    if not any(by_rule.values()):
        return Enforced(cohort, 0, 0, by_rule)
    ready, known, cells = compute(cohort, used)
    work = _Work(ready, known, _any_broken(known, ready), cells)
    _redraw(work, sample, rng)
    _refuse_emptied(work, sample, rng)
    if work.broken.any():
        _borrow(work, rng)
    return Enforced(work.cohort, work.n_redrawn, int(work.cells.sum()), by_rule)


def compute(cohort: Cohort, rules: Sequence[Rule]) -> tuple[Cohort, list[Rule], np.ndarray]:
    """Write what the rules settle (derived and following columns, wanted missing values) where it is broken.

    Out come the cohort, the rules (``follows`` extended by combinations that only these rows hold), and the number of
    cells written in each row, shape (n,).
    """
    known, cells = list(rules), np.zeros(len(cohort), dtype=np.int64)
    for place in in_order(rules):
        rule = known[place]
        assert isinstance(rule, RowRule)
        rule = known[place] = rule.extended(cohort)
        wrong, value = rule.settled(cohort)
        if wrong.any():
            cohort = values.put(cohort, rule.target, value, wrong)
            cells += wrong
    return cohort, known, cells


def _redraw(work: _Work, sample: Sample, rng: Rng) -> None:
    n = len(work.cohort)
    kept_share = max(1.0 - float(work.broken.mean()), 0.02)
    frame = work.cohort.frame
    most = min(4 * n + 1_000, 500_000)
    for turn in range(MOST_ROUNDS):
        need = np.flatnonzero(work.broken)
        if not len(need) or (turn >= 4 and not work.n_redrawn):
            break
        size = int(min(max(LEAST_BATCH, 1.2 * len(need) / kept_share), most))
        batch, work.rules, cells = compute(_matching(sample(size, rng), work.cohort), work.rules)
        fit = rng.permutation(np.flatnonzero(~_any_broken(work.rules, batch)))
        if sum(len(b) for b in work.spare) < max(n, MOST_SPARE):
            work.spare.append(batch)
        kept_share = max(len(fit) / size, kept_share / 4, 0.001)
        fit = fit[: len(need)]
        rows = need[: len(fit)]
        frame = _placed(frame, rows, batch.frame[fit])
        work.cells[rows] = cells[fit]
        work.broken[rows] = False
        work.n_redrawn += len(rows)
    work.cohort = Cohort(frame, work.cohort.schema)


def _refuse_emptied(work: _Work, sample: Sample, rng: Rng) -> None:
    """Refuse rules that rows keep only by leaving values missing that no rule wants missing: they contradict each other."""
    pool = _pool(work)
    for group in groups_of(work.rules):
        mine = [work.rules[i] for i in group.rules]
        if not len(_emptied(mine, group.columns, pool)):
            continue
        work.spare.append(_matching(sample(ENOUGH, rng), work.cohort))  # look at more rows before refusing
        pool = _pool(work)
        held = _emptied(mine, group.columns, pool)
        if len(held) and not len(_walked(work, group, pool.take(held), rng)):
            raise _unmet(mine)


def _emptied(rules: Sequence[Rule], columns: Sequence[str], pool: Cohort) -> np.ndarray:
    """The rows that hold a value in all these columns (else in one of them), if there are some and none keeps the rules."""
    nodes = [r.node for r in rules if isinstance(r, RowRule)]
    held = [~values.is_missing(pool, c) for c in columns if not any(tree.may_be_blank(n, c) for n in nodes)]
    fit = ~_any_broken(rules, pool)
    for present in (np.logical_and.reduce(held), *held) if held else ():
        if present.any() and not (present & fit).any():
            return np.flatnonzero(present)
    return np.array([], dtype=np.int64)


def _borrow(work: _Work, rng: Rng) -> None:
    pool = _pool(work)
    for group in groups_of(work.rules):
        mine = [work.rules[i] for i in group.rules]
        rows = np.flatnonzero(_any_broken(mine, work.cohort))
        if not len(rows):
            continue
        donors = pool.where(~_any_broken(mine, pool))
        if not len(donors):
            donors = _walked(work, group, pool, rng)
        if not len(donors):
            raise _unmet(mine)
        columns = group.columns or work.cohort.schema.names
        chosen = donors.frame[rng.choice(len(donors), len(rows))].select(columns)
        work.cohort = Cohort(_placed(work.cohort.frame, rows, chosen), work.cohort.schema)
        work.cells[rows] += len(columns)
    work.broken = _any_broken(work.rules, work.cohort)
    if work.broken.any():
        raise _unmet([r for r in work.rules if r.broken(work.cohort).any()])


def _walked(work: _Work, group: Group, pool: Cohort, rng: Rng) -> Cohort:
    """Rows that keep a group's rules, made from some of the pool's; they join the spare rows."""
    start = pool.take(rng.permutation(len(pool))[:MOST_WALKERS])
    mine = [work.rules[i] for i in group.rules]
    found = walk(start, mine, group.columns, lambda c: compute(c, mine)[0], rng) if group.columns else start.take(np.array([], dtype=np.int64))
    work.rules = [r.extended(found) if isinstance(r, RowRule) else r for r in work.rules]
    work.spare.append(found)
    return found


def _pool(work: _Work) -> Cohort:
    """Every synthetic row seen, computed with the rules as they stand now."""
    together = Cohort(pl.concat([work.cohort.frame, *(b.frame for b in work.spare)]), work.cohort.schema)
    return compute(together, work.rules)[0]


def _unmet(rules: Sequence[Rule]) -> RuleInvalid:
    names = ", ".join(f"`{r.name}`" for r in rules[:10])
    hint = "check whether the rules contradict each other or the bounds of the study file, and whether the source keeps them"
    return RuleInvalid("no synthetic row keeps these rules together", where=f"rules {names}", hint=hint)


def _any_broken(rules: Sequence[Rule], cohort: Cohort) -> np.ndarray:
    broken = np.zeros(len(cohort), dtype=np.bool_)
    for rule in rules:
        broken |= rule.broken(cohort)
    return broken


def _placed(frame: pl.DataFrame, rows: np.ndarray, by: pl.DataFrame) -> pl.DataFrame:
    """The frame with these rows' cells in ``by``'s columns replaced by ``by``, in order."""
    if not len(rows):
        return frame
    source = np.arange(frame.height, dtype=np.int64)
    source[rows] = frame.height + np.arange(len(rows))
    both = pl.concat([frame.select(by.columns), by.cast(frame.select(by.columns).schema)])
    return frame.with_columns(both[source])


def _matching(drawn: Cohort, like: Cohort) -> Cohort:
    frame = drawn.frame.select(like.schema.names)
    return Cohort(frame if frame.schema == like.frame.schema else frame.cast(like.frame.schema, strict=False), like.schema)
