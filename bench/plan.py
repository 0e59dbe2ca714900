"""Foretold and found: ``python -m bench.plan [--write]``.

For each table and epsilon: what ``twinset plan`` foretells from the declared schema and the number of patients alone, and what a release at that
epsilon then reads against its own training rows, in the same measures (mean total variation distance of columns and of pairs).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from bench import runs
from bench.dp import declared, write
from bench.tables import cohort, load
from twinset.core.seeds import stream
from twinset.planning.foretell import errors, plan
from twinset.study import study_of

TABLES = ("actg175", "support2", "nhanes", "pbc", "adult")
EPSILONS = (1.0, 2.0, 5.0, 10.0)
HEADER = ["table", "patients", "ε", "columns foretold", "found", "ratio", "pairs foretold", "found", "ratio"]


def compare(name: str, *, repeats: int) -> list[list[Any]]:
    """Rows of the table for one data set."""
    from bench.dp import fit

    table = load(name)
    patients = declared(cohort(table.frame))
    study = study_of(patients.schema, name=name, generator="aim")
    told = plan(study, EPSILONS, rows=len(patients), repeats=repeats)
    rows = []
    for forecast in told.forecasts:
        found = []
        for r in range(repeats):
            train = patients.take(stream(r, "bench plan").permutation(len(patients))[: told.n_train])
            model, _ = fit("aim", train, forecast.epsilon, seed=r)
            found.append(errors(train.synthesised, model.sample(len(train), stream(r, "sample")))[:2])
        columns, pairs = np.mean(found, axis=0)
        both = [forecast.columns.mean, columns, forecast.columns.mean / columns, forecast.pairs.mean, pairs, forecast.pairs.mean / pairs]
        rows.append([name, len(patients), forecast.epsilon, *(float(v) for v in both)])
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    chosen = parser.parse_args()
    rows = [row for name in chosen.tables.split(",") for row in compare(name, repeats=chosen.repeats)]
    runs.save("plan", rows)
    text = f"""Foretold: `aim` on stand-ins made from the declared schema and the number of patients, means of {chosen.repeats}; the rows are not looked at. Found: releases of 70 % of the
real table at that epsilon, means of {chosen.repeats}. Bounds and levels declared, delta = 1e-9. The aim is a ratio between 0.67 and 1.5.

{runs.table(HEADER, rows)}

It foretells averages over columns and pairs; a single pair of real columns can be far stronger, or far rarer, than any in a stand-in."""
    print(text)
    if chosen.write:
        write("Foretold and found", text, f"python -m bench.plan --repeats {chosen.repeats}")


if __name__ == "__main__":
    main()
