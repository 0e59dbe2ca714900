"""The draft of a study file for a table: what a custodian reads, corrects and then owns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from twinset.core.schema import Schema, left_out
from twinset.draft import texts
from twinset.draft.analysis import endpoints, rules
from twinset.draft.columns import column
from twinset.draft.data import DATES, pair, section, table_order
from twinset.draft.unit import rows
from twinset.io.cells import typed
from twinset.io.infer import infer_schema, propose_unit
from twinset.io.read import Options, Reading, read
from twinset.io.toml import comment, toml

SIGNS = frozenset(
    {"?", ".", "--", "#N/A", "#NA", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!"}
)  # missing wherever they stand, unlike "NA" or "None", which can be levels


@dataclass(frozen=True, repr=False)
class Drafted:
    """A draft: ``text`` of the study file, and what it was made from."""

    text: str
    reading: Reading
    schema: Schema


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
    header: int | None = None,
    private: bool = False,
) -> str:
    """The text of a commented ``study.toml`` for the table in a file, ready to run without edits, meant to be edited.

    ``out``: where the text will be written (the table's path is given relative to it). ``private``: a draft for a run under ``[privacy]``: no bounds
    and levels that were read from the rows, public code lists where one fits, everything else left to the code book or the budget. The other options
    are those of :func:`twinset.io.read.read_table`. An open draft holds bounds and levels of private origin; a private one still names rules and an
    endpoint that were seen in the rows: both are the custodian's. Raises what reading raises.
    """
    return drafted(path, Options(separator, decimal, encoding, sheet, table, tuple(missing), header), out=out, private=private).text


def drafted(path: Path | str, options: Options, *, out: Path | str | None = None, private: bool = False) -> Drafted:
    """As :func:`draft`, with what it was made from."""
    path = Path(path)
    reading, doubts = _reading(path, replace(options, by_line=private))
    reading = _as_numbers(reading) if private else reading
    frame = reading.frame
    first = infer_schema(frame)
    unit = propose_unit(first)
    made = rows(frame, infer_schema(frame, unit=unit) if unit else first, private=private)
    schema = made.schema
    place = os.path.relpath(path.absolute(), Path(out).absolute().parent) if out is not None else path.name
    order, since = table_order(reading, schema), next((c.name for c in schema if c.kind in DATES), "")
    parts = [
        texts.PRIVATE_HEAD if private else texts.HEAD,
        _summary(path, frame, schema),
        section(Path(place).as_posix(), reading, made, doubts, private=private),
        texts.HOLDOUT,
        texts.GENERATOR.replace("{name}", "aim" if private else "trees"),
        texts.RELEASE.replace("{n}", "as many rows as the noisy count of the training rows" if private else "as many rows as there are training rows"),
        texts.COLUMNS + (texts.PRIVATE_ORIGIN if private else texts.ORIGIN),
        *(column(c, made.frame[c.name], reading, order=order, private=private, since=since) for c in schema),
        rules(made, private=private),
        endpoints(made),
        texts.AUDIT,
        _privacy(schema, private=private),
    ]
    return Drafted("\n".join(part for part in parts if part), reading, schema)


def _reading(path: Path, options: Options) -> tuple[Reading, tuple[str, ...]]:
    """The table, with the signs that were found among its numbers and dates listed as missing; and sentences on those that are levels elsewhere."""
    reading = read(path, options)
    found = {t for tokens in reading.tokens.values() for t in tokens} - set(options.missing)
    columns = [s for s in reading.frame.get_columns() if s.dtype == pl.String]
    elsewhere = {sign: [s.name for s in columns if (s == sign).any()] for sign in sorted(found - SIGNS)}
    listed = sorted(found & SIGNS) + [sign for sign, names in elsewhere.items() if not names]
    doubts = tuple(
        f"CHECK: {toml(sign)} stands among numbers, where it is read as missing, and is a level of {', '.join(f'`{n}`' for n in names)}: list it if missing is meant"
        for sign, names in elsewhere.items()
        if names
    )
    return (read(path, replace(options, missing=(*options.missing, *sorted(listed)))) if listed else reading), doubts


def _as_numbers(reading: Reading) -> Reading:
    """Columns that a few texts alone keep from being numbers, as numbers: a private run reads such cells as missing, where an open one reads all as levels."""
    used = reading.options
    made = {name: typed(reading.frame[name], decimal=used.decimal or ".", missing=(*used.missing, *odd)) for name, odd in reading.odd.items()}
    grouped = {name: t.thousands for name, t in made.items() if t.thousands}
    return replace(reading, frame=reading.frame.with_columns(t.series for t in made.values()), thousands={**reading.thousands, **grouped})


def _summary(path: Path, frame: pl.DataFrame, schema: Schema) -> str:
    lines = [pair("name", path.stem), "seed = 0", 'audience = "external researchers"', ""]
    lines.append(comment(f"The table: {frame.height:,} rows, {frame.width} columns, of which {len(schema.synthesised)} can be synthesised."))
    found = left_out(schema)
    if found:
        lines.append(comment("Columns that are left out of the synthetic table, and why:"))
        lines += [comment(f"  {name}: {why}") for name, why in found]
        lines.append(comment("Recognition of identifiers can miss some: look through the columns yourself."))
    else:
        lines.append(comment("No column is left out: no identifier was recognised. Recognition can miss some: look through the columns yourself."))
    return "\n".join(lines) + "\n"


def _privacy(schema: Schema, *, private: bool) -> str:
    text = (texts.PRIVATE_PRIVACY if private else texts.PRIVACY).replace("{unit}", toml(schema.unit or "row"))
    return text + texts.ROWS_OF_NOBODY if private and not schema.unit else text
