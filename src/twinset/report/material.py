"""What a report is made from: figures and words that may stand on the custodian's page, never a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from twinset.core.contracts import AuditResult
from twinset.core.finding import Finding
from twinset.core.scale import Standing, standing

Verdict = Literal["pass", "fail", "inconclusive", "control unusable", "of no use"]


@dataclass(frozen=True)
class Attempts:
    """The runs on this table so far, this one included: its number, how many of those before were refused, were released, came to no end; the seeds tried."""

    number: int
    refused: int
    released: int
    unfinished: int
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Tested:
    """What the policy's checks on patients' rows said where they did not decide: ``released`` is what they would have ended in."""

    verdict: Verdict
    released: bool
    reasons: tuple[str, ...]
    settles: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """Everything one report shows, in plain types. Nothing here is a cell value or a row.

    Attributes:
        title: name of the study.
        generator, settings: what made the cohort, and its settings as written in the study.
        n_train, n_holdout, n_synthetic: patients seen by the generator, kept aside, and synthetic rows made.
        copies: how many copies were made; fixed before anything was scored.
        policy, audience: name of the policy, and for whom the release is meant.
        verdict, reasons, settles: the gate's answer, why, and what would settle or change it.
        result: findings, comparisons of endpoints and survival curves.
        limits: the policy's limits, by ``name`` or ``name@where``.
        rules, source_rules: ``rules.broken`` findings on the synthetic and on the train table.
        n_redrawn: cells drawn again so that the rules hold.
        ledger: ``Ledger.to_dict()``.
        provenance: versions, seeds, checksums, in the order to show.
        columns: (name, kind, role) of every column of the source.
        released: whether the release folder was written; None where the caller does not say.
        rule_texts: what each rule says, by name, as its author wrote it; never a bound that was read from the rows.
        certificate: of a private release, what ``release/certificate.json`` says; else None.
        decided_by: what the verdict was made from: "real rows", or "the certificate and the output".
        decided_from: of the latter, (outcome, reason) of each limit.
        tested: what the checks on patients' rows said where they did not decide; else None.
        reading: how many cells and lines of the file could not be read as declared (``door.Reading``); empty where not counted.
        unlisted: by column, the share of patients in levels that were not found within the budget.
        accepted: why an inconclusive verdict was released all the same, in the custodian's words; "" where it was not.
        attempts: the runs on this table so far; None where they are not counted (no file).
        refused: the checks on patients' rows that failed, as ``name`` or ``name@where``; None where that is not known.
    """

    title: str
    generator: str
    settings: Mapping[str, str]
    n_train: int
    n_holdout: int
    n_synthetic: int
    copies: int
    policy: str
    audience: str
    verdict: Verdict
    reasons: tuple[str, ...]
    settles: tuple[str, ...]
    result: AuditResult
    limits: Mapping[str, float]
    rules: tuple[Finding, ...]
    source_rules: tuple[Finding, ...]
    n_redrawn: int
    ledger: Mapping[str, Any]
    provenance: Mapping[str, str]
    columns: tuple[tuple[str, str, str], ...]
    released: bool | None = None
    rule_texts: Mapping[str, str] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None
    decided_by: str = "real rows"
    decided_from: tuple[tuple[str, str], ...] = ()
    tested: Tested | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    unlisted: Mapping[str, float] = field(default_factory=dict)
    accepted: str = ""
    attempts: Attempts | None = None
    refused: tuple[str, ...] | None = None

    def limit(self, finding: Finding) -> float | None:
        """The policy's limit on the figure: the one for its ``where`` if there is one, else for its name; None where it is no mark on the figure's scale.

        That is so of a test of the hold-out, whose p is limited, and of an exact test whose limit lies below chance, so that its p alone decides.
        """
        limit = self._limit(finding)
        free = finding.name.startswith("control.") or ("p" in finding.beside and limit is not None and limit < finding.beside.get("chance", limit))
        return None if free else limit

    def checked(self, finding: Finding) -> bool:
        """Whether the policy asks for this finding."""
        return self._limit(finding) is not None

    def standing(self, finding: Finding) -> Standing:
        """The outcome of a finding under this page's policy, as the gate decided it."""
        keys = {finding.name, f"{finding.name}@{finding.where}"}
        return standing(finding, self._limit(finding), refused=None if self.refused is None else bool(keys & set(self.refused)))

    def _limit(self, finding: Finding) -> float | None:
        return self.limits.get(f"{finding.name}@{finding.where}", self.limits.get(finding.name))
