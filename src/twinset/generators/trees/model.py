"""The fitted sequence, one part per stratum: samples tables of any size, also given some first columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from twinset.coding.columns import Coded, Codes, decode, encode
from twinset.core.cohort import Cohort
from twinset.core.contracts import IntArray
from twinset.core.schema import Schema
from twinset.core.seeds import Rng
from twinset.errors import BadInput, SchemaMismatch
from twinset.generators.trees.steps import Step, draw_steps


@dataclass(frozen=True, repr=False)
class Part:
    """The trees of one stratum (or of all patients): how many patients, the visit order, a step a column."""

    n: int
    order: tuple[int, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, repr=False)
class TreesModel:
    """Fitted trees. They hold train values: keep the model, release only samples.

    ``front``: the columns that are drawn first, the only ones ``sample_given`` takes (strata before the others).
    """

    parts: tuple[Part, ...]
    front: tuple[str, ...]
    strata: tuple[str, ...]
    dtypes: Mapping[str, pl.DataType]
    schema: Schema

    def sample(self, n: int, rng: Rng) -> Cohort:
        """``n`` synthetic patients, any n, in random order. Strata keep their shares (largest remainders)."""
        drawn = [self._in_order(part, draw_steps(part.steps, k, rng)) for part, k in zip(self.parts, self._sizes(n), strict=True)]
        return self._decoded(drawn).take(rng.permutation(n))

    def sample_given(self, conditions: pl.DataFrame, rng: Rng) -> Cohort:
        """One synthetic patient for each row of ``conditions``, whose columns are the first ones of ``front``.

        What is given comes back as it was given; everything else is drawn given it. Columns can only be conditioned on if they were
        named at the fit (``Trees(first=[...])``, or strata), since a sequence cannot be run backwards; conditions that few train patients
        meet are answered from the nearest leaf, so an odd combination gives plausible patients, not odd ones.
        Raises BadInput where other columns are given, or a level that no train patient has.
        """
        names = self.front[: conditions.width]
        if not conditions.width or set(conditions.columns) != set(names) or not set(self.strata) <= set(names):
            wanted = ", ".join(f"`{c}`" for c in self.front) or "none: fit with `first`"
            raise BadInput("these are not the columns that are drawn first", where="conditions", hint=f"give them in this order, from the start: {wanted}")
        fixed = self._encoded(conditions.select(names))
        part_of = self._part_of(fixed)
        drawn, places = [], []
        for p, part in enumerate(self.parts):
            rows = np.flatnonzero(part_of == p)
            if len(rows):
                drawn.append(self._in_order(part, draw_steps(part.steps, len(rows), rng, [_rows(c, rows) for c in fixed])))
                places.append(rows)
        if not drawn:
            return self._decoded([self._in_order(part, draw_steps(part.steps, 0, rng)) for part in self.parts])
        return self._decoded(drawn).take(np.argsort(np.concatenate(places), kind="stable"))

    def _sizes(self, n: int) -> list[int]:
        shares = np.array([part.n for part in self.parts]) * n / sum(part.n for part in self.parts)
        sizes = np.floor(shares).astype(np.int64)
        extra = np.argsort(-(shares - sizes), kind="stable")[: n - int(sizes.sum())]
        sizes[extra] += 1
        return [int(s) for s in sizes]

    def _in_order(self, part: Part, drawn: Sequence[Coded]) -> list[Coded]:
        out: list[Coded] = list(drawn)
        for k, i in enumerate(part.order):
            out[i] = drawn[k]
        return out

    def _decoded(self, drawn: Sequence[Sequence[Coded]]) -> Cohort:
        """Parts share level lists: their codes are simply joined."""
        joined = [_joined(columns) for columns in zip(*drawn, strict=True)]
        return decode(joined, self.dtypes)

    def _encoded(self, conditions: pl.DataFrame) -> tuple[Coded, ...]:
        like = {s.train.column.name: s.train for s in self.parts[0].steps}
        try:
            frame = conditions.with_columns([pl.col(c).cast(self.dtypes[c]) for c in conditions.columns])
        except pl.exceptions.PolarsError:
            raise BadInput("a condition is not of its column's type", where="conditions", hint="give numbers for numbers, text for text") from None
        schema = Schema(tuple(self.schema[c] for c in conditions.columns))
        coded = encode(Cohort(frame, schema), like=[like[c] for c in conditions.columns])
        for c in coded:
            known = like[c.column.name]
            if isinstance(c, Codes) and isinstance(known, Codes) and len(c.levels) > len(known.levels):
                raise SchemaMismatch("a condition holds a level that no train patient has", where=c.column.name, hint="use the levels of the data dictionary")
        return coded

    def _part_of(self, fixed: Sequence[Coded]) -> IntArray:
        n = _length(fixed[0])
        part_of = np.zeros(n, dtype=np.int64)
        if not self.strata:
            return part_of
        part_of[:] = -1
        keys = [c.codes for c in fixed[: len(self.strata)] if isinstance(c, Codes)]
        for p, part in enumerate(self.parts):
            mine = [s.train.codes[0] for s in part.steps[: len(self.strata)] if isinstance(s.train, Codes)]
            part_of[np.all([k == m for k, m in zip(keys, mine, strict=True)], axis=0)] = p
        if (part_of < 0).any():
            raise BadInput("a condition names a stratum that no train patient is in", where="conditions", hint="ask for combinations that occur")
        return part_of


def split_rows(coded: Sequence[Coded], strata: Sequence[Coded]) -> Iterator[tuple[IntArray, list[Coded]]]:
    """The rows of each stratum and its columns; one stratum where none are asked for."""
    n = _length(coded[0])
    if not strata:
        yield np.arange(n), list(coded)
        return
    keys = np.column_stack([c.codes for c in strata if isinstance(c, Codes)])
    _, part_of = np.unique(keys, axis=0, return_inverse=True)
    for p in range(int(part_of.max()) + 1):
        rows = np.flatnonzero(part_of.reshape(-1) == p)
        yield rows, [_rows(c, rows) for c in coded]


def _length(coded: Coded) -> int:
    return len(coded.codes) if isinstance(coded, Codes) else len(coded.values)


def _rows(coded: Coded, rows: IntArray) -> Coded:
    if isinstance(coded, Codes):
        return replace(coded, codes=coded.codes[rows])
    return replace(coded, values=coded.values[rows], gaps=coded.gaps[rows])


def _joined(columns: Sequence[Coded]) -> Coded:
    first = columns[0]
    if isinstance(first, Codes):
        return replace(first, codes=np.concatenate([c.codes for c in columns if isinstance(c, Codes)]))
    numbers = [c for c in columns if not isinstance(c, Codes)]
    return replace(first, values=np.concatenate([c.values for c in numbers]), gaps=np.concatenate([c.gaps for c in numbers]))
