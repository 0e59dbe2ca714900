"""The whole report, read as a browser, a screen reader and an attacker would read it.

The golden files hold the outline of a page (headings, captions, table heads and row names, answers), not its markup.
After a wanted change: ``python tests/golden/test_report.py --accept``, then read the difference in git before you commit it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from twinset.core.finding import Finding
from twinset.report.material import Page
from twinset.report.page import render, render_compare

HERE = Path(__file__).resolve().parent
GOLDEN = ("pass", "fail", "refitted", "accepted", "unfair", "useless", "no-holdout", "private", "decided")
VOID = {"meta", "link", "br", "img", "hr", "input"}


def load_pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_pages", HERE / "pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, Callable[[], Page]] = load_pages().PAGES
SEVERAL: Callable[[], tuple[Page, ...]] = load_pages().several
RENDERED = {name: render(make()) for name, make in PAGES.items()} | {"compare": render_compare(SEVERAL())}


class Reader(HTMLParser):
    """Walks a page: its tags, attributes, ids, open elements and texts by the element they stand in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag in ("title", "h1", "h2", "h3", "figcaption", "th", "dt", "li"):
            if tag in self.open and "svg" not in self.open:
                self.texts.append((tag, data))
                return

    def every(self, *tags: str) -> list[dict[str, str]]:
        return [a for t, a in self.seen if t in tags]


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def outline(html: str) -> str:
    """The page's headings, captions, table heads, row names and list items, one a line."""
    lines: list[str] = []
    last = ""
    pattern = r"<(h1|h2|h3|figcaption|th|p class=\"word[^\"]*\"|p class=\"note\"|li|dt)(?=[\s>])[^>]*>(.*?)</(?:h1|h2|h3|figcaption|th|p|li|dt)>"
    for tag, body in re.findall(pattern, html.partition("<body>")[2], flags=re.S):
        text = " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", body, flags=re.S).split())
        name = tag.split()[0]
        if name in ("th", "li", "dt") and last == name:
            lines[-1] += f" | {text}"
        elif text:
            lines.append(f"{name}: {text}")
        last = name
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", [*GOLDEN, "compare"])
def test_the_outline_is_the_accepted_one(name: str) -> None:
    assert outline(RENDERED[name]) == (HERE / f"report-{name}.txt").read_text(encoding="utf-8"), (
        "if the change is wanted: python tests/golden/test_report.py --accept"
    )


@pytest.mark.parametrize("name", RENDERED)
def test_tags_are_balanced_and_ids_unique(name: str) -> None:
    reader = read(RENDERED[name])
    assert reader.problems == []
    assert reader.open == []
    ids = Counter(a["id"] for _, a in reader.seen if "id" in a)
    assert [i for i, n in ids.items() if n > 1] == []
    named = [i for _, a in reader.seen for key in ("aria-labelledby", "aria-describedby") for i in a.get(key, "").split()]
    named += [a["href"][1:] for a in reader.every("a")]
    assert [i for i in named if i not in ids] == []


@pytest.mark.parametrize("name", RENDERED)
def test_nothing_is_fetched_and_nothing_runs(name: str) -> None:
    reader = read(RENDERED[name])
    assert not {t for t, _ in reader.seen} & {"script", "img", "iframe", "link", "object", "embed", "form", "base"}
    assert [a for _, a in reader.seen if any(k.startswith("on") or k in ("src", "srcset", "style") for k in a)] == []
    assert all(a["href"].startswith("#") for a in reader.every("a"))
    style = re.search(r"<style>(.*?)</style>", RENDERED[name], flags=re.S)
    assert style
    assert not re.search(r"url\(|@import|https?:", style[1])


@pytest.mark.parametrize("name", RENDERED)
def test_a_page_is_small(name: str) -> None:
    assert len(RENDERED[name].encode()) < 250_000


@pytest.mark.parametrize("name", RENDERED)
def test_a_screen_reader_finds_its_way(name: str) -> None:
    reader = read(RENDERED[name])
    tags = [t for t, _ in reader.seen]
    assert tags.count("main") == tags.count("h1") == tags.count("header") == 1
    levels = [int(t[1]) for t in tags if re.fullmatch("h[1-6]", t)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels)), levels
    assert all(a.get("scope") in ("col", "row", "rowgroup") for a in reader.every("th"))
    charts = [a for a in reader.every("svg") if "aria-hidden" not in a and a.get("role") != "img" and "x" not in a]
    assert charts == [], "an svg that is neither a named image nor hidden nor a mark inside one"
    assert all(a.get("aria-label") or a.get("aria-labelledby") for a in reader.every("svg") if a.get("role") == "img")
    first_link = next(a for t, a in reader.seen if t == "a")
    assert first_link["class"] == "skip"


