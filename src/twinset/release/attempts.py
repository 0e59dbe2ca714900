"""Every run on a table is remembered beside it: a release that is tried until it passes was not tested once.

One line of JSON before a run is judged, one when it has ended. No value, level or row ever stands here; the file stays with the table.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twinset.release import beside as files
from twinset.report.material import Attempts

FORMAT = "twinset attempts 1"
JUDGED = ("release", "compare")  # commands whose runs end in a verdict


@dataclass(frozen=True)
class Attempt:
    """One run under way: its file, its mark there, and how it stands among the runs on this table. ``path`` None: nothing can be written anywhere."""

    path: Path | None
    mark: str
    before: tuple[Mapping[str, Any], ...]
    seed: int

    def told(self) -> Attempts:
        """The runs so far that ended in a verdict or should have, this one included."""
        ends = {line["run"]: line["outcome"] for line in self.before if line.get("entry") == "end"}
        begun = [line for line in self.before if line.get("entry") == "begin" and line.get("command") in JUDGED]
        outcomes = [ends.get(line["run"], "") for line in begun]
        refused, released = (sum(o == what for o in outcomes) for what in ("refused", "released"))
        seeds = tuple(dict.fromkeys([*(int(line["seed"]) for line in begun), self.seed]))
        return Attempts(len(begun) + 1, refused, released, len(begun) - refused - released, seeds)

    def end(self, *, released: bool) -> None:
        """Write how it ended."""
        files.append(self.path, {"entry": "end", "run": self.mark, "at": _now(), "outcome": "released" if released else "refused"})


def looked(table: Path, *, command: str, generator: str, seed: int, study: str) -> None:
    """A line for a look at ``table`` that ends in no verdict (a sweep)."""
    files.append(_place(table), _begun(secrets.token_hex(8), study, {"command": command, "generator": generator, "seed": seed, "n": 0}))


def begin(table: Path, *, command: str, generator: str, seed: int, n: int, study: str) -> Attempt:
    """A line for a run on ``table`` that is about to be judged; ``study``: its text, of which the hash is kept; ``n``: rows asked for, 0 = as many as train."""
    path = _place(table)
    before = tuple(_lines(path))
    mark = secrets.token_hex(8)
    written = files.append(path, _begun(mark, study, {"command": command, "generator": generator, "seed": seed, "n": n}))
    return Attempt(path if written else None, mark, before, seed)


def _begun(mark: str, study: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"entry": "begin", "run": mark, "at": _now(), **asked, "study": hashlib.sha256(study.encode()).hexdigest(), "format": FORMAT}


def beside(table: Path) -> Path:
    """Where a table's attempts are: beside the file that a link leads to.

    >>> beside(Path("trial/patients.csv")).name
    'patients.csv.attempts.jsonl'
    """
    return files.beside(table, "attempts")


def _place(table: Path) -> Path:
    return files.place(table, "attempts")


def _lines(path: Path) -> Sequence[Mapping[str, Any]]:
    return [line for line in files.lines(path) if isinstance(line.get("run"), str) and (line.get("entry") != "begin" or isinstance(line.get("seed"), int))]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
