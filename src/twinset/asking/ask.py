"""Questions to a study's patients, answered with noise and written into the ledger of their data set.

They are asked of *all* patients of the table, train and hold-out. A release looks at the train half only, but which half a patient is in depends
on that patient and the study; so a release too is a function of the whole table, in which each patient counts at most as billed, and the
costs of releases and answers add up in one ledger.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from twinset.asking.answer import Answer, Answers, Value
from twinset.asking.check import check, survival
from twinset.asking.look import Looks
from twinset.asking.measure import Measured, measure
from twinset.asking.question import Question, parse, wrong_number
from twinset.asking.rows import rows
from twinset.core.cohort import Cohort
from twinset.core.contracts import Endpoint
from twinset.core.schema import Level, Schema
from twinset.door import declared
from twinset.dp.accountant import epsilon as epsilon_of
from twinset.errors import BadInput
from twinset.io.declared import empty
from twinset.private import begin, demand, finish
from twinset.release.terms import Privacy
from twinset.study import GeneratorChoice, Study

Progress = Callable[[str], None]
MOST_QUESTIONS = 100
EPOCH = date(1970, 1, 1)
RELEASES_ONLY = ("format", "public", "not_covered", "decided_by", "second")  # of a certificate: answers say these in words of their own
SILENT_ON = {
    "count": "It does not show who was missing in a column that is named, nor why a group is as large as it is.",
    "share": "It does not show those of whom it is not known, and no cause: groups may differ in more than what names them.",
    "mean": "It does not show spread or tails: values beyond the declared bounds were counted as the bound.",
    "quantile": "It does not show where in a counted cell the value lies, nor anything beyond the declared bounds.",
    "effect": "It does not show whether hazards are proportional, and it is adjusted for nothing: without randomisation it is no effect of a treatment.",
}


def ask(study: Study, questions: Sequence[str], *, epsilon: float, progress: Progress | None = None) -> Answers:
    """The answers to some questions (see :mod:`twinset.asking.question`), for ``epsilon`` in all, each question an equal share.

    Reserved in the ledger before the first look and settled after the last; a call that dies has spent what it had reserved. What comes back may leave.
    Raises BadInput (nothing is spent) for a question that cannot be read or needs a bound that is not declared public, or a study
    without the terms of a promise; BudgetExhausted where the ledger refuses.
    """
    say = progress or _silent
    terms_study = _on_terms(study, epsilon)
    schema = declared(study.schema_of_columns())
    endpoints = study.build_endpoints()
    parsed = _parsed(questions, Cohort(empty(study.schema_of_columns()), schema), endpoints)
    terms = demand(terms_study)
    study.check()
    assert terms is not None
    say("reading the table")
    cohort = rows(study, {c for q in parsed for c in (*q.columns, *_of_endpoint(q, endpoints))})
    claim = begin(terms_study, terms, cohort, ())
    looks = Looks(Cohort(cohort.frame, declared(cohort.schema)), claim.vault.ledger, claim.allowance)
    rho = claim.allowance.rho / len(parsed)
    cost = epsilon_of(rho, terms.delta)
    answers: list[Answer] = []
    for question in parsed:
        say(f"asking {question.text}")
        found = measure(question, looks, endpoints, rho=rho)
        answers += _told(question, found, schema, endpoints, cost=cost, most=claim.allowance.per_patient)
    return Answers(tuple(answers), _certificate(finish(claim), parsed, schema))


def _on_terms(study: Study, epsilon: float) -> Study:
    """The study as a run of this epsilon, by nobody's generator, without its rules. Raises BadInput where no terms or no budget are declared."""
    if not 0 < epsilon < math.inf:
        raise BadInput("epsilon must be a positive number", where="--epsilon", hint="for example --epsilon 0.5")
    if study.privacy is None:
        raise BadInput(
            "the study promises nothing, so nothing bounds what answers give away",
            where="privacy",
            hint="add a section [privacy] with epsilon, unit and budget to the study file",
        )
    if study.privacy.budget is None:
        raise BadInput(
            "nobody has said what this data set may ever spend, and the first answer would settle it",
            where="privacy.budget",
            hint="set it in the study file, or with --set privacy.budget=10: the epsilon of all releases and answers together",
        )
    terms: Privacy = study.privacy.model_copy(update={"epsilon": epsilon})
    return study.model_copy(update={"privacy": terms, "generator": GeneratorChoice(name="ask"), "rules": ()})


