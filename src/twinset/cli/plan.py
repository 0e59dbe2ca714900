"""``twinset plan``: what a private release would be worth, before anything is spent. Results on stdout."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from twinset.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from twinset.core.cohort import Cohort
    from twinset.planning.foretell import Forecast, Plan
    from twinset.study import Study

Sets = Annotated[Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="override any study key, e.g. privacy.unit=row; repeatable")]  # noqa: UP045


def plan(
    study: Annotated[Path, typer.Argument(help="the study file; its table is never opened", metavar="STUDY")],
    rows: Annotated[int, typer.Option("--rows", "-n", help="how many patients the table has, about", min=0)] = 0,
    epsilon: Annotated[str, typer.Option("--epsilon", "-e", help="the epsilons, with commas between them")] = "0.5,1,2,5,10",
    like: Annotated[Optional[Path], typer.Option(help="a PUBLIC table with the study's columns, to try it on instead of invented patients")] = None,  # noqa: UP045
    choose: Annotated[Optional[float], typer.Option(help="write this epsilon into the study's section [privacy]")] = None,  # noqa: UP045
    repeats: Annotated[int, typer.Option(help="how often each epsilon is tried", min=1)] = 4,
    sets: Sets = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the plan as JSON and nothing else")] = False,
) -> None:
    """Foretell errors, endpoints, the attacker's best guess, time and memory at several epsilons, without a look at the rows."""
    from twinset.cli.show import progress
    from twinset.planning.choose import choose as write
    from twinset.planning.foretell import plan as foretell
    from twinset.study import load

    loaded = load(study, overrides=sets or ())
    if choose is not None and not 0 < choose < math.inf:
        raise BadInput("the chosen epsilon must be a positive number", where="--choose", hint="for example --choose 5")
    public = None if like is None else _public(like, loaded)
    with progress(quiet=as_json) as say:
        made = foretell(loaded, _numbers(epsilon), rows=rows, like=public, repeats=repeats, progress=say)
    if as_json:
        print(json.dumps(made.to_dict(), indent=2, ensure_ascii=False))
    else:
        _tell(made)
    if choose is not None:
        write(study, epsilon=choose, unit=made.unit)
        print(f"wrote [privacy] epsilon = {choose:g}, unit = {made.unit} into {study}", file=sys.stderr)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise BadInput("not a list of numbers", where="--epsilon", hint="for example --epsilon 0.5,1,2,5,10") from None


def _public(path: Path, study: Study) -> Cohort:
    from twinset.io.read import read_table
    from twinset.pipeline import conform
    from twinset.study import check_table

    frame, schema = read_table(path), study.schema_of_columns()
    check_table(frame.columns, schema)
    return conform(frame.select(schema.names), schema, where=path.name).synthesised


def _tell(made: Plan) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    console.print(
        f"{made.n:,} patients, {made.n_train:,} of them to train on; {made.generator}; delta = {made.delta:g} for each {made.unit}. No row was read.\n"
    )
    _table(made, console)
    _endpoints(made, console)
    worst = made.forecasts[[f.epsilon for f in made.forecasts].index(made.recommended)]
    console.print(f"\nepsilon = {made.recommended:g}: the smallest whose pairs are within 25 % of the largest epsilon's. {_attacker(worst)}")
    hardest = sorted(worst.by_column.items(), key=lambda kv: -kv[1])[:3]
    console.print("Hardest columns there: " + ", ".join(f"{name} {value:.3f}" for name, value in hardest) + ".")
    if made.paid:
        some = ", ".join(made.paid[:6]) + (", ..." if len(made.paid) > 6 else "")
        console.print(
            f"{len(made.paid)} column(s) have no public bounds or levels ({some}): they are paid for, and their real ranges are not known here. "
            'Declare them (origin = "public") where a code book does.'
        )
    console.print(
        "What this does not show: your patients. Relations stronger or values rarer than in invented tables read worse; see docs/plan.md for how far off it was on real ones.",
        style="dim",
    )


def _attacker(f: Forecast) -> str:
    return f"Whatever he tries, an attacker who wonders whether a patient is in guesses right at most {f.guess:.1%} of the time (a coin: 50 %)."


def _table(made: Plan, console: Console) -> None:
    from rich.table import Table

    from twinset.cli.show import plain_box

    table = Table(box=plain_box(console), pad_edge=False)
    for name in ("epsilon", "columns", "pairs", "fresh", "guess", "looks"):
        table.add_column(name, justify="right", no_wrap=True)
    for f in made.forecasts:
        mark = " ←" if f.epsilon == made.recommended else ""
        columns, pairs = (f"{r.mean:.3f} ({_short(r.low)}–{_short(r.high)})" for r in (f.columns, f.pairs))
        table.add_row(f"{f.epsilon:g}{mark}", columns, pairs, f"{f.floor:.3f}", f"{f.guess:.1%}", str(f.looks))
    console.print(table)
    console.print(
        "columns, pairs: mean total variation distance to the train rows, 0 is best (smallest–largest of the tries). fresh: pairs of as many new patients "
        f"of the same population. guess: how often an attacker is right at most about one patient's presence. looks: questions asked. At most {max(f.cpu_seconds for f in made.forecasts):.1f} CPU-s and "
        f"{max(f.peak_mb for f in made.forecasts):.0f} MB.",
        style="dim",
    )


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _endpoints(made: Plan, console: Console) -> None:
    from rich.table import Table

    from twinset.cli.show import plain_box

    names = dict.fromkeys((e.name, e.contrast) for f in made.forecasts for e in f.endpoints)
    if not names:
        return
    table = Table(box=plain_box(console), pad_edge=False)
    table.add_column("endpoint")
    for f in made.forecasts:
        table.add_column(f"epsilon = {f.epsilon:g}", justify="right")
    for name, contrast in names:
        cells = []
        for f in made.forecasts:
            e = next((e for e in f.endpoints if (e.name, e.contrast) == (name, contrast)), None)
            cells.append("not estimable" if e is None else f"±{e.width / 2:.2f}, {e.detectable:.2f}")
        table.add_row(f"{name}, {contrast}", *cells)
    console.print(table)
    console.print(
        "half-width of the 95 % interval (logarithm, for ratios), and the smallest effect (ratio) that 80 % of trials would find, noise included.", style="dim"
    )
