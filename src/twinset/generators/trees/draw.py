"""Drawing (numba): rows fall to their leaves, leaves deal out their donors evenly."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numba import njit

from twinset.core.contracts import FloatArray, IntArray
from twinset.generators.trees.grow import CUT, END, FEATURE, LEFT, PARENT, RIGHT, START

SWAPS = 12
CELLS = 24
BLOCK = 8  # rows next to each other in score whose noise is spread evenly
NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / 1024) for i in range(1024)])
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
def _deal_leaf(mine: IntArray, donors: IntArray, chosen: IntArray, state: IntArray) -> None:
    """The rows of one leaf in random order take its donors evenly."""
    k, m = mine.size, donors.size
    u = _next(state)
    for i in range(k - 1, 0, -1):
        j = int(_next(state) * (i + 1))
        mine[i], mine[j] = mine[j], mine[i]
    for i in range(k):
        chosen[mine[i]] = donors[min(m - 1, int((i + u) * m / k))]
    for i in range(k - 1, 0, -1):  # the rows no longer lie in order of value: what a score calls equal is handed round at random
        j = int(_next(state) * (i + 1))
        mine[i], mine[j] = mine[j], mine[i]


@njit(cache=True, nogil=True)
def _quantile(u: float) -> float:
    """Of the standard normal law, from a table of 1,024 steps."""
    return float(NORMAL[min(int(u * NORMAL.size), NORMAL.size - 1)])


@njit(cache=True, nogil=True)
def _ones(y: FloatArray) -> int:
    """How many ones there are among noughts and ones; -1 where there is anything else."""
    ones = 0
    for v in y:
        if v == 1.0:
            ones += 1
        elif v != 0.0:
            return -1
    return ones


@njit(cache=True, nogil=True)
def _in_order(y: FloatArray, ones: int) -> IntArray:
    """Positions in order of y: in one pass where y is nought or one."""
    if ones < 0:
        return _rank_order(y)  # type: ignore[no-any-return]
    out, zero, one = np.empty(y.size, np.int64), 0, y.size - ones
    for i in range(y.size):
        if y[i] == 1.0:
            out[one] = i
            one += 1
        else:
            out[zero] = i
            zero += 1
    return out


@njit(cache=True, nogil=True)
def _rank_order(keys: FloatArray) -> IntArray:
    """Positions in order of the keys (a bucket for each key between the mean and three deviations on either side, then insertion)."""
    n, mean = keys.size, keys.mean()
    reach = 3.0 * keys.std()
    if n < 32 or not reach > 0.0:
        return np.argsort(keys)
    bucket, begin = np.empty(n, np.int32), np.zeros(n + 1, np.int32)
    for i in range(n):
        bucket[i] = min(n - 1, max(0, int((keys[i] - mean + reach) * n / (2.0 * reach))))
        begin[bucket[i] + 1] += 1
    if begin.max() > 64:
        return np.argsort(keys)
    for b in range(n):
        begin[b + 1] += begin[b]
    out = np.empty(n, np.int64)
    for i in range(n):
        out[begin[bucket[i]]] = i
        begin[bucket[i]] += 1
    for i in range(1, n):
        at, key, j = out[i], keys[out[i]], i
        while j > 0 and keys[out[j - 1]] > key:
            out[j] = out[j - 1]
            j -= 1
        out[j] = at
    return out


@njit(cache=True, nogil=True)
def _histogram(score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(means, shares) of 24 even cells of the scores, float64 (24,)."""
    means, shares = np.zeros(CELLS), np.zeros(CELLS)
    low, width = score.min(), (score.max() - score.min()) / CELLS
    for v in score:
        cell = min(CELLS - 1, int((v - low) / width)) if width > 0 else 0
        means[cell] += v
        shares[cell] += 1
    for cell in range(CELLS):
        if shares[cell]:
            means[cell] /= shares[cell]
    return means, shares / score.size


@njit(cache=True, nogil=True)
def _noise_of_ones(share: float, score: FloatArray, square: float, guess: float) -> float:
    """The noise with which ones for the highest ``share`` of score + noise have covariance ``square`` (the score's variance) with the score.

    A one has probability F((score - cut) / noise), F normal: the cut by Newton's steps for each noise, the noise by halving from ``guess`` / 8 to 4 times it.
    """
    means, shares = _histogram(score)
    centre = (means * shares).sum()
    low, high, cut = np.log(guess / 8), np.log(guess * 4), centre - _quantile(share) * guess
    for _ in range(10):
        noise = np.exp((low + high) / 2)
        for _ in range(6):
            found, slope = 0.0, 0.0
            for c in range(CELLS):
                if shares[c]:
                    z = (means[c] - cut) / noise
                    found += shares[c] * 0.5 * (1.0 + math.erf(z / 1.4142135623730951))
                    slope += shares[c] * np.exp(-0.5 * z * z) / (2.5066282746310002 * noise)
            cut += max(-noise, min(noise, (found - share) / max(slope, 1e-12)))
        told = 0.0
        for c in range(CELLS):
            if shares[c]:
                told += shares[c] * (means[c] - centre) * 0.5 * (1.0 + math.erf((means[c] - cut) / noise / 1.4142135623730951))
        low, high = ((low + high) / 2, high) if told > square else (low, (low + high) / 2)
    return float(np.exp((low + high) / 2))


