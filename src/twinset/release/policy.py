"""What a release must show before it may leave. A policy is data: it stands in the study file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Check(BaseModel):
    """A limit on one finding.

    ``rule = "must"``: the whole interval has to lie on the good side, else the verdict is inconclusive.
    ``rule = "veto"``: for small groups, whose intervals are always wide: only a leak that is *shown* counts, but it refuses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding: str
    where: str = ""
    limit: float
    rule: Literal["must", "veto"] = "must"
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


class Policy(BaseModel):
    """Name, checks, and what to do where a check cannot decide.

    ``power``: the widest half-interval of a ``must`` check that still counts as measured; beyond it, or where a check was
    not measured at all (no hold-out), the release is refused: a test too weak to see anything clears nobody.
    ``inconclusive``: what happens when a measured check straddles its limit: "release" with the fact on the first screen, or "refuse".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "external researchers, v1"
    checks: tuple[Check, ...] = DEFAULT_CHECKS
    power: float = Field(0.15, gt=0)
    inconclusive: Literal["release", "refuse"] = "release"
