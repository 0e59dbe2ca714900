"""A table seen as cells: the finite domain that counts are taken on.

Every column is an axis of *fine* cells (a level, a short interval, one kind of missing), grouped into
the *cells* that are modelled. Fine cells, groups and weights are declared or paid for; nothing here
was read from a row for free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from twinset.core.schema import Column, Level, Schema
from twinset.errors import SchemaMismatch

OTHER = "other"  # what a text level that was not found (or was too rare to be found) is written as


@dataclass(frozen=True, repr=False, eq=False)
class Axis:
    """One column in cells.

    Fine cells come in this order: the values (``levels``, or the intervals between ``edges``), then ``other`` (levels not
    listed), one cell for each missing code of the column, and last null.

    Attributes:
        column: the column, with the bounds or levels used here and their origin (``public`` or ``noisy``).
        levels: the levels of a category, one fine cell each; empty for a numeric column.
        edges: float64 (k + 1,), the borders of k intervals [edges[i], edges[i + 1]); the last one is closed.
            Values outside are clamped. Empty for a category. For integers the edges are whole numbers and an interval [3, 4) holds 3 only.
        other: whether there is a cell for levels not listed.
        cell_of: int32 (n_fine,): the modelled cell of each fine cell.
        weights: float64 (n_fine,), not negative: how a modelled cell's patients spread over its fine cells when drawn back
            (declared uniform, or from noisy counts).
    """

    column: Column
    levels: tuple[Level, ...]
    edges: np.ndarray
    other: bool
    cell_of: np.ndarray
    weights: np.ndarray

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def n_values(self) -> int:
        """Fine cells that hold a value (not ``other``, not missing)."""
        return len(self.levels) if self.levels or not len(self.edges) else len(self.edges) - 1

    @property
    def n_fine(self) -> int:
        return len(self.cell_of)

    @property
    def size(self) -> int:
        """Modelled cells."""
        return int(self.cell_of.max()) + 1

    def grouped(self, cell_of: np.ndarray, weights: np.ndarray | None = None) -> Axis:
        """The same fine cells in other groups (``cell_of`` int (n_fine,), every number from 0 to its maximum used)."""
        groups = np.asarray(cell_of)
        whole = groups.shape == (self.n_fine,) and groups.dtype.kind in "iu"
        if not whole or not np.array_equal(np.unique(groups), np.arange(int(groups.max()) + 1)):
            raise SchemaMismatch(
                f"the groups of column `{self.name}` do not cover its cells", hint="give every fine cell a group, numbered from 0 without gaps"
            )
        return replace(self, cell_of=groups.astype(np.int32), weights=self.weights if weights is None else np.asarray(weights, dtype=np.float64))

    def __repr__(self) -> str:
        return f"Axis({self.name!r}, {self.n_fine} fine cells in {self.size}, {self.column.origin})"


@dataclass(frozen=True, eq=False)
class Domain:
    """The axes of a table, in the order of its synthesised columns."""

    axes: tuple[Axis, ...]
    _index: dict[str, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._index.update({a.name: i for i, a in enumerate(self.axes)})

    def __iter__(self) -> Iterator[Axis]:
        return iter(self.axes)

    def __len__(self) -> int:
        return len(self.axes)

    def __getitem__(self, name: str) -> Axis:
        if name not in self._index:
            raise SchemaMismatch(f"no column `{name}` in the domain", hint="name columns as in the study file")
        return self.axes[self._index[name]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(a.name for a in self.axes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Modelled cells of each axis."""
        return tuple(a.size for a in self.axes)

    @property
    def schema(self) -> Schema:
        """The columns as this domain knows them."""
        return Schema(tuple(a.column for a in self.axes))

    def shape(self, names: Sequence[str]) -> tuple[int, ...]:
        """Modelled cells of these columns."""
        return tuple(self[n].size for n in names)

    def with_axes(self, axes: Mapping[str, Axis]) -> Domain:
        """The same columns with some axes replaced."""
        return Domain(tuple(axes.get(a.name, a) for a in self.axes))
