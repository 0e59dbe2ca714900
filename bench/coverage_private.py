"""Do 95 % intervals from a private release cover the truth? ``python -m bench.coverage_private [--trials 400] [--runs 60] [--write]``.

A trial of known population is simulated again and again, released with AIM, and analysed with ``twinset.combine``'s bootstrap of the released model:
the proportion of responders, the log hazard ratio of the arms (Cox), and a difference that no declared role points at. What is covered is the population's value of the same analysis on patients
as they are, before any binning: of the hazard ratio the one that the times were simulated with. Beside it: the naive interval (synthetic rows taken
for patients) and the interval from the patients themselves. All columns are declared public (bounds, levels); bins are paid for.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl

from bench.analyses import Z95, Analysis, log_hazard_ratio, proportion
from bench.dp import write
from bench.work import THREADS
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Role, Schema
from twinset.core.seeds import Rng, stream
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.generators import GENERATORS
from twinset.inference import infer_all
from twinset.inference.copies import Copies

EPSILONS = (0.3, 1.0, 5.0)
RESULTS = Path(__file__).resolve().parent / "results" / "coverage.json"
LOG_HAZARD_RATIO = -0.5
STAGES = (0.35, 0.3, 0.2, 0.15)
LOGIT, BY_ARM, BY_STAGE = -0.4, 0.5, -0.4  # of response


def _category(name: str, size: int, role: Role = "") -> Column:
    return Column(name, "category", role, levels=tuple(range(size)), origin="public")


SCHEMA = Schema(
    (
        _category("arm", 2, "arm"),
        _category("event", 2, "event"),
        Column("time", "number", "time", low=0.0, high=36.0, origin="public"),
        Column("age", "integer", low=18, high=95, origin="public"),
        _category("stage", 4),
        Column("marker", "number", low=0.0, high=20.0, origin="public"),
        _category("sex", 2),
        _category("response", 2, "outcome"),
    )
)


def trial(n: int, rng: Rng) -> pl.DataFrame:
    """``n`` patients: exponential times with a constant hazard ratio, censored evenly between 6 and 36 months; response by arm and stage."""
    stage, arm = rng.choice(4, n, p=STAGES), rng.integers(0, 2, n)
    died = rng.exponential(24 / np.exp(LOG_HAZARD_RATIO * arm))
    left = rng.uniform(6, 36, n)
    responds = rng.random(n) < _logistic(LOGIT + BY_ARM * arm + BY_STAGE * stage)
    return pl.DataFrame(
        {
            "arm": arm,
            "event": (died <= left).astype(np.int64),
            "time": np.minimum(died, left),
            "age": np.clip(np.round(rng.normal(62 + 2 * stage, 10, n)), 18, 95).astype(np.int64),
            "stage": stage,
            "marker": np.clip(rng.gamma(2, 1 + 0.5 * stage, n), 0, 20),
            "sex": rng.integers(0, 2, n),
            "response": responds.astype(np.int64),
        }
    )


def _logistic(x: np.ndarray | float) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def unplanned(frame: pl.DataFrame) -> tuple[float, float]:
    """Share of responders in the last stage less that in the first: a pair that no endpoint needs, so it is measured only where selection finds it."""
    known = frame.select("stage", "response").drop_nulls()
    groups = [known.filter(pl.col("stage") == k)["response"].cast(pl.Float64) for k in (3, 0)]
    if not all(len(g) for g in groups):
        return math.nan, math.nan
    high, low = (float(g.mean()) for g in groups)  # type: ignore[arg-type]
    return high - low, math.sqrt(high * (1 - high) / len(groups[0]) + low * (1 - low) / len(groups[1]))


ANALYSES: dict[str, Analysis] = {
    "proportion": partial(proportion, of="response"),
    "log hazard ratio": partial(log_hazard_ratio, of="arm"),
    "unplanned difference": unplanned,
}
TRUTH = {
    "proportion": float(np.mean([np.dot(STAGES, _logistic(LOGIT + BY_ARM * a + BY_STAGE * np.arange(4))) for a in (0, 1)])),
    "log hazard ratio": LOG_HAZARD_RATIO,
    "unplanned difference": float(np.mean([_logistic(LOGIT + BY_ARM * a + BY_STAGE * 3) - _logistic(LOGIT + BY_ARM * a) for a in (0, 1)])),
}


@dataclass(frozen=True)
class Setting:
    """One cell of the simulation: patients, budget, runs of each bootstrap."""

    n: int
    epsilon: float
    delta: float
    runs: int
    generator: str = "aim"


def once(setting: Setting, seed: int) -> dict[str, tuple[float, ...]]:
    """One trial, released and analysed: per analysis value, error, low, high, bias, naive low and high, patients' low and high, parts of the error, warned or not."""
    rng = stream(seed, "trial")
    patients = trial(setting.n, rng)
    vault = Vault(Cohort(patients, SCHEMA), Ledger(), Allowance(rho_of(setting.epsilon, setting.delta), 0.0))
    model = GENERATORS[setting.generator]().fit(vault, rng)
    copies = Copies((model.sample(model.n_rows, rng).frame,), SCHEMA, model, private=True)
    out: dict[str, tuple[float, ...]] = {}
    inferences = infer_all(copies, tuple(ANALYSES.values()), runs=setting.runs, level=0.95, seed=seed)
    for (name, analysis), found in zip(ANALYSES.items(), inferences, strict=True):
        real, error = analysis(patients)
        parts = (found.sampling, found.privacy, found.synthesis)
        ends = (found.low, found.high, found.naive_low, found.naive_high, real - Z95 * error, real + Z95 * error)
        out[name] = (found.value, found.error, found.bias, *ends, *parts, float(bool(found.unmeasured)))
    return out


