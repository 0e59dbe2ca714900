"""Which rows of a file are the study's, and how a patient's rows become one: the keys ``where`` and ``widen`` of ``[data]``.

Both come before the schema: the columns that a study declares are those of the table that is left. What is kept and what a column becomes
depends on the rows, so neither is for a run under ``[privacy]``.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Kind, Schema, level_text
from twinset.errors import RuleInvalid, StudyInvalid, collect
from twinset.rules.evaluate import truth
from twinset.rules.parse import read
from twinset.rules.tree import Derive, Follows

MOST_WIDENED = 50
NAMED = 5  # rows named in a sentence


def only(frame: pl.DataFrame, condition: str) -> pl.DataFrame:
    """The rows for which a condition in the language of the rules holds, in their order; where it cannot be told (a gap), a row is left out. "" = all.

    Raises StudyInvalid where the condition cannot be read, names a column that is not there, or leaves no row.
    """
    if not condition:
        return frame
    schema = Schema(tuple(Column(name, _kind(dtype), levels=(False, True) if dtype == pl.Boolean else ()) for name, dtype in frame.schema.items()))
    try:
        node = read(condition, schema)
        if isinstance(node, Derive | Follows):
            raise RuleInvalid("this gives a column its value, it is no condition", hint='write == for a comparison: where = "etype == 2"')
        kept = truth(node, Cohort(frame, schema)).yes
    except RuleInvalid as problem:
        raise StudyInvalid(
            problem.args[0],
            where=f"data.where{problem.where.removeprefix('rule')}",
            hint=problem.hint or 'a condition on one row, in the language of the rules: "etype == 2"',
        ) from None
    if not kept.any():
        raise StudyInvalid("the condition holds in no row of the table", where="data.where", hint="check it against the table, or take it out")
    return frame.filter(pl.Series(kept))


def wide(frame: pl.DataFrame, unit: str, by: str) -> pl.DataFrame:
    """One row for each patient, in the order of their first rows: columns that differ within a patient become one for each level of ``by``.

    ``futime`` of the levels left and right of ``eye`` becomes ``futime_left`` and ``futime_right``, null where a patient has no such row; a column that
    differs within no patient stays as it is; ``by`` is gone. ``by`` = "": the table as it is. Raises StudyInvalid where ``unit`` or ``by`` is no
    column, a row names no patient or no level, a patient has two rows of one level, or levels or names are too many or collide.
    """
    if not by:
        return frame
    _check(frame, unit, by)
    levels = frame[by].unique().sort().to_list()
    names = [level_text(level) for level in levels]
    differ = differing(frame, unit, ignore=(by,))
    patients = frame.select(pl.col(unit).unique(maintain_order=True))
    parts: dict[str, pl.Series] = {}
    sides = [patients.join(frame.filter(pl.col(by) == level), on=unit, how="left", maintain_order="left") for level in levels]
    once = patients.join(frame.unique(unit, keep="first", maintain_order=True), on=unit, how="left", maintain_order="left")
    for column in frame.columns:
        if column == by:
            continue
        made = {f"{column}_{n}": side[column] for n, side in zip(names, sides, strict=True)} if column in differ else {column: once[column]}
        if set(made) & set(parts):
            raise StudyInvalid("two columns of the widened table would share a name", where="data.widen", hint="rename columns of the table first")
        parts.update({name: series.alias(name) for name, series in made.items()})
    return pl.DataFrame(list(parts.values()))


def differing(frame: pl.DataFrame, unit: str, *, ignore: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The columns that hold two things, or something and a gap, in the rows of at least one patient."""
    others = [c for c in frame.columns if c != unit and c not in ignore]
    if not others:
        return ()
    apart = frame.select(pl.col(c).ne_missing(pl.col(c).first().over(unit)).any() for c in others)
    return tuple(c for c in others if apart[c][0])


def _check(frame: pl.DataFrame, unit: str, by: str) -> None:
    problems = [f"the table has no column `{c}`" for c in (unit, by) if c not in frame.columns and c != "row"]
    if by == unit:
        problems.append("the column that names the patient tells no rows of a patient apart")
    if unit == "row":
        problems.append("rows can only be widened where a column names the patient, and data.unit is row")
    if problems:
        raise StudyInvalid(collect(problems), where="data.widen", hint="data.unit names the patient, data.widen the column that tells a patient's rows apart")
    for column, what in ((unit, "no patient"), (by, "no level")):
        empty = np.flatnonzero(frame[column].is_null().to_numpy())
        if len(empty):
            raise StudyInvalid(f"{_rows(empty)} {what} (column `{column}`)", where="data.widen", hint=f'leave them out: where = "{column} present"')
    twice = np.flatnonzero(~frame.select(pl.struct(unit, by).is_first_distinct()).to_series().to_numpy())
    if len(twice):
        hint = "name the column that tells the rows of a patient apart, or keep one with per_patient = 1 and keep"
        raise StudyInvalid(f"a patient has several rows of one level of `{by}`, as {_rows(twice, names='')}", where="data.widen", hint=hint)
    if (n := frame[by].n_unique()) > MOST_WIDENED:
        raise StudyInvalid(
            f"`{by}` has {n:,} levels, each of which would become a set of columns", where="data.widen", hint=f"at most {MOST_WIDENED} are taken"
        )


def _rows(places: np.ndarray, *, names: str = " names") -> str:
    told = ", ".join(f"{p + 1:,}" for p in places[:NAMED])
    more = f" and {len(places) - NAMED:,} more" if len(places) > NAMED else ""
    return f"row{'s' if len(places) > 1 else ''} {told}{more}{names if len(places) == 1 else names.rstrip('s')}"


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "category"
    return "date" if dtype == pl.Date else "datetime" if isinstance(dtype, pl.Datetime) else "text"
