"""The table of a study, checked against its schema: read by looking, or under ``[privacy]`` through the door."""

from __future__ import annotations

import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.schema import Schema
from twinset.door import read
from twinset.errors import SchemaMismatch, TableUnreadable, collect
from twinset.io.read import read_table
from twinset.rows import only, wide
from twinset.study import Study, check_table


def read_cohort(study: Study) -> Cohort:
    """The table of a study, its rows chosen and widened as ``[data]`` says, checked against its schema; no bound on the rows of a patient yet. Under ``[privacy]``: read as declared."""
    if study.privacy is not None:
        return read(study)[0]
    data = study.data
    frame = read_table(
        study.table,
        separator=data.separator,
        decimal=data.decimal,
        encoding=data.encoding,
        sheet=data.sheet,
        table=data.table,
        missing=data.missing,
    )
    frame = wide(only(frame, data.where), data.unit, data.widen)
    schema = study.schema_of_columns()
    check_table(frame.columns, schema)
    return conform(frame.select(schema.names), schema, where=study.data.path)


def conform(frame: pl.DataFrame, schema: Schema, *, where: str) -> Cohort:
    """The frame as a cohort of this schema. Raises where a column cannot be read as its declared kind."""
    problems = []
    for column in schema.synthesised:
        dtype = frame[column.name].dtype
        if column.kind in ("number", "integer") and not dtype.is_numeric() and dtype != pl.Null:
            problems.append(f"column `{column.name}` is declared {column.kind} but holds text")
        if column.kind in ("date", "datetime") and not dtype.is_temporal() and dtype != pl.Null:
            problems.append(f"column `{column.name}` is declared {column.kind} but does not hold dates")
        if column.kind == "integer" and dtype.is_float() and not _integral(frame[column.name]):
            problems.append(f"column `{column.name}` is declared integer but holds fractions")
    if problems:
        raise SchemaMismatch(
            collect(problems), where=where, hint='correct `type` in the study file, or list the texts that mean missing under [data] missing = ["..."]'
        )
    if not len(schema.synthesised):
        raise SchemaMismatch(
            "no column is left to synthesise", where=where, hint="every column is an identifier or free text; correct the roles in the study file"
        )
    if frame.height < 2:
        raise TableUnreadable(
            f"{frame.height} row{'s' if frame.height != 1 else ''}: too few to split into train and hold-out",
            where=where,
            hint="a release needs at least 2 patients, an honest one hundreds",
        )
    return Cohort(frame, schema)


def _integral(series: pl.Series) -> bool:
    return bool((series.drop_nulls() % 1 == 0).all())
