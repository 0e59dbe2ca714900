"""Selection's sensitivity, exhaustively: over all small tables and all their neighbours, no score moves by more than the noise is scaled to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp import noise
from twinset.dp.ledger import Allowance, Ledger, Relation
from twinset.dp.selection import STEPS
from twinset.dp.vault import Vault

Row = tuple[int | None, int]
ROWS: tuple[Row, ...] = tuple(itertools.product((0, 1, None), (0, 1)))
WORK: list[tuple[str, ...]] = [("a",), ("b",), ("a", "b")]
CELLS = 3 + 3 + 9  # of the workload, null being a cell of each column
COLUMNS = (Column("a", "category", levels=(0, 1), origin="public"), Column("b", "category", levels=(0, 1), origin="public"))
Seen = tuple[np.ndarray, int]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """The scores and the sensitivity that each selection really hands to the sampler."""
    seen: list[Seen] = []
    real = noise.noisy_max

    def listening(scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
        seen.append((scores, sensitivity))
        return real(scores, sensitivity=sensitivity, epsilon=epsilon)

    monkeypatch.setattr(noise, "noisy_max", listening)
    return seen


def select(rows: Sequence[Row], question: tuple[np.ndarray, np.ndarray, np.ndarray], allowance: Allowance) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    vault = Vault(Cohort(frame, Schema(COLUMNS)), Ledger(), allowance)
    vault.discretise(rho=0.0)
    estimates, weights, penalties = question
    vault.choose(WORK, estimates, weights=weights, penalties=penalties, allowed=np.ones(3, dtype=bool), epsilon=1.0)


def question(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimates of any size and sign, uneven weights, penalties off the grid."""
    rng = stream(k, "question")
    return rng.normal(0.7, 1.5, CELLS), np.array([1.0, rng.random(), rng.random() * 1e-3])[rng.permutation(3)], rng.random(3) * 3


def neighbours(relation: Relation, per_patient: int) -> Iterator[tuple[Sequence[Row], Sequence[Row]]]:
    """All tables of up to two other rows, with a patient of up to ``per_patient`` rows more, or exchanged for another."""
    for others in itertools.chain.from_iterable(itertools.combinations_with_replacement(ROWS, n) for n in (0, 1, 2)):
        for mine in itertools.combinations_with_replacement(ROWS, per_patient):
            if relation == "add-remove":
                yield others, (*others, *mine)
            else:
                for other in itertools.combinations_with_replacement(ROWS[::2], per_patient):
                    yield (*others, *other), (*others, *mine)


def moved(asked: list[Seen], relation: Relation, *, per_patient: int = 1) -> tuple[float, int]:
    """The most that a score moved, and the sensitivity that the noise was scaled to."""
    most, allowance = 0.0, Allowance(1e9, relation=relation, per_patient=per_patient)
    for k, (one, other) in enumerate(neighbours(relation, per_patient)):
        if per_patient > 1 and k % 5:
            continue
        for rows in (one, other):
            select(rows, question(k % 7), allowance)
        (before, sensitivity), (after, _) = asked[-2:]
        most = max(most, float(np.abs(after - before).max()))
    return most, sensitivity


@pytest.mark.parametrize("relation, per_patient", [("add-remove", 1), ("replace", 1), ("add-remove", 2)])
def test_no_score_moves_by_more_than_its_sensitivity(asked: list[Seen], relation: Relation, per_patient: int) -> None:
    most, sensitivity = moved(asked, relation, per_patient=per_patient)
    assert most <= sensitivity
    assert most >= STEPS * per_patient * (2 if relation == "replace" else 1)  # the worst case is among them: the bound is not a loose one


def test_a_vault_that_forgets_the_second_row_is_seen(asked: list[Seen], monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that takes a patient of two rows for one of a single row is seen."""
    monkeypatch.setattr(Vault, "_per_patient", 1)
    most, sensitivity = moved(asked, "add-remove", per_patient=2)
    assert most > sensitivity


def test_a_vault_that_forgets_the_exchange_is_seen(asked: list[Seen], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vault, "_replace", False)
    most, sensitivity = moved(asked, "replace")
    assert most > sensitivity
