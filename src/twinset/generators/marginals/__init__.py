"""Private marginals: noisy counts of a few columns at a time, a graphical model that fits them, rows drawn from it.

The generator only ever holds measurements: its bill is finite, and ``twinset release`` writes it into a certificate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
import polars as pl

from twinset.coding.discretise import rows
from twinset.core.cohort import Cohort
from twinset.core.contracts import Source
from twinset.core.domain import Domain
from twinset.core.schema import Role, Schema
from twinset.core.seeds import Rng
from twinset.errors import BadInput
from twinset.generators.marginals.aim import Fitting, Limits, Workload, aim, workload
from twinset.generators.marginals.coarse import coarsen
from twinset.generators.marginals.draw import draw
from twinset.generators.marginals.graph import cells
from twinset.generators.marginals.model import TreeModel
from twinset.generators.marginals.mst import mst
from twinset.generators.marginals.settings import Cells, Columns, Count, Share, ShareOrNone, Strength, Sweeps, Table, Weight, check
from twinset.generators.marginals.zeros import impossible

ROLES: tuple[Role, ...] = ("time", "event", "arm", "outcome")
FOCUS = ("outcome", "event", "arm", "time")
Spend = Callable[..., TreeModel]


class Settings(Protocol):
    """What every generator that works from marginals can be told; see :class:`AIM`."""

    @property
    def focus(self) -> tuple[str, ...] | None: ...
    @property
    def focus_weight(self) -> float: ...
    @property
    def max_cells(self) -> int: ...
    @property
    def domain_share(self) -> float: ...
    @property
    def one_way_share(self) -> float: ...
    @property
    def strength(self) -> float: ...
    @property
    def sweeps(self) -> int: ...


@dataclass(frozen=True)
class AIM:
    """Adaptive private marginals: measures, round by round, the pair of columns its model gets most wrong.

    The default where a claim of differential privacy is wanted: the most accurate of the private generators here on tables of up to about
    a hundred columns. Use ``mst`` for a draft within a second. Not for free text, nor where relations of three or more columns at
    once are the point and no pair shows them. Needs a budget (section ``[privacy]``); raises BadInput without one.

    ``focus``: columns whose pairs count ``focus_weight`` times (default: roles outcome, event, arm and time); ``max_cells``: the model's size limit
    (8 bytes a cell, and about as much again for maps; a table too wide for it keeps fewer pairs, and says so in its events); ``rounds``: of selection, 0 = 6 a column;
    ``domain_share``, ``one_way_share``, ``always_share``: of the budget for finding undeclared bounds and levels, for the one-way counts, and for the tables in ``always``,
    which are measured before any is chosen (default: the pairs among time, event, arm and outcome that endpoints are read from, where roles name them).
    The three shares together stay below 1; StudyInvalid names a setting that is out of its bounds.
    Source: McKenna, Mullins, Sheldon and Miklau, VLDB 2022.
    """

    focus: Columns | None = None
    focus_weight: Weight = 2.0
    max_cells: Cells = 262_144
    rounds: Count = 0
    domain_share: ShareOrNone = 0.25
    one_way_share: Share = 0.3
    always: tuple[Table, ...] | None = None
    always_share: Share = 0.13
    strength: Strength = 0.003
    sweeps: Sweeps = 12

    def __post_init__(self) -> None:
        check(self, shares=("domain_share", "one_way_share", "always_share"))

    def fit(self, source: Source, rng: Rng) -> MarginalsModel:
        return fit_marginals(self, source, aim)


@dataclass(frozen=True)
class MST:
    """A private draft: one spanning tree of the strongest pairs, measured once.

    Fast and stable, but its tree is its limit: more budget hardly helps. Prefer ``aim`` for anything that is released.
    Settings as for :class:`AIM`. Source: McKenna, Miklau and Sheldon 2021.
    """

    focus: Columns | None = None
    focus_weight: Weight = 2.0
    max_cells: Cells = 1_000_000
    domain_share: ShareOrNone = 0.25
    one_way_share: Share = 0.25
    strength: Strength = 0.003
    sweeps: Sweeps = 8

    def __post_init__(self) -> None:
        check(self, shares=("domain_share", "one_way_share"))

    @property
    def noise_is_fixed(self) -> bool:
        """One-way counts, then d - 1 selections and d - 1 pairs, each at a share of the budget that is known beforehand."""
        return True

    def fit(self, source: Source, rng: Rng) -> MarginalsModel:
        return fit_marginals(self, source, mst)


@dataclass(frozen=True, repr=False, eq=False)
class MarginalsModel:
    """A fitted graphical model with its domain. Made of noisy measurements only: it may be kept and drawn from again at no cost.

    ``measured``: the marginals and the standard deviation of the noise on each of their cells, for whoever analyses the copies;
    ``first``: the cells (of each axis' fine cells) that the one-way counts were taken on, before thin ones were joined, and ``first_sigma`` their noise.
    """

    tree: TreeModel
    domain: Domain
    schema: Schema
    dtypes: Mapping[str, pl.DataType]
    n_rows: int
    measured: tuple[tuple[tuple[str, ...], float], ...]
    fitting: Fitting
    first: tuple[np.ndarray, ...]
    first_sigma: float

    def sample(self, n: int, rng: Rng) -> Cohort:
        return rows(draw(self.tree, n, rng), self.domain, self.schema, self.dtypes, rng)

    @property
    def share_noise(self) -> float:
        """The noise of the one-way counts over the noisy total; see the contract."""
        return sum(sigma for names, sigma in self.measured if len(names) == 1) / len(self.domain) / max(self.tree.total, 1.0)

    def unlisted(self) -> dict[str, float]:
        """The noisy share of patients whose level was not found, for every column whose levels were looked for: 0 to 1. Made of paid answers.

        These patients are drawn as ``other``; where levels are numbers, which have no such word, as one of the levels found.
        """
        out = {}
        for i, axis in enumerate(self.domain):
            if not axis.other:
                continue
            held = self.tree.marginal((i,))
            assert held is not None  # every column is measured
            together = axis.cell_of == axis.cell_of[axis.n_values]
            mass = float(axis.weights[together].sum())
            part = float(axis.weights[axis.n_values]) / mass if mass > 0 else 1 / int(together.sum())
            out[axis.name] = float(held[axis.cell_of[axis.n_values]]) / max(self.tree.total, 1.0) * part
        return out

    def __repr__(self) -> str:
        return f"MarginalsModel({len(self.domain)} columns, {len(self.measured)} measurements, {len(self.tree.belief):,} cells)"


def fit_marginals(settings: Settings, source: Source, spend: Spend) -> MarginalsModel:
    """A model of what ``spend`` measures, after the domain and the one-way counts were paid for. Raises BadInput where no budget is set."""
    rho = source.remaining
    if not source.private or not math.isfinite(rho):
        raise BadInput("this generator works from a privacy budget, and none is set", hint="add a [privacy] section with epsilon and unit to the study file")
    domain = source.discretise(rho=settings.domain_share * rho)
    d = len(domain)
    sigma = source.sensitivity * math.sqrt(d / (2 * settings.one_way_share * rho))
    counts = {a.name: source.marginal((a.name,), sigma=sigma).counts.astype(np.float64) for a in domain}
    coarse = domain.with_axes({a.name: coarsen(a, counts[a.name], sigma=sigma) for a in domain})
    source.recode(coarse)
    limits = Limits(settings.max_cells, settings.strength, settings.sweeps, 0.9, (settings.rounds if isinstance(settings, AIM) else 0) or 6 * d)
    fitting = Fitting(coarse.sizes, limits, zeros=impossible(source.rules, coarse), n_public=source.n_public)
    for i, (old, new) in enumerate(zip(domain, coarse, strict=True)):
        group = np.zeros(old.size, dtype=np.int64)
        group[old.cell_of] = new.cell_of
        fitting.add((i,), np.bincount(group, weights=counts[old.name], minlength=new.size), sigma)
    if isinstance(settings, AIM):
        _measure_always(settings, source, fitting, coarse, rho=settings.always_share * rho)
    work = _workload(settings, coarse)
    tree = spend(source, fitting, work, rho=source.remaining) if d > 1 else fitting.refit(thorough=True)
    measured = tuple((tuple(coarse.names[a] for a in c), math.sqrt(v)) for c, v in fitting.combined.cliques.items())
    n_rows, first = max(1, round(tree.total)), tuple(a.cell_of for a in domain)
    return MarginalsModel(tree, coarse, source.schema.synthesised, source.dtypes, n_rows, measured, fitting, first, sigma)


def _measure_always(settings: AIM, source: Source, fitting: Fitting, domain: Domain, *, rho: float) -> None:
    """The tables that are wanted whatever the others show; those too large for the model's limit are left to selection."""
    if settings.always is None:
        tables: tuple[tuple[str, ...], ...] = _endpoint_pairs(domain)
    else:
        tables = settings.always
        _known([n for t in tables for n in t], domain, "always")
    cliques = [tuple(sorted(domain.names.index(n) for n in t)) for t in tables]
    fitting_in = [c for c in dict.fromkeys(cliques) if cells(c, domain.sizes) <= settings.max_cells / 4]
    for clique in fitting_in:
        sigma = source.sensitivity * math.sqrt(len(fitting_in) / (2 * rho))
        counts = source.marginal([domain.names[a] for a in clique], sigma=sigma).counts
        fitting.add(clique, counts.astype(np.float64), sigma)


def _endpoint_pairs(domain: Domain) -> tuple[tuple[str, str], ...]:
    """Time x event, time x arm, event x arm, outcome x arm: what survival and binary endpoints are read from."""
    times, events, arms, outcomes = ([c.name for c in domain.schema.with_role(role)] for role in ROLES)
    return (*product(times, events), *product(times, arms), *product(events, arms), *product(outcomes, arms))


def _known(names: Sequence[str], domain: Domain, setting: str) -> None:
    unknown = [n for n in names if n not in domain.names]
    if unknown:
        raise BadInput(f"`{setting}` names a column that is not synthesised: " + ", ".join(f"`{n}`" for n in unknown), hint="name columns as in the study file")


def _workload(settings: Settings, domain: Domain) -> Workload:
    focus = settings.focus if settings.focus is not None else tuple(c.name for c in domain.schema if c.role in FOCUS)
    _known(focus, domain, "focus")
    return workload(domain.names, domain.sizes, [settings.focus_weight if n in focus else 1.0 for n in domain.names])
