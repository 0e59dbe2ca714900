"""Does the default generator keep effects, and do its intervals hold? Before and after in one run: ``python -m bench.effects [--quick] [--write]``.

Before: donors of a leaf dealt at random, no split by arm, a test of 2 standard deviations. After: the defaults. Simulated trials (``bench.trials``): shift of one copy's
estimate from train's own, false positives, coverage and width (``bench.coverage``). Real tables (``bench.real``): fidelity, attacks, the arms of ACTG 175, CPU-seconds.
What was done is kept under ``bench/results/done``: a run that was stopped goes on. ``--quick``: a few trials, one split, about two minutes; it writes nothing.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench import runs
from bench.analyses import Z95
from bench.coverage import COPIES, HEADER, Cell, Measured, rows, simulate
from bench.dp import write
from bench.real import EFFECTS, bootstrap, drawn, fidelity
from bench.speed import inside
from bench.trials import TRUTH
from bench.work import done

BEFORE, AFTER = "trees:dealing=random,by_arm=false,strictness=2", "trees"
BEFORE_LARGE = "trees:dealing=random,by_arm=false,strictness=2.5"  # what the default was above 10,000 rows
BOTH = (BEFORE, AFTER)
LARGE = ("adult", "diabetes130")
SIZES = (400, 800, 2000)
ADJUSTED = ("OR stage", "HR stage")
OTHERS = ("OR stage", "HR stage", "slope")
ARMS = ("OR arm", "HR arm")
TIMED = {"actg175": 0.05, "adult": 0.35, "diabetes130": 3.0}


@dataclass(frozen=True)
class Size:
    """How much is run: trials with refits by n, refits each, trials of the null and of the hard table, splits of ACTG 175 and of the other tables, draws of ACTG 175, timings, refits timed."""

    trials: Mapping[int, int] = field(default_factory=lambda: {400: 150, 800: 120, 2000: 100})
    runs: int = 50
    null: int = 400
    hard: int = 200
    splits: int = 5
    others: int = 3
    draws: int = 20
    repeats: int = 3
    turns: int = 50
    tables: tuple[str, ...] = ("support2", "adult")


QUICK = Size({400: 10, 800: 5, 2000: 5}, 20, 20, 20, 1, 1, 5, 1, 20, ())


@dataclass(frozen=True)
class Found:
    """Everything that was measured, by generator: simulated ``cells`` by (generator, population, n), fidelity by (generator, table), and the rest by generator."""

    cells: Mapping[tuple[str, str, int], Mapping[str, Measured]]
    fidelity: Mapping[tuple[str, str], list[dict[str, Any]]]
    draws: Mapping[str, list[dict[str, Any]]]
    cpu: Mapping[tuple[str, str], float]
    turns: Mapping[str, float]


def find(size: Size, *, workers: int) -> Found:
    """All of it, in the order of its cost; times last, one process at a time."""
    cells, judged, draws = {}, {}, {}
    for spec in BOTH:
        for population, n, trials, refits in _simulated(size, spec):
            print(f"{spec}: {population}, n = {n}, {trials} trials", flush=True)
            cells[spec, population, n] = simulate(Cell(population, spec, n, refits), trials, workers=workers)
    for spec in BOTH:
        print(f"{spec}: real tables", flush=True)
        draws[spec] = done("draws", drawn, [(spec, seed) for seed in range(size.draws)], workers=workers)
        for table, splits, attacked in (("actg175", size.splits, True), *((t, size.others, False) for t in size.tables)):
            judged[spec, table] = done("fidelity", fidelity, [(table, _spec(spec, table), s, attacked) for s in range(splits)], workers=workers)
    timed = TIMED if size.tables else {"actg175": 0.05}
    cpu = {(spec, table): float(inside(_spec(spec, table), table, n=0, columns=0, repeats=size.repeats)["cpu"]) for table in timed for spec in BOTH}
    return Found(cells, judged, draws, cpu, {spec: float(bootstrap(spec, size.turns)["cpu"]) for spec in BOTH})


def _spec(spec: str, table: str) -> str:
    return BEFORE_LARGE if spec == BEFORE and table in LARGE else spec


def _simulated(size: Size, spec: str) -> list[tuple[str, int, int, int]]:
    refits = size.runs if spec == AFTER else 0
    return [*(("trial", n, size.trials[n], refits) for n in SIZES), ("hard", 400, size.hard, 0), ("null", 400, size.null, 0)]


def lines(found: Found) -> list[list[str]]:
    """The numbers to meet: what, before, after, target."""
    return [*_effects(found), *_intervals(found), *_real(found), *_costs(found)]


def _effects(found: Found) -> list[list[str]]:
    def shift(names: Sequence[str], population: str, sizes: Sequence[int], spec: str) -> str:
        worst = [max((found.cells[spec, population, n][k] for k in names), key=lambda m: abs(float(m.shift.mean()))) for n in sizes]
        return " / ".join(f"{m.shift.mean():+.3f} ± {m.shift.std(ddof=1) / math.sqrt(len(m.shift)):.3f}" for m in worst)

    wanted = (
        ("log HR of the arm, shift from train, n = 400 / 800 / 2,000", ("HR arm",), "trial", SIZES, "≤ .01"),
        ("log OR of the arm, the same", ("OR arm",), "trial", SIZES, ""),
        ("adjusted coefficients (log OR a stage, log HR of stages 3 and 4), the worse, n = 400 / 800", ADJUSTED, "trial", (400, 800), "≤ .05 / .03"),
        ("log HR in women only / in men, who have none (n = 400)", ("HR women", "HR men"), "hard", (400,), "≤ .05"),
        ("curvature .35 (n = 400)", ("bend",), "hard", (400,), "≤ .05"),
        ("arm without effect, 3 : 1, few deaths (n = 400): log HR", ("HR arm",), "null", (400,), "≤ .01"),
    )
    out = []
    for what, names, population, sizes, target in wanted:
        split = [(n,) for n in names] if "/ in men" in what else [names]
        out.append([what, *(" / ".join(shift(n, population, sizes, spec) for n in split) for spec in BOTH), target])
    false = [" / ".join(f"{found.cells[spec, 'null', 400][k].positive[1]:.1%}" for k in ("HR arm", "OR arm")) for spec in BOTH]
    own = " / ".join(f"{found.cells[AFTER, 'null', 400][k].positive[0]:.1%}" for k in ("HR arm", "OR arm"))
    return [*out, ["its false positives at 5 %, rows taken for patients: Cox / logistic", *false, f"train's own: {own}"]]


def _intervals(found: Found) -> list[list[str]]:
    def reach(spec: str, interval: str, m: int) -> str:
        covers, outside = [], 0
        for n in SIZES:
            for k, truth in TRUTH.items():
                one = found.cells[spec, "trial", n][k]
                covers.append(one.covers(interval, m, truth))
                outside += abs(covers[-1] - 0.95) > Z95 * math.sqrt(0.95 * 0.05 / len(one.shift))
        return f"{min(covers):.0%}–{max(covers):.0%}, mean {np.mean(covers):.1%}; {outside} beyond chance"

    def widths(names: Sequence[str], spec: str, interval: str) -> str:
        return " / ".join(f"{max(found.cells[spec, 'trial', n][k].width(interval, 1) for k in names):.2f}" for n in SIZES)

    out = [["coverage, 7 analyses at 3 sizes: the patients' own intervals", reach(BEFORE, "patients", 1), reach(AFTER, "patients", 1), "the same trials"]]
    for m in (1, COPIES):
        what = "one copy" if m == 1 else f"{m} copies"
        out.append(
            [
                f"the same of declared analyses, {what} (before: T_s; after: refits)",
                reach(BEFORE, "T_s", m),
                reach(AFTER, "refits", m),
                "93–97 %, within its error",
            ]
        )
        out.append([f"the same of any analysis by T_s, {what}", reach(BEFORE, "T_s", m), reach(AFTER, "T_s", m), "≥ 93 %"])
    named = (
        ("proportion", ("proportion",), "≤ 1.1"),
        ("mean", ("mean",), ""),
        ("the arm's effects, the wider", ARMS, "≤ 1.1"),
        ("other coefficients, the widest", OTHERS, "≤ 1.3"),
    )
    head = "width in units of the patients' own, n = 400 / 800 / 2,000 (before: T_s; after: refits)"
    return out + [[f"{head}: {what}", widths(names, BEFORE, "T_s"), widths(names, AFTER, "refits"), target] for what, names, target in named]


def _real(found: Found) -> list[list[str]]:
    def means(spec: str, table: str, names: Sequence[str]) -> str:
        return " / ".join(f"{np.mean([r[k] for r in found.fidelity[spec, table]]):.3f}" for k in names)

    columns = ("hellinger", "tvd2", "tstr_hgb", "attack", "six")
    splits = len(found.fidelity[AFTER, "actg175"])
    out = [
        [
            f"ACTG 175, mean of {splits} splits: Hellinger / pairs / TSTR / distance / six-fold classifier",
            *(means(s, "actg175", columns) for s in BOTH),
            "≤ .19 / ≤ .056 / ≥ .945 / ≤ .525 / ≤ .555",
        ]
    ]
    limits = {"support2": "≤ .29", "adult": "≤ .024, nearer ≤ .52"}
    out += [[f"{t}: Hellinger / nearer", *(means(s, t, ("hellinger", "nearer")) for s in BOTH), limits[t]] for t in limits if (AFTER, t) in found.fidelity]
    shifts = {s: np.array([[d[k] for k in EFFECTS] for d in found.draws[s]]) for s in BOTH}
    out.append(
        [
            f"ACTG 175, mean shift over {len(shifts[AFTER])} draws in train's SE: {' / '.join(EFFECTS)}",
            *(" / ".join(f"{x:+.2f}" for x in shifts[s].mean(axis=0)) for s in BOTH),
            "≤ .3 (arms)",
        ]
    )
    out.append(["the same, mean distance of the arms' log HR", *(f"{np.abs(shifts[s][:, :3]).mean():.2f}" for s in BOTH), "≤ .3"])
    return out


def _costs(found: Found) -> list[list[str]]:
    tables = [t for t in TIMED if (AFTER, t) in found.cpu]
    out = [
        [
            f"fit and sample, CPU-s: {' / '.join(tables)}",
            *(" / ".join(f"{found.cpu[s, t]:.3g}" for t in tables) for s in BOTH),
            " / ".join(f"≤ {TIMED[t]:g}" for t in tables),
        ]
    ]
    return [*out, ["bootstrap on ACTG 175, CPU-s", *(f"{found.turns[s]:.2f}" for s in BOTH), "≤ 2 (50 refits)"]]


def shifts(found: Found) -> str:
    """Shift of one copy from train's own estimate, all analyses."""
    table = []
    for population, n in (*(("trial", n) for n in SIZES), ("hard", 400), ("null", 400)):
        for k in found.cells[AFTER, population, n]:
            both = [found.cells[s, population, n][k] for s in BOTH]
            cells = [
                (
                    f"{m.shift.mean():+.3f} ± {m.shift.std(ddof=1) / math.sqrt(len(m.shift)):.3f}",
                    f"{(m.shift / m.error).mean():+.2f}; {(m.shift / m.error).std(ddof=1):.2f}",
                )
                for m in both
            ]
            table.append([population, f"{n:,}", k, len(both[1].shift), *cells[0], *cells[1]])
    return runs.table(["population", "n", "analysis", "trials", "before", "in SE: mean; sd", "after", "in SE: mean; sd"], table)


