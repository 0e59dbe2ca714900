"""The copies of a release, as an analyst holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from twinset.core.schema import Schema
from twinset.errors import BadInput
from twinset.inference.told import Told, read_told

if TYPE_CHECKING:
    from twinset.generators.marginals import MarginalsModel
    from twinset.release.folder import Made


@dataclass(frozen=True, repr=False)
class Copies:
    """What is analysed: frames of synthetic rows, their schema, and the model they came from or how they were made.

    ``endpoints``: declared, with their settings; ``analyses``: what ``analyses.json`` says; ``settings``: of the generator, ``None`` where nobody said.
    """

    frames: tuple[pl.DataFrame, ...]
    schema: Schema | None
    model: MarginalsModel | None
    endpoints: tuple[dict[str, Any], ...] = ()
    generator: str = ""
    n: int | None = None
    private: bool = False
    settings: Mapping[str, Any] | None = None
    analyses: tuple[Told, ...] = ()


def copies_of(release: Made | str | Path | Sequence[Any], *, n: int | None, generator: str) -> Copies:
    """The copies of a release in a folder or in memory, or frames, whose ``generator`` is then to be named. Raises BadInput where it is none of them."""
    from twinset.release.folder import Made

    if not isinstance(release, Made | str | Path):
        return of_frames(release, n=n, generator=generator)
    if generator:
        raise BadInput("a release says itself which generator made it", where="combine", hint="leave `generator` out")
    if isinstance(release, Made):
        n = _agreed(n, release.patients)
        made = in_memory([c.frame for c in release.copies], json.loads(release.public_study), release.model, n=n)
        return replace(made, analyses=read_told(release.told_analyses()))
    return read_copies(Path(release), n=n)


def of_frames(frames: Sequence[Any], *, n: int | None, generator: str) -> Copies:
    """Copies that somebody drew, frames of any common kind; ``n``: real patients behind them; ``generator``: its name, "" where nobody said."""
    from twinset.io.frames import to_polars

    made = tuple(to_polars(f) for f in frames)
    if not made or len({f.height for f in made}) != 1:
        raise BadInput("the copies do not have equally many rows, or there are none", where="combine", hint="give all copies of one release, and nothing else")
    return Copies(made, _inferred(made[0]), None, n=n, generator=generator)


def in_memory(frames: Sequence[pl.DataFrame], study: Mapping[str, Any], model: Mapping[str, Any] | None, *, n: int | None) -> Copies:
    """The copies of a release that was not written; ``study``: as released, ``model``: as saved."""
    from twinset.generators.marginals.saved import from_dict

    fitted = from_dict(model) if model else None
    return _copies(frames, study, fitted, n=n)


def read_copies(folder: Path, *, n: int | None) -> Copies:
    """The copies of a release folder (or of its ``release/``), with their model where it was released. Raises BadInput where it is none."""
    home = folder / "release" if (folder / "release").is_dir() else folder
    try:
        about = json.loads((home / "metadata.json").read_text(encoding="utf-8"))
        study = json.loads((home / "study.json").read_text(encoding="utf-8"))
        files = [str(f) for f in about["files"]]
        told = home / "analyses.json"
        analyses = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else []
        patients = int(about["patients"]) if "patients" in about else None
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput("this is not a release", where=str(folder), hint="give a folder that `twinset release` wrote") from None
    told_analyses = read_told(analyses)
    model = _read_model(home / "model.json")
    n = _agreed(n, patients)
    return replace(_copies([_read(home / Path(f).name, study, model) for f in files], study, model, n=n), analyses=told_analyses)


def _agreed(n: int | None, known: int | None) -> int | None:
    """The number of real patients, by the caller or by the release. Raises BadInput where they say two things."""
    if n is not None and known is not None and n != known:
        raise BadInput("`n` is not the number of patients that the release states", where="combine", hint="leave `n` out: the release says it itself")
    return known if n is None else n


def _copies(frames: Sequence[pl.DataFrame], study: Mapping[str, Any], model: MarginalsModel | None, *, n: int | None) -> Copies:
    if n is None and not study.get("release", {}).get("n", 0):
        n = frames[0].height  # as many as there were patients
    schema = model.schema if model else _inferred(frames[0])
    generator = dict(study.get("generator", {}))
    name = str(generator.pop("name", ""))
    return Copies(tuple(frames), schema, model, tuple(study.get("endpoints", [])), name, n, "privacy" in study, generator)


def _read(path: Path, study: Mapping[str, Any], model: MarginalsModel | None) -> pl.DataFrame:
    from twinset.io.read import read_table

    frame = read_table(path)
    if model is None:
        return frame.drop(study.get("release", {}).get("label", "synthetic_id"), strict=False)
    return frame.select(pl.col(c.name).cast(model.dtypes[c.name], strict=False) for c in model.schema)


def _read_model(path: Path) -> MarginalsModel | None:
    from twinset.generators.marginals.saved import from_dict

    if not path.is_file():
        return None
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise BadInput("this is not a model that twinset saved", where=path.name, hint="give the release as it was made") from None


def _inferred(frame: pl.DataFrame) -> Schema:
    from twinset.io.infer import infer_schema

    return infer_schema(frame)
