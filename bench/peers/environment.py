"""An environment per peer, under ``.venv-peers`` of the repository: ``python -m bench.peers.environment NAME ...``."""

from __future__ import annotations

import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[1] / ".venv-peers"


def names() -> list[str]:
    """Peers that have a requirements file and a runner."""
    return sorted(p.stem for p in HERE.glob("*.txt") if (HERE / f"{p.stem}.py").is_file())


def python(name: str) -> Path:
    """The interpreter of the peer's environment; RuntimeError where it has not been made."""
    path = PLACE / name / "bin" / "python"
    if not path.is_file():
        raise RuntimeError(f"no environment: python -m bench.peers.environment {name}")
    return path


def make(name: str) -> float:
    """Makes the environment from ``NAME.txt`` (lines are installed in order, one pip call each); seconds it took."""
    start = time.monotonic()
    venv.create(PLACE / name, with_pip=True, clear=True)
    for line in (HERE / f"{name}.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            command = [str(python(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *line.split()]
            subprocess.run(command, check=True)
    return time.monotonic() - start


if __name__ == "__main__":
    for wanted in sys.argv[1:] or names():
        print(f"{wanted}: {make(wanted):.0f} s")
