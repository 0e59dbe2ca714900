"""The first lines of a report: what was decided, by what, and, where they did not decide, what the tests on patients' rows would have said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twinset.core.finding import Finding
from twinset.core.scale import Tone, is_attack
from twinset.report import words
from twinset.report.material import Page, Tested

ROWS = "real rows"
TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "inconclusive": "wait"}
KEPT = "Every limit that the policy sets on the certificate and on the synthetic rows is kept."
BROKEN = (
    "At least one limit that the policy sets on the certificate or on the synthetic rows is broken. These limits are about use; the promise holds either way."
)
BY_OUTPUT = "Decided by the certificate and the synthetic rows, before any test ran. No patient’s row was read for it, so whether a release exists tells nothing that was not paid for."
BY_ROWS = "Decided by tests on patients’ rows (policy.decision = “audit”). Whether a release exists is seen by everybody, and the promise does not cover it."
MUCH = 0.05  # a column of which more cells than this could not be read is told on the first screen
LEFT_OUT = {"malformed": "lines that are no rows of the table", "unnamed": "rows that do not name their patient"}


@dataclass(frozen=True)
class Advice:
    """What the tests on patients' rows say where they did not decide; ``alarms``: what the promise itself rules out, or nearly all of a column lost."""

    tone: Tone
    headline: str
    body: str
    reasons: tuple[str, ...]
    settles: tuple[str, ...]
    alarms: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """The verdict in words, who made it ("" where nothing is promised), each limit with its tone, and the tests as advice.

    ``lines``: what else belongs to the verdict: the promise, why an undecided release was accepted, the runs before.
    """

    headline: str
    tone: Tone
    body: str
    by: str
    lines: tuple[str, ...]
    limits: tuple[tuple[Tone, str, str], ...]  # tone, outcome, sentence
    notes: tuple[str, ...]
    advice: Advice | None


def decision(page: Page) -> Decision:
    """The content of the first section."""
    head, tone = headline(page)
    lines = tuple(line for line in (promised(page), accepted(page), tried(page)) if line)
    if page.decided_by == ROWS:
        by = BY_ROWS if page.certificate is not None else ""
        return Decision(head, tone, words.VERDICTS[page.verdict][1], by, lines, (), page.reasons, None)
    kept = page.verdict == "pass"
    limits = tuple((TONES.get(outcome, "none"), outcome, words.sentence(reason)) for outcome, reason in page.decided_from)
    told = {reason for _, reason in page.decided_from}
    notes = tuple(r for r in page.reasons[1 if kept else 0 :] if r not in told)
    body = KEPT if kept else words.VERDICTS[page.verdict][1] if page.verdict == "of no use" else BROKEN
    return Decision(head, tone, body, BY_OUTPUT, lines, limits, notes, _advice(page, page.tested) if page.tested else None)


def leaves(page: Page) -> bool:
    """Whether the rows leave, or, where nobody said (an audit of a table that somebody else made), may leave."""
    return page.released if page.released is not None else page.verdict == "pass" or bool(page.accepted)


def headline(page: Page) -> tuple[str, Tone]:
    """The first line of page, terminal and JSON: whether it leaves, then the reason in a few words."""
    out = leaves(page)
    first = ("Released" if out else "Not released") if page.released is not None else ("May be released" if out else "Should not be released")
    tone: Tone = "good" if out else "bad"
    if page.verdict == "inconclusive":
        tone = "wait"
    return f"{first}: {_why(page)}", tone


def _why(page: Page) -> str:
    if page.verdict == "inconclusive":
        said = words.VERDICTS["inconclusive"][0]
        return f"{said}, and accepted by the custodian" if page.accepted else f"{said}, which this policy releases" if page.released else said
    if page.decided_by != ROWS:
        kept = page.verdict == "pass"
        return (
            "private, and within the policy’s limits"
            if kept
            else "private, but " + ("of no use" if page.verdict == "of no use" else "beyond the policy’s limits")
        )
    if page.verdict == "of no use" and page.certificate is not None:
        return "private, but of no use"
    if page.verdict != "fail":
        return words.VERDICTS[page.verdict][0]
    found = [words.stands(f, page.standing(f), page.limit(f)) for f in page.result.findings if page.checked(f)]
    leaks, over = found.count("leak shown"), found.count("beyond the limit")
    broken = sum(f.measured and f.value > 0 for f in page.rules)
    shown = [f"{words.count(leaks, 'leak')} shown"] if leaks else []
    shown += [f"{words.count(over, 'check')} beyond the limit"] if over else []
    shown += [f"{words.count(broken, 'rule')} broken"] if broken else []
    return ", ".join(shown) or words.VERDICTS["fail"][0]


def promised(page: Page) -> str:
    """What a private release promises, in one line; "" where nothing is promised."""
    told = page.certificate
    if told is None:
        return ""
    who = "row" if told["unit"] == "row" else f"patient (column `{told['unit']}`)" if told["unit"] != "patient" else "patient"
    right = f"{100 * float(told['attacker']['guess']):.1f} %"
    return (
        f"Promised to each {who}: epsilon = {told['epsilon']:g} at delta = {words.short(told['delta'])}. "
        f"An attacker who knows everything else is right at most {right} of the time about one {'row' if told['unit'] == 'row' else 'patient'}; 50 % is a coin"
    )


def accepted(page: Page) -> str:
    """Why an undecided release left all the same; "" where it did not."""
    return f"Accepted by the custodian although the tests could not tell: “{page.accepted}”" if page.accepted else ""


