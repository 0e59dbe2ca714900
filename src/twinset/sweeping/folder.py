"""The folder of a sweep: what it was started with, and every finished point as a file of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twinset.errors import BadInput, OutputProblem, collect
from twinset.facts import file_hash
from twinset.io.place import new_file
from twinset.study import Study
from twinset.sweeping.grid import Grid, Job

FORMAT = "twinset sweep 1"


@dataclass(frozen=True)
class Place:
    """Where a sweep keeps its things; all of it is the custodian's."""

    root: Path

    @property
    def custodian(self) -> Path:
        return self.root / "custodian"

    @property
    def points(self) -> Path:
        return self.custodian / "points"

    @property
    def settings(self) -> Path:
        return self.custodian / "sweep-settings.json"

    @property
    def reservations(self) -> Path:
        """Numbers of the runs in the ledger, by point; only under ``publish``."""
        return self.custodian / "reservations.json"

    @property
    def recorded(self) -> Path:
        """The mark that the ledger knows of this sweep."""
        return self.custodian / "recorded-in-the-ledger"

    def point(self, job: Job) -> Path:
        return self.points / f"{job.name}.json"


def settings(study: Study, grid: Grid, measure: str = "") -> dict[str, Any]:
    """What two sweeps must share for their points to belong together, as names and hashes."""
    parts = study.model_dump(mode="json", by_alias=True)
    for key in ("epsilon", "ledger"):
        (parts["privacy"] or {}).pop(key, None)
    hashes = {f"study: {k}": hashlib.sha256(json.dumps(v, sort_keys=True).encode()).hexdigest() for k, v in parts.items()}
    asked = {"epsilons": list(grid.epsilons), "generators": list(grid.generators), "repeats": grid.repeats, "publish": grid.publish, "measure": measure}
    return {"format": FORMAT, "twinset": version("twinset"), "table": file_hash(study.table), **asked, **hashes}


def claim(place: Place, wanted: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Make the folder this sweep's own, or find that it already is.

    Raises BadInput where its points were made with other settings, OutputProblem where it holds other things. ``overwrite``
    forgets the points of another sweep; nothing else is ever removed.
    """
    held = _held(place)
    if held is not None and dict(held) != dict(wanted):
        if not overwrite:
            odd = sorted(k for k in {*held, *wanted} if held.get(k) != wanted.get(k))
            raise BadInput(
                f"the points in this folder were made with other settings ({', '.join(odd)})",
                where=str(place.root),
                hint="give another folder, the same settings to go on, or --overwrite to start afresh",
            )
        held = None
    elif held is not None and overwrite:
        held = None
    elif held is None and place.root.exists() and any(place.root.iterdir()):
        raise OutputProblem("it exists already and holds no sweep", where=str(place.root), hint="choose another name")
    if held is None:
        _clear(place)
        write_json(place.settings, wanted)
    place.points.mkdir(parents=True, exist_ok=True)
    for part in place.points.glob(".*.part*"):
        part.unlink(missing_ok=True)


def finished(place: Place, jobs: Sequence[Job]) -> dict[Job, dict[str, Any]]:
    """The points that are done. Raises BadInput where a file is not what a point writes."""
    found, problems = {}, []
    for job in jobs:
        path = place.point(job)
        if not path.exists():
            continue
        try:
            made = json.loads(path.read_text(encoding="utf-8"))
            if (made["generator"], made["epsilon"], made["repeat"]) != (job.generator, job.epsilon, job.repeat):
                raise ValueError
            found[job] = made
        except (OSError, ValueError, KeyError, TypeError):
            problems.append(f"`{path.name}` cannot be read as a point")
    if problems:
        raise BadInput(collect(problems), where=str(place.points), hint="remove these files, and their points are run again")
    return found


def write_json(path: Path, data: Any) -> None:
    """A small JSON file, whole or not at all."""
    with new_file(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """What :func:`write_json` wrote; ``None`` where there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise BadInput("this file of a sweep cannot be read", where=path.name, hint="give another folder") from None


def _held(place: Place) -> Mapping[str, Any] | None:
    if place.root.is_file():
        raise OutputProblem("this is a file, not a folder", where=str(place.root), hint="choose another name")
    held = read_json(place.settings)
    if held is not None and (not isinstance(held, Mapping) or held.get("format") != FORMAT):
        raise BadInput("this folder was not made by this version's `twinset sweep`", where=str(place.root), hint="give another folder")
    return held


def _clear(place: Place) -> None:
    """Remove what a sweep writes, and nothing else."""
    own = [place.settings, place.reservations, place.recorded, place.custodian / "sweep.json", place.custodian / "sweep.html"]
    own += [p for ending in ("*.json", "*.started") for p in place.points.glob(ending)]
    for path in own:
        path.unlink(missing_ok=True)
