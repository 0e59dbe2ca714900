"""What a number lies between: the good band, the useless end, chance and the policy's limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from twinset.core.finding import Better, Finding

Standing = Literal[
    "closer than new patients",
    "as good as real",
    "within error of real",
    "short of real",
    "useless",
    "leak shown",
    "within the limit",
    "not enough power",
    "better than chance",
    "no better than chance",
    "measured",
    "not measured",
]
Tone = Literal["good", "bad", "wait", "none"]

FAINT = 0.1  # an interval that reaches further beyond chance than this clears nobody

TONES: dict[Standing, Tone] = {
    "closer than new patients": "good",
    "as good as real": "good",
    "within error of real": "none",
    "short of real": "wait",
    "useless": "bad",
    "leak shown": "bad",
    "within the limit": "good",
    "not enough power": "wait",
    "better than chance": "wait",
    "no better than chance": "good",
    "measured": "none",
    "not measured": "none",
}


@dataclass(frozen=True)
class Scale:
    """A measured figure with everything that gives it meaning; ``None`` where there is no such mark.

    ``band`` is as good as real (low, high); ``useless`` independent columns, or an attacker who is always right.
    """

    value: float
    low: float
    high: float
    better: Better
    band: tuple[float, float] | None = None
    useless: float | None = None
    chance: float | None = None
    limit: float | None = None

    @property
    def domain(self) -> tuple[float, float]:
        """The stretch of the axis that shows every mark, with room at both ends."""
        marks = [self.value, self.low, self.high, *(self.band or ()), self.useless, self.chance, self.limit]
        finite = [m for m in marks if m is not None and math.isfinite(m)]
        low, high = min(finite), max(finite)
        room = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
        return low - room, high + room


def is_attack(finding: Finding) -> bool:
    """Whether the figure is how often an attacker is right where a coin is right half of the time."""
    if finding.measured and "chance" in finding.beside:
        return finding.name.startswith(("membership.", "privacy.")) and abs(finding.beside["chance"] - 0.5) < 1e-9
    return finding.name.startswith("membership.") and not finding.name.endswith(".tpr")


def scale(finding: Finding, limit: float | None = None) -> Scale:
    """The scale of a measured finding from what it carries beside it."""
    beside = {k: v for k, v in finding.beside.items() if math.isfinite(v)}
    attack = is_attack(finding)
    low, high = (finding.value if not math.isfinite(end) else end for end in (finding.low, finding.high))
    private = finding.name.startswith(("membership.", "privacy."))
    chance = beside.get("chance", 0.5 if attack else None) if private else None
    band = None if chance is not None else _band(finding, beside)
    useless = (1.0 if attack else None) if private else _useless(finding, beside, band)
    return Scale(finding.value, low, high, finding.better, band, useless, chance, limit)


def _useless(finding: Finding, beside: dict[str, float], band: tuple[float, float] | None) -> float | None:
    """Independent columns, or guessing, whichever is worse than real: independent columns keep single columns perfectly."""
    sign = 1.0 if finding.better == "lower" else -1.0
    edge = max(sign * v for v in band) if band else -math.inf
    worse = [sign * beside[k] for k in ("independent", "chance") if k in beside and sign * beside[k] > edge]
    return sign * worse[0] if worse else None


def _band(finding: Finding, beside: dict[str, float]) -> tuple[float, float] | None:
    ends = [beside[k] for k in ("floor_low", "floor_high") if k in beside] or [beside[k] for k in ("floor",) if k in beside]
    if "holdout" in beside and not (ends and finding.name.startswith("privacy.")):
        ends.append(beside["holdout"])
    if not ends:
        return None
    if len(ends) == 1:  # everything from there to the good end
        ends.append(min(finding.value, ends[0], 0.0) if finding.better == "lower" else max(finding.value, ends[0], 1.0 if ends[0] <= 1 else ends[0]))
    return min(ends), max(ends)


def standing(finding: Finding, limit: float | None = None) -> Standing:
    """Where a finding stands, in fixed words: against the limit if there is one, else chance, else real patients."""
    if not finding.measured:
        return "not measured"
    s = scale(finding, limit)
    sign = 1.0 if finding.better == "lower" else -1.0
    best, worst = sorted((sign * s.low, sign * s.high))
    if limit is not None:
        return "leak shown" if best > sign * limit else "within the limit" if worst <= sign * limit else "not enough power"
    if s.chance is not None:
        if worst - sign * s.chance > FAINT:
            return "better than chance" if best > sign * s.chance else "not enough power"
        return "better than chance" if best > sign * s.chance else "no better than chance"
    return _beside_real(s, best, sign)


def _beside_real(s: Scale, best: float, sign: float) -> Standing:
    if s.useless is not None and best >= sign * s.useless:
        return "useless"
    if s.band is None:
        return "measured"
    best_edge, edge = sorted((sign * s.band[0], sign * s.band[1]))
    if s.better == "lower" and max(s.low, s.high) < best_edge:
        return "closer than new patients"
    if sign * s.value <= edge + 1e-12:
        return "as good as real"
    return "within error of real" if best <= edge else "short of real"


def badness(finding: Finding) -> float:
    """How far a figure lies beyond as good as real, in units of the way to useless (or to itself); for sorting."""
    if not finding.measured:
        return -math.inf
    s = scale(finding)
    sign = 1.0 if finding.better == "lower" else -1.0
    edge = max(sign * s.band[0], sign * s.band[1]) if s.band else 0.0
    way = abs(sign * s.useless - edge) if s.useless is not None else 1.0
    return (sign * finding.value - edge) / (way or 1.0)
