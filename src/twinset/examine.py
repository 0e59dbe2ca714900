"""The audit of a synthetic table that somebody else made, or of several generators side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from twinset.audit.run import run
from twinset.core.contracts import AuditResult, Trial
from twinset.core.finding import not_measured
from twinset.core.schema import Schema
from twinset.dp.ledger import Ledger
from twinset.errors import SchemaMismatch, collect
from twinset.facts import Facts, make_page
from twinset.io.agree import Agreed, agree
from twinset.pipeline import declared_rules
from twinset.release.gate import Verdict, judge
from twinset.report.page import Page
from twinset.rules.check import check
from twinset.study import Study, study_of
from twinset.table import conform, fitted


def examine(
    train: pl.DataFrame | None,
    holdout: pl.DataFrame | None,
    synthetic: pl.DataFrame | None,
    *,
    study: Study | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> tuple[AuditResult, Verdict, Page]:
    """Findings, verdict and page for three tables of the same columns; identifiers may be missing from any, and any column from one is left out.

    Columns are read as the study declares them (then all must be there); without a study one schema is inferred from all rows, and rows that one patient
    number joins are one patient's. What was left out stands in the finding ``audit.columns``.
    """
    if train is None or synthetic is None:
        raise SchemaMismatch("an audit needs the train table and the synthetic table", hint="give both")
    declared = study
    real = [train] if holdout is None else [train, holdout]
    read = agree(real, synthetic) if study is None else _declared(study, real, synthetic)
    study = study or study_of(read.schema, name="Audit of a synthetic table", generator="not known", seed=seed)
    train_part, *others = (conform(f, read.schema, where=w) for f, w in zip(read.real, ("train", "hold-out"), strict=False))
    holdout_part = others[0] if others else None
    synthetic_part = conform(read.synthetic, read.schema.synthesised, where="synthetic")
    if declared is not None:
        parts = {"train": train_part} | ({"hold-out": holdout_part} if holdout_part else {})
        settled, synthetic_part = fitted(declared, parts, synthetic_part)
        train_part, holdout_part = settled["train"], settled.get("hold-out")
    rules = declared_rules(study, train_part) if study.rules else ()
    trial = Trial(train_part, synthetic_part, holdout_part, endpoints=study.build_endpoints(), rules=rules)
    result = run(trial, seed=study.audit.seed, patients=study.audit.patients, progress=progress)
    output_rules = check(rules, synthetic_part, what="the synthetic cohort")
    if read.notes:
        told = not_measured("audit.columns", "; ".join(read.notes), label="How the tables were read")
        result = replace(result, findings=(*result.findings, told))
    verdict = judge(result.findings, output_rules, study.policy, foreign=True)
    facts = Facts(
        n_train=len(train_part),
        n_holdout=len(holdout_part) if holdout_part else 0,
        n_synthetic=len(synthetic_part),
        rules=output_rules,
        source_rules=check(rules, train_part, what="the source"),
        n_redrawn=0,
        ledger=Ledger(unit=study.data.unit),
    )
    return result, verdict, replace(make_page(study, result, verdict, facts), released=None)  # an audit advises: nothing is written that could leave


def _declared(study: Study, real: Sequence[pl.DataFrame], synthetic: pl.DataFrame) -> Agreed:
    """The tables in the declared columns and in train's types. Raises SchemaMismatch where the train or the synthetic table lacks one."""
    declared, train = study.schema_of_columns(), real[0]
    wanted = declared.synthesised.names
    problems = [f"the synthetic table lacks column `{n}`" for n in wanted if n not in synthetic.columns]
    problems += [f"the train table lacks column `{n}`" for n in wanted if n not in train.columns]
    if problems:
        raise SchemaMismatch(collect(problems[:20]), hint="all three tables need the study's columns; identifiers may be missing")
    unit = declared.unit if all(declared.unit in t.columns for t in real) else ""
    extra = dict.fromkeys(n for t in (*real, synthetic) for n in t.columns if n not in declared)
    notes = [f"not in the study, so left out: {', '.join(f'`{n}`' for n in extra)}"] if extra else []
    if declared.unit and not unit:
        notes.append(f"`{declared.unit}` is not in the tables of patients, so each row is taken for a patient")
    frames = [_like(t, train, declared.select(wanted)) for t in (*real, synthetic)]
    schema = declared.select((*((unit,) if unit else ()), *wanted))
    patients = tuple(f.with_columns(t[unit]).select(schema.names) if unit else f for f, t in zip(frames, real, strict=False))
    return Agreed(schema, patients, frames[-1], tuple(notes))


def _like(frame: pl.DataFrame, train: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The schema's columns with train's dtypes. Raises SchemaMismatch where a column does not fit."""
    problems, columns = [], []
    for name in schema.names:
        if name not in frame.columns:
            problems.append(f"a table lacks column `{name}`")
            continue
        made = _cast(frame[name], train[name].dtype)
        if made is None:
            problems.append(f"column `{name}` has another type than in the train table")
        else:
            columns.append(made)
    if problems:
        raise SchemaMismatch(collect(problems[:20]), hint="write all three tables the same way")
    return pl.DataFrame(columns)


def _cast(series: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    if series.dtype == dtype:
        return series
    if dtype == pl.String and series.dtype.is_temporal():
        return None
    made = series.cast(dtype, strict=False)
    if made.null_count() == series.null_count():
        return made
    return None
