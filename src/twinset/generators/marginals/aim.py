"""AIM: measure the marginals that the model gets most wrong, until the budget is spent.

McKenna, Mullins, Sheldon and Miklau, "AIM: an adaptive and iterative mechanism for differentially private synthetic data", VLDB 2022
(algorithms 1 to 3), with our own inference and with overlapping measurements combined before each fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twinset.core.contracts import Source
from twinset.generators.marginals.combine import Combined
from twinset.generators.marginals.graph import Clique, adjacency, cells, junction_tree
from twinset.generators.marginals.growth import Growth
from twinset.generators.marginals.model import FloatArray, Target, TreeModel, fit
from twinset.generators.marginals.pairs import all_pairs

EXPECTED = math.sqrt(2 / math.pi)  # of |noise| / sigma
SOFTEST = 1.0  # a measured cell is never trusted beyond about one patient: keeps the fit well conditioned where noise is small


@dataclass(frozen=True)
class Limits:
    """How large the model may grow and how hard the fit works.

    ``max_cells``: of all cliques together. ``strength``: of the pull towards the uniform table, in patients a patient.
    ``sweeps``: tours of the tree after each round. ``measure``: the share of a round's budget that measures; the rest selects.
    """

    max_cells: int
    strength: float
    sweeps: int
    measure: float
    rounds: int


class Fitting:
    """Measurements so far and the model that fits them; shared by AIM, MST and the bootstrap of a released model.

    ``sizes``: cells of each attribute. ``zeros``: impossible combinations, bool tables on small cliques.
    """

    def __init__(self, sizes: Sequence[int], limits: Limits, *, zeros: Mapping[Clique, np.ndarray] | None = None, n_public: int | None = None) -> None:
        self.sizes, self.limits, self.zeros = tuple(sizes), limits, dict(zeros or {})
        self.combined = Combined(self.sizes)
        self.n_public = n_public
        self.model: TreeModel | None = None

    def add(self, clique: Clique, counts: FloatArray, sigma: float) -> None:
        """A noisy marginal; the model does not know it before :meth:`refit`."""
        self.combined.add(clique, counts, sigma)
        if self.n_public is not None:
            self.combined.fix_total(float(self.n_public))

    @property
    def near(self) -> list[set[int]]:
        """The graph: attributes measured (or ruled on) together."""
        return adjacency(len(self.sizes), [*self.combined.cliques, *self.zeros])

    def refit(self, *, thorough: bool = False) -> TreeModel:
        """The model of all measurements, started from the last one."""
        softness = self.limits.strength
        variance = self.combined.cliques
        targets = [
            Target(c, self.combined.estimate(c), max(SOFTEST, softness * (self.combined.variance(c) if len(c) == 1 else v))) for c, v in variance.items()
        ]
        self.model = fit(
            junction_tree(self.near, self.sizes),
            self.sizes,
            targets,
            total=max(self.combined.total, 1.0),
            warm=self.model.potentials if self.model else None,
            zeros=self.zeros,
            sweeps=self.limits.sweeps * (5 if thorough else 1),
        )
        return self.model


@dataclass(frozen=True)
class Workload:
    """The one- and two-way marginals that should be right, in order, with their weights; and where each lies in a flat row of pairs."""

    cliques: tuple[Clique, ...]
    names: tuple[tuple[str, ...], ...]
    weights: FloatArray
    n_cells: FloatArray
    place: np.ndarray  # int32: for every cell of every marginal, one behind the other, its place in the raveled table of all pairs


def workload(names: Sequence[str], sizes: Sequence[int], importance: Sequence[float]) -> Workload:
    """All pairs and single attributes. A pair's weight is the product of its attributes' importance, times how many marginals it informs, as in AIM."""
    d = len(sizes)
    offset = np.r_[0, np.cumsum(sizes)]
    n_all = int(offset[-1])
    cliques: list[Clique] = [(a,) for a in range(d)] + [(a, b) for a in range(d) for b in range(a + 1, d)]
    total = float(np.sum(importance))
    weights, place = [], []
    for c in cliques:
        first = np.arange(offset[c[0]], offset[c[0] + 1])
        if len(c) == 1:
            place.append(first * n_all + first)
            weights.append(importance[c[0]] * (total - importance[c[0]]) if d > 1 else 1.0)
        else:
            second = np.arange(offset[c[1]], offset[c[1] + 1])
            place.append((first[:, None] * n_all + second).ravel())
            # |r ∩ s| summed over all pairs s: each of its attributes lies in d - 1 pairs
            weights.append(sum(importance[a] * (total - importance[a]) for a in c) if d > 2 else 1.0)
    n_cells = np.array([cells(c, sizes) for c in cliques], dtype=np.float64)
    scaled = np.array(weights) / max(weights)
    return Workload(tuple(cliques), tuple(tuple(names[a] for a in c) for c in cliques), scaled, n_cells, np.concatenate(place).astype(np.int64))


def aim(source: Source, fitting: Fitting, work: Workload, *, rho: float) -> TreeModel:
    """Spend ``rho`` on the marginals of ``work``; ``fitting`` already holds the one-way measurements.

    Every round selects by ``source.choose`` and measures by ``source.marginal``; where a measurement moved the model less than its noise
    would, the next ones are four times as exact. All that is left goes into a last round.
    """
    limits, unit = fitting.limits, source.sensitivity
    sigma = math.sqrt(limits.rounds / (2 * limits.measure * rho))
    epsilon = math.sqrt(8 * (1 - limits.measure) * rho / limits.rounds)
    growth = Growth(fitting.sizes, limits.max_cells)
    model, spare = fitting.refit(), source.remaining - rho
    while (left := (source.remaining - spare) * (1 - 1e-9)) > 1e-6 * rho:
        if left < 2 * (1 / (2 * sigma**2) + epsilon**2 / 8):
            sigma, epsilon = math.sqrt(1 / (2 * limits.measure * left)), math.sqrt(8 * (1 - limits.measure) * left)
        share = 1 - (left - 1 / (2 * sigma**2) - epsilon**2 / 8) / rho
        estimates = all_pairs(model).ravel()[work.place]
        allowed = growth.allowed(model.tree, fitting.near, work.cliques, share=share)
        penalties = EXPECTED * sigma * unit * work.n_cells
        chosen = source.choose(work.names, estimates, weights=work.weights, penalties=penalties, allowed=allowed, epsilon=epsilon)
        before = estimates[_slice(work, chosen)]
        counts = source.marginal(work.names[chosen], sigma=sigma * unit).counts
        fitting.add(work.cliques[chosen], counts.astype(np.float64), sigma * unit)
        model = fitting.refit()
        after = model.marginal(work.cliques[chosen])
        assert after is not None  # it was just measured, so a clique holds it
        if np.abs(after.ravel() - before).sum() <= EXPECTED * sigma * unit * work.n_cells[chosen]:
            sigma, epsilon = sigma / 2, epsilon * 2
    return fitting.refit(thorough=True)


def _slice(work: Workload, chosen: int) -> slice:
    begin = int(work.n_cells[:chosen].sum())
    return slice(begin, begin + int(work.n_cells[chosen]))
