"""The draft of a study file for a table: what a custodian reads, corrects and then owns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.io.infer import infer_schema, propose_unit, suspect_code
from twinset.io.read import Options, Reading, read
from twinset.io.roles import event_value, reference
from twinset.io.toml import Value, comment, key, toml

MOST_LEVELS = 200
SIGNS = frozenset(
    {"?", ".", "--", "#N/A", "#NA", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!"}
)  # missing wherever they stand, unlike "NA" or "None", which can be levels

HEAD = """#:schema study.schema.json
# Draft of a study file, made by `twinset init` from the table itself. Nothing here is decided yet:
# read it from top to bottom and correct it, then run `twinset release study.toml -o release`.
# This file holds bounds and levels read from patients' rows: it stays with the custodian.
"""
HOLDOUT = """# Patients the generator never sees: the control of every privacy test.
[holdout]
fraction = 0.3
seed = 0
"""
REST = """# How the synthetic patients are made. Settings of the generator may follow its name.
[generator]
name = "trees"

# How much is made. Fixed before anything is scored: all copies that are made are released.
[release]
n = 0            # 0 = as many rows as there are training rows
copies = 1
format = "csv"   # csv, parquet or xlsx
"""
COLUMNS = """# The columns.
#   type    number, integer, category, date, datetime; text is never synthesised
#   role    identifier (never synthesised), quasi-identifier (an outsider may know it: age, sex, dates ...), sensitive, outcome, arm, time, event, group, or ""
#   origin  where bounds and levels came from. "private" = read from the rows, as everything below. Where you know public ones (a code book, what
#           is biologically possible), write them in and set origin = "public": private bounds can never be part of a formal privacy claim.
"""
TAIL = """[audit]
seed = 0

# What the release must show before it may leave.
[policy]
name = "external researchers, v1"

