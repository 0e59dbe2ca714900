"""Rows from a model, by systematic rounding along the tree: the sample's marginals stay within a rounding of the model's."""

from __future__ import annotations

import numba
import numpy as np

from twinset.core.seeds import Rng
from twinset.generators.marginals.model import FloatArray, IntArray, TreeModel


def draw(model: TreeModel, n: int, rng: Rng) -> IntArray:
    """``n`` rows as cells: int32 (attributes, n).

    The root's table is rounded to ``n`` rows by systematic sampling; then, clique by clique, the rows that share a separator's cell are put in
    random order and the new attributes are dealt to them by systematic sampling from the conditional table. The random order is what
    keeps children of one parent independent given the parent.
    """
    out = np.zeros((len(model.sizes), n), dtype=np.int32)
    for c, clique in enumerate(model.tree.cliques):
        shared = model.tree.separators[c]
        new = tuple(a for a in clique if a not in shared)
        table = model.table(c).transpose([clique.index(a) for a in (*shared, *new)])
        groups = int(np.prod(table.shape[: len(shared)], dtype=np.int64))
        weights = np.ascontiguousarray(table.reshape(groups, -1))
        group = np.zeros(n, dtype=np.int32)
        for a in shared:
            group = group * model.sizes[a] + out[a]
        cells = deal(weights, group, rng.permutation(n), rng.random(groups))
        for a, codes in zip(new, np.unravel_index(cells, table.shape[len(shared) :]), strict=True):
            out[a] = codes
    return out[:, rng.permutation(n)]


@numba.njit(cache=True, nogil=True)
def deal(weights: FloatArray, group: IntArray, order: IntArray, offset: FloatArray) -> IntArray:
    """A cell for every row: within each group, rows in ``order`` take the cells at equally spaced points of the cumulative weights."""
    n_groups, width = weights.shape
    size = np.zeros(n_groups + 1, dtype=np.int64)
    for i in range(len(group)):
        size[group[i] + 1] += 1
    for g in range(n_groups):
        size[g + 1] += size[g]
    at = size[:-1].copy()
    rows = np.empty(len(group), dtype=np.int64)
    for i in range(len(order)):
        g = group[order[i]]
        rows[at[g]] = order[i]
        at[g] += 1
    out = np.zeros(len(group), dtype=np.int64)
    for g in range(n_groups):
        m = size[g + 1] - size[g]
        if m == 0:
            continue
        total = 0.0
        for k in range(width):
            total += weights[g, k]
        k = 0
        reached = weights[g, 0] if total > 0.0 else 1.0
        step = (total if total > 0.0 else float(width)) / m
        for j in range(m):
            point = (j + offset[g]) * step
            while reached <= point and k < width - 1:
                k += 1
                reached += weights[g, k] if total > 0.0 else 1.0
            out[rows[size[g] + j]] = k
    return out
