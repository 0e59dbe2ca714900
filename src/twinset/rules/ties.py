"""Columns that are equal in some rows: always, or nearly so, where another column has one value."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from twinset.rules.seen import Candidate, Levels, Seen
from twinset.rules.tree import Chain, Constant, Implies, Name

CHANCE = -30.0  # natural logarithm, room for all that is looked at
FIRST_LOOK = 400
LEAST_ROWS = 20
LEAST_TIES = 0.05  # of the rows: below it two columns are taken to meet by chance
LEAST_VALUES = 10  # tied at so many different values, or it is one value that both often have
MOST_COLUMNS, MOST_LEVELS = 120, 6
NEARLY = 0.95
MOST_OTHERWISE = 0.5  # a near-equality says something where it holds at most this often in the other rows


def ties(seen: Seen) -> list[Candidate]:
    """``x == v -> a == b`` where it holds in at least 95 % of the rows looked at and chance does not explain it; the best ``x`` of each pair of columns."""
    names = list(seen.lines)[:MOST_COLUMNS]
    levels = [(n, of) for n, of in list(seen.levels.items())[:MOST_COLUMNS] if len(of.constants) <= MOST_LEVELS]
    found = []
    for a, b in combinations(names, 2):
        one, two = seen.lines[a], seen.lines[b]
        if one.type != two.type or not _meet(one.values[:FIRST_LOOK], two.values[:FIRST_LOOK], least=LEAST_TIES / 2):
            continue
        if not _meet(one.values, two.values, least=LEAST_TIES):
            continue
        known = ~(np.isnan(one.values) | np.isnan(two.values))
        same = known & (one.values == two.values)
        made = [c for n, of in levels if n not in (a, b) for c in _given(n, of, known, same, (a, b))]
        found += [max(made, key=lambda c: c.strength)] if made else []
    return found


def _meet(one: np.ndarray, two: np.ndarray, *, least: float) -> bool:
    known = ~(np.isnan(one) | np.isnan(two))
    same = known & (one == two)
    n, n_same = int(known.sum()), int(same.sum())
    if n < LEAST_ROWS or not least * n < n_same < n:
        return False
    return len(np.unique(one[same])) >= min(LEAST_VALUES, n_same)


def _given(name: str, levels: Levels, known: np.ndarray, same: np.ndarray, pair: tuple[str, str]) -> list[Candidate]:
    found = []
    for i, constant in enumerate(levels.constants):
        rows = known & (levels.codes == i)
        others = known & ~rows & (levels.codes >= 0)
        n, n_same, n_others = int(rows.sum()), int((same & rows).sum()), int(others.sum())
        if n < LEAST_ROWS or n_others < LEAST_ROWS or n_same < NEARLY * n:
            continue
        elsewhere = float((same & others).sum()) / n_others
        rate = float(same.sum()) / float(known.sum())
        if elsewhere > MOST_OTHERWISE or n_same * math.log(rate) > CHANCE:
            continue
        found.append(_candidate(name, constant, pair, n_same * -math.log(rate)))
    return found


def _candidate(name: str, constant: Constant, pair: tuple[str, str], strength: float) -> Candidate:
    a, b = pair
    node = Implies(Chain((Name(name), constant), ("==",)), Chain((Name(a), Name(b)), ("==",)))
    return Candidate(node, f"`{a}` and `{b}` are the same where `{name}` has this value", strength)
