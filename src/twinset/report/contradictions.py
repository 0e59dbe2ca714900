"""What a page says against itself, read from its own content: for tests on many tables, and for anybody who doubts."""

from __future__ import annotations

import math
from collections.abc import Iterator

from twinset.core.finding import Finding
from twinset.core.scale import TONES, scale
from twinset.report.analyses import agreed, untested
from twinset.report.cards import Card, cards
from twinset.report.decision import ROWS, decision, leaves
from twinset.report.material import Page
from twinset.report.words import full_label

OF = {
    "Looks like the patients": ("fidelity.",),
    "Says the same": ("endpoint.",),
    "Hides the patients": ("membership.", "privacy.", "control."),
    "Medically possible": (),
}
ALL = ("all checks pass", "checks of the policy pass", "no leak is shown in")


def contradictions(page: Page) -> tuple[str, ...]:
    """Every contradiction found, as a sentence; empty where headline, cards and lines agree."""
    shown = cards(page)
    return (*_headline(page, shown), *(line for card in shown for line in _card(page, card)), *(line for f in page.result.findings for line in _line(page, f)))


def _headline(page: Page, shown: tuple[Card, ...]) -> Iterator[str]:
    told, out = decision(page), leaves(page)
    if page.released and page.verdict not in ("pass", "inconclusive"):
        yield f"released with the verdict {page.verdict}"
    if page.released is False and page.verdict == "pass":
        yield "not released with the verdict pass"
    if out == told.headline.startswith(("Not", "Should not")):
        yield f"the headline says “{told.headline}” and the rows {'leave' if out else 'stay'}"
    if (out and told.tone == "bad") or (not out and told.tone == "good"):
        yield f"the headline “{told.headline}” wears the sign of the opposite"
    red = [c.question for c in shown if c.tone == "bad"]
    warned = page.decided_by != ROWS and told.advice is not None and (told.advice.tone == "bad" or told.advice.alarms)
    if out and red and not warned:
        yield f"released, and the card “{red[0]}” is red"
    if page.verdict == "fail" and page.decided_by == ROWS and all(c.tone == "good" for c in shown):
        yield "refused, and every card is green"
    blind = [f for f in page.result.findings if page.checked(f) and page.standing(f) in ("too few patients to tell", "not measured")]
    if blind and any(said in reason for reason in (*page.reasons, told.body) for said in ALL):
        yield f"“all checks pass” stands beside {full_label(blind[0])}, which cannot tell"


def _card(page: Page, card: Card) -> Iterator[str]:
    parts = [f for f in page.result.findings if f.name.startswith(OF[card.question] or "rules.")]
    if card.tone == "good":
        for f in parts:
            if page.standing(f) in ("useless", "leak shown"):
                yield f"the card “{card.question}” is green over {full_label(f)}: {page.standing(f)}"
    if card.question == "Says the same":
        if card.tone == "good" and page.result.comparisons and not agreed(page).significant:
            yield "conclusions hold where none is significant"
        if "no analysis declared" in card.answer and (untested(page) or page.result.comparisons or page.result.curves):
            yield "no analysis declared, and one was"
    if card.question == "Medically possible" and card.tone == "good" and not any(f.where in page.rule_texts for f in page.rules):
        yield "rules are kept where none was declared"


def _line(page: Page, finding: Finding) -> Iterator[str]:
    """Worked out again from the figures alone."""
    if not finding.measured or finding.name.startswith(("rules.", "control.")):
        return
    s, tone = scale(finding, page.limit(finding)), TONES[page.standing(finding)]
    sign = 1.0 if finding.better == "lower" else -1.0
    best = min(sign * finding.low, sign * finding.high) if math.isfinite(finding.low) else sign * finding.value
    start = s.chance if s.chance is not None else s.real[0] if s.real else math.nan
    way = abs(s.useless - start) if s.useless is not None else math.nan
    if tone == "good" and finding.high - finding.low > 0.5 * way:
        yield f"{full_label(finding)} has a tick on an interval that spans half of its scale"
    marks = [finding.beside[k] for k in ("floor_high" if sign > 0 else "floor_low", "floor", "holdout") if k in finding.beside]
    if tone == "wait" and s.chance is None and s.limit is None and marks and best > max(sign * m for m in marks):
        yield f"{full_label(finding)} is clearly worse than real and said not to tell"
    if tone == "good" and s.limit is not None and sign * finding.value > sign * s.limit:
        yield f"{full_label(finding)} has a tick beyond its limit"
