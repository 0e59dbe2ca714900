"""One self-contained page from findings: decision first, then the evidence. No row, no script, no request to anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from twinset.report import analyses, compare, sections, words
from twinset.report.cards import cards
from twinset.report.decision import decision, reading
from twinset.report.frontier import Frontier
from twinset.report.material import Page
from twinset.report.panels import content
from twinset.report.privacy import promise
from twinset.report.proof import proof
from twinset.report.svg import symbol

__all__ = ["Page", "render", "render_compare", "render_frontier"]


def render(page: Page) -> str:
    """The report as one HTML document (text, UTF-8).

    For the custodian: its figures were computed on patients' rows. It is not part of a release.
    Nothing in it is executed or fetched; every name from the study is escaped.
    """
    rows, more = sections.worst(page)
    held, quiet = sections.rules(page)
    content: dict[str, Any] = {
        "page": page,
        "decision": decision(page),
        "reading": reading(page),
        "cards": cards(page),
        "not_shown": not_shown(page),
        "forests": analyses.forests(page),
        "agreed": analyses.agreed(page),
        "untested": analyses.untested(page),
        "silent": "" if any(f.measured for f in page.result.findings) else next((f.missing for f in page.result.findings), ""),
        "curves": analyses.curves(page),
        "attacks": sections.attacks(page),
        "groups": sections.groups(page),
        "worst": rows,
        "more": more,
        "unmeasured": sections.unmeasured(page),
        "rules": held,
        "quiet": quiet,
        "promise": promise(page),
        "proof": proof(page),
    }
    return _environment().get_template("report.html").render(content)


def render_compare(pages: Sequence[Page]) -> str:
    """Several generators side by side as one HTML document: measures down, generators across, the trade-off, what each is best at."""
    content = {"pages": pages, "compared": compare.compared(pages)}
    return _environment().get_template("compare.html").render(content)


def render_frontier(page: Frontier) -> str:
    """The sweep of a study as one HTML document: the recommended epsilon, a table by epsilon, a plot for every measure."""
    return _environment().get_template("frontier.html").render({"page": page, "shown": content(page)}).replace("ε = ", "ε\u00a0=\u00a0")


def not_shown(page: Page) -> tuple[str, ...]:
    """What the reader must not conclude from this page, most important first."""
    out = [] if promise(page).finite else [words.NO_GUARANTEE]
    if not page.n_holdout:
        out.append(words.NO_HOLDOUT)
    if not page.result.comparisons:
        declared = any(f.name.startswith("endpoint.") for f in page.result.findings)
        unknown = not any(f.measured for f in page.result.findings)
        out.append(words.UNTESTED if declared or unknown else words.NO_ENDPOINTS)
    return (*out, *words.NOT_SHOWN)


def coded(text: str) -> Markup:
    """Escaped text with what stands between backticks set as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts))


def _environment() -> Environment:
    env = Environment(loader=PackageLoader("twinset.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.globals.update(marks=words.MARKS, glossary=words.GLOSSARY, auc=words.AUC, count=words.count, number=words.number, symbol=symbol)
    env.filters.update(sentence=words.sentence, coded=coded)
    return env
