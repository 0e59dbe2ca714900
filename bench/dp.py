"""Private generators: speed, memory and accuracy, with what gives them scale: ``python -m bench.dp [speed|binned|mixed|wide] ...``.

``binned``  AIM and MST on Adult cut to 14 columns of cells, declared, and at epsilon = 1 also as texts with nothing declared: mean total variation of all
            columns, pairs and triples against the table, beside independent columns, a bootstrap, and two real halves; medians over seeds.
``mixed``   Adult and ACTG 175 as they are, 70/30, epsilon = 5: ``bench/evaluate.py``, with nothing declared (all paid for) and with public bounds and levels.
``speed``   CPU-seconds and peak memory, each run in a fresh process, after compilation; peers in their own environments in the same run.
``wide``    50, 100 and 170 columns.

delta = 1e-9, add/remove one patient, zCDP. Results go to ``bench/results`` and, with ``--write``, into their section of ``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench import runs
from bench.tables import DATA, cohort, load
from twinset.core.cohort import Cohort
from twinset.core.contracts import Model
from twinset.core.domain import OTHER
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.generators import GENERATORS

DELTA = 1e-9
DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
TARGETS: dict[tuple[str, str, float], tuple[float | str, float | str]] = {  # pairs, triples: what was asked of the engine, and later of discovery
    ("aim", "declared", 1.0): (0.0205, 0.048),
    ("aim", "declared", 5.0): (0.0140, 0.037),
    ("aim", "declared", 10.0): (0.0125, 0.035),
    ("aim", "paid for", 1.0): (0.026, "-"),
}


def binned() -> Cohort:
    """Adult in cells, all columns declared public: levels 0 .. k - 1."""
    frame = pl.read_parquet(DATA / "adult_binned.parquet").cast(pl.Int64)
    sizes = (17, 9, 20, 16, 7, 15, 6, 5, 2, 20, 20, 20, 42, 2)
    columns = (Column(n, "category", levels=tuple(range(k)), origin="public") for n, k in zip(frame.columns, sizes, strict=True))
    return Cohort(frame, Schema(tuple(columns)))


def texts(patients: Cohort) -> Cohort:
    """Every level as a text, and nothing declared: all levels have to be found and paid for."""
    frame = patients.frame.cast(pl.String)
    return Cohort(frame, Schema(tuple(Column(n, "category") for n in frame.columns)))


def undeclared(patients: Cohort) -> Cohort:
    """Nothing but names and kinds: bounds, bins and levels have to be paid for."""
    bare = (replace(c, low=None, high=None, levels=(), missing_codes=(), decimals=None, origin="private") for c in patients.schema)
    return Cohort(patients.frame, replace(patients.schema, columns=tuple(bare)))


def declared(patients: Cohort) -> Cohort:
    """As if a code book gave levels and rounded bounds (here read from the whole table, outwards to two digits; a benchmark may)."""
    out = []
    for c in patients.schema:
        values = patients[c.name].drop_nulls()
        if c.numeric:
            low, high = (float(values.cast(pl.Float64).min() or 0), float(values.cast(pl.Float64).max() or 1))  # type: ignore[arg-type]
            step = 10.0 ** np.floor(np.log10(max(high - low, 1.0)) - 1)
            out.append(replace(c, low=float(np.floor(low / step) * step), high=float(np.ceil(high / step) * step), origin="public"))
        else:
            out.append(replace(c, levels=tuple(sorted(values.unique().to_list())), origin="public"))
    return Cohort(patients.frame, replace(patients.schema, columns=tuple(out)))


def fit(name: str, patients: Cohort, epsilon: float, *, seed: int) -> tuple[Model, Ledger]:
    """A private fit at (epsilon, delta = 1e-9)."""
    found = any(c.kind == "category" and not (c.levels and c.origin == "public") for c in patients.schema.synthesised)
    delta = 0.1 * DELTA if found else 0.0
    ledger = Ledger()
    model = GENERATORS[name]().fit(Vault(patients, ledger, Allowance(rho_of(epsilon, DELTA - delta), delta)), stream(seed, "fit"))
    return model, ledger


def variations(real: np.ndarray, other: np.ndarray, sizes: Sequence[int]) -> tuple[float, float, float]:
    """Mean total variation distance over all 1-, 2- and 3-way tables; codes (columns, n)."""
    return tuple(float(np.mean([_one(real, other, sizes, c) for c in itertools.combinations(range(len(sizes)), k)])) for k in (1, 2, 3))  # type: ignore[return-value]


def _one(real: np.ndarray, other: np.ndarray, sizes: Sequence[int], clique: tuple[int, ...]) -> float:
    total = int(np.prod([sizes[a] for a in clique]))
    tables = []
    for codes in (real, other):
        cell = np.zeros(codes.shape[1], dtype=np.int64)
        for a in clique:
            cell = cell * sizes[a] + codes[a]
        tables.append(np.bincount(cell, minlength=total) / codes.shape[1])
    return 0.5 * float(np.abs(tables[0] - tables[1]).sum())


def run_binned(seeds: int, names: Sequence[str]) -> str:
    patients = binned()
    codes = patients.frame.to_numpy().T
    sizes = [len(c.levels) + 2 for c in patients.schema]  # the last two: missing, and `other`; none in the table, but a release may have some
    n = codes.shape[1]
    rows: list[list[Any]] = []
    cases = [(p, how, e) for p, how, es in ((patients, "declared", (1.0, 5.0, 10.0)), (texts(patients), "paid for", (1.0,))) for e in es]
    for name, (table, how, epsilon) in itertools.product(names, cases):
        found = []
        for seed in range(seeds):
            start = runs.cpu_seconds()
            model, ledger = fit(name, table, epsilon, seed=seed)
            out = model.sample(n, stream(seed, "sample")).frame.select(patients.schema.names)
            cost = runs.cpu_seconds() - start
            found.append((*variations(codes, _codes(out, sizes), sizes), cost, ledger.epsilon(DELTA)))
        middle = np.median(found, axis=0)
        spread = np.ptp([f[1] for f in found])
        goal = TARGETS.get((name, how, epsilon))
        rows.append([name, how, epsilon, *middle[:3].tolist(), float(spread), *(goal or ("-", "-")), float(middle[3]), float(middle[4])])
        print(rows[-1], flush=True)
    for label, other in scales(codes).items():
        rows.append([label, "-", "-", *variations(codes if label != "two real halves" else codes[:, : n // 2], other, sizes), "-", "-", "-", "-", "-"])
    runs.save("dp-binned", rows)
    header = ["generator", "domain", "ε", "columns", "pairs", "triples", "range of pairs", "target pairs", "target triples", "CPU-s", "ε of the ledger"]
    note = f"Adult in cells, 14 columns, {n:,} rows, δ = 1e-9, medians of {seeds} seeds. CPU-s: fit and sample in a warm process."
    return f"{note}\n\n{runs.table(header, rows)}\n\nPaid for: the same cells as texts, levels found within the same ε. It does not show numbers that nobody declared: see the mixed tables."


def _codes(frame: pl.DataFrame, sizes: Sequence[int]) -> np.ndarray:
    """Levels as they are (``texts`` wrote them as texts), then missing, then ``other``."""
    whole = (frame[c].cast(pl.String).replace(OTHER, str(k - 1)).cast(pl.Int64).fill_null(k - 2) for c, k in zip(frame.columns, sizes, strict=True))
    return np.stack([c.to_numpy() for c in whole])


def scales(codes: np.ndarray) -> Mapping[str, np.ndarray]:
    """Independent columns (useless), a bootstrap, and the second of two real halves."""
    rng, n = np.random.default_rng(0), codes.shape[1]
    shuffled = codes[:, rng.permutation(n)]
    codes[:] = shuffled  # so that halves are random halves; order means nothing elsewhere
    return {
        "independent columns": np.stack([rng.permutation(c) for c in codes]),
        "bootstrap": codes[:, rng.integers(0, n, n)],
        "two real halves": codes[:, n // 2 :],
    }


def run_mixed(seeds: int, names: Sequence[str]) -> str:
    from bench.evaluate import evaluate  # pandas and learners: not to be counted in a speed run's memory

    rows: list[list[Any]] = []
    for table_name, (how, make), name in itertools.product(("adult", "actg175"), (("paid for", undeclared), ("declared", declared)), names):
        task = load(table_name)
        train, holdout = task.split(0)
        patients = make(cohort(train))
        found = []
        for seed in range(seeds):
            start = runs.cpu_seconds()
            model, _ = fit(name, patients, 5.0, seed=seed)
            out = model.sample(train.height, stream(seed, "sample")).frame
            cost = runs.cpu_seconds() - start
            missing = [abs(train[c].null_count() - out[c].null_count()) / train.height for c in train.columns]
            found.append(evaluate(train, holdout, out, target=task.target, positive=task.positive) | {"cpu": cost, "missing": max(missing)})
        middle = runs.medians(found)
        rows.append([table_name, name, how, *(middle[k] for k in ("tvd1", "tvd2", "hellinger", "tstr_hgb", "tstr_lr", "nearer", "missing", "cpu"))])
        rows[-1].append(" to ".join(f"{f(r['tstr_hgb'] for r in found):.3f}" for f in (min, max)))
        print(rows[-1], flush=True)
    runs.save("dp-mixed", rows)
    header = ["table", "generator", "domain", "columns", "pairs", "Hellinger", "TSTR boosting", "TSTR logistic", "nearer", "missing share, worst", "CPU-s"]
    note = f"70/30 split, ε = 5, δ = 1e-9, medians of {seeds} seeds of noise. Every bound, bin and level is paid for from the same ε, or declared."
    return f"{note}\n\n{runs.table([*header, 'TSTR range'], rows)}\n\nOne split: it says nothing about other splits or tables."


def inside(name: str, table: str, epsilon: float) -> dict[str, float]:
    """One run in a fresh process: reading is not counted."""
    patients = binned() if table == "adult_binned" else declared(cohort(pl.read_parquet(DATA / f"{table}.parquet")))
    before = runs.peak_mb()
    start = runs.cpu_seconds()
    model, ledger = fit(name, patients, epsilon, seed=0)
    fitted = runs.cpu_seconds()
    model.sample(len(patients), stream(0, "sample"))
    return {"fit": fitted - start, "sample": runs.cpu_seconds() - fitted, "peak_mb": runs.peak_mb(), "loaded_mb": before, "events": len(ledger.events)}


def run_speed(repeats: int, names: Sequence[str]) -> str:
    rows: list[list[Any]] = []
    work = [(n, "adult_binned", 1.0) for n in names] + [("aim", "brfss2015", 1.0)]
    for name, table, epsilon in work:
        fresh(name, table, epsilon)  # compiles
        found = [fresh(name, table, epsilon) for _ in range(repeats)]
        cpu = [f["fit"] + f["sample"] for f in found]
        rows.append([name, table, epsilon, statistics.median(cpu), f"{min(cpu):.2f} to {max(cpu):.2f}", statistics.median(f["peak_mb"] for f in found), 1.0])
        print(rows[-1], flush=True)
    ours = {r[0]: r[3] for r in rows if r[1] == "adult_binned"}
    rows.append(_peer("dpmm_mst", "adult_binned", ours["mst"]))
    runs.save("dp-speed", rows)
    note = f"Fit and sample, δ = 1e-9, one thread, medians of {repeats}, each in a fresh process after compilation. OpenDP is loaded inside the fit."
    return f"{note}\n\n{runs.table(['generator', 'table', 'ε', 'CPU-s', 'range', 'peak MB', 'times ours'], rows)}"


def _peer(spec: str, table: str, ours: float) -> list[Any]:
    frame = pl.read_parquet(DATA / f"{table}.parquet")
    try:
        _, cost = runs.peer(spec, frame, seed=0, limit=400)
    except (RuntimeError, TimeoutError) as e:
        return [f"peer/{spec}", table, 1.0, "-", f"not measured: {e}", "-", "-"]
    return [f"peer/{spec}", table, 1.0, cost.cpu, "one run", cost.peak_mb, cost.cpu / ours]


def fresh(name: str, table: str, epsilon: float) -> dict[str, float]:

    command = [sys.executable, "-m", "bench.dp", "inside", name, table, str(epsilon)]
    env = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS"), "1")
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **env})
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def run_wide(_: int, names: Sequence[str]) -> str:
    rows: list[list[Any]] = []
    for table, width in (("ist", 50), ("ist", 100), ("opt", 170), ("arrhythmia", 100)):
        path = next(p for p in (DATA / f"{table}.parquet", DATA / f"{table}.csv") if p.exists())
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None, null_values=["", "NA", "?"])
        for name in names:
            patients = undeclared(cohort(frame[:, :width]))
            start = runs.cpu_seconds()
            model, ledger = fit(name, patients, 5.0, seed=0)
            cells = len(model.tree.belief) if hasattr(model, "tree") else 0
            rows.append([table, name, frame.height, len(patients.schema), runs.cpu_seconds() - start, len(ledger.events), cells, runs.peak_mb()])
            print(rows[-1], flush=True)
    runs.save("dp-wide", rows)
    note = "ε = 5, δ = 1e-9, nothing declared. The model's size limit (131,072 cells) decides which pairs may be measured; the number of rounds does not grow with the number of pairs."
    return f"{note}\n\n{runs.table(['table', 'generator', 'rows', 'columns', 'fit CPU-s', 'events', 'cells', 'peak MB so far'], rows)}"


PARTS: dict[str, tuple[str, Callable[[int, Sequence[str]], str]]] = {
    "speed": ("Private generators: speed", run_speed),
    "binned": ("Private generators: accuracy on cells", run_binned),
    "mixed": ("Private generators: mixed tables", run_mixed),
    "wide": ("Private generators: wide tables", run_wide),
}


def write(title: str, text: str, command: str) -> None:
    """Put a section into ``docs/benchmarks.md``, in place of the one of that title."""
    page = DOCS.read_text(encoding="utf-8") if DOCS.exists() else "# Benchmarks\n\nEach section says the command that makes it.\n"
    section = f"## {title}\n\n    {command}\n\n{text}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.S | re.M)
    page = pattern.sub(lambda _: section + "\n", page) if pattern.search(page) else page.rstrip() + "\n\n" + section
    DOCS.write_text(page.rstrip() + "\n", encoding="utf-8")


def main(argv: Sequence[str]) -> None:
    if argv[:1] == ["inside"]:
        print(json.dumps(inside(argv[1], argv[2], float(argv[3]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--generators", default="aim,mst")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    chosen = parser.parse_args(argv)
    for part in chosen.parts:
        title, make = PARTS[part]
        text = make(chosen.repeats, chosen.generators.split(","))
        print(f"\n## {title}\n\n{text}\n", flush=True)
        if chosen.write:
            write(title, text, f"python -m bench.dp {part} --generators {chosen.generators} --repeats {chosen.repeats}")


if __name__ == "__main__":
    main(sys.argv[1:])
