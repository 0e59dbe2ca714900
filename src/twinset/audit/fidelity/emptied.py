"""Columns that came out blank, or with one value only, and were not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinset.core.contracts import Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

RARE = 10.0  # a second value that fewer rows than this should hold may go missing by chance: once in 20,000 columns at ten rows (Poisson)
SILENT = "Columns that vary and mean nothing: single columns and pairs tell those."


@dataclass(frozen=True)
class Emptied:
    """``fidelity.emptied``: how many columns hold no value, or one value only, in the synthetic table though train's patients differ in them.

    A column of which fewer than ten synthetic rows should hold anything but its commonest value is not counted: it may come out constant by chance.
    One finding for the whole, one for each such column. 0 is good; 1 is too many.
    """

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        names = [n for n in trial.train.schema.synthesised.names if n in trial.synthetic.schema]
        if not names or not len(trial.synthetic):
            return [not_measured("fidelity.emptied", "there is no column, or no row", label="Emptied columns")]
        lost = [n for n in names if _varied(trial, n) and trial.synthetic[n].drop_nulls().n_unique() < 2]
        says = (
            "No column came out blank or constant that was not." if not lost else f"{len(lost)} of {len(names)} columns came out blank or with one value only."
        )
        parts = [_finding(1, 1, n, f"Column `{n}` came out blank or with one value only; in patients it varies.") for n in lost[:20]]
        return [_finding(len(lost), len(names), "", says), *parts]


def _varied(trial: Trial, name: str) -> bool:
    """Whether so many synthetic rows as there are should show a second value."""
    held = trial.train[name].drop_nulls()
    if not len(held):
        return False
    others = len(held) - int(held.value_counts()["count"].max())  # type: ignore[arg-type]
    return held.n_unique() > 1 and others / len(trial.train) * len(trial.synthetic) >= RARE


def _finding(k: int, n: int, where: str, says: str) -> Finding:
    return Finding("fidelity.emptied", k, k, k, n, "lower", {"floor": 0.0, "independent": 1.0}, where, says, SILENT, label="Emptied columns")
