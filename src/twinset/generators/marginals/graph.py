"""Junction trees: which attributes sit together so that every measured marginal fits into one table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Clique = tuple[int, ...]


@dataclass(frozen=True)
class JunctionTree:
    """Maximal cliques in depth-first order (a parent before its children).

    ``cliques``: sorted attribute numbers each; ``parent``: place of each clique's parent, -1 for the root;
    ``separators``: what a clique shares with its parent (empty for the root and where two parts of the graph are unconnected).
    """

    cliques: tuple[Clique, ...]
    parent: tuple[int, ...]
    separators: tuple[Clique, ...]

    def home(self, attributes: Iterable[int]) -> int:
        """The smallest-numbered clique that holds all these attributes; -1 if none does."""
        wanted = set(attributes)
        return next((i for i, c in enumerate(self.cliques) if wanted <= set(c)), -1)


def cells(clique: Iterable[int], sizes: Sequence[int]) -> int:
    """How many cells the table of a clique has."""
    return math.prod(sizes[a] for a in clique)


def adjacency(d: int, cliques: Iterable[Iterable[int]]) -> list[set[int]]:
    """The neighbours of each of ``d`` attributes: two are joined where a clique holds both."""
    near: list[set[int]] = [set() for _ in range(d)]
    for clique in cliques:
        members = tuple(clique)
        for a in members:
            near[a].update(members)
    for a in range(d):
        near[a].discard(a)
    return near


def eliminate(near: Sequence[set[int]], sizes: Sequence[int], *, fill: bool) -> list[tuple[int, frozenset[int]]]:
    """Attributes in elimination order, each with the neighbours it had when it went.

    Greedy: the attribute whose clique is smallest (in cells), or, with ``fill``, the one that joins fewest new pairs, goes first.
    """
    graph = [set(s) for s in near]
    logs = [math.log(s) for s in sizes]

    def cost(a: int) -> tuple[float, float]:
        weight = logs[a] + sum(logs[b] for b in graph[a])
        if not fill:
            return weight, 0.0
        missing = sum(len(graph[a] - graph[b]) - 1 for b in graph[a])
        return float(missing), weight

    left = {a: cost(a) for a in range(len(graph))}
    order = []
    while left:
        a = min(left, key=lambda v: (left[v], v))
        del left[a]
        friends = frozenset(graph[a])
        order.append((a, friends))
        touched = set(friends)
        for b in friends:
            graph[b] |= friends
            graph[b] -= {a, b}
            touched |= graph[b] if fill else set()
        for b in touched:
            if b in left:
                left[b] = cost(b)
    return order


def size(near: Sequence[set[int]], sizes: Sequence[int]) -> int:
    """Cells of all maximal cliques of the better of two greedy triangulations."""
    return min(sum(cells(c, sizes) for c in _maximal(eliminate(near, sizes, fill=f))[0]) for f in (False, True))


def junction_tree(near: Sequence[set[int]], sizes: Sequence[int]) -> JunctionTree:
    """The tree of the better of two greedy triangulations, rooted so that it is shallow where the large cliques are."""
    found = [_maximal(eliminate(near, sizes, fill=f)) for f in (False, True)]
    cliques, links = min(found, key=lambda f: sum(cells(c, sizes) for c in f[0]))
    return _ordered(cliques, links, sizes)


def _maximal(order: Sequence[tuple[int, frozenset[int]]]) -> tuple[list[frozenset[int]], list[tuple[int, int]]]:
    """Maximal cliques of an elimination, and the edges of a tree over them that has the running intersection property."""
    step = {a: i for i, (a, _) in enumerate(order)}
    owner: dict[int, int] = {}  # step -> clique number
    cliques: list[frozenset[int]] = []
    upward: list[tuple[int, int]] = []  # clique, step it hangs from
    for i, (a, friends) in enumerate(order):
        full = friends | {a}
        if i in owner and full <= cliques[owner[i]]:
            number = owner[i]
        else:
            number = owner[i] = len(cliques)
            cliques.append(full)
        if friends:
            up = min(step[b] for b in friends)
            bigger = friends == order[up][1] | {order[up][0]}
            if bigger and up not in owner:
                owner[up] = number  # the next clique lies inside this one
            elif owner.get(up) != number:
                upward.append((number, up))
    edges = [(n, owner[up]) for n, up in upward if owner[up] != n]
    return cliques, edges


def _ordered(cliques: Sequence[frozenset[int]], edges: Sequence[tuple[int, int]], sizes: Sequence[int]) -> JunctionTree:
    near: list[list[int]] = [[] for _ in cliques]
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    seen: list[int] = []
    parent: dict[int, int] = {}
    by_size = sorted(range(len(cliques)), key=lambda c: -cells(cliques[c], sizes))
    for root in by_size:
        if root in parent:
            continue
        parent[root] = seen[0] if seen else -1  # unconnected parts hang from the first root, with nothing shared
        stack = [root]
        while stack:
            c = stack.pop()
            seen.append(c)
            for other in near[c]:
                if other not in parent:
                    parent[other] = c
                    stack.append(other)
    place = {c: i for i, c in enumerate(seen)}
    parents = tuple(place[parent[c]] if parent[c] >= 0 else -1 for c in seen)
    members = tuple(tuple(sorted(cliques[c])) for c in seen)
    shared = tuple(tuple(sorted(set(m) & set(members[p]))) if p >= 0 else () for m, p in zip(members, parents, strict=True))
    return JunctionTree(members, parents, shared)
