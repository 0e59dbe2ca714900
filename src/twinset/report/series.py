"""Curves over epsilon: one plot, its axes, bands and marks. Drawn in user units; the page scales it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from twinset.core.scale import Scale
from twinset.report.svg import SHAPES as DRAWN
from twinset.report.svg import Mark, element, polyline, round_ticks
from twinset.report.words import number

SHAPES: tuple[Mark, ...] = ("dot", "square", "diamond", "down", "ring", "triangle", "star", "plus", "cross")
WIDTH, HEIGHT = 500.0, 290.0
LEFT, TOP, RIGHT, BOTTOM = 48.0, 22.0, 488.0, 238.0
BESIDE = 96.0  # taken from the right where some points have no epsilon
APART = 7.0  # between generators at one epsilon


@dataclass(frozen=True)
class Place:
    """A generator at one epsilon (``None``: no promise): a value a repeat, and the mean ends of the values' own intervals."""

    epsilon: float | None
    values: tuple[float, ...]
    low: float
    high: float

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values)


@dataclass(frozen=True)
class Series:
    """One generator; ``style`` chooses its shape, dash and colour."""

    name: str
    style: int
    places: tuple[Place, ...]


@dataclass(frozen=True)
class _Plane:
    """Epsilon (logarithmic) and value to user units."""

    epsilons: tuple[float, ...]
    low: float
    high: float
    right: float

    def x(self, epsilon: float) -> float:
        if len(self.epsilons) < 2:
            return (LEFT + self.right) / 2
        first, last = math.log(self.epsilons[0]), math.log(self.epsilons[-1])
        return LEFT + 18 + (self.right - LEFT - 34) * (math.log(epsilon) - first) / (last - first)

    def y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)


