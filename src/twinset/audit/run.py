"""The whole audit of a trial: every metric, endpoint and attack, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from twinset.audit.endpoints.agreement import Agreement
from twinset.audit.endpoints.agreement import measure as agreement
from twinset.audit.fidelity import FIDELITY
from twinset.audit.privacy import PRIVACY
from twinset.core.cohort import Cohort
from twinset.core.contracts import AuditResult, Metric, Trial
from twinset.core.finding import Finding
from twinset.core.seeds import stream
from twinset.errors import BadInput, SchemaMismatch, collect

Progress = Callable[[str], None]
TITLES = {
    "columns": "single columns",
    "pairs": "pairs of columns",
    "hellinger": "all columns at once",
    "predict": "prediction of unseen patients",
    "propensity": "telling synthetic patients apart",
}


def run(trial: Trial, *, seed: int, progress: Progress | None = None) -> AuditResult:
    """Everything that can be measured on a trial, and why the rest cannot: rules, fidelity, endpoints, privacy, attacks.

    The same seed gives the same findings: each step has a random stream of its own name. ``progress`` is called with a plain label before each step.
    Raises SchemaMismatch where the synthetic (or hold-out) table lacks a column or holds another kind of value in it, BadInput where a table is empty.
    """
    trial = _checked(trial)
    say = progress or _silent
    findings: list[Finding] = []
    agreements: list[Agreement] = []
    findings += _rules(trial, say)
    for name in FIDELITY:
        say(TITLES.get(name, name))
        metric: Metric = FIDELITY[name]()
        findings += metric.measure(trial, stream(seed, "fidelity", name))
    for endpoint in trial.endpoints:
        say(f"endpoint {endpoint.name}")
        agreements.append(agreement(endpoint, trial, stream(seed, "endpoint", endpoint.name)))
        findings += agreements[-1].findings
    findings += _privacy(trial, seed, say)
    comparisons = tuple(c for a in agreements for c in a.comparisons)
    return AuditResult(tuple(findings), comparisons, tuple(c for a in agreements for c in a.curves))


def _rules(trial: Trial, say: Progress) -> Sequence[Finding]:
    from twinset.rules.check import check

    if not trial.rules:
        return ()
    say("rules")
    return check(trial.rules, trial.synthetic, what="synthetic")


def _privacy(trial: Trial, seed: int, say: Progress) -> list[Finding]:
    from twinset.audit.privacy.arena import measure as arena

    findings: list[Finding] = []
    for name in PRIVACY:
        say(f"privacy: {name.replace('_', ' ')}")
        metric: Metric = PRIVACY[name]()
        findings += metric.measure(trial, stream(seed, "privacy", name))
    say("attacks")
    findings += arena(trial, stream(seed, "arena"))
    return findings


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
    return Trial(trial.train, synthetic, trial.holdout, trial.link, trial.endpoints, trial.rules, trial.notes)


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