def text(found: Found, size: Size) -> str:
    """The section of the page."""
    trials = " / ".join(str(size.trials[n]) for n in SIZES)
    chance = " / ".join(f"{math.sqrt(0.95 * 0.05 / size.trials[n]):.1%}" for n in SIZES)
    coverage = runs.table(HEADER, [line for n in SIZES for line in rows(Cell("trial", AFTER, n), found.cells[AFTER, "trial", n])])
    before = runs.table(HEADER, [line for n in SIZES for line in rows(Cell("trial", BEFORE, n), found.cells[BEFORE, "trial", n])])
    return f"""Before: `{BEFORE}`; after: the defaults; the same trials and splits, in one run. Simulated trials of known population (`bench/trials.py`, 15 columns), n = 400 / 800 / 2,000: {trials} trials,
so a true 95 % has a Monte Carlo error of {chance}; {size.hard} trials of the hard table and {size.null} without an effect. Refits: B = {size.runs} a trial, which the width of intervals includes
(t with {size.runs - 1} degrees of freedom). Shifts: one copy's estimate less train's own, mean ± its Monte Carlo error. Real tables: train is 70 %; attacks as in `bench/attack.py`, six-fold as the package's own audit.

{runs.table(["what", "before", "after", "target"], lines(found))}

### Shift from train's own estimate

{shifts(found)}

### Coverage of the population's values, after

{coverage}

### Coverage before (no refits)

{before}"""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the simulated trials")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    asked = parser.parse_args(argv)
    whole = QUICK if asked.quick else Size()
    size = replace(
        whole, trials={n: round(asked.share * t) for n, t in whole.trials.items()}, hard=round(asked.share * whole.hard), null=round(asked.share * whole.null)
    )
    section = text(find(size, workers=asked.workers), size)
    print(section)
    if asked.write and not asked.quick:
        write("Effects and intervals", section, "python -m bench.effects --write")


if __name__ == "__main__":
    main(sys.argv[1:])
