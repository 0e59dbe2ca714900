"""What a sweep found, without markup: its points, what is recommended, what it is to the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from twinset.core.finding import Finding
from twinset.report import words


@dataclass(frozen=True)
class Spot:
    """One point of a sweep. ``epsilon`` None: the generator promises nothing; ``missing``: why it could not be made."""

    epsilon: float | None
    generator: str
    repeat: int
    findings: tuple[Finding, ...]
    rho: float = math.inf
    missing: str = ""


@dataclass(frozen=True)
class Advice:
    """The recommended epsilon of a generator, or why there is none; ``differs``: at each epsilon, what is worse there than at the largest."""

    generator: str
    epsilon: float | None
    reason: str
    notes: tuple[str, ...] = ()
    differs: Mapping[float, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bill:
    """What the sweep is to the ledger. ``rho``, ``epsilon``: of all private points together; ``costs``: rho of one point at each epsilon."""

    published: bool
    in_ledger: bool
    n_points: int
    rho: float
    epsilon: float
    costs: Mapping[float, float]
    seeing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frontier:
    """Everything the page of a sweep shows. ``advice``: the first is the page's recommendation."""

    title: str
    unit: str
    relation: str
    delta: float
    per_patient: int
    n_train: int
    n_holdout: int
    n_patients: int
    repeats: int
    spots: tuple[Spot, ...]
    advice: tuple[Advice, ...]
    bill: Bill

    @property
    def epsilons(self) -> tuple[float, ...]:
        return tuple(sorted({s.epsilon for s in self.spots if s.epsilon is not None}))

    @property
    def generators(self) -> tuple[str, ...]:
        """In the order of the legend: private ones as recommended, then those that promise nothing."""
        return tuple(dict.fromkeys([*(a.generator for a in self.advice), *(s.generator for s in self.spots)]))

    def at(self, generator: str, epsilon: float | None, key: tuple[str, str]) -> list[Finding]:
        """This measure in every repeat of a point; unmeasured ones left out."""
        spots = (s for s in self.spots if (s.generator, s.epsilon) == (generator, epsilon))
        return [f for s in spots for f in s.findings if (f.name, f.where) == key and f.measured]


def title_of(finding: Finding) -> str:
    """A measure's name with its place, short enough for a head."""
    label = words.label(finding)
    if not finding.where or finding.where in label or finding.name.startswith("fidelity."):
        return label
    return f"{label}, {finding.where}"
