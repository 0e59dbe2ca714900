"""The charts of a report: strip, row of a forest or attack plot, tally, survival panel, trade-off.

One grammar throughout: band = as good as real, dot and line = this release with its interval, short tick = useless,
dashes = the policy's limit, thin upright = chance; squares are patients, rings are synthetic. Shapes tell, colour helps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from twinset.core.contracts import Curve
from twinset.core.scale import Scale
from twinset.report.svg import Axis, Mark, drawing, element, level, mark, polyline, round_ticks, upright, words_at
from twinset.report.words import number

HEIGHT = 30.0
PANEL = (264.0, 214.0)  # width and height of one survival panel
PLOT = (40.0, 24.0, 256.0, 168.0)  # left, top, right, bottom of its plot area


def strip(scale: Scale, sentence: str) -> Markup:
    """One figure on its scale, 30 pixels tall and as wide as its place; the small arrow points to the better end."""
    axis = Axis(*scale.domain, margin=3.0)
    middle = HEIGHT / 2
    parts = [element("line", {"class": "rail", "x1": "1%", "x2": "99%", "y1": middle, "y2": middle})]
    better = "0.5%" if scale.better == "lower" else "99.5%"
    arrow = "M0 0 6-3.5 6 3.5Z" if scale.better == "lower" else "M0 0-6-3.5-6 3.5Z"
    parts.append(element("svg", {"x": better, "y": middle, "overflow": "visible"}, element("path", {"class": "better", "d": arrow})))
    if scale.band:
        parts.append(_band(axis, scale.band, 6, HEIGHT - 12))
    if scale.useless is not None:
        parts.append(upright(axis, scale.useless, middle - 7, middle + 7, "useless"))
    if scale.chance is not None:
        parts.append(upright(axis, scale.chance, 4, HEIGHT - 4, "chance"))
    if scale.limit is not None:
        parts.append(upright(axis, scale.limit, 1, HEIGHT - 1, "limit"))
    parts += [level(axis, (scale.low, scale.high), middle, "whisker made"), mark(axis, scale.value, middle, "dot", "made")]
    return drawing(sentence, HEIGHT, *parts)


@dataclass(frozen=True)
class Guide:
    """An upright line through a whole plot, with its word on the axis; ``kind``: grid, zero, chance, limit or edge."""

    value: float
    kind: str
    text: str = ""


@dataclass(frozen=True)
class Estimate:
    """One marker with its interval in a row of a plot; ``kind`` (train, made, holdout, bad) gives the colour."""

    value: float
    low: float
    high: float
    shape: Mark
    kind: str


def row(axis: Axis, guides: Sequence[Guide], estimates: Sequence[Estimate], sentence: str) -> Markup:
    """One row of a plot that is a table: guides behind it run the whole height of their cell, so that stacked rows make one chart."""
    height = 14.0 + 15.0 * len(estimates)
    parts: list[Markup] = []
    for i, e in enumerate(estimates):
        y = 14.5 + 15.0 * i
        parts += [level(axis, (e.low, e.high), y, f"whisker {e.kind}"), mark(axis, e.value, y, e.shape, e.kind)]
    lines = [upright(axis, g.value, "0", "100%", g.kind) for g in guides if axis.holds(g.value)]
    back = element("svg", {"class": "back", "width": "100%", "height": "100%", "aria-hidden": "true"}, *lines)
    return back + drawing(sentence, height, *parts, kind="row")


def scale_row(axis: Axis, guides: Sequence[Guide]) -> Markup:
    """The words of the guides, as the head or foot of such a table; hidden from screen readers, who hear every row."""
    named = [g for g in guides if g.text and axis.holds(g.value)]
    parts = [words_at(axis, g.value, 13, g.text, f"tick {g.kind}") for g in named]
    parts += [upright(axis, g.value, 18, 22, g.kind) for g in guides if axis.holds(g.value)]
    return element("svg", {"class": "row", "width": "100%", "height": 22, "aria-hidden": "true"}, *parts)


def tally(kept: int, total: int, expected: float | None, sentence: str) -> Markup:
    """Boxes, filled where something holds and crossed where it does not; a tick where a perfect generator is expected to end."""
    middle = HEIGHT / 2
    if total <= 0 or total > 24:
        return _bar(kept, total, expected, sentence)
    parts: list[Markup] = []
    step = 98.0 / max(total, 6)
    for i in range(total):
        x, width = f"{1 + i * step:.2f}%", f"{0.8 * step:.2f}%"
        parts.append(element("rect", {"class": "held" if i < kept else "lost", "x": x, "y": middle - 6, "width": width, "height": 12, "rx": 2}))
        if i >= kept:
            parts.append(element("line", {"class": "lost", "x1": x, "x2": f"{1 + (i + 0.8) * step:.2f}%", "y1": middle + 6, "y2": middle - 6}))
    if expected is not None:
        x = f"{1 + step * min(expected, total) - 0.1 * step:.2f}%"
        parts.append(element("line", {"class": "expected", "x1": x, "x2": x, "y1": 2, "y2": HEIGHT - 2}))
    return drawing(sentence, HEIGHT, *parts)


def _bar(kept: int, total: int, expected: float | None, sentence: str) -> Markup:
    axis = Axis(0.0, float(max(total, 1)), margin=1.0)
    width = axis.at(kept) - axis.at(0)
    parts = [
        element("rect", {"class": "lost", "x": "1%", "y": 9, "width": "98%", "height": 12, "rx": 2}),
        element("rect", {"class": "held", "x": "1%", "y": 9, "width": f"{width:.2f}%", "height": 12, "rx": 2}),
    ]
    if expected is not None:
        parts.append(upright(axis, expected, 2, HEIGHT - 2, "expected"))
    return drawing(sentence, HEIGHT, *parts)


def survival_floor(curves: Sequence[Curve]) -> float:
    """Where the survival axis may start so that curves fill it: a tenth below the lowest band, or 0."""
    lowest = min((v for c in curves for v in (c.low or c.survival)), default=0.0)
    return 0.0 if lowest < 0.35 else math.floor(10 * lowest) / 10


def survival(curves: Sequence[Curve], floor: float, last: float, *, name: str, sentence: str) -> Markup:
    """One arm: train solid with a filled band, synthetic dashed with an outlined band; time across, share without event up."""
    left, _, right, bottom = PLOT
    axis = _Plane(last, floor)
    parts = [_frame(axis)]
    for curve in sorted(curves, key=lambda c: c.cohort != "train"):
        kind = "train" if curve.cohort == "train" else "made"
        if curve.low:
            parts.append(element("path", {"class": f"area {kind}", "d": axis.band(curve)}))
        parts.append(element("path", {"class": f"curve {kind}", "d": axis.steps(curve.times, curve.survival)}))
    parts.append(element("text", {"class": "tick", "x": (left + right) / 2, "y": bottom + 34, "text-anchor": "middle"}, "time"))
    parts.append(element("text", {"class": "tick", "x": 0, "y": 10}, "share without the event"))
    head = {"class": "panel", "role": "img", "viewBox": f"0 0 {PANEL[0]:g} {PANEL[1]:g}", "aria-labelledby": f"{name}-t {name}-d"}
    return element("svg", head, element("title", {"id": f"{name}-t"}, "Survival, train and synthetic"), element("desc", {"id": f"{name}-d"}, sentence), *parts)


@dataclass(frozen=True)
class _Plane:
    """Time and survival to pixels of a panel."""

    last: float
    floor: float

    def x(self, time: float) -> float:
        left, _, right, _ = PLOT
        return left + (right - left) * time / (self.last or 1.0)

    def y(self, share: float) -> float:
        _, top, _, bottom = PLOT
        return bottom - (bottom - top) * (share - self.floor) / (1 - self.floor)

    def points(self, times: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
        """A step function as corners, from time 0 and share 1."""
        out = [(self.x(0), self.y(1.0))]
        for time, value in zip(times, values, strict=True):
            out += [(self.x(time), out[-1][1]), (self.x(time), self.y(value))]
        return out

    def steps(self, times: Sequence[float], values: Sequence[float]) -> str:
        return polyline(self.points(times, values))

    def band(self, curve: Curve) -> str:
        low, high = self.points(curve.times, curve.low), self.points(curve.times, curve.high)
        return polyline(high + low[::-1]) + "Z"


def _frame(plane: _Plane) -> Markup:
    left, _, right, bottom = PLOT
    parts = []
    for share in round_ticks(plane.floor, 1.0, 4):
        y = plane.y(share)
        parts.append(element("line", {"class": "grid", "x1": left, "x2": right, "y1": y, "y2": y}))
        parts.append(element("text", {"class": "tick", "x": left - 5, "y": y + 4, "text-anchor": "end"}, f"{100 * share:.0f} %"))
    for time in round_ticks(0.0, plane.last or 1.0, 4):
        x = plane.x(time)
        parts.append(element("line", {"class": "edge", "x1": x, "x2": x, "y1": bottom, "y2": bottom + 4}))
        parts.append(
            element(
                "text",
                {"class": "tick", "x": x, "y": bottom + 17, "text-anchor": "end" if x > right - 8 else "middle"},
                number(time, decimals=0 if plane.last >= 10 else 1),
            )
        )
    parts.append(element("line", {"class": "edge", "x1": left, "x2": right, "y1": bottom, "y2": bottom}))
    return Markup("").join(parts)


@dataclass(frozen=True)
class Point:
    """One generator in the trade-off: fidelity across, worst attack up, its letter and shape."""

    letter: str
    x: float
    y: float
    low: float
    high: float
    shape: Mark
    front: bool


def tradeoff(points: Sequence[Point], limit: float | None, *, name: str, sentence: str) -> Markup:
    """Fidelity loss across and worst attack up, both better towards the lower left; the front joined, the limit dashed."""
    height, bottom = 330.0, 290.0
    xs = [p.x for p in points]
    across = Axis(0.0, 1.12 * max([*xs, 1e-9]), margin=9.0)
    top = max([p.high for p in points] + [limit or 0.5, 0.6]) + 0.02
    low = min([p.low for p in points] + [0.5]) - 0.02

    def y(value: float) -> float:
        return bottom - (bottom - 24) * (value - low) / (top - low)

    parts = [element("line", {"class": "edge", "x1": "9%", "x2": "98%", "y1": bottom, "y2": bottom})]
    for tick in across.ticks(5):
        parts += [upright(across, tick, bottom, bottom + 4, "edge"), words_at(across, tick, bottom + 18, number(tick, decimals=2), "tick")]
    for tick in round_ticks(low, top, 7):
        parts.append(element("line", {"class": "grid", "x1": "9%", "x2": "98%", "y1": y(tick), "y2": y(tick)}))
        parts.append(element("text", {"class": "tick", "x": "8%", "y": y(tick) + 4, "text-anchor": "end"}, number(tick, decimals=2)))
    for value, kind, text in ((0.5, "chance", "chance"), (limit, "limit", "policy's limit")):
        if value is not None:
            parts.append(element("line", {"class": kind, "x1": "9%", "x2": "98%", "y1": y(value), "y2": y(value)}))
            parts.append(element("text", {"class": f"tick {kind}", "x": "98%", "y": y(value) - 5, "text-anchor": "end"}, text))
    front = sorted((p for p in points if p.front), key=lambda p: p.x)
    for a, b in pairwise(front):
        parts.append(element("line", {"class": "front", "x1": f"{across.at(a.x):.2f}%", "x2": f"{across.at(b.x):.2f}%", "y1": y(a.y), "y2": y(b.y)}))
    letters = []
    for p in points:
        at = f"{across.at(p.x):.2f}%"
        parts.append(element("line", {"class": "whisker made", "x1": at, "x2": at, "y1": y(p.low), "y2": y(p.high)}))
        parts.append(mark(across, p.x, y(p.y), p.shape, "made"))
        crowded = any((q.x, q.letter) > (p.x, p.letter) and across.at(q.x) - across.at(p.x) < 6 and abs(y(q.y) - y(p.y)) < 24 for q in points)
        letter = {"class": "letter", "x": -9 if crowded else 9, "y": -6, "text-anchor": "end" if crowded else "start"}
        letters.append(element("svg", {"x": at, "y": y(p.y), "overflow": "visible"}, element("text", letter, p.letter)))
    parts += letters
    head: dict[str, str | float] = {"class": "tradeoff", "role": "img", "width": "100%", "height": height, "aria-labelledby": f"{name}-t {name}-d"}
    return element("svg", head, element("title", {"id": f"{name}-t"}, "Fidelity against attack"), element("desc", {"id": f"{name}-d"}, sentence), *parts)


def _band(axis: Axis, ends: tuple[float, float], top: float, height: float) -> Markup:
    left, right = axis.at(ends[0]), axis.at(ends[1])
    return element("rect", {"class": "band", "x": f"{left:.2f}%", "y": top, "width": f"{max(0.8, right - left):.2f}%", "height": height, "rx": 2})
