"""Finished refits in a file beside the table, so that an interrupted release goes on where it was.

A line holds estimates over all patients of a resample, without a name, a level or a row; the file stays with the custodian and is removed when the
release is made.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinset.core.contracts import Generator
from twinset.facts import provenance
from twinset.refitting.job import Figures
from twinset.release.beside import append, lines, place
from twinset.study import Study

FORMAT = "twinset refits 1"


@dataclass(frozen=True)
class Kept:
    """The file of one job. ``key``: a hash of everything that decides its figures; lines of another key are another job's, and never used."""

    path: Path
    key: str

    def read(self, *, runs: int, contrasts: int) -> dict[int, Figures]:
        """The refits that are there, by number; a line that is torn or not ours is left out."""
        ours = (line for line in lines(self.path) if line.get("key") == self.key and line.get("format") == FORMAT)
        found = ((line.get("run"), _figures(line.get("estimates"), contrasts)) for line in ours)
        return {n: f for n, f in found if type(n) is int and 0 <= n < runs and f is not None}

    def add(self, done: Mapping[int, Figures]) -> None:
        """Refits more. A file of another job's makes room; one that others could read is closed to them."""
        if any(line.get("key") != self.key for line in lines(self.path)):
            self._remove()
        with suppress(OSError):  # there is none yet, or it is not ours to close
            self.path.chmod(0o600)
        for number, figures in done.items():
            estimates = [[v if math.isfinite(v) else None for v in pair] for pair in figures]
            append(self.path, {"run": number, "estimates": estimates, "key": self.key, "format": FORMAT})

    def forget(self) -> None:
        """Remove the file, if it is this job's."""
        if any(line.get("key") == self.key for line in lines(self.path)):
            self._remove()

    def _remove(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def left(study: Study) -> str:
    """What an interrupted release has written, in words."""
    kept = keeper(study, study.build_generator())
    n = sum(line.get("key") == kept.key for line in lines(kept.path)) if kept is not None else 0
    if kept is None or not n:
        return "nothing written"
    return f"nothing written but {n} finished refit{'' if n == 1 else 's'} in {kept.path}: the same call takes them up again; the audit is not kept"


def keeper(study: Study, generator: Generator) -> Kept | None:
    """The file of a study's refits; ``None`` where its table is no file. The key: study, table, seeds, versions of libraries, settings with their defaults."""
    if not study.table.is_file():
        return None
    kind = type(generator)
    parts = {**provenance(study), "generator": f"{kind.__module__}.{kind.__qualname__}: {generator!r}", "format": FORMAT}
    return Kept(place(study.table, "refits"), hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest())


def _figures(estimates: Any, contrasts: int) -> Figures | None:
    if not isinstance(estimates, list) or len(estimates) != contrasts:
        return None
    pairs = [p for p in estimates if isinstance(p, list) and len(p) == 2 and all(v is None or _finite(v) for v in p)]
    return tuple((_number(a), _number(b)) for a, b in pairs) if len(pairs) == contrasts else None


def _finite(value: Any) -> bool:
    """A number that a float can hold: ``true``, ``Infinity`` and a whole number of 400 digits are none."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
