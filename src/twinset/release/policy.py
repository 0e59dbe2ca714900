"""What a release must show before it may leave. A policy is data: it stands in the study file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Check(BaseModel):
    """A limit on one finding.

    ``rule = "must"``: the whole interval has to lie on the good side, else the verdict is inconclusive.
    ``rule = "veto"``: for small groups, whose intervals are always wide: only a leak that is *shown* counts, but it refuses. Where the finding carries
        an exact ``p`` (beside), shown means beyond the limit and significant (Holm over the vetoes); else the whole interval beyond the limit.
    ``rule = "control"``: a test of the hold-out itself; ``limit`` is the smallest ``p`` that it may have. Below it nothing that leans on the hold-out counts.
    ``rule = "useful"``: a count of things that make a table worthless; above ``limit`` it is of no use to anybody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding: str
    where: str = ""
    limit: float
    rule: Literal["must", "veto", "control", "useful"] = "must"
    label: str = ""

    @property
    def key(self) -> str:
        return f"{self.finding}@{self.where}" if self.where else self.finding


DEFAULT_CHECKS = (
    Check(finding="privacy.copies", limit=0.001, rule="veto", label="copies of patients beyond what chance gives"),
    Check(finding="membership.distance", where="all patients", limit=0.60, label="recognising a patient by distance"),
    Check(finding="membership.distance", where="isolated 5 %", limit=0.60, rule="veto", label="recognising the 5 % most isolated patients"),
    Check(finding="membership.distance", where="isolated 1 %", limit=0.60, rule="veto", label="recognising the 1 % most isolated patients"),
    Check(finding="membership.classifier", where="all patients", limit=0.60, label="recognising a patient with a learnt attack"),
    Check(finding="privacy.replay.values", limit=0.60, rule="veto", label="a patient's rare values appearing in the release"),
    Check(finding="privacy.replay.combinations", limit=0.60, rule="veto", label="a patient's rare combinations appearing in the release"),
)


class Limits(BaseModel):
    """What a private release has to show on its output and its certificate, which nobody's row is read for again. The section ``[policy.output]``.

    These are about use, not about privacy: epsilon protects the patients whatever they say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    noise: float | None = Field(0.2, gt=0, description="the most that noise may move the share of patients with one value (one standard deviation)")
    blank: int = Field(0, ge=0, description="so many columns may come out without any value")
    unlisted: float | None = Field(0.5, ge=0, le=1, description="the largest share of a column in levels that were not found")
    epsilon: float | None = Field(None, gt=0, description="the largest epsilon of a release; a study that asks for more is refused before anything is spent")
    warnings: Literal["tell", "refuse"] = Field("tell", description="what the certificate's own warnings do")


class Policy(BaseModel):
    """Name, checks, and what to do where a check cannot decide.

    ``decision``: what decides whether a folder ``release`` is written. "audit": ``checks``, on patients' rows. "output": the limits in ``output``, on the
    certificate and the synthetic rows alone; ``checks`` are advice to the custodian then. Default: "output" where a section [privacy] promises anything, since
    whether a folder appears is seen by everybody and no budget pays for it; else "audit".

    ``power``: the widest half-interval of a ``must`` check that still counts as measured; beyond it, or where a check was
    not measured at all (no hold-out), the release is refused: a test too weak to see anything clears nobody.
    ``inconclusive``: what happens when a measured check straddles its limit: "release" with the fact on the first screen, or "refuse".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "external researchers, v1"
    checks: tuple[Check, ...] = DEFAULT_CHECKS
    power: float = Field(0.15, gt=0)
    inconclusive: Literal["release", "refuse"] = "release"
    decision: Literal["audit", "output"] | None = None
    output: Limits = Limits()