# Differential privacy: with this section and a generator that only measures (aim, mst), nobody can tell from the release whether
# one patient was in the table, up to epsilon (1 is strong, 5 usual, above 10 weak); what is spent is kept in a ledger beside the table.
# Bounds, levels and rules above count as known only with origin = "public"; the rest is found privately and paid for, private rules are refused.
# [privacy]
# epsilon = 1
# unit = {unit}   # whom the promise is made to: the patient column, or "row"
# relation = "add-remove"   # or "replace", where the number of patients is public
# budget = 5   # the epsilon of all releases of this table together; set once
"""


def draft(  # noqa: PLR0913
    path: Path | str,
    *,
    out: Path | str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    missing: Sequence[str] = (),
) -> str:
    """The text of a commented ``study.toml`` for the table in a file, ready to run without edits, meant to be edited.

    ``out``: where the text will be written (the table's path is given relative to it); the other options are those of
    :func:`twinset.io.read.read_table`. The text holds bounds and levels of private origin: it is the custodian's.
    Raises what reading raises.
    """
    path = Path(path)
    reading = _reading(path, Options(separator, decimal, encoding, sheet, table, tuple(missing)))
    frame = reading.frame
    first = infer_schema(frame)
    unit = propose_unit(first)
    schema = infer_schema(frame, unit=unit) if unit else first
    place = os.path.relpath(path.absolute(), Path(out).absolute().parent) if out is not None else path.name
    parts = [
        HEAD,
        _summary(path, frame, schema),
        _data(Path(place).as_posix(), reading, schema, frame),
        HOLDOUT,
        REST,
        COLUMNS + "\n".join(_column(c, frame[c.name], reading) for c in schema),
        _rules(frame, schema),
        _endpoints(frame, schema),
        TAIL.replace("{unit}", toml(schema.unit or "row")),
    ]
    return "\n".join(part for part in parts if part)


def _reading(path: Path, options: Options) -> Reading:
    """The table; signs that stand for missing among its numbers are taken as missing among its texts too."""
    reading = read(path, options)
    found = {t for tokens in reading.tokens.values() for t in tokens} & SIGNS - set(options.missing)
    return read(path, replace(options, missing=(*options.missing, *sorted(found)))) if found else reading


def _summary(path: Path, frame: pl.DataFrame, schema: Schema) -> str:
    lines = [_pair("name", path.stem), "seed = 0", 'audience = "external researchers"', ""]
    lines.append(comment(f"The table: {frame.height:,} rows, {frame.width} columns, of which {len(schema.synthesised)} can be synthesised."))
    found = [c for c in schema if c.identifier]
    if found:
        lines.append(comment("Direct identifiers and free text that were recognised, and are left out of the synthetic table:"))
        lines += [comment(f"  {c.name}: {c.identifier}") for c in found]
        lines.append(comment("Recognition can miss some: look through the columns yourself."))
    else:
        lines.append(comment("No direct identifier was recognised. Recognition can miss some: look through the columns yourself."))
    return "\n".join(lines) + "\n"


def _data(place: str, reading: Reading, schema: Schema, frame: pl.DataFrame) -> str:
    used = reading.options
    lines = [comment(f"found while reading: {note}") for note in reading.notes]
    lines += ["[data]", _pair("path", place)]
    for name in ("separator", "decimal", "encoding", "sheet", "table"):
        value = getattr(used, name)
        if value is not None:
            lines.append(_pair(name, value))
    if used.missing:
        lines += [comment("texts that mean missing, besides an empty cell"), _pair("missing", used.missing)]
    else:
        lines.append(
            comment('missing = ["unknown"]   texts that mean missing, besides an empty cell; "NA" or "None" can be a level and is none unless you list it')
        )
    lines += _unit(schema, frame)
    return "\n".join(lines) + "\n"


def _unit(schema: Schema, frame: pl.DataFrame) -> list[str]:
    if not schema.unit:
        return [comment('"row" = each row is a patient; else the column that names the patient of several rows'), _pair("unit", "row")]
    n_patients = frame[schema.unit].n_unique()
    lines = [comment(f"several rows belong to one patient: {n_patients:,} in {frame.height:,} rows")]
    crossed = [g.name for g in schema.with_role("group") if frame.select(schema.unit, g.name).n_unique() > 1.5 * n_patients]
    doubt = "CHECK: the same numbers occur in several levels of `{}`; if they count patients within it, make one column that names the patient"
    lines += [comment(doubt.format(name)) for name in crossed]
    lines.append(_pair("unit", schema.unit))
    lines.append(comment("at most so many rows of each patient, chosen at random; 0 = all. The generators model rows: a patient with many is learnt"))
    return [*lines, comment("many times over, and the attacks find him. 1 makes a table of patients, not of rows or visits."), _pair("per_patient", 1)]


def _column(column: Column, series: pl.Series, reading: Reading) -> str:
    lines = [f"[columns.{key(column.name)}]"]
    lines += [comment(remark) for remark in _remarks(column, series, reading)]
    lines += [_pair("type", column.kind), _pair("role", column.role)]
    if column.identifier:
        lines.append(_pair("identifier", column.identifier))
    if column.low is not None and column.high is not None:
        lines += [_pair("low", _number(column.low, column)), _pair("high", _number(column.high, column))]
    if 0 < len(column.levels) <= MOST_LEVELS:
        lines.append(_pair("levels", column.levels))
    if column.ordered:
        lines.append("ordered = true")
    if column.missing_codes:
        lines.append(_pair("missing_codes", [_number(c, column) for c in column.missing_codes]))
    if column.decimals is not None:
        lines.append(_pair("decimals", column.decimals))
    if column.kind != "text":
        lines.append(_pair("origin", column.origin))
    return "\n".join(lines) + "\n"


def _remarks(column: Column, series: pl.Series, reading: Reading) -> list[str]:
    """What a custodian should know about a column."""
    out = []
    n_missing = series.null_count()
    if n_missing == len(series):
        out.append("all missing: nothing can be learnt here")
    elif n_missing:
        out.append(f"{n_missing / len(series):.1%} missing")
    if column.kind != "text" and n_missing < len(series) and series.n_unique() - (n_missing > 0) == 1:
        out.append("one value only")
    if column.kind == "text" and not column.identifier:
        out.append("nearly every row has a text of its own: not synthesised")
    if column.name in reading.odd:
        out.append(
            "numbers, but for "
            + ", ".join(toml(t) for t in reading.odd[column.name])
            + ": list these under [data] missing, if they mean missing, to have it read as a number"
        )
    if len(column.levels) > MOST_LEVELS:
        out.append(f"{len(column.levels):,} levels: not listed; list public ones if there is a code book")
    if column.missing_codes:
        out.append("negative codes among positive numbers: each kept as a kind of missing")
    suspect = suspect_code(series) if column.kind in ("integer", "number") else None
    if suspect is not None:
        out.append(f"{toml(suspect)} stands apart from the rest: if it is a code for missing, add missing_codes = [{toml(suspect)}]")
    if column.kind in ("date", "datetime"):
        out.append("low and high are days since 1970-01-01")
    return out


def _rules(frame: pl.DataFrame, schema: Schema) -> str:
    from twinset.rules.mine import propose

    cohort = Cohort(frame, schema).synthesised
    proposals = propose(cohort) if len(cohort.schema) else ()
    if not proposals:
        return '# Rules hold in every synthetic row. None suggested itself. For example:\n# [[rules]]\n# name = "R1"\n# rule = "start <= end"\n'
    lines = ["# Rules hold in every synthetic row. These hold in every row of the table: keep what is medicine, delete what is coincidence."]
    for i, proposal in enumerate(proposals, start=1):
        lines += [comment(proposal.why), "[[rules]]", _pair("name", f"R{i}"), _pair("rule", proposal.text), ""]
    return "\n".join(lines)


def _endpoints(frame: pl.DataFrame, schema: Schema) -> str:
    """The time-to-event analysis that the roles suggest; commented out where rows repeat, since then a row is no patient."""
    time, event, arms = schema.with_role("time"), schema.with_role("event"), schema.with_role("arm")
    if not time or not event:
        return "# Endpoints: analyses run alike on train, hold-out and synthetic patients. None was recognised.\n"
    lines = ["[[endpoints]]", _pair("kind", "survival"), _pair("name", f"time to {event[0].name}"), _pair("time", time[0].name), _pair("event", event[0].name)]
    lines.append(_pair("event_value", event_value(event[0])) + "   # check: the level that means the event was seen, not censored")
    if arms:
        lines += [_pair("arm", arms[0].name), _pair("reference", reference(arms[0])) + "   # check: the arm the others are compared with"]
    said = "# Endpoints: analyses run alike on train, hold-out and synthetic patients."
    if schema.unit:
        said += " This one needs one row a patient; the table has several, so it is off."
        lines = [comment(line) for line in lines]
    return "\n".join([said, *lines]) + "\n"


def _number(value: float, column: Column) -> float | int:
    return int(value) if column.kind in ("integer", "date") and value == int(value) else value


def _pair(name: str, value: Value) -> str:
    return f"{key(name)} = {toml(value)}"
