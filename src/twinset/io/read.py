"""Tables in: any file a hospital keeps, as a polars frame with sensible types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from twinset.errors import TableUnreadable


def read_table(
    path: Path | str,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    table: str | None = None,
    missing: Sequence[str] = (),
) -> pl.DataFrame:
    """The table in a file."""
    path = Path(path)
    if not path.exists():
        raise TableUnreadable("there is no such file", where=path.name, hint="check the path")
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    return pl.read_csv(path, separator=separator or ",", infer_schema_length=None, null_values=list(missing) or None)
