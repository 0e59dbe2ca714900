"""A graphical model over the cells of a table: potentials on a junction tree, fitted to noisy marginals.

The model is the maximum-entropy table whose marginals come close to what was measured: it minimises
sum_r ||mu_r - y_r||^2 / (2 sigma_r^2) + strength * KL(table || uniform) by block coordinate ascent on the dual, one measured
marginal at a time, each block solved exactly (iterative proportional fitting with a soft target), with messages passed along the tree
as the tour goes. Reference for the tree: Lauritzen and Spiegelhalter 1988; for estimation from noisy marginals: McKenna, Sheldon and
Miklau, "Graphical-model based estimation and inference for differential privacy", ICML 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twinset.generators.marginals import kernels
from twinset.generators.marginals.graph import Clique, JunctionTree, cells

FloatArray = np.ndarray
IntArray = np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class Target:
    """What a marginal should be: ``counts`` (float64, shape of the clique; can be negative) and the softness of the pull, strength * sigma^2."""

    clique: Clique
    counts: FloatArray
    soft: float


@dataclass(repr=False, eq=False)
class TreeModel:
    """A fitted table: calibrated expected counts on every clique of ``tree``. Made by :func:`fit`."""

    tree: JunctionTree
    sizes: tuple[int, ...]
    belief: FloatArray
    start: IntArray
    potentials: dict[Clique, FloatArray] = field(default_factory=dict)

    def table(self, c: int) -> FloatArray:
        """Expected counts of clique ``c``, one axis an attribute, in increasing attribute number."""
        clique = self.tree.cliques[c]
        return self.belief[self.start[c] : self.start[c + 1]].reshape([self.sizes[a] for a in clique])

    def marginal(self, attributes: Clique) -> FloatArray | None:
        """Expected counts of attributes (increasing) that sit in one clique; ``None`` if none holds them all."""
        c = self.tree.home(attributes)
        if c < 0:
            return None
        clique = self.tree.cliques[c]
        return np.asarray(self.table(c).sum(axis=tuple(i for i, a in enumerate(clique) if a not in attributes)))

    @property
    def total(self) -> float:
        return float(self.belief[self.start[0] : self.start[1]].sum())


def index_map(clique: Clique, part: Clique, sizes: Sequence[int]) -> IntArray:
    """int32, one number a cell of ``clique`` (C order): the cell of ``part`` (a subset, any order) it belongs to."""
    out = np.zeros([sizes[a] for a in clique], dtype=np.int32)
    stride = 1
    for a in reversed(part):
        axis = clique.index(a)
        shape = [1] * len(clique)
        shape[axis] = sizes[a]
        out += (np.arange(sizes[a], dtype=np.int32) * stride).reshape(shape)
        stride *= sizes[a]
    return out.ravel()


def fit(  # noqa: PLR0913
    tree: JunctionTree,
    sizes: Sequence[int],
    targets: Sequence[Target],
    *,
    total: float,
    warm: Mapping[Clique, FloatArray] | None = None,
    zeros: Mapping[Clique, np.ndarray] | None = None,
    sweeps: int = 30,
    tolerance: float = 1e-3,
) -> TreeModel:
    """The model of ``total`` patients nearest to the targets.

    ``warm``: potentials of an earlier fit to start from; ``zeros``: bool tables, true where a combination is impossible.
    Stops after ``sweeps`` tours, or once a tour changes no potential table by more than ``tolerance`` on average.
    """
    flat = _Flat(tree, tuple(sizes), targets)
    potential = np.zeros(flat.n_potential)
    for j, t in enumerate(flat.targets):
        if warm and t.clique in warm and warm[t.clique].shape == t.counts.shape:
            potential[flat.measured[j, 1] : flat.measured[j, 1] + flat.measured[j, 2]] = warm[t.clique].ravel()
    belief = flat.belief(potential, zeros or {})
    sep, ratio, mean = np.ones(flat.n_separator), np.empty(flat.widest), np.empty(flat.widest)
    kernels.calibrate(belief, sep, flat.maps, flat.cliques, ratio, total)
    before = potential.copy()
    for _ in range(sweeps if flat.targets else 0):
        kernels.sweep(belief, sep, flat.maps, flat.cliques, flat.tour, flat.measured, flat.of_clique, flat.goal, potential, flat.soft, mean, ratio)
        if np.abs(potential - before).mean() < tolerance:
            break
        before[:] = potential
    kernels.descend(belief, sep, flat.maps, flat.cliques, ratio)
    belief *= total / belief[: flat.start[1]].sum()
    kept = {
        t.clique: potential[flat.measured[j, 1] : flat.measured[j, 1] + flat.measured[j, 2]].reshape(t.counts.shape).copy() for j, t in enumerate(flat.targets)
    }
    return TreeModel(tree, tuple(sizes), belief, flat.start, kept)


class _Flat:
    """A tree and its targets as flat arrays for the kernels."""

    def __init__(self, tree: JunctionTree, sizes: tuple[int, ...], targets: Sequence[Target]) -> None:
        n_cells = np.array([cells(c, sizes) for c in tree.cliques], dtype=np.int64)
        self.tree = tree
        self.start = np.r_[0, np.cumsum(n_cells)]
        n_shared = np.array([cells(s, sizes) for s in tree.separators], dtype=np.int64)
        n_shared[0] = 0
        shared_start = np.r_[0, np.cumsum(n_shared)]
        homes = _spread(tree, [t.clique for t in targets])
        order = sorted(range(len(targets)), key=lambda j: (homes[j], -len(targets[j].clique)))
        self.targets = [targets[j] for j in order]
        self.home = [homes[j] for j in order]
        maps: list[IntArray] = []
        at = 0

        def add(clique: Clique, part: Clique) -> int:
            nonlocal at
            maps.append(index_map(clique, part, sizes))
            at += len(maps[-1])
            return at - len(maps[-1])

        self.cliques = np.zeros((len(tree.cliques), 7), dtype=np.int64)
        for c, clique in enumerate(tree.cliques):
            p = tree.parent[c]
            up = (add(clique, tree.separators[c]), add(tree.cliques[p], tree.separators[c])) if p >= 0 else (0, 0)
            self.cliques[c] = self.start[c], n_cells[c], p, *up, shared_start[c], n_shared[c]
        self.measured = np.zeros((len(targets), 4), dtype=np.int64)
        first = 0
        for j, (t, c) in enumerate(zip(self.targets, self.home, strict=True)):
            self.measured[j] = add(tree.cliques[c], t.clique), first, t.counts.size, c
            first += t.counts.size
        self.n_potential = first
        self.maps = np.concatenate(maps) if maps else np.zeros(0, dtype=np.int32)
        self.of_clique = np.searchsorted(np.array(self.home, dtype=np.int64), np.arange(len(tree.cliques) + 1))
        self.goal = np.concatenate([t.counts.ravel() for t in self.targets]) if targets else np.zeros(0)
        self.soft = np.array([t.soft for t in self.targets])
        self.tour = _tour(tree.parent)
        self.n_separator = int(shared_start[-1])
        self.widest = int(max([1, *n_shared, *(t.counts.size for t in targets)]))
        self.sizes = sizes

    def belief(self, potential: FloatArray, zeros: Mapping[Clique, np.ndarray]) -> FloatArray:
        out = np.zeros(int(self.start[-1]))
        for j in range(len(self.targets)):
            where, first, _, c = self.measured[j]
            kernels.multiply(out, self.start[c], self.cliques[c, 1], self.maps, where, potential, first)
        for clique, impossible in zeros.items():
            for c, members in enumerate(self.tree.cliques):
                if set(clique) <= set(members):
                    hit = impossible.ravel()[index_map(members, clique, self.sizes)]
                    out[self.start[c] : self.start[c + 1]][hit] = -np.inf
        for c in range(len(self.tree.cliques)):
            kernels.exponentiate(out, self.start[c], self.cliques[c, 1])
        return out


def _spread(tree: JunctionTree, wanted: Sequence[Clique]) -> list[int]:
    """A clique for each measured marginal: the one with the fewest cells stands in for the least work."""
    return [min((c for c, m in enumerate(tree.cliques) if set(w) <= set(m)), key=lambda c: len(tree.cliques[c])) for w in wanted]


def _tour(parent: Sequence[int]) -> IntArray:
    """An Euler tour from the root: each clique, its first child's tour, back, the next child's ..."""
    children: list[list[int]] = [[] for _ in parent]
    for c, p in enumerate(parent):
        if p >= 0:
            children[p].append(c)
    tour = [0]
    stack = [(0, iter(children[0]))]
    while stack:
        c, rest = stack[-1]
        nxt = next(rest, None)
        if nxt is None:
            stack.pop()
            if stack:
                tour.append(stack[-1][0])
        else:
            tour.append(nxt)
            stack.append((nxt, iter(children[nxt])))
    return np.array(tour, dtype=np.int64)
