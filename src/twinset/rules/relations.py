"""Relations between values that hold in every row: dependence, order, sums."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np

from twinset.rules.seen import Candidate, Levels, Seen
from twinset.rules.tree import Binary, Chain, Derive, Follows, Name

CHANCE = -30.0
FIRST_LOOK = 400
MOST_COLUMNS = 120
MOST_IN_SUMS = 40
LEAST_ROWS = 50
TRIVIAL = 0.98  # an order that shuffled columns keep this often says nothing


def dependences(seen: Seen) -> list[Candidate]:
    """``b follows a`` among columns of few values; of two that determine each other only the later follows."""
    names = list(seen.levels)[:MOST_COLUMNS]
    fits = {(a, b): s for a, b in permutations(names, 2) if (s := _determines(seen.levels[a], seen.levels[b]))}
    alias = {b for a, b in fits if (b, a) in fits and seen.order[a] < seen.order[b]}  # says no more than an earlier column
    kept = {(a, b): s for (a, b), s in fits.items() if a not in alias and (seen.order[a] < seen.order[b] or (b, a) not in fits)}
    found = []
    for (a, b), strength in kept.items():
        between = any((a, m) in kept and (m, b) in kept for m in names if m not in (a, b))
        if not between:
            found.append(Candidate(Follows(b, (a,)), f"each value of `{a}` goes with one value of `{b}`", strength))
    return found


def orders(seen: Seen) -> list[Candidate]:
    """``a <= b`` between columns on one scale, where shuffled columns would break it."""
    names = list(seen.lines)[:MOST_COLUMNS]
    fits = {
        (a, b): s for a, b in permutations(names, 2) if seen.lines[a].type == seen.lines[b].type and (s := _below(seen.lines[a].values, seen.lines[b].values))
    }
    found = []
    for (a, b), strength in fits.items():
        between = any((a, m) in fits and (m, b) in fits for m in names if m not in (a, b))
        if not between and (b, a) not in fits:
            found.append(Candidate(Chain((Name(a), Name(b)), ("<=",)), f"`{a}` is never above `{b}`", strength))
    return found


def sums(seen: Seen) -> list[Candidate]:
    """Columns that are the sum or the difference of two others, or equal to another, to the last digit."""
    names = [n for n, line in seen.lines.items() if line.type == "number"][:MOST_IN_SUMS]
    if not names:
        return []
    look = np.arange(min(seen.n, FIRST_LOOK)) * seen.n // max(min(seen.n, FIRST_LOOK), 1)
    table = np.column_stack([seen.lines[n].values[look] for n in names])
    found: list[Candidate] = []
    for i, j in combinations(range(len(names)), 2):
        total = table[:, i] + table[:, j]
        close = np.isnan(table) | np.isnan(total)[:, None] | (np.abs(table - total[:, None]) <= 1e-9 * np.maximum(1.0, np.abs(total))[:, None])
        hits = [k for k in np.flatnonzero(close.all(axis=0)) if k not in (i, j)]
        found.extend(c for k in hits if (c := _sum(seen, names[i], names[j], names[k])))
    return found + _equals(seen, names)


def _determines(a: Levels, b: Levels) -> float:
    """How surprising it is (minus the logarithm of the chance) that each level of a has one of b; 0 where it does not hold."""
    if len(b.constants) > len(a.constants):
        return 0.0
    size = len(b.constants)
    for part in (slice(0, FIRST_LOOK), slice(None)):
        known = (a.codes[part] >= 0) & (b.codes[part] >= 0)
        pairs = np.bincount(a.codes[part][known] * size + b.codes[part][known], minlength=size * len(a.constants)).reshape(-1, size)
        if ((pairs > 0).sum(axis=1) > 1).any():
            return 0.0
    per_a, per_b = pairs.sum(axis=1), pairs.sum(axis=0)
    n = int(per_a.sum())
    if n < LEAST_ROWS or (per_b > 0).sum() < 2 or n < 10 * (per_a > 0).sum():
        return 0.0
    share = per_b[per_b > 0] / n
    most = float(share.max())
    chance = sum(k * math.log(most) + math.log(float(np.sum((share / most) ** k))) for k in per_a[per_a > 0])
    return -chance if chance < CHANCE else 0.0


def _below(a: np.ndarray, b: np.ndarray) -> float:
    first = slice(0, FIRST_LOOK)
    if (a[first] > b[first]).any() or (a > b).any():
        return 0.0
    both = ~(np.isnan(a) | np.isnan(b))
    n = int(both.sum())
    if n < LEAST_ROWS:
        return 0.0
    one, two = a[both], b[both]
    kept = float(np.mean([np.mean(one <= np.roll(two, s)) for s in (n // 7 + 1, n // 3 + 1, n // 2 + 1)]))
    if kept >= TRIVIAL or n * math.log(max(kept, 1e-9)) > CHANCE or not (one < two).any():
        return 0.0
    return -n * math.log(max(kept, 1e-9))


def _sum(seen: Seen, i: str, j: str, k: str) -> Candidate | None:
    one, two, total = (seen.lines[n].values for n in (i, j, k))
    known = ~(np.isnan(one) | np.isnan(two) | np.isnan(total))
    if known.sum() < LEAST_ROWS or np.mean(one[known] != 0) < 0.2 or np.mean(two[known] != 0) < 0.2:
        return None
    last = max((i, j, k), key=lambda n: seen.order[n])
    node = Derive(k, Binary("+", Name(i), Name(j))) if last == k else Derive(last, Binary("-", Name(k), Name(j if last == i else i)))
    return Candidate(node, f"`{k}` is the sum of `{i}` and `{j}`", float(known.sum()))


def _equals(seen: Seen, names: list[str]) -> list[Candidate]:
    found = []
    for a, b in combinations(names, 2):
        one, two = seen.lines[a].values, seen.lines[b].values
        known = ~(np.isnan(one) | np.isnan(two))
        if known.sum() >= LEAST_ROWS and bool((one[known] == two[known]).all()):
            found.append(Candidate(Derive(b, Name(a)), f"`{b}` repeats `{a}`", float(known.sum())))
    return found