def tried(page: Page) -> str:
    """The runs on this table so far, where there was one before; "" else."""
    a = page.attempts
    if a is None or a.number <= 1:
        return ""
    before = [f"{n} {what}" for n, what in ((a.refused, "refused"), (a.released, "released"), (a.unfinished, "came to no end")) if n]
    seeds = f" (seeds {', '.join(map(str, a.seeds))})" if a.seeds else ""
    end = "th" if a.number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(a.number % 10, "th")
    told = f": {', '.join(before)} before" if before else ""
    many = ". Whoever tries often enough passes by chance" if a.refused else ""
    return f"{a.number}{end} attempt on this table{told}{seeds}{many}"


def _advice(page: Page, tested: Tested) -> Advice:
    alarms = tuple(_beyond(page)) + tuple(_unread(page.reading))
    if tested.verdict in ("fail", "control unusable"):
        head = "Warning: these tests would have refused this release"
        body = (
            "They did not decide. If the promise holds, a leak that is shown here is chance, or a policy stricter than the promise; if it is neither, look for what the promise takes as "
            "given: does one patient have several rows, were rules, levels or bounds marked public that were read from the rows? You may hold the release back. That is then a "
            "decision on patients’ rows too, and is seen."
        )
        return Advice("bad", head, body, tested.reasons, tested.settles, alarms)
    if tested.verdict == "inconclusive":
        head = "These tests show no breach of the policy, and do not rule one out"
        if not tested.released:
            head = "Warning: these tests are too weak to say anything, and would have refused this release"
        body = "They did not decide: the promise does not rest on them."
        return Advice("wait", head, body, tested.reasons, tested.settles, alarms)
    if tested.verdict == "of no use" or any(page.standing(f) == "useless" for f in page.result.findings):
        body = "They did not decide: the promise holds either way, and nothing of this is about privacy."
        return Advice("bad", "Warning: by these tests what was made is of no use", body, tested.reasons, tested.settles, alarms)
    return Advice("good", "These tests alone would have released it", "They did not decide: the promise does not rest on them.", tested.reasons, (), alarms)


def _beyond(page: Page) -> list[str]:
    """Attacks whose whole interval lies above what the promise allows anybody: an area under a curve that is at most ``gain`` above the diagonal."""
    if page.certificate is None:
        return []
    gain = float(page.certificate["attacker"]["advantage"])
    most = 0.5 + gain - gain**2 / 2
    found = [f for f in page.result.findings if f.measured and f.name.startswith("membership.") and is_attack(f) and f.low > most]
    return [_alarm(f, most) for f in found]


def _alarm(finding: Finding, most: float) -> str:
    return (
        f"{words.full_label(finding)} succeeds more often than the promise allows anybody: {words.estimate(finding)}, and at most {words.number(most)} is possible. "
        "Either this is chance (1 in 40 of such lines), or the promise is broken. Do not pass the release on before you know which"
    )


def _unread(reading: Mapping[str, Any]) -> list[str]:
    """Columns that were lost in reading, and people who have several rows where each row is promised to."""
    rows = reading.get("n_rows", 0)
    lost = [(name, cells / rows) for name, cells in reading.get("unread", {}).items() if rows and cells > MUCH * rows]
    out = [
        f"{words.percent(share)} of column `{name}` could not be read as declared, and counts as missing" for name, share in sorted(lost, key=lambda p: -p[1])
    ]
    for key, what in LEFT_OUT.items():
        if rows and reading.get(key, 0) > MUCH * rows:
            out.append(f"{words.percent(reading[key] / rows)} of the rows were left out: {what}")
    for name, most in reading.get("repeats", {}).items():
        out.append(
            f"column `{name}` identifies people, and up to {words.count(most, 'row')} share one: the promise is to each row, and for such a person epsilon is {most} times as large. "
            "Name the column as `data.unit` and `privacy.unit`, and bound the rows with `data.per_patient`"
        )
    return out


def changed(reading: Mapping[str, Any]) -> str:
    """How many cells of an open table became missing or ``other`` because they lay outside what is declared, by column; "" where none did."""
    rows = int(reading.get("n_rows", 0))
    cells = ", ".join(f"`{name}` {n:,} ({words.percent(n / rows)})" for name, n in reading.get("outside", {}).items() if rows and n)
    return f"Cells outside the declared levels or bounds, made missing or “other” as the study says: {cells}" if cells else ""


@dataclass(frozen=True)
class Reading:
    """How the file was read, and what of it the model does not know: lines of two small tables."""

    lines: tuple[tuple[str, str, str], ...]  # column (or "whole lines"), cells, share
    clean: str
    unlisted: tuple[tuple[str, str], ...]


def reading(page: Page) -> Reading | None:
    """The section's content; ``None`` where nothing was counted."""
    if not page.reading and not page.unlisted:
        return None
    rows = int(page.reading.get("n_rows", 0))
    unread = sorted(page.reading.get("unread", {}).items(), key=lambda p: (-p[1], p[0]))
    lines = [(name, f"{cells:,}", words.percent(cells / rows) if rows else "–") for name, cells in unread if cells]
    for key, what in LEFT_OUT.items():
        if n := int(page.reading.get(key, 0)):
            lines.insert(0, (what, f"{n:,}", words.percent(n / rows)))
    if outside := changed(page.reading):
        return Reading((), f"{words.count(rows, 'row')}. {outside}", ())
    clean = f"{words.count(rows, 'row')}; every {'other ' if lines else ''}cell could be read as declared" if page.reading else ""
    if sampled := int(page.reading.get("sampled", 0)):
        clean += f". The file was counted in place; the tests saw a sample of {words.count(sampled, 'row')}"
    shares = tuple((name, words.percent(share)) for name, share in sorted(page.unlisted.items(), key=lambda p: (-p[1], p[0])))
    return Reading(tuple(lines), clean, shares)
