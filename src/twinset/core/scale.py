"""What a number lies between (real patients, useless, chance, the policy's limit), and which of four outcomes that makes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from twinset.core.finding import Better, Finding

Standing = Literal["good", "short of real", "useless", "leak shown", "too few patients to tell", "measured", "not measured"]
Tone = Literal["good", "short", "bad", "wait", "none"]

FAINT = 0.1  # an attack whose interval reaches further beyond chance than this clears nobody
HALF = 0.5  # of the way from real to useless: a wider interval or band tells nothing
RARE = 0.05  # an exact p above this shows no leak, whatever the estimate
SLIGHT = 0.02  # of the patients: a single column or pair that is off by less, beyond what real patients are, is not useless
UNFAIR = 0.001  # the smallest p a test of the hold-out may have where the policy names none
FAR = 10.0  # times as many patients as there are: not with this table

TONES: dict[Standing, Tone] = {
    "good": "good",
    "short of real": "short",
    "useless": "bad",
    "leak shown": "bad",
    "too few patients to tell": "wait",
    "measured": "none",
    "not measured": "none",
}


@dataclass(frozen=True)
class Scale:
    """A measured figure with everything that gives it meaning; ``None`` where there is no such mark.

    ``band`` is as good as real (low, high), drawn; ``real`` its marks alone, better end first; ``useless`` independent columns, or an attacker who
    is always right; ``blind``: there is a useless end, and real patients do no better: it is ``beyond`` then.
    """

    value: float
    low: float
    high: float
    better: Better
    band: tuple[float, float] | None = None
    useless: float | None = None
    chance: float | None = None
    limit: float | None = None
    real: tuple[float, float] | None = None
    blind: bool = False
    beyond: float | None = None

    @property
    def domain(self) -> tuple[float, float]:
        """The stretch of the axis that shows every mark, with room at both ends."""
        marks = [self.value, self.low, self.high, *(self.band or ()), self.useless, self.chance, self.limit]
        finite = [m for m in marks if m is not None and math.isfinite(m)]
        low, high = min(finite), max(finite)
        room = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
        return low - room, high + room

    @property
    def sign(self) -> float:
        """Turns every figure so that lower is better."""
        return 1.0 if self.better == "lower" else -1.0

    @property
    def way(self) -> float:
        """From real (its better end, or chance) to useless; NaN where there is no such way."""
        start = self.real[0] if self.real else self.chance
        return math.nan if start is None or self.useless is None else abs(self.useless - start)

    @property
    def spread(self) -> float:
        """The width of the interval, or of what real patients would score if that is wider."""
        return max(self.high - self.low, abs(self.real[1] - self.real[0]) if self.real else 0.0)

    @property
    def tells(self) -> bool:
        """Whether interval and band are narrow enough to hold real and useless apart (true where there is nothing to hold apart)."""
        return self.spread == 0 or not (self.blind or self.spread > HALF * self.way)


def is_attack(finding: Finding) -> bool:
    """Whether the figure is how often an attacker is right where a coin is right half of the time."""
    if finding.measured and "chance" in finding.beside:
        return finding.name.startswith(("membership.", "privacy.")) and abs(finding.beside["chance"] - 0.5) < 1e-9
    return finding.name.startswith("membership.") and not finding.name.endswith(".tpr")


def is_private(finding: Finding) -> bool:
    """Whether the figure is about recognising patients."""
    return finding.name.startswith(("membership.", "privacy."))


def scale(finding: Finding, limit: float | None = None) -> Scale:
    """The scale of a measured finding from what it carries beside it."""
    beside = {k: v for k, v in finding.beside.items() if math.isfinite(v)}
    attack = is_attack(finding)
    low, high = (finding.value if not math.isfinite(end) else end for end in (finding.low, finding.high))
    apart = is_private(finding) or finding.name.startswith("control.")
    chance = beside.get("chance", 0.5 if attack else None) if apart else None
    real = None if chance is not None else _real(finding, beside)
    band = _drawn(finding, real)
    useless, blind = (1.0 if attack else None, False) if apart else _useless(finding, beside, real)
    beyond = beside.get("independent") if blind and finding.name != "fidelity.columns" else None
    return Scale(finding.value, low, high, finding.better, band, useless, chance, limit, real, blind, beyond)


def _real(finding: Finding, beside: dict[str, float]) -> tuple[float, float] | None:
    """What a perfect generator or new patients would score, better end first."""
    ends = [beside[k] for k in ("floor_low", "floor_high") if k in beside] or [beside[k] for k in ("floor",) if k in beside]
    if "holdout" in beside and not (ends and finding.name.startswith("privacy.")):
        ends.append(beside["holdout"])
    if not ends:
        return None
    return (min(ends), max(ends)) if finding.better == "lower" else (max(ends), min(ends))


def _drawn(finding: Finding, real: tuple[float, float] | None) -> tuple[float, float] | None:
    """The band on the axis: of a single mark everything from there to the good end."""
    if real is None or real[0] != real[1]:
        return None if real is None else (min(real), max(real))
    end = min(finding.value, real[0], 0.0) if finding.better == "lower" else max(finding.value, real[0], 1.0 if real[0] <= 1 else real[0])
    return min(real[0], end), max(real[0], end)


def _useless(finding: Finding, beside: dict[str, float], real: tuple[float, float] | None) -> tuple[float | None, bool]:
    """Independent columns, or guessing, whichever comes first beyond real patients; and whether neither does.

    Single columns that are drawn independently are perfect, which makes them no useless end.
    """
    sign = 1.0 if finding.better == "lower" else -1.0
    marks = [sign * beside[k] for k in ("independent", "chance") if k in beside and not (k == "independent" and finding.name == "fidelity.columns")]
    edge = sign * real[1] if real else -math.inf
    worse = [m for m in marks if m > edge]
    return (sign * worse[0], False) if worse else (None, bool(marks) and real is not None)


def standing(finding: Finding, limit: float | None = None, *, refused: bool | None = None) -> Standing:
    """The outcome of a finding: against the limit if there is one, else chance, else real patients.

    ``refused``: whether the policy refused for this finding, where that is known: then it stands against the release, and a figure with an exact ``p`` that
    was not refused does not (the gate compares several at once). A figure that is wide, and not beyond its mark as a whole, is "too few patients to tell" and never "good".
    """
    if not finding.measured:
        return "not measured"
    if finding.name.startswith(("control.", "rules.")):
        unfair = bool(refused) or finding.beside.get("p", 1.0) < (UNFAIR if limit is None else limit)  # refused: the policy asks for more than we do
        bad = finding.value > 0 if finding.name.startswith("rules.") else unfair
        return "useless" if bad else "good"
    s = scale(finding, limit)
    best, worst = sorted((s.sign * s.low, s.sign * s.high))
    if limit is not None:
        return _against(finding, s, (best, worst), refused)
    return _beside_real(s, best, worst, sure=_sure(finding, s, best)) if s.chance is None else _beside_chance(s, best, worst)


def _sure(finding: Finding, s: Scale, best: float) -> float:
    """How far a figure is settled to lie from real. One of many (``beside["of"]``, the worst of which are told) has to be settled among all of them
    (Bonferroni): of 1,225 pairs of columns about 30 lie beyond their 95 % interval by luck. And a column or pair that is off by less than
    ``SLIGHT`` more than real patients ruins no table, however sure that is.
    """
    of, value = finding.beside.get("of", 1.0), s.sign * s.value
    if of <= 1:
        return best
    if s.real is not None and value - s.sign * s.real[1] < SLIGHT:
        return -math.inf
    return value - (value - best) * NormalDist().inv_cdf(1 - 0.025 / of) / NormalDist().inv_cdf(0.975)


def _against(finding: Finding, s: Scale, ends: tuple[float, float], refused: bool | None) -> Standing:
    """Against the policy's limit. A count of rows that are there is no estimate: none is none."""
    assert s.limit is not None
    limit, value, p = s.sign * s.limit, s.sign * s.value, finding.beside.get("p")
    shown = ends[0] > limit if p is None else value > limit and p < RARE and refused is not False
    if shown or refused:
        return "leak shown" if is_private(finding) else "useless"
    if finding.beside.get("release_rows") == 0 and value <= limit:
        return "good"
    if p is not None and s.chance is not None and limit < s.sign * s.chance:  # the limit is chance itself, and the exact test alone tells
        return "good" if p >= RARE else "too few patients to tell"
    return "good" if ends[1] <= limit and s.tells else "too few patients to tell"


