"""The distances that a release's audit would read, column by column and pair by pair."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from twinset.audit.fidelity import FIDELITY
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.core.seeds import stream

ALL = 1_000_000


@dataclass(frozen=True)
class Distances:
    """Total variation distances between a release and its train rows: means, one by one; the pairs' mean for fresh patients (``floor``) and for independent columns."""

    columns: float
    pairs: float
    floor: float
    independent: float
    by_column: dict[str, float]
    by_pair: dict[str, float]


def distances(train: Cohort, synthetic: Cohort) -> Distances:
    """Measured by the metrics ``columns`` and ``pairs`` of the audit. NaN for pairs where there is one column only."""
    trial = Trial(train, synthetic)
    columns = _by_place(FIDELITY["columns"](worst=ALL).measure(trial, stream(0, "plan audit")))
    pairs = _by_place(FIDELITY["pairs"](worst=ALL).measure(trial, stream(0, "plan audit")))
    column, pair = columns.pop(""), pairs.pop("")
    floor = pair.beside.get("floor", math.nan)
    apart = float(pair.beside.get("independent", math.nan))
    return Distances(column.value, pair.value, float(floor), apart, {k: f.value for k, f in columns.items()}, {k: f.value for k, f in pairs.items()})


def _by_place(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {f.where: f for f in findings}