def test_sections_come_in_the_order_of_the_questions() -> None:
    heads = re.findall(r"<section id=\"(\w+)\"", RENDERED["pass"])
    assert heads == ["decision", "analyses", "attacks", "numbers", "worst", "rules", "ledger", "provenance", "terms"]


def test_a_column_called_script_stays_text() -> None:
    """Catches autoescape switched off, or a string marked safe on its way from the study."""
    html = RENDERED["unicode"]
    assert "<script" not in html.lower()
    assert "&lt;script&gt;" in html
    assert "onerror=1>" not in html
    assert html.count("</style>") == 1
    assert "身長" in html


def test_every_string_of_a_page_is_escaped() -> None:
    """Each field in turn carries markup; none may reach the page as an element."""
    page, evil = PAGES["fail"](), "<b id=evil>"
    where = Finding("fidelity.columns", 0.5, 0.4, 0.6, 9, "lower", {}, evil, evil, evil, label=evil)
    gone = Finding("privacy.copies", float("nan"), float("nan"), float("nan"), 0, "lower", missing=evil, label=evil)
    comparisons = tuple(replace(c, endpoint=evil, constraint=evil, train=replace(c.train, contrast=evil)) for c in page.result.comparisons)
    result = replace(
        page.result,
        findings=(*page.result.findings, where, gone),
        comparisons=comparisons,
        curves=tuple(replace(c, arm=evil, endpoint=evil) for c in page.result.curves),
    )
    ledger = {"unit": evil, "rho": "infinite", "events": [dict.fromkeys(("name", "mechanism", "noise", "sensitivity", "rho", "why"), evil)]}
    everything = replace(
        page, title=evil, generator=evil, settings={evil: evil}, policy=evil, audience=evil, reasons=(f"{evil} `{evil}`",), settles=(evil,), result=result, ledger=ledger,
        rules=tuple(replace(f, where=evil, label=evil) for f in page.rules), provenance={evil: evil}, columns=((evil, evil, evil),), rule_texts={evil: evil},
    )  # fmt: skip
    for html in (render(everything), render_compare([everything, page])):
        assert "<b id" not in html.lower()
        assert not [a for a in read(html).every("b") if a.get("id") == "evil"]


def test_the_page_never_promises_too_much() -> None:
    for html in RENDERED.values():
        assert not re.search(r"anonym|guarantees|risk-free|cannot be re-?identified|fully safe|no risk", html, flags=re.I)


def test_the_ledger_is_told_in_words() -> None:
    assert "No differential privacy is claimed: the generator saw the rows." in RENDERED["pass"]
    assert "No differential privacy is claimed" not in RENDERED["private"]
    assert "ε = 0.298 at δ = 1e-06" in RENDERED["private"]
    assert "claims nothing" in RENDERED["no-endpoints"]
    assert "no mathematical guarantee" in RENDERED["pass"]
    assert "no mathematical guarantee" not in RENDERED["private"]


def test_a_certificate_is_told_in_full() -> None:
    html = RENDERED["certified"]
    for said in ("ε = 12.0 at δ = 1e-9", "at most 3 rows each", "80.5 %", "is above 10", "How long the computation took", "age, weight", "3 looks in order"):
        assert said in html, said
    assert "<b>arms</b>" not in html
    assert "No differential privacy is claimed" not in html


def test_who_decided_comes_first_and_the_tests_are_advice() -> None:
    html = RENDERED["decided"]
    order = [
        html.index(said)
        for said in (
            "Released: private, and within the policy’s limits</h2>",
            "No patient’s row was read for it",
            'id="advice"',
            "Look at this first",
            "would have refused this release",
        )
    ]
    assert order == sorted(order)
    assert html.index("would have refused this release") < html.index("Looks like the patients")
    for said in (
        "succeeds more often than the promise allows anybody: 0.660 (0.620–0.700), and at most 0.583 is possible",
        "38\u00a0% of column <code>wtkg</code> could not be read as declared",
        "lines that are no rows of the table",
        "2,139 rows; every other cell could be read as declared.",
        "&lt;b&gt;name&lt;/b&gt;</code> identifies people, and up to 3 rows share one",
        "ε = 0.958 at the same δ",
        "levels that were not found",
    ):
        assert said in html, said
    for other in ("pass", "certified"):
        assert 'id="advice"' not in RENDERED[other]
        assert 'id="reading"' not in RENDERED[other]
    assert "No patient’s row was read" not in RENDERED["certified"]
    assert "policy.decision" in RENDERED["certified"]


def test_a_refusal_by_the_output_says_that_it_is_not_about_privacy() -> None:
    html = RENDERED["undecided"]
    assert "Not released: private, but beyond the policy’s limits</h2>" in html
    assert "custodian/refused" in html
    assert "too weak to say anything" in html
    assert "No rows in: hold-out" in html
    assert "a sample of 20,000 rows" in html


