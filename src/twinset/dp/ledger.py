"""The list of everything that was asked. It only grows."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from twinset.dp.accountant import epsilon, total_rho
from twinset.dp.events import Event
from twinset.errors import BudgetExhausted


class Ledger:
    """Events in order, and what they add up to. Bills first: ``bill`` raises before an answer is computed.

    ``budget_rho`` is what may ever be spent by bounded looks; a ``reveal`` is not bounded by it: it makes
    the total infinite, for all to see. (One file per data set, shared by runs, is the private engine's.)
    """

    def __init__(self, *, unit: str = "row", budget_rho: float = math.inf) -> None:
        self.unit = unit
        self.budget_rho = budget_rho
        self._events: list[Event] = []

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    @property
    def rho(self) -> float:
        return total_rho(self._events)

    @property
    def bounded(self) -> bool:
        """Whether any differential privacy is claimed at all: something was asked, and nothing was revealed."""
        return bool(self._events) and math.isfinite(self.rho)

    def epsilon(self, delta: float) -> float:
        return epsilon(self.rho, delta)

    def bill(self, event: Event) -> None:
        """Write the event down, or raise BudgetExhausted and write nothing."""
        if math.isfinite(event.rho):
            spent = total_rho(e for e in self._events if math.isfinite(e.rho))
            if spent + event.rho > self.budget_rho * (1 + 1e-12):
                raise BudgetExhausted(
                    f"the budget of this data set does not cover `{event.name}`", hint="ask for less, or for a larger budget from whoever set it"
                )
        self._events.append(event)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; an infinite cost is the word "infinite"."""
        rows = [{k: ("infinite" if v == math.inf else v) for k, v in asdict(e).items()} for e in self._events]
        return {"unit": self.unit, "rho": self.rho if math.isfinite(self.rho) else "infinite", "events": rows}

    def __repr__(self) -> str:
        return f"Ledger({len(self._events)} events, rho = {self.rho:.4g}, unit = {self.unit})"
