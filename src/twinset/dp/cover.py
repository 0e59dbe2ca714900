"""A few larger tables from which all the small ones follow: fewer passes over the rows, the same integers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

IntArray = np.ndarray
Axes = tuple[int, ...]


@dataclass(frozen=True)
class Covering:
    """One table to be counted: its columns in order, and the places in the workload of the marginals taken from it."""

    axes: Axes
    places: tuple[int, ...]


def cover(cliques: Sequence[Axes], sizes: Sequence[int], *, most: int, widest: int) -> tuple[Covering, ...]:
    """Tables of at most ``most`` cells and ``widest`` columns that hold every clique at least once; a clique beyond that is its own table.

    Greedy: start from the largest clique left, add the column that completes most of those left for its size, until none fits.
    Small tables win: beyond the processor's cache every row costs a trip to memory.
    """
    member = np.zeros((len(cliques), len(sizes)), dtype=bool)
    for i, clique in enumerate(cliques):
        member[i, list(clique)] = True
    width, logs = member.sum(axis=1), np.log(np.maximum(sizes, 1.5))
    left = np.ones(len(cliques), dtype=bool)
    largest_first = np.argsort([-math.prod(sizes[a] for a in c) for c in cliques], kind="stable")
    tables = []
    for start in largest_first:
        if left[start]:
            axes = _grow(sorted(set(cliques[start])), member[left], width[left], (np.asarray(sizes), logs), (most, widest))
            inside = left & (member[:, axes].sum(axis=1) == width)
            left &= ~inside
            tables.append(Covering(tuple(axes), tuple(np.flatnonzero(inside).tolist())))
    return tuple(tables)


def _grow(axes: list[int], member: np.ndarray, width: np.ndarray, columns: tuple[IntArray, np.ndarray], limits: tuple[int, int]) -> list[int]:
    (sizes, logs), (most, widest) = columns, limits
    inside = member[:, axes].sum(axis=1)
    n_cells = math.prod(int(sizes[a]) for a in axes)
    while len(axes) < widest:
        missing_one = member[inside == width - 1].copy()
        missing_one[:, axes] = False
        gain = missing_one.sum(axis=0) / logs
        gain[sizes * n_cells > most] = 0.0
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        axes.append(best)
        inside = inside + member[:, best]
        n_cells *= int(sizes[best])
    return sorted(axes)


def marginals(table: IntArray, axes: Axes, cliques: Iterable[Axes]) -> list[IntArray]:
    """The counts of each clique (axes in the clique's own order) from a table over ``axes``.

    Sums one column out at a time, and shares what two cliques have in common.
    """
    known: dict[frozenset[int], tuple[IntArray, Axes]] = {frozenset(axes): (table, axes)}

    def reduced(wanted: frozenset[int]) -> tuple[IntArray, Axes]:
        if wanted not in known:
            extra = min(frozenset(axes) - wanted)
            larger, order = reduced(wanted | {extra})
            known[wanted] = larger.sum(axis=order.index(extra)), tuple(a for a in order if a != extra)
        return known[wanted]

    out = []
    for clique in cliques:
        counts, order = reduced(frozenset(clique))
        out.append(np.asarray(np.asarray(counts).transpose([order.index(a) for a in clique]), order="C"))
    return out


def all_of(columns: int, ways: int) -> tuple[Axes, ...]:
    """All marginals of so many columns.

    >>> len(all_of(15, 3))
    455
    """
    return tuple(itertools.combinations(range(columns), ways))
