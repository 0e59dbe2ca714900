"""The table of a study, checked against what is declared: read by looking, or under ``[privacy]`` through the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from twinset.checking import declared, rows
from twinset.checking.plugins import told
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.door import Reading, read
from twinset.errors import BadInput, SchemaMismatch, StudyInvalid, TableUnreadable, collect, meant
from twinset.io.read import Options
from twinset.io.read import read as read_file
from twinset.rows import only, wide
from twinset.study import CORRECT, Study

MOST = 40  # problems that one message lists
COLUMNS = "run `twinset init` again, or edit the [columns] sections"
KINDS = 'correct `type` in the study file, or list the texts that mean missing under [data] missing = ["..."]'
CHOSEN = "of the rows that [data] where and widen leave: "
OUTSIDE = (
    "rows are counted from 1, below the header; correct the table or what is declared, or say in the column's section what becomes of such cells: "
    'outside = "missing", or "other" for levels'
)


def read_cohort(study: Study) -> Cohort:
    """The table of a study, its rows chosen and widened as ``[data]`` says, checked against it; no bound on the rows of a patient yet. Under ``[privacy]``: read as declared."""
    return read_open(study)[0] if study.privacy is None else read(study)[0]


def read_open(study: Study) -> tuple[Cohort, Reading | None]:
    """The table of a study that promises nothing; and how many cells became missing or ``other`` because they lay outside, where any did.

    Raises the BadInput family with everything that is wrong with the study and with its table, at once; rows by number, never a value.
    """
    data, found = study.data, study.problems()
    try:
        frame = read_file(study.table, how_read(study)).frame
        frame = wide(only(frame, data.where), data.unit, data.widen)
    except BadInput as error:
        if not found:
            raise
        raise StudyInvalid(collect([*found, *told(error)]), hint=CORRECT) from None
    schema = study.known_schema
    absent = _absent(frame.columns, schema, made=data.header > 1 or bool(data.widen))
    problems = {CORRECT: found, COLUMNS: absent} | checked(study, frame, schema, found)
    if data.where or data.widen:
        problems[CHOSEN + OUTSIDE] = problems.pop(OUTSIDE)
    _refuse(problems, where=data.path)
    return settle(conform(frame.select(schema.names), schema, where=data.path), study)


def how_read(study: Study) -> Options:
    """How an open run reads the table of a study. An order of day and month counts for the columns declared as dates."""
    data = study.data
    orders = tuple((n, c.date_order or data.date_order or "") for n, c in study.columns.items() if c.kind in ("date", "datetime"))
    return Options(data.separator, data.decimal, data.encoding, data.sheet, data.table, data.missing, data.header, data.thousands, date_orders=orders)


def checked(study: Study, frame: pl.DataFrame, schema: Schema, found: Sequence[str] = ()) -> dict[str, list[str]]:
    """What of an open table does not fit its study, by hint; ``found``: what is known of the study already."""
    there = schema.select([n for n in schema.names if n in frame.columns])
    kinds = _kinds(frame, there)
    good = there.select([n for n in there.names if n not in kinds])
    out = {KINDS: list(kinds.values()), OUTSIDE: rows.problems(frame, good, study.outside)}
    if len(good) == len(schema):
        parsed = declared.rules(study.rule_texts, schema.synthesised)[0]
        shown = rows.seen(frame, schema, [str(v) for a in study.analyses for v in a.settings.values() if isinstance(v, str) and v in schema])
        whole = rows.clashes(parsed, Cohort(frame.select(schema.names), schema)) + declared.endpoints(study.analyses, shown)[1]
        out[CORRECT] = [*found, *(p for p in whole if p not in found)]
    return out


def fitted(study: Study, real: Mapping[str, Cohort], synthetic: Cohort) -> tuple[dict[str, Cohort], Cohort]:
    """Tables of patients, by what to call them, and a synthetic one, with cells outside as the study says. Raises with all that is wrong with the study and the patients' tables.

    What lies outside in the synthetic table is no fault of the study, and raises nothing. Under ``[privacy]`` no row is looked at.
    """
    problems = {CORRECT: study.problems()}
    if study.privacy is None:
        for what, cohort in real.items():
            for hint, told_ in checked(study, cohort.frame, cohort.schema, study.problems()).items():
                problems.setdefault(hint, []).extend(f"{what}: {p}" for p in told_ if p not in problems[CORRECT])
    _refuse(problems, where="")
    return {what: settle(cohort, study)[0] for what, cohort in real.items()}, settle(synthetic, study)[0]


def settle(cohort: Cohort, study: Study) -> tuple[Cohort, Reading | None]:
    """The rows with cells outside the declarations made missing or ``other``, as the study says; and how many, where any were."""
    made, changed = rows.settled(cohort, study.outside)
    return made, Reading(len(made), 0, 0, {}, {}, outside=changed) if changed else None


def check_table(columns: Sequence[str], schema: Schema) -> None:
    """Raise SchemaMismatch with every column that the table or the study lacks."""
    _refuse({COLUMNS: _absent(columns, schema)}, where="")


def conform(frame: pl.DataFrame, schema: Schema, *, where: str) -> Cohort:
    """The frame as a cohort of this schema. Raises where a column cannot be read as its declared kind."""
    _refuse({KINDS: list(_kinds(frame, schema).values())}, where=where)
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


def _refuse(problems: Mapping[str, Sequence[str]], *, where: str) -> None:
    """Raise all problems at once, where there are any; ``problems`` by hint."""
    found = {hint: listed for hint, listed in problems.items() if listed}
    every = [p for listed in found.values() for p in listed]
    if every:
        more = [f"and {len(every) - MOST:,} more"] if len(every) > MOST else []
        kind = StudyInvalid if CORRECT in found else SchemaMismatch
        raise kind(collect([*every[:MOST], *more]), where="" if CORRECT in found else where, hint="; ".join(found))


def _absent(columns: Sequence[str], schema: Schema, *, made: bool = False) -> list[str]:
    """What either side lacks. ``made``: the table's names were put together from several lines or from levels, which may be cells: those are counted, not told."""
    if made:
        out = [f"the table has no column `{n}`" for n in schema.names if n not in set(columns)]
        more = sum(c not in schema for c in columns)
        told = f"the study does not name {more:,} columns of the table, whose names are made of its cells (data.header or data.widen)"
        return out + ([told] if more else [])
    out = [f"the table has no column `{n}`{meant(n, columns)}" for n in schema.names if n not in set(columns)]
    return out + [f"the study does not name column `{c}` of the table" for c in columns if c not in schema]


def _kinds(frame: pl.DataFrame, schema: Schema) -> dict[str, str]:
    """By column, why it cannot be read as its declared kind."""
    told = {c.name: _kind(frame[c.name], c) for c in schema.synthesised}
    return {name: f"column `{name}` is declared {schema[name].kind} but {why}" for name, why in told.items() if why}


def _kind(series: pl.Series, column: Column) -> str:
    dtype = series.dtype
    if dtype == pl.Null:
        return ""
    if column.kind in ("number", "integer") and not dtype.is_numeric():
        return f"holds text{rows.texts(series)}"
    if column.kind in ("date", "datetime") and not dtype.is_temporal():
        return "does not hold dates"
    return "holds fractions" if column.kind == "integer" and dtype.is_float() and not _integral(series) else ""


def _integral(series: pl.Series) -> bool:
    return bool((series.drop_nulls() % 1 == 0).all())
