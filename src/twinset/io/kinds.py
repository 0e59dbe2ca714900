"""What a data frame says about its columns without a look at a cell: by what its caller declares, else by types that are the caller's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import polars as pl
from narwhals import dependencies as known

from twinset.core.schema import Column, Kind, Schema
from twinset.errors import BadInput, SchemaMismatch

KINDS = get_args(Kind)
WORDS = (*KINDS, "boolean")  # as `kinds` says it


def declared_schema(frame: Any, table: pl.DataFrame, *, kinds: Mapping[str, str] | None = None, unit: str = "") -> Schema:
    """The schema of a frame for a private use: names, kinds and nothing else; ``table``: the same frame in polars.

    ``kinds``: by column, "number", "integer", "category", "boolean", "date", "datetime" or "text" (left out). Columns not named there are what their type
    says in polars and Arrow, where the caller chose it. pandas chooses types by looking at cells, so there every column but ``unit`` has to be named.
    Raises SchemaMismatch for unknown columns, BadInput for unknown kinds and for columns that are not named.
    """
    said = dict(kinds or {})
    strange = [n for n in said if n not in table.columns]
    if strange or (unit and unit not in table.columns):
        raise SchemaMismatch("the table has no such patient column" if unit and not strange else "`kinds` names a column that is not there", hint="check it")
    if not set(said.values()) <= set(WORDS):
        raise BadInput("an unknown kind of column", where="kinds", hint=f"known: {', '.join(WORDS)}")
    unclear = [n for n in table.columns if n not in said and n != unit] if known.is_pandas_dataframe(frame) else []
    if unclear:
        raise BadInput(
            f"the pandas types of {len(unclear)} column(s) can depend on a single cell: {', '.join(f'`{n}`' for n in unclear[:20])}",
            where="kinds",
            hint='say what every column is, for example kinds={"age": "integer", "sex": "category"}, or give study=; polars and Arrow types are taken as your word',
        )
    types = table.schema.items()
    return Schema(tuple(Column(n, "text", "identifier") if n == unit else _column(n, t, said.get(n)) for n, t in types), unit=unit)


def _column(name: str, dtype: pl.DataType, kind: str | None) -> Column:
    if kind == "boolean" or (dtype == pl.Boolean and kind in (None, "category")):
        return Column(name, "category", levels=(False, True), origin="public")
    found: Kind = next(k for k in KINDS if k == kind) if kind is not None else _kind(dtype)
    return Column(name, found, level_type="integer" if found == "category" and dtype.is_integer() else "")


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    return "date" if dtype == pl.Date else "datetime" if dtype == pl.Datetime else "category"
