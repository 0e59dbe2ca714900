"""The section ``[data]`` of a draft: where the table is, how it is read, and who a patient is."""

from __future__ import annotations

from collections import Counter

from twinset.core.schema import Schema
from twinset.draft.unit import Rows, crossed, in_order
from twinset.io.lines import shifts
from twinset.io.read import Reading
from twinset.io.toml import Value, comment, key, toml

DATES = ("date", "datetime")
BROKEN = "CHECK: a private run takes one line of the file as one row, and this file has line breaks inside quotation marks: save it as Parquet, or without them, first"
ONE_LINE = "CHECK: a private run reads one line of names: save the table with a header of one line first"
ENCODING = "CHECK: a private run needs UTF-8, or another encoding in which one byte cannot shift the rest: save the table so first"
MISSING = 'texts that mean missing, besides an empty cell; "NA" or "None" can be a level and is none unless you list it'


def section(place: str, reading: Reading, made: Rows, doubts: tuple[str, ...], *, private: bool) -> str:
    """The section as text; ``doubts``: sentences on signs for missing that are levels too. Every key that a private run demands is written."""
    used = reading.options
    header = used.header or 1
    faults = ((BROKEN, reading.broken), (ENCODING, used.encoding is not None and shifts(used.encoding)), (ONE_LINE, header > 1))
    lines = [comment(f"found while reading: {note}") for note in reading.notes]
    lines += [comment(text if private else text.removeprefix("CHECK: ")) for text, hit in faults if hit]
    lines += ["[data]", pair("path", place)]
    lines += [pair(name, value) for name in ("separator", "decimal", "encoding", "sheet", "table") if (value := getattr(used, name)) is not None]
    if header > 1:
        lines += [comment("how many lines the names take; they are joined"), pair("header", header)]
    for sign in dict.fromkeys(reading.thousands.values()):
        lines.append(pair("thousands", sign))
    order = table_order(reading, made.schema)
    if order:
        lines += [comment('the order of day, month and year in dates written as text: "ymd", "dmy" or "mdy"'), pair("date_order", order)]
    lines += [comment(text) for text in (*doubts, MISSING)]
    lines.append(pair("missing", used.missing))
    lines += _unit(made, reading.frame.height)
    return "\n".join(lines) + "\n"


def table_order(reading: Reading, schema: Schema) -> str:
    """The order of day, month and year that most dates of the table are written in: ``ymd`` where they are stored as dates, "" where there are none."""
    dated = [c.name for c in schema if c.kind in DATES]
    found = Counter(reading.date_orders[name] for name in dated if name in reading.date_orders)
    return found.most_common(1)[0][0] if found else "ymd" if dated else ""


def _unit(made: Rows, n_rows: int) -> list[str]:
    """Whose rows they are, and which of a patient's are kept: a choice that can be run, with the others beside it as comments."""
    unit = made.schema.unit
    if not unit:
        return [comment('"row" = each row is a patient; else the column that names the patient of several rows'), pair("unit", "row")]
    lines = [comment(f"several rows belong to one patient: {made.frame[unit].n_unique():,} in {n_rows:,} rows")]
    doubt = "CHECK: the same numbers occur in several levels of `{}`; if they count patients within it, make one column that names the patient"
    lines += [comment(doubt.format(name)) for name in crossed(made.frame, made.schema)]
    lines.append(pair("unit", unit))
    names = " and ".join(f"`{name}`" for name in made.apart)
    told = f"{names} tell{'s' if len(made.apart) == 1 else ''} a patient's rows apart." if names else "No column was found that tells a patient's rows apart."
    if not made.of_patients:
        lines += [comment(f"{told} A private run chooses no rows by what they hold: make the table that is meant first, or bound the rows:")]
        lines.append(comment("at most so many rows of each patient, chosen at random; 0 = all. The generators model rows: a patient with many is learnt"))
        return [*lines, comment("many times over, and the attacks find them. 1 makes a table of patients, not of rows or visits."), pair("per_patient", 1)]
    lines.append(comment(f"{told} A release is of patients, so one row of each is made; CHECK that it is the one you mean:"))
    if made.widen:
        lines += [comment("each level becomes a set of columns, NAME_level, and a patient one row"), pair("widen", made.widen)]
    if made.where:
        lines += [comment("only rows for which this holds"), pair("where", made.where)]
    if made.keep:
        lines.append(comment(f"at most so many rows of each patient, and which: the {made.keep}, in the order of the file"))
        lines += [comment(text) for text in _unsorted(made)]
        lines += [pair("per_patient", 1), pair("keep", made.keep)]
    others = (*made.others, *([] if made.where or made.widen else [pair("keep", "last" if made.keep == "first" else "first")]))
    return [*lines, *([comment("or instead:")] if others else []), *map(comment, others)]


def _unsorted(made: Rows) -> list[str]:
    if len(made.apart) != 1 or made.where or made.schema[made.apart[0]].kind == "text" or in_order(made.frame, made.schema.unit, made.apart[0]):
        return []
    return [f"CHECK: a patient's rows do not stand in the order of `{made.apart[0]}`: sort the table by it first, if the {made.keep} by it is meant"]


def pair(name: str, value: Value) -> str:
    """One line of TOML.

    >>> pair("unit", "row")
    'unit = "row"'
    """
    return f"{key(name)} = {toml(value)}"
