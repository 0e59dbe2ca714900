"""What a sweep is to the ledger: a look of the custodian's, or a reservation for every point.

A sweep compares synthetic rows with patients' rows, at many epsilons, and somebody chooses by looking at the result. On the custodian's
side that costs no budget, as the report of a release costs none; but where the data set has a ledger, the look is written there
as what it is, unbounded, so that later certificates can say that it happened. Under ``publish`` every point is a run like any other: all
of them are reserved before the first is run, each settles when its model is there, and a point that dies has spent what it had reserved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from twinset.dp import ledger_file, register
from twinset.dp.accountant import epsilon
from twinset.dp.ledger import Allowance
from twinset.errors import BadInput, BudgetExhausted
from twinset.sweeping.folder import Place, read_json, write_json
from twinset.sweeping.grid import Job
from twinset.sweeping.point import Material, Reservation, allowed, started


def record(stuff: Material, place: Place, *, what: str) -> bool:
    """Write a sweep that stays inside into the data set's ledger, once; whether there is a ledger to write to."""
    path = stuff.terms.ledger_path(stuff.study.table, stuff.study.folder)
    if not path.exists():
        if not place.recorded.exists() and register.revealed(stuff.study.table, why="a sweep"):
            write_json(place.recorded, {"ledger": None})
        return False
    if not place.recorded.exists():
        ledger_file.revealed(path, table=stuff.study.table, generator="sweep", why=f"a look on the custodian's side: {what}")
        write_json(place.recorded, {"ledger": path.name})
    return True


def afford(stuff: Material, jobs: Sequence[Job], new: Sequence[Job]) -> None:
    """Raise what :func:`reserve` would raise for these new points of a sweep; nothing is written."""
    seeing = sorted({j.generator for j in jobs if j.epsilon is None})
    if seeing:
        raise BudgetExhausted(
            f"no budget covers generators that see the rows: {', '.join(seeing)}", where="--publish", hint="leave them out, or sweep without --publish"
        )
    terms, table = stuff.terms, stuff.study.table
    path = terms.ledger_path(table, stuff.study.folder)
    if terms.budget is None and not path.exists():
        raise BadInput(
            "nobody has said what this data set may ever spend",
            where="privacy.budget",
            hint="set it, for example --set privacy.budget=10, before a sweep spends",
        )
    if new:
        costs = [_allowance(stuff, j, len(jobs)) for j in new]
        whole = replace(costs[0], rho=math.fsum(c.rho for c in costs), delta=math.fsum(c.delta for c in costs))
        ledger_file.check(path, terms.terms(), whole, table=table, asked=epsilon(whole.rho, terms.delta - whole.delta))


def reserve(stuff: Material, place: Place, jobs: Sequence[Job], missing: Sequence[Job]) -> Mapping[Job, Reservation]:
    """A reservation for each missing point: its old one if it never began, else a new one. All of them fit, or none is made.

    Raises BudgetExhausted where a generator asks for the rows or the budget does not cover what is to be reserved; BadInput where
    nobody ever set a budget.
    """
    numbers: dict[str, int] = read_json(place.reservations) or {}
    spent = [j for j in missing if started(place.point(j)).exists()]
    costs = {j: _allowance(stuff, j, len(jobs)) for j in missing}
    new = [j for j in missing if j.name not in numbers or j in spent]
    afford(stuff, jobs, new)
    terms, table = stuff.terms, stuff.study.table
    path = terms.ledger_path(table, stuff.study.folder)
    for job in new:
        asked = job.epsilon or math.inf
        numbers[job.name] = ledger_file.reserve(path, terms.terms(), costs[job], table=table, generator=f"{job.generator} (sweep)", asked=asked)
        write_json(place.reservations, numbers)
        started(place.point(job)).unlink(missing_ok=True)
    return {j: Reservation(path, numbers[j.name], costs[j].delta) for j in missing}


def _allowance(stuff: Material, job: Job, n_jobs: int) -> Allowance:
    """As a release at this epsilon; the thresholds of all points together fail no more often than those of one release."""
    one = allowed(stuff, job)
    return replace(one, delta=one.delta / n_jobs)
