"""Looks at patients' rows within the rho of one question: counts and sums on cells, through the vault, which bills before it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from twinset.asking.cells import IntArray, view
from twinset.core.cohort import Cohort
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault


@dataclass(frozen=True)
class Noisy:
    """Answers of the vault, float64 (cells,), and the standard deviation of the noise in each."""

    values: np.ndarray
    sigma: float


@dataclass(frozen=True, repr=False)
class Looks:
    """The rows (of all patients, their bound kept), and the ledger and allowance that every look of the run is billed to."""

    cohort: Cohort
    ledger: Ledger
    allowance: Allowance

    @property
    def spread(self) -> float:
        """By how much the rows of one patient can widen the sampling of a sum, at most: as if they were one row counted often."""
        return float(self.allowance.per_patient)

    def counts(self, name: str, cell: IntArray, n_cells: int, *, rho: float) -> Noisy:
        """Noisy counts of rows a cell. ``name``: of the look, for the ledger."""
        vault = self._vault({name: (cell, n_cells)})
        sigma = _sigma(vault.sensitivity, rho)
        return Noisy(vault.marginal([name], sigma=sigma).counts[:n_cells].astype(np.float64), sigma)

    def totals(self, name: str, cell: IntArray, n_cells: int, *, value: IntArray, weights: IntArray, rho: float) -> Noisy:
        """Noisy sums a cell of ``weights[value]``, whole numbers. Rows without a cell or a value add nothing."""
        vault = self._vault({"group": (cell, n_cells), name: (value, len(weights))})
        sigma = _sigma(vault.swing(weights), rho)
        return Noisy(vault.total(name, weights, by=["group"], sigma=sigma).counts[:n_cells].astype(np.float64), sigma)

    def _vault(self, columns: dict[str, tuple[IntArray, int]]) -> Vault:
        return Vault(view(self.cohort, columns), self.ledger, self.allowance)


def _sigma(sensitivity: float, rho: float) -> float:
    """The noise that costs ``rho``, a little more lest rounding make it cost more."""
    return sensitivity / math.sqrt(2 * rho * (1 - 1e-9))
