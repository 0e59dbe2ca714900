"""Every look of every question, on all neighbours of small tables: no exact answer moves by more than the ledger was billed.

The noise is left out and each look's answer is given by its place alone, the same for both tables: so looks that depend on earlier answers are asked
alike of both, as the proof of adaptive composition has it, and what is compared is exact. Nothing here is left to chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.asking import cells
from twinset.asking.ask import ask
from twinset.asking.look import Looks
from twinset.asking.measure import measure
from twinset.asking.question import parse
from twinset.audit.endpoints.survival import Survival
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.dp import noise
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.study import load

COLUMNS = (
    Column("who", "text", role="identifier"),
    Column("age", "integer", low=18, high=90, origin="public"),
    Column("dose", "number", low=-1.0, high=2.5, decimals=2, origin="public"),
    Column("days", "integer", low=0, high=1000, origin="public"),
    Column("event", "category", levels=(0, 1), origin="public"),
    Column("arm", "category", levels=(0, 1, 2), origin="public"),
    Column("site", "category"),
)
ROWS = [  # with values beyond the bounds, missing ones, and a level that nobody declared
    ("a", 18, -1.0, 0, 1, 0, "x"),
    ("a", 90, 2.5, 1000, 0, 2, "x"),
    ("b", 400, None, 17, 1, 1, "y"),
    ("c", -5, 9.0, 999, None, 1, None),
    ("d", 44, 0.25, 400, 0, 9, "y"),
    ("d", 61, float("nan"), 401, 1, 0, "x"),
    ("e", None, 1e300, None, 1, None, "z"),
    ("f", 50, 0.3, 250, 1, 0, "x"),
]
QUESTIONS = (
    "count()",
    "count() by arm, event where age >= 40",
    'share(event == 1 and site == "x") by arm',
    "mean(age) by arm",
    "mean(dose) where age present",
    "median(age)",
    "quantile(dose, 0.9) by event",
    'effect("death")',
    'effect("death") where not age >= 60',
)
ENDPOINTS = (Survival("death", "days", "event", arm="arm", reference=2),)


def cohort(rows: Sequence[tuple], *, unit: str = "") -> Cohort:
    schema = {"who": pl.String, "age": pl.Int64, "dose": pl.Float64, "days": pl.Int64, "event": pl.Int64, "arm": pl.Int64, "site": pl.String}
    return Cohort(pl.DataFrame(rows, schema=schema, orient="row"), Schema(COLUMNS, unit=unit))


def looks(rows: Sequence[tuple], text: str, allowed: Allowance, monkeypatch: pytest.MonkeyPatch, *, unit: str = "") -> list[tuple[np.ndarray, float]]:
    """The exact answers of a question's looks and the sensitivity that each was billed for."""
    exact: list[np.ndarray] = []

    def drawn(counts: np.ndarray, *, sigma: float, keys: object = None) -> np.ndarray:
        exact.append(np.array(counts, dtype=np.int64))
        return (np.arange(counts.size) * 7919 * (len(exact) + 1) % 101).reshape(counts.shape)

    monkeypatch.setattr(noise, "discrete_gaussian", drawn)
    ledger = Ledger()
    made = cohort(rows, unit=unit)
    measure(parse(text, made.schema.synthesised), Looks(made, ledger, allowed), ENDPOINTS, rho=allowed.rho)
    assert len(exact) == len(ledger.events)
    return [(counts, event.sensitivity) for counts, event in zip(exact, ledger.events, strict=True)]


def worst(
    text: str, allowed: Allowance, monkeypatch: pytest.MonkeyPatch, neighbours: Iterator[tuple[Sequence[tuple], Sequence[tuple]]], *, unit: str = ""
) -> float:
    """The largest L2 change of a look, divided by its bill."""
    most = 0.0
    for one, other in neighbours:
        pair = [looks(rows, text, allowed, monkeypatch, unit=unit) for rows in (one, other)]
        assert len(pair[0]) == len(pair[1])
        for (counts, sensitivity), (counts_, sensitivity_) in zip(*pair, strict=True):
            assert (counts.shape, sensitivity) == (counts_.shape, sensitivity_)
            most = max(most, float(np.linalg.norm(counts - counts_)) / sensitivity)
    return most


def removed() -> Iterator[tuple[list[tuple], list[tuple]]]:
    for size in (1, 4, len(ROWS)):
        for kept in itertools.islice(itertools.combinations(ROWS, size), 0, 70, 10):
            for i in range(size):
                yield list(kept), [*kept[:i], *kept[i + 1 :]]


def replaced() -> Iterator[tuple[list[tuple], list[tuple]]]:
    for i, new in itertools.product(range(len(ROWS)), ROWS):
        yield ROWS, [*ROWS[:i], new, *ROWS[i + 1 :]]


def patients_removed() -> Iterator[tuple[list[tuple], list[tuple]]]:
    for who in "abcdef":
        yield ROWS, [r for r in ROWS if r[0] != who]


