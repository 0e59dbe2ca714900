"""``twinset split``: train and hold-out as two files, for generators that live elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def split(
    table: Annotated[Path, typer.Argument(help="CSV, Parquet, Excel, SAS, SPSS, Stata or DuckDB file", metavar="TABLE")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder to write; must not exist yet")],
    fraction: Annotated[float, typer.Option(help="share of patients held out", min=0.01, max=0.9)] = 0.3,
    seed: Annotated[int, typer.Option(help="which split")] = 0,
    unit: Annotated[str, typer.Option(help='"row", or the column that names the patient')] = "row",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the folder if it exists")] = False,
) -> None:
    """Split a table into train and hold-out, by patient: for generators that live elsewhere."""
    from twinset.audit.privacy.split import split as halves
    from twinset.core.cohort import Cohort
    from twinset.errors import SchemaMismatch, meant
    from twinset.io.infer import infer_schema
    from twinset.io.place import new_folder
    from twinset.io.read import read_table
    from twinset.io.write import write_table

    frame = read_table(table)
    if unit != "row" and unit not in frame.columns:
        raise SchemaMismatch(
            f"the table has no column `{unit}`{meant(unit, frame.columns)}", where="--unit", hint="name a column of the table, or leave it out"
        )
    train, holdout = halves(Cohort(frame, infer_schema(frame, unit="" if unit == "row" else unit)), fraction=fraction, seed=seed)
    with new_folder(out, overwrite=overwrite) as temporary:
        write_table(train.frame, temporary / "train.csv")
        write_table(holdout.frame, temporary / "holdout.csv")
    print(f"wrote {out}/train.csv ({len(train):,} rows) and {out}/holdout.csv ({len(holdout):,} rows)")