def plot(series: Sequence[Series], epsilons: tuple[float, ...], marks: Scale, best: float | None, *, name: str, words: tuple[str, str]) -> Markup:
    """Epsilon across on a logarithmic axis, the measure up. ``words``: title and sentence, read aloud; ``best``: an upright there.

    Band of a curve: lowest to highest repeat. Whisker: the figure's own 95 % interval. Green band: as good as real. Points without an epsilon
    stand beyond the axis, under "no promise".
    """
    beside = [s for s in series if any(p.epsilon is None for p in s.places)]
    plane = _Plane(epsilons, *_reach(series, marks), RIGHT - (BESIDE if beside else 0))
    parts = [_axes(plane), *_marks(plane, marks, RIGHT if beside else plane.right)]
    if best is not None and best in epsilons:
        x = plane.x(best)
        parts.append(element("line", {"class": "chosen", "x1": x, "x2": x, "y1": TOP - 6, "y2": BOTTOM}))
        side = "end" if x > (LEFT + plane.right) / 2 else "start"
        parts.append(
            element("text", {"class": "tick chosen", "x": x + (-4 if side == "end" else 4), "y": TOP - 8, "text-anchor": side}, f"recommended: ε = {best:g}")
        )
    private = [s for s in series if any(p.epsilon is not None for p in s.places)]
    for i, s in enumerate(private):
        parts.append(_curve(plane, s, (i - (len(private) - 1) / 2) * APART))
    parts += _others(plane, beside)
    head = {"class": "plot-over", "role": "img", "viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "aria-labelledby": f"{name}-t {name}-d"}
    return element("svg", head, element("title", {"id": f"{name}-t"}, words[0]), element("desc", {"id": f"{name}-d"}, words[1]), *parts)


def swatch(style: int, *, private: bool) -> Markup:
    """A generator's line and marker, for the legend."""
    inside = [element("line", {"class": f"line s{style % 4}", "x1": -17, "x2": 17, "y1": 0, "y2": 0})] if private else []
    inside.append(element("g", {"class": f"mark s{style % 4}{'' if private else ' open'}"}, DRAWN[SHAPES[style % len(SHAPES)]]))
    return element("svg", {"class": "symbol", "width": 36, "height": 16, "viewBox": "-18 -8 36 16", "aria-hidden": "true", "focusable": "false"}, *inside)


def _reach(series: Sequence[Series], marks: Scale) -> tuple[float, float]:
    """The stretch of the value axis: every point and mark; whiskers as far as they do not flatten the rest."""
    values = [v for s in series for p in s.places for v in p.values]
    fixed = [m for m in (*(marks.band or ()), marks.useless, marks.chance) if m is not None and math.isfinite(m)]
    low, high = min([*values, *fixed]), max([*values, *fixed])
    room = (high - low) or abs(high) or 1.0
    ends = [e for s in series for p in s.places for e in (p.low, p.high)]
    low, high = max(min([low, *ends]), low - 0.25 * room), min(max([high, *ends]), high + 0.25 * room)
    if marks.chance is not None:
        low, high = min(low, 0.4), max(high, 1.0)
    elif marks.better == "lower":
        low = min(low, 0.0) if low > -0.05 * room else low
    return low, high + 0.04 * ((high - low) or room)  # a measure that is the same everywhere still needs an axis


def _axes(plane: _Plane) -> Markup:
    parts = []
    for tick in round_ticks(plane.low, plane.high, 5):
        y = plane.y(tick)
        parts.append(element("line", {"class": "grid", "x1": LEFT, "x2": plane.right, "y1": y, "y2": y}))
        parts.append(element("text", {"class": "tick", "x": LEFT - 6, "y": y + 4, "text-anchor": "end"}, _tick(tick, plane)))
    last = -math.inf
    for epsilon in plane.epsilons:
        x = plane.x(epsilon)
        parts.append(element("line", {"class": "edge", "x1": x, "x2": x, "y1": BOTTOM, "y2": BOTTOM + 5}))
        if x - last > 26:
            parts.append(element("text", {"class": "tick", "x": x, "y": BOTTOM + 18, "text-anchor": "middle"}, f"{epsilon:g}"))
            last = x
    parts.append(element("line", {"class": "edge", "x1": LEFT, "x2": plane.right, "y1": BOTTOM, "y2": BOTTOM}))
    middle = (LEFT + plane.right) / 2
    parts.append(element("text", {"class": "tick", "x": middle, "y": BOTTOM + 38, "text-anchor": "middle"}, "ε, logarithmic: weaker promise to the right"))
    return Markup("").join(parts)


def _tick(value: float, plane: _Plane) -> str:
    span = plane.high - plane.low
    return number(value, decimals=0 if span >= 8 else 1 if span >= 0.8 else 2 if span >= 0.08 else 3)


def _marks(plane: _Plane, marks: Scale, right: float) -> list[Markup]:
    """As good as real as a band, useless and chance as lines, each with its word."""
    out, words = [], []
    if marks.band is not None:
        top, bottom = plane.y(max(marks.band)), plane.y(min(marks.band))
        out.append(element("rect", {"class": "band", "x": LEFT, "y": top, "width": right - LEFT, "height": max(2.5, bottom - top)}))
        words.append((top, "as good as real", "edge"))
    for value, kind, text in ((marks.useless, "useless", "useless" if marks.chance is None else "always right"), (marks.chance, "chance", "chance")):
        if value is not None and math.isfinite(value):
            out.append(element("line", {"class": kind, "x1": LEFT, "x2": right, "y1": plane.y(value), "y2": plane.y(value)}))
            words.append((plane.y(value), text, kind))
    taken: list[float] = []
    for y, text, kind in words:
        at = y - 4 if y - 15 > TOP - 12 and all(abs(y - 4 - t) > 12 for t in taken) else y + 13
        taken.append(at)
        out.append(element("text", {"class": f"tick word {kind}", "x": LEFT + 4, "y": at}, text))
    return out


def _curve(plane: _Plane, series: Series, shift: float) -> Markup:
    places = [p for p in series.places if p.epsilon is not None]
    style = f"s{series.style % 4}"
    xs = [plane.x(p.epsilon) + shift for p in places if p.epsilon is not None]
    top = [(x, plane.y(max(p.values))) for x, p in zip(xs, places, strict=True)]
    low = [(x, plane.y(min(p.values))) for x, p in zip(xs, places, strict=True)]
    parts = [element("path", {"class": f"span {style}", "d": polyline(top + low[::-1]) + "Z"})] if len(places) > 1 else []
    parts.append(element("path", {"class": f"line {style}", "d": polyline([(x, plane.y(p.mean)) for x, p in zip(xs, places, strict=True)])}))
    parts += [_point(plane, x, p, series.style, open_=False) for x, p in zip(xs, places, strict=True)]
    seen = {p.epsilon for p in places}
    parts += [_lost(plane.x(e) + shift, series.style) for e in plane.epsilons if e not in seen]
    return Markup("").join(parts)


def _lost(x: float, style: int) -> Markup:
    """A cross on the axis: this could not be measured here."""
    return element("svg", {"class": f"mark lost s{style % 4}", "x": x, "y": BOTTOM, "overflow": "visible"}, DRAWN["cross"])


def _point(plane: _Plane, x: float, place: Place, style: int, *, open_: bool) -> Markup:
    """The mean with its marker, its own interval as a whisker, every repeat as a tick."""
    kind = f"s{style % 4}{' open' if open_ else ''}"
    whisker = element("line", {"class": f"own {kind}", "x1": x, "x2": x, "y1": plane.y(place.low), "y2": plane.y(place.high)})
    ticks = [element("line", {"class": f"repeat {kind}", "x1": x - 4, "x2": x + 4, "y1": plane.y(v), "y2": plane.y(v)}) for v in place.values]
    shape = element("svg", {"class": f"mark {kind}", "x": x, "y": plane.y(place.mean), "overflow": "visible"}, DRAWN[SHAPES[style % len(SHAPES)]])
    return Markup("").join([whisker, *ticks, shape])


def _others(plane: _Plane, beside: Sequence[Series]) -> list[Markup]:
    """Generators without a promise, beyond the end of the axis."""
    if not beside:
        return []
    middle = plane.right + BESIDE / 2 + 4
    out = [
        element("line", {"class": "edge", "x1": plane.right + 12, "x2": RIGHT, "y1": BOTTOM, "y2": BOTTOM}),
        element("text", {"class": "tick", "x": middle, "y": BOTTOM + 18, "text-anchor": "middle"}, "no promise"),
    ]
    step = (BESIDE - 24) / len(beside)
    for i, s in enumerate(beside):
        x = plane.right + 14 + step * (i + 0.5)
        out += [_point(plane, x, p, s.style, open_=True) for p in s.places if p.epsilon is None]
    return out
