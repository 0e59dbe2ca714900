"""The door: a private table on its way to the vault. Whatever happens to a row here depends on that row and the study, on nobody else.

Nothing is refused for what a row holds, and nothing is found out: the study declares how the table is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from twinset.coding.identity import digests, mixed, row_texts
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray
from twinset.core.schema import Schema
from twinset.dp.files import Chosen, FileTable
from twinset.errors import BadInput, SchemaMismatch, StudyInvalid
from twinset.io.declared import Block, Declared, check_declared, empty, level_type, read_declared
from twinset.io.read import DELIMITED
from twinset.study import Study

AUDITED = 20_000  # rows of a file counted in place that an audit is given, about
IN_PLACE = (*DELIMITED, ".parquet", ".duckdb", ".db")
AUDIT = "twinset/audit"  # purpose of the hash that chooses patients for the audit of such a file
MOSTLY_ALONE = 0.9  # an identifier with fewer different values than this share of its rows repeats people


@dataclass(frozen=True, repr=False)
class Reading:
    """What a custodian should know of how the table was read: exact counts, which stay on the custodian's side.

    ``malformed``: lines that are no rows of the table; ``unnamed``: rows that name no patient; both are left out. ``unread``: by column, cells that cannot be read as declared. ``repeats``: by identifier, the
    most rows that share one, where rows are promised to. ``sampled``: rows that an audit was given, of a file counted in place; 0 = all.
    ``outside``: of an open run, by column the cells outside the declared levels or bounds that were made missing or ``other``.
    """

    n_rows: int
    malformed: int
    unnamed: int
    unread: Mapping[str, int]
    repeats: Mapping[str, int]
    sampled: int = 0
    outside: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def declared_reading(study: Study) -> Declared:
    """How the study says that its table is written. Raises StudyInvalid with every key that a private run needs and the study lacks."""
    data, needed = study.data, []
    chosen = [k for k, plain in (("where", ""), ("widen", ""), ("keep", "random")) if getattr(data, k) != plain]
    if chosen:
        raise StudyInvalid(
            f"a private run does not choose or widen rows: {', '.join(f'data.{k}' for k in chosen)}",
            where="data",
            hint="make the table that is meant first, with one row a patient or a bound by per_patient, and take these keys out",
        )
    said = data.model_fields_set
    if study.table.suffix.lower() in DELIMITED:
        needed = [k for k in ("separator", "decimal", "encoding") if getattr(data, k) is None]
    needed += ["missing"] if "missing" not in said else []
    dates = [n for n, c in study.columns.items() if c.kind in ("date", "datetime") and not c.date_order]
    needed += ["date_order"] if dates and data.date_order is None else []
    if needed:
        raise StudyInvalid(
            f"a private run reads nothing out of the table, so the study must say how it is written: {', '.join(f'data.{k}' for k in needed)}",
            where="data",
            hint='`twinset init --private TABLE` writes these keys; by hand: separator = ",", decimal = ".", encoding = "utf-8", missing = [], date_order = "ymd"',
        )
    if data.header > 1:
        raise StudyInvalid("a private run reads one line of names", where="data.header", hint="save the table with a header of one line, then draft again")
    how = Declared(
        separator=data.separator or ",",
        decimal=data.decimal or ".",
        encoding=data.encoding or "utf-8",
        missing=data.missing,
        thousands=data.thousands,
        date_order=data.date_order or "ymd",
        sheet=data.sheet,
        table=data.table,
        keep_malformed=study.privacy is not None and study.privacy.relation == "replace" and data.unit == "row",
    )
    check_declared(how)
    return how


def read(study: Study) -> tuple[Cohort, Reading]:
    """The table of a private study, each cell by its own column's declaration alone (:mod:`twinset.io.declared`). Rows that are nobody's are left out.

    Raises the BadInput family for the study, the file and its header; never for what a row holds.
    """
    how, schema = declared_reading(study), study.schema_of_columns()
    if not len(schema.synthesised):
        raise SchemaMismatch("no column is left to synthesise", where="columns", hint="every column is an identifier or free text; correct the roles")
    blocks = list(read_declared(study.table, schema, how))
    cohort = Cohort(stacked(blocks, schema), schema)
    return cohort, _told(blocks, schema, [_identifiers(cohort.frame, schema, 1.0)])


def stacked(blocks: Sequence[Block], schema: Schema) -> pl.DataFrame:
    """The rows of all blocks, maybe none."""
    return pl.concat([empty(schema), *(b.frame for b in blocks)])


def in_place(study: Study) -> tuple[FileTable, Cohort, Reading]:
    """The train rows of a private study, counted in their file and never held whole; and about 20,000 of its rows for the audit.

    Who is held out, and which rows of a patient are kept, is as if the file had been read. The sample is of patients, by a keyed hash of each.
    Raises as :func:`read`, and BadInput where the file cannot be read in pieces or its number of rows is said to be public.
    """
    how, data, seed = declared_reading(study), study.data, study.holdout.seed
    if study.table.suffix.lower() not in IN_PLACE:
        raise BadInput("this kind of file cannot be counted in place", where="data.in_place", hint="save it as Parquet, CSV or DuckDB")
    if study.privacy is not None and study.privacy.relation == "replace":
        raise BadInput("counting in place is for add-remove only", where="data.in_place", hint='set privacy.relation = "add-remove", or in_place = false')
    schema = study.schema_of_columns()
    file = FileTable(study.table, declared(schema), how, chosen=Chosen(data.per_patient, seed, study.holdout.fraction, seed))
    rate = min(1.0, AUDITED / max(1.0, len(file) / (1 - study.holdout.fraction)))
    blocks, names = [], []
    for block in read_declared(study.table, schema, how):
        names.append(_identifiers(block.frame, schema, rate))
        blocks.append(replace(block, frame=_sampled(block.frame, schema, rate)))
    cohort = Cohort(stacked(blocks, schema), schema)
    return file, cohort, replace(_told(blocks, schema, names), sampled=len(cohort))


def declared(schema: Schema) -> Schema:
    """The schema without anything that was read from the rows: what is not public is not even in the vault's hands. How columns are stored stays."""
    kept = tuple(
        c
        if c.origin == "public"
        else replace(
            c, low=None, high=None, levels=(), missing_codes=(), decimals=None, origin="private", level_type=level_type(c) if c.levels else c.level_type
        )
        for c in schema
    )
    return replace(schema, columns=kept)


