"""The demo: ACTG 175, from the lifelines package, with a study file a custodian would write."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from twinset.draft import draft
from twinset.io.place import new_folder

ROLES = {
    "pidnum": "identifier",
    "age": "quasi-identifier",
    "gender": "quasi-identifier",
    "race": "quasi-identifier",
    "arms": "arm",
    "days": "time",
    "cens": "event",
}


def write_demo(folder: Path, *, overwrite: bool = False) -> Path:
    """Write ``actg175.csv`` and ``study.toml`` to a new folder; gives the path of the study file."""
    table = files("lifelines").joinpath("datasets/ACTG175.csv").read_bytes()
    with new_folder(folder, overwrite=overwrite) as temporary:
        (temporary / "actg175.csv").write_bytes(table)
        text = draft(temporary / "actg175.csv", out=temporary / "study.toml")
        (temporary / "study.toml").write_text(text, encoding="utf-8", newline="\n")
    return folder / "study.toml"
