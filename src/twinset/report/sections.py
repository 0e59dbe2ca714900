"""What each section of a report says: findings turned into rows of figures, charts and fixed words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from twinset.core.finding import Finding
from twinset.core.scale import TONES, Standing, Tone, badness, excess, is_attack, scale
from twinset.report import words
from twinset.report.charts import Estimate, Guide, row, scale_row, strip
from twinset.report.material import Page
from twinset.report.svg import Axis, Mark

FEW = 12  # rules shown in full although nothing breaks them
WORST = 12  # rows shown in section 5; the rest is in the findings file


@dataclass(frozen=True)
class Row:
    """One finding on its scale, in words."""

    label: str
    where: str
    chart: Markup
    value: str
    interval: str
    n: str
    real: str
    useless: str
    perfect: str
    limit: str
    better: str
    standing: str
    tone: Tone
    more: str
    says: str
    silent_on: str
    missing: str


@dataclass(frozen=True)
class RuleRow:
    name: str
    text: str
    synthetic: str
    source: str
    tone: Tone


def sentence(finding: Finding, limit: float | None) -> str:
    """A finding with its scale as one sentence for a screen reader."""
    if not finding.measured:
        return f"{words.full_label(finding)}: not measured, because {finding.missing}."
    parts = [f"{words.full_label(finding)}: {words.estimate(finding)}"]
    real, useless = as_real(finding), beyond(finding)
    parts += [f"as good as real: {real}"] if real else []
    parts += [f"useless: {useless}" if useless[-1].isdigit() else useless] if useless else []
    parts += [f"policy's limit {words.figure(finding, limit)}"] if limit is not None else []
    return "; ".join(parts) + f"; {finding.better} is better."


def as_real(finding: Finding) -> str:
    """The good band in words."""
    s = scale(finding)
    if s.band is None:
        return f"chance {words.figure(finding, s.chance)}" if s.chance is not None else ""
    low, high = (words.figure(finding, v) for v in s.band)
    if low == high:
        return low
    if s.real and s.real[0] == s.real[1]:
        return f"up to {high}" if finding.better == "lower" else f"{low} or more"
    return words.span(finding, *s.band)


def beyond(finding: Finding) -> str:
    """The useless end in words."""
    useless = scale(finding).useless
    if useless is None:
        return ""
    return "1, always right" if is_attack(finding) else words.figure(finding, useless)


def scale_row_of(page: Page, finding: Finding) -> Row:
    """A finding as a table row with its strip."""
    limit, stands = page.limit(finding), page.standing(finding)
    chart = strip(scale(finding, limit), sentence(finding, limit)) if finding.measured else Markup("")
    perfect = finding.beside.get("perfect", math.nan)
    return Row(
        words.label(finding),
        finding.where if finding.where not in words.label(finding) else "",
        chart,
        *(words.parts(finding) if finding.measured else ("", "")),
        f"{finding.n:,}" if finding.measured else "",
        as_real(finding) if finding.measured else "",
        beyond(finding) if finding.measured else "",
        words.figure(finding, perfect) if math.isfinite(perfect) else "",
        words.figure(finding, limit) if limit is not None else "",
        f"{finding.better} is better",
        words.stands(finding, stands, limit),
        TONES[stands],
        _more(finding, stands, limit),
        words.sentence(finding.says),
        words.sentence(finding.silent_on),
        finding.missing,
    )


def _more(finding: Finding, stands: Standing, limit: float | None) -> str:
    """What belongs to the outcome: how many patients would do, or that nothing is gained below the floor."""
    if finding.measured and stands == "good" and limit is None and excess(finding) == 0 and _below(finding) > 0:
        return "better than fresh patients is no merit: it counts as the floor"
    return words.would_do(finding, stands, limit)


def _below(finding: Finding) -> float:
    """How far beyond the better end of what real patients would score."""
    s = scale(finding)
    return math.nan if s.real is None else s.sign * (s.real[0] - s.value)


def numbers(page: Page) -> tuple[Row, ...]:
    """Every measured finding about the whole table, in the audit's order."""
    return once(scale_row_of(page, f) for f in _whole(page))


def _whole(page: Page) -> tuple[Finding, ...]:
    return tuple(f for f in wholes(page.result.findings) if f.measured)


GROUPS = (
    ("control.", "The hold-out is a fair control"),
    ("fidelity.", "Looks like the patients"),
    ("endpoint.", "Says the same"),
    ("membership.", "Hides the patients"),
    ("privacy.", "Hides the patients"),
)


@dataclass(frozen=True)
class Group:
    """Rows of one question."""

    question: str
    rows: tuple[Row, ...]


def groups(page: Page) -> tuple[Group, ...]:
    """Every number by question, in the order of the cards."""
    rows: dict[str, list[Row]] = {question: [] for _, question in GROUPS}
    for f, r in zip(_whole(page), numbers(page), strict=True):
        question = next((q for start, q in GROUPS if f.name.startswith(start)), "Other")
        rows.setdefault(question, []).append(r)
    return tuple(Group(q, tuple(r)) for q, r in rows.items() if r)


