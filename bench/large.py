"""Large tables from `init` to the page, each command in a fresh process: ``python -m bench.large --help``.

Two tables that nobody has: a registry of two million patients in seven columns, and 800 patients in 300 correlated columns; and the demo.
Shown: wall and CPU-seconds (user and system, all threads), peak memory of the larger of the two commands; with ``--stages``
also the CPU-seconds between one label of progress and the next, in one process. Medians of ``--repeats``.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from bench import runs

TARGETS = {"registry": (120.0, 3000.0), "wide": (60.0, float("nan")), "demo": (10.0, float("nan"))}  # wall seconds, MB


def registry(n: int = 2_000_000, *, seed: int = 0) -> pl.DataFrame:
    """Age, sex, region, a laboratory value with gaps, a diagnosis of 40 codes, a day of three years, and who died: each depends on some before it."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(62, 15, n), 18, 99).astype(np.int64)
    male = rng.random(n) < 0.48
    region = rng.choice(16, n, p=np.arange(16, 0, -1) / 136)
    lab = np.round(np.exp(rng.normal(0.1 + 0.006 * (age - 60) + 0.15 * male, 0.35)), 2)
    diagnosis = np.minimum(rng.geometric(0.06 + 0.0006 * (age - 18)) - 1, 39)
    died = rng.random(n) < 1 / (1 + np.exp(6.5 - 0.05 * age - 0.4 * lab - 0.3 * male))
    day = rng.integers(0, 1096, n)
    return pl.DataFrame(
        {
            "age": age,
            "sex": np.where(male, "male", "female"),
            "region": np.array([f"region {i:02d}" for i in range(16)])[region],
            "creatinine": pl.Series(lab).set(pl.Series(rng.random(n) < 0.08), None),
            "diagnosis": np.array([f"C{i:02d}" for i in range(40)])[diagnosis],
            "admitted": pl.Series(day).cast(pl.Int32) + 18_262,
            "died": died.astype(np.int64),
        }
    ).with_columns(pl.col("admitted").cast(pl.Date))


def wide(n: int = 800, d: int = 300, *, seed: int = 0) -> pl.DataFrame:
    """Ten hidden factors, each column a noisy mixture of them: two in three are numbers (some whole, some with gaps), one in three levels."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 10))
    columns: dict[str, pl.Series] = {}
    for j in range(d):
        x = hidden @ rng.normal(size=10) / np.sqrt(10) + 0.7 * rng.normal(size=n)
        if j % 3 == 2:
            levels = 2 + j % 5
            made = pl.Series(np.array(list("ABCDEF"))[np.clip(((x + 2) * levels / 4).astype(int), 0, levels - 1)])
        else:
            made = pl.Series(np.round(50 + 10 * x).astype(np.int64) if j % 4 == 0 else np.round(5 + x, 3))
        columns[f"v{j:03d}"] = made.set(pl.Series(rng.random(n) < 0.1), None) if j % 7 == 0 else made
    return pl.DataFrame(columns)


TABLES: dict[str, Callable[[], pl.DataFrame]] = {"registry": registry, "wide": wide}


def command(*words: str) -> tuple[float, float, float]:
    """Wall seconds, CPU-seconds and peak MB of one ``twinset`` command. A release that is refused is a release; any other exit raises RuntimeError."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "twinset.cli.app", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"`twinset {words[0]}` ended with {os.waitstatus_to_exitcode(status)}")
    unit = 1 if sys.platform == "darwin" else 1024
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6


def measure(name: str) -> dict[str, float]:
    """One way from the table to the page."""
    with tempfile.TemporaryDirectory() as folder:
        study, out = f"{folder}/study.toml", f"{folder}/release"
        if name == "demo":
            steps = [command("demo", out)]
        else:
            TABLES[name]().write_csv(f"{folder}/table.csv")
            steps = [command("init", f"{folder}/table.csv", "-o", study), command("release", study, "-o", out)]
    wall, cpu, peak = zip(*steps, strict=True)
    return {"init": cpu[0] if len(steps) > 1 else float("nan"), "release": cpu[-1], "wall": sum(wall), "cpu": sum(cpu), "peak_mb": max(peak)}


def stages(name: str) -> list[tuple[str, float, float]]:
    """Label, wall and CPU-seconds of every stage of one release, in this process."""
    from twinset.draft import draft
    from twinset.pipeline import release
    from twinset.study import load

    seen: list[tuple[str, float, float]] = []

    def say(label: str) -> None:
        seen.append((label, time.perf_counter(), runs.cpu_seconds()))

    with tempfile.TemporaryDirectory() as folder:
        TABLES[name]().write_csv(f"{folder}/table.csv")
        say("init")
        (Path(folder) / "study.toml").write_text(draft(Path(folder) / "table.csv", out=Path(folder) / "study.toml"))
        release(load(Path(folder) / "study.toml"), progress=say)
        say("end")
    return [(a[0], b[1] - a[1], b[2] - a[2]) for a, b in itertools.pairwise(seen)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default="registry,wide,demo")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stages", action="store_true", help="where one release spends its time")
    args = parser.parse_args()
    for name in args.tables.split(","):
        if args.stages:
            print(runs.table(["stage", "wall s", "CPU s"], [list(row) for row in stages(name)]), flush=True)
            continue
        rows = [measure(name) for _ in range(args.repeats)]
        row = {k: statistics.median(r[k] for r in rows) for k in rows[0]}
        wall, peak = TARGETS[name]
        print(runs.table(["table", *row, "target s", "target MB"], [[name, *row.values(), wall, peak]]), flush=True)


if __name__ == "__main__":
    main()
