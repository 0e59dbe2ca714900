"""Functional dependence: each combination of some columns has one value in another."""

from __future__ import annotations

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.rules.tree import Follows
from twinset.rules.values import series_values


def written(node: Follows) -> pl.DataFrame | None:
    """The table that the rule itself spells out, or ``None``: columns ``k0``.. and ``value``, one row per combination."""
    if not node.table:
        return None
    data = {f"k{i}": [_plain(key[i].value) for key, _ in node.table] for i in range(len(node.by))}
    return pl.DataFrame({**data, "value": [_plain(value.value) for _, value in node.table]})


def observed(node: Follows, cohort: Cohort) -> pl.DataFrame:
    """The value that goes with each combination in these rows: the commonest, the smallest of equals.

    A combination whose value is always missing maps to missing (null). Combinations with a missing part say nothing.
    """
    keys = [f"k{i}" for i in range(len(node.by))]
    frame = _frame(node, cohort).drop_nulls(keys)
    counts = frame.group_by([*keys, "value"]).len()
    order = counts.with_columns(pl.col("value").is_null().alias("empty")).sort(
        [*keys, "empty", "len", "value"], descending=[*[False] * len(keys), False, True, False]
    )
    return order.unique(keys, keep="first", maintain_order=True).select([*keys, "value"])


def joined(first: pl.DataFrame | None, second: pl.DataFrame) -> pl.DataFrame:
    """The first table, and behind it those combinations of the second that it lacks."""
    if first is None:
        return second
    keys = first.columns[:-1]
    types = {c: t for c, t in second.schema.items() if t != pl.Null}
    first = first.with_columns(pl.col(c).cast(t) for c, t in types.items() if first.schema[c] == pl.Null)
    return pl.concat([first, second.join(first, on=keys, how="anti", maintain_order="left").cast(first.schema)])


def wanted(node: Follows, cohort: Cohort, table: pl.DataFrame) -> tuple[pl.Series, np.ndarray]:
    """What the column should hold (null = missing), and, shape (n,), where the table knows."""
    keys = table.columns[:-1]
    known = table.with_columns(pl.lit(True).alias("known"))
    found = _frame(node, cohort).select(keys).join(known, on=keys, how="left", maintain_order="left")
    return found["value"], found["known"].fill_null(False).to_numpy()


def departs(node: Follows, cohort: Cohort, table: pl.DataFrame | None) -> np.ndarray:
    """Rows whose value is not the one that goes with their combination; a missing value departs from nothing."""
    value, known = wanted(node, cohort, joined(table, observed(node, cohort)))
    held = series_values(cohort, node.column, "value")
    differs = (held != value).fill_null(True).to_numpy()
    return np.asarray(known & held.is_not_null().to_numpy() & differs)


def _frame(node: Follows, cohort: Cohort) -> pl.DataFrame:
    parts = [series_values(cohort, name, f"k{i}") for i, name in enumerate(node.by)]
    return pl.DataFrame([*parts, series_values(cohort, node.column, "value")])


def _plain(value: float | str | bool) -> float | str:
    return value if isinstance(value, str) else float(value)
