"""``twinset audit-dp``: is the privacy claim true of the whole path? Progress on stderr, the result on stdout."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from twinset.neighbouring.bound import Bound
    from twinset.neighbouring.run import Counterexample, Found

SHOWN = 20


def audit_dp(
    context: typer.Context,
    study: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(help="a study whose declarations are tried on invented patients; its table is never opened", metavar="STUDY"),
    ] = None,
    generator: Annotated[str, typer.Option("--generator", "-g", help="default: the study's, or each private one at random")] = "",
    pairs: Annotated[int, typer.Option("--pairs", help="how many pairs of neighbouring tables", min=1)] = 200,
    front: Annotated[bool, typer.Option("--front", help="only as far as the vault's first answers: some forty times faster")] = False,
    runs: Annotated[int, typer.Option("--runs", help="also fit two neighbours so often with true noise, for a lower bound of epsilon", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="of the invented tables")] = 0,
    workers: Annotated[Optional[int], typer.Option(help="processes at once; default: one a core", min=1)] = None,  # noqa: UP045
    keep: Annotated[Optional[Path], typer.Option(help="a folder for the (invented) files of every counterexample")] = None,  # noqa: UP045
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON and nothing else")] = False,
) -> None:
    """Look for a pair of neighbouring tables that the whole private path tells apart by more than its noise. Costs no budget."""
    from twinset.cli.net import interrupted
    from twinset.cli.progress import progress
    from twinset.neighbouring.bound import lower_bound
    from twinset.neighbouring.run import Plan, audit

    plan = Plan(pairs, seed, front, study, generator, keep=keep)
    try:
        with progress(quiet=as_json, each=True) as say:
            found = audit(plan, context.obj, workers=workers or os.cpu_count() or 1, progress=say)
        with progress(quiet=as_json) as say:
            least = lower_bound(plan, runs, progress=say) if runs else None
    except KeyboardInterrupt:
        interrupted("what was tried until then is told above")
    if as_json:
        print(json.dumps(found.to_dict() | ({"lower_bound": asdict(least)} if least else {}), indent=2, ensure_ascii=False))
    else:
        _tell(found, least)
    if found.counterexamples or (least and least.low > least.claimed):
        raise typer.Exit(1)


def _tell(found: Found, least: Bound | None) -> None:
    for one in found.counterexamples[:SHOWN]:
        print(f"COUNTEREXAMPLE {sentence(one)}")
    if len(found.counterexamples) > SHOWN:
        print(f"and {len(found.counterexamples) - SHOWN} more (--json tells all)")
    print(f"{found.n_pairs:,} pairs of neighbours: {ends(found)}; {len(found.counterexamples):,} counterexamples")
    if least is not None:
        print(f"epsilon of one patient more or less is at least {least.low:.2f} (95 % sure, {least.runs} runs a side); claimed: {least.claimed:g}")


def ends(found: Found) -> str:
    """How the pairs ended, with counts; crashes and pairs that ended differently only where there are any."""
    always = ("answered", "ended in an error") if found.ends["answered"] else ("released", "kept in refused", "ended in an error")
    told = (*always, *(name for name in ("crashed", "ended differently") if found.ends[name]))
    return ", ".join(f"{found.ends[name]:,} {name}" for name in told)


def sentence(one: Counterexample) -> str:
    """A counterexample in one line: the change, where, and what differed. Never a cell value."""
    where = f" in a column of sort `{one.sort}`" if one.sort else ""
    what = "; ".join(f"{f.what}: {f.where}" if f.where else f.what for f in one.faults)
    return f"{one.block}-{one.number} ({one.relation}, unit = {one.unit}): {one.kind}{where}: {what}"
