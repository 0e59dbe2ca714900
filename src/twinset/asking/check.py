"""What a question needs declared, said before anything is read or spent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from twinset.asking.question import Question
from twinset.audit.endpoints.survival import Survival
from twinset.core.cohort import Cohort
from twinset.core.contracts import Endpoint
from twinset.core.schema import Column, Schema
from twinset.errors import BadInput, collect
from twinset.rules.evaluate import truth

MOST_GROUPS = 2000
HINT = 'declare it from a code book, for this run at least: --set columns.{0}.{1} --set columns.{0}.origin="public"'
NUMBER, LEVELS = "low=0 --set columns.{0}.high=100", "levels=[...]"


def check(questions: Sequence[Question], nobody: Cohort, endpoints: Sequence[Endpoint]) -> None:
    """Raise BadInput with every bound, level or endpoint that is not declared public.

    ``nobody``: the table without its rows, stored as declared, its schema without what is not public.

    Nothing is searched for in the rows: to find bounds or levels would cost more of a small budget than the answer.
    """
    schema = nobody.schema
    problems: dict[str, str] = {}
    for question in questions:
        problems |= _effect(question, nobody, endpoints) if question.kind == "effect" else _declared(question, schema)
        for condition in question.conditions:
            truth(condition, nobody)  # raises where a column does not hold what it is compared with
        groups = math.prod(max(len(schema[c].levels), 1) for c in question.by)
        if groups > MOST_GROUPS:
            problems[f"{groups:,} groups are too many to be told apart from noise"] = "ask for fewer groups"
    if problems:
        raise BadInput(collect(list(problems)), where="question", hint=next(iter(problems.values())))


def survival(name: str, endpoints: Sequence[Endpoint]) -> Survival | None:
    """The time-to-event endpoint of this name."""
    return next((e for e in endpoints if isinstance(e, Survival) and e.name == name), None)


def _declared(question: Question, schema: Schema) -> dict[str, str]:
    out: dict[str, str] = {}
    for name in question.by:
        out |= _levels(schema[name])
    if question.column:
        out |= _bounds(schema[question.column])
    return out


def _effect(question: Question, nobody: Cohort, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    endpoint = survival(question.endpoint, endpoints)
    if endpoint is None:
        known = [e.name for e in endpoints if isinstance(e, Survival)]
        return {"the study declares no time-to-event endpoint of this name": f"known: {', '.join(known)}" if known else "declare one under [[endpoints]]"}
    if question.by:
        return {"an effect is not asked by groups": 'its arms are its groups; ask once for each subgroup with `where`: effect("...") where sex == "female"'}
    if not endpoint.arm:
        return {f"the endpoint `{endpoint.name}` has no arm: there is nothing to compare": "name its arm in the study file, or ask quantile(time)"}
    endpoint.check(nobody.schema)
    out = _bounds(nobody.column(endpoint.time)) | _levels(nobody.column(endpoint.arm))
    if not out:
        endpoint.arms(nobody)  # raises where the reference is no level
    return out


def _levels(column: Column) -> dict[str, str]:
    listed = len(column.levels) > 0 and column.origin == "public"
    return {} if listed else {f"column `{column.name}` has no public levels": HINT.format(column.name, LEVELS)}


def _bounds(column: Column) -> dict[str, str]:
    known = column.origin == "public" and column.low is not None and column.high is not None and column.low < column.high and column.numeric
    return {} if known else {f"column `{column.name}` has no public bounds": HINT.format(column.name, NUMBER.format(column.name))}
