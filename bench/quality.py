"""Fidelity and leak of generators over tables and splits: ``python -m bench.quality --help``.

Every row is a median over splits (``default_rng(split).permutation(n)``, first 70 % train). Fidelity is scored as max(value, floor), the floor
being what as many fresh people would score, and the first columns are the excess over it: ``+tvd1 +tvd2 +hellinger +prop`` distances, ``-hgb -lr``
AUROC lost. Nought is as good as it gets: a release nearer to train than fresh people are has learnt their chance by heart, and pays in leakage. The
figures themselves follow. Two rows give the scale: ``holdout`` (as many fresh people against train: the floors; TSTR = a model of train on the
hold-out) and ``fresh`` (half of the hold-out as if it were a release: every leak column should read chance).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

import polars as pl

from bench import runs
from bench.attack import attack
from bench.evaluate import evaluate
from bench.tables import FRESH, TASKS, TUNED, Table, load
from twinset.errors import TwinsetError

EXCESS = {"+tvd1": "tvd1", "+tvd2": "tvd2", "+hellinger": "hellinger", "+prop": "prop_auc", "-hgb": "tstr_hgb", "-lr": "tstr_lr"}
COLUMNS = (*EXCESS, "tvd1", "tvd2", "hellinger", "tstr_hgb", "tstr_lr", "prop_auc", "nearer", "copies", "attack", "tpr", "isolated", "replay", "clf", "cpu")
FAILURES = (TwinsetError, OSError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ImportError, pl.exceptions.PolarsError)


def one(spec: str, table: Table, split: int, *, floor: dict[str, float], limit: float) -> dict[str, float]:
    """All columns for one generator (or ``peer/NAME``, or a scale row) on one split; ``floor`` as :func:`floors` gives it."""
    train, holdout = table.split(split)
    task = {"target": table.target, "positive": table.positive}
    if spec == "holdout":
        return floor
    if spec == "fresh":
        half = holdout.height // 2
        return attack(train, holdout[half:], holdout[:half], seed=split)
    frame, cost = runs.peer(spec[5:], train, seed=split, limit=limit) if spec.startswith("peer/") else runs.ours(spec, train, seed=split)
    release = frame.select(train.columns).cast({c: train.schema[c] for c in train.columns}, strict=False)
    found = evaluate(train, holdout, release, **task)
    return excess(found, floor) | found | attack(train, holdout, release, seed=split) | {"cpu": cost.cpu}


def floors(table: Table, split: int) -> dict[str, float]:
    """What as many fresh people as train has would score against it; AUROC: a model of train.

    The hold-out's distances brought from its size h to train's n by the law of sampling noise, squares as 1/n + 1/h (a Hellinger distance H by
    -log(1 - H²)): within 4 % of fresh people on adult and support2 at n = 400, 1,500 and 3,000. Not below 200 rows held out.
    """
    train, holdout = table.split(split)
    found, real = (evaluate(train, holdout, frame, target=table.target, positive=table.positive) for frame in (holdout, train))
    share = 2 / (1 + train.height / holdout.height)
    distances = {k: found[k] * math.sqrt(share) for k in ("tvd1", "tvd2")} | {"hellinger": math.sqrt(1 - (1 - found["hellinger"] ** 2) ** share)}
    return found | distances | {"prop_auc": 0.5, "tstr_hgb": real["tstr_hgb"], "tstr_lr": real["tstr_lr"], "nearer": 0.5}


def excess(found: dict[str, float], floor: dict[str, float]) -> dict[str, float]:
    """By how much a release is worse than fresh people; never below nought.

    >>> excess({"tvd2": 0.056, "tstr_lr": 0.9}, {"tvd2": 0.078, "tstr_lr": 0.95})
    {'+tvd2': 0.0, '-lr': 0.05}
    """
    return {k: round(max(0.0, found[c] - floor[c] if k[0] == "+" else floor[c] - found[c]), 6) for k, c in EXCESS.items() if c in found}


def several(specs: list[str], names: list[str], splits: list[int], *, limit: float = 120.0) -> list[dict[str, Any]]:
    """Rows ``{table, generator, n_splits, medians, runs, failed}``; a generator that fails is a row that says why."""
    rows = []
    for name in names:
        table = load(name)
        floor = {split: floors(table, split) for split in splits}
        for spec in specs:
            done, failed = [], ""
            for split in splits:
                try:
                    done.append(one(spec, table, split, floor=floor[split], limit=limit))
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
