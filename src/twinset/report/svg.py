"""The few strokes all charts are drawn with. Horizontal places are percentages: a chart fits a phone or a sheet of
paper without its letters shrinking. Every text is escaped; colours come from the page's style by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape

Mark = Literal["square", "ring", "dot", "diamond", "triangle", "cross", "star", "plus", "down"]

SHAPES: dict[str, Markup] = {
    "square": Markup('<rect x="-4.5" y="-4.5" width="9" height="9"/>'),
    "ring": Markup('<circle r="4.6" class="hollow"/>'),
    "dot": Markup('<circle r="5"/>'),
    "diamond": Markup('<path d="M0-6.5 6.5 0 0 6.5-6.5 0Z"/>'),
    "triangle": Markup('<path d="M0-5.8 5.6 4.4-5.6 4.4Z" class="hollow"/>'),
    "down": Markup('<path d="M0 5.8 5.6-4.4-5.6-4.4Z"/>'),
    "cross": Markup('<path d="M-4.5-4.5 4.5 4.5M4.5-4.5-4.5 4.5" class="stroke"/>'),
    "plus": Markup('<path d="M-5.5 0H5.5M0-5.5V5.5" class="stroke"/>'),
    "star": Markup('<path d="M0-7 1.9-2.3 6.7-2.2 2.9.9 4.1 5.7 0 3-4.1 5.7-2.9.9-6.7-2.2-1.9-2.3Z"/>'),
}


def element(name: str, attributes: Mapping[str, str | float], *children: str | Markup) -> Markup:
    """One SVG element; attribute values and plain-text children are escaped."""
    inside = Markup("").join(escape(c) for c in children)
    head = "".join(f' {key}="{escape(_short(value))}"' for key, value in attributes.items())
    return Markup(f"<{name}{head}>{inside}</{name}>") if inside else Markup(f"<{name}{head}/>")


def drawing(sentence: str, height: float, *children: Markup, kind: str = "strip") -> Markup:
    """A chart as wide as its place, ``height`` pixels tall, read aloud as ``sentence``."""
    head: dict[str, str | float] = {"class": kind, "role": "img", "width": "100%", "height": height, "aria-label": sentence}
    return element("svg", head, element("title", {}, sentence), *children)


@dataclass(frozen=True)
class Axis:
    """Numbers to horizontal places in per cent, linear or logarithmic."""

    low: float
    high: float
    log: bool = False
    margin: float = 2.0

    def at(self, value: float) -> float:
        """The place of a value in per cent, kept inside the chart."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        here = math.log(max(value, 1e-300)) if self.log else value
        share = (here - low) / (high - low) if high > low else 0.5
        return self.margin + (100 - 2 * self.margin) * min(1.0, max(0.0, share))

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def ticks(self, wanted: int = 5) -> tuple[float, ...]:
        """Round numbers along the axis."""
        if not self.log:
            return round_ticks(self.low, self.high, wanted)
        ladder = [m * 10.0**e for e in range(-4, 5) for m in (1.0, 2.0, 5.0)]
        halves = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
        inside = [v for v in (halves if self.high / self.low < 60 else ladder) if self.holds(v)]
        if len(inside) < 3:
            inside = [v for v in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0) if self.holds(v)]
        return tuple(inside)


def round_ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """About ``wanted`` round numbers between two ends.

    >>> round_ticks(0.0, 1.0, 5)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    if not high > low:
        return (low,)
    raw = (high - low) / max(1, wanted)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1.0, 2.0, 5.0, 10.0) if m * unit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(round(i * step, 12) + 0.0 for i in range(first, last + 1))


def upright(axis: Axis, value: float, top: float | str, bottom: float | str, kind: str) -> Markup:
    """A vertical line at a value."""
    x = f"{axis.at(value):.2f}%"
    return element("line", {"class": kind, "x1": x, "x2": x, "y1": top, "y2": bottom})


def level(axis: Axis, ends: tuple[float, float], y: float, kind: str) -> Markup:
    """A horizontal line between two values, with an arrow head where it leaves the axis."""
    low, high = ends
    line = element("line", {"class": kind, "x1": f"{axis.at(low):.2f}%", "x2": f"{axis.at(high):.2f}%", "y1": y, "y2": y})
    heads = [
        place(axis.at(v), y, element("path", {"d": d}), f"head {kind}")
        for v, d, gone in ((low, "M-5 0 2-4 2 4Z", low < axis.low), (high, "M5 0-2-4-2 4Z", high > axis.high))
        if gone
    ]
    return Markup("").join([line, *heads])


def place(percent: float, y: float, shape: Markup, kind: str) -> Markup:
    """A shape drawn around its own origin, put at a place in per cent."""
    return element("svg", {"class": kind, "x": f"{percent:.2f}%", "y": y, "overflow": "visible"}, shape)


def mark(axis: Axis, value: float, y: float, shape: Mark, kind: str) -> Markup:
    """A marker at a value."""
    return place(axis.at(value), y, SHAPES[shape], f"mark {kind}")


def symbol(shape: Mark, kind: str) -> Markup:
    """A marker alone, for a legend; not read aloud."""
    return element(
        "svg",
        {"class": "symbol", "width": 16, "height": 16, "viewBox": "-8 -8 16 16", "aria-hidden": "true", "focusable": "false"},
        element("g", {"class": f"mark {kind}"}, SHAPES[shape]),
    )


def words_at(axis: Axis, value: float, y: float, text: str, kind: str = "tick") -> Markup:
    """Text centred on a value, turned inwards near the ends; "chance" ends there and "policy" starts there, as neighbours."""
    x = axis.at(value)
    sides = {"tick chance": "end", "tick limit": "start"}
    anchor = sides.get(kind, "start" if x < 6 else "end" if x > 94 else "middle")
    return element("text", {"class": kind, "x": f"{x:.2f}%", "y": y, "text-anchor": anchor}, text)


def polyline(points: Sequence[tuple[float, float]]) -> str:
    """Path data through points in pixels."""
    return "M" + "L".join(f"{_short(round(x, 1))} {_short(round(y, 1))}" for x, y in points)


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
