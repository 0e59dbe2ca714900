"""``twinset sweep``: the privacy-utility frontier of a study. Progress on stderr; the recommendation, or with ``--json`` the list of points, on stdout."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from twinset.sweeping.run import Swept

Sets = Annotated[Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="override any study key, e.g. privacy.unit=row; repeatable")]  # noqa: UP045


def sweep(
    study: Annotated[Path, typer.Argument(help="the study file", metavar="STUDY")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder to write; one with points of this sweep is gone on with")],
    epsilon: Annotated[str, typer.Option("--epsilon", "-e", help="the epsilons, with commas between them")] = "1,2,5,10,20,50,100",
    generator: Annotated[Optional[list[str]], typer.Option("--generator", "-g", help="with commas, or repeated; default: aim")] = None,  # noqa: UP045
    repeats: Annotated[int, typer.Option(help="how often each point is run", min=1)] = 3,
    workers: Annotated[Optional[int], typer.Option(help="processes at once; default: one a core", min=1)] = None,  # noqa: UP045
    publish: Annotated[
        bool, typer.Option("--publish", help="bill every point to the ledger before the first is run; refuse (3) where it does not cover them")
    ] = False,
    sets: Sets = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="forget the points that are in the folder")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the list of points and nothing else")] = False,
) -> None:
    """Fidelity, endpoints and attacks at several epsilons, and the smallest epsilon that costs nothing. Stays with the custodian."""
    from twinset.cli.net import interrupted
    from twinset.cli.progress import progress
    from twinset.study import load
    from twinset.sweeping.grid import grid
    from twinset.sweeping.run import sweep as run

    asked = grid(epsilon, ",".join(generator or ["aim"]), repeats=repeats, publish=publish)
    loaded = load(study, overrides=[f"privacy.epsilon={asked.epsilons[-1]!r}", *(sets or ())])
    try:
        with progress(quiet=as_json, each=True) as say:
            swept = run(loaded, asked, out, workers=workers or os.cpu_count() or 1, overwrite=overwrite, progress=say)
    except KeyboardInterrupt:
        interrupted("every finished point is kept, and the same command goes on from there")
    if as_json:
        print(json.dumps(swept.points, indent=2, ensure_ascii=False))
    else:
        _tell(swept, out)


def _tell(swept: Swept, out: Path) -> None:
    for a in swept.advice:
        print(f"{a.generator}: " + ("no epsilon is recommended" if a.epsilon is None else f"recommended epsilon = {a.epsilon:g}"))
        for text in (a.reason, *a.notes):
            print(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  "))
    print(f"\n  {out}/custodian/sweep.html  open this; it stays with you: to choose by looking at it is a look at patients")
