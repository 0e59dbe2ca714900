"""What a data frame says about its columns without a look at a cell: by what its caller declares, else by types that no cell can have changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import polars as pl
from narwhals import dependencies as known

from twinset.core.schema import Column, Kind, Schema
from twinset.errors import BadInput, SchemaMismatch

KINDS = get_args(Kind)


def declared_schema(frame: Any, table: pl.DataFrame, *, kinds: Mapping[str, str] | None = None, unit: str = "") -> Schema:
    """The schema of a frame for a private use: names, kinds and nothing else; ``table``: the same frame in polars.

    ``kinds``: by column, "number", "integer", "category", "date", "datetime" or "text" (left out). Columns not named there are what their type says,
    where that type cannot depend on a single cell. Raises SchemaMismatch for unknown columns, BadInput for unknown kinds and ambiguous types.
    """
    said = dict(kinds or {})
    strange = [n for n in said if n not in table.columns]
    if strange or (unit and unit not in table.columns):
        raise SchemaMismatch("the table has no such patient column" if unit and not strange else "`kinds` names a column that is not there", hint="check it")
    if not set(said.values()) <= set(KINDS):
        raise BadInput("an unknown kind of column", where="kinds", hint=f"known: {', '.join(KINDS)}")
    inferred = _inferred(frame)
    unclear = [n for n in inferred if n not in said and n != unit]
    if unclear:
        raise BadInput(
            f"the types of {len(unclear)} column(s) can depend on a single cell: {', '.join(f'`{n}`' for n in unclear[:20])}",
            where="kinds",
            hint='say what they are, for example kinds={"age": "integer", "sex": "category"}, or give study=; a polars frame\'s types are taken as your word',
        )
    types = {n: pl.String() if n in inferred else t for n, t in table.schema.items()}
    return Schema(tuple(Column(n, "text", "identifier") if n == unit else _column(n, t, said.get(n)) for n, t in types.items()), unit=unit)


def _column(name: str, dtype: pl.DataType, kind: str | None) -> Column:
    if dtype == pl.Boolean and kind in (None, "category"):
        return Column(name, "category", levels=(False, True), origin="public")
    found: Kind = next(k for k in KINDS if k == kind) if kind is not None else _kind(dtype)
    return Column(name, found, level_type="integer" if found == "category" and dtype.is_integer() else "")


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    return "date" if dtype == pl.Date else "datetime" if dtype == pl.Datetime else "category"


def _inferred(frame: Any) -> list[str]:
    """Columns whose type pandas chose by looking at the cells: one gap turns integers to floats, one word turns numbers to objects."""
    if not known.is_pandas_dataframe(frame):
        return []
    import pandas as pd

    chosen = (pd.CategoricalDtype, pd.DatetimeTZDtype, pd.Int64Dtype, pd.Float64Dtype, pd.BooleanDtype, pd.StringDtype)
    return [str(n) for n, t in frame.dtypes.items() if getattr(t, "kind", "O") not in "mM" and (not isinstance(t, chosen) or str(t) == "str")]
