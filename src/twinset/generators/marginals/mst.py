"""MST: a tree of the strongest pairs, each measured once. The draft mode.

McKenna, Miklau and Sheldon, "Winning the NIST contest: a scalable and general approach to differentially private synthetic data", 2021.
"""

from __future__ import annotations

import math

import numpy as np

from twinset.core.contracts import Source
from twinset.generators.marginals.aim import Fitting, Workload
from twinset.generators.marginals.graph import Clique
from twinset.generators.marginals.model import TreeModel
from twinset.generators.marginals.pairs import all_pairs

SELECT = 0.4  # of the budget after the one-way counts


def mst(source: Source, fitting: Fitting, work: Workload, *, rho: float) -> TreeModel:
    """Choose a spanning tree of attributes, one edge at a time, by how far each pair is from independence; then measure its pairs together."""
    model = fitting.refit()
    independent = all_pairs(model).ravel()[work.place]
    d = len(fitting.sizes)
    part = list(range(d))
    edges: list[Clique] = []
    epsilon = math.sqrt(8 * SELECT * rho / max(d - 1, 1))
    none = np.zeros(len(work.cliques))
    for _ in range(d - 1):
        allowed = np.array([len(c) == 2 and part[c[0]] != part[c[1]] for c in work.cliques])
        chosen = source.choose(work.names, independent, weights=work.weights, penalties=none, allowed=allowed, epsilon=epsilon)
        a, b = work.cliques[chosen]
        edges.append((a, b))
        old, new = part[a], part[b]
        part = [new if p == old else p for p in part]
    sigma = source.sensitivity * math.sqrt(max(d - 1, 1) / (2 * (1 - SELECT) * rho * (1 - 1e-9)))
    for a, b in edges:
        names = work.names[work.cliques.index((a, b))]
        fitting.add((a, b), source.marginal(names, sigma=sigma).counts.astype(np.float64), sigma)
    return fitting.refit(thorough=True)
