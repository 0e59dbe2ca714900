"""``twinset sweep``: the privacy-utility frontier of a study. Talk on stderr; the list of points on stdout with ``--json``."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    from twinset.study import load
    from twinset.sweeping.grid import grid
    from twinset.sweeping.run import sweep as run

    asked = grid(epsilon, ",".join(generator or ["aim"]), repeats=repeats, publish=publish)
    loaded = load(study, overrides=[f"privacy.epsilon={asked.epsilons[-1]!r}", *(sets or ())])
    try:
        with _progress(quiet=as_json) as say:
            swept = run(loaded, asked, out, workers=workers or os.cpu_count() or 1, overwrite=overwrite, progress=say)
    except KeyboardInterrupt:
        _line("interrupted: every finished point is kept, and the same command goes on from there")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(swept.points, indent=2, ensure_ascii=False))
    else:
        _tell(swept, out)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal; elsewhere a line for each finished point, so that a log shows how far it is."""
    from twinset.cli.show import progress

    if quiet or sys.stderr.isatty():
        with progress(quiet=quiet) as say:
            yield say
    else:
        yield _line


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tell(swept: Swept, out: Path) -> None:
    for a in swept.advice:
        _line(f"{a.generator}: " + ("no epsilon is recommended" if a.epsilon is None else f"recommended epsilon = {a.epsilon:g}"))
        for text in (a.reason, *a.notes):
            _line(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  "))
    _line(f"\n  {out}/custodian/sweep.html  open this; it stays with you: to choose by looking at it is a look at patients")
