"""Drawing (numba): rows fall to their leaves, leaves deal out their donors evenly."""

from __future__ import annotations

import numpy as np
from numba import njit

from twinset.core.contracts import IntArray
from twinset.generators.trees.grow import CUT, END, FEATURE, LEFT, PARENT, RIGHT, START

SWAPS = 12
PICKS = 24


@njit(cache=True, nogil=True)
def descend(nodes: IntArray, cells: IntArray, n: int) -> IntArray:
    """The leaf each of n rows falls to, int32 (n,). ``cells``: uint8 (columns, n)."""
    leaf_of = np.zeros(n, np.int32)
    for i in range(n):
        node = 0
        while nodes[node, FEATURE] >= 0:
            node = nodes[node, LEFT] if cells[nodes[node, FEATURE], i] <= nodes[node, CUT] else nodes[node, RIGHT]
        leaf_of[i] = node
    return leaf_of


@njit(cache=True, nogil=True)
def _next(state: IntArray) -> float:
    """Uniform on [0, 1) (splitmix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def _given(gave: IntArray, donor: int) -> bool:
    """Whether this person already gave a value to the row."""
    for g in gave:  # noqa: SIM110 - compiled
        if g == donor:
            return True
    return False


@njit(cache=True, nogil=True)
def _elsewhere(nodes, node, donors, gave, state):  # type: ignore[no-untyped-def]
    """A donor of the leaf who has not given yet, else of its parent, and so on; anybody if all have."""
    donor = donors[nodes[node, START]]
    while node >= 0:
        start, m = nodes[node, START], nodes[node, END] - nodes[node, START]
        for _ in range(PICKS):
            donor = donors[start + int(_next(state) * m)]
            if not _given(gave, donor):
                return donor
        node = nodes[node, PARENT]
    return donor


@njit(cache=True, nogil=True)
def _by_leaf(leaf_of: IntArray, n_nodes: int) -> tuple[IntArray, IntArray]:
    """(begin int64 (nodes + 1,), rows int32 (n,)): the rows of each node, one after another."""
    begin = np.zeros(n_nodes + 1, np.int64)
    for leaf in leaf_of:
        begin[leaf + 1] += 1
    for node in range(n_nodes):
        begin[node + 1] += begin[node]
    at, rows = begin[:-1].copy(), np.empty(leaf_of.size, np.int32)
    for i in range(leaf_of.size):
        rows[at[leaf_of[i]]] = i
        at[leaf_of[i]] += 1
    return begin, rows


@njit(cache=True, nogil=True)
def _normal(state: IntArray) -> float:
    """Standard normal (Box and Muller)."""
    return float(np.sqrt(-2.0 * np.log(1.0 - _next(state))) * np.cos(2.0 * np.pi * _next(state)))


@njit(cache=True, nogil=True)
def _deal_leaf(mine: IntArray, donors: IntArray, chosen: IntArray, state: IntArray) -> None:
    """The rows of one leaf in random order take its donors evenly."""
    k, m = mine.size, donors.size
    u = _next(state)
    for i in range(k - 1, 0, -1):
        j = int(_next(state) * (i + 1))
        mine[i], mine[j] = mine[j], mine[i]
    for i in range(k):
        chosen[mine[i]] = donors[min(m - 1, int((i + u) * m / k))]


@njit(cache=True, nogil=True)
def _quantile(p: float) -> float:
    """Of the standard normal law (Acklam's rational approximation, error below 1.2e-9 of the value)."""
    q = p if p < 0.5 else 1.0 - p
    if q < 0.02425:
        r = np.sqrt(-2.0 * np.log(q))
        x = (
            ((((-7.784894002430293e-03 * r - 3.223964580411365e-01) * r - 2.400758277161838) * r - 2.549732539343734) * r + 4.374664141464968) * r
            + 2.938163982698783
        ) / ((((7.784695709041462e-03 * r + 3.224671290700398e-01) * r + 2.445134137142996) * r + 3.754408661907416) * r + 1.0)
    else:
        d = q - 0.5
        r = d * d
        x = (
            (
                ((((-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02) * r + 1.383577518672690e02) * r - 3.066479806614716e01) * r
                + 2.506628277459239
            )
            * d
            / (
                ((((-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02) * r + 6.680131188771972e01) * r - 1.328068155288572e01) * r
                + 1.0
            )
        )
    return x if p < 0.5 else -x


@njit(cache=True, nogil=True)
def _join(mine, chosen, y, score, state):  # type: ignore[no-untyped-def]
    """The donors that these rows hold, in order of ``y``, are handed round to the rows in order of their score with as much noise as leaves y's regression on it as it is.

    If y is a monotone function of score + noise, normal with variance t², cov(y, score) / var(score) is K / t, K the mean of y times its normal scores: so t = K.
    ``mine`` is put in that order.
    """
    k = mine.size
    held, values = chosen[mine], np.empty(k, np.float64)
    for i in range(k):
        values[i] = y[held[i]]
    order = np.argsort(values, kind="mergesort")
    spread, mean, square = 0.0, 0.0, 0.0
    for i in range(k):
        spread += values[order[i]] * _quantile((i + 0.5) / k) / k
        mean += score[mine[i]] / k
    for i in range(k):
        square += (score[mine[i]] - mean) ** 2 / k
    noise, wish, u = np.sqrt(max(spread * spread - square, 0.0)), np.empty(k, np.float64), _next(state)
    by_score = np.argsort(score[mine], kind="mergesort")
    for i in range(k):
        u = (u + 0.6180339887498949) % 1.0
        wish[by_score[i]] = score[mine[by_score[i]]] + noise * _quantile(min(max(u, 1e-9), 1 - 1e-9))
    rows = mine[np.argsort(wish)]
    for i in range(k):
        mine[i] = rows[i]
        chosen[rows[i]] = held[order[i]]


@njit(cache=True, nogil=True)
def _swap(at: int, mine: IntArray, chosen: IntArray, given: IntArray, state: IntArray) -> bool:
    """Exchange a row's donor with that of another row of the leaf, the nearest in order that suits both, if a few tries find one."""
    row, side = mine[at], 1 if _next(state) < 0.5 else -1
    for i in range(2, SWAPS + 2):
        there = at + side * (i // 2)
        side = -side
        if 0 <= there < mine.size:
            other = mine[there]
            if not _given(given[row], chosen[other]) and not _given(given[other], chosen[row]):
                chosen[row], chosen[other] = chosen[other], chosen[row]
                return True
    return False


@njit(cache=True, nogil=True)
def deal(nodes, leaf_of, donors, ranks, given, slot, ys, scores, seed):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """Donors of one column for n rows, int32 (n,).

    The k rows of a leaf with m donors take donors floor((i + u) m / k) of the leaf sorted by value: every donor serves floor or ceil of k/m rows.
    Which row gets which: at random, or where there are ``ys`` float32 (scores, train rows) and ``scores`` float32 (scores, n) as each score in turn orders
    the donors that have a part in it (``_join``).
    Nobody gives one row two values: swap within the leaf, else another donor of the leaf, else of its parent. Where all donors of a leaf hold the same
    value the question does not arise. ``given``: int32 (n, slots), who gave so far (-1: nobody); written at ``slot``.
    """
    state = np.array([seed], np.uint64)
    begin, rows = _by_leaf(leaf_of, nodes.shape[0])
    chosen = np.empty(leaf_of.size, np.int32)
    for node in range(nodes.shape[0]):
        mine, own = rows[begin[node] : begin[node + 1]], donors[nodes[node, START] : nodes[node, END]]
        if mine.size == 0:
            continue
        _deal_leaf(mine, own, chosen, state)
        alike = ranks[own[0]] == ranks[own[-1]]
        if not alike:
            for c in range(ys.shape[0]):
                part = mine[~np.isnan(ys[c][chosen[mine]])]
                if part.size > 1:
                    _join(part, chosen, ys[c], scores[c], state)
                if part.size == mine.size:
                    mine[:] = part
        for at in range(mine.size):
            row = mine[at]
            if not alike and _given(given[row], chosen[row]) and not _swap(at, mine, chosen, given, state):
                chosen[row] = _elsewhere(nodes, node, donors, given[row], state)
        for row in mine:
            given[row, slot] = -1 if alike else chosen[row]
    return chosen
