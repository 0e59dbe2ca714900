"""Every draw of noise has its line in the ledger, of that noise, written before; and behind one answer after the other, one patient moves what the line says.

The generator is run twice: once on a table, and once on the table with one patient more, where every draw is answered as it was the first time. If
all that it does follows from its answers, it asks the same questions again; if its bill is true, the exact counts behind them differ
by no more than each line's sensitivity. However many looks a generator or a search takes, this holds of each. Nothing here is left to luck: the second run
repeats the first one's noise, and no threshold is put on any.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp import noise
from twinset.dp.events import Event
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.generators import GENERATORS

SCHEMA = Schema(
    (
        Column("dose", "number"),
        Column("age", "integer"),
        Column("seen", "date"),
        Column("site", "category"),
        Column("sex", "category", levels=("f", "m"), origin="public"),
        Column("grade", "integer", low=1, high=4, origin="public"),
        Column("score", "number", low=0.0, high=100.0, origin="public"),
    )
)
STORED = {"dose": pl.Float64, "age": pl.Int64, "seen": pl.Date, "site": pl.String, "sex": pl.String, "grade": pl.Int64, "score": pl.Float64}
N = 500
PATIENTS: dict[str, dict[str, Any]] = {
    "like others": {"dose": 3.2, "age": 50, "seen": dt.date(2020, 1, 5), "site": "north", "sex": "f", "grade": 2, "score": 55.5},
    "unlike all": {"dose": 1e9, "age": -(2**60), "seen": dt.date(1900, 1, 1), "site": "a place of their own", "sex": "x", "grade": 77, "score": -3.0},
    "with nothing": {},
}
GENERATED: dict[str, dict[str, Any]] = {"aim": {"rounds": 6}, "mst": {}, "bayesian_network": {}}
ALLOWANCE = Allowance(0.5, 0.01)
Make = Callable[[Cohort, Ledger], Vault]


def table(*more: dict[str, Any]) -> Cohort:
    rng = stream(11, "every draw")
    frame = pl.DataFrame(
        {
            "dose": np.round(rng.gamma(2.0, 2.0, N), 1),
            "age": rng.integers(20, 90, N),
            "seen": pl.Series(18_000 + rng.integers(0, 700, N), dtype=pl.Int32).cast(pl.Date),
            "site": rng.choice(["north", "south", "east"], N, p=[0.5, 0.3, 0.2]),
            "sex": rng.choice(["f", "m"], N),
            "grade": rng.integers(1, 5, N),
            "score": rng.normal(50, 15, N).clip(0, 100),
        }
    ).cast(STORED)  # type: ignore[arg-type]
    return Cohort(pl.concat([frame, pl.DataFrame(list(more), schema=STORED)]) if more else frame, SCHEMA)


@dataclass(frozen=True)
class Draw:
    """What one call of the sampler was given, what it answered, and what stood in the ledger then."""

    counts: np.ndarray
    answer: Any
    scale: float  # sigma, or epsilon
    sensitivity: int = 0  # of a selection
    keys: tuple[object, ...] | None = None
    billed: tuple[Event, ...] = ()


@dataclass
class Listening:
    """In the place of both samplers: passes on to the true ones, or repeats the answers that ``told`` holds."""

    ledger: Ledger
    told: Sequence[Draw] = ()
    heard: list[Draw] = field(default_factory=list)
    gaussian: Callable[..., np.ndarray] = noise.discrete_gaussian
    most: Callable[..., int] = noise.noisy_max

    def discrete_gaussian(self, counts: np.ndarray, *, sigma: float, keys: Sequence[object] | None = None) -> np.ndarray:
        before = self._before()
        answer = self.gaussian(counts, sigma=sigma) if before is None else self._again(before, counts, keys)
        self.heard.append(Draw(np.array(counts), answer, sigma, keys=None if keys is None else tuple(keys), billed=self.ledger.events))
        return answer

    def noisy_max(self, scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
        before = self._before()
        answer = self.most(scores, sensitivity=sensitivity, epsilon=epsilon) if before is None else before.answer
        self.heard.append(Draw(scores.copy(), answer, epsilon, sensitivity, billed=self.ledger.events))
        return int(answer)

    def _before(self) -> Draw | None:
        if not self.told:
            return None
        assert len(self.heard) < len(self.told), "one patient more, and there are more questions"
        return self.told[len(self.heard)]

    def _again(self, before: Draw, counts: np.ndarray, keys: Sequence[object] | None) -> np.ndarray:
        """The first answer; a level that nobody had the first time stays below every threshold, which is what delta pays for."""
        if keys is None:
            assert np.shape(before.counts) == np.shape(counts), "one patient more, and other cells are asked for"
            return np.asarray(before.answer)
        known = dict(zip(before.keys or (), np.ravel(before.answer).tolist(), strict=True))
        return np.array([known.get(k, -(10**9)) for k in keys], dtype=np.int64)


def listen(monkeypatch: pytest.MonkeyPatch, name: str, cohort: Cohort, make: Make, told: Sequence[Draw] = ()) -> tuple[list[Draw], Ledger]:
    ledger = Ledger()
    ear = Listening(ledger, told)
    with monkeypatch.context() as patch:
        patch.setattr(noise, "discrete_gaussian", ear.discrete_gaussian)
        patch.setattr(noise, "noisy_max", ear.noisy_max)
        GENERATORS[name](**GENERATED[name]).fit(make(cohort, ledger), stream(0))
    return ear.heard, ledger


def guarded(cohort: Cohort, ledger: Ledger) -> Vault:
    return Vault(cohort, ledger, ALLOWANCE)


def check_lines(draws: Sequence[Draw], ledger: Ledger) -> None:
    """One line a draw, written before it, of its noise and at its price."""
    assert len(draws) == len(ledger.events), "not as many lines as draws"
    for i, (draw, event) in enumerate(zip(draws, ledger.events, strict=True)):
        assert len(draw.billed) == i + 1, "a draw whose line was not there before it"
        if draw.sensitivity:
            assert (event.mechanism, event.noise) == ("noisy-max", 2 / draw.scale), "a selection's line is not of its epsilon"
            assert event.rho == pytest.approx(draw.scale**2 / 8, rel=1e-12)
        else:
            assert event.mechanism in ("discrete-gaussian", "threshold")
            assert event.noise == draw.scale, "a line is not of its noise"
            assert event.rho == pytest.approx((event.sensitivity / draw.scale) ** 2 / 2, rel=1e-12)
    assert ledger.rho <= ALLOWANCE.rho * (1 + 1e-9)
    assert ledger.delta <= ALLOWANCE.delta * (1 + 1e-9)


def apart(one: Draw, other: Draw) -> np.ndarray:
    """The differences of the exact counts, cell by cell (by name, where the cells themselves were found)."""
    if one.keys is None or other.keys is None:
        return np.ravel(one.counts).astype(float) - np.ravel(other.counts).astype(float)
    first, second = (dict(zip(d.keys or (), np.ravel(d.counts).tolist(), strict=True)) for d in (one, other))
    return np.array([first.get(k, 0) - second.get(k, 0) for k in {*first, *second}], dtype=float)


def check_moves(one: Sequence[Draw], other: Sequence[Draw], events: Sequence[Event]) -> float:
    """What one patient moves behind each answer is within its line; returns the most of any, as a share of its line."""
    assert len(one) == len(other), "one patient more, and there are fewer questions"
    most = 0.0
    for before, after, event in zip(one, other, events, strict=True):
        assert (before.scale, before.sensitivity) == (after.scale, after.sensitivity), "one patient more, and another noise"
        moved = np.abs(apart(before, after))
        share = moved.max() / before.sensitivity if before.sensitivity else math.sqrt((moved**2).sum()) / event.sensitivity
        assert share <= 1 + 1e-9, f"one patient moves {share:.3f} times what `{event.name}` is billed for"
        most = max(most, float(share))
    return most


@pytest.mark.parametrize("patient", PATIENTS)
@pytest.mark.parametrize("name", GENERATED)
def test_every_draw_has_its_line_and_no_patient_moves_more_than_it_says(name: str, patient: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, ledger = listen(monkeypatch, name, table(), guarded)
    check_lines(first, ledger)
    assert {e.mechanism for e in ledger.events} == {"discrete-gaussian", "threshold", "noisy-max"}
    assert all(d.keys is not None for d, e in zip(first, ledger.events, strict=True) if e.mechanism == "threshold"), "found cells without names"
    second, again = listen(monkeypatch, name, table(PATIENTS[patient]), guarded, first)
    check_lines(second, again)
    assert check_moves(first, second, ledger.events) == pytest.approx(1.0)  # and the bill is not a loose one


class Forgetful(Vault):
    """Bills nothing for one question: the ``free``-th."""

    free = 0
    asked = 0

    def _bill(self, event: Event) -> None:
        self.asked += 1
        if self.asked - 1 != self.free:
            super()._bill(event)


@pytest.mark.parametrize("free", [0, 1, 2, 3, 4, 5, 6, 9, 15])
def test_a_look_without_a_bill_is_seen(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is: a second look at a number among them."""

    def make(cohort: Cohort, ledger: Ledger) -> Vault:
        vault = Forgetful(cohort, ledger, ALLOWANCE)
        vault.free = free
        return vault

    with pytest.raises(AssertionError, match=r"not as many lines|line was not there"):
        check_lines(*listen(monkeypatch, "mst", table(), make))


