"""Do 95 % intervals from an open release cover the population? ``python -m bench.coverage [--generators "trees;avatars"] [--trials 100] [--runs 25]``.

A trial of known population (``bench.trials``) is simulated again and again, a generator fitted on it, five copies drawn and analysed. Intervals, each from one copy and from all:

  refits    the custodian's bootstrap: value ± t · sqrt(sd² + max(bias² - sd²/B, 0)) over B refits on as many patients drawn with replacement
  T_s       v (1 + 1/m) of Raab, Nowok and Dibben 2016: what an analyst can do for himself
  naive     the first copy's rows taken for patients
  patients  the patients' own

``bench.effects`` makes the table of the page with it; ``bench.coverage_private`` does the same for releases under a budget.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import polars as pl

from bench import runs
from bench.analyses import Z95, Analysis
from bench.trials import POPULATIONS
from bench.work import done
from twinset.core.cohort import Cohort
from twinset.core.contracts import Effect, Generator
from twinset.core.refits import Refits
from twinset.core.seeds import Rng, stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.refitting.job import Job
from twinset.refitting.run import refit

COPIES = 5
INTERVALS = ("refits", "T_s", "naive", "patients")


@dataclass(frozen=True)
class Cell:
    """What is simulated: a population by name, a generator as ``bench.runs`` spells it, patients, and refits of each trial (0 = none)."""

    population: str
    generator: str
    n: int
    runs: int = 0


@dataclass(frozen=True)
class Measured:
    """One analysis of a cell over its trials: ``shift`` (trials,) of one copy's estimate from train's own; ``error`` (trials,) of train's; intervals by (name, copies)."""

    shift: np.ndarray
    error: np.ndarray
    positive: tuple[float, float]
    intervals: Mapping[tuple[str, int], tuple[np.ndarray, np.ndarray]]

    def covers(self, name: str, copies: int, truth: float) -> float:
        low, high = self.intervals[name, copies]
        return float(np.mean((low <= truth) & (truth <= high)))

    def width(self, name: str, copies: int) -> float:
        """In units of the patients' own interval, means over trials."""
        (low, high), (own_low, own_high) = self.intervals[name, copies], self.intervals["patients", 1]
        return float(np.mean(high - low) / np.mean(own_high - own_low))


@dataclass(frozen=True)
class Declared:
    """Analyses as an endpoint that a study declares: a contrast each."""

    analyses: Mapping[str, Analysis]
    name: str = "analyses"

    def estimate(self, cohort: Cohort) -> list[Effect]:
        found = {k: a(cohort.frame) for k, a in self.analyses.items()}
        return [Effect(k, value, error, value - Z95 * error, value + Z95 * error, math.nan, len(cohort)) for k, (value, error) in found.items()]


def once(population: str, generator: str, n: int, runs_: int, seed: int) -> dict[str, Any]:
    """One trial: ``own`` [estimate, error] by analysis, ``made`` the same of each copy, ``refits`` [sd, bias, runs] by analysis and number of copies."""
    of = POPULATIONS[population]
    patients = of.draw(n, stream(seed, "patients", population))
    made, cohort = runs.generator(generator), Cohort(patients, of.schema)
    frames = released(made, cohort, stream(seed, "release"))
    own = {k: a(patients) for k, a in of.analyses.items()}
    found = {k: [a(f) for f in frames] for k, a in of.analyses.items()}
    refits: dict[str, dict[str, tuple[float, float, int]]] = {}
    if runs_:
        told = refit(Job(made, cohort, (), (Declared(of.analyses),), n, COPIES, seed), runs=runs_)
        for r in (*told.one, *told.of_all):
            refits.setdefault(r.contrast, {})[str(r.copies)] = r.sd, r.bias, r.runs
    return {"own": own, "made": found, "refits": refits}


def released(generator: Generator, patients: Cohort, rng: Rng, *, copies: int = COPIES) -> list[pl.DataFrame]:
    """Draws of one fitted model, each of as many rows as there are patients."""
    model = generator.fit(Vault(patients, Ledger()), rng)
    return [model.sample(len(patients), rng).frame for _ in range(copies)]


def measured(population: str, trials: Sequence[Mapping[str, Any]]) -> dict[str, Measured]:
    """By analysis. Trials in which train or a copy gave no finite estimate of it are left out."""
    return {k: _measured(k, [t for t in trials if np.isfinite([t["own"][k], *t["made"][k]]).all()]) for k in POPULATIONS[population].analyses}


def _measured(name: str, trials: Sequence[Mapping[str, Any]]) -> Measured:
    own, made = np.array([t["own"][name] for t in trials]), np.array([t["made"][name] for t in trials])
    intervals = {("patients", 1): _around(own[:, 0], Z95 * own[:, 1]), ("naive", 1): _around(made[:, 0, 0], Z95 * made[:, 0, 1])}
    for m in (1, COPIES):
        value, v = made[:, :m, 0].mean(axis=1), (made[:, :m, 1] ** 2).mean(axis=1)
        intervals["T_s", m] = _around(value, Z95 * np.sqrt(v * (1 + 1 / m)))
        if all(name in t["refits"] for t in trials):
            found = [Refits(name, "", *t["refits"][name][str(m)], m) for t in trials]
            ends = np.array([r.interval(x) for r, x in zip(found, value, strict=True)])
            intervals["refits", m] = ends[:, 0], ends[:, 1]
    z = [np.abs(e[:, 0] / e[:, 1]) > Z95 for e in (own, made[:, 0])]
    return Measured(made[:, 0, 0] - own[:, 0], own[:, 1], (float(z[0].mean()), float(z[1].mean())), intervals)


def _around(value: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return value - half, value + half


def simulate(cell: Cell, trials: int, *, workers: int) -> dict[str, Measured]:
    """A cell by analysis."""
    jobs = [(*astuple(cell), seed) for seed in range(trials)]
    return measured(cell.population, done("trials", once, jobs, workers=workers))


def rows(cell: Cell, found: Mapping[str, Measured]) -> Iterator[list[Any]]:
    """Of the table of coverage: generator, n, analysis, copies, coverage by each interval, widths."""
    truth = POPULATIONS[cell.population].truth
    for name, m in ((name, m) for m in (1, COPIES) for name in found if name in truth):
        one = found[name]
        covers = [
            "–" if (k, c) not in one.intervals else f"{one.covers(k, c, truth[name]):.1%}"
            for k, c in (("refits", m), ("T_s", m), ("naive", 1), ("patients", 1))
        ]
        widths = ["–" if (k, m) not in one.intervals else f"{one.width(k, m):.2f}" for k in ("refits", "T_s")]
        yield [f"{cell.n:,}", m, name, *covers, *widths]


HEADER = ["n", "m", "analysis", "refits", "T_s", "naive", "patients", "width, refits", "width, T_s"]


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", default="trees", help='specs joined by ";"')
    parser.add_argument("--population", default="trial", choices=list(POPULATIONS))
    parser.add_argument("--n", type=int, nargs="+", default=[400, 800, 2000])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--runs", type=int, default=25, help="refits of each trial; 0 = none")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(argv)
    for generator in asked.generators.split(";"):
        lines = []
        for n in asked.n:
            cell = Cell(asked.population, generator, n, asked.runs)
            lines += list(rows(cell, simulate(cell, asked.trials, workers=asked.workers)))
        chance = math.sqrt(0.95 * 0.05 / asked.trials)
        print(f"\n{generator}: {asked.trials} trials (Monte Carlo error of 95 %: {chance:.1%}), {asked.runs} refits\n\n{runs.table(HEADER, lines)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
