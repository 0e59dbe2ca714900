"""The demo: ACTG 175, which ships with lifelines, with the study file that `init` drafts for it and one for a private release."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from twinset.dp.register import publish
from twinset.draft import draft
from twinset.io.place import new_folder
from twinset.io.read import read_table
from twinset.io.write import write_table

TITLE = "ACTG 175, synthetic cohort"
ENDPOINT = "CD4 decline by half, AIDS or death"
STATED = {'name = "actg175"': f'name = "{TITLE}"', 'name = "time to cens"': f'name = "{ENDPOINT}"'}  # what a custodian knows and a table cannot tell


def write_demo(folder: Path, *, overwrite: bool = False) -> Path:
    """Write ``actg175.csv``, its drafted ``study.toml`` and a ``private.toml`` with the code book's domain; gives the path of the first study file.

    ``overwrite``: in a folder that is there, these files are replaced and all others (an earlier release) stay.
    """
    if overwrite and folder.is_dir():
        with TemporaryDirectory(dir=folder) as beside:
            _fill(Path(beside))
            for file in sorted(Path(beside).iterdir()):
                file.replace(folder / file.name)
    else:
        with new_folder(folder) as temporary:
            _fill(temporary)
    publish(folder / "actg175.csv", why="it ships with the demo")  # many demos, many ledgers: the register refuses none
    return folder / "study.toml"


def _fill(folder: Path) -> None:
    trial = read_table(Path(str(files("lifelines").joinpath("datasets/ACTG175.csv"))))
    write_table(trial.drop(trial.columns[0]), folder / "actg175.csv")  # the first column numbers the lines
    for name, private in (("study.toml", False), ("private.toml", True)):
        text = draft(folder / "actg175.csv", out=folder / name, private=private)
        for drafted, known in STATED.items():
            text = text.replace(drafted, known, 1)
        (folder / name).write_text(declare(text) if private else text, encoding="utf-8", newline="\n")


# What the trial's protocol and code book say (Hammer et al., New England Journal of Medicine 1996; the variable list of ACTG 175): none of it was read from the rows
YES_NO = "levels = [0, 1]"
CELLS = "low = 0\nhigh = {}"  # per cubic millimetre of blood: a medical range, not the table's
CODE_BOOK = {
    **dict.fromkeys(("hemo", "homo", "drugs", "oprior", "z30", "zprior", "race", "gender", "str2", "symptom", "treat", "offtrt", "r", "cens"), YES_NO),
    "strat": "levels = [1, 2, 3]",
    "arms": "levels = [0, 1, 2, 3]",
    "karnof": "levels = [70, 80, 90, 100]",  # 70 and above could enter
    "age": "low = 12\nhigh = 90",
    "wtkg": "low = 30.0\nhigh = 200.0\ndecimals = 1",
    "preanti": "low = 0\nhigh = 4000",
    "days": "low = 0\nhigh = 1300",
    **dict.fromkeys(("cd40", "cd420", "cd496"), CELLS.format(2000)),
    **dict.fromkeys(("cd80", "cd820"), CELLS.format(6000)),
}
PUBLIC_RULES = ("r == 0 <-> cd496 missing", "str2 follows strat {1: 0, 2: 1, 3: 1}", "treat follows arms {0: 0, 1: 1, 2: 1, 3: 1}")
HEAD = """#:schema study.schema.json
# A private release of the demo. Bounds, levels and rules are those of protocol and code book: nothing of them was read from the rows.

"""
PRIVACY = '[privacy]\nepsilon = 5.0\nunit = "row"\nbudget = 10.0   # of this release and of further answers and releases together\n'


def declare(text: str) -> str:
    """The study drafted for a private run, with the code book's domain and rules filled in and a budget for the demo."""
    head, _, rest = text.partition("[columns.")
    columns, _, _ = rest.partition("# Rules hold in")
    endpoints = text[text.index("# Endpoints:") :].partition("# Differential privacy:")[0]
    sections = ["[columns." + section for section in columns.split("[columns.")]
    declared = "".join(_column(section) for section in sections)
    rules = "".join(f"[[rules]]\nrule = '{rule}'\norigin = \"public\"\n\n" for rule in PUBLIC_RULES)
    return HEAD + head[head.index("name = ") :] + declared + rules + endpoints + PRIVACY


def _column(section: str) -> str:
    name = section.removeprefix("[columns.").partition("]")[0]
    if name not in CODE_BOOK:
        return section
    read = ("level_type =", "levels =", "origin =", "#")
    kept = [line for line in section.strip().splitlines() if not line.startswith(read)]
    return "\n".join([*kept, *CODE_BOOK[name].splitlines(), 'origin = "public"']) + "\n\n"