def _parsed(questions: Sequence[str], nobody: Cohort, endpoints: Sequence[Endpoint]) -> list[Question]:
    if not 1 <= len(questions) <= MOST_QUESTIONS:
        raise wrong_number(len(questions))
    parsed = [parse(text, nobody.schema.synthesised) for text in questions]
    check(parsed, nobody, endpoints)
    return parsed


def _of_endpoint(question: Question, endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    endpoint = survival(question.endpoint, endpoints)
    return () if endpoint is None or question.kind != "effect" else (endpoint.time, endpoint.event, endpoint.arm)


def _told(question: Question, found: Sequence[Measured], schema: Schema, endpoints: Sequence[Endpoint], *, cost: float, most: int) -> list[Answer]:
    groups = _groups(question, schema, endpoints)
    kind = schema[question.column].kind if question.column else ""
    silent = SILENT_ON[question.kind] + (f" Rows are counted, at most {most} of one patient." if most > 1 else "")
    out = []
    for one in found:
        value, low, high = (_typed(v, kind, exact=question.kind == "quantile") for v in (one.told.value, one.told.low, one.told.high))
        n = max(0, round(one.told.n))
        out.append(Answer(question.text, _named(one, question, endpoints, schema), groups[one.group], value, low, high, one.told.noise, n, cost, silent))
    return out


def _groups(question: Question, schema: Schema, endpoints: Sequence[Endpoint]) -> list[tuple[tuple[str, Level], ...]]:
    by: dict[str, tuple[Level, ...]] = {name: schema[name].levels for name in question.by}
    endpoint = survival(question.endpoint, endpoints)
    if endpoint is not None and question.kind == "effect":
        by = {endpoint.arm: _arms(endpoint.reference, schema[endpoint.arm].levels)}
    return [tuple(zip(by, levels, strict=True)) for levels in itertools.product(*by.values())]


def _arms(reference: Level | None, levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return levels if reference is None else (reference, *(x for x in levels if x != reference))


def _named(one: Measured, question: Question, endpoints: Sequence[Endpoint], schema: Schema) -> str:
    endpoint = survival(question.endpoint, endpoints)
    if question.kind != "effect" or endpoint is None:
        return one.measure
    return f"{one.measure} against {_arms(endpoint.reference, schema[endpoint.arm].levels)[0]}"


def _typed(value: float | None, kind: str, *, exact: bool) -> Value:
    """Days as a date; a quantile of whole numbers as one of them."""
    if value is None or kind not in ("date", "integer"):
        return value
    if kind == "date":
        return EPOCH + timedelta(days=round(value))
    return int(value) if exact else value


def _certificate(proof: dict[str, Any], questions: Sequence[Question], schema: Schema) -> dict[str, Any]:
    """What was asked, for how much and on which terms; from the certificate of the run."""
    named = {c for q in questions for c in q.columns}
    public = [p for p in proof["public"] if p["where"] in named or p["where"] not in schema]
    return {
        "format": "twinset answers 1",
        "asked": [q.text for q in questions],
        **{key: value for key, value in proof.items() if key not in RELEASES_ONLY},
        "public": public,
        "not_covered": list(_not_covered(proof)),
    }


def _not_covered(proof: dict[str, Any]) -> Sequence[str]:
    bound = (
        "a patient with several rows: each row is promised as another patient's"
        if proof["unit"] == "row"
        else f"more than {proof['per_patient']} row(s) of a patient: the rest was left out before anything was counted"
    )
    return (
        bound,
        "releases and answers of the same patients that were not written into this ledger; their epsilons add to this one",
        "what is true of groups: what the data teach about people like a patient is not hidden, whether the patient took part or not",
        "the questions and the study file: bounds, levels, conditions and constants are taken as known, also if somebody chose them by looking at the rows",
        "how long the computation took and how much memory it used",
    )


def _silent(_: str) -> None:
    return None
