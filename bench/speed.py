"""CPU-seconds and peak memory, each measurement in a fresh process: ``python -m bench.speed --help``.

A run: read the table, take the train split, warm up on 300 of its rows (compilation is a cost of the first use, shown
apart as ``first``), then fit and sample ``--repeats`` times; medians are shown. Also: growth with rows and with
columns as an exponent, import time, and the size of the install. One thread; CPU-seconds, never wall.
"""

from __future__ import annotations

import argparse
import importlib.metadata as metadata
import json
import re
import statistics
import subprocess
import sys
from typing import Any

import numpy as np

from bench import runs
from bench.tables import TASKS, load

# table, generator, CPU-seconds and MB that the issue asks for (NaN = none)
NAN = float("nan")
TARGETS = {
    ("actg175", "trees"): (0.1, NAN),
    ("adult", "trees"): (0.8, 400.0),
    ("support2", "trees"): (1.5, NAN),
    ("diabetes130", "trees"): (8.0, 800.0),
    ("brfss2015", "trees"): (8.0, NAN),
    ("adult", "avatars"): (3.5, 1000.0),
    ("diabetes130", "avatars"): (20.0, 1000.0),
    ("million", "avatars"): (150.0, 1200.0),
}


def inside(spec: str, name: str, *, n: int, columns: int, repeats: int) -> dict[str, Any]:
    """What the fresh process does: warm up, then measure."""
    train = _rows(name, n)
    train = train[:, :columns] if columns else train
    loaded = runs.peak_mb()
    first = runs.ours(spec, train[:300], seed=0)[1].cpu
    costs = [runs.ours(spec, train, seed=s)[1] for s in range(repeats)]
    return {
        "table": name,
        "generator": spec,
        "rows": train.height,
        "columns": train.width,
        "first": first,
        "fit": statistics.median(c.fit for c in costs),
        "sample": statistics.median(c.sample for c in costs),
        "cpu": statistics.median(c.cpu for c in costs),
        "cpu_max": max(c.cpu for c in costs),
        "peak_mb": runs.peak_mb(),
        "loaded_mb": loaded,
    }


def fresh(spec: str, name: str, *, n: int = 0, columns: int = 0, repeats: int = 3, limit: float = 600.0) -> dict[str, Any]:
    """``inside`` in a process of its own; ``failed`` says why there is no figure."""
    base: dict[str, Any] = {"table": name, "generator": spec, "rows": n, "columns": columns}
    if spec.startswith("peer/"):
        try:
            train = load(name).split(0)[0]
            cost = runs.peer(spec[5:], train, seed=0, limit=limit)[1]
        except (TimeoutError, RuntimeError) as e:
            return base | {"failed": str(e)}
        return base | {"rows": train.height, "columns": train.width, "fit": cost.fit, "sample": cost.sample, "cpu": cost.cpu, "peak_mb": cost.peak_mb}
    command = [sys.executable, "-m", "bench.speed", "--inside", json.dumps([spec, name, n, columns, repeats])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, cwd=runs.ROOT)
    except subprocess.TimeoutExpired:
        return base | {"failed": f"over {limit:.0f} s"}
    if done.returncode:
        return base | {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:160]}
    return json.loads(done.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]


def million(n: int = 1_000_000) -> Any:
    """A made-up table of ``n`` x 20: twelve correlated numbers, eight categories of 2 to 9 levels."""
    import polars as pl

    rng = np.random.default_rng(20)
    hidden = rng.normal(size=(n, 3)).astype(np.float32)
    out = {f"x{i}": np.round(hidden @ rng.normal(size=3).astype(np.float32) + rng.normal(size=n).astype(np.float32), 2).astype(np.float64) for i in range(12)}
    for i in range(8):
        score = hidden @ rng.normal(size=3).astype(np.float32) + rng.normal(size=n).astype(np.float32)
        out[f"c{i}"] = np.digitize(score, np.linspace(-2, 2, i + 1)).astype(np.int64)
    return pl.DataFrame(out)


def _rows(name: str, n: int) -> Any:
    """The train split (``n`` = 0), or ``n`` rows of the whole table in random order, with repeats only beyond its size."""
    if name == "million":
        return million(n or 1_000_000)
    table = load(name)
    if not n:
        return table.split(0)[0]
    return table.grown(n).frame


