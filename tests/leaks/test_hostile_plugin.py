"""A plug-in that asks badly, by mistake or on purpose, against two neighbouring tables: it learns nothing that it did not pay for.

Each case ends in the same refusal for both tables, or in answers whose exact counts and scores differ by no more than the noise is scaled to.
No noise is judged here: what is handed to the sampler is read, so no test fails by luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Column, Schema
from twinset.dp import noise
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput

SCHEMA = Schema(
    (
        Column("id", "text", role="identifier"),
        Column("g", "category", levels=("a", "b", "c"), origin="public"),
        Column("h", "category", levels=(0, 1), origin="public"),
        Column("n", "integer", low=0, high=9, origin="public"),
    )
)
STORED = {"id": pl.String, "g": pl.String, "h": pl.Int64, "n": pl.Int64}
OTHERS = [("1", "a", 0, 3), ("2", "b", 1, 4), ("3", "b", None, 9), ("4", "a", 1, 0)]
PATIENTS: dict[str, tuple[Any, ...]] = {
    "in an empty cell": ("5", "c", 0, 5),
    "with an undeclared level": ("5", "zz", 7, 5),
    "with nothing": (None, None, None, None),
    "beyond every bound": ("5", "a", 2**62, 2**53 + 1),
}
Attack = Callable[[Vault], object]
WORK = [("g",), ("h",), ("g", "h")]
N_CELLS = 4 + 3 + 12  # null is a cell of each column


def choose(vault: Vault, *, begin: bool = True, **changed: Any) -> object:
    if begin:
        vault.discretise(rho=0.0)
    asked: dict[str, Any] = {
        "workload": WORK,
        "estimates": np.zeros(N_CELLS),
        "weights": np.ones(3),
        "penalties": np.zeros(3),
        "allowed": np.ones(3, dtype=bool),
        "epsilon": 0.5,
    } | changed
    return vault.choose(asked.pop("workload"), asked.pop("estimates"), **asked)


def one(value: float, n: int = N_CELLS, *, at: int = 2, fill: float = 1.0) -> np.ndarray:
    out = np.full(n, fill)
    out[at] = value
    return out


def asks(**changed: Any) -> Attack:
    return lambda vault: choose(vault, **changed)


def measures(*columns: str) -> Attack:
    return lambda vault: vault.marginal(columns, sigma=1.0)


def recodes(change: Callable[[Axis], Axis], *, begin: bool = True) -> Attack:
    """Another axis for ``g``, then a look at it."""

    def attack(vault: Vault) -> object:
        vault.discretise(rho=0.0) if begin else vault.marginal(("g",), sigma=1.0)
        vault.recode(Domain(tuple(change(a) if a.name == "g" else a for a in declared(numbers=begin))))
        return vault.marginal(("g",), sigma=1.0)

    return attack


def declared(*, numbers: bool = True) -> Domain:
    """What a vault of these declarations says itself."""
    domain = Vault(Cohort(pl.DataFrame([], schema=STORED, orient="row"), SCHEMA), Ledger(), Allowance(1.0)).discretise(rho=0.0)
    return domain if numbers else Domain(tuple(a for a in domain if not a.column.numeric))


def grouped(*cells: float) -> Callable[[Axis], Axis]:
    return lambda axis: replace(axis, cell_of=np.array(cells))


def only(*levels: str) -> Callable[[Axis], Axis]:
    return lambda axis: replace(axis, levels=levels, cell_of=np.arange(len(levels) + 1, dtype=np.int32), weights=np.ones(len(levels) + 1))


def narrowed(begin: bool) -> Attack:
    """Only some of the columns, with no level too few."""

    def attack(vault: Vault) -> object:
        if begin:
            vault.discretise(rho=0.0)
        vault.recode(Domain((declared()["g"],)))
        return vault.marginal(("g",), sigma=1.0)

    return attack


REFUSED: dict[str, Attack] = {
    "an estimate of NaN": asks(estimates=one(np.nan)),
    "an infinite estimate": asks(estimates=one(np.inf)),
    "an estimate of minus infinity": asks(estimates=one(-np.inf)),
    "a negative weight": asks(weights=np.array([-7.9, 1.0, 1.0])),
    "negative weights alone": asks(weights=np.array([-1.0, -1e-3, -1.0])),
    "a weight of NaN": asks(weights=np.array([1.0, np.nan, 1.0])),
    "an infinite weight": asks(weights=np.array([1.0, np.inf, 1.0])),
    "no weight": asks(weights=np.zeros(3)),
    "a penalty of NaN": asks(penalties=np.array([0.0, np.nan, 0.0])),
    "an infinite penalty": asks(penalties=np.array([0.0, -np.inf, 0.0])),
    "estimates too few": asks(estimates=np.zeros(N_CELLS - 1)),
    "estimates too many": asks(estimates=np.zeros(N_CELLS + 1)),
    "one estimate for all": asks(estimates=np.zeros(1)),
    "estimates in a square": asks(estimates=np.zeros((N_CELLS, 1))),
    "estimates that are no numbers": asks(estimates=np.array(["x"] * N_CELLS)),
    "complex estimates": asks(estimates=np.zeros(N_CELLS, dtype=complex)),
    "weights too few": asks(weights=np.ones(1)),
    "penalties too many": asks(penalties=np.zeros(4)),
    "allowed as numbers": asks(allowed=np.array([1, 0, 2])),
    "allowed too long": asks(allowed=np.ones(4, dtype=bool)),
    "nothing allowed": asks(allowed=np.zeros(3, dtype=bool)),
    "an empty workload": asks(workload=[], estimates=np.zeros(0), weights=np.ones(0), penalties=np.zeros(0), allowed=np.ones(0, dtype=bool)),
    "a column twice in a marginal of the workload": asks(workload=[("g",), ("h",), ("g", "g")]),
    "an unknown column in the workload": asks(workload=[("g",), ("h",), ("g", "nowhere")]),
    "an identifier in the workload": asks(workload=[("g",), ("h",), ("g", "id")]),
    "a choice among numbers before the domain is asked for": asks(
        begin=False, workload=[("n",)], estimates=np.zeros(11), weights=np.ones(1), penalties=np.zeros(1), allowed=np.ones(1, dtype=bool)
    ),
    "an epsilon of NaN": asks(epsilon=float("nan")),
    "a negative epsilon": asks(epsilon=-1.0),
    "an infinite epsilon": asks(epsilon=float("inf")),
    "a column twice": measures("g", "g"),
    "a column twice among others": measures("g", "h", "g"),
    "an unknown column": measures("nowhere"),
    "an identifier": measures("id"),
    "a level too few": recodes(only("a", "b")),
    "a foreign level": recodes(only("a", "b", "zz")),
    "a level more": recodes(only("a", "b", "c", "zz")),
    "the same levels in another order": recodes(only("c", "b", "a")),
    "a level too few, before the domain is asked for": recodes(only("a", "b"), begin=False),
    "a foreign level, before the domain is asked for": recodes(only("a", "b", "zz"), begin=False),
    "too few groups": recodes(grouped(0, 1, 2)),
    "too many groups": recodes(grouped(0, 1, 2, 3, 4)),
    "a group below nothing": recodes(grouped(-1, 0, 1, 2)),
    "a negative group that hides a gap": recodes(grouped(-1, 0, 2, 3)),
    "groups with a gap": recodes(grouped(0, 1, 3, 3)),
    "groups in fractions": recodes(grouped(0, 1, 1.5, 2)),
    "a group of NaN": recodes(grouped(0, 1, 2, np.nan)),
    "some of the columns": narrowed(begin=True),
    "some of the columns, before the domain is asked for": narrowed(begin=False),
}
ANSWERED: dict[str, Attack] = {
    "an ordinary question": asks(),
    "a huge estimate": asks(estimates=one(1e300)),
    "huge estimates": asks(estimates=np.full(N_CELLS, 1.7e308)),
    "estimates at the edge of 64 bits": asks(estimates=np.full(N_CELLS, 2.0**63)),
    "negative estimates": asks(estimates=np.full(N_CELLS, -1e300)),
    "huge penalties": asks(penalties=np.array([1e300, -1e300, 2.0**62])),
    "huge and tiny weights": asks(weights=np.array([1e308, 1e-308, 5e-324])),
    "tiny weights": asks(weights=np.array([5e-324, 0.0, 5e-324])),
    "estimates in single precision": asks(estimates=np.zeros(N_CELLS, dtype=np.float32)),
    "estimates in whole numbers": asks(estimates=np.full(N_CELLS, -(2**63), dtype=np.int64)),
    "a choice before the domain is asked for": asks(begin=False),
    "no columns": measures(),
    "every column": measures("h", "g"),
    "groups joined": recodes(grouped(0, 0, 1, 2)),
    "groups joined, before the domain is asked for": recodes(grouped(0, 0, 1, 2), begin=False),
    "one group": recodes(grouped(0, 0, 0, 0)),
    "other weights": recodes(lambda axis: replace(axis, weights=np.full(4, np.nan))),
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, float]]:
    """What is handed to the sampler, with the change that its noise is scaled to; the answers are fixed, so that both tables are asked the same."""
    seen: list[tuple[np.ndarray, float]] = []

    def gaussian(counts: np.ndarray, *, sigma: float, keys: object = None) -> np.ndarray:
        seen.append((np.asarray(counts, dtype=np.int64).copy(), 1.0))
        return np.zeros(np.shape(counts), dtype=np.int64)

    def most(scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
        seen.append((scores.copy(), float(sensitivity)))
        return 0

    monkeypatch.setattr(noise, "discrete_gaussian", gaussian)
    monkeypatch.setattr(noise, "noisy_max", most)
    return seen


def outcome(attack: Attack, rows: list[tuple[Any, ...]]) -> tuple[str, Vault]:
    """The refusal, or nothing; and the vault as the attack left it."""
    vault = Vault(Cohort(pl.DataFrame(rows, schema=STORED, orient="row"), SCHEMA), Ledger(), Allowance(1e9))
    try:
        attack(vault)
    except BadInput as refusal:
        return str(refusal), vault
    return "", vault


def learns_nothing(attack: Attack, patient: tuple[Any, ...], drawn: list[tuple[np.ndarray, float]]) -> str:
    """The refusal (or nothing), the same for both tables; every answer within what its noise hides."""
    told, vault = outcome(attack, OTHERS)
    before = drawn[:]
    drawn.clear()
    told_with, vault_with = outcome(attack, [*OTHERS, patient])
    assert told == told_with, "the refusal depends on one patient"
    assert vault.ledger.events == vault_with.ledger.events, "the bill depends on one patient"
    assert len(before) == len(drawn) == len(vault.ledger.events), "a look without a bill, or a bill without a look"
    for (one_, scale), (other, same) in zip(before, drawn, strict=True):
        assert scale == same
        moved = np.abs(one_.astype(object) - other.astype(object))
        moved = moved.max() if scale > 1 else np.sqrt(float((moved**2).sum()))
        assert moved <= scale, "one patient moves an answer by more than its noise is scaled to"
    return told


@pytest.mark.parametrize("patient", PATIENTS)
@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_question_is_refused_whoever_is_in_the_table(case: str, patient: str, drawn: list[tuple[np.ndarray, float]]) -> None:
    assert "hint:" in learns_nothing(REFUSED[case], PATIENTS[patient], drawn)


@pytest.mark.parametrize("patient", PATIENTS)
@pytest.mark.parametrize("case", ANSWERED)
def test_an_odd_question_is_answered_within_its_bill(case: str, patient: str, drawn: list[tuple[np.ndarray, float]]) -> None:
    assert learns_nothing(ANSWERED[case], PATIENTS[patient], drawn) == ""
    assert drawn


def test_the_cells_cannot_be_written_into() -> None:
    """The vault counts on the arrays that it hands out."""
    axis = Vault(Cohort(pl.DataFrame(OTHERS, schema=STORED, orient="row"), SCHEMA), Ledger(), Allowance(1.0)).discretise(rho=0.0)["g"]
    with pytest.raises(ValueError, match="read-only"):
        axis.cell_of[0] = 10**6
