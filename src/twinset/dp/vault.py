"""The private rows and the ways to ask about them. Each bills the ledger before it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from twinset.coding.columns import Codes, encode
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray, Measurement
from twinset.core.schema import Schema
from twinset.dp import events, noise
from twinset.dp.ledger import Ledger
from twinset.errors import BadInput, SchemaMismatch, collect


class Vault:
    """Private rows behind a ledger (first form: ``reveal`` and ``marginal``)."""

    def __init__(self, cohort: Cohort, ledger: Ledger) -> None:
        self._rows = cohort
        self.ledger = ledger

    @property
    def schema(self) -> Schema:
        return self._rows.schema

    def __repr__(self) -> str:
        return f"Vault({len(self.schema)} columns, {self.ledger!r})"

    def reveal(self, why: str) -> Cohort:
        """The rows themselves. Bills infinity: nothing made from them is differentially private."""
        self.ledger.bill(events.reveal(why))
        return self._rows

    def marginal(self, columns: Sequence[str], *, sigma: float) -> Measurement:
        """Noisy counts of a few category columns with declared (public) levels; no columns = the noisy row count.

        One axis a column, its size the declared levels plus one cell for missing. Sensitivity 1: a patient
        is a row here, and adding or removing one changes one cell by one. A table with many rows per patient
        is refused until the private engine bounds their contribution.
        Raises BadInput where a level list is not declared public: a list read from the rows is not free.
        """
        if self.schema.unit:
            raise BadInput("noisy marginals need one row per patient for now", hint="use a table with one row per patient")
        if not sigma > 0:
            raise BadInput("the noise scale must be positive", where="marginal", hint="give sigma > 0")
        problems = [f"column `{c}` has no declared public levels" for c in columns if not self._declared(c)]
        if problems:
            raise BadInput(collect(problems), hint='declare them in the study file, with origin = "public"')
        self.ledger.bill(events.gaussian(" x ".join(columns) or "row count", sigma=sigma, sensitivity=1.0))
        return Measurement(tuple(columns), noise.discrete_gaussian(self._count(columns), sigma=sigma), sigma)

    def choose(self, scores: Callable[[Cohort], FloatArray], *, sensitivity: float, epsilon: float) -> int:
        """Private selection: the private engine's, not built yet."""
        raise BadInput("private selection is not available yet", hint="use a generator that reveals, or marginal()")

    def train(self, step: Callable[..., Any], *, clip: float, noise_multiplier: float, rate: float, steps: int) -> Any:
        """DP-SGD: the private engine's, not built yet."""
        raise BadInput("private training is not available yet", hint="use a generator that reveals, or marginal()")

    def _declared(self, name: str) -> bool:
        column = self.schema[name]
        return column.kind == "category" and bool(column.levels) and column.origin == "public"

    def _count(self, columns: Sequence[str]) -> np.ndarray:
        if not columns:
            return np.asarray(len(self._rows), dtype=np.int64)
        shape, cells = [], np.zeros(len(self._rows), dtype=np.int64)
        for coded in encode(self._rows.select(columns)):
            assert isinstance(coded, Codes)
            size = len(coded.column.levels) + 1
            unseen = [i for i, level in enumerate(coded.levels) if level is not None and i >= size - 1]
            if unseen:
                raise SchemaMismatch(f"column `{coded.column.name}` holds levels that were not declared", hint="declare every level, or recode the column")
            missing = coded.levels.index(None) if None in coded.levels else -1
            cells = cells * size + np.where(coded.codes == missing, size - 1, coded.codes)
            shape.append(size)
        return np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
