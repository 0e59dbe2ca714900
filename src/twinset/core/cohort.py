"""A table of patients with its schema: immutable, and silent about its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.core.schema import Column, Schema
from twinset.errors import SchemaMismatch

IntArray = np.ndarray
Series = pl.Series


@dataclass(frozen=True, repr=False, eq=False)
class Cohort:
    """Rows of patients: a polars frame whose columns are exactly the schema's, in its order.

    Dtypes are the ones the file had (String, Int64, Float64, Boolean, Date, Datetime); the
    schema's ``kind`` says how to read them. Null is missing. Missing codes stay as they are.

    ``origin``: where patients were drawn with replacement, an integer for each row, shape (n,): rows whose patients are copies of one
    patient share it, though every copy is a patient of his own. ``None`` = nobody is a copy. For generators that compare patients, or ask what is more than chance.
    """

    frame: pl.DataFrame
    schema: Schema
    origin: IntArray | None = None

    def __post_init__(self) -> None:
        if tuple(self.frame.columns) != self.schema.names:
            raise SchemaMismatch("the columns of the table are not those of the schema", hint="select the schema's columns, in its order")
        if self.origin is not None and len(self.origin) != len(self):
            raise SchemaMismatch("the origins are not one a row", hint="give an integer for every row, or leave `origin` out")

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        return f"Cohort({self.frame.height:,} rows x {self.frame.width} columns)"

    def __getitem__(self, name: str) -> pl.Series:
        return self.frame[name]

    def column(self, name: str) -> Column:
        return self.schema[name]

    def take(self, rows: IntArray) -> Cohort:
        """These rows, in this order (repeats allowed)."""
        at = np.asarray(rows, dtype=np.int64)
        return Cohort(self.frame[at], self.schema, None if self.origin is None else self.origin[at])

    def where(self, keep: np.ndarray) -> Cohort:
        """The rows where ``keep`` (bool, shape n) is true."""
        return self.take(np.flatnonzero(keep))

    def select(self, names: Sequence[str]) -> Cohort:
        """These columns, in this order."""
        return Cohort(self.frame.select(list(names)), self.schema.select(names), self.origin)

    @property
    def synthesised(self) -> Cohort:
        """Only the columns a generator may model."""
        return self.select(self.schema.synthesised.names)

    @property
    def n_patients(self) -> int:
        """How many patients the rows belong to."""
        return self.frame[self.schema.unit].n_unique() if self.schema.unit else len(self)

    def units(self) -> IntArray:
        """The patient of each row as integers from 0, shape (n,); each row its own without a unit."""
        if not self.schema.unit:
            return np.arange(len(self), dtype=np.int64)
        return self.frame[self.schema.unit].rank("dense").fill_null(0).to_numpy().astype(np.int64)
