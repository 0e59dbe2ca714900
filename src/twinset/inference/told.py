"""What ``analyses.json`` says, checked once on reading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from twinset.core.refits import Refits
from twinset.errors import BadInput


@dataclass(frozen=True)
class Told:
    """One entry: the released ``value`` with its refits, on the endpoint's own scale (logarithms where ``ratio``), and what it does not show."""

    refits: Refits
    value: float
    ratio: bool
    silent_on: str


def read_told(data: Any) -> tuple[Told, ...]:
    """All entries. Raises BadInput where one lacks a figure, or has one that cannot be."""
    try:
        told = tuple(_entry(e) for e in data)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise _spoilt() from None
    if not isinstance(data, list):
        raise _spoilt()
    return told


def _entry(e: Any) -> Told:
    refits = Refits(_text(e["endpoint"]), _text(e["contrast"]), float(e["sd"]), float(e["bias"]), int(e["runs"]), int(e["copies"]))
    value = float(e["value"])
    if refits.runs < 2 or refits.copies < 1 or refits.sd < 0 or not math.isfinite(value) or not math.isfinite(refits.error):
        raise ValueError
    return Told(refits, value, bool(e.get("ratio")), str(e.get("silent_on", "")))


def _text(x: Any) -> str:
    if not isinstance(x, str):
        raise TypeError
    return x


def _spoilt() -> BadInput:
    return BadInput("analyses.json cannot be read", where="combine", hint="give the release as it was made")
