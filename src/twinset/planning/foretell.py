"""What a private release would be worth at several epsilons, tried on a stand-in table."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from twinset.core.cohort import Cohort
from twinset.core.contracts import Effect, Rule, SizedModel
from twinset.core.schema import Schema
from twinset.core.seeds import stream
from twinset.door import declared
from twinset.dp.accountant import advantage, guess
from twinset.dp.events import Event
from twinset.dp.ledger import Ledger
from twinset.errors import BadInput, RuleInvalid, TwinsetError
from twinset.io.declared import Declared, as_declared
from twinset.planning.distances import Distances, distances
from twinset.planning.stand_in import invent
from twinset.planning.told import Endpoint, Forecast, Plan, Range
from twinset.private import allowance, demand, guarded, public_rules
from twinset.release.terms import Privacy
from twinset.rules.enforce import enforce
from twinset.study import Study

ENOUGH = 1.25  # the recommended epsilon's pair error is at most so many times the largest epsilon's, or the floor of fresh patients
FEWEST = 20  # patients: fewer are no table
PRIVATE = ("aim", "mst", "bayesian_network")
Progress = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class _Task:
    """What all tries share. ``tables``: the stand-ins, the same for every epsilon so that epsilons differ in their noise only."""

    study: Study
    terms: Privacy
    rules: tuple[Rule, ...]
    tables: tuple[Cohort, ...]
    progress: Progress


@dataclass(frozen=True, repr=False)
class _Try:
    train: Cohort
    synthetic: Cohort
    found: Distances
    events: tuple[Event, ...]
    cpu_seconds: float


def plan(study: Study, epsilons: Sequence[float], *, rows: int = 0, like: Cohort | None = None, repeats: int = 4, progress: Progress | None = None) -> Plan:
    """Foretell a private release of the study at each epsilon. The study's table is never opened.

    ``rows``: of the whole table (a public figure, or a guess); without it ``release.n``, or those of ``like``: a public table with the
    study's columns to try it on instead of invented ones. Recommended is the smallest epsilon whose pairs are within 25 % of the largest
    epsilon's, or of what fresh patients would read. Not for the error of one given pair: real columns can be tied in ways that no stand-in is.

    Raises BadInput where the number of rows is unknown, an epsilon is not positive, or delta is not below one over the rows.
    """
    study.check()
    asked = sorted(set(epsilons))
    if not asked or not all(0 < e < math.inf for e in asked):
        raise BadInput("every epsilon must be a positive number", where="--epsilon", hint="for example --epsilon 0.5,1,2,5,10")
    n, n_train = _rows(study, rows, like)
    terms = _terms(study, asked[0])
    if terms.delta * n >= 1:
        raise BadInput("delta is not below one over the number of patients", where="privacy.delta", hint="leave it at its default of 1e-9")
    named = study if study.generator.name in PRIVATE else study.model_copy(update={"generator": type(study.generator)(name="aim")})
    schema = declared(study.schema_of_columns()).synthesised
    rules, tables = _stand_ins(named, schema, n_train, like, repeats)
    task = _Task(named, terms, rules, tables, progress or (lambda _: None))
    found = tuple(_forecast(task, e) for e in asked)
    return Plan(
        n,
        n_train,
        named.generator.name,
        terms.delta,
        terms.unit,
        terms.relation,
        "invented patients" if like is None else "a public table",
        paid=tuple(c.name for c in schema if c.origin != "public"),
        rules_kept=len(rules) > 0 or not any(r.origin == "public" for r in study.rules),
        private_rules=sum(r.origin != "public" for r in study.rules),
        forecasts=found,
        recommended=recommended(found),
    )


def _terms(study: Study, epsilon: float) -> Privacy:
    """The study's own, else for its unit. Raises BadInput where a release would refuse them."""
    terms = study.privacy or Privacy(epsilon=epsilon, unit=study.data.unit)
    demand(study.model_copy(update={"privacy": terms, "rules": ()}))
    return terms


def recommended(forecasts: Sequence[Forecast]) -> float:
    """The smallest epsilon whose mean pair error is within 25 % of the largest epsilon's, or of what fresh patients would read."""
    last = forecasts[-1]
    good = ENOUGH * max(_error(last), last.floor if math.isfinite(last.floor) else 0.0)
    return next((f.epsilon for f in forecasts if _error(f) <= good), last.epsilon)


def _error(f: Forecast) -> float:
    """Of pairs; of columns where there is only one."""
    return f.pairs.mean if math.isfinite(f.pairs.mean) else f.columns.mean


def _rows(study: Study, rows: int, like: Cohort | None) -> tuple[int, int]:
    n = rows or study.release.n or (len(like) if like is not None else 0)
    if not n:
        hint = "give --rows, about, or a public table that looks like it with --like"
        raise BadInput("how many rows the table has is not known (it is not opened for a plan)", where="--rows", hint=hint)
    if n < FEWEST:
        raise BadInput("too few rows for a private release", where="--rows", hint=f"at least {FEWEST}; honest ones begin at hundreds")
    return n, int((1 - study.holdout.fraction) * n)


