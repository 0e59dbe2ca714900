"""Which patients the synthetic rows start from: strata of fixed sizes, seeds drawn inside them."""

from __future__ import annotations

import heapq

import numpy as np

from twinset.core.seeds import Rng
from twinset.generators.avatars.table import Table

IntArray = np.ndarray


def strata_of(table: Table, columns: tuple[str, ...], units: IntArray, least: int) -> IntArray:
    """The stratum of each row, integers from 0, shape (n,): combinations of the columns' levels.

    Strata with fewer than ``least`` patients are merged, smallest first, until none is left (or one stratum only).
    """
    names = table.names()
    chosen = [names.index(c) for c in columns if c in names]
    if not chosen:
        return np.zeros(len(table), dtype=np.int64)
    _, stratum = np.unique(table.codes[:, chosen], axis=0, return_inverse=True)
    stratum = stratum.ravel().astype(np.int64)
    pairs = np.unique(np.stack([stratum, units]), axis=1)[0] if len(units) else stratum
    return _merged(np.bincount(pairs), least)[stratum]


def _merged(patients: IntArray, least: int) -> IntArray:
    """A new number for each stratum: the smallest two are joined until all have ``least`` patients or one is left."""
    heap = [(int(p), s) for s, p in enumerate(patients)]
    heapq.heapify(heap)
    members = {s: [s] for s in range(len(patients))}
    while len(heap) > 1 and heap[0][0] < least:
        few, small = heapq.heappop(heap)
        more, other = heapq.heappop(heap)
        members[other] += members.pop(small)
        heapq.heappush(heap, (few + more, other))
    out = np.empty(len(patients), dtype=np.int64)
    for new, old in enumerate(sorted(members)):
        out[members[old]] = new
    return out


def draw_seeds(stratum: IntArray, n: int, rng: Rng, *, one_to_one: bool) -> IntArray:
    """``n`` seed rows: stratum sizes in proportion (largest remainder), inside a stratum with replacement or each row equally often."""
    sizes = np.bincount(stratum)
    exact = sizes * n / len(stratum)
    want = np.floor(exact).astype(np.int64)
    want[np.argsort(want - exact, kind="stable")[: n - want.sum()]] += 1
    seeds = [_inside(np.flatnonzero(stratum == s), int(w), rng, one_to_one=one_to_one) for s, w in enumerate(want)]
    return np.concatenate(seeds) if seeds else np.zeros(0, dtype=np.int64)


def _inside(rows: IntArray, n: int, rng: Rng, *, one_to_one: bool) -> IntArray:
    if not one_to_one:
        return np.sort(rows[rng.integers(0, len(rows), n)])
    whole, rest = divmod(n, len(rows))
    return np.sort(np.concatenate([np.tile(rows, whole), rng.permutation(rows)[:rest]]))
