"""The door: a private table on its way to the vault. Whatever happens to a row here depends on that row and the study, on nobody else.

Nothing is refused for what a row holds, and nothing is found out: the study declares how the table is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from twinset.coding.identity import named
from twinset.core.cohort import Cohort
from twinset.errors import SchemaMismatch, StudyInvalid
from twinset.io.declared import Declared, check_declared, empty, read_declared
from twinset.io.read import DELIMITED
from twinset.study import Study

MOSTLY_ALONE = 0.9  # an identifier with fewer different values than this share of its rows repeats people


@dataclass(frozen=True, repr=False)
class Reading:
    """What a custodian should know of how the table was read: exact counts, which stay on the custodian's side.

    ``malformed``: lines that are no rows of the table. ``unread``: by column, cells that cannot be read as declared. ``repeats``: by identifier, the
    most rows that share one, where rows are promised to.
    """

    n_rows: int
    malformed: int
    unread: Mapping[str, int]
    repeats: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def declared_reading(study: Study) -> Declared:
    """How the study says that its table is written. Raises StudyInvalid with every key that a private run needs and the study lacks."""
    data, needed = study.data, []
    said = data.model_fields_set
    if study.table.suffix.lower() in DELIMITED:
        needed = [k for k in ("separator", "decimal", "encoding") if getattr(data, k) is None]
    needed += ["missing"] if "missing" not in said else []
    dates = [n for n, c in study.columns.items() if c.kind in ("date", "datetime") and not c.date_order]
    needed += ["date_order"] if dates and data.date_order is None else []
    if needed:
        raise StudyInvalid(
            f"a private run reads nothing out of the table, so the study must say how it is written: {', '.join(f'data.{k}' for k in needed)}",
            where="data",
            hint='`twinset init --private TABLE` writes these keys; by hand: separator = ",", decimal = ".", encoding = "utf-8", missing = [], date_order = "ymd"',
        )
    how = Declared(
        data.separator or ",", data.decimal or ".", data.encoding or "utf-8", data.missing, data.thousands, data.date_order or "ymd", data.sheet, data.table
    )
    check_declared(how)
    return how


def read(study: Study) -> tuple[Cohort, Reading]:
    """The table of a private study, each cell by its own column's declaration alone (:mod:`twinset.io.declared`); every row is somebody's.

    Raises the BadInput family for the study, the file and its header; never for what a row holds.
    """
    how, schema = declared_reading(study), study.schema_of_columns()
    if not len(schema.synthesised):
        raise SchemaMismatch("no column is left to synthesise", where="columns", hint="every column is an identifier or free text; correct the roles")
    blocks = list(read_declared(study.table, schema, how))
    cohort = named(Cohort(pl.concat([b.frame for b in blocks]) if blocks else empty(schema), schema))
    unread = {c.name: sum(b.unread.get(c.name, 0) for b in blocks) for c in schema}
    reading = Reading(len(cohort), sum(b.malformed for b in blocks), {c: n for c, n in unread.items() if n}, _repeats(cohort))
    return cohort, reading


def _repeats(cohort: Cohort) -> dict[str, int]:
    """Identifiers that say people have several rows, where a row is promised to, with the most rows that share one."""
    found = {}
    for column in cohort.schema.with_role("identifier") if not cohort.schema.unit else ():
        known = cohort[column.name].drop_nulls()
        if len(known) > 1 and known.n_unique() < MOSTLY_ALONE * len(known):
            found[column.name] = int(known.value_counts(name="rows")["rows"].max())  # type: ignore[arg-type]
    return found
