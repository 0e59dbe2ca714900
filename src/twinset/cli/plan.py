"""``twinset plan``: what a private release would be worth, before anything is spent. Results on stdout."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from twinset.errors import BadInput, SchemaMismatch, collect

if TYPE_CHECKING:
    from rich.console import Console

    from twinset.core.cohort import Cohort
    from twinset.planning.told import Endpoint, Forecast, Plan, Range
    from twinset.study import Study

Sets = Annotated[Optional[list[str]], typer.Option("--set", metavar="KEY=VALUE", help="override any study key, e.g. privacy.unit=row; repeatable")]  # noqa: UP045


def plan(
    study: Annotated[Path, typer.Argument(help="the study file; its table is never opened", metavar="STUDY")],
    rows: Annotated[int, typer.Option("--rows", "-n", help="how many rows the table has, about", min=0)] = 0,
    epsilon: Annotated[str, typer.Option("--epsilon", "-e", help="the epsilons, with commas between them")] = "0.5,1,2,5,10",
    like: Annotated[Optional[Path], typer.Option(help="a PUBLIC table with the study's columns, to try it on instead of invented patients")] = None,  # noqa: UP045
    choose: Annotated[Optional[float], typer.Option(help="write this epsilon into the study's section [privacy]")] = None,  # noqa: UP045
    repeats: Annotated[int, typer.Option(help="how often each epsilon is tried", min=1)] = 4,
    sets: Sets = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the plan as JSON and nothing else")] = False,
) -> None:
    """Foretell errors, endpoints, the attacker's best guess, time and memory at several epsilons, without a look at the rows."""
    from twinset.cli.progress import progress
    from twinset.planning.choose import choose as write
    from twinset.planning.foretell import plan as foretell
    from twinset.study import load

    loaded = load(study, overrides=sets or ())
    _check_choice(choose, loaded)
    if loaded.privacy is not None:
        loaded.privacy.ledger_path(loaded.table, loaded.folder)  # refused here as a release would refuse it
    public = None if like is None else _public(like, loaded)
    with progress(quiet=as_json) as say:
        made = foretell(loaded, _numbers(epsilon), rows=rows, like=public, repeats=repeats, progress=say)
    if choose is not None:
        write(study, epsilon=choose, unit=made.unit, relation=made.relation)
    if as_json:
        print(json.dumps(made.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _tell(made)
    if choose is not None:
        print(f"wrote [privacy] epsilon = {choose:g}, unit = {made.unit}, relation = {made.relation} into {study}", file=sys.stderr if as_json else sys.stdout)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise BadInput("not a list of numbers", where="--epsilon", hint="for example --epsilon 0.5,1,2,5,10") from None


def _check_choice(epsilon: float | None, study: Study) -> None:
    if epsilon is None:
        return
    if not 0 < epsilon < math.inf:
        raise BadInput("the chosen epsilon must be a positive number", where="--choose", hint="for example --choose 5")
    if study.privacy is None and "unit" not in study.data.model_fields_set:
        hint = 'set data.unit in the study file: the column that names the patient, or "row" if every row is another patient'
        raise BadInput("whom the promise is made to has to be said before it is written down", where="data.unit", hint=hint)


def _public(path: Path, study: Study) -> Cohort:
    """The public table that the user names, with the columns that a release would hold. Never the study's own."""
    from twinset.io.read import read_table
    from twinset.table import conform

    if path.exists() and study.table.exists() and path.samefile(study.table):
        raise BadInput(
            "this is the study's own table: a plan made on it would tell about its rows", where="--like", hint="name a public table, or leave it out"
        )
    frame, schema = read_table(path, missing=study.data.missing), study.schema_of_columns().synthesised
    absent = [f"the table has no column `{n}`" for n in schema.names if n not in frame.columns]
    if absent:
        raise SchemaMismatch(collect(absent[:20]), where="--like", hint="a look-alike needs all columns of the study but identifiers and free text")
    return conform(frame.select(schema.names), schema, where=path.name)


def _tell(made: Plan) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    best = made.at(made.recommended)
    console.print(
        f"{made.n:,} rows, {made.n_train:,} of them to train on; {made.generator}; delta = {made.delta:g} for each {made.unit}, {made.relation}. "
        f"Tried on {made.tried_on}; no row of the study was read.\n"
    )
    _table(made, console)
    _endpoints(made, console)
    console.print(
        f"\nepsilon = {made.recommended:g}: the smallest whose pairs are within 25 % of the largest epsilon's, or of fresh patients'. "
        f"Whatever he tries, an attacker who wonders whether a patient is in guesses right at most {best.guess:.1%} of the time (a coin: 50 %), "
        f"an advantage of {best.advantage:.3f}."
    )
    _measured(best, console)
    for sentence in _remarks(made):
        console.print(sentence)
    console.print(
        "What this does not show: your patients. Ties between real columns may be stronger, and values rarer, than in the table it was tried on; "
        "then more is lost, first of all in single pairs. The page “plan” of the documentation says how far off it was on real tables.",
        style="dim",
    )


def _table(made: Plan, console: Console) -> None:
    from rich.table import Table

    from twinset.cli.show import plain_box

    table = Table(box=plain_box(console), pad_edge=False)
    for name in ("epsilon", "columns", "pairs", "fresh", "guess", "rounds"):
        table.add_column(name, justify="right", no_wrap=True)
    for f in made.forecasts:
        mark = " ←" if f.epsilon == made.recommended else ""
        table.add_row(f"{f.epsilon:g}{mark}", _spread(f.columns), _spread(f.pairs), f"{f.floor:.3f}", f"{f.guess:.1%}", f"{f.rounds:.0f}")
    console.print(table)
    console.print(
        "columns, pairs: mean total variation distance to the train rows, 0 is best (smallest–largest of the tries). fresh: pairs of as many new patients "
        "of the same population. guess: how often an attacker is right at most about one patient's presence. rounds: pairs measured. "
        f"A release takes up to {max(f.cpu_seconds for f in made.forecasts):.1f} CPU-s and {max(f.peak_mb for f in made.forecasts):.0f} MB, its audit not counted.",
        style="dim",
    )


def _spread(r: Range) -> str:
    return f"{r.mean:.3f} ({f'{r.low:.3f}'.removeprefix('0')}–{f'{r.high:.3f}'.removeprefix('0')})" if math.isfinite(r.mean) else "-"


def _measured(f: Forecast, console: Console) -> None:
    if f.first:
        console.print(f"There it would measure every column and then about {f.rounds:.0f} pairs; in the first try: {'; '.join(f.first[:5])}, ...", markup=False)
    for what, all_ in (("columns", f.by_column), ("pairs", f.by_pair)):
        if all_:
            console.print(f"Hardest {what} there: {_worst(all_)}.", markup=False)


def _worst(ranges: Mapping[str, Range]) -> str:
    return ", ".join(f"{name} {r.mean:.3f}" for name, r in sorted(ranges.items(), key=lambda kv: -kv[1].mean)[:3])


def _remarks(made: Plan) -> Sequence[str]:
    out = []
    if made.paid:
        some = ", ".join(made.paid[:6]) + (", ..." if len(made.paid) > 6 else "")
        out.append(
            f"{len(made.paid)} column(s) have no public bounds or levels ({some}): finding them is paid for, and their real ranges are not known here. "
            'Declare them (origin = "public") where a code book does.'
        )
    if made.private_rules:
        out.append(f"{made.private_rules} rule(s) are not marked public: a private release refuses them, and this plan left them out.")
    if not made.rules_kept:
        out.append("Invented patients could not be made to keep the public rules: they were left out of this plan.")
    return out


def _endpoints(made: Plan, console: Console) -> None:
    from rich.table import Table

    from twinset.cli.show import plain_box

    names = dict.fromkeys(e.name for f in made.forecasts for e in f.endpoints)
    for name in names:
        told = [{e.contrast: e for e in f.endpoints if e.name == name} for f in made.forecasts]
        table = Table(box=plain_box(console), pad_edge=False, title=name, title_justify="left", title_style="")
        table.add_column("at epsilon =")
        for f in made.forecasts:
            table.add_column(f"{f.epsilon:g}", justify="right", no_wrap=True)
        for contrast in [c for c in dict.fromkeys(c for at in told for c in at) if c] or [""]:
            table.add_row(contrast, *(_shown(at.get(contrast)) for at in told))
        console.print(table)
    if names:
        console.print(
            "Half-width of the 95 % interval on a synthetic cohort (logarithm, for ratios), privacy noise included; then the smallest true effect (ratio) "
            "that 80 % of trials would find. Invented patients have the event in half of the cases: with fewer events, both are wider.",
            style="dim",
        )


def _shown(e: Endpoint | None) -> str:
    return f"±{e.width / 2:.2f} {e.detectable:.2f}" if e is not None and math.isfinite(e.error) else "not estimable"
