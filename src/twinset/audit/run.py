"""The whole audit of a trial: every metric, endpoint and attack, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from twinset.audit.endpoints.agreement import Agreement
from twinset.audit.endpoints.agreement import measure as agreement
from twinset.audit.fidelity import FIDELITY
from twinset.audit.privacy import PRIVACY
from twinset.audit.privacy.control import IMPOSSIBLE, impossible
from twinset.audit.sample import MOST_PATIENTS, Look, Sample, sample
from twinset.core.cohort import Cohort
from twinset.core.contracts import AuditResult, Metric, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng, stream
from twinset.errors import BadInput, SchemaMismatch, TwinsetError, collect

Progress = Callable[[str], None]
TITLES = {
    "emptied": "columns that came out empty",
    "columns": "single columns",
    "pairs": "pairs of columns",
    "hellinger": "all columns at once",
    "predict": "prediction of unseen patients",
    "propensity": "telling synthetic patients apart",
    "copies": "patients word for word",
    "verbatim": "rare patients word for word",
    "tail": "the patients most exposed",
    "replay": "what only one patient has",
    "nearer": "nearness to train's patients",
    "hidden_rate": "hidden rate",
}

CRASHES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError),
    *(TwinsetError, pl.exceptions.PolarsError, pl.exceptions.PanicException),
)  # what a test can raise on rows that nobody foresaw


@dataclass(frozen=True)
class Step:
    """One part of the audit: what to say before it, what its findings are called, how to run it."""

    label: str
    name: str
    measure: Callable[[], Agreement]


def run(
    trial: Trial, *, seed: int, patients: int = MOST_PATIENTS, progress: Progress | None = None, advice: bool = False, only: Sequence[str] = ()
) -> AuditResult:
    """Everything that can be measured on a trial, and why the rest cannot: the hold-out itself, rules, fidelity, endpoints, privacy, attacks.

    The same seed gives the same findings: each step has a random stream of its own name. ``progress`` is called with a plain label before each step.
    ``patients``: what is not linear in rows looks at a random sample of so many patients a side (0 = all), which its findings and ``audited`` say; see ``audit.sample``.
    ``only``: beginnings of the names of the steps to take (``("privacy", "membership")`` for all copies in one table); all by default.
    ``advice``: nothing may depend on this audit, not even by an exception: a test that fails on these rows is a finding that was not measured.
    Raises (unless ``advice``) SchemaMismatch where the synthetic (or hold-out) table lacks a column or holds another kind of value in it, BadInput where a table is empty.
    """
    say = progress or _silent
    try:
        looked = sample(_checked(trial), patients, seed=seed)
    except CRASHES as problem:
        if not advice:
            raise
        return AuditResult((_failed("audit", "the whole audit", problem),))
    made: list[Agreement] = []
    for step in _steps(looked, seed):
        if only and not step.name.startswith(tuple(only)):
            continue
        say(step.label)
        try:
            made.append(step.measure())
        except CRASHES as problem:
            if not advice:
                raise
            made.append(Agreement((_failed(step.name, step.label, problem),)))
    findings = tuple(f for a in made for f in a.findings)
    if not only or IMPOSSIBLE.startswith(tuple(only)):
        findings += (impossible(findings),)
    return AuditResult(findings, tuple(c for a in made for c in a.comparisons), tuple(c for a in made for c in a.curves), looked.says)


def _failed(name: str, label: str, problem: BaseException) -> Finding:
    """The message of our own errors holds no value; that of others may, and is withheld."""
    why = Exception.__str__(problem).partition("\n")[0] if isinstance(problem, TwinsetError) else f"the test failed on these rows ({type(problem).__name__})"
    return not_measured(name, why, label=label)


def _steps(looked: Sample, seed: int) -> Iterator[Step]:
    """The parts in their fixed order."""
    trial = looked.whole.trial
    yield Step("the hold-out", "control", partial(_control, looked.attacked, trial, stream(seed, "control")))
    if trial.rules:
        yield Step("rules", "rules.broken", partial(_rules, trial))
    for name in FIDELITY:
        yield Step(TITLES.get(name, name), f"fidelity.{name}", partial(_metric, FIDELITY[name], looked.of(name), stream(seed, "fidelity", name)))
    for endpoint in trial.endpoints:
        yield Step(f"endpoint {endpoint.name}", f"endpoint.{endpoint.name}", partial(agreement, endpoint, trial, stream(seed, "endpoint", endpoint.name)))
    for name in PRIVACY:
        yield Step(TITLES.get(name, name), f"privacy.{name}", partial(_metric, PRIVACY[name], looked.of(name), stream(seed, "privacy", name)))
    yield Step("attacks", "membership", partial(_attacks, looked.attacked, stream(seed, "arena")))


def _control(look: Look, whole: Trial, rng: Rng) -> Agreement:
    from twinset.audit.privacy.control import overlap
    from twinset.audit.privacy.seen import seen
    from twinset.audit.privacy.strangers import population

    return Agreement(look.stated((overlap(look.trial, whole, rng), population(look.trial, rng), seen(look.trial, rng))))


def _rules(trial: Trial) -> Agreement:
    from twinset.rules.check import check

    return Agreement(check(trial.rules, trial.synthetic, what="synthetic"))


def _metric(metric: Callable[[], Metric], look: Look, rng: Rng) -> Agreement:
    return Agreement(look.stated(metric().measure(look.trial, rng)))


def _attacks(look: Look, rng: Rng) -> Agreement:
    from twinset.audit.privacy.arena import measure as arena

    return Agreement(look.stated(arena(look.trial, rng)))


def _silent(label: str) -> None:
    """No one listens."""


def _checked(trial: Trial) -> Trial:
    """The trial with its synthetic table in train's columns and order, or all problems at once."""
    problems = _problems(trial.train, trial.synthetic, "the synthetic table")
    if trial.holdout is not None:
        problems += _problems(trial.train, trial.holdout, "the hold-out table")
    if problems:
        raise SchemaMismatch(collect(problems), where="audit", hint="give tables with the same columns, read the same way")
    cohorts = {"train": trial.train, "synthetic": trial.synthetic, "hold-out": trial.holdout}
    empty = [name for name, cohort in cohorts.items() if cohort is not None and not len(cohort)]
    if empty:
        raise BadInput(f"no rows in: {', '.join(empty)}", where="audit", hint="an audit needs patients on every side")
    names = trial.train.schema.synthesised.names
    synthetic = Cohort(trial.synthetic.frame.select(names), trial.train.schema.synthesised)
    return replace(trial, synthetic=synthetic)


def _problems(train: Cohort, other: Cohort, what: str) -> list[str]:
    wanted = train.schema.synthesised.names
    problems = [f"{what} has no column `{n}`" for n in wanted if n not in other.schema]
    problems += [f"{what} has a column that train does not have: `{n}`" for n in other.schema.names if n not in train.schema]
    both = [n for n in wanted if n in other.schema]
    return problems + [
        f"{what} holds another kind of value in `{n}`" for n in both if _sort(train[n].dtype) != _sort(other[n].dtype) and other[n].dtype != pl.Null
    ]


def _sort(dtype: pl.DataType) -> str:
    """What may be compared with what: all numbers and booleans alike, all text alike, dates, times."""
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    return type(dtype).__name__
