"""Generators on patients drawn with replacement: what copies of a patient would say by being copies."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.errors import SchemaMismatch
from twinset.generators.bayesian_network import BayesianNetwork
from twinset.generators.bayesian_network.ordinary import NetworkModel


def unrelated(n: int = 400, columns: int = 8) -> Cohort:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{j}": rng.integers(0, 3, n) for j in range(columns)})
    return Cohort(frame, Schema(tuple(Column(name, "category", levels=(0, 1, 2)) for name in frame.columns)))


def arcs(cohort: Cohort) -> int:
    model = BayesianNetwork().fit(Vault(cohort, Ledger()), stream(0, "fit"))
    assert isinstance(model, NetworkModel)
    return sum(len(family.parents) for family in model.families)


def test_origins_go_with_their_rows() -> None:
    cohort = Cohort(unrelated().frame, unrelated().schema, np.arange(400) // 2)
    assert cohort.take(np.array([5, 0])).origin.tolist() == [2, 0]
    assert len(np.unique(cohort.where(np.arange(400) < 4).synthesised.select(["x1"]).origin)) == 2
    assert unrelated().take(np.array([1])).origin is None


def test_origins_are_one_a_row() -> None:
    with pytest.raises(SchemaMismatch, match="one a row"):
        Cohort(unrelated().frame, unrelated().schema, np.arange(3))


def test_copies_do_not_make_a_network_see_more() -> None:
    """Columns without any relation: told of copies, a refit finds about as few as the fit; the twin, not told, takes copies for agreement."""
    cohort = unrelated()
    drawn = [np.random.default_rng(s).integers(0, len(cohort), len(cohort)) for s in range(20)]
    told = float(np.mean([arcs(Cohort(cohort.frame[rows], cohort.schema, rows)) for rows in drawn]))
    silent = float(np.mean([arcs(Cohort(cohort.frame[rows], cohort.schema)) for rows in drawn]))
    assert told < arcs(cohort) + 2
    assert silent > arcs(cohort) + 4