def once(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows with each "does not show" said where it first applies, not again and again."""
    seen: set[str] = set()
    out = []
    for r in rows:
        out.append(replace(r, silent_on="") if r.silent_on in seen else r)
        seen.add(r.silent_on)
    return tuple(out)


def _parts(findings: Sequence[Finding]) -> set[str]:
    """Names of fidelity measures that are given for the whole table as well as for single columns or pairs."""
    return {f.name for f in findings if not f.where and f.name.startswith("fidelity.")}


def wholes(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings without those about one column or pair, and without rules, which have a section of their own."""
    parts = _parts(findings)
    return tuple(f for f in findings if not (f.where and f.name in parts) and not f.name.startswith("rules."))


def details(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings about one column or pair of a measure that also has a figure for the whole table."""
    parts = _parts(findings)
    return tuple(f for f in findings if f.where and f.name in parts)


def worst(page: Page) -> tuple[tuple[Row, ...], int]:
    """The columns and pairs furthest from real, worst first, and how many more there are."""
    found = sorted((f for f in details(page.result.findings) if f.measured), key=badness, reverse=True)
    return once(scale_row_of(page, f) for f in found[:WORST]), max(0, len(found) - WORST)


def unmeasured(page: Page) -> tuple[tuple[str, str], ...]:
    """Everything that could not be measured, as (reason, what), one line for each reason."""
    reasons: dict[str, list[str]] = {}
    for f in page.result.findings:
        if not f.measured:
            reasons.setdefault(f.missing, []).append(words.full_label(f))
    return tuple((words.sentence(why), "; ".join(dict.fromkeys(what))) for why, what in reasons.items())


@dataclass(frozen=True)
class Attacks:
    """Section 3: the attackers' plot, one row each."""

    scale: Markup
    rows: tuple[Row, ...]
    sample: str


def attacks(page: Page) -> Attacks:
    """Every attack on one axis from below a coin to always right."""
    tried = [f for f in page.result.findings if is_attack(f)]
    measured = [f for f in tried if f.measured]
    lowest = min([0.45, *(f.low for f in measured if f.low == f.low)])
    axis = Axis(max(0.3, lowest - 0.02), 1.0, margin=2.5)  # worse than a coin is of no use to an attacker
    limits = {page.limit(f) for f in tried} - {None}
    shared = limits.pop() if len(limits) == 1 else None
    guides = [Guide(0.5, "chance", "chance"), Guide(1.0, "edge", "always right")]
    if shared is not None:
        guides.append(Guide(shared, "limit", "policy" if 0.5 < shared < 0.8 else ""))
    return Attacks(scale_row(axis, guides), tuple(_attack_row(page, f, axis, guides) for f in tried), samples(page))


def samples(page: Page) -> str:
    """How many patients the attackers could learn from, in words; "" where it is not known."""
    sizes = sorted({int(n) for f in page.result.findings if f.name.startswith("membership.") and math.isfinite(n := f.beside.get("population", math.nan))})
    if not sizes:
        return ""
    many = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    return f"The attackers compared with {many} people of the same population, held out from everything else. Somebody with a larger register reads more."


def _attack_row(page: Page, finding: Finding, axis: Axis, guides: Sequence[Guide]) -> Row:
    base, limit = scale_row_of(page, finding), page.limit(finding)
    if not finding.measured:
        return base
    own = [g for g in guides if g.kind != "limit"] + ([Guide(limit, "limit")] if limit is not None else [])
    shapes: dict[str, tuple[Mark, str]] = {"bad": ("diamond", "bad"), "wait": ("ring", "made"), "short": ("down", "made")}
    shape, kind = shapes.get(base.tone, ("dot", "made"))
    bar = Estimate(finding.value, scale(finding).low, scale(finding).high, shape, kind)
    return replace(base, chart=row(axis, own, [bar], sentence(finding, limit)))


def rules(page: Page) -> tuple[tuple[RuleRow, ...], tuple[str, ...]]:
    """Each rule on the synthetic and on the train table; of many rules, those that hold everywhere by name only."""
    source = {f.where: f for f in page.source_rules}
    out: list[RuleRow] = []
    quiet: list[RuleRow] = []
    for f in page.rules:
        before = source.get(f.where)
        tone: Tone = "none" if not f.measured or (f.value == 0 and f.where not in page.rule_texts) else "bad" if f.value > 0 else "good"
        row = RuleRow(f.where, page.rule_texts.get(f.where, ""), _broken(f), _broken(before) if before else "–", tone)
        plain = tone in ("good", "none") and f.measured and (before is None or before.value == 0)
        (quiet if plain and len(page.rules) > FEW else out).append(row)
    return tuple(out), tuple(r.name for r in quiet)


def _broken(finding: Finding) -> str:
    if not finding.measured:
        return f"not measured: {finding.missing}"
    return f"{words.percent(finding.value)} of {words.count(finding.n, 'row')}"