def _beside_chance(s: Scale, best: float, worst: float) -> Standing:
    chance = s.sign * (s.chance or 0.0)
    if best > chance:
        return "short of real"
    return "good" if s.tells and worst - chance <= FAINT else "too few patients to tell"


def _beside_real(s: Scale, best: float, worst: float, *, sure: float) -> Standing:
    if s.useless is not None and sure >= s.sign * s.useless - 1e-9:
        return "useless"
    if s.real is None:
        return "measured"
    edge = s.sign * s.real[1]
    if s.blind and s.beyond is not None and min(best, sure) > max(edge, s.sign * s.beyond):
        return "useless"  # real patients do no better than independent columns here, and this is worse than both
    if best > edge + 1e-12:
        return "short of real"
    if s.useless is None and (not s.blind or s.spread == 0):
        return "good" if worst <= edge + 1e-12 else "measured"
    reach = s.sign * s.real[0] + HALF * s.way
    return "good" if s.tells and worst <= max(edge, reach) + 1e-12 else "too few patients to tell"


def needed(finding: Finding, limit: float | None = None) -> int | None:
    """How many trials (patients, rows: what ``n`` counts) would settle a figure that could not tell; None where more than ten times as many would be
    needed, or nobody can say. Widths shrink with the root of n.
    """
    s = scale(finding, limit)
    factors = [(s.spread / (HALF * s.way)) ** 2] if s.way > 0 else []
    value, worst = s.sign * s.value, max(s.sign * s.low, s.sign * s.high)
    aim = s.sign * s.limit if s.limit is not None else s.sign * s.chance + FAINT if s.chance is not None else math.nan
    if not math.isnan(aim):
        half = worst - value if value < aim else value - min(s.sign * s.low, s.sign * s.high)
        factors.append((half / abs(aim - value)) ** 2 if aim != value else math.inf)
    elif s.real and s.way > 0:
        reach = s.sign * s.real[0] + HALF * s.way
        factors.append(((worst - value) / (reach - value)) ** 2 if reach > value else math.inf)
    most = max(factors, default=math.inf)
    return None if s.blind or not most <= FAR else math.ceil(max(1.0, most) * finding.n)


