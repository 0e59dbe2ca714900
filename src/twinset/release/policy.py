"""What a release must show before it may leave. A policy is data: it stands in the study file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Check(BaseModel):
    """A limit on one finding.

    ``rule = "must"``: the whole interval has to lie on the good side, else the verdict is inconclusive.
    ``rule = "veto"``: for small groups, whose intervals are always wide: only a leak that is *shown* counts, but it refuses. Where the finding carries
        an exact ``p`` (beside), shown means beyond the limit and significant, after Holm over all such vetoes (policy ``level``), or below the check's own ``p``;
        without one, the whole interval beyond the limit.
    ``rule = "control"``: a test of the hold-out itself; ``limit`` is the smallest ``p`` that it may have. Below it nothing that leans on the hold-out counts.
    ``rule = "useful"``: how many figures of this name may be worse than independent columns.
    ``needed``: whether a check that could not be measured refuses. It does not where the finding says that the question does not arise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding: str
    where: str = ""
    limit: float
    rule: Literal["must", "veto", "control", "useful"] = "must"
    label: str = ""
    p: float | None = Field(None, gt=0, lt=1, description="of a veto: the p below which it is shown, instead of the policy's level over all vetoes")
    needed: bool = True

    @property
    def key(self) -> str:
        return f"{self.finding}@{self.where}" if self.where else self.finding


DEFAULT_CHECKS = (
    Check(finding="control.overlap", limit=0.001, rule="control", label="hold-out patients who are train patients"),
    Check(finding="control.population", limit=0.001, rule="control", label="hold-out and train are of one population"),
    Check(finding="control.seen", limit=0.001, rule="control", label="hold-out patients whom the release knows"),
    Check(finding="control.impossible", limit=0.001, rule="control", label="attacks below chance"),
    Check(finding="privacy.copies", limit=0.001, rule="veto", label="copies of patients beyond what chance gives"),
    Check(finding="privacy.verbatim", limit=0, rule="veto", needed=False, label="word-for-word copies of patients whom nobody resembles"),
    Check(finding="privacy.tail", limit=0, rule="veto", p=0.001, label="train patients among the most exposed"),
    Check(finding="membership.distance", where="all patients", limit=0.60, label="recognising a patient by distance"),
    Check(finding="membership.distance", where="isolated 5 %", limit=0.60, rule="veto", label="recognising the 5 % most isolated patients"),
    Check(finding="membership.distance", where="isolated 1 %", limit=0.60, rule="veto", needed=False, label="recognising the 1 % most isolated patients"),
    Check(finding="membership.distance.tpr", limit=0.03, rule="veto", needed=False, label="naming a patient with 1 % false alarms"),
    Check(finding="membership.classifier", where="all patients", limit=0.60, label="recognising a patient with a learnt attack"),
    Check(finding="privacy.replay.values", limit=0.60, rule="veto", label="a patient's rare values appearing in the release"),
    Check(finding="privacy.replay.combinations", limit=0.60, rule="veto", label="a patient's rare combinations appearing in the release"),
    Check(finding="fidelity.emptied", limit=0, rule="useful", label="columns that came out blank or with one value only"),
    Check(finding="fidelity.columns", limit=0, rule="useful", label="single columns worse than guessing"),
    Check(finding="fidelity.pairs", limit=0, rule="useful", label="pairs of columns worse than independent ones"),
    Check(finding="fidelity.hellinger", limit=0, rule="useful", label="all columns together worse than independent ones"),
    Check(finding="fidelity.tstr.logistic", limit=0, rule="useful", label="outcomes that cannot be learnt from the synthetic rows (logistic regression)"),
    Check(finding="fidelity.tstr.boosting", limit=0, rule="useful", label="outcomes that cannot be learnt from the synthetic rows (boosting)"),
    Check(finding="fidelity.propensity", limit=0, rule="useful", label="told apart from patients as easily as independent columns are"),
)


class Limits(BaseModel):
    """What a private release has to show on its output and its certificate, which nobody's row is read for again. The section ``[policy.output]``.

    These are about use, not about privacy: epsilon protects the patients whatever they say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    noise: float | None = Field(0.2, gt=0, description="the most that noise may move the share of patients with one value (one standard deviation)")
    blank: int = Field(0, ge=0, description="so many columns may come out without any value")
    single: float = Field(0.25, ge=0, le=1, description="the largest share of columns that may come out with one value only, where others may occur")
    unlisted: float | None = Field(0.5, ge=0, le=1, description="the largest share of a column in levels that were not found")
    foretold: float = Field(
        0.3, ge=0, le=1, description="the largest mean error of single columns that may be foretold before anything is spent (needs privacy.about); 1: no limit"
    )
    epsilon: float | None = Field(None, gt=0, description="the largest epsilon of a release; a study that asks for more is refused before anything is spent")
    warnings: Literal["tell", "refuse"] = Field("tell", description="what the certificate's own warnings do")


class Policy(BaseModel):
    """Name, checks, and what to do where a check cannot decide.

    ``decision``: what decides whether a folder ``release`` is written. "audit": ``checks``, on patients' rows. "output": the limits in ``output``, on the
    certificate and the synthetic rows alone; ``checks`` are advice to the custodian then. Default: "output" where a section [privacy] promises anything, since
    whether a folder appears is seen by everybody and no budget pays for it; else "audit".

    ``power``: the widest half-interval of a ``must`` check that still counts as measured; beyond it, or where a check was
    not measured at all (no hold-out), the release is refused: a test too weak to see anything clears nobody.
    ``level``: the chance that any veto with an exact p refuses a release that leaks nothing (Holm).
    ``inconclusive``: what happens when a measured check straddles its limit: "refuse", or "release". ``reason``: why it is released all the same;
    it is printed on the first screen and for the recipient. A reason releases by itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "external researchers, v2"
    checks: tuple[Check, ...] = DEFAULT_CHECKS
    power: float = Field(0.15, gt=0)
    level: float = Field(0.005, gt=0, lt=1)
    inconclusive: Literal["release", "refuse"] = "refuse"
    reason: str = Field("", max_length=500)
    decision: Literal["audit", "output"] | None = None
    output: Limits = Limits()

    @property
    def accepts(self) -> bool:
        """Whether an inconclusive verdict is released."""
        return self.inconclusive == "release" or bool(self.reason.strip())
