"""The page of a sweep, read as a browser, a screen reader and an attacker would read it.

After a wanted change: ``python tests/golden/test_frontier.py --accept``, then read the difference in git.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from twinset.core.scale import Scale
from twinset.report.page import render_frontier
from twinset.report.series import BOTTOM, LEFT, RIGHT, TOP, Place, Series, plot

HERE = Path(__file__).resolve().parent


def neighbour(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"golden_{name}", HERE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE, READING = neighbour("frontiers"), neighbour("test_report")
RENDERED = {name: render_frontier(make()) for name, make in MADE.FRONTIERS.items()}
EVIL = render_frontier(MADE.evil())


@pytest.mark.parametrize("name", RENDERED)
def test_the_outline_is_the_accepted_one(name: str) -> None:
    accepted = (HERE / f"frontier-{name}.txt").read_text(encoding="utf-8")
    assert READING.outline(RENDERED[name]) == accepted, "if the change is wanted: python tests/golden/test_frontier.py --accept"


@pytest.mark.parametrize("name", RENDERED)
def test_the_page_is_sound(name: str) -> None:
    """Balanced tags, unique ids that exist, nothing fetched, nothing that runs, one main, headings in order, every chart named."""
    reader = READING.read(RENDERED[name])
    assert (reader.problems, reader.open) == ([], [])
    ids = Counter(a["id"] for _, a in reader.seen if "id" in a)
    assert [i for i, n in ids.items() if n > 1] == []
    named = [i for _, a in reader.seen for key in ("aria-labelledby", "aria-describedby") for i in a.get(key, "").split()]
    assert [i for i in [*named, *(a["href"][1:] for a in reader.every("a"))] if i not in ids] == []
    tags = [t for t, _ in reader.seen]
    assert not set(tags) & {"script", "img", "iframe", "link", "object", "embed", "form", "base"}
    assert not re.search(r"url\(|@import|https?:", RENDERED[name])
    assert tags.count("main") == tags.count("h1") == 1
    levels = [int(t[1]) for t in tags if re.fullmatch("h[1-6]", t)]
    assert all(b <= a + 1 for a, b in pairwise(levels)), levels
    assert all(a.get("aria-labelledby") for a in reader.every("svg") if a.get("role") == "img")
    assert len(RENDERED[name].encode()) < 250_000


def test_every_string_is_escaped() -> None:
    assert "<b id" not in EVIL
    assert EVIL.count("&lt;b id=evil&gt;") > 10


def test_it_says_what_a_sweep_is() -> None:
    stays, billed = RENDERED["several"], RENDERED["single"]
    for said in (
        "For the custodian",
        "This sweep is itself a look at the patients",
        "belongs there",
        "The ledger of this data set says that it happened",
        "cannot be paid for at all",
    ):
        assert said in stays, said
    assert "It was billed" in billed
    assert "It does not cover the figures on this page" in billed
    for html in (stays, billed):
        assert not re.search(r"anonym|guarantees|risk-free|fully safe|no risk", html, flags=re.I)


def test_the_recommendation_stands_before_any_figure() -> None:
    html = RENDERED["several"]
    assert html.index("ε\u00a0=\u00a010 with aim") < html.index("Epsilon by epsilon") < html.index("The frontier")
    assert "No epsilon is recommended" in RENDERED["single"]


def test_what_could_not_be_measured_is_marked() -> None:
    html = RENDERED["several"]
    assert html.count("mark lost") == 1, "aim's endpoint at epsilon 1"
    assert "not measured at 1" in html


def test_a_study_without_analyses_says_so() -> None:
    page = MADE.several()
    plain = replace(page, spots=tuple(replace(s, findings=tuple(f for f in s.findings if not f.name.startswith("endpoint."))) for s in page.spots))
    assert "whether conclusions carry over is unknown" in render_frontier(plain)
    assert "whether conclusions carry over is unknown" not in RENDERED["several"]


EPSILONS = (1.0, 10.0, 100.0)
MARKS = Scale(0.2, 0.1, 0.3, "lower", (0.05, 0.06), 0.4)


def drawn(values: dict[float | None, tuple[float, ...]], marks: Scale = MARKS) -> ET.Element:
    places = tuple(Place(e, v, min(v), max(v)) for e, v in values.items())
    return ET.fromstring(str(plot((Series("aim", 0, places),), EPSILONS, marks, 10.0, name="p", words=("Title", "Sentence."))))


def marks_of(svg: ET.Element) -> list[tuple[float, float]]:
    return [(float(e.get("x", "")), float(e.get("y", ""))) for e in svg.iter("svg") if "mark" in e.get("class", "")]


def test_epsilon_is_logarithmic_and_values_go_up() -> None:
    """Catches a linear axis, and an axis upside down."""
    (x1, y1), (x2, y2), (x3, y3) = marks_of(drawn({1.0: (0.4,), 10.0: (0.3,), 100.0: (0.1,)}))
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.02)
    assert y1 < y2 < y3
    assert (y2 - y1) / (y3 - y2) == pytest.approx(0.5, abs=0.01)


def test_everything_is_inside_and_every_repeat_is_drawn() -> None:
    svg = drawn({1.0: (0.4, 0.45, 0.9), 10.0: (0.3, 0.2, 0.25), 100.0: (0.1, 0.12, 0.11), None: (0.05, 0.06, 0.055)})
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in marks_of(svg))
    assert sum("repeat" in e.get("class", "") for e in svg.iter("line")) == 12
    texts = [e.text for e in svg.iter("text")]
    assert {"1", "10", "100", "no promise", "useless", "as good as real", "recommended: ε = 10"} <= set(texts)


def test_an_attack_is_drawn_between_chance_and_always_right() -> None:
    """Catches an axis that blows up scatter around a coin until it looks like a leak."""
    svg = drawn({1.0: (0.5,), 10.0: (0.51,), 100.0: (0.49,)}, Scale(0.5, 0.45, 0.55, "lower", None, 1.0, 0.5))
    heights = [y for _, y in marks_of(svg)]
    assert max(heights) - min(heights) < 0.05 * (BOTTOM - TOP)
    assert {"chance", "always right"} <= {e.text for e in svg.iter("text")}


if __name__ == "__main__":
    if sys.argv[1:] != ["--accept"]:
        sys.exit("usage: python tests/golden/test_frontier.py --accept")
    for each, page in RENDERED.items():
        (HERE / f"frontier-{each}.txt").write_text(READING.outline(page), encoding="utf-8")
