"""Time to an event by arm: Kaplan-Meier, log-rank, Cox."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twinset.audit.endpoints.curves import curve, gap_finding, logrank_finding
from twinset.audit.endpoints.declared import faults
from twinset.audit.endpoints.hazards import Z95, Hazards, cox, kaplan_meier, two_sided
from twinset.core.cohort import Cohort
from twinset.core.contracts import Curve, Effect, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.schema import Level, Schema, level_text
from twinset.core.seeds import Rng
from twinset.errors import SchemaMismatch, StudyInvalid, collect

N_TIMES = 60


@dataclass(frozen=True)
class Survival:
    """A time-to-event endpoint: the time's column, the event's column (``event_value`` = it happened), and the arm's, if any.

    ``estimate`` gives the log hazard ratio of each arm against ``reference`` (the first level where None) from one Cox model with arms only,
    ties by Efron. Patients with a missing time, event or arm are left out. Not for competing risks or repeated events.
    """

    name: str
    time: str
    event: str
    event_value: Level = 1
    arm: str = ""
    reference: Level | None = None

    def estimate(self, cohort: Cohort) -> Sequence[Effect]:
        """One effect per arm but the reference. Empty without arms, or where no finite estimate exists (``reason`` says why)."""
        arms, fitted = self.arms(cohort), self._fit(cohort)
        if fitted is None:
            return ()
        fit, used, sizes = fitted
        errors = np.sqrt(np.diag(fit.covariance))
        rows = zip(used[1:], fit.coefficients.tolist(), errors.tolist(), strict=True)
        return tuple(_effect(f"{self.arm} {arms[i]} against {arms[0]}", value, error, int(sizes[0] + sizes[j])) for j, (i, value, error) in enumerate(rows, 1))

    def correlation(self, cohort: Cohort) -> np.ndarray:
        """Of the estimates that ``estimate`` gives, in its order, shape (effects, effects)."""
        fitted = self._fit(cohort)
        covariance = fitted[0].covariance if fitted else np.zeros((0, 0))
        errors = np.sqrt(np.diag(covariance))
        return np.asarray(covariance / np.outer(errors, errors))

    def _fit(self, cohort: Cohort) -> tuple[Hazards, list[int], np.ndarray] | None:
        """Cox's model with the arms that are present, their places in ``arms`` and their sizes; ``None`` where there is no finite estimate."""
        patients = self.patients(cohort)
        if self.reason(cohort):
            return None
        used = [i for i in range(len(self.arms(cohort))) if i == 0 or (patients.group == i).any()]
        place = np.searchsorted(used, patients.group)
        fit = cox(patients.time, patients.event, place)
        return (fit, used, np.bincount(place)) if fit.settled else None

    def reason(self, cohort: Cohort) -> str:
        """Why there is no effect to estimate; "" where there is. Columns, never values."""
        if not self.arm:
            return "no arm is declared: only the curve can be compared"
        patients = self.patients(cohort)
        present = np.bincount(patients.group, minlength=2)
        if present[0] == 0 or (present > 0).sum() < 2:
            return "the reference arm and a second arm are not both present"
        deaths = np.bincount(patients.group[patients.event], minlength=len(present))
        if ((present > 0) & (deaths == 0)).any():
            return "an arm has no event, so its hazard ratio is not finite"
        if not np.isfinite(patients.time).all():
            return "a time is not finite"
        return ""

    def problems(self, schema: Schema) -> Sequence[str]:
        """What keeps it from being estimated on rows of this schema, in sentences; none where nothing does."""
        levels = {"event_value": (self.event, self.event_value), "reference": (self.arm, self.reference)}
        return faults({"time": self.time, "event": self.event, "arm": self.arm}, levels, schema)

    def constraint(self, trial: Trial) -> str:
        """Why agreement is imposed by the generator rather than replicated; "" where it is not."""
        strata = {x.strip() for x in trial.notes.get("strata", "").split(",")}
        if self.event in strata or "event" in strata:
            return "the generator was stratified by the event, which imposes the train hazard ratio."
        return ""

    def compare_curves(self, trial: Trial, rng: Rng) -> tuple[Sequence[Finding], Sequence[Curve]]:
        """Curves of train and synthetic patients per arm, the largest gap of each arm, and the log-rank decision where there are arms."""
        cohorts = {"train": trial.train, "synthetic": trial.synthetic} | ({} if trial.holdout is None else {"holdout": trial.holdout})
        arms = self.arms(trial.train)
        patients = {k: self.patients(c, arms) for k, c in cohorts.items()}
        if not len(patients["train"].time):
            return (not_measured("endpoint.curve", "no train patient has both a time and an event indicator", where=self.name, label="Survival curve"),), ()
        times = grid(trial.train.column(self.time).high or _round_up(patients["train"].time))
        apart = (patients["train"].time, rng.permutation(patients["train"].event))
        findings, drawn = [], []
        for i in range(max(1, len(arms))):
            arm = f"{self.arm} {arms[i]}" if arms else ""
            parts = {k: (p.time[p.group == i], p.event[p.group == i]) for k, p in patients.items()}
            parts["independent"] = apart
            findings.append(gap_finding(self.name, arm, parts, times, rng))
            shown = [k for k in ("train", "synthetic") if len(parts[k][0])]
            drawn += [curve(self.name, k, arm, kaplan_meier(*parts[k], times), times) for k in shown]
        return (*self._logrank(trial, patients), *findings), drawn

    def _logrank(self, trial: Trial, patients: dict[str, Patients]) -> Sequence[Finding]:
        reasons = [self.reason(c) for c in (trial.train, trial.synthetic)]
        if not self.arm or any(reasons):
            why = next((r for r in reasons if r), "")
            return (not_measured("endpoint.logrank", why, better="higher", where=self.name, label="Log-rank decision kept"),)
        groups = {k: (p.time, p.event, np.unique(p.group, return_inverse=True)[1]) for k, p in patients.items()}
        return (logrank_finding(self.name, groups, len(trial.synthetic) / len(trial.train), self.constraint(trial)),)

    def arms(self, cohort: Cohort) -> tuple[Level, ...]:
        """The levels of the arm, the reference first; empty without arms."""
        if not self.arm:
            return ()
        column = cohort.column(self.arm)
        levels = column.levels or tuple(cohort[self.arm].drop_nulls().unique().sort().to_list())
        if self.reference is None:
            return tuple(levels)
        known = next((x for x in levels if level_text(x) == level_text(self.reference)), None)  # a file may hold "2" as 2
        if known is None and column.levels and column.origin != "noisy":  # levels that were found can lack it: then nothing is measured
            raise StudyInvalid("the reference is not a level of the arm", where=f"endpoint {self.name}", hint=f"write it as in column `{self.arm}`")
        first = self.reference if known is None else known
        return (first, *(x for x in levels if x != first))

    def patients(self, cohort: Cohort, arms: tuple[Level, ...] | None = None) -> Patients:
        """Time, event and arm (position in ``arms``, by default the cohort's own) of every patient who has them. Raises SchemaMismatch where a column is absent or of the wrong kind."""
        self.check(cohort.schema)
        arms = self.arms(cohort) if arms is None else arms
        time = cohort[self.time].cast(pl.Float64, strict=False)
        event = equals(cohort[self.event], self.event_value)
        group = pl.Series(np.zeros(len(cohort), dtype=np.int64)) if not arms else positions(cohort[self.arm], arms)
        keep = (time.is_not_null() & time.is_finite().fill_null(False) & event.is_not_null() & group.is_not_null()).to_numpy()
        rows = np.flatnonzero(keep)
        return Patients(
            time.to_numpy()[rows].astype(np.float64), event.fill_null(False).to_numpy()[rows], group.fill_null(-1).to_numpy()[rows].astype(np.int64)
        )

    def check(self, schema: Schema) -> None:
        """Raises SchemaMismatch unless the columns are there and the time is a number."""
        names = [n for n in (self.time, self.event, self.arm) if n]
        problems = [f"no column `{n}`" for n in names if n not in schema]
        if self.time in schema and schema[self.time].kind not in ("number", "integer", "category"):
            problems.append(f"`{self.time}` is not a number")
        if problems:
            raise SchemaMismatch(collect(problems), where=f"endpoint {self.name}", hint="name the columns as in the table")