def cell(setting: Setting, trials: int, workers: int) -> list[dict[str, object]]:
    """Rows of the table for one budget."""
    start = time.perf_counter()
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by each worker as it starts
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(partial(once, setting), range(trials), chunksize=5))
    rows: list[dict[str, object]] = []
    for name, truth in TRUTH.items():
        table = np.array([d[name] for d in done])
        value, error, bias, low, high, naive_low, naive_high, real_low, real_high = table.T[:9]
        inside = [float(np.mean((a <= truth) & (truth <= b))) for a, b in ((low, high), (naive_low, naive_high), (real_low, real_high))]
        rows.append(
            {
                "epsilon": setting.epsilon,
                "analysis": name,
                "covers": inside[0],
                "naive": inside[1],
                "patients": inside[2],
                "width": float(np.median(high - low) / np.median(real_high - real_low)),
                "error": float(np.sqrt(np.mean(error**2))),
                "found_error": float(np.std(value - bias, ddof=1)),
                "off": float(np.mean(value) - truth),
                "off_corrected": float(np.mean(value - bias) - truth),
                "sampling": float(np.mean(table[:, 9] ** 2 / error**2)),
                "warned": float(table[:, 12].mean()),
                "covers_unwarned": float(np.mean(((low <= truth) & (truth <= high))[table[:, 12] == 0])) if (table[:, 12] == 0).any() else math.nan,
                "trials": trials,
                "seconds": time.perf_counter() - start,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def text(rows: Sequence[dict[str, object]], setting: Setting) -> str:
    """The section of the page."""
    trials = max(int(r["trials"]) for r in rows)  # type: ignore[call-overload]
    chance = 1.96 * math.sqrt(0.95 * 0.05 / trials)
    lines = [
        f"Simulated trials: {setting.n:,} patients, 8 columns, bounds and levels declared public, delta = {setting.delta:g}, add/remove one patient, "
        f"`{setting.generator}` with its defaults, one copy of as many rows, {setting.runs} bootstrap runs. Coverage of nominal 95 % intervals of the population's value (log hazard ratio "
        f"{LOG_HAZARD_RATIO}, proportion {TRUTH['proportion']:.3f}); by chance alone a true 95 % shows as {0.95 - chance:.1%} to {0.95 + chance:.1%} in {trials:,} trials. "
        "Width is in units of the interval from the patients themselves; standard errors: as the bootstrap states them (root mean square), and as found over the trials; "
        "off: mean distance of the estimate from the truth, plain and after the bootstrap's correction. The unplanned difference (response by stage) is a pair "
        "that no role in the study points at: where selection did not measure it, the copies hold no such relation and their interval is wrong; `unmeasured` then warns.",
        "",
        "| ε | analysis | trials | **covers** | warned; covers elsewhere | naive | patients | width | error stated / found | off plain / corrected |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['epsilon']:g} | {r['analysis']} | {r['trials']} | **{r['covers']:.1%}** | {r['warned']:.0%}; {r['covers_unwarned']:.1%} | {r['naive']:.1%} | {r['patients']:.1%} | {r['width']:.2f} "
        f"| {r['error']:.4f} / {r['found_error']:.4f} | {r['off']:+.4f} / {r['off_corrected']:+.4f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--delta", type=float, default=1e-6)
    parser.add_argument("--epsilon", type=float, nargs="+", default=list(EPSILONS))
    parser.add_argument("--generator", default="aim")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    asked = parser.parse_args(argv)
    rows: list[dict[str, object]] = []
    for epsilon in asked.epsilon:
        setting = Setting(asked.n, epsilon, asked.delta, asked.runs, asked.generator)
        rows += cell(setting, asked.trials, asked.workers)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    section = text(rows, setting)
    print(section)
    if asked.write:
        write("Coverage under a privacy budget", section, "python -m bench.coverage_private --write")


if __name__ == "__main__":
    main(sys.argv[1:])
