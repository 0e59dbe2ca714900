"""Noisy marginals that overlap, made to agree: the best linear unbiased estimate of each from all of them.

A marginal splits into orthogonal parts, one for each subset of its attributes (total, main effects, interactions). The same part can be
estimated from every measurement that covers it, and inverse-variance weights are optimal because the noise is white. Reference: the residual
basis of Xiao, He, Zhang and Kifer (ResidualPlanner, NeurIPS 2023) and Mullins et al. (ReM, 2024).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from twinset.generators.marginals.graph import Clique

FloatArray = np.ndarray


class Combined:
    """Collects measurements (``add``) and answers with the combined estimate of any measured marginal (``estimate``)."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self.weight: dict[Clique, float] = {}
        self.part: dict[Clique, FloatArray] = {}
        self.cliques: dict[Clique, float] = {}  # clique -> variance of a cell, its own measurements combined

    def add(self, clique: Clique, counts: FloatArray, sigma: float) -> None:
        """A measurement: float64 counts (axes in the order of ``clique``, increasing), white noise of standard deviation ``sigma``."""
        self.cliques[clique] = 1.0 / (1.0 / self.cliques.get(clique, math.inf) + 1.0 / sigma**2)
        for part in _subsets(clique):
            lost = math.prod(self.sizes[a] for a in clique if a not in part)
            axes = tuple(i for i, a in enumerate(clique) if a not in part)
            residual = _centred(counts.sum(axis=axes))
            weight = 1.0 / (sigma**2 * lost)
            before = self.weight.get(part, 0.0)
            if math.isinf(before):
                continue  # known exactly: nothing noisy adds to it
            self.weight[part] = before + weight
            self.part[part] = residual if not before else (self.part[part] * before + residual * weight) / (before + weight)

    def fix_total(self, total: float) -> None:
        """The number of rows is public: no noise is left in it."""
        self.weight[()], self.part[()] = math.inf, np.asarray(total)

    @property
    def total(self) -> float:
        return float(self.part[()])

    def estimate(self, clique: Clique) -> FloatArray:
        """Float64 counts of a measured clique (or of a subset of one), consistent with every other estimate."""
        out = np.zeros([self.sizes[a] for a in clique])
        for part in _subsets(clique):
            spread = math.prod(self.sizes[a] for a in clique if a not in part)
            shape = [self.sizes[a] if a in part else 1 for a in clique]
            out += self.part[part].reshape(shape) / spread
        return out

    def variance(self, clique: Clique) -> float:
        """The mean variance of a cell of ``estimate(clique)``."""
        n = math.prod(self.sizes[a] for a in clique)
        freedom = {p: math.prod(self.sizes[a] - 1 for a in p) for p in _subsets(clique)}
        # a part's own noise has variance 1 / weight in each direction; expanded over the clique it is divided by the cells it spreads over
        return sum(freedom[p] / self.weight[p] / math.prod(self.sizes[a] for a in clique if a not in p) for p in _subsets(clique)) / n


def _subsets(clique: Clique) -> list[Clique]:
    return [c for k in range(len(clique) + 1) for c in itertools.combinations(clique, k)]


def _centred(table: FloatArray) -> FloatArray:
    for axis in range(table.ndim):
        table = table - table.mean(axis=axis, keepdims=True)
    return table
