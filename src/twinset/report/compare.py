"""Several generators on one page: no single rank, but who is best at what, and which choices nobody beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from twinset.core.finding import Finding
from twinset.core.scale import TONES, Tone, is_attack, scale, scored
from twinset.report import words
from twinset.report.analyses import agreed
from twinset.report.charts import Point, tradeoff
from twinset.report.decision import headline
from twinset.report.material import Page
from twinset.report.sections import wholes
from twinset.report.svg import Mark, symbol

SHAPES: tuple[Mark, ...] = ("dot", "square", "diamond", "down", "ring", "triangle", "star", "plus", "cross")


@dataclass(frozen=True)
class Name:
    """A generator of the page: letter, marker and verdict."""

    letter: str
    name: str
    symbol: Markup
    verdict: str
    tone: Tone
    front: bool


@dataclass(frozen=True)
class Cell:
    text: str
    best: bool
    tone: Tone
    word: str


@dataclass(frozen=True)
class Line:
    """One measure across all generators."""

    label: str
    where: str
    better: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Compared:
    """Everything the comparison page shows."""

    names: tuple[Name, ...]
    lines: tuple[Line, ...]
    chart: Markup
    across: str
    best: tuple[str, ...]
    caveats: tuple[str, ...]


def compared(pages: Sequence[Page]) -> Compared:
    """Measures down, generators across, and the trade-off between fidelity and the worst attack."""
    across = _across(pages)
    front = _front(pages, across)
    titles = _titles(pages)
    names = tuple(Name(_letter(i), titles[i], symbol(SHAPES[i % len(SHAPES)], "made"), *headline(p), i in front) for i, p in enumerate(pages))
    return Compared(names, _lines(pages), _chart(pages, across, front), words.LABELS.get(across, ""), _best(pages, titles, across, front), _caveats(pages))


def _across(pages: Sequence[Page]) -> str:
    """The measure of the whole table that tells real and useless apart on every page: pairs, if they do."""
    names = [n for n in ("fidelity.pairs", "fidelity.hellinger", "fidelity.columns") if all(_find(p, n) for p in pages)]
    sharp = [n for n in names if all((f := _find(p, n)) and scale(f).tells for p in pages)]
    return (sharp or names or [""])[0]


def worst_attack(page: Page) -> Finding | None:
    """The attack that stands worst: one that is refused before all others, then, of those that can tell, the one that is right most often."""
    tried = [f for f in page.result.findings if is_attack(f) and f.measured]
    return max(tried, key=lambda f: (page.standing(f) == "leak shown", scale(f).tells, f.value), default=None)


def _titles(pages: Sequence[Page]) -> list[str]:
    """Generator names, told apart by the settings they differ in where a name repeats."""
    names = [p.generator for p in pages]
    out = []
    for p in pages:
        twins = [q for q in pages if q.generator == p.generator]
        differ = [k for k in p.settings if len({q.settings.get(k) for q in twins}) > 1]
        out.append(p.generator + (" (" + ", ".join(f"{k} = {p.settings[k]}" for k in differ) + ")" if differ and names.count(p.generator) > 1 else ""))
    return out


def _letter(i: int) -> str:
    return chr(ord("A") + i) if i < 26 else str(i + 1)


def _find(page: Page, name: str, where: str = "") -> Finding | None:
    return next((f for f in page.result.findings if f.name == name and f.where == where and f.measured), None)


def _lines(pages: Sequence[Page]) -> tuple[Line, ...]:
    keys = dict.fromkeys((f.name, f.where) for p in pages for f in wholes(p.result.findings))
    out = [_endpoint_line(pages)] if any(p.result.comparisons for p in pages) else []
    for name, where in keys:
        row = [next((f for f in p.result.findings if (f.name, f.where) == (name, where)), None) for p in pages]
        known = [f for f in row if f and f.measured]
        shown = next(f for f in row if f)
        best = (min if shown.better == "lower" else max)((scored(f) for f in known), default=None)
        differ = len({scored(f) for f in known}) > 1
        cells = tuple(_cell(f, p, best if differ else None) for f, p in zip(row, pages, strict=True))
        out.append(Line(words.label(shown), where if where not in words.label(shown) else "", shown.better, cells))
    return tuple(out)


def _cell(finding: Finding | None, page: Page, best: float | None) -> Cell:
    if finding is None or not finding.measured:
        return Cell("not measured", False, "none", "")
    stands = page.standing(finding)
    word = words.stands(finding, stands, page.limit(finding)) if stands != "measured" else ""
    return Cell(words.estimate(finding), best is not None and scored(finding) == best, TONES[stands], word)


def _endpoint_line(pages: Sequence[Page]) -> Line:
    tallies = [agreed(p) for p in pages]
    best = max(t.agree for t in tallies)
    cells = [
        Cell(
            f"{t.agree} of {t.total}",
            t.agree == best and len({u.agree for u in tallies}) > 1,
            "none",
            f"{words.number(t.expected, decimals=1)} expected of fresh patients; {t.significant} significant",
        )
        if t.total
        else Cell("not measured", False, "none", "")
        for t in tallies
    ]
    return Line("Estimates that agree", "", "higher", tuple(cells))


def _front(pages: Sequence[Page], across: str) -> set[int]:
    """Generators that no other one beats in both fidelity and worst attack (ties stay)."""
    places = {i: (scored(f), a.value) for i, p in enumerate(pages) if (f := _find(p, across)) and (a := worst_attack(p))}
    return {i for i, (x, y) in places.items() if not any(u <= x and v <= y and (u, v) != (x, y) for j, (u, v) in places.items() if j != i)}


def _chart(pages: Sequence[Page], across: str, front: set[int]) -> Markup:
    points = []
    for i, p in enumerate(pages):
        f, a = _find(p, across), worst_attack(p)
        if f and a:
            points.append(Point(_letter(i), scored(f), a.value, a.low, a.high, SHAPES[i % len(SHAPES)], i in front))
    if len(points) < 2:
        return Markup("")
    limits = {p.limit(a) for p in pages if (a := worst_attack(p))} - {None}
    told = "; ".join(f"{p.letter}: fidelity {words.number(p.x)}, worst attack {words.number(p.y)}{', on the front' if p.front else ''}" for p in points)
    return tradeoff(points, min(v for v in limits if v is not None) if limits else None, name="tradeoff", sentence=told + ".")


def _best(pages: Sequence[Page], titles: Sequence[str], across: str, front: set[int]) -> tuple[str, ...]:
    out = []
    placed = [(titles[i], f, a, i) for i, p in enumerate(pages) if (f := _find(p, across)) and (a := worst_attack(p))]
    if placed:
        out.append(_closest(placed))
        name, f, a, _ = min(placed, key=lambda t: t[2].value)
        out.append(f"Hardest to attack: {name}, {words.estimate(a)} by its worst attack; its {words.inline(words.label(f))} stand at {words.estimate(f)}.")
        passing = [t for t in placed if pages[t[3]].verdict == "pass"]
        if passing:
            best = min(scored(t[1]) for t in passing)
            out.append(f"Closest to the patients among those that pass the policy: {', '.join(t[0] for t in passing if scored(t[1]) == best)}.")
        else:
            out.append("None of them passes the policy.")
        beaten = [titles[t[3]] for t in placed if t[3] not in front]
        out.append("Beaten on both counts by another one: " + ", ".join(beaten) + "." if beaten else "None is beaten on both counts by another one.")
    for title, page in zip(titles, pages, strict=True):
        if leaks := [words.inline(words.full_label(f)) for f in page.result.findings if page.standing(f) == "leak shown"]:
            out.append(f"Leaks shown by {title}: {'; '.join(leaks)}.")
    tallies = [(agreed(p), titles[i]) for i, p in enumerate(pages) if p.result.comparisons]
    if tallies:
        most = max(t.agree for t, _ in tallies)
        out.append(f"Most estimates that agree: {', '.join(name for t, name in tallies if t.agree == most)}, {most} of {tallies[0][0].total}.")
    return tuple(out)


def _closest(placed: Sequence[tuple[str, Finding, Finding, int]]) -> str:
    """Who is closest to the patients; whoever reaches fresh patients is as close as another who does."""
    best = min(scored(t[1]) for t in placed)
    name, f, a, _ = next(t for t in placed if scored(t[1]) == best)
    level = [t[0] for t in placed if scored(t[1]) == best]
    if len(level) > 1:
        return f"Closest to the patients: {', '.join(level)}, each as close as fresh patients in {words.inline(words.label(f))} ({words.figure(f, best)})."
    return f"Closest to the patients: {name}, {words.inline(words.label(f))} {words.estimate(f)}; its worst attack is right {words.estimate(a)} of the time."


def _caveats(pages: Sequence[Page]) -> tuple[str, ...]:
    out = ["A figure better than fresh patients would score counts as theirs: below the floor a table copies chance, which is paid for in recognisability."]
    out += ["Small differences between generators are within their intervals; “best” marks the best figure, not a proven difference."]
    if len({(p.n_train, p.n_holdout, p.title) for p in pages}) > 1:
        out.append("These pages do not share one split or one study: figures are not comparable row by row.")
    out.append("Choosing the best of several on real patients is itself a look at them: the choice belongs to the custodian's side.")
    return tuple(out)
