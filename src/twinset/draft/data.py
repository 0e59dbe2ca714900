"""The section ``[data]`` of a draft: where the table is, how it is read, and who a patient is."""

from __future__ import annotations

from collections import Counter

from twinset.core.schema import Schema
from twinset.io.lines import shifts
from twinset.io.read import Reading
from twinset.io.toml import Value, comment, key, toml

DATES = ("date", "datetime")
BROKEN = "a private run takes one line of the file as one row, and this file has line breaks inside quotation marks: save it as Parquet, or without them, first"
MISSING = 'texts that mean missing, besides an empty cell; "NA" or "None" can be a level and is none unless you list it'


def section(place: str, reading: Reading, schema: Schema, doubts: tuple[str, ...]) -> str:
    """The section as text; ``doubts``: sentences on signs for missing that are levels too. Every key that a private run demands is written."""
    used = reading.options
    lines = [comment(f"found while reading: {note}") for note in reading.notes]
    if reading.broken:
        lines.append(comment(BROKEN))
    lines += ["[data]", pair("path", place)]
    if used.encoding is not None and shifts(used.encoding):
        lines.append(comment("a private run needs UTF-8, or another encoding in which one byte cannot shift the rest: save the table so first"))
    lines += [pair(name, value) for name in ("separator", "decimal", "encoding", "sheet", "table") if (value := getattr(used, name)) is not None]
    for sign in dict.fromkeys(reading.thousands.values()):
        lines.append(pair("thousands", sign))
    order = table_order(reading, schema)
    if order:
        lines += [comment('the order of day, month and year in dates written as text: "ymd", "dmy" or "mdy"'), pair("date_order", order)]
    lines += [comment(text) for text in (*doubts, MISSING)]
    lines.append(pair("missing", used.missing))
    lines += _unit(reading, schema)
    return "\n".join(lines) + "\n"


def table_order(reading: Reading, schema: Schema) -> str:
    """The order of day, month and year that most dates of the table are written in: ``ymd`` where they are stored as dates, "" where there are none."""
    dated = [c.name for c in schema if c.kind in DATES]
    found = Counter(reading.date_orders[name] for name in dated if name in reading.date_orders)
    return found.most_common(1)[0][0] if found else "ymd" if dated else ""


def _unit(reading: Reading, schema: Schema) -> list[str]:
    if not schema.unit:
        return [comment('"row" = each row is a patient; else the column that names the patient of several rows'), pair("unit", "row")]
    frame = reading.frame
    n_patients = frame[schema.unit].n_unique()
    lines = [comment(f"several rows belong to one patient: {n_patients:,} in {frame.height:,} rows")]
    crossed = [g.name for g in schema.with_role("group") if frame.select(schema.unit, g.name).n_unique() > 1.5 * n_patients]
    doubt = "CHECK: the same numbers occur in several levels of `{}`; if they count patients within it, make one column that names the patient"
    lines += [comment(doubt.format(name)) for name in crossed]
    lines.append(pair("unit", schema.unit))
    lines.append(comment("at most so many rows of each patient, chosen at random; 0 = all. The generators model rows: a patient with many is learnt"))
    return [*lines, comment("many times over, and the attacks find them. 1 makes a table of patients, not of rows or visits."), pair("per_patient", 1)]


def pair(name: str, value: Value) -> str:
    """One line of TOML.

    >>> pair("unit", "row")
    'unit = "row"'
    """
    return f"{key(name)} = {toml(value)}"
