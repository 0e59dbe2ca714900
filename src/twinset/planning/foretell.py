"""What a private release would be worth at several epsilons, tried on a stand-in table."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twinset.audit.fidelity import FIDELITY
from twinset.audit.privacy.split import split
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.schema import Schema
from twinset.core.seeds import stream
from twinset.dp.accountant import advantage, guess, rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput, TwinsetError
from twinset.planning.stand_in import stand_in
from twinset.private import FOR_THRESHOLDS, declared
from twinset.release.terms import Privacy
from twinset.study import Study

Z95, Z80 = 1.959964, 0.841621  # two-sided 95 %, and 80 % power
ENOUGH = 1.25  # the recommended epsilon's pair error is at most so many times the largest epsilon's
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Range:
    """A mean over repeats, with the smallest and the largest of them."""

    mean: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Range:
        known = [v for v in values if math.isfinite(v)]
        return Range(float(np.mean(known)), min(known), max(known)) if known else Range(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Endpoint:
    """What a declared endpoint could show on a synthetic cohort: ``error`` is its standard error with the privacy noise in it."""

    name: str
    contrast: str
    error: float
    ratio: bool

    @property
    def width(self) -> float:
        """Of the 95 % interval, on the scale of the estimate (logarithms for ratios)."""
        return 2 * Z95 * self.error

    @property
    def detectable(self) -> float:
        """The smallest true effect found in 80 % of trials at 5 %: a ratio for ratios, else a difference."""
        effect = (Z95 + Z80) * self.error
        return math.exp(effect) if self.ratio else effect


@dataclass(frozen=True)
class Forecast:
    """One epsilon, foretold."""

    epsilon: float
    columns: Range  # mean total variation distance of single columns
    pairs: Range  # of pairs
    floor: float  # of pairs: what fresh patients of the same number would read
    by_column: dict[str, float]
    by_pair: dict[str, float]
    endpoints: tuple[Endpoint, ...]
    advantage: float
    guess: float
    looks: int
    first: tuple[str, ...]
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Plan:
    """Forecasts in the order of their epsilons, and the epsilon they speak for."""

    n: int
    n_train: int
    generator: str
    delta: float
    unit: str
    paid: tuple[str, ...]  # columns whose domain has to be found within the budget
    forecasts: tuple[Forecast, ...]
    recommended: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        from dataclasses import asdict

        return asdict(self)


def plan(study: Study, epsilons: Sequence[float], *, rows: int = 0, like: Cohort | None = None, repeats: int = 4, progress: Progress | None = None) -> Plan:
    """Foretell a private release of the study at each epsilon. The study's table is never opened.

    ``rows``: patients in the table (a public figure, or a guess); ``like``: a public table with the study's columns to try it on instead of
    an invented one. Raises BadInput where the number of rows is unknown or an epsilon is not positive.
    """
    asked = sorted(set(epsilons))
    if not asked or not all(0 < e < math.inf for e in asked):
        raise BadInput("every epsilon must be a positive number", where="--epsilon", hint="for example --epsilon 0.5,1,2,5,10")
    n = rows or (len(like) if like is not None else study.release.n)
    if n < 20:
        raise BadInput("how many patients the table has is not known (it is not opened for a plan)", where="--rows", hint="give --rows, about")
    terms = study.privacy or Privacy(epsilon=asked[0], unit=study.data.unit)
    schema = declared(study.schema_of_columns()).synthesised
    found = [_one(study, terms, schema, e, n=n, like=like, repeats=repeats, progress=progress) for e in asked]
    last = found[-1].pairs.mean
    good = next(f.epsilon for f in found if f.pairs.mean <= ENOUGH * last)
    paid = tuple(c.name for c in schema if c.origin != "public")
    return Plan(n, _n_train(study, n), _generator(study), terms.delta, terms.unit, paid, tuple(found), good)


def _generator(study: Study) -> str:
    return study.generator.name if study.generator.name in ("aim", "mst", "bayesian_network") else "aim"


def _n_train(study: Study, n: int) -> int:
    return int((1 - study.holdout.fraction) * n)


def _one(study: Study, terms: Privacy, schema: Schema, epsilon: float, *, n: int, like: Cohort | None, repeats: int, progress: Progress | None) -> Forecast:  # noqa: PLR0913
    tried, looks, cpu = [], 0, 0.0
    first: tuple[str, ...] = ()
    for r in range(repeats):
        if progress:
            progress(f"epsilon = {epsilon:g}: {r + 1} of {repeats}")
        # the same stand-ins for every epsilon, so that epsilons differ in their noise only
        table = stand_in(schema, _n_train(study, n), stream(study.seed, "plan", r)) if like is None else _half(like, study, schema, r)
        start = time.process_time()
        synthetic, ledger = _release(study, terms, table, schema, epsilon, seed=r)
        cpu = max(cpu, time.process_time() - start)
        looks, first = len(ledger.events), tuple(e.name for e in ledger.events if " x " in e.name)[:8]
        tried.append((table, synthetic))
    metrics = [errors(a, b) for a, b in tried]
    rho = _allowance(study, terms, schema, epsilon, len(tried[0][0])).rho
    won = advantage(rho, terms.delta)
    return Forecast(
        epsilon,
        Range.of([m[0] for m in metrics]),
        Range.of([m[1] for m in metrics]),
        float(np.mean([m[2] for m in metrics])),
        {c.name: float(np.mean([_column(a, b, c.name) for a, b in tried])) for c in schema},
        _mean_of([m[3] for m in metrics]),
        _endpoints(study, tried),
        won,
        guess(won),
        looks,
        first,
        cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,
    )


def _half(like: Cohort, study: Study, schema: Schema, r: int) -> Cohort:
    train, _ = split(Cohort(like.frame.select(schema.names), schema), fraction=study.holdout.fraction, seed=r)
    return train


def _allowance(study: Study, terms: Privacy, schema: Schema, epsilon: float, n: int) -> Allowance:
    found = any(c.kind == "category" and c.origin != "public" for c in schema)
    delta = FOR_THRESHOLDS * terms.delta if found else 0.0
    per_patient = 1 if terms.unit == "row" else max(study.data.per_patient, 1)
    n_public = n if terms.relation == "replace" and per_patient == 1 else None
    return Allowance(rho_of(epsilon, terms.delta - delta), delta, terms.relation, per_patient, n_public)


def _release(study: Study, terms: Privacy, table: Cohort, schema: Schema, epsilon: float, *, seed: int) -> tuple[Cohort, Ledger]:
    name, ledger = _generator(study), Ledger(unit=terms.unit)
    generator = _named(study, name).build_generator()
    model = generator.fit(Vault(table, ledger, _allowance(study, terms, schema, epsilon, len(table))), stream(study.seed, "plan fit", seed))
    return model.sample(len(table), stream(study.seed, "plan sample", seed)), ledger


def _named(study: Study, name: str) -> Study:
    """The study with this generator, its settings kept where it was the one named."""
    if study.generator.name == name:
        return study
    return study.model_copy(update={"generator": type(study.generator)(name=name)})


def errors(train: Cohort, synthetic: Cohort) -> tuple[float, float, float, dict[str, float]]:
    """What the audit of a release would read: mean variation of columns, of pairs, the floor of pairs, and the worst pairs by name."""
    trial, rng = Trial(train, synthetic), stream(0, "plan audit")
    columns = {f.where: f for f in FIDELITY["columns"]().measure(trial, rng)}
    pairs = {f.where: f for f in FIDELITY["pairs"](worst=5).measure(trial, rng)}
    whole = pairs.pop("")
    return columns[""].value, whole.value, float(whole.beside.get("floor", math.nan)), {name: f.value for name, f in pairs.items()}


def _column(train: Cohort, synthetic: Cohort, name: str) -> float:
    from twinset.audit.fidelity.cells import aligned, binned

    one, other = binned(*aligned(train, synthetic, names=[name]))
    size = int(max(one.codes[0].max(), other.codes[0].max())) + 1
    shares = [np.bincount(t.codes[0], minlength=size) / t.n for t in (one, other)]
    return 0.5 * float(np.abs(shares[0] - shares[1]).sum())


def _mean_of(many: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(n for one in many for n in one)
    return {n: float(np.mean([one[n] for one in many if n in one])) for n in names}


def _endpoints(study: Study, tried: Sequence[tuple[Cohort, Cohort]]) -> tuple[Endpoint, ...]:
    """Each endpoint's standard error on a synthetic cohort, and the spread that noise adds to it over the repeats."""
    out: list[Endpoint] = []
    for endpoint in study.build_endpoints():
        rows: dict[str, list[tuple[float, float, bool]]] = {}
        for train, synthetic in tried:
            try:
                pairs = list(zip(endpoint.estimate(train), endpoint.estimate(synthetic), strict=True))
            except (TwinsetError, ValueError):  # an arm that the noise left empty: no estimate there
                continue
            for a, b in pairs:
                rows.setdefault(a.contrast, []).append((b.error, b.value - a.value, a.ratio))
        for contrast, found in rows.items():
            error = math.sqrt(float(np.mean([f[0] ** 2 for f in found])) + float(np.mean([f[1] ** 2 for f in found])))
            out.append(Endpoint(endpoint.name, contrast, error, found[0][2]))
    return tuple(out)