@dataclass(frozen=True, repr=False)
class Patients:
    """``time`` float64, ``event`` bool, ``group`` position of the arm (0 = reference), all (n,)."""

    time: np.ndarray
    event: np.ndarray
    group: np.ndarray


def grid(longest: float) -> np.ndarray:
    """About 60 round times from 0 to just past ``longest``: a step of 1, 2, 2.5 or 5 times a power of ten.

    >>> grid(1231)[:3], len(grid(1231))
    (array([ 0., 25., 50.]), 51)
    """
    if not longest > 0:
        return np.array([0.0])
    rough = longest / N_TIMES
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10, 20) if unit * m >= rough)
    return np.arange(math.ceil(longest / step) + 1) * step


def _round_up(time: np.ndarray) -> float:
    """The time by which 99 % of patients have left, to two digits: never one patient's own last day."""
    late = float(np.quantile(time, 0.99))
    unit = 10.0 ** (math.floor(math.log10(late)) - 1) if late > 0 else 1.0
    return math.ceil(late / unit) * unit


def _effect(contrast: str, value: float, error: float, n: int) -> Effect:
    return Effect(contrast, value, error, value - Z95 * error, value + Z95 * error, two_sided(value / error), n)


def equals(series: pl.Series, level: Level) -> pl.Series:
    """Whether each cell is this level, whatever the type it is stored in; null stays null."""
    if series.dtype == pl.String:
        return series == str(level)
    if isinstance(level, str):
        return series.cast(pl.String) == level
    if series.dtype == pl.Boolean:
        return series == bool(level)
    return series.cast(pl.Float64) == float(level)


def positions(series: pl.Series, arms: tuple[Level, ...]) -> pl.Series:
    """Int64 (n,): the place of each cell's level in ``arms``; null where it is none of them."""
    out = np.full(len(series), -1, dtype=np.int64)
    for i, level in enumerate(arms):
        out[equals(series, level).fill_null(False).to_numpy()] = i
    return pl.Series(out).replace(-1, None)