def growth(spec: str, name: str, *, repeats: int, quick: bool) -> dict[str, Any]:
    """The exponent of CPU-seconds against rows (n log n would read about 1.05 to 1.1) and against columns (2 = quadratic)."""
    parts = (4, 2, 1) if quick else (8, 4, 2, 1)
    height = load(name).frame.height
    by_rows = [fresh(spec, name, n=height // p, repeats=repeats) for p in parts]
    wide = "nhanes" if quick else "ist"
    width = load(wide).frame.width
    by_columns = [fresh(spec, wide, columns=width // p, repeats=repeats) for p in parts]
    return {
        "generator": spec,
        "rows": [(r["rows"], r.get("cpu", NAN)) for r in by_rows],
        "row_exponent": _slope([(r["rows"], r.get("cpu", NAN)) for r in by_rows]),
        "columns": [(r["columns"], r.get("cpu", NAN)) for r in by_columns],
        "column_exponent": _slope([(r["columns"], r.get("cpu", NAN)) for r in by_columns]),
    }


def import_cpu(code: str = "import twinset", repeats: int = 5) -> float:
    """CPU-seconds of ``code`` in a fresh interpreter beyond those of an empty one, median."""

    def cost(text: str) -> float:
        before = runs.cpu_seconds()
        subprocess.run([sys.executable, "-c", text], check=True, capture_output=True)
        return runs.cpu_seconds() - before

    return statistics.median(cost(code) for _ in range(repeats)) - statistics.median(cost("pass") for _ in range(repeats))


def install_mb(name: str = "twinset") -> dict[str, float]:
    """Size on disk of a distribution and everything it requires (no extras), in MB, largest first."""
    todo, seen, sizes = [name], set(), {}
    while todo:
        key = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if key in seen:
            continue
        seen.add(key)
        try:
            found = metadata.distribution(key)
        except metadata.PackageNotFoundError:
            continue
        paths = [found.locate_file(f) for f in found.files or ()]
        sizes[key] = sum(p.stat().st_size for p in map(runs.Path, map(str, paths)) if p.is_file()) / 1e6
        todo += [re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0] for line in found.requires or () if "extra ==" not in line]
    return dict(sorted(sizes.items(), key=lambda kv: -kv[1]))


def show(rows: list[dict[str, Any]]) -> str:
    """Rows as Markdown with the target beside, and each peer as a multiple of our ``trees`` on that table."""
    ours = {r["table"]: r["cpu"] for r in rows if r["generator"].startswith("trees") and "cpu" in r}
    cells = []
    for r in rows:
        cpu, mb = TARGETS.get((r["table"], r["generator"].partition(":")[0]), (NAN, NAN))
        ratio = r.get("cpu", NAN) / ours[r["table"]] if r["table"] in ours else NAN
        figures = [r.get(k, NAN) for k in ("fit", "sample", "cpu")]
        cells.append(
            [r["table"], r["generator"], r["rows"], r["columns"], *figures, cpu, ratio, r.get("peak_mb", NAN), mb, r.get("first", NAN), r.get("failed", "")]
        )
    header = ["table", "generator", "rows", "cols", "fit", "sample", "CPU-s", "target", "x trees", "peak MB", "target", "first", "failed"]
    return runs.table(header, cells)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", default="trees,avatars", help="specs joined by ',' (or ';' where a spec holds commas); peer/NAME for a peer")
    parser.add_argument("--tables", default="actg175,adult,support2,diabetes130,brfss2015", help=f"of {', '.join(TASKS)}, million")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds a measurement may take")
    parser.add_argument("--growth", action="store_true", help="also measure growth with rows and columns")
    parser.add_argument("--out", default="speed", help="name of the JSON file under bench/results")
    parser.add_argument("--quick", action="store_true", help="ACTG 175 and Adult, one repeat, growth on small tables: a minute")
    parser.add_argument("--inside", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.inside:
        spec, name, n, columns, repeats = json.loads(options.inside)
        print(json.dumps(inside(spec, name, n=n, columns=columns, repeats=repeats)))
        return 0
    specs = options.generators.split(";" if ";" in options.generators or ":" in options.generators else ",")
    names, repeats = options.tables.split(","), options.repeats
    if options.quick:
        names, repeats = ["actg175", "adult"], 1
    rows = [fresh(s, t, repeats=repeats, limit=options.limit) for t in names for s in specs]
    print(show(rows))
    grown = [
        growth(s, "adult" if options.quick else "brfss2015", repeats=1, quick=options.quick) for s in specs if options.growth and not s.startswith("peer/")
    ]
    for g in grown:
        print(f"{g['generator']}: CPU ~ rows^{g['row_exponent']:.2f} {g['rows']}, columns^{g['column_exponent']:.2f} {g['columns']}")
    size = install_mb()
    imported = {
        "import twinset": import_cpu(),
        "twinset --help": import_cpu("import sys; sys.argv=['twinset', '--help']; from twinset.cli.app import main; main()"),
    }
    print(f"import: {', '.join(f'{k} {v:.2f} CPU-s' for k, v in imported.items())}; install {sum(size.values()):.0f} MB, largest: {list(size.items())[:4]}")
    runs.save("speed-quick" if options.quick else options.out, {"rows": rows, "growth": grown, "import": imported, "install_mb": size})
    return 0


def _slope(points: list[tuple[int, float]]) -> float:
    kept = [(n, c) for n, c in points if n > 0 and c == c and c > 0]
    if len(kept) < 2:
        return NAN
    x, y = np.log([n for n, _ in kept]), np.log([c for _, c in kept])
    return float(np.polyfit(x, y, 1)[0])


if __name__ == "__main__":
    sys.exit(main())