def _stand_ins(study: Study, schema: Schema, n: int, like: Cohort | None, repeats: int) -> tuple[tuple[Rule, ...], tuple[Cohort, ...]]:
    """The public rules and the tables to try it on. Invented patients keep the rules; where none can, the plan is made without them."""
    rules = public_rules(study, schema)
    if like is not None:
        known = Cohort(as_declared(like.frame.select(schema.names), schema, Declared()).frame, schema)
        return rules, tuple(_drawn(known, n, seed=study.seed, number=r) for r in range(repeats))
    populations = [invent(schema, stream(study.seed, "plan", r)) for r in range(repeats)]
    tables = [p.sample(n, stream(study.seed, "plan rows", r)) for r, p in enumerate(populations)]
    try:
        kept = [enforce(t, rules, p.sample, stream(study.seed, "plan rules", r)).cohort for r, (t, p) in enumerate(zip(tables, populations, strict=True))]
    except RuleInvalid:
        return (), tuple(tables)
    return rules, tuple(kept)


def _drawn(like: Cohort, n: int, *, seed: int, number: int) -> Cohort:
    """``n`` rows of a public table: without repeats where it has as many."""
    return like.take(stream(seed, "plan", number).choice(len(like), n, replace=n > len(like)))


def _forecast(task: _Task, epsilon: float) -> Forecast:
    tries = [_tried(task, epsilon, r) for r in range(len(task.tables))]
    allowed = allowance(task.terms.model_copy(update={"epsilon": epsilon}), task.tables[0], task.study.data.per_patient)
    won = advantage(allowed.rho, allowed.delta)
    measured = [[e.name for e in t.events if " x " in e.name and e.mechanism == "discrete-gaussian"] for t in tries]
    found = [t.found for t in tries]
    return Forecast(
        epsilon,
        columns=Range.of([f.columns for f in found]),
        pairs=Range.of([f.pairs for f in found]),
        floor=Range.of([f.floor for f in found]).mean,
        independent=Range.of([f.independent for f in found]).mean,
        by_column=_ranges([f.by_column for f in found]),
        by_pair=_ranges([f.by_pair for f in found]),
        endpoints=_endpoints(task.study, tries),
        advantage=won,
        guess=guess(won),
        looks=float(np.mean([len(t.events) for t in tries])),
        rounds=float(np.mean([len(m) for m in measured])),
        first=tuple(measured[0][:8]),
        cpu_seconds=max(t.cpu_seconds for t in tries),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,
    )


def _tried(task: _Task, epsilon: float, number: int) -> _Try:
    """One release of a stand-in, made as a real one is: same vault, same allowance, same rules, a noisy number of rows."""
    task.progress(f"epsilon = {epsilon:g}: {number + 1} of {len(task.tables)}")
    train, study, terms = task.tables[number], task.study, task.terms.model_copy(update={"epsilon": epsilon})
    start = time.process_time()
    vault = guarded(train, Ledger(unit=terms.unit), allowance(terms, train, study.data.per_patient), task.rules)
    model = study.build_generator().fit(vault, stream(study.seed, "plan fit", number))
    n = study.release.n or (max(1, model.n_rows) if isinstance(model, SizedModel) else len(train))
    drawn = model.sample(n, stream(study.seed, "plan sample", number))
    kept = enforce(drawn, task.rules, model.sample, stream(study.seed, "plan kept", number)).cohort
    cpu = time.process_time() - start
    return _Try(train, kept, distances(train, kept), tuple(vault.ledger.events), cpu)


def _ranges(many: Sequence[dict[str, float]]) -> dict[str, Range]:
    names = dict.fromkeys(n for one in many for n in one)
    return {n: Range.of([one[n] for one in many if n in one]) for n in sorted(names)}


def _endpoints(study: Study, tries: Sequence[_Try]) -> tuple[Endpoint, ...]:
    """Each endpoint's standard error on a synthetic cohort, and the spread that noise adds to it over the tries."""
    out: list[Endpoint] = []
    for endpoint in study.build_endpoints():
        rows: dict[str, list[tuple[Effect, Effect]]] = {}
        for t in tries:
            try:
                real, made = ({e.contrast: e for e in endpoint.estimate(c)} for c in (t.train, t.synthetic))
            except TwinsetError:  # an arm or an event that the noise left empty: no estimate there
                continue
            for contrast in real.keys() & made.keys():
                rows.setdefault(contrast, []).append((real[contrast], made[contrast]))
        out += _contrasts(endpoint.name, rows)
    return tuple(out)


def _contrasts(name: str, rows: dict[str, list[tuple[Effect, Effect]]]) -> list[Endpoint]:
    """The contrasts of one endpoint; what noise adds is pooled over them, for a few tries tell little about one."""
    if not rows:
        return [Endpoint(name, "", math.nan, ratio=False, tries=0)]
    noise = float(np.mean([(made.value - real.value) ** 2 for pairs in rows.values() for real, made in pairs]))
    own = {contrast: float(np.mean([made.error**2 for _, made in rows[contrast]])) for contrast in sorted(rows)}
    return [Endpoint(name, c, math.sqrt(v + noise), ratio=rows[c][0][1].ratio, tries=len(rows[c])) for c, v in own.items()]
