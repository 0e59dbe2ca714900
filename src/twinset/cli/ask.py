"""``twinset ask``: a few answers with noise, instead of a table. Answers on stdout, progress and warnings on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from twinset.asking.answer import Answer, Answers

Sets = Annotated[Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="override any study key, e.g. columns.age.high=90; repeatable")]  # noqa: UP045


def ask(
    study: Annotated[Path, typer.Argument(help="the study file, with a section [privacy]", metavar="STUDY")],
    questions: Annotated[
        list[str], typer.Argument(help="'count() by arm'  'share(event == 1)'  'mean(age) by sex'  'median(cd4)'  'effect(\"...\")'", metavar="QUESTION...")
    ],
    epsilon: Annotated[float, typer.Option("--epsilon", "-e", help="what all answers together may cost; written into the ledger before the first look")],
    out: Annotated[Optional[Path], typer.Option("-o", "--out", help="a JSON file to write as well: answers and certificate")] = None,  # noqa: UP045
    sets: Sets = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file if it exists")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print answers and certificate as JSON and nothing else")] = False,
) -> None:
    """Answer questions about the patients with noise and an interval, billed to the ledger of releases (docs/ask.md). May leave."""
    from twinset.asking.ask import ask as run
    from twinset.cli.net import interrupted
    from twinset.cli.progress import progress
    from twinset.errors import OutputProblem
    from twinset.io.place import new_file
    from twinset.study import load

    if out is not None and out.exists() and not overwrite:
        raise OutputProblem("it exists already", where=str(out), hint="choose another name, or add --overwrite")
    loaded = load(study, overrides=sets or ())
    try:
        with progress(quiet=as_json, promised=True) as say:
            answers = run(loaded, questions, epsilon=epsilon, progress=say)
    except KeyboardInterrupt:
        interrupted("nothing written; what the ledger has reserved for these answers stays reserved")
    if as_json:
        print(answers.to_json(), end="")
    else:
        _tell(answers)
    if out is not None:
        with new_file(out, overwrite=overwrite) as temporary:
            temporary.write_text(answers.to_json(), encoding="utf-8", newline="\n")
        print(f"wrote {out}", file=sys.stderr if as_json else sys.stdout)


def _tell(answers: Answers) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    for question in dict.fromkeys(a.question for a in answers):
        of = [a for a in answers if a.question == question]
        console.print(Text(question, style="bold"))
        console.print(_table(of, console))
        if any(a.value is None for a in of):
            console.print(Text("Where noise drowns a group, nothing is told: ask for fewer groups, or with a larger epsilon.", style="dim"))
        console.print(Text(of[0].silent_on + "\n", style="dim"))
    told = answers.certificate
    cost = f"epsilon = {told['epsilon']:g} at delta = {told['delta']:g} for each {told['unit']}, of a budget of {told['budget']:g}."
    meaning = "Interval: of the population, sampling and noise counted together. noise: its standard deviation; n: rows, about. "
    console.print(Text(meaning + cost, style="dim"))
    for line in told["warnings"]:
        print(f"warning: {line}", file=sys.stderr)


def _table(answers: Sequence[Answer], console: Console) -> Table:
    from rich.table import Table
    from rich.text import Text

    from twinset.asking.answer import figure
    from twinset.cli.show import plain_box

    table = Table(box=plain_box(console), pad_edge=False)
    for column, _ in answers[0].group:
        table.add_column(Text(column))
    table.add_column(Text(answers[0].measure), justify="right")
    for name in ("95 % interval", "noise", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for a in answers:
        drowned = a.value is None
        figures = ("-", "any", "-") if drowned else (figure(a.value, a), f"{figure(a.low, a)} to {figure(a.high, a)}", f"{a.noise:.2g}")
        table.add_row(*(Text(str(level)) for _, level in a.group), *figures, f"{a.n:,}")
    return table
