"""Releases to be measured: ours from a spec, peers from their own environments."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bench.tables import cohort
from twinset.core.contracts import Generator
from twinset.core.seeds import stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.generators import GENERATORS

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Cost:
    """CPU-seconds of fit and sample (one thread, children included), and peak resident memory of the process in MB."""

    fit: float
    sample: float
    peak_mb: float

    @property
    def cpu(self) -> float:
        return self.fit + self.sample


def generator(spec: str) -> Generator:
    """``trees`` or ``trees:test=5,bins=64``: a generator with settings; values are read as JSON where they can be."""
    name, _, settings = spec.partition(":")
    pairs = [s.partition("=") for s in settings.split(",") if s]
    return GENERATORS[name](**{k: _read(v) for k, _, v in pairs})  # type: ignore[no-any-return]


def ours(spec: str, train: pl.DataFrame, *, seed: int, n: int = 0) -> tuple[pl.DataFrame, Cost]:
    """One release of ``n`` rows (0 = as many as train) and what it cost; reading and schema are not counted."""
    patients = cohort(train)
    start = cpu_seconds()
    model = generator(spec).fit(Vault(patients, Ledger()), stream(seed, "fit"))
    fitted = cpu_seconds()
    frame = model.sample(n or train.height, stream(seed, "sample")).frame
    return frame, Cost(fitted - start, cpu_seconds() - fitted, peak_mb())


def peer(name: str, train: pl.DataFrame, *, seed: int, limit: float = 120.0) -> tuple[pl.DataFrame, Cost]:
    """One release of a peer, in its own environment. Raises TimeoutError or RuntimeError with the peer's last line."""
    from bench.peers.environment import python

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "train.parquet", Path(folder) / "synthetic.parquet"
        train.write_parquet(source)
        command = [str(python(name)), str(PEERS / f"{name}.py"), str(source), str(target), str(seed)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{name} did not finish in {limit:.0f} s") from None
        if done.returncode:
            raise RuntimeError(f"{name}: {(done.stderr.strip().splitlines() or ['no message'])[-1][:200]}")
        cost = json.loads(done.stdout.strip().splitlines()[-1])
        return pl.read_parquet(target), Cost(cost["fit"], cost["sample"], cost["peak_mb"])


def cpu_seconds() -> float:
    """CPU-seconds of this process and of its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_mb() -> float:
    """Peak resident memory of this process in MB (all it ever held, libraries and data included)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    """Column by column; NaN where a column was never measured."""
    names = dict.fromkeys(k for r in rows for k in r)
    values = {k: [r[k] for r in rows if k in r and r[k] == r[k]] for k in names}
    return {k: statistics.median(v) if v else float("nan") for k, v in values.items()}


def save(name: str, data: Any) -> Path:
    """Written under ``bench/results``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(data, indent=1) + "\n")
    return path


def table(header: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; numbers to three or four figures."""
    lines = [header, ["---"] * len(header), *[[_cell(v) for v in r] for r in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
    return str(value)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
