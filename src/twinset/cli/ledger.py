"""``twinset ledger show|verify|forget``: what a data set has spent, whether its ledger can be trusted, and how it is given up. Results on stdout."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from twinset.dp.ledger_file import Book
    from twinset.dp.register import Known

app = typer.Typer(name="ledger", help="What a data set's privacy budget was spent on.", no_args_is_help=True, rich_markup_mode=None)
LedgerPath = Annotated[Path, typer.Argument(help="a .ledger.jsonl file", metavar="PATH")]
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON and nothing else")]


@app.command()
def show(path: LedgerPath, as_json: AsJson = False) -> None:
    """The runs of a ledger in order, what each cost, the epsilon so far, and what is left. Exit code 2 where it is corrupted."""
    from twinset.dp.ledger_file import read
    from twinset.dp.register import known

    book = read(path)
    told = known(book.hashes)
    if as_json:
        print(json.dumps(_facts(book) | {"register": asdict(told)}, indent=2, ensure_ascii=False))
    else:
        _table(book)
        for sentence in _register(told):
            print(sentence)


@app.command()
def verify(
    path: LedgerPath,
    certificate: Annotated[Optional[Path], typer.Option(help="a certificate.json: is its run in this ledger, event for event?")] = None,  # noqa: UP045
    table: Annotated[Optional[Path], typer.Option(help="the data file: is this its ledger?")] = None,  # noqa: UP045
) -> None:
    """Recompute the chain and every sum. Exit code 0 where all holds, 2 where anything does not.

    A chain does not show lines cut off at its end, nor a whole chain made anew. A certificate remembers where the ledger ended: give one.
    So does the register of whoever made the runs: run this as that user.
    """
    from twinset.dp.ledger_file import check_table, read
    from twinset.dp.register import check_end
    from twinset.release.certificate import compare

    book = read(path)
    check_end(book.hashes)
    if table is not None:
        check_table(book, table, path)
    if certificate is not None:
        compare(certificate, path)
    said = f"{len(book.runs)} run(s), epsilon = {_figure(book.epsilon(), up=True)} of {book.total:g} at delta = {book.budget.delta:g}"
    print(f"{path.name}: the chain and every sum hold; {said}")


@app.command()
def forget(
    table: Annotated[Path, typer.Argument(help="the data file whose ledger is given up", metavar="TABLE")],
    why: Annotated[str, typer.Option(help="the reason, for whoever asks later; it is written into the register")],
) -> None:
    """Let a table begin a new ledger although your register knows one that is lost or given up. For whoever is responsible for the data.

    What was spent stays spent: the order is written into the register with its time, and every later certificate of the table warns.
    """
    from twinset.dp.register import forget as give_up

    for path in give_up(table, why=why):
        print(f"forgot the ledger that was at {path}: what was spent in it was spent, and later certificates of {table.name} say so")


def _register(told: Known) -> list[str]:
    """What the user's register adds to a ledger, in sentences."""
    out = []
    if told.behind:
        out.append("Your register saw lines that this ledger no longer has: it is an older copy, or its end was cut off. No private run accepts it.")
    if told.others:
        out.append(f"Your register knows {len(told.others)} other ledger(s) of the same table, whose epsilons add to this one's: {', '.join(told.others)}")
    if told.forgotten:
        out.append(f"Your register was told {told.forgotten} time(s) to forget a ledger of this table: what was spent in it adds to this one.")
    if not told.known:
        out.append("Your register does not know this ledger: other users, another machine or an earlier version made its runs, or it was forgotten.")
    return out


def _facts(book: Book) -> dict[str, Any]:
    """The ledger as JSON-ready data; an infinite cost is the word "infinite"."""
    runs = [
        {
            "run": r.number,
            "generator": r.generator,
            "state": "settled" if r.settled else "reserved",
            "asked": _finite(r.epsilon),
            "rho": _finite(r.rho),
            "delta": r.delta,
            "events": r.events,
            "at": r.at,
        }
        for r in book.runs
    ]
    spent = {"rho": book.rho, "delta": book.delta, "epsilon": _finite(book.epsilon())}
    budget = {"epsilon": book.total, "delta": book.budget.delta}
    return {
        "unit": book.budget.unit,
        "relation": book.budget.relation,
        "budget": budget,
        "runs": runs,
        "spent": spent,
        "left": {"rho": book.left_rho, "epsilon": book.left},
        "reveals": book.reveals,
        "head": book.head,
    }


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else "infinite"


def _table(book: Book) -> None:
    from rich.console import Console
    from rich.table import Table

    from twinset.cli.show import plain_box

    console = Console(file=sys.stdout, highlight=False)
    unit = "one row" if book.budget.unit == "row" else f"one patient ({book.budget.unit})"
    console.print(f"Budget: epsilon = {book.total:g} at delta = {book.budget.delta:g}, for {unit}, {book.budget.relation}", markup=False)
    table = Table(box=plain_box(console), pad_edge=False)
    for name, right in (("run", True), ("by", False), ("begun", False), ("state", False), ("looks", True), ("rho", True), ("epsilon", True)):
        table.add_column(name, justify="right" if right else "left", no_wrap=name in ("rho", "run"))
    for i, r in enumerate(book.runs):
        state = "no budget" if math.isinf(r.rho) else "settled" if r.settled else "open"
        looks = str(r.events) if r.settled else "?"
        cost = "infinite" if math.isinf(r.rho) else f"{r.rho:.5f}"
        table.add_row(str(r.number), r.generator, r.at[:10], state, looks, cost, _figure(book.until(i + 1).epsilon(), up=True))
    console.print(table)
    console.print("epsilon: of all runs so far. open: still running, or died; its reservation counts in full.", style="dim")
    console.print(f"Left: one more run of epsilon = {_figure(book.left, up=False)} (rho = {book.left_rho:.5f})", markup=False)
    if book.reveals:
        said = f"{book.reveals} run(s) saw the rows without a budget: together with those, nothing is promised. The epsilon above counts private runs only."
        console.print(said, markup=False)


def _figure(value: float, *, up: bool) -> str:
    """Three decimals, rounded against whoever spends."""
    if not math.isfinite(value):
        return "infinite"
    return f"{(math.ceil if up else math.floor)(round(value * 1000, 6)) / 1000:.3f}"