class SecondLookFree(Vault):
    """Bills nothing for the second look at a number."""

    def _bill(self, event: Event) -> None:
        if not event.name.endswith("finer bins"):
            super()._bill(event)


def test_an_unbilled_second_look_at_numbers_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(e.name.endswith("finer bins") for e in listen(monkeypatch, "mst", table(), guarded)[1].events), "the twin forgets nothing"
    with pytest.raises(AssertionError, match="not as many lines"):
        check_lines(*listen(monkeypatch, "mst", table(), lambda cohort, ledger: SecondLookFree(cohort, ledger, ALLOWANCE)))


class PaysLate(Vault):
    """Bills a question when the next is asked."""

    owed: Event | None = None

    def _bill(self, event: Event) -> None:
        if self.owed is not None:
            super()._bill(self.owed)
        self.owed = event


class Understates(Vault):
    """Bills twice the noise that is drawn."""

    def _bill(self, event: Event) -> None:
        if event.mechanism == "discrete-gaussian":
            event = Event(event.name, event.mechanism, 2 * event.noise, event.sensitivity, event.rho / 4)
        super()._bill(event)


@pytest.mark.parametrize("twin, seen", [(PaysLate, r"not as many lines|line was not there"), (Understates, "not of its noise")])
def test_a_late_or_a_wrong_line_is_seen(twin: type[Vault], seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match=seen):
        check_lines(*listen(monkeypatch, "mst", table(), lambda cohort, ledger: twin(cohort, ledger, ALLOWANCE)))


class Peeks(Vault):
    """Lets the number of rows decide, for nothing, how much noise a question gets."""

    @property
    def remaining(self) -> float:
        return super().remaining * (1 - 1e-3 * (len(self._rows) % 2))


def test_noise_that_depends_on_a_patient_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(cohort: Cohort, ledger: Ledger) -> Vault:
        return Peeks(cohort, ledger, ALLOWANCE)

    first, ledger = listen(monkeypatch, "mst", table(), make)
    second, _ = listen(monkeypatch, "mst", table(PATIENTS["like others"]), make, first)
    with pytest.raises(AssertionError, match="another noise"):
        check_moves(first, second, ledger.events)


def test_a_patient_of_three_rows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows more under a bill for one."""
    first, ledger = listen(monkeypatch, "mst", table(), guarded)
    second, _ = listen(monkeypatch, "mst", table(*[PATIENTS["like others"]] * 3), guarded, first)
    with pytest.raises(AssertionError, match=r"one patient moves [23]\.\d+ times"):
        check_moves(first, second, ledger.events)
