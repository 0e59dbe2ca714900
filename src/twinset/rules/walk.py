"""Rows that keep rules which the model almost never keeps together, found cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Rule
from twinset.core.seeds import Rng
from twinset.rules import values

STEPS_PER_COLUMN = 100
MOST_STEPS = 2_000

Settle = Callable[[Cohort], Cohort]


def walk(start: Cohort, rules: Sequence[Rule], columns: Sequence[str], settle: Settle, rng: Rng) -> Cohort:
    """Those rows that come to keep all rules when cells are exchanged at random.

    At each step one column of the rows still at fault takes the present values of other rows of ``start`` (synthetic
    rows, never real ones), is settled, and keeps them where no more rules are broken than before: the local search of
    Selman, Kautz and Cohen (1994, WalkSAT), all rows at once. Values stay in the columns they came from and no cell
    becomes missing but where a rule wants it. Comes back empty where the search finds nothing: the rules may contradict
    each other.
    """
    rows = settle(start)
    faults = _faults(rules, rows)
    stock = {c: np.flatnonzero(~values.is_missing(start, c)) for c in columns}
    movable = [c for c in columns if len(stock[c])]
    for _ in range(min(STEPS_PER_COLUMN * len(movable), MOST_STEPS)):
        if not faults.any():
            break
        column = movable[int(rng.integers(len(movable)))]
        taken = start[column].gather(rng.choice(stock[column], len(rows)))
        moved = settle(Cohort(rows.frame.with_columns(taken.alias(column)), rows.schema))
        after = _faults(rules, moved)
        better = (after <= faults) & (faults > 0)
        source = np.arange(len(rows)) + len(rows) * better
        rows = Cohort(pl.concat([rows.frame, moved.frame])[source], rows.schema)
        faults = np.where(better, after, faults)
    return rows.where(faults == 0)


def _faults(rules: Sequence[Rule], cohort: Cohort) -> np.ndarray:
    """How many rules each row breaks."""
    return np.asarray(np.sum([r.broken(cohort) for r in rules], axis=0, dtype=np.int64))
