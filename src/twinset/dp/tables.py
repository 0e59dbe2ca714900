"""The private table as the vault sees it: exact answers to a few questions, from rows in memory or in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import polars as pl

from twinset.coding.discretise import Unlisted, cells, fine_cells
from twinset.coding.hierarchy import lengths
from twinset.core.cohort import Cohort
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Level, Schema
from twinset.dp.counts import Counts, MemoryCounts

IntArray = np.ndarray


class Table(Protocol):
    """Private rows. Everything here is exact and secret; only the vault may hold one, and two of them agree to the integer."""

    @property
    def schema(self) -> Schema: ...

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        """How the synthesised columns are stored."""
        ...

    def __len__(self) -> int: ...

    def most_rows(self) -> int:
        """Of any one patient; 1 where a row is a patient."""
        ...

    def histogram(self, axis: Axis) -> IntArray:
        """int64 (n_fine,): counts of one column's fine cells. Without a budget, raises SchemaMismatch where a level has no cell; under one it is missing."""
        ...

    def levels(self, name: str) -> tuple[Sequence[Level], IntArray]:
        """The levels of a category that occur, in order, and how often."""
        ...

    def unfound(self, found: Mapping[str, Sequence[Level]], weights: IntArray) -> tuple[Sequence[tuple[str, Level]], IntArray]:
        """Of the columns of ``found``, the levels that are not in it, as (column, level) and in order, and their weights, int64.

        A row's cells are, in each column, its level if that is not missing and not found, and then also the level's prefixes
        (``coding.hierarchy``) that are not found. A row with m cells gives ``weights[m]`` to each.
        """
        ...

    def counts(self, domain: Domain) -> Counts:
        """To count on the modelled cells of a domain. Levels without a cell as for ``histogram``."""
        ...

    def cohort(self) -> Cohort:
        """The rows themselves."""
        ...


class MemoryTable:
    """Rows of a cohort in memory; their fine cells are kept while a domain only regroups them.

    ``unlisted``: what becomes of a level that has no cell; under a budget it must be ``missing``, since a refusal would tell of one row.
    """

    def __init__(self, cohort: Cohort, *, unlisted: Unlisted = "refused") -> None:
        self._cohort = cohort
        self._unlisted: Unlisted = unlisted
        self._domain: Domain | None = None
        self._fine: IntArray | None = None

    @property
    def schema(self) -> Schema:
        return self._cohort.schema

    @property
    def dtypes(self) -> Mapping[str, pl.DataType]:
        return {n: self._cohort.frame.schema[n] for n in self.schema.synthesised.names}

    def __len__(self) -> int:
        return len(self._cohort)

    def most_rows(self) -> int:
        return int(np.bincount(self._cohort.units(), minlength=1).max()) if self.schema.unit else 1

    def histogram(self, axis: Axis) -> IntArray:
        fine = fine_cells(self._cohort.select([axis.name]), Domain((axis,)), unlisted=self._unlisted)[0]
        return np.bincount(fine, minlength=axis.n_fine).astype(np.int64)

    def levels(self, name: str) -> tuple[Sequence[Level], IntArray]:
        column = self._cohort[name].drop_nulls()
        column = column.drop_nans() if column.dtype.is_float() else column
        counted = column.value_counts().sort(name)
        return counted[name].to_list(), counted["count"].to_numpy().astype(np.int64)

    def unfound(self, found: Mapping[str, Sequence[Level]], weights: IntArray) -> tuple[Sequence[tuple[str, Level]], IntArray]:
        parts = [part for name, known in found.items() for part in self._not_in(name, known)]
        n_cells = np.zeros(len(self), dtype=np.int64)
        for _, _, there in parts:
            n_cells += there.to_numpy()
        keys: list[tuple[str, Level]] = []
        totals: list[IntArray] = [np.zeros(0, dtype=np.int64)]
        for name in found:
            mine = [pl.DataFrame({"level": x.filter(there), "weight": weights[n_cells[there.to_numpy()]]}) for of, x, there in parts if of == name]
            held = pl.concat(mine).group_by("level").agg(pl.col("weight").sum()).sort("level")
            keys += [(name, level) for level in held["level"].to_list()]
            totals.append(held["weight"].to_numpy().astype(np.int64))
        return keys, np.concatenate(totals)

    def _not_in(self, name: str, known: Sequence[Level]) -> list[tuple[str, pl.Series, pl.Series]]:
        """The column's levels, then their prefixes, each with the rows (bool) in which they are a cell."""
        x = self._cohort[name].alias("level")
        x = x.fill_nan(None) if x.dtype.is_float() else x
        listed = [*known, *(self.schema[name].missing_codes if x.dtype.is_numeric() else ())]
        there = x.is_not_null() & ~x.is_in(pl.Series(listed, dtype=x.dtype, strict=False).implode()).fill_null(False)
        parts = [(name, x, there)]
        for n in lengths(name) if x.dtype == pl.String else ():
            prefix = x.str.head(n)
            inside = (x.str.len_chars() > n).fill_null(False) & ~prefix.is_in(pl.Series(listed, dtype=pl.String).implode()).fill_null(False)
            parts.append((name, prefix, there & inside))
        return parts

    def counts(self, domain: Domain) -> Counts:
        if self._fine is None or self._domain is None or not same_cells(self._domain, domain):
            self._fine, self._domain = fine_cells(self._cohort, domain, unlisted=self._unlisted), domain
        return MemoryCounts(cells(self._fine, domain), domain.sizes)

    def cohort(self) -> Cohort:
        return self._cohort

    def __repr__(self) -> str:
        return f"MemoryTable({len(self.schema)} columns)"


def same_cells(one: Domain, other: Domain) -> bool:
    """Whether two domains differ in their groups at most."""
    return len(one) == len(other) and all(
        a.name == b.name
        and a.levels == b.levels
        and a.other == b.other
        and a.column.missing_codes == b.column.missing_codes
        and np.array_equal(a.edges, b.edges)
        for a, b in zip(one, other, strict=True)
    )
