"""The audit of a synthetic table that somebody else made, or of several generators side by side."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from twinset.audit.run import run
from twinset.core.contracts import AuditResult, Trial
from twinset.core.schema import Schema
from twinset.dp.ledger import Ledger
from twinset.errors import SchemaMismatch, collect
from twinset.facts import Facts, make_page
from twinset.io.infer import infer_schema
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
    """Findings, verdict and page for three tables of the same columns; the synthetic one may lack identifiers.

    Columns are read as the study declares them; without a study as they are inferred from train.
    """
    if train is None or synthetic is None:
        raise SchemaMismatch("an audit needs the train table and the synthetic table", hint="give both")
    given = study
    if study is None:
        study = study_of(infer_schema(train), name="Audit of a synthetic table", generator="not known", seed=seed)
    schema = _shared(study.schema_of_columns(), train, synthetic)
    parts = [
        None if f is None else conform(_like(f, train, schema), schema, where=w) for f, w in ((train, "train"), (holdout, "hold-out"), (synthetic, "synthetic"))
    ]
    train_part, holdout_part, synthetic_part = parts
    assert train_part is not None
    assert synthetic_part is not None
    if given is not None:
        real = {"train": train_part} | ({"hold-out": holdout_part} if holdout_part else {})
        settled, synthetic_part = fitted(given, real, synthetic_part)
        train_part, holdout_part = settled["train"], settled.get("hold-out")
    rules = declared_rules(study, train_part) if study.rules else ()
    result = run(Trial(train_part, synthetic_part, holdout_part, endpoints=study.build_endpoints(), rules=rules), seed=study.audit.seed, progress=progress)
    output_rules = check(rules, synthetic_part, what="the synthetic cohort")
    verdict = judge(result.findings, output_rules, study.policy)
    facts = Facts(
        n_train=len(train_part),
        n_holdout=len(holdout_part) if holdout_part else 0,
        n_synthetic=len(synthetic_part),
        rules=output_rules,
        source_rules=check(rules, train_part, what="the source"),
        n_redrawn=0,
        ledger=Ledger(unit=study.data.unit),
    )
    return result, verdict, make_page(study, result, verdict, facts)


def _shared(schema: Schema, train: pl.DataFrame, synthetic: pl.DataFrame) -> Schema:
    """The schema of the columns to compare. Raises SchemaMismatch where the synthetic table lacks one."""
    wanted = [c.name for c in schema.synthesised]
    problems = [f"the synthetic table lacks column `{n}`" for n in wanted if n not in synthetic.columns]
    problems += [f"the train table lacks column `{n}`" for n in wanted if n not in train.columns]
    if problems:
        raise SchemaMismatch(collect(problems[:20]), hint="all three tables need the same columns; identifiers may be missing from the synthetic one")
    return schema.select(wanted)


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
