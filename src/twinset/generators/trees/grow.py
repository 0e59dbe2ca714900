"""Growing one tree (numba): counting sorts, a gain test in place of pruning, leaves as slices of one row list.

Categories: Gini. Numbers: the Gini of every cumulative indicator, summed over quantile classes
(a gain in the continuous ranked probability score, which sees spread and shape as well as place).

A split is made only if it gains clearly more than a fixed cut that tells nothing: the parent's impurity per row on average,
with a spread that depends on how many classes there are. Depth-first, one thread, no randomness: the same rows give the same tree.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from twinset.core.contracts import IntArray

FEATURE, CUT, LEFT, RIGHT, START, END, PARENT = range(7)
STACK = 64


@njit(cache=True, nogil=True)
def _chance(counts: IntArray, m: int, ordinal: bool) -> tuple[float, float]:
    """What a pointless cut gains: its expectation, and the effective degrees of freedom of its (weighted chi-squared) distribution.

    Expectation: trace of the covariance of the class indicators, sum p (1 - p), or sum F (1 - F) of the cumulative ones.
    Degrees of freedom: trace squared over the trace of the square (Satterthwaite 1946).
    """
    trace, square = 0.0, 0.0
    if ordinal:
        below, inner = 0, 0.0
        for k in range(counts.size - 1):
            below += counts[k]
            f = below / m
            trace += f * (1.0 - f)
            square += (f * (1.0 - f)) ** 2 + 2.0 * inner * (1.0 - f) ** 2
            inner += f * f
    else:
        second, third = 0.0, 0.0
        for k in range(counts.size):
            p = counts[k] / m
            second += p * p
            third += p * p * p
        trace = 1.0 - second
        square = second - 2.0 * third + second * second
    return trace, trace * trace / max(square, 1e-12)


@njit(cache=True, nogil=True)
def _hurdle(freedom: float, gain: float, strictness: float) -> float:
    """How many expectations a gain must exceed: ``gain``, or where it is negative the chi-squared quantile ``strictness`` deviations up (Wilson and Hilferty 1931)."""
    if gain >= 0:
        return gain
    spread = 2.0 / (9.0 * max(freedom, 1.0))
    return float((1.0 - spread + strictness * np.sqrt(spread)) ** 3)


@njit(cache=True, nogil=True)
def _ordinal_score(left: IntArray, total: IntArray, n_left: int, m: int) -> float:
    """Sum of squared cumulative counts over rows, both sides."""
    square_left, square_right, low, all_low = 0, 0, 0, 0
    for k in range(total.size - 1):
        low += left[k]
        all_low += total[k]
        square_left += low * low
        square_right += (all_low - low) * (all_low - low)
    return square_left / n_left + square_right / (m - n_left)


@njit(cache=True, nogil=True)
def _best_cut(joint, size, total, m, ordinal, leaf):  # type: ignore[no-untyped-def]
    """The best boundary of one predictor from its counts, cells x classes: (sum of C^2 / n of both sides, last cell of the left side).

    A single cell in use gives (-2, -1): the predictor is constant here.
    """
    left = np.zeros(total.size, np.int64)
    best, where, n_left = -1.0, -1, 0
    square_left, square_right = 0, 0
    for k in range(total.size):
        square_right += total[k] * total[k]
    for cell in range(size):
        before = n_left
        for k in range(total.size):
            c = joint[cell, k]
            if c:
                n_left += c
                square_right -= c * (2 * (total[k] - left[k]) - c)
                square_left += c * (2 * left[k] + c)
                left[k] += c
        if n_left == m:
            return (-2.0 if before == 0 else best), where
        if n_left == before or n_left < leaf or m - n_left < leaf:
            continue
        score = _ordinal_score(left, total, n_left, m) if ordinal else square_left / n_left + square_right / (m - n_left)
        if score > best:
            best, where = score, cell
    return best, where


@njit(cache=True, nogil=True)
def _best_cut_sorted(begin, classes, size, total, m, ordinal, leaf):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """The same for small nodes, from the classes sorted by cell (``begin[c]``: one past the last row of cell c)."""
    left = np.zeros(total.size, np.int64)
    best, where, n_left = -1.0, -1, 0
    square_left, square_right = 0, 0
    for k in range(total.size):
        square_right += total[k] * total[k]
    for cell in range(size):
        before = n_left
        for i in range(n_left, begin[cell]):
            k = classes[i]
            square_right -= 2 * (total[k] - left[k]) - 1
            square_left += 2 * left[k] + 1
            left[k] += 1
        n_left = begin[cell]
        if n_left == m:
            return (-2.0 if before == 0 else best), where
        if n_left == before or n_left < leaf or m - n_left < leaf:
            continue
        score = _ordinal_score(left, total, n_left, m) if ordinal else square_left / n_left + square_right / (m - n_left)
        if score > best:
            best, where = score, cell
    return best, where


@njit(cache=True, nogil=True)
def _sort_by_cell(x, rows, y, begin, ordered):  # type: ignore[no-untyped-def]
    """Counting sort: classes in order of their cell, and one past the end of each cell."""
    begin[:] = 0
    for r in rows:
        begin[x[r]] += 1
    at = 0
    for c in range(begin.size):
        here = begin[c]
        begin[c] = at
        at += here
    for i in range(rows.size):
        c = x[rows[i]]
        ordered[begin[c]] = y[i]
        begin[c] += 1


@njit(cache=True, nogil=True)
def _best_split(cells, sizes, rows, y, total, active, ordinal, leaf, joint, begin, ordered):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """The best predictor and cut of a node: (score, feature, cut, predictors kept).

    Predictors that are constant here are dropped from ``active`` for good.
    """
    best, feature, cut, kept = -1.0, -1, -1, 0
    for f in active:
        x, size = cells[f], sizes[f]
        if rows.size * 2 > size * total.size:
            table = joint[:size, : total.size]
            table[:] = 0
            for i in range(rows.size):
                table[x[rows[i]], y[i]] += 1
            score, where = _best_cut(table, size, total, rows.size, ordinal, leaf)
        else:
            _sort_by_cell(x, rows, y, begin[:size], ordered)
            score, where = _best_cut_sorted(begin, ordered, size, total, rows.size, ordinal, leaf)
        if score == -2.0:
            continue
        active[kept] = f
        kept += 1
        if score > best:
            best, feature, cut = score, f, where
    return best, feature, cut, kept


@njit(cache=True, nogil=True)
def _unsplit(total: IntArray, m: int, ordinal: bool) -> float:
    """The score of a node as it is: sum of C^2 / n."""
    score, below = 0.0, 0
    for k in range(total.size - 1 if ordinal else total.size):
        below = below + total[k] if ordinal else total[k]
        score += below * below / m
    return score


@njit(cache=True, nogil=True)
def _partition(x: IntArray, rows: IntArray, spare: IntArray, cut: int) -> int:
    """Rows at or below the cut first, both sides in their old order; how many are below."""
    low = high = 0
    for i in range(rows.size):
        r = rows[i]
        if x[r] <= cut:
            rows[low] = r
            low += 1
        else:
            spare[high] = r
            high += 1
    rows[low:] = spare[:high]
    return low


@njit(cache=True, nogil=True)
def _tally(classes: IntArray, mine: IntArray, y: IntArray, n_classes: int) -> IntArray:
    """How many of these rows are of each class, int64 (classes,); the class of each is written to ``y``."""
    total = np.zeros(n_classes, np.int64)
    for i in range(mine.size):
        y[i] = classes[mine[i]]
        total[y[i]] += 1
    return total


@njit(cache=True, nogil=True)
def _branch(nodes, node, n_nodes, feature, cut, middle):  # type: ignore[no-untyped-def]
    """Make a leaf a fork: its children are the next two nodes, their rows begin and end at ``middle``."""
    start, end = nodes[node, START], nodes[node, END]
    nodes[node, FEATURE], nodes[node, CUT], nodes[node, LEFT], nodes[node, RIGHT] = feature, cut, n_nodes, n_nodes + 1
    nodes[n_nodes] = np.array([-1, 0, -1, -1, start, middle, node], np.int32)
    nodes[n_nodes + 1] = np.array([-1, 0, -1, -1, middle, end, node], np.int32)


@njit(cache=True, nogil=True)
def grow(cells, sizes, features, first, classes, n_classes, ordinal, leaf, gain, strictness):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, one loop over a stack
    """A tree for the classes of one column.

    ``cells``: uint8 (columns, n). ``sizes``: int64 (columns,). ``features``: int64 (p,), rows of ``cells`` that may split. ``first``: int64, those of them
    that split before all others, whatever they gain, until none of their cells share a leaf (but for the fewest patients of a leaf).
    ``classes``: uint8 (n,). Gives (nodes int32 (k, 7), rows int32 (n,)): a node is feature (-1 for a leaf), cut (cells <= cut go
    left), left, right, start, end, parent; its rows are ``rows[start:end]``, its children's slices lie inside.
    """
    n = classes.size
    rows, spare = np.arange(n).astype(np.int32), np.empty(n, np.int32)
    y, ordered = np.empty(n, np.uint8), np.empty(n, np.uint8)
    nodes = np.empty((2 * (n // leaf) + 1, 7), np.int32)
    widest = 1
    for f in features:
        widest = max(widest, sizes[f])
    joint, begin = np.empty((widest, n_classes), np.int32), np.empty(widest, np.int32)
    stack, live = np.zeros(STACK, np.int32), np.zeros(STACK, np.int64)
    active = np.empty((STACK, features.size), np.int64)
    active[0], live[0] = features, features.size
    nodes[0] = np.array([-1, 0, -1, -1, 0, n, -1], np.int32)
    n_nodes, top = 1, 1
    while top > 0:
        top -= 1
        node = stack[top]
        start, end = nodes[node, START], nodes[node, END]
        m = end - start
        if m < 2 * leaf or live[top] == 0:
            continue
        mine = rows[start:end]
        total = _tally(classes, mine, y, n_classes)
        impurity, freedom = _chance(total, m, ordinal)
        if impurity <= 1e-12:
            continue
        kept, feature, cut = live[top], -1, -1
        if first.size:
            _, feature, cut, _ = _best_split(cells, sizes, mine, y, total, first.copy(), ordinal, leaf, joint, begin, ordered)
        if feature < 0:
            best, feature, cut, kept = _best_split(cells, sizes, mine, y, total, active[top, : live[top]], ordinal, leaf, joint, begin, ordered)
            if feature < 0 or best - _unsplit(total, m, ordinal) <= _hurdle(freedom, gain, strictness) * impurity + 1e-9 * _unsplit(total, m, ordinal):
                continue
        middle = start + _partition(cells[feature], mine, spare, cut)
        _branch(nodes, node, n_nodes, feature, cut, middle)
        small = 0 if middle - start < end - middle else 1
        active[top + 1, :kept] = active[top, :kept]  # the larger child waits, so the stack stays below log2 n
        stack[top], stack[top + 1] = n_nodes + 1 - small, n_nodes + small
        live[top], live[top + 1] = kept, kept
        n_nodes += 2
        top += 2
    return nodes[:n_nodes].copy(), rows


@njit(cache=True, nogil=True)
def arrange(nodes: IntArray, rows: IntArray, by_value: IntArray) -> IntArray:
    """The donors: every leaf's slice of rows in order of their value, int32 (n,)."""
    leaf_of = np.empty(rows.size, np.int32)
    at = np.empty(nodes.shape[0], np.int32)
    for node in range(nodes.shape[0]):
        at[node] = nodes[node, START]
        if nodes[node, FEATURE] < 0:
            for i in range(nodes[node, START], nodes[node, END]):
                leaf_of[rows[i]] = node
    donors = np.empty(rows.size, np.int32)
    for r in by_value:
        node = leaf_of[r]
        donors[at[node]] = r
        at[node] += 1
    return donors
