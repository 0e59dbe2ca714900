"""One schema for tables that tell of the same columns and were written by different hands: rows of patients, and rows that anyone made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from twinset.core.schema import Column, Schema
from twinset.errors import SchemaMismatch
from twinset.io.infer import infer_schema, propose_unit

TEXTS = (pl.String, pl.Categorical, pl.Enum)


@dataclass(frozen=True, repr=False)
class Agreed:
    """The columns that all tables hold, as one schema (levels and bounds of all rows together), and the tables in its types.

    ``notes``: sentences for whoever reads the result: what was left out and why, and which rows are one patient's.
    """

    schema: Schema
    real: tuple[pl.DataFrame, ...]
    synthetic: pl.DataFrame
    notes: tuple[str, ...]


def agree(real: Sequence[pl.DataFrame], synthetic: pl.DataFrame) -> Agreed:
    """What the tables have in common. Not for a run under a promise of privacy: the schema is read from the rows.

    Identifiers, free text and the patient of several rows are recognised in the real rows together (row numbers 1..90 in one table and 91..100 in another are
    row numbers); they are not compared and may be missing anywhere. So may any column: what is not in all tables, or has no type in common, is left out.
    Raises SchemaMismatch where nothing is left to compare.
    """
    pooled = _pooled(real)
    seen = infer_schema(pooled)
    unit = propose_unit(seen)
    hidden = [c.name for c in seen if not c.synthesised]
    everywhere = [n for n in real[0].columns if all(n in t.columns for t in (*real, synthetic))]
    fitted = {n: alike([t[n] for t in (*real, synthetic)]) for n in everywhere if n not in hidden}
    columns = {n: found for n, found in fitted.items() if found is not None}
    if not columns:
        raise SchemaMismatch("the tables have no column in common that could be compared", hint="check that they were read with the right separator and header")
    schema = infer_schema(pl.DataFrame([pl.concat(found) for found in columns.values()]))
    hidden += [c.name for c in schema if not c.synthesised]
    kept = schema.synthesised
    missing = dict.fromkeys(n for t in (*real, synthetic) for n in t.columns if n not in everywhere and n not in hidden)
    told = (
        ("not in every table, so left out", tuple(missing)),
        ("of other types in different tables, so left out", tuple(n for n, found in fitted.items() if found is None)),
        ("identifiers or free text, so not compared", tuple(n for n in dict.fromkeys(hidden) if n != unit)),
    )
    notes = [f"{why}: {', '.join(f'`{n}`' for n in names)}" for why, names in told if names]
    if unit:
        kept = Schema((Column(unit, "text", "identifier", identifier="patient number"), *kept.columns), unit=unit)
        notes.append(f"rows with the same `{unit}` are taken for one patient's")
    frames = [pl.DataFrame([columns[n][i] for n in kept.names if n != unit]) for i in range(len(real) + 1)]
    patients = [f.with_columns(t[unit]).select(kept.names) if unit else f for f, t in zip(frames, real, strict=False)]
    return Agreed(kept, tuple(patients), frames[-1], tuple(notes))


def alike(many: Sequence[pl.Series]) -> list[pl.Series] | None:
    """The same column of several tables in one type that loses no cell; ``None`` where there is none.

    >>> [s.dtype for s in alike([pl.Series(["1", "2"]), pl.Series([1.0, 2.0])]) or ()]
    [Float64, Float64]
    """
    types = {s.dtype for s in many if s.null_count() < len(s)}
    if not types:
        return [s.cast(pl.String) for s in many]
    if len(types) == 1:
        return _cast(many, next(iter(types)))
    if all(t.is_numeric() or t == pl.Boolean for t in types):
        return _cast(many, pl.Float64() if any(t.is_float() or t.is_decimal() for t in types) else pl.Int64())
    if all(t == pl.Date or isinstance(t, pl.Datetime) for t in types):
        return _cast([s.dt.replace_time_zone(None) if isinstance(s.dtype, pl.Datetime) else s for s in many], pl.Datetime("us"))
    if not all(t in TEXTS or t.is_numeric() or t == pl.Boolean for t in types):
        return None
    texts = [s.cast(pl.String) if s.dtype in TEXTS else s for s in many]
    return _cast([s if s.dtype != pl.Boolean else s.cast(pl.Int64) for s in texts], pl.Float64()) or [_text(s) for s in texts]


def _pooled(real: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All real rows, of the columns that every real table has in one type."""
    names = [n for n in real[0].columns if all(n in t.columns for t in real)]
    fitted = [alike([t[n] for t in real]) for n in names]
    return pl.DataFrame([pl.concat(found) for found in fitted if found is not None])


def _cast(many: Sequence[pl.Series], dtype: pl.DataType) -> list[pl.Series] | None:
    made = [s if s.dtype == dtype else s.cast(dtype, strict=False) for s in many]
    return made if all(a.null_count() == b.null_count() for a, b in zip(made, many, strict=True)) else None


def _text(series: pl.Series) -> pl.Series:
    """Cells as text; a whole number without its point, so that 1.0 here is the 1 written there."""
    if series.dtype.is_float() and bool((series.drop_nulls() % 1 == 0).all()):
        series = series.cast(pl.Int64)
    return series.cast(pl.String)
