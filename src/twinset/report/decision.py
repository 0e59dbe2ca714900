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
TONES: dict[str, Tone] = {"pass": "good", "fail": "bad", "inconclusive": "wait", "not measured": "none"}
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
    """The verdict in words, who made it ("" where nothing is promised), each limit with its tone, and the tests as advice."""

    headline: str
    tone: Tone
    body: str
    by: str
    limits: tuple[tuple[Tone, str, str], ...]  # tone, outcome, sentence
    notes: tuple[str, ...]
    advice: Advice | None


def decision(page: Page) -> Decision:
    """The content of the first section."""
    if page.decided_by == ROWS:
        head, body = words.VERDICTS[page.verdict]
        if page.released is not None:
            head += f", {'released' if page.released else 'not released'}"
        return Decision(head, TONES[page.verdict], body, BY_ROWS if page.certificate is not None else "", (), page.reasons, None)
    released = page.verdict == "pass"
    limits = tuple((TONES[outcome], outcome, words.sentence(reason)) for outcome, reason in page.decided_from)
    told = {reason for _, reason in page.decided_from}
    notes = tuple(r for r in page.reasons[0 if not released else 1 :] if r not in told)
    advice = _advice(page, page.tested) if page.tested else None
    return Decision("Released" if released else "Not released", "good" if released else "bad", KEPT if released else BROKEN, BY_OUTPUT, limits, notes, advice)


def _advice(page: Page, tested: Tested) -> Advice:
    alarms = tuple(_beyond(page)) + tuple(_unread(page.reading))
    if tested.verdict == "fail":
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
