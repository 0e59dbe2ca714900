"""The list of everything that was asked in one run. It only grows. (The file that lasts over runs is ``ledger_file``.)"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from twinset.dp.accountant import epsilon, total_delta, total_rho
from twinset.dp.events import Event
from twinset.errors import BudgetExhausted

Relation = Literal["add-remove", "replace"]


@dataclass(frozen=True)
class Allowance:
    """What one run may spend, and on which terms.

    Attributes:
        rho: the zCDP cost that all its events together may reach.
        delta: what its thresholds may add up to (not the delta at which epsilon is told).
        relation: what neighbours are: one patient more or less, or one patient exchanged for another.
        per_patient: the most rows of one patient, at least 1.
        n_public: the number of rows, where the study declares it public (``replace``), else ``None``.
    """

    rho: float
    delta: float = 0.0
    relation: Relation = "add-remove"
    per_patient: int = 1
    n_public: int | None = None

    def admit(self, spent: Iterable[Event], event: Event) -> None:
        """Raise BudgetExhausted unless ``event`` fits in what ``spent`` leaves. A reveal never fits; nor does a cost of NaN."""
        if not math.isfinite(event.rho):
            raise BudgetExhausted(
                "this generator asks for the rows themselves, which no privacy budget covers",
                hint='choose one that works from noisy measurements (generator.name = "aim"), or remove the section [privacy] and claim nothing',
            )
        before = tuple(spent)
        if not total_rho((*before, event)) <= self.rho * (1 + 1e-12) or not total_delta((*before, event)) <= self.delta * (1 + 1e-12):
            raise BudgetExhausted(f"the budget of this run does not cover `{event.name}`", hint="ask for less, or raise privacy.epsilon")


class Ledger:
    """Events in order, and what they add up to. Bills first: ``bill`` raises before an answer is computed.

    ``budget_rho`` is what may ever be spent by bounded looks; a ``reveal`` is not bounded by it: it makes
    the total infinite, for all to see. Under an :class:`Allowance` the vault refuses it.
    ``first`` is called once, before the first event is written: where it raises, nothing was asked (a run reserves
    its allowance there, in the file that lasts).
    """

    def __init__(self, *, unit: str = "row", budget_rho: float = math.inf, first: Callable[[], None] | None = None) -> None:
        self.unit = unit
        self.budget_rho = budget_rho
        self._first = first
        self._events: list[Event] = []

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    @property
    def rho(self) -> float:
        return total_rho(self._events)

    @property
    def delta(self) -> float:
        """What the thresholds of the events add up to."""
        return total_delta(self._events)

    @property
    def bounded(self) -> bool:
        """Whether any differential privacy is claimed at all: something was asked, and nothing was revealed."""
        return bool(self._events) and math.isfinite(self.rho)

    def epsilon(self, delta: float) -> float:
        """At ``delta`` in all, of which the events' own delta is a part; infinite where they use it up."""
        left = delta - self.delta
        return epsilon(self.rho, left) if left > 0 else math.inf

    def bill(self, event: Event) -> None:
        """Write the event down, or raise BudgetExhausted and write nothing."""
        if math.isfinite(event.rho):
            spent = total_rho(e for e in self._events if math.isfinite(e.rho))
            if spent + event.rho > self.budget_rho * (1 + 1e-12):
                raise BudgetExhausted(
                    f"the budget of this data set does not cover `{event.name}`", hint="ask for less, or for a larger budget from whoever set it"
                )
        if self._first is not None and not self._events:
            self._first()
        self._events.append(event)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; an infinite cost is the word "infinite"."""
        rows = [{k: ("infinite" if v == math.inf else v) for k, v in asdict(e).items()} for e in self._events]
        return {"unit": self.unit, "rho": self.rho if math.isfinite(self.rho) else "infinite", "events": rows}

    def __repr__(self) -> str:
        return f"Ledger({len(self._events)} events, rho = {self.rho:.4g}, unit = {self.unit})"
