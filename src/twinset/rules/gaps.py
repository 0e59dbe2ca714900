"""Structural missingness: which values of one column go with a gap in another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from twinset.rules.seen import Candidate, Levels, Seen
from twinset.rules.tree import Chain, Constant, Implies, Member, Name, Node, Presence, Same

LEAST_ROWS = 20
CHANCE = -30.0  # natural logarithm: one in 10^13, room for all the pairs looked at
MOST_MASKS = 80
MOST_CONDITIONS = 80
MOST_LISTED = 6
LEAST_SHARE = 0.1  # of the gaps that a condition must explain


@dataclass(frozen=True, repr=False)
class _Condition:
    """A candidate and, bool (n,), the rows that it says are missing."""

    candidate: Candidate
    rows: np.ndarray


def blocks(seen: Seen) -> list[Candidate]:
    """Columns missing in the very same rows."""
    found = []
    for first, *others in _same_mask(seen):
        mask = seen.gaps[first]
        support = int(min(mask.sum(), (~mask).sum()))
        if support >= LEAST_ROWS:
            why = "both are missing in the same rows"
            found += [Candidate(Same(Presence(first, True), Presence(other, True)), why, support) for other in others]
    return found


def conditions(seen: Seen) -> list[Candidate]:
    """For each block of gaps: the levels, and the bound on a number, under which it is always missing.

    The better of the two, and the other where it explains gaps that the first does not.
    """
    found = []
    for block in _same_mask(seen)[:MOST_MASKS]:
        name, mask = block[0], seen.gaps[block[0]]
        by_level = [_by_level(name, mask, c, levels) for c, levels in list(seen.levels.items())[:MOST_CONDITIONS] if c not in block]
        numbers = [(c, line.values) for c, line in list(seen.lines.items())[:MOST_CONDITIONS] if line.type == "number" and c not in block]
        by_bound = [_by_bound(name, mask, c, values) for c, values in numbers]
        best = [max((c for c in side if c), key=lambda c: c.candidate.strength, default=None) for side in (by_bound, by_level)]
        ranked = sorted((c for c in best if c), key=lambda c: -c.candidate.strength)
        found += [c.candidate for c in ranked if c is ranked[0] or (c.rows & ~ranked[0].rows).sum() >= LEAST_SHARE * mask.sum()]
    return found


def _same_mask(seen: Seen) -> list[list[str]]:
    groups: dict[bytes, list[str]] = {}
    for name, mask in seen.gaps.items():
        groups.setdefault(np.packbits(mask).tobytes(), []).append(name)
    return list(groups.values())


def _by_level(name: str, mask: np.ndarray, other: str, levels: Levels) -> _Condition | None:
    size = len(levels.constants)
    known = levels.codes >= 0
    totals = np.bincount(levels.codes[known], minlength=size)
    gaps = np.bincount(levels.codes[known], weights=mask[known], minlength=size).astype(np.int64)
    always, never = (gaps == totals) & (totals > 0), gaps == 0
    rows = int(totals[always].sum())
    rate = gaps.sum() / max(known.sum(), 1)
    if rows < max(LEAST_ROWS, LEAST_SHARE * mask.sum()) or not 0 < rate < 1 or totals[always].min() < 3 or rows * math.log(rate) > CHANCE:
        return None
    node = _is_one_of(other, levels.constants, always)
    if node is None or (levels.numeric and isinstance(node, Member)):
        return None
    both = bool((always | never).all()) and int(totals[never].sum()) >= LEAST_ROWS
    strength = rows * -math.log(rate) * (2 if both else 1)
    where = np.append(always, False)[levels.codes]
    if both:
        return _Condition(Candidate(Same(node, Presence(name, True)), f"`{name}` is missing for exactly these values of `{other}`", strength), where)
    return _Condition(
        Candidate(Implies(node, Presence(name, True)), f"`{name}` is missing in all {rows:,} rows looked at that have this value of `{other}`", strength), where
    )


def _is_one_of(column: str, constants: tuple[Constant, ...], chosen: np.ndarray) -> Node | None:
    inside = [c for c, yes in zip(constants, chosen, strict=True) if yes]
    outside = [c for c, yes in zip(constants, chosen, strict=True) if not yes]
    if len(inside) == 1:
        return Chain((Name(column), inside[0]), ("==",))
    if len(outside) == 1:
        return Chain((Name(column), outside[0]), ("!=",))
    return Member(Name(column), tuple(inside), False) if len(inside) <= MOST_LISTED else None


def _by_bound(name: str, mask: np.ndarray, other: str, values: np.ndarray) -> _Condition | None:
    known = ~np.isnan(values)
    held = values[~mask & known]
    if known.mean() < 0.95 or not len(held):
        return None
    rate = mask[known].mean()
    best: _Condition | None = None
    for op, bound in (("<", held.min()), (">", held.max())):
        where = values < bound if op == "<" else values > bound
        rows = int(where.sum())
        if not float(bound).is_integer() or rows < max(LEAST_ROWS, LEAST_SHARE * mask.sum()) or not 0 < rate < 1 or rows * math.log(rate) > CHANCE:
            continue
        node = Implies(Chain((Name(other), Constant(float(bound), "number")), (op,)), Presence(name, True))
        why = f"`{name}` is missing in all {rows:,} rows looked at beyond this bound of `{other}`, which is the last value seen with it present"
        if best is None or rows * -math.log(rate) > best.candidate.strength:
            best = _Condition(Candidate(node, why, rows * -math.log(rate)), where)
    return best
