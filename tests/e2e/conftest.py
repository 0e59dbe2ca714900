"""A made-up hospital of 1,000 patients, and the command line as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(autouse=True)
def _luck_has_no_part(seeded_process: None) -> None:
    """What these tests look at is the same every time."""


def hospital(n: int = 1000, seed: int = 0) -> pl.DataFrame:
    """Names, dates, an arm, a survival time with censoring, a laboratory value with gaps, a derived column."""
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(60, 12, n), 18, 95).round().astype(int)
    arm = rng.integers(0, 2, n)
    hazard = 0.002 * np.exp(0.02 * (age - 60) - 0.7 * arm)
    death = rng.exponential(1 / hazard)
    stop = rng.uniform(200, 1000, n)
    creatinine = np.round(np.exp(rng.normal(0, 0.4, n)) * (1 + 0.01 * (age - 60)), 2)
    sampled = rng.random(n) < 0.8
    return pl.DataFrame(
        {
            "name": [f"Patient Nr{i:04d} von Beispiel" for i in range(n)],
            "record_number": [int(v) for v in 10_000_000 + rng.permutation(n) * 7],
            "age": age,
            "sex": rng.choice(["female", "male"], n),
            "arm": arm,
            "treated": np.where(arm == 1, "yes", "no"),
            "sampled": sampled.astype(int),
            "creatinine": [float(c) if s else None for c, s in zip(creatinine, sampled, strict=True)],
            "days": np.minimum(death, stop).round().astype(int),
            "event": (death <= stop).astype(int),
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "patients.csv"
    hospital().write_csv(path)
    return path


@pytest.fixture
def people() -> pl.DataFrame:
    return hospital()


@pytest.fixture
def twinset(tmp_path: Path) -> Run:
    """Runs ``twinset ARGS`` in ``tmp_path``; gives code, stdout, stderr."""

    def run(*arguments: str | Path, timeout: float = 120, **options: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "twinset.cli.app", *map(str, arguments)]
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout, env=environment, check=False, **options)

    return run
