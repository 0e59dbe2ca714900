"""A model of a frame: what its columns are, how its cells are read, and the fit on the terms that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from pydantic import ValidationError

from twinset.core.cohort import Cohort
from twinset.core.contracts import Generator, Model
from twinset.core.schema import Schema
from twinset.core.seeds import Rng
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput
from twinset.io.declared import Declared
from twinset.io.infer import infer_schema
from twinset.io.kinds import declared_schema
from twinset.private import fit_once, open_ledger, public_rules
from twinset.release.terms import Privacy
from twinset.study import Study
from twinset.table import check_table


def schema_of(frame: Any, table: pl.DataFrame, study: Study | None, kinds: Mapping[str, str] | None, *, unit: str, private: bool) -> Schema:
    """The study's schema; else, where privacy is promised, what the caller and the types declare; else what the rows suggest."""
    if kinds is not None and (study is not None or not private):
        raise BadInput("`kinds` is for a frame with `epsilon` and without a study", where="synthesize", hint="leave it out; a study says what columns are")
    if study is not None:
        check_table(table.columns, study.schema_of_columns())
        return study.schema_of_columns()
    patient = "" if unit == "row" else unit
    return declared_schema(frame, table, kinds=kinds, unit=patient) if private else infer_schema(table)


def written(study: Study | None) -> Declared:
    """How texts among the cells are written; a frame's typed cells need no telling."""
    if study is None:
        return Declared()
    data = study.data
    return Declared(decimal=data.decimal or ".", missing=data.missing, thousands=data.thousands, date_order=data.date_order or "ymd")


def fit(generator: Generator, cohort: Cohort, study: Study | None, promise: tuple[str, float | None, float, str], rng: Rng) -> tuple[Model, int]:
    """The model, and how many rows to draw where the caller does not say."""
    name, epsilon, delta, unit = promise
    if epsilon is None:
        return generator.fit(Vault(cohort, open_ledger(study, generator=name) if study else Ledger(), None), rng), len(cohort)
    if unit != (cohort.schema.unit or "row"):
        raise BadInput("`unit` is not the study's unit", where="synthesize", hint='name the patient column of the study, or say "row"')
    try:
        stated = study.privacy if study else None
        relation, budget = (stated.relation, stated.budget) if stated else ("add-remove", None)
        terms = Privacy(epsilon=epsilon, delta=delta, unit=unit, relation=relation, budget=budget)
    except ValidationError:
        raise BadInput(
            "`epsilon` must be above 0, and `delta` above 0 and at most 1e-5", where="synthesize", hint="for example epsilon=1.0, delta=1e-9"
        ) from None
    per_patient = (study.data.per_patient if study else 0) or 1
    rules = public_rules(study, cohort.schema) if study else ()
    model = fit_once(generator, cohort, terms, per_patient=per_patient, rules=rules, rng=rng, study=study, name=name)
    return model, max(1, getattr(model, "n_rows", 1))