def excess(finding: Finding) -> float:
    """How far a measured figure lies on the bad side of what fresh patients score (of an attack: of chance), in its own unit: max(value, floor) - floor.

    Below the floor nothing is gained: there the table copies the sampling noise of its patients. NaN where no fresh patients stand beside it.
    """
    floor, sign = _floor(finding), 1.0 if finding.better == "lower" else -1.0
    return max(0.0, sign * (finding.value - floor)) if finding.measured and math.isfinite(floor) else math.nan


def scored(finding: Finding) -> float:
    """The figure for comparing tables: max(value, floor), or the smaller of both where higher is better; the value itself without a floor."""
    return _floor(finding) if excess(finding) == 0 else finding.value


def _floor(finding: Finding) -> float:
    keys = ("chance", "floor", "holdout") if is_private(finding) else ("floor", "holdout")
    return next((finding.beside[k] for k in keys if k in finding.beside), math.nan)


def badness(finding: Finding) -> float:
    """How far a figure lies beyond as good as real, in units of the way to useless (or to itself); for sorting."""
    if not finding.measured:
        return -math.inf
    s = scale(finding)
    edge = s.sign * s.real[1] if s.real else 0.0
    way = abs(s.sign * s.useless - edge) if s.useless is not None else 1.0
    return (s.sign * finding.value - edge) / (way or 1.0)
