"""Fidelity and leak of generators over tables and splits: ``python -m bench.quality --help``.

Every row is a median over splits (``default_rng(split).permutation(n)``, first 70 % train). Two rows give the scale:
``holdout`` (fresh people against train; TSTR = a model of train on the hold-out) and ``fresh`` (half of the
hold-out as if it were a release: every leak column should read chance).
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import polars as pl

from bench import runs
from bench.attack import attack
from bench.evaluate import evaluate
from bench.tables import FRESH, TASKS, TUNED, Table, load
from twinset.errors import TwinsetError

COLUMNS = ("tvd1", "tvd2", "hellinger", "tstr_hgb", "tstr_lr", "prop_auc", "nearer", "copies", "attack", "tpr", "isolated", "replay", "clf", "cpu")
FAILURES = (TwinsetError, OSError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ImportError, pl.exceptions.PolarsError)


def one(spec: str, table: Table, split: int, *, limit: float) -> dict[str, float]:
    """All columns for one generator (or ``peer/NAME``, or a scale row) on one split."""
    train, holdout = table.split(split)
    task = {"target": table.target, "positive": table.positive}
    if spec == "holdout":
        upside_down = evaluate(train, holdout, train, **task)
        return evaluate(train, holdout, holdout, **task) | {"tstr_hgb": upside_down["tstr_hgb"], "tstr_lr": upside_down["tstr_lr"], "nearer": 0.5}
    if spec == "fresh":
        half = holdout.height // 2
        return attack(train, holdout[half:], holdout[:half], seed=split)
    frame, cost = runs.peer(spec[5:], train, seed=split, limit=limit) if spec.startswith("peer/") else runs.ours(spec, train, seed=split)
    release = frame.select(train.columns).cast({c: train.schema[c] for c in train.columns}, strict=False)
    return evaluate(train, holdout, release, **task) | attack(train, holdout, release, seed=split) | {"cpu": cost.cpu}


def several(specs: list[str], names: list[str], splits: list[int], *, limit: float = 120.0) -> list[dict[str, Any]]:
    """Rows ``{table, generator, n_splits, medians, runs, failed}``; a generator that fails is a row that says why."""
    rows = []
    for name in names:
        table = load(name)
        for spec in specs:
            done, failed = [], ""
            for split in splits:
                try:
                    done.append(one(spec, table, split, limit=limit))
                except FAILURES as e:  # one broken generator must not end the table
                    failed = f"{type(e).__name__}: {(str(e).splitlines() or [''])[0][:120]}"
                    break
            rows.append({"table": name, "generator": spec, "n_splits": len(done), "medians": runs.medians(done), "runs": done, "failed": failed})
            print(show(rows[-1:], head=len(rows) == 1), flush=True)
    return rows


def show(rows: list[dict[str, Any]], *, head: bool = True) -> str:
    """The rows as Markdown."""
    cells = [[r["table"], r["generator"], r["n_splits"], *[r["medians"].get(c, float("nan")) for c in COLUMNS], r["failed"]] for r in rows]
    text = runs.table(["table", "generator", "splits", *COLUMNS, "failed"], cells)
    return text if head else text.splitlines()[-1]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--generators", default="holdout,fresh,independent,trees,avatars", help="specs joined by ';' or ',': trees, trees:test=5, peer/synthpop-py"
    )
    parser.add_argument("--tables", default=",".join(TUNED), help=f"of {', '.join(TASKS)}; or tuned, fresh ({', '.join(FRESH)}), all")
    parser.add_argument("--splits", default="0", help="split seeds, e.g. 0,1,2,3,4")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a peer may take")
    parser.add_argument("--out", default="quality", help="name of the JSON file under bench/results")
    parser.add_argument("--quick", action="store_true", help="ACTG 175 only, two splits: a minute")
    options = parser.parse_args(argv)
    specs = options.generators.split(";" if ";" in options.generators or ":" in options.generators else ",")
    groups = {"tuned": list(TUNED), "fresh": list(FRESH), "all": list(TASKS)}
    names = groups.get(options.tables, options.tables.split(","))
    splits = [int(s) for s in options.splits.split(",")]
    if options.quick:
        names, splits = ["actg175"], [0, 1]
    pl.Config.set_verbose(False)
    rows = several(specs, names, splits, limit=options.limit)
    path = runs.save("quality-quick" if options.quick else options.out, rows)
    print(f"\n{path.relative_to(runs.ROOT)}: {json.dumps({'rows': len(rows), 'failed': sum(bool(r['failed']) for r in rows)})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