def test_what_was_not_measured_is_told_with_its_reason() -> None:
    html = RENDERED["no-holdout"]
    part = html[html.index("Not measured</h3>") :]
    assert "No patients were held out." in part
    assert "Exact copies of patients" in part


HEADLINES = {
    "pass": "Released: passes the policy",
    "fail": "Not released: 1 leak shown, 1 rule broken",
    "inconclusive": "Released: undecided, which this policy releases",
    "accepted": "Released: undecided, and accepted by the custodian",
    "unfair": "Not released: the hold-out cannot serve as a control",
    "useless": "Not released: of no use",
    "no-holdout": "Not released: undecided",
    "decided": "Released: private, and within the policy’s limits",
    "undecided": "Not released: private, but beyond the policy’s limits",
}


@pytest.mark.parametrize("name", HEADLINES)
def test_whether_it_leaves_comes_first_and_why_second(name: str) -> None:
    html = RENDERED[name]
    assert html.index(f"{HEADLINES[name]}</h2>") < html.index("Looks like the patients")
    assert sum(f"{head}</h2>" in html for head in HEADLINES.values()) == 1


def test_a_private_page_that_was_of_no_use_says_both() -> None:
    page = replace(PAGES["undecided"](), verdict="of no use")
    assert "Not released: private, but of no use</h2>" in render(page)
    assert "Not released: private, but of no use</h2>" in render(replace(PAGES["certified"](), verdict="of no use", released=False))


def test_an_audit_releases_nothing() -> None:
    assert "May be released: passes the policy</h2>" in render(replace(PAGES["pass"](), released=None))
    assert "Should not be released: 1 leak shown, 1 rule broken</h2>" in render(replace(PAGES["fail"](), released=None))


def test_the_reason_and_the_attempts_stand_in_the_verdict() -> None:
    box = RENDERED["accepted"].partition('class="verdict')[2].partition("</div>")[0]
    assert "“teaching inside the department”" in box
    assert "4th attempt on this table: 3 refused before (seeds 0, 1, 2, 3)" in box
    assert "attempt on this table" not in RENDERED["pass"]


def test_the_first_screen_of_a_private_release_names_its_promise() -> None:
    for name, said in (("decided", "epsilon = 1 at delta = 1e-9"), ("certified", "epsilon = 12 at delta = 1e-9")):
        box = RENDERED[name].partition('class="verdict')[2].partition("</div>")[0]
        assert said in box
        assert "An attacker who knows everything else is right at most" in box
    assert "54.3 %" in RENDERED["decided"].partition('class="verdict')[2].partition("</div>")[0]


def test_what_an_auc_means_and_how_large_the_attacker_was() -> None:
    assert "right at most 57 % of the time" in RENDERED["pass"]
    assert "15 to 20 % of the patients" in RENDERED["pass"]
    page = PAGES["pass"]()
    found = tuple(replace(f, beside={**f.beside, "population": 321.0}) if f.name == "membership.classifier" else f for f in page.result.findings)
    assert "321 people of the same population" in render(replace(page, result=replace(page.result, findings=found)))


def test_same_page_same_bytes() -> None:
    assert render(PAGES["fail"]()) == RENDERED["fail"]


def test_the_front_holds_exactly_those_nobody_beats() -> None:
    """avatars and copycat are no closer than trees, who reaches fresh patients, and easier to attack; copycat's lower figure is copied chance."""
    marked = re.findall(r"<b>([A-D])</b> \w+( \(on the front\))?", RENDERED["compare"])
    assert [(letter, bool(front)) for letter, front in marked] == [("A", True), ("B", False), ("C", False), ("D", True)]


def luminance(colour: str) -> float:
    value = colour.lstrip("#")
    value = "".join(2 * c for c in value) if len(value) == 3 else value
    parts = [int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_is_readable(theme: int) -> None:
    """WCAG 2.2: text 4.5 to 1, strokes of charts 3 to 1, on cards and on the page."""
    block = re.findall(r":root\{(.*?)\}", RENDERED["pass"], flags=re.S)[theme]
    colours = dict(re.findall(r"--(\w+):(#\w+)", block))
    for ground in ("paper", "page"):
        for text in ("ink", "soft", "made", "bad", "good", "wait", "short", "train"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for stroke in ("rule", "edge", "focus"):
            assert contrast(colours[stroke], colours[ground]) >= 3.0, (stroke, ground)
    assert contrast(colours["made"], colours["band"]) >= 3.0


if __name__ == "__main__":
    if sys.argv[1:] != ["--accept"]:
        sys.exit("usage: python tests/golden/test_report.py --accept")
    for each in (*GOLDEN, "compare"):
        (HERE / f"report-{each}.txt").write_text(outline(RENDERED[each]), encoding="utf-8")
