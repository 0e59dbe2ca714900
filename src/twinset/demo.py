"""The demo: ACTG 175, which ships with lifelines, with the study file that `init` drafts for it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from twinset.draft import draft
from twinset.io.place import new_folder
from twinset.io.read import read_table
from twinset.io.write import write_table

TITLE = "ACTG 175, synthetic cohort"
ENDPOINT = "CD4 decline by half, AIDS or death"
STATED = {'name = "actg175"': f'name = "{TITLE}"', 'name = "time to cens"': f'name = "{ENDPOINT}"'}  # what a custodian knows and a table cannot tell


def write_demo(folder: Path, *, overwrite: bool = False) -> Path:
    """Write ``actg175.csv`` and its drafted ``study.toml`` to a new folder; gives the path of the study file."""
    with new_folder(folder, overwrite=overwrite) as temporary:
        trial = read_table(Path(str(files("lifelines").joinpath("datasets/ACTG175.csv"))))
        write_table(trial.drop(trial.columns[0]), temporary / "actg175.csv")  # the first column numbers the lines
        text = draft(temporary / "actg175.csv", out=temporary / "study.toml")
        for drafted, known in STATED.items():
            text = text.replace(drafted, known, 1)
        (temporary / "study.toml").write_text(text, encoding="utf-8", newline="\n")
    return folder / "study.toml"
