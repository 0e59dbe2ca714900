"""``twinset ask``: a few answers with noise, instead of a table. Answers on stdout, talk on stderr."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
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
    from twinset.cli.show import progress
    from twinset.errors import OutputProblem
    from twinset.io.place import new_file
    from twinset.study import load

    if out is not None and out.exists() and not overwrite:
        raise OutputProblem("it exists already", where=str(out), hint="choose another name, or add --overwrite")
    loaded = load(study, overrides=sets or ())
    with progress(quiet=as_json) as say:
        answers = run(loaded, questions, epsilon=epsilon, progress=say)
    if as_json:
        print(answers.to_json(), end="")
    else:
        _tell(answers)
    if out is not None:
        with new_file(out, overwrite=overwrite) as temporary:
            temporary.write_text(answers.to_json(), encoding="utf-8", newline="\n")
        print(f"wrote {out}", file=sys.stderr)


def _tell(answers: Answers) -> None:
    from rich.console import Console

    from twinset.asking.answer import shown

    console = Console(file=sys.stdout, highlight=False)
    for question in dict.fromkeys(a.question for a in answers):
        of = [a for a in answers if a.question == question]
        console.print(question, style="bold", markup=False)
        for a in of:
            noise = f"noise {_short(a.noise)}, n about {a.n:,}" if math.isfinite(a.noise) else f"n about {a.n:,}"
            console.print(f"  {_which(a)}{shown(a)}   {noise}", markup=False)
        if any(a.value is None for a in of):
            console.print("  Where noise drowns a group: ask for fewer groups, or with a larger epsilon.", style="dim", markup=False)
        console.print(f"  {of[0].silent_on}", style="dim", markup=False)
    told = answers.certificate
    console.print(
        f"value (95 % interval for the population: sampling and noise). noise: its standard deviation. epsilon = {told['epsilon']:g} at delta = {told['delta']:g} "
        f"for each {told['unit']}, of a budget of {told['budget']:g}.",
        style="dim",
        markup=False,
    )
    for line in told["warnings"]:
        print(f"warning: {line}", file=sys.stderr)


def _which(answer: Answer) -> str:
    names = ", ".join(f"{column} {level}" for column, level in answer.group)
    extra = answer.measure if answer.measure.startswith("hazard") else ""
    said = ", ".join(x for x in (names, extra) if x)
    return f"{said}: " if said else ""


def _short(value: float) -> str:
    return f"{value:.2g}"
