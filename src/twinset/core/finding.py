"""A number that never travels alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Finding:
    """A figure with its interval, its n and what gives it scale.

    Attributes:
        name: dotted, stable: ``fidelity.pairs``, ``membership.distance``.
        value, low, high: estimate and 95 % interval; NaN where not measured.
        n: trials behind it (rows, patients, pairs; ``says`` tells which).
        better: which direction is good.
        beside: scale. Usual keys: ``floor`` (a perfect generator's expected score at this n),
            ``floor_low``/``floor_high`` (its 95 % range), ``chance``, ``holdout`` (the same measure on hold-out
            patients), ``independent`` (the same on independent columns: useless), ``train``; ``perfect`` (a perfect model); ``p`` and ``p_below``: exact one-sided
            p of so high or so low a figure; ``members``, ``others``, ``population``: sizes of an attack; ``k``: so many were looked at; ``of``: one of so many, the worst of
            which are told.
        where: column, pair, arm, stratum (``isolated 5 %``); never a level or a value.
        says: one plain sentence.
        silent_on: one plain sentence: what it does *not* show.
        missing: why it was not measured; "" where it was.
        arises: False where the question does not arise (nobody has a rare value that could be repeated), so that nothing is left open.
        label: a short human name for tables and charts.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    better: Better
    beside: Mapping[str, float] = field(default_factory=dict)
    where: str = ""
    says: str = ""
    silent_on: str = ""
    missing: str = ""
    label: str = ""
    arises: bool = True

    @property
    def measured(self) -> bool:
        return not self.missing

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: NaN and infinities become null."""
        out = asdict(self)
        out["beside"] = {k: _plain(v) for k, v in self.beside.items()}
        for key in ("value", "low", "high"):
            out[key] = _plain(out[key])
        return out

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Finding:
        """The finding that ``to_dict`` wrote (null becomes NaN)."""
        fields = dict(data)
        for key in ("value", "low", "high"):
            fields[key] = math.nan if fields[key] is None else float(fields[key])
        fields["beside"] = {k: math.nan if v is None else float(v) for k, v in dict(fields.get("beside", {})).items()}
        return Finding(**fields)


def not_measured(name: str, why: str, *, better: Better = "lower", where: str = "", label: str = "", arises: bool = True) -> Finding:
    """A check that could not be run, as a finding: the reason is its content. ``arises``: False where there is nothing that could be found."""
    return Finding(name, math.nan, math.nan, math.nan, 0, better, where=where, missing=why, label=label, arises=arises)


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
