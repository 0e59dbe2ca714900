"""Which marginals may still be measured without the model outgrowing its limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twinset.generators.marginals.graph import Clique, JunctionTree, cells, size

SEARCHED = 40  # up to so many attributes a refused pair is tried with a new triangulation


class Growth:
    """The limit on all cells of the model, growing with the budget spent (AIM, section 5.3). Looks at the graph only, never at data."""

    def __init__(self, sizes: Sequence[int], max_cells: int) -> None:
        self.sizes, self.max_cells = tuple(sizes), max_cells
        self.known: dict[Clique, int] = {}  # cells that a pair was found to need: the graph only grows, so it is never less

    def allowed(self, tree: JunctionTree, near: Sequence[set[int]], work: Sequence[Clique], *, share: float) -> np.ndarray:
        """bool, one a marginal of ``work``: single attributes and pairs inside a clique always; others while the model stays within ``share`` of the limit."""
        limit = self.max_cells * share
        now = sum(cells(c, self.sizes) for c in tree.cliques)
        inside = {(a, b) for c in tree.cliques for i, a in enumerate(c) for b in c[i + 1 :]}
        steps = {a: self._reach(tree, a) for a in range(len(self.sizes))}
        out = np.ones(len(work), dtype=bool)
        for i, pair in enumerate(work):
            if len(pair) == 1 or pair in inside:
                continue
            a, b = pair
            out[i] = now + min(steps[a][b], steps[b][a]) <= limit or self._fits(near, pair, limit)
        if not out.any():
            out[:] = True
        return out

    def _fits(self, near: Sequence[set[int]], pair: Clique, limit: float) -> bool:
        if len(self.sizes) > SEARCHED or self.known.get(pair, 0) > limit:
            return False
        a, b = pair
        graph = [set(s) for s in near]
        graph[a].add(b)
        graph[b].add(a)
        self.known[pair] = size(graph, self.sizes)
        return self.known[pair] <= limit

    def _reach(self, tree: JunctionTree, a: int) -> np.ndarray:
        """Cells more, at most, if ``a`` were joined to each attribute: ``a`` is carried along the tree's separators to where the other sits."""
        most = np.full(len(self.sizes), np.inf)
        links = _links(tree)
        stack = [(c, c, 0.0, tree.cliques[c]) for c, members in enumerate(tree.cliques) if a in members]
        while stack:
            c, came, cost, entered = stack.pop()
            for b in tree.cliques[c]:
                if b not in entered:
                    most[b] = min(most[b], cost + self.sizes[a] * self.sizes[b] * cells(entered, self.sizes))
            for other, shared in links[c]:
                if other == came or a in shared:
                    continue
                through = cells({*entered, *shared} - {a}, self.sizes) * self.sizes[a] if c != came else 0
                stack.append((other, c, cost + through, shared))
        return most


def _links(tree: JunctionTree) -> list[list[tuple[int, Clique]]]:
    links: list[list[tuple[int, Clique]]] = [[] for _ in tree.cliques]
    for c, p in enumerate(tree.parent):
        if p >= 0:
            links[c].append((p, tree.separators[c]))
            links[p].append((c, tree.separators[c]))
    return links
