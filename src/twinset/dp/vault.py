"""The private rows and the ways to ask about them. Each bills the ledger before it answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from twinset.coding.hierarchy import lengths
from twinset.core.cohort import Cohort
from twinset.core.contracts import BoolArray, FloatArray, Measurement, Rule
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Column, Level, Schema
from twinset.dp import discover, events, noise, selection
from twinset.dp.counts import Counts
from twinset.dp.events import Event
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.tables import MemoryTable, Table, same_cells
from twinset.errors import BadInput, collect

MOST_WEIGHT = 2**31  # of a total: 2^31 rows of such weight still fit 64 bits


class Vault:
    """Private rows behind a ledger. With an ``allowance``, no more than it is ever asked; without one, the ledger alone tells what it is worth.

    ``rows``: a cohort in memory, or a table that answers for itself (``dp.files.FileTable``: a file larger than memory).
    ``rules``: those that are public, for generators that build them in.
    """

    def __init__(self, rows: Cohort | Table, ledger: Ledger, allowance: Allowance | None = None, *, rules: Sequence[Rule] = ()) -> None:
        self._rows: Table = MemoryTable(rows, unlisted="missing" if allowance else "refused") if isinstance(rows, Cohort) else rows
        self.ledger = ledger
        self.allowance = allowance
        self.rules = tuple(rules)
        self._most: int | None = None  # rows of any one patient
        self._found: Domain | None = None  # by ``discretise``: the fine cells that there are
        self._domain: Domain | None = None  # the same cells in the groups that are counted on
        self._counts: Counts | None = None
        self._workload: tuple[Sequence[tuple[str, ...]], np.ndarray, np.ndarray] | None = None

    @property
    def schema(self) -> Schema:
        return self._rows.schema

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        return self._rows.dtypes

    @property
    def private(self) -> bool:
        return self.allowance is not None

    @property
    def remaining(self) -> float:
        return max(0.0, self.allowance.rho - self.ledger.rho) if self.allowance else math.inf

    @property
    def sensitivity(self) -> float:
        return self._per_patient * (math.sqrt(2) if self._replace else 1.0)

    @property
    def n_public(self) -> int | None:
        return self.allowance.n_public if self.allowance else None

    def __repr__(self) -> str:
        return f"Vault({len(self.schema)} columns, {self.ledger!r})"

    def reveal(self, why: str) -> Cohort:
        """The rows themselves. Bills infinity: nothing made from them is differentially private. Refused under an allowance."""
        self._bill(events.reveal(why))
        return self._rows.cohort()

    def discretise(self, *, rho: float) -> Domain:
        """The domain of the synthesised columns: declared where public, else found within ``rho`` (and within the allowance's delta).

        Paid for: levels without a public list, bounds, and where the bins of a number lie (a number with few whole values needs none).
        Raises BadInput with the columns' names where something must be found and ``rho`` is 0.
        """
        columns = tuple(self.schema.synthesised)
        self._check_patients()
        levels = [c for c in columns if not c.numeric and not self._listed(c)]
        unbounded = [c for c in columns if c.numeric and not _bounded(c)]
        if not rho > 0 and (levels or unbounded):
            discover.refuse([c.name for c in (*levels, *unbounded)])
        binned = [c for c in columns if c.numeric and not (_bounded(c) and discover.single(c))] if rho > 0 else []
        shares = discover.shares(rho, levels=len(levels), numbers=len(binned))
        found = self._levels(levels, shares.levels) if levels else {}
        found |= {c.name: self._bins(c, self.sensitivity * shares.number) for c in binned}
        declared = {c.name: discover.number_axis(c, discover.grid(c)) if c.numeric else self._declared_levels(c) for c in columns if c.name not in found}
        return self._begin(Domain(tuple((found | declared)[c.name] for c in columns)))

    def recode(self, domain: Domain) -> None:
        """Use other groups for all later questions. Free: regrouping is post-processing.

        ``domain`` must be the one that ``discretise`` returned, its fine cells regrouped (``Axis.grouped``); before ``discretise``, the one of
        the categories with public levels. Raises BadInput otherwise: on other cells the answer would tell for nothing what is in the rows.
        """
        known = self._public() if self._found is None else self._found
        if not same_cells(known, domain):
            raise BadInput(
                "these are not the cells that were declared or paid for",
                where="recode",
                hint="take the domain that `discretise` returned and regroup its axes with `Axis.grouped`",
            )
        self._count_on(Domain(tuple(own.grouped(asked.cell_of) for own, asked in zip(known, domain, strict=True))))

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        """Noisy counts on the modelled cells, one axis a column; no columns = the noisy row count.

        Sensitivity: a patient has at most ``per_patient`` rows, all of which may fall into one cell; exchanging a patient changes two.
        Before ``discretise``, columns whose levels are declared public can be asked for. Raises BadInput where they are not.
        """
        if not sigma > 0:
            raise BadInput("the noise scale must be positive", where="marginal", hint="give sigma > 0")
        self._prepare([columns], where="marginal")
        self._check_patients()
        self._bill(events.gaussian(" x ".join(columns) or "row count", sigma=sigma, sensitivity=self.sensitivity))
        return Measurement(tuple(columns), noise.discrete_gaussian(self._count(columns), sigma=sigma), sigma)

    def total(self, column: str, weights: np.ndarray, *, by: Sequence[str] = (), sigma: float) -> Measurement:
        """Noisy sums of a public whole number a level of ``column``, one axis a column of ``by``: how means are asked for.

        ``weights``: int64, one for each level of the column, in order; missing counts nothing. ``sigma``: of the noise, in units of the weights.
        One patient moves the sums by at most :meth:`swing`, for which the ledger is billed before anything is counted.
        Raises BadInput as :meth:`marginal` does, and where the weights are not whole numbers, one a level.
        """
        if not sigma > 0:
            raise BadInput("the noise scale must be positive", where="total", hint="give sigma > 0")
        axis = self._prepare([(*by, column)], where="total")[column]
        whole = weights.dtype.kind == "i" and weights.shape == (axis.n_values,) and axis.size == axis.n_fine
        if not whole or weights.min() < -MOST_WEIGHT or weights.max() > MOST_WEIGHT:
            raise BadInput("a total needs one whole number a level, none beyond 2^31", where="total", hint="round the weights to a grid first")
        self._check_patients()
        self._bill(events.gaussian(" x ".join((f"total of {column}", *by)), sigma=sigma, sensitivity=self.swing(weights)))
        each = np.r_[weights.astype(np.int64), np.zeros(axis.size - len(weights), dtype=np.int64)]
        return Measurement(tuple(by), noise.discrete_gaussian(self._count((*by, column)) @ each, sigma=sigma), sigma)

    def swing(self, weights: np.ndarray) -> float:
        """The most, in L2, that one patient moves a :meth:`total` of these weights.

        A row that comes or goes moves one cell by its weight. An exchanged patient moves one cell by the difference of two weights (0 where
        missing), or two cells by a weight each: the larger of the two. All ``per_patient`` rows may do so.
        """
        high, low = float(max(weights.max(), 0)), float(min(weights.min(), 0))
        most = max(high, -low)
        return self._per_patient * (max(math.sqrt(2) * most, high - low) if self._replace else most)

    def choose(
        self,
        workload: Sequence[tuple[str, ...]],
        estimates: FloatArray,
        *,
        weights: FloatArray,
        penalties: FloatArray,
        allowed: BoolArray,
        epsilon: float,
    ) -> int:
        """The place of a marginal that ``estimates`` gets badly wrong; see the contract.

        Scores are whole numbers, and estimates are rounded to whole patients (``dp.selection``). Places that are not ``allowed`` take no part.
        Raises BadInput, by what was given alone, where none is, a shape is wrong, a number is not finite, or a weight is negative.
        """
        workload = tuple(tuple(columns) for columns in workload)
        domain = self._prepare(workload, where="choose")
        estimates, weights, penalties, allowed = (np.asarray(given) for given in (estimates, weights, penalties, allowed))
        size = dict(zip(domain.names, domain.sizes, strict=True))
        n_cells = [math.prod(size[n] for n in columns) for columns in workload]
        selection.check(n_cells, estimates=estimates, weights=weights, penalties=penalties, allowed=allowed)
        self._check_patients()
        self._bill(events.noisy_max("which marginal", epsilon=epsilon))
        exact, begin = self._exact(domain, workload)
        places = np.flatnonzero(allowed)
        scores = selection.scores(exact, begin, estimates=estimates, weights=weights, penalties=penalties)[places]
        moves = selection.sensitivity(per_patient=self._per_patient, replace=self._replace)
        return int(places[noise.noisy_max(scores, sensitivity=moves, epsilon=epsilon)])

    def train(self, step: Callable[..., Any], *, clip: float, noise_multiplier: float, rate: float, steps: int) -> Any:
        """DP-SGD: not built yet."""
        raise BadInput("private training is not available yet", hint="use a generator that measures marginals, such as aim")

    @property
    def _per_patient(self) -> int:
        return self.allowance.per_patient if self.allowance else 1

    @property
    def _replace(self) -> bool:
        return self.allowance is not None and self.allowance.relation == "replace"

    def _bill(self, event: Event) -> None:
        if self.allowance is not None:
            self.allowance.admit(self.ledger.events, event)
        self.ledger.bill(event)

    def _check_patients(self) -> None:
        """The rows must keep the bound on a patient's rows that the noise is scaled to."""
        if self._most is None:
            self._most = self._rows.most_rows() if self.schema.unit else 1
        if self._most > self._per_patient:
            if self.allowance is None:
                raise BadInput("noisy marginals need one row per patient, or a bound", hint="set data.per_patient and a [privacy] section")
            raise BadInput(
                "a patient has more rows than the bound that noise is scaled to", where="data.per_patient", hint="bound the rows before they are counted"
            )

    def _listed(self, column: Column) -> bool:
        boolean = self.dtypes[column.name] == pl.Boolean
        return boolean or (bool(column.levels) and column.origin == "public")

    def _declared_levels(self, column: Column) -> Axis:
        public = bool(column.levels) and column.origin == "public"
        return discover.level_axis(column, column.levels if public else (False, True), other=False)

    def _public(self) -> Domain:
        """What can be asked before ``discretise``: the categories whose levels are declared public."""
        return Domain(tuple(self._declared_levels(c) for c in self.schema.synthesised if not c.numeric and self._listed(c)))

    def _begin(self, domain: Domain) -> Domain:
        """The cells that there are from now on; nobody writes into arrays that the vault counts on."""
        for array in (a for axis in domain for a in (axis.edges, axis.cell_of, axis.weights)):
            array.setflags(write=False)
        self._found = domain
        self._count_on(domain)
        return domain

    def _count_on(self, domain: Domain) -> None:
        """No row is looked at before the next question is paid for."""
        self._domain, self._counts, self._workload = domain, None, None

    def _prepare(self, marginals: Sequence[Sequence[str]], *, where: str) -> Domain:
        """The domain that these columns are counted on. Raises BadInput where there is none, or one is named twice in a marginal."""
        if self._domain is None:
            self._count_on(self._public())
        assert self._domain is not None
        known = set(self._domain.names)
        unknown = dict.fromkeys(n for columns in marginals for n in columns if n not in known)
        problems = [f"column `{n}` is not synthesised, or has no declared public levels" for n in list(unknown)[:20]]
        if any(len(set(columns)) < len(columns) for columns in marginals):
            problems.append("a marginal names a column twice")
        if problems:
            raise BadInput(collect(problems), where=where, hint='name each column once; declare levels in the study file, with origin = "public"')
        return self._domain

    def _counted(self, domain: Domain, marginals: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The exact counts of each, one axis a column."""
        if self._counts is None:
            self._counts = self._rows.counts(domain)
        place = {n: i for i, n in enumerate(domain.names)}
        return self._counts.count([tuple(place[n] for n in columns) for columns in marginals])

    def _count(self, columns: Sequence[str]) -> np.ndarray:
        if not columns:
            return np.asarray(len(self._rows), dtype=np.int64)
        return self._counted(self._prepare([columns], where="marginal"), [columns])[0]

    def _exact(self, domain: Domain, workload: Sequence[tuple[str, ...]]) -> tuple[np.ndarray, np.ndarray]:
        """All counts of the workload, counted once, one behind the other; and where each begins."""
        if self._workload is None or self._workload[0] != workload:
            tables = [t.ravel() for t in self._counted(domain, workload)]
            self._workload = workload, np.concatenate(tables), np.cumsum([0, *map(len, tables[:-1])])
        return self._workload[1], self._workload[2]

    def _bins(self, column: Column, sigma: float) -> Axis:
        """Two looks: on a public grid, which also tells the bounds where they are not declared; then with its heavy cells cut further."""
        grid = discover.grid(column) if _bounded(column) else discover.unbounded_grid(column)
        known = column if _bounded(column) else replace(column, low=None, high=None)
        counts = self._histogram(discover.number_axis(known, grid), sigma, "bins")
        if not _bounded(column):
            first, last = discover.bounds(grid, counts, sigma=sigma)
            grid, counts = grid[first : last + 2], counts[first : last + 1]
            known = replace(column, low=float(grid[0]), high=float(grid[-1]) - discover.whole(column), origin="noisy")
        edges = discover.grid(known) if discover.single(known) else discover.split(known, grid, counts, sigma=sigma)
        finer = self._histogram(discover.number_axis(known, edges), sigma, "finer bins")
        same = np.isin(edges[:-1], grid[:-1]) & np.isin(edges[1:], grid[1:])
        held = np.searchsorted(grid, edges[:-1], side="right") - 1
        finer = np.where(same, (finer + counts[held]) / 2, finer)  # cells that were not cut were counted twice
        cell_of = discover.bins(finer, sigma=sigma)
        return discover.number_axis(known, edges, cell_of=cell_of, weights=discover.shape(edges, finer, cell_of, sigma=sigma))

    def _histogram(self, axis: Axis, sigma: float, what: str) -> np.ndarray:
        """Noisy counts of the value cells of one column on a public or paid-for grid."""
        self._bill(events.gaussian(f"{axis.name}: {what}", sigma=sigma, sensitivity=self.sensitivity))
        return noise.discrete_gaussian(self._rows.histogram(axis), sigma=sigma)[: axis.n_values].astype(np.float64)

    def _levels(self, columns: Sequence[Column], passes: Sequence[tuple[float, float]]) -> dict[str, Axis]:
        """The levels that clearly more than one patient holds; all others become ``other``.

        Each pass is one look at all columns: a row gives ``discover.weights`` to its cells whose levels no pass before has shown. What was shown
        is paid for, so a row's weights are its own affair, and from the second pass on most rows have one cell or none to give them to.
        """
        exchanged = 2 if self._replace else 1  # patients who differ between neighbours, each with levels of their own
        delta = self.allowance.delta / exchanged if self.allowance else 0.0
        if not delta > 0:
            discover.refuse([c.name for c in columns])
        found: dict[str, list[Level]] = {c.name: [] for c in columns}
        weights = discover.weights(sum(1 + len(lengths(c.name)) for c in columns))
        for n, (noises, failing) in enumerate(passes, start=1):
            sensitivity = discover.SCALE * self.sensitivity
            sigma = noises * sensitivity
            self._bill(events.threshold(f"levels, pass {n}", sigma=sigma, sensitivity=sensitivity, delta=exchanged * failing * delta))
            keys, held = self._rows.unfound(found, weights)
            noisy = noise.discrete_gaussian(held, sigma=sigma, keys=keys)
            line = discover.threshold(weights[1:].tolist(), per_patient=self._per_patient, sigma=sigma, delta=failing * delta)
            for (name, level), shown in zip(keys, (noisy > line).tolist(), strict=True):
                if shown:
                    found[name].append(level)
        return {c.name: discover.level_axis(replace(c, origin="noisy"), tuple(sorted(found[c.name])), other=True) for c in columns}


def _bounded(column: Column) -> bool:
    return column.low is not None and column.high is not None and column.origin == "public"