@njit(cache=True, nogil=True)
def _join(mine, held, y, score, chosen, state):  # type: ignore[no-untyped-def]
    """The donors ``held`` by these rows, in order of their ``y``, go to the rows in order of score + noise, with as much noise as leaves the regression of y
    on the score as it is. ``mine`` is put in that order.

    If the score is normal and y a monotone function of score + noise with variance t², then cov(y, score) / var(score) = K / t, K the mean of y times its
    normal scores (Stein 1981); in train it is 1, so t = K. Where y is yes or no the noise is solved for whatever the score's law is. The noise is spread
    evenly along the score (each block of neighbours has one in each eighth), so that estimates scatter less about train's.
    """
    k, ones = mine.size, _ones(y)
    order, by_score = _in_order(y, ones), _rank_order(score)
    spread, square, mean = 0.0, 0.0, score.mean()
    for i in range(k):
        spread += y[order[i]] * _quantile((i + 0.5) / k) / k
        square += (score[i] - mean) ** 2 / k
    noise, strata = np.sqrt(max(spread * spread - square, 0.0)), np.arange(BLOCK)
    if 0 < ones < k and square > 0:
        noise = _noise_of_ones(ones / k, score, square, max(noise, np.sqrt(square)))
    for start in range(0, k, BLOCK):
        size = min(BLOCK, k - start)
        strata[:size] = np.arange(size)
        for i in range(size - 1, 0, -1):
            j = int(_next(state) * (i + 1))
            strata[i], strata[j] = strata[j], strata[i]
        for i in range(size):
            score[by_score[start + i]] += noise * _quantile((strata[i] + _next(state)) / size)
    rows = mine[_rank_order(score)]
    for i in range(k):
        mine[i] = rows[i]
        chosen[rows[i]] = held[order[i]]


@njit(cache=True, nogil=True)
def _runs(asked: IntArray) -> tuple[IntArray, IntArray]:
    """(order int64 (n,), begin int64 (runs + 1,)): positions put together by what is asked of them, as met (counting sort)."""
    low, high = asked.min(), asked.max()
    begin = np.zeros(high - low + 2, np.int64)
    for c in asked:
        begin[c - low + 1] += 1
    begin = np.cumsum(begin)
    at, order = begin[:-1].copy(), np.empty(asked.size, np.int64)
    for i in range(asked.size):
        order[at[asked[i] - low]] = i
        at[asked[i] - low] += 1
    return order, begin


@njit(cache=True, nogil=True)
def _match(mine, chosen, first, work, features, group, tables, which, ys, state):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """The donors of a leaf's rows handed round, one round of scores after another. ``first``: score 0 of every row."""
    for turn in range(which.shape[0]):
        order, begin = _runs(which[turn][chosen[mine]])
        for run in range(begin.size - 1):
            part = mine[order[begin[run] : begin[run + 1]]]
            if part.size < 2:
                continue
            held, score = chosen[part], np.empty(part.size, np.float64)
            c = which[turn, held[0]]
            if c < 0:
                continue
            for i in range(part.size):
                row, total = part[i], 0.0
                if c == 0:
                    total = first[row]
                else:
                    for p in range(features.size):
                        total += tables[c, group[row], p, work[features[p], row]]
                score[i] = total
            _join(part, held, ys[turn][held].astype(np.float64), score, chosen, state)
            mine[order[begin[run] : begin[run + 1]]] = part


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
def deal(nodes, leaf_of, donors, ranks, given, slot, seed, first, work, features, group, tables, which, ys):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - compiled, arrays are passed flat
    """Donors of one column for n rows, int32 (n,).

    The k rows of a leaf with m donors take donors floor((i + u) m / k) of the leaf sorted by value: every donor serves floor or ceil of k/m rows.
    Which row gets which: at random, then handed round by the scores (``score.Scores``; no rounds: they stay as they are).
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
            _match(mine, chosen, first, work, features, group, tables, which, ys, state)
            for at in range(mine.size):
                row = mine[at]
                if _given(given[row], chosen[row]) and not _swap(at, mine, chosen, given, state):
                    chosen[row] = _elsewhere(nodes, node, donors, given[row], state)
        for row in mine:
            given[row, slot] = -1 if alike else chosen[row]
    return chosen
