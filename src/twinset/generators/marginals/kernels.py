"""The hot loops of inference on a junction tree, compiled. Flat buffers in, flat buffers changed in place.

All tables of a tree lie one behind the other in ``belief`` (expected counts); ``start[c]`` is where clique c begins. Index maps say, for each
cell of a clique, which cell of a smaller table it belongs to; they lie one behind the other in ``maps``.
"""

from __future__ import annotations

import math

import numba
import numpy as np

FloatArray = np.ndarray
IntArray = np.ndarray
TINY = 1e-300


@numba.njit(cache=True, nogil=True)
def project(belief: FloatArray, begin: int, n: int, maps: IntArray, where: int, out: FloatArray, base: int, width: int) -> None:  # noqa: PLR0913
    """Sum a clique's cells into a smaller table."""
    for k in range(width):
        out[base + k] = 0.0
    for i in range(n):
        out[base + maps[where + i]] += belief[begin + i]


@numba.njit(cache=True, nogil=True)
def scale(belief: FloatArray, begin: int, n: int, maps: IntArray, where: int, ratio: FloatArray) -> None:
    """Multiply a clique's cells by a smaller table."""
    for i in range(n):
        belief[begin + i] *= ratio[maps[where + i]]


@numba.njit(cache=True, nogil=True)
def omega(z: float) -> float:
    """Wright's omega: the w > 0 with w + log w = z, to about 1e-12 (two steps of Fritsch, Shafer and Crowley, CACM 1973)."""
    if z > 1.0:
        w = z - math.log(z)
    elif z > -2.0:
        w = math.exp(2.0 * (z - 1.0) / 3.0)
    else:
        w = math.exp(z)
        if z < -30.0:
            return w
    for _ in range(2):
        r = z - w - math.log(w)
        t = 1.0 + w
        u = 2.0 * t * (t + 2.0 * r / 3.0)
        w *= 1.0 + r / t * (u - r) / (u - 2.0 * r)
    return w


@numba.njit(cache=True, nogil=True)
def pull(mean: FloatArray, base: int, width: int, target: FloatArray, potential: FloatArray, first: int, soft: float, ratio: FloatArray) -> None:  # noqa: PLR0913
    """Move a measured table towards what was measured; gives the factors in ``ratio``.

    Each cell's new potential l solves b exp(l) + soft l = target, where b is the expected count without its own potential:
    the exact maximiser of the penalised likelihood with all other potentials held.
    """
    for k in range(width):
        m = mean[base + k]
        old = potential[first + k]
        if m <= TINY:
            ratio[k] = 1.0
            continue
        log_b = math.log(m) - old
        z = target[first + k] / soft + log_b - math.log(soft)
        w = omega(z)
        new = math.log(w) + math.log(soft) - log_b if w > TINY else target[first + k] / soft
        if new > old + 30.0:
            new = old + 30.0
        elif new < old - 30.0:
            new = old - 30.0
        potential[first + k] = new
        ratio[k] = math.exp(new - old)


@numba.njit(cache=True, nogil=True)
def send(  # noqa: PLR0913
    belief: FloatArray,
    maps: IntArray,
    sep: FloatArray,
    ratio: FloatArray,
    c_start: int,
    c_n: int,
    c_map: int,
    o_start: int,
    o_n: int,
    o_map: int,
    s_start: int,
    s_n: int,
) -> None:
    """A message from one clique to its neighbour across their separator (Hugin; 0 / 0 = 0)."""
    for k in range(s_n):
        ratio[k] = 0.0
    for i in range(c_n):
        ratio[maps[c_map + i]] += belief[c_start + i]
    for k in range(s_n):
        new = ratio[k]
        old = sep[s_start + k]
        sep[s_start + k] = new
        ratio[k] = new / old if old > TINY else 0.0
    for i in range(o_n):
        belief[o_start + i] *= ratio[maps[o_map + i]]


