"""Section 7 of a report: what the ledger promises, in words nobody can misread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twinset.report.material import Page
from twinset.report.words import number

DELTA = 1e-6  # where the ledger names none


@dataclass(frozen=True)
class Promise:
    """The statement of the ledger and its events as text rows (name, mechanism, noise, price, why)."""

    finite: bool
    headline: str
    body: str
    events: tuple[tuple[str, str, str, str, str], ...]


def promise(page: Page) -> Promise:
    """The ledger in words: infinite, empty or finite."""
    ledger = page.ledger
    events = tuple(_event(e) for e in ledger.get("events", ()))
    unit = "row" if ledger.get("unit", "row") == "row" else f"patient (column {ledger['unit']})"
    rho = ledger.get("rho", "infinite")
    if rho == "infinite":
        body = "What protects the patients is what the attacks above could not do, and nothing else: no mathematical bound stands behind this release."
        return Promise(False, "No differential privacy is claimed: the generator saw the rows.", body, events)
    if not events:
        return Promise(False, "No look at the patients is on the ledger.", "An empty ledger claims nothing.", events)
    from twinset.dp.accountant import epsilon  # scipy: only where there is something to compute

    delta = float(ledger.get("delta", DELTA))
    head = f"ε = {number(_up(epsilon(float(rho), delta)))} at δ = {delta:g}, for one {unit}."
    body = (
        f"Every look at the patients was noisy, and all of them together cost ρ = {number(float(rho))} (zero-concentrated). Whatever else is known, the presence of one {unit} "
        "changes the odds of any released result by at most a factor e^ε, except with probability about δ. This covers the release, not this page: this page was computed on the rows."
    )
    if epsilon(float(rho), delta) > 10:
        body += " An ε above 10 is a weak promise."
    return Promise(True, head, body, events)


def _event(event: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    noise = "none" if event.get("mechanism") == "reveal" else _figure(event.get("noise"))
    return str(event.get("name", "")), str(event.get("mechanism", "")), noise, _figure(event.get("rho")), str(event.get("why", ""))


def _up(value: float) -> float:
    """Rounded up to three significant digits: a promise is never told smaller than it is."""
    if value <= 0:
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.ceil(value / unit - 1e-9) * unit


def _figure(value: object) -> str:
    if isinstance(value, str):
        return value
    return number(float(value)) if isinstance(value, int | float) and math.isfinite(value) else "infinite"
