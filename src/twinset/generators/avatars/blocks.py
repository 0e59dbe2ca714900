"""Which category columns are drawn together: declared blocks, and columns that depend on each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twinset.generators.avatars.table import Table

IntArray = np.ndarray

MOST_DRIVERS = 6  # columns of a block that are not functions of another one in it
WIDE = 250  # beyond so many distinct columns, only near ones (in file order) are compared
REACH = 12  # how near
ROWS = 12_000
STRONG = 0.5  # a weaker dependence joins blocks only if few rows get a rare combination
FEW_ROWS = 5  # a combination held by fewer rows is rare
MOST_RARE = 0.02  # share of rows


def find_blocks(table: Table, declared: Sequence[Sequence[str]], *, least: float = 0.08) -> tuple[tuple[int, ...], ...]:
    """Groups of category columns (positions in ``table.codes``), every column in exactly one.

    Declared blocks first (names; the marks of a number go by its name). The others are joined, strongest pair first, where
    mutual information over the smaller entropy, both beyond chance, is above ``least``; at most six columns that are not
    functions of each other, and below one half only while at most 2 % of the rows have a combination that fewer than 5 rows have:
    a block is copied from one patient, so a rare combination is a disclosure. Columns that split the rows alike are always together. Above 250 columns only pairs at most
    12 columns apart are compared.
    """
    names = table.names()
    rows = np.arange(0, len(table), max(1, len(table) // ROWS))
    codes = [_dense(table.codes[rows, j]) for j in range(len(names))]
    taken = {names.index(c) for block in declared for c in block if c in names}
    blocks = [tuple(sorted({names.index(c) for c in block if c in names})) for block in declared]
    alike: dict[bytes, list[int]] = {}
    for j in range(len(names)):
        if j not in taken:
            alike.setdefault(codes[j].tobytes(), []).append(j)
    groups = list(alike.values())
    heads = [codes[g[0]] for g in groups]
    joined = _join(heads, _pairs(heads, least))
    blocks += [tuple(sorted(j for g in block for j in groups[g])) for block in joined]
    return tuple(b for b in blocks if b)


def _dense(codes: IntArray) -> IntArray:
    """Codes renamed in the order of first appearance: equal for columns that split the rows alike."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse.ravel()])


def _pairs(codes: Sequence[IntArray], least: float) -> list[tuple[float, int, int, int]]:
    """(dependence, a, b, which): which = 1 if b is a function of a, 2 if a is one of b, 0 neither; strongest first."""
    m = len(codes)
    order = np.random.default_rng(0).permutation(len(codes[0])) if m else np.zeros(0, dtype=np.int64)
    sizes = [int(c.max()) + 1 if len(c) else 1 for c in codes]
    entropies = [_entropy(np.bincount(c)) for c in codes]
    out = []
    reach = m if m <= WIDE else REACH
    for a, b in ((i, j) for i in range(m) for j in range(i + 1, min(m, i + 1 + reach))):
        lower = min(entropies[a], entropies[b])
        if lower <= 1e-9:
            continue
        joint, cells = _joint(codes[a], codes[b], sizes[b])
        shared = entropies[a] + entropies[b] - joint
        if shared <= least * lower:
            continue
        chance = entropies[a] + entropies[b] - _joint(codes[a], codes[b][order], sizes[b])[0]
        beyond = (shared - chance) / (lower - chance) if lower - chance > 0.02 * lower else 0.0
        if beyond > least:
            out.append((float(beyond), a, b, 1 if cells == sizes[a] else 2 if cells == sizes[b] else 0))
    return sorted(out, key=lambda p: (-round(p[0], 9), p[1], p[2]))


def _entropy(counts: IntArray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _joint(a: IntArray, b: IntArray, size: int) -> tuple[float, int]:
    """Joint entropy, and how many cells are occupied."""
    cells = a.astype(np.int64) * size + b
    counts = np.bincount(cells) if cells.max(initial=0) < 200_000 else np.unique(cells, return_counts=True)[1]
    return _entropy(counts), int(np.count_nonzero(counts))


def _join(codes: Sequence[IntArray], pairs: Sequence[tuple[float, int, int, int]]) -> list[list[int]]:
    """Blocks grown along the pairs while a block has at most six drivers and few rare combinations."""
    block_of = list(range(len(codes)))
    members = {i: [i] for i in block_of}
    cells = dict(enumerate(codes))
    follows: dict[int, set[int]] = {i: set() for i in block_of}
    for _, a, b, which in pairs:
        if which:
            follows[b if which == 1 else a].add(a if which == 1 else b)
    for strength, a, b, _which in pairs:
        left, right = block_of[a], block_of[b]
        if left == right or _drivers(members[left] + members[right], follows) > MOST_DRIVERS:
            continue
        both = np.unique(cells[left].astype(np.int64) * (int(cells[right].max()) + 1) + cells[right], return_inverse=True)[1].ravel()
        if strength <= STRONG and _rare(both) > MOST_RARE:
            continue
        cells[left] = both
        members[left] += members[right]
        for j in members.pop(right):
            block_of[j] = left
    return [sorted(block) for block in members.values()]


def _rare(cells: IntArray) -> float:
    """Share of the rows whose combination fewer than 5 rows have."""
    return float((np.bincount(cells)[cells] < FEW_ROWS).mean())


def _drivers(columns: Sequence[int], follows: dict[int, set[int]]) -> int:
    """Columns of the set that are not a function of another column of it."""
    here = set(columns)
    return sum(not (follows[c] & here) for c in columns)