@pytest.mark.parametrize("text", QUESTIONS)
def test_no_look_moves_by_more_than_it_was_billed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < worst(text, Allowance(0.1), monkeypatch, removed()) <= 1 + 1e-9
    exchanged = worst(text, Allowance(0.1, relation="replace", n_public=len(ROWS)), monkeypatch, replaced())
    assert exchanged <= 1 + 1e-9
    assert exchanged > 0 or text == "count()"  # whose answer is public there
    assert 0 < worst(text, Allowance(0.1, per_patient=2), monkeypatch, patients_removed(), unit="who") <= 1 + 1e-9


FILE = """who,age,dose,days,event,arm,site
a,34,0.5,100,1,0,x
b,61,,400,0,1,y
c,18,2.5,1000,1,1,
d,90,-1,0,0,2,x
"""
STUDY = """
[data]
path = "rows.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = ["NA"]
[columns]
who = {type = "text", role = "identifier"}
age = {type = "integer", low = 18, high = 90, origin = "public"}
dose = {type = "number", low = -1, high = 2.5, decimals = 2, origin = "public"}
days = {type = "integer", low = 0, high = 1000, origin = "public"}
event = {type = "category", levels = [0, 1], origin = "public"}
arm = {type = "category", levels = [0, 1, 2], origin = "public"}
site = {type = "category"}
[[endpoints]]
name = "death"
time = "days"
event = "event"
arm = "arm"
[privacy]
epsilon = 5
budget = 5
unit = "row"
"""
ODD = (
    "e,1e9,-inf,1,1,1,1",
    "e,12.5,abc,NA,2.0,01,NA",
    "e,,,,,,",
    "e;34;0,5;100;1;0;x",
    'e,"34","0,5",100,true,0,"a ""b"""',
    "2020-01-01,9999999999999999999999,1e400,-5,1,2,2020-01-01",
    "a,34,0.5,100,1,0,x",
)


@pytest.mark.parametrize("odd", ODD)
def test_one_line_more_in_the_file_moves_no_look_by_more_than_its_bill(odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the file on: how one line is written decides nothing about the others."""
    found = []
    for name, text in (("one", FILE), ("more", FILE + odd + "\n")):
        exact: list[np.ndarray] = []

        def drawn(counts: np.ndarray, *, sigma: float, keys: object = None, exact: list[np.ndarray] = exact) -> np.ndarray:
            exact.append(np.array(counts, dtype=np.int64))
            return (np.arange(counts.size) * 7919 * (len(exact) + 1) % 101).reshape(counts.shape)

        monkeypatch.setattr(noise, "discrete_gaussian", drawn)
        folder = tmp_path / name
        folder.mkdir()
        (folder / "rows.csv").write_text(text)
        (folder / "study.toml").write_text(STUDY)
        told = ask(load(folder / "study.toml"), QUESTIONS, epsilon=5)
        found.append((exact, [e["sensitivity"] for e in told.certificate["events"]], [a.to_dict() for a in told]))
    (one, bill, answers), (other, bill_, answers_) = found
    assert bill == bill_
    assert answers == answers_
    changes = [float(np.linalg.norm(a - b)) / most for a, b, most in zip(one, other, bill, strict=True)]
    assert max(changes) <= 1 + 1e-9


def test_a_mean_that_finds_its_bounds_in_the_rows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken twin: steps between the rows' own extremes, so that one patient moves everybody's."""

    def found(cohort_: Cohort, column: Column) -> np.ndarray:
        values = cohort_[column.name].fill_null(0).to_numpy()
        low, high = values.min(initial=0), values.max(initial=1)
        return np.rint((values - low) / (high - low) * cells.n_steps(column)).astype(np.int64)

    monkeypatch.setattr(cells, "steps", found)
    assert worst("mean(age)", Allowance(0.1), monkeypatch, removed()) > 1.5


def test_a_total_billed_as_a_count_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vault, "swing", lambda _self, _weights: 1.0)
    assert worst("mean(age) by arm", Allowance(0.1), monkeypatch, removed()) > 1.5


def test_an_exchange_billed_as_two_cells_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """From one bound to the other in one group a sum moves by twice what one row can add, not by the square root of two."""
    monkeypatch.setattr(Vault, "swing", lambda _self, weights: 2**0.5 * float(np.abs(weights).max()))
    assert worst("mean(age)", Allowance(0.1, relation="replace", n_public=len(ROWS)), monkeypatch, replaced()) > 1.2


def test_all_looks_of_a_question_cost_its_rho(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in QUESTIONS:
        ledger = Ledger()
        made = cohort(ROWS)
        measure(parse(text, made.schema.synthesised), Looks(made, ledger, Allowance(0.1)), ENDPOINTS, rho=0.1)
        assert 0.0999 < ledger.rho <= 0.1, text
