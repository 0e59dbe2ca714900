"""``twinset init``: a study file for a table, drafted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from twinset.errors import OutputProblem, TableUnreadable


def init(
    table: Annotated[Path, typer.Argument(help="CSV, Parquet, Excel, SAS, SPSS, Stata or DuckDB file", metavar="TABLE")],
    out: Annotated[Path, typer.Option("-o", "--out", help="where to write the draft")] = Path("study.toml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the draft if it exists")] = False,
    private: Annotated[bool, typer.Option("--private", help="for a run under [privacy]: nothing read from the rows is declared")] = False,
    missing: Annotated[Optional[list[str]], typer.Option("--missing", help="a text that means missing; repeatable")] = None,  # noqa: UP045
    sheet: Annotated[Optional[str], typer.Option("--sheet", help="Excel: which sheet")] = None,  # noqa: UP045
    db_table: Annotated[Optional[str], typer.Option("--table", help="DuckDB: which table")] = None,  # noqa: UP045
    header: Annotated[Optional[int], typer.Option("--header", help="CSV, Excel: how many lines the names take; found out where absent", min=1, max=9)] = None,  # noqa: UP045
) -> None:
    """Draft a study file for a table: kinds, roles, bounds, identifiers, rules, endpoints. Read it before you use it."""
    from twinset.draft import drafted
    from twinset.draft.summary import summary
    from twinset.io.place import new_file
    from twinset.io.read import Options
    from twinset.study import json_schema

    if not table.exists():
        raise TableUnreadable("there is no such file", where=str(table), hint="check the path of the table")
    if out.exists() and not overwrite:  # said before the work, not after it
        raise OutputProblem("it exists already", where=str(out), hint="choose another name, or add --overwrite")
    made = drafted(table, Options(sheet=sheet, table=db_table, missing=tuple(missing or ()), header=header), out=out, private=private)
    with new_file(out, overwrite=overwrite) as temporary:
        temporary.write_text(made.text, encoding="utf-8", newline="\n")
    schema = out.with_name("study.schema.json")
    if overwrite or not schema.exists():
        with new_file(schema, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    print(summary(made, out=out, private=private), end="")
