"""Foretold and found: ``python -m bench.plan [--write]``.

For each table and epsilon: what ``twinset plan`` foretells from the declared schema and the number of patients alone, and what a release at that
epsilon then reads against its own training rows, in the same measures (mean total variation distance of columns and of pairs). ``demo`` is the
demo's private study as ``twinset demo`` writes it, with the code book's domain and rules, released by the pipeline; the others are development
tables with declared bounds and levels, no rules.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import runs
from bench.dp import declared, fit, write
from bench.tables import cohort, load
from twinset.core.seeds import stream
from twinset.planning.distances import distances
from twinset.planning.foretell import plan
from twinset.study import Study, study_of

SEEN = ("demo", "actg175", "pbc", "nhanes", "support2")  # the simulation's defaults were chosen with these in view
FRESH = ("adult", "wbcd", "hcc", "cervical")
EPSILONS = (1.0, 2.0, 5.0, 10.0)
FACTOR = 1.5
HEADER = ["table", "patients", "ε", "columns foretold (range)", "found", "ratio", "pairs foretold (range)", "found", "ratio"]
Found = Callable[[float, int], tuple[float, float]]  # epsilon, repeat -> columns, pairs


def demo() -> tuple[Study, int, Found]:
    """The demo's private study, and whole releases of it: what their audit reads."""
    import polars as pl

    from twinset.demo import write_demo
    from twinset.pipeline import release
    from twinset.study import load as load_study

    folder = Path(tempfile.mkdtemp())
    path = write_demo(folder / "demo").with_name("private.toml")

    def found(epsilon: float, repeat: int) -> tuple[float, float]:
        ledger = f"privacy.ledger={(folder / f'{epsilon:g}-{repeat}.jsonl').as_posix()}"
        study = load_study(path, overrides=[f"privacy.epsilon={epsilon}", ledger, f"seed={repeat}", f"holdout.seed={repeat}"])
        values = {f.name: f.value for f in release(study).results[0].findings if not f.where}
        return values["fidelity.columns"], values["fidelity.pairs"]

    return load_study(path), pl.read_csv(folder / "demo" / "actg175.csv").height, found


def development(name: str) -> tuple[Study, int, Found]:
    """A development table with bounds and levels declared, and releases of 70 % of it."""
    patients = declared(cohort(load(name).frame))
    n_train = int(0.7 * len(patients))

    def found(epsilon: float, repeat: int) -> tuple[float, float]:
        train = patients.take(stream(repeat, "bench plan").permutation(len(patients))[:n_train])
        model, _ = fit("aim", train, epsilon, seed=repeat)
        read = distances(train.synthesised, model.sample(n_train, stream(repeat, "sample")))
        return read.columns, read.pairs

    return study_of(patients.schema, name=name, generator="aim"), len(patients), found


def compare(name: str, *, repeats: int) -> list[list[Any]]:
    """Rows of the table for one data set."""
    study, n, found = demo() if name == "demo" else development(name)
    told = plan(study, EPSILONS, rows=n, repeats=repeats)
    rows = []
    for f in told.forecasts:
        columns, pairs = np.mean([found(f.epsilon, r) for r in range(repeats)], axis=0).tolist()
        mark = " (named)" if f.epsilon == told.recommended else ""
        both = [x for r, value in ((f.columns, columns), (f.pairs, pairs)) for x in (f"{r.mean:.4f} ({r.low:.4f}–{r.high:.4f})", value, r.mean / value)]
        rows.append([name, n, f"{f.epsilon:g}{mark}", *both])
        print(rows[-1], flush=True)
    return rows


def _spread(rows: list[list[Any]]) -> str:
    ratios = [float(row[i]) for row in rows for i in (5, 8)]
    if not ratios:
        return "not run"
    outside = sum(not 1 / FACTOR <= r <= FACTOR for r in ratios)
    return f"{min(ratios):.2f} to {max(ratios):.2f}, {outside} of {len(ratios)} outside {1 / FACTOR:.2f} to {FACTOR}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join((*SEEN, *FRESH)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    chosen = parser.parse_args()
    rows = [row for name in chosen.tables.split(",") for row in compare(name, repeats=chosen.repeats)]
    runs.save("plan", rows)
    seen, fresh = (_spread([row for row in rows if (row[0] in SEEN) == side]) for side in (True, False))
    text = f"""Foretold: `aim` on invented patients made from the declared schema and the number of patients, means of {chosen.repeats} tries (smallest–largest); no row is looked at.
Found: releases of 70 % of the real table at that epsilon, means of {chosen.repeats}. `demo`: the private study that `twinset demo` writes, with the code book's domain and rules,
through `twinset release`; (named): the epsilon that the plan recommends. The others: bounds and levels declared, no rules. delta = 1e-9.

{runs.table(HEADER, rows)}

The simulation's defaults (how strongly columns hang together, how skewed, heaped and incomplete they are) were chosen with {", ".join(SEEN)} in view: ratios {seen}.
The other tables were not looked at: ratios {fresh}. The aim is a factor of {FACTOR}. It foretells averages over columns and pairs; a
single pair of real columns can be tied far more strongly than any in a stand-in, and its values can be rarer."""
    print(text)
    if chosen.write:
        write("Foretold and found", text, f"python -m bench.plan --repeats {chosen.repeats} --write")


if __name__ == "__main__":
    main()
