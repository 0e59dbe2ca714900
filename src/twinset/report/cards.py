"""The four questions of the first screen: an answer in words, a small chart, one line of figures."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from twinset.core.finding import Finding
from twinset.core.scale import Standing, Tone, is_attack, scale, standing
from twinset.report import words
from twinset.report.analyses import kept
from twinset.report.charts import strip, tally
from twinset.report.material import Page
from twinset.report.sections import as_real, beyond, sentence, wholes

GOOD: tuple[Standing, ...] = ("closer than new patients", "as good as real", "within error of real")


@dataclass(frozen=True)
class Card:
    """One of the four questions of the first screen."""

    question: str
    tone: Tone
    answer: str
    chart: Markup
    note: str


def cards(page: Page) -> tuple[Card, ...]:
    """The four questions, in order."""
    return _looks(page), _says(page), _hides(page), _possible(page)


def _looks(page: Page) -> Card:
    question = "Looks like the patients"
    measured = [f for f in wholes(page.result.findings) if f.name.startswith("fidelity.") and f.measured]
    if not measured:
        return Card(question, "none", "not measured", Markup(""), "")
    main = next((f for f in measured if f.name == "fidelity.pairs"), measured[0])
    stands = [standing(f) for f in measured]
    judged = [s for s in stands if s != "measured"]
    good = sum(s in GOOD for s in judged)
    answers: dict[Standing, tuple[Tone, str]] = {
        "as good as real": ("good", "as close as new patients are"),
        "closer than new patients": ("good", "closer than new patients are"),
        "within error of real": ("good", "as close as new patients are, within error"),
        "short of real": ("wait", "further away than new patients"),
        "useless": ("bad", "relations between columns are lost"),
    }
    tone, answer = answers.get(standing(main), ("none", "measured, without a scale"))
    note = _scaled(main)
    if standing(main) == "closer than new patients":
        note += ". Below the band is no merit: it means that chance was copied"
    if judged:
        note += f". {good} of {words.count(len(judged), 'measure')} as good as real, within error"
    return Card(question, tone, answer, strip(scale(main), sentence(main, None)), note + ".")


def _says(page: Page) -> Card:
    question = "Says the same"
    found = kept(page)
    if not found.total:
        return Card(question, "none", "no analysis declared", Markup(""), "Whether conclusions carry over is unknown.")
    expected = words.number(found.expected, decimals=1)
    answer = f"{found.kept} of {words.count(found.total, 'conclusion')} {'holds' if found.kept == 1 else 'hold'}"
    few = found.chance < 0.05
    tone: Tone = "bad" if few else "good" if found.kept >= found.expected - 0.5 else "wait"
    note = f"A perfect generator would keep about {expected} with {words.count(page.copies, 'copy', 'copies')}"
    note += "; so few would be rare by chance." if few else "; a change alone is no evidence." if found.kept < found.total else "."
    return Card(question, tone, answer, tally(found.kept, found.total, found.expected, f"{answer}; a perfect generator is expected to keep {expected}."), note)


def _hides(page: Page) -> Card:
    question = "Hides the patients"
    asked = [f for f in page.result.findings if is_attack(f) or page.limit(f) is not None]
    measured = [f for f in asked if f.measured]
    if not measured:
        return Card(question, "wait" if asked else "none", "not measured", Markup(""), words.sentence(asked[0].missing) if asked else "No attack was run.")
    order: list[Standing] = ["leak shown", "not enough power", "better than chance", "within the limit", "no better than chance"]
    stands = [standing(f, page.limit(f)) for f in measured]
    head = min(stands, key=lambda s: order.index(s) if s in order else 9)
    shown = [f for f, s in zip(measured, stands, strict=True) if s == head]
    main = max(shown, key=lambda f: _excess(f, page.limit(f)))
    answers: dict[Standing, tuple[Tone, str]] = {
        "leak shown": ("bad", f"leak shown in {words.count(len(shown), 'check')}"),
        "not enough power": ("wait", f"{words.count(len(shown), 'check')} cannot tell"),
        "better than chance": ("wait", "better than a coin"),
        "within the limit": ("good", "no leak shown at this power"),
        "no better than chance": ("good", "no leak shown at this power"),
    }
    tone, answer = answers.get(head, ("none", "measured"))
    if tone == "good" and len(measured) < len(asked):
        tone, answer = "wait", f"{words.count(len(asked) - len(measured), 'check')} not measured"
    limit = page.limit(main)
    note = f"Worst: {words.inline(words.full_label(main))}, {words.estimate(main)}"
    note += "; chance 0.50" if is_attack(main) else ""
    note += f"; policy {words.figure(main, limit)}" if limit is not None else ""
    return Card(question, tone, answer, strip(scale(main, limit), sentence(main, limit)), note + ".")


def _excess(finding: Finding, limit: float | None) -> float:
    """How far towards always right a finding stands, for choosing the one to show."""
    s = scale(finding, limit)
    zero = limit if limit is not None else s.chance if s.chance is not None else 0.0
    return (s.value - zero) / (abs(zero) or 1.0) * (1.0 if finding.better == "lower" else -1.0)


def _possible(page: Page) -> Card:
    question = "Medically possible"
    if not page.rules:
        return Card(question, "none", "no rule declared", Markup(""), "Impossible rows were not looked for.")
    broken = sum(f.measured and f.value > 0 for f in page.rules)
    unknown = sum(not f.measured for f in page.rules)
    total = len(page.rules)
    source = sum(f.measured and f.value > 0 for f in page.source_rules)
    tone: Tone = "bad" if broken else "wait" if unknown else "good"
    answer = f"{broken} of {words.count(total, 'rule')} broken" + (f", {unknown} not measured" if unknown else "")
    note = f"{words.count(page.n_redrawn, 'cell')} redrawn to keep them. " if page.n_redrawn else "No cell had to be redrawn. "
    note += f"The source itself breaks {words.count(source, 'rule')}." if source else "The source breaks none."
    return Card(question, tone, answer, tally(total - broken - unknown, total, None, f"{total - broken - unknown} of {total} rules hold."), note)


def _scaled(finding: Finding) -> str:
    parts = [f"{words.full_label(finding)} {words.estimate(finding)}"]
    real, useless = as_real(finding), beyond(finding)
    parts += [f"as good as real {real}"] if real else []
    parts += [f"useless {useless}"] if useless else []
    return "; ".join(parts)