@numba.njit(cache=True, nogil=True)
def sweep(  # noqa: PLR0913
    belief: FloatArray,
    sep: FloatArray,
    maps: IntArray,
    cliques: IntArray,
    tour: IntArray,
    measured: IntArray,
    of_clique: IntArray,
    target: FloatArray,
    potential: FloatArray,
    soft: FloatArray,
    mean: FloatArray,
    ratio: FloatArray,
) -> None:
    """One tour of the tree: at each clique its measurements pull, then it tells the next one.

    ``cliques`` int64 (n, 7): start, cells, parent, map to the separator above, the parent's map to it, separator start, separator cells.
    ``tour`` int64: cliques as the tour meets them (neighbours follow each other). ``measured`` int64 (m, 4): map, first cell, cells, clique, grouped by clique;
    ``of_clique`` int64 (n + 1,): where each clique's measurements begin.
    """
    for t in range(len(tour)):
        c = tour[t]
        begin, n = cliques[c, 0], cliques[c, 1]
        for j in range(of_clique[c], of_clique[c + 1]):
            where, first, width = measured[j, 0], measured[j, 1], measured[j, 2]
            project(belief, begin, n, maps, where, mean, 0, width)
            pull(mean, 0, width, target, potential, first, soft[j], ratio)
            scale(belief, begin, n, maps, where, ratio)
        if t + 1 < len(tour):
            move(belief, sep, maps, cliques, ratio, c, tour[t + 1])


@numba.njit(cache=True, nogil=True)
def move(belief: FloatArray, sep: FloatArray, maps: IntArray, cliques: IntArray, ratio: FloatArray, c: int, o: int) -> None:  # noqa: PLR0913
    """A message from clique ``c`` to its neighbour ``o``, whichever is the parent."""
    if cliques[c, 2] == o:  # up
        send(belief, maps, sep, ratio, cliques[c, 0], cliques[c, 1], cliques[c, 3], cliques[o, 0], cliques[o, 1], cliques[c, 4], cliques[c, 5], cliques[c, 6])
    else:
        send(belief, maps, sep, ratio, cliques[c, 0], cliques[c, 1], cliques[o, 4], cliques[o, 0], cliques[o, 1], cliques[o, 3], cliques[o, 5], cliques[o, 6])


@numba.njit(cache=True, nogil=True)
def calibrate(belief: FloatArray, sep: FloatArray, maps: IntArray, cliques: IntArray, ratio: FloatArray, total: float) -> None:
    """Collect to the root and distribute from it, so that every table is the model's own marginal of ``total`` patients."""
    for k in range(len(sep)):
        sep[k] = 1.0
    n = len(cliques)
    for c in range(n - 1, 0, -1):
        rescale(belief, cliques[c, 0], cliques[c, 1])
        move(belief, sep, maps, cliques, ratio, c, cliques[c, 2])
    mass = 0.0
    for i in range(cliques[0, 1]):
        mass += belief[cliques[0, 0] + i]
    factor = total / mass if mass > 0.0 else 0.0
    for i in range(cliques[0, 1]):
        belief[cliques[0, 0] + i] *= factor
    for c in range(1, n):
        move(belief, sep, maps, cliques, ratio, cliques[c, 2], c)


@numba.njit(cache=True, nogil=True)
def rescale(belief: FloatArray, begin: int, n: int) -> None:
    """Divide a table by its largest cell: only proportions matter before calibration."""
    most = 0.0
    for i in range(n):
        most = max(most, belief[begin + i])
    if most > 0.0:
        for i in range(n):
            belief[begin + i] /= most


@numba.njit(cache=True, nogil=True)
def descend(belief: FloatArray, sep: FloatArray, maps: IntArray, cliques: IntArray, ratio: FloatArray) -> None:
    """Messages from the root down: after a tour that ended at the root, this makes every table agree."""
    for c in range(1, len(cliques)):
        move(belief, sep, maps, cliques, ratio, cliques[c, 2], c)


@numba.njit(cache=True, nogil=True)
def multiply(belief: FloatArray, begin: int, n: int, maps: IntArray, where: int, potential: FloatArray, first: int) -> None:  # noqa: PLR0913
    """Add a measurement's potentials (logarithms) to a clique's table of logarithms."""
    for i in range(n):
        belief[begin + i] += potential[first + maps[where + i]]


@numba.njit(cache=True, nogil=True)
def exponentiate(belief: FloatArray, begin: int, n: int) -> None:
    """From logarithms to proportions, the largest 1."""
    most = -np.inf
    for i in range(n):
        most = max(most, belief[begin + i])
    if most == -np.inf:
        most = 0.0
    for i in range(n):
        belief[begin + i] = math.exp(belief[begin + i] - most)
