"""The four questions of the first screen: an answer in words, a small chart, one line of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from twinset.core.finding import Finding
from twinset.core.scale import RARE, TONES, Standing, Tone, badness, is_attack, is_private, scale
from twinset.report import words
from twinset.report.analyses import Agreed, agreed, lost, untested
from twinset.report.charts import strip, tally
from twinset.report.material import Page
from twinset.report.sections import as_real, beyond, sentence, wholes

ORDER: tuple[Standing, ...] = ("leak shown", "useless", "short of real", "too few patients to tell", "good", "measured", "not measured")
PLAIN = 0.2  # so few agreeing estimates are no more than chance where they are at least this likely of fresh patients
OUTCOMES: dict[Tone, str] = {"good": "good", "short": "short of real", "bad": "bad", "wait": "cannot tell", "none": "no judgement"}


@dataclass(frozen=True)
class Card:
    """One of the four questions of the first screen."""

    question: str
    tone: Tone
    answer: str
    chart: Markup
    note: str

    @property
    def outcome(self) -> str:
        """The tone as a word, for JSON."""
        return OUTCOMES[self.tone]


def cards(page: Page) -> tuple[Card, ...]:
    """The four questions, in order."""
    return _looks(page), _says(page), _hides(page), _possible(page)


def _looks(page: Page) -> Card:
    """As bad as its worst part: a column or a pair that is useless makes it red; measures that cannot tell are told, and do not count."""
    question = "Looks like the patients"
    found = [f for f in page.result.findings if f.name.startswith("fidelity.")]
    measured = [f for f in wholes(found) if f.measured and f.name != "fidelity.emptied"]
    if not measured:
        return Card(question, "none", "not measured", Markup(""), words.sentence(found[0].missing) if found else "")
    lost = [f for f in found if page.standing(f) == "useless"]
    by: dict[Standing, list[Finding]] = {}
    for f in measured:
        by.setdefault(page.standing(f), []).append(f)
    main = max(lost or by.get("short of real", []), key=badness, default=min(by.get("good") or measured, key=_rank))
    judged = len(measured) - len(by.get("measured", ()))
    tone, answer = _looking(lost, by, main)
    note = _scaled(main)
    if judged:
        note += f". {len(by.get('good', ()))} of {words.count(judged, 'measure')} as good as real"
        note += f", {len(few)} cannot tell" if (few := by.get("too few patients to tell", [])) else ""
    return Card(question, tone, answer, strip(scale(main), sentence(main, None)), note + ".")


def _looking(lost: Sequence[Finding], by: Mapping[Standing, Sequence[Finding]], main: Finding) -> tuple[Tone, str]:
    if lost:
        return "bad", f"useless: {words.inline(words.full_label(main))}" + (f" and {len(lost) - 1} more" if len(lost) > 1 else "")
    if short := by.get("short of real"):
        return "short", f"short of real in {words.count(len(short), 'measure')}"
    if good := by.get("good"):
        whole = any(f.name != "fidelity.columns" for f in good) or "too few patients to tell" not in by
        return ("good", "as close as new patients are") if whole else ("wait", "single columns as good as real, relations cannot be told")
    return ("wait", "too few patients to tell") if "too few patients to tell" in by else ("none", "measured, without a scale")


def _rank(finding: Finding) -> tuple[int, float]:
    """The figure that speaks for the others: of all columns together before one by one, then by how little of its scale it covers."""
    s = scale(finding)
    order = ("fidelity.pairs", "fidelity.hellinger", "", "fidelity.columns")
    return order.index(finding.name if finding.name in order else ""), 9.0 if s.blind or not s.way > 0 else s.spread / s.way


def _says(page: Page) -> Card:
    question = "Says the same"
    found = agreed(page)
    parts = [f for f in page.result.findings if f.name.startswith("endpoint.") and f.measured]
    if not found.total and not parts:
        return _unsaid(page, question)
    worst: Standing = min((page.standing(f) for f in parts), key=ORDER.index, default="measured")
    more = [t for f in parts if (t := words.would_do(f, page.standing(f)))]
    gone = lost(page)
    answer, chart = f"survival curves: {'as good as real' if worst == 'good' else worst}", Markup("")
    if found.total:
        answer = f"{found.agree} of {words.count(found.total, 'estimate')} agree{'s' if found.total == 1 else ''}"
        told = f"{answer}; of as many fresh patients {words.number(found.expected, decimals=1)} would."
        chart = tally(found.agree, found.total, found.expected, told)
    return Card(
        question,
        _saying(found, gone, worst),
        answer,
        chart,
        _conclusions(found, gone, worst) if found.total else words.sentence(f"only curves were compared{'; ' + more[0] if more else ''}"),
    )


def _saying(found: Agreed, gone: int, worst: Standing) -> Tone:
    """Green only where something was put to the test and came out no worse than of fresh patients."""
    if worst == "useless" or found.reversed:
        return "bad"
    if gone or worst == "short of real" or (found.total and min(found.chance, found.chance_kept) < RARE):
        return "short"
    if not found.total:
        return TONES[worst]
    fair = min(found.chance, found.chance_kept) > PLAIN and 2 * found.agree > found.total and 2 * found.kept > found.significant
    return "good" if found.significant and fair else "wait"


def _conclusions(found: Agreed, gone: int, worst: Standing) -> str:
    """What the tally does not say: what could have been concluded at all, and what went wrong."""
    parts = [f"A fresh trial of this size would agree in about {100 * found.expected / found.total:.0f} of 100"]
    if not found.significant:
        parts.append("none is significant in the patients, so no conclusion was put to the test")
    else:
        parts.append(
            f"{found.significant} {'is' if found.significant == 1 else 'are'} significant in the patients, {found.kept} of them also in the synthetic rows (in a fresh trial {100 * found.keepable / found.significant:.0f} of 100)"
        )
    parts += [f"{found.reversed} {'is' if found.reversed == 1 else 'are'} reversed"] if found.reversed else []
    parts += [f"{gone} could not be estimated on the synthetic rows"] if gone else []
    if worst in ("useless", "short of real"):
        parts.append(f"a measure of the analyses is {worst}")
    return words.sentence("; ".join(parts))


def _unsaid(page: Page, question: str) -> Card:
    """Nothing could be compared: because nothing was declared, or for a reason."""
    if missed := untested(page):
        name, why = missed[0]
        return Card(
            question, "wait", f"{words.count(len(missed), 'analysis', 'analyses')} declared, not estimable", Markup(""), words.sentence(f"{name}: {why}")
        )
    if not any(f.measured for f in page.result.findings):
        return Card(question, "none", "not tested", Markup(""), words.sentence(page.result.findings[0].missing) if page.result.findings else "")
    return Card(question, "none", "no analysis declared", Markup(""), "Whether conclusions carry over is unknown.")


def _hides(page: Page) -> Card:
    question = "Hides the patients"
    if unfair := [f for f in page.result.findings if f.name.startswith("control.") and page.standing(f) == "useless"]:
        return Card(question, "bad", "cannot be told: no fair control", Markup(""), words.sentence(unfair[0].says or words.label(unfair[0])))
    asked = [f for f in page.result.findings if is_attack(f) or (is_private(f) and page.checked(f))]
    measured = [f for f in asked if f.measured]
    if not measured:
        return Card(question, "wait" if asked else "none", "not measured", Markup(""), words.sentence(asked[0].missing) if asked else "No attack was run.")
    pairs = [(f, page.standing(f)) for f in measured]
    pairs = [(f, s) for f, s in pairs if s in ("leak shown", "short of real") or page.checked(f)] or pairs
    stands = [s for _, s in pairs]
    head = min(stands, key=ORDER.index)
    shown = [f for f, s in pairs if s == head]
    main = max(shown, key=lambda f: _excess(f, page.limit(f)))
    settled = all(words.stands(f, head, page.limit(f)) == "leak shown" for f in shown)
    answers: dict[Standing, str] = {
        "leak shown": f"leak shown in {words.count(len(shown), 'check')}" if settled else f"{words.count(len(shown), 'check')} beyond the limit",
        "short of real": f"better than chance in {words.count(len(shown), 'check')}",
        "too few patients to tell": f"no leak shown; {len(shown)} of {words.count(len(stands), 'check')} cannot tell",
        "good": "no leak shown at this power",
    }
    tone, answer = TONES[head], answers.get(head, "measured")
    missed = sum(not f.measured and f.arises for f in asked if page.checked(f))
    if tone == "good" and missed:
        tone, answer = "wait", f"no leak shown; {words.count(missed, 'check')} not measured"
    limit, few = page.limit(main), stands.count("too few patients to tell") if head == "short of real" else 0
    note = f"{'Worst' if head != 'good' else 'Largest'}: {words.inline(words.full_label(main))}, {words.estimate(main)}"
    note += f"; chance {main.beside['chance']:.2f}" if "chance" in main.beside else ""
    note += f"; policy {words.figure(main, limit)}" if limit is not None else ""
    note += f". {words.count(few, 'check')} cannot tell" if few else ""
    note += f". {words.count(missed, 'check')} not measured" if missed and tone != "good" and "not measured" not in answer else ""
    note += f". {words.sentence(more).removesuffix('.')}" if (more := words.would_do(main, head, limit)) else ""
    return Card(question, tone, answer, strip(scale(main, limit), sentence(main, limit)), note + ".")


def _excess(finding: Finding, limit: float | None) -> float:
    """How far towards always right a finding stands, for choosing the one to show."""
    s = scale(finding, limit)
    zero = limit if limit is not None else s.chance if s.chance is not None else 0.0
    return (s.value - zero) / (abs(zero) or 1.0) * (1.0 if finding.better == "lower" else -1.0)


def _possible(page: Page) -> Card:
    """Declared rules only: bounds and levels were read from the same rows, and keeping them is no achievement. Broken they count all the same."""
    question = "Medically possible"
    declared = [f for f in page.rules if f.where in page.rule_texts]
    ranges = [f for f in page.rules if f.where not in page.rule_texts]
    out = sum(f.measured and f.value > 0 for f in ranges)
    if not declared:
        note = f"{len(ranges):,} bounds and lists of levels hold: they only say what a column may contain." if ranges else ""
        if out:
            return Card(question, "bad", f"{out} of {words.count(len(ranges), 'range')} left", Markup(""), "No rule was declared.")
        return Card(question, "none", "no rule declared", Markup(""), note or "Impossible rows were not looked for.")
    broken = sum(f.measured and f.value > 0 for f in declared)
    unknown, total = sum(not f.measured for f in declared), len(declared)
    source = sum(f.measured and f.value > 0 for f in page.source_rules if f.where in page.rule_texts)
    tone: Tone = "bad" if broken or out else "wait" if unknown else "good"
    answer = (
        f"{broken} of {words.count(total, 'rule')} broken"
        + (f", {unknown} not measured" if unknown else "")
        + (f", {words.count(out, 'range')} left" if out else "")
    )
    note = f"{words.count(page.n_redrawn, 'cell')} redrawn to keep them. " if page.n_redrawn else "No cell had to be redrawn. "
    note += f"The source itself breaks {words.count(source, 'rule')}." if source else "The source breaks none."
    return Card(question, tone, answer, tally(total - broken - unknown, total, None, f"{total - broken - unknown} of {total} rules hold."), note)


def _scaled(finding: Finding) -> str:
    """A figure for the first screen: what it lies above fresh patients, then itself with its marks."""
    head, real, useless = words.above(finding), as_real(finding), beyond(finding)
    parts = [f"{words.full_label(finding)}: {head}" if head else f"{words.full_label(finding)} {words.estimate(finding)}"]
    parts += [f"this release {words.estimate(finding)}"] if head else []
    parts += [f"as good as real {real}"] if real else []
    return "; ".join([*parts, f"useless {useless}"] if useless else parts)