def _sampled(frame: pl.DataFrame, schema: Schema, rate: float) -> pl.DataFrame:
    return frame.filter(_coin(frame[schema.unit] if schema.unit else row_texts(frame)) < rate)


def _coin(texts: pl.Series) -> FloatArray:
    """A number in [0, 1) for each text, the same for the same text."""
    return np.asarray(mixed(digests(texts, purpose=AUDIT, seed=0)[:, 0], np.zeros(len(texts), dtype=np.int64)) / 2.0**63)


def _identifiers(frame: pl.DataFrame, schema: Schema, rate: float) -> dict[str, pl.Series]:
    """By identifier, its cells where a row is promised to; of a share ``rate`` of the people it names, each with all their rows."""
    columns = () if schema.unit else tuple(c.name for c in schema.with_role("identifier"))
    known = {name: frame[name].drop_nulls() for name in columns}
    return {name: texts if rate >= 1 else texts.filter(_coin(texts) < rate) for name, texts in known.items()}


def _told(blocks: Sequence[Block], schema: Schema, names: Sequence[Mapping[str, pl.Series]]) -> Reading:
    unread = {c.name: sum(b.unread.get(c.name, 0) for b in blocks) for c in schema}
    lost = {c: n for c, n in unread.items() if n}
    return Reading(sum(b.n_rows for b in blocks), sum(b.malformed for b in blocks), sum(b.unnamed for b in blocks), lost, _repeats(names))


def _repeats(names: Sequence[Mapping[str, pl.Series]]) -> dict[str, int]:
    """Identifiers that say people have several rows, with the most rows that share one."""
    found = {}
    for column in names[0] if names else ():
        known = pl.concat([part[column] for part in names])
        if len(known) > 1 and known.n_unique() < MOSTLY_ALONE * len(known):
            found[column] = int(known.value_counts(name="rows")["rows"].max())  # type: ignore[arg-type]
    return found
