"""An ordinary Bayesian network, learnt on the rows: parents by a penalised likelihood, families as smoothed counts, rows by ancestral sampling.

Order and parents: a maximum spanning tree of mutual information (Chow and Liu 1968) from the outcome (or the first column) gives the order,
then each column takes, one after another, the earlier columns that raise its penalised likelihood most (K2: Cooper and Herskovits 1992; penalty:
Akaike 1974, since the aim is rows like these rather than the true graph, which BIC, tried too, leaves sparser).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.coding.discretise import cells, fine_cells, rows
from twinset.core.cohort import Cohort
from twinset.core.domain import Domain
from twinset.core.schema import Role, Schema
from twinset.core.seeds import Rng
from twinset.generators.bayesian_network.binning import read_domain
from twinset.generators.marginals.draw import deal

FloatArray = np.ndarray
IntArray = np.ndarray
ROOTS: tuple[Role, ...] = ("outcome", "event", "arm")
TRIED = 10  # earlier columns tried as parents of a column: those that tell most about it


@dataclass(frozen=True)
class Learning:
    """See :class:`twinset.generators.bayesian_network.BayesianNetwork`."""

    max_parents: int
    max_cells: int
    smoothing: float


@dataclass(frozen=True, repr=False)
class Family:
    """A column and its parents (in the order they joined): ``table`` float64 (parents' cells together, child's cells), each row a distribution."""

    child: int
    parents: tuple[int, ...]
    table: FloatArray


@dataclass(frozen=True, repr=False)
class NetworkModel:
    """Families in an order in which parents come first. Made from the rows: no differential privacy is claimed."""

    families: tuple[Family, ...]
    domain: Domain
    schema: Schema
    dtypes: Mapping[str, pl.DataType]

    def sample(self, n: int, rng: Rng) -> Cohort:
        """Each column dealt to the rows that share their parents' cells, by systematic sampling in random order."""
        sizes = self.domain.sizes
        out = np.zeros((len(sizes), n), dtype=np.int32)
        for family in self.families:
            group = np.zeros(n, dtype=np.int32)
            for a in family.parents:
                group = group * sizes[a] + out[a]
            out[family.child] = deal(family.table, group, rng.permutation(n), rng.random(len(family.table)))
        return rows(out, self.domain, self.schema, self.dtypes, rng)

    def __repr__(self) -> str:
        return f"NetworkModel({len(self.families)} families, {sum(f.table.size for f in self.families):,} cells)"


def learn(train: Cohort, settings: Learning) -> NetworkModel:
    """The network of these rows (all columns synthesised)."""
    domain = read_domain(train)
    codes = cells(fine_cells(train, domain), domain).astype(np.int64)
    tables = Tables(codes, domain.sizes, twice=train.origin is not None)
    order = _order(tables.information(), _root(train.schema, domain))
    families: list[Family] = []
    for child, near in order:
        before = {f.child for f in families}
        parents = _parents(tables, child, [a for a in near if a in before][:TRIED], settings)
        families.append(Family(child, parents, tables.smoothed(child, parents, settings.smoothing)))
    return NetworkModel(tuple(families), domain, train.schema, dict(train.frame.schema))


class Tables:
    """Counts of the rows' cells: ``codes`` int64 (columns, n).

    ``twice``: the rows were drawn twice, first from the population, then from those rows with replacement. What columns tell of each other by chance
    they then tell twice (Steck and Jaakkola 2003), so that it is taken off twice, or families would be wider than those of the first rows.
    """

    def __init__(self, codes: IntArray, sizes: Sequence[int], *, twice: bool = False) -> None:
        self.codes, self.sizes = codes, tuple(sizes)
        self.chance = 2 if twice else 1

    def counts(self, columns: Sequence[int]) -> IntArray:
        """int64 (cells of all but the last together, cells of the last)."""
        cell = np.zeros(self.codes.shape[1], dtype=np.int64)
        for a in columns:
            cell = cell * self.sizes[a] + self.codes[a]
        return np.bincount(cell, minlength=math.prod(self.sizes[a] for a in columns)).reshape(-1, self.sizes[columns[-1]])

    def information(self) -> FloatArray:
        """Mutual information of every pair of columns in nats, float64 (d, d), less the value it takes by chance (Miller and Madow)."""
        d, n = len(self.sizes), max(self.codes.shape[1], 1)
        out = np.zeros((d, d))
        for a in range(d):
            for b in range(a):
                table = self.counts((a, b)) / n
                alone = np.outer(table.sum(axis=1), table.sum(axis=0))
                held = table > 0
                chance = (alone.any(axis=1).sum() - 1) * (alone.any(axis=0).sum() - 1) * self.chance / (2 * n)
                out[a, b] = out[b, a] = float((table[held] * np.log(table[held] / alone[held])).sum()) - chance
        return out

    def score(self, child: int, parents: Sequence[int]) -> float:
        """Log-likelihood of the child given its parents, less 1 for each free share where the parents occur (2 where the rows were drawn twice)."""
        table = self.counts((*parents, child))
        table = table[table.any(axis=1)]
        held = table > 0
        share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        free = len(table) * (int(table.any(axis=0).sum()) - 1)
        return float((table[held] * np.log(share[held])).sum()) - free * self.chance

    def smoothed(self, child: int, parents: Sequence[int], weight: float) -> FloatArray:
        """P(child | parents): counts plus ``weight`` patients of P(child | all parents but the last), and so on down to the child alone."""
        alone = self.counts((child,)).astype(np.float64)
        known = alone / max(alone.sum(), 1.0)
        for k in range(1, len(parents) + 1):
            table = self.counts((*parents[:k], child))
            prior = np.repeat(known, self.sizes[parents[k - 1]], axis=0)
            known = (table + weight * prior) / (table.sum(axis=1, keepdims=True) + weight)
        return np.ascontiguousarray(known)


def _root(schema: Schema, domain: Domain) -> int:
    named = [c.name for role in ROOTS for c in schema.with_role(role)]
    return domain.names.index(named[0]) if named else 0


def _order(information: FloatArray, root: int) -> list[tuple[int, list[int]]]:
    """Columns in the order in which a maximum spanning tree reaches them, each with all others, the most telling first."""
    best = information[root].copy()
    best[root] = -np.inf
    out = [root]
    while len(out) < len(best):
        column = int(np.argmax(best))
        out.append(column)
        best = np.maximum(best, information[column])
        best[out] = -np.inf
    return [(a, [int(b) for b in np.argsort(-information[a], kind="stable") if b != a]) for a in out]


def _parents(tables: Tables, child: int, candidates: Sequence[int], settings: Learning) -> tuple[int, ...]:
    """Greedy: the candidate that raises the score most joins, while one does and the family stays within its limit."""
    chosen: tuple[int, ...] = ()
    best = tables.score(child, chosen)
    while len(chosen) < settings.max_parents:
        most = settings.max_cells / math.prod(tables.sizes[a] for a in (*chosen, child))
        fitting = [a for a in candidates if a not in chosen and tables.sizes[a] <= most]
        found = [(tables.score(child, (*chosen, a)), -i, a) for i, a in enumerate(fitting)]
        if not found or max(found)[0] <= best:
            break
        best, _, parent = max(found)
        chosen = (*chosen, parent)
    return chosen
