"""A private network: one column after another joins those it depends on, by private selection, and its family is counted with noise.

Zhang, Cormode, Procopiuc, Srivastava and Xiao, "PrivBayes: private data release via Bayesian networks", TODS 2017: greedy structure, families
capped by usefulness, a score of low sensitivity (here the distance to independence in counts, which one row moves by at most 1). Three differences:
each family is measured before the next column is chosen; the parents of a column must already sit in one family, so that the moral
graph is a tree of families and the noisy tables can be fitted together; and a part of the budget buys columns further parents, one pair
at a time, where the network is most wrong (the rounds of AIM), because two parents cannot carry an outcome that nobody named.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from twinset.core.contracts import Source
from twinset.generators.marginals.aim import EXPECTED, Fitting, Workload, aim
from twinset.generators.marginals.graph import Clique, cells
from twinset.generators.marginals.model import FloatArray, TreeModel
from twinset.generators.marginals.pairs import all_pairs


@dataclass(frozen=True)
class Structure:
    """How parents are chosen; see :class:`twinset.generators.bayesian_network.BayesianNetwork`."""

    degree: int
    wide: int
    useful: float
    select_share: float
    further_share: float


def network(source: Source, fitting: Fitting, work: Workload, *, rho: float, structure: Structure) -> TreeModel:
    """Spend ``rho`` on d - 1 families and on further links; ``fitting`` already holds the one-way measurements."""
    d = len(fitting.sizes)
    learn = _families_of if structure.degree > 1 and d <= structure.wide else _tree
    learn(source, fitting, work, structure, rho=rho * (1 - structure.further_share))
    if not structure.further_share or d < 3:
        return fitting.refit(thorough=True)
    fitting.limits = replace(fitting.limits, rounds=d + d // 2)
    return aim(source, fitting, work, rho=min(rho * structure.further_share, source.remaining))


def _families_of(source: Source, fitting: Fitting, work: Workload, structure: Structure, *, rho: float) -> None:
    """A family for every column but the most important one, which has no parents; each chosen, then measured."""
    d, unit = len(fitting.sizes), source.sensitivity
    names = [n for (n,) in work.names[:d]]
    epsilon = math.sqrt(8 * structure.select_share * rho / (d - 1))
    sigma = unit * math.sqrt((d - 1) / (2 * (1 - structure.select_share) * rho * (1 - 1e-9)))
    model = fitting.refit()
    largest = max(model.total, 1.0) / (structure.useful * sigma)
    importance = work.weights[:d]
    left = set(range(d))
    known = int(np.argmax(importance))
    left.discard(known)
    parents: set[Clique] = {(known,)}
    while left:
        families = _families(left, parents, fitting.sizes, largest)
        expected = [_independent(model, family, child) for child, family in families]
        chosen = source.choose(
            [tuple(names[a] for a in family) for _, family in families],
            np.concatenate([t.ravel() for t in expected]),
            weights=np.array([max(importance[a] for a in family) for _, family in families]),
            penalties=np.array([EXPECTED * np.sqrt(sigma**2 + np.maximum(t, 0.0)).sum() for t in expected]),
            allowed=np.ones(len(families), dtype=bool),
            epsilon=epsilon,
        )
        child, family = families[chosen]
        counts = source.marginal([names[a] for a in family], sigma=sigma).counts
        fitting.add(family, counts.astype(np.float64), sigma)
        model = fitting.refit()
        parents |= {p for k in range(1, structure.degree + 1) for p in itertools.combinations(family, k)}
        left.discard(child)


def _tree(source: Source, fitting: Fitting, work: Workload, structure: Structure, *, rho: float) -> None:
    """One parent a column: all pairs are counted once and chosen from, and those chosen measured together at the end."""
    d, unit = len(fitting.sizes), source.sensitivity
    epsilon = math.sqrt(8 * structure.select_share * rho / (d - 1))
    sigma = unit * math.sqrt((d - 1) / (2 * (1 - structure.select_share) * rho * (1 - 1e-9)))
    apart = all_pairs(fitting.refit()).ravel()[work.place]
    begin = np.cumsum(np.r_[0, work.n_cells[:-1]]).astype(np.int64)
    penalties = EXPECTED * np.add.reduceat(np.sqrt(sigma**2 + np.maximum(apart, 0.0)), begin)
    useful = work.n_cells <= max(fitting.combined.total, 1.0) / (structure.useful * sigma)
    known = {int(np.argmax(work.weights[:d]))}
    chosen: list[int] = []
    while len(known) < d:
        joining = np.array([len(c) == 2 and (c[0] in known) != (c[1] in known) for c in work.cliques])
        smallest = joining & (work.n_cells == work.n_cells[joining].min())
        allowed = joining & useful if (joining & useful).any() else smallest
        place = source.choose(work.names, apart, weights=work.weights, penalties=penalties, allowed=allowed, epsilon=epsilon)
        chosen.append(place)
        known |= set(work.cliques[place])
    for place in chosen:
        fitting.add(work.cliques[place], source.marginal(work.names[place], sigma=sigma).counts.astype(np.float64), sigma)
    fitting.refit()


def _families(left: set[int], parents: set[Clique], sizes: Sequence[int], largest: float) -> list[tuple[int, Clique]]:
    """Every column left with every set of parents whose table stays useful; the smallest table of all where none does."""
    found = [(x, tuple(sorted((x, *p)))) for x in sorted(left) for p in sorted(parents)]
    useful = [f for f in found if cells(f[1], sizes) <= largest]
    return useful or [min(found, key=lambda f: (cells(f[1], sizes), len(f[1])))]


def _independent(model: TreeModel, family: Clique, child: int) -> FloatArray:
    """Expected counts of the family if ``child`` did not depend on its parents: float64, axes in the family's order."""
    parents = tuple(a for a in family if a != child)
    joint, alone = model.marginal(parents), model.marginal((child,))
    assert joint is not None  # parents sit in one family, which was measured
    assert alone is not None
    place = family.index(child)
    shape = [1] * len(family)
    shape[place] = -1
    return np.asarray(np.expand_dims(joint, place) * alone.reshape(shape) / max(model.total, 1.0))
