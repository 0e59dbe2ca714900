"""All points of a sweep, over processes; then its list, its recommendation and its page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinset.core.finding import Finding
from twinset.core.processes import pool
from twinset.dp import chain
from twinset.dp.accountant import epsilon as epsilon_of
from twinset.errors import BadInput
from twinset.facts import study_text
from twinset.io.place import new_file
from twinset.release.attempts import looked
from twinset.report.frontier import Advice, Bill, Frontier, Spot
from twinset.report.page import render_frontier
from twinset.study import Study
from twinset.sweeping import worker
from twinset.sweeping.advice import advise
from twinset.sweeping.billing import afford, record, reserve
from twinset.sweeping.folder import Place, claim, finished, settings, write_json
from twinset.sweeping.grid import Grid, Job
from twinset.sweeping.point import Material, Measure, Task, allowed, chosen, finish, material, prepare
from twinset.sweeping.question import promises

Progress = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class Swept:
    """A finished sweep: its points as written to ``sweep.json``, a recommendation for each private generator (the first is the page's), and its page's content."""

    points: tuple[dict[str, Any], ...]
    advice: tuple[Advice, ...]
    frontier: Frontier
    folder: Path

    @property
    def epsilon(self) -> float | None:
        """The recommended epsilon; ``None`` where none is."""
        return self.advice[0].epsilon if self.advice else None

    def __repr__(self) -> str:
        return f"Swept({len(self.points)} points, recommended epsilon = {self.epsilon})"

    def _repr_html_(self) -> str:
        from markupsafe import Markup

        lines = (
            Markup("<li>{}: {} {}</li>").format(a.generator, "no recommendation." if a.epsilon is None else f"ε = {a.epsilon:g}.", a.reason)
            for a in self.advice
        )
        return Markup("<p><strong>{} points</strong></p><ul>{}</ul>").format(len(self.points), Markup("").join(lines))


def sweep(  # noqa: PLR0913
    study: Study,
    grid: Grid,
    out: Path,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
    measure: Measure | None = None,
) -> Swept:
    """Run every point that is not there yet, then write ``custodian/sweep.json`` and ``custodian/sweep.html`` in ``out``.

    Each point is a private release at that epsilon up to its audit, on one and the same split; nothing of it is kept but its findings.
    A point is written when it is done: after a kill or Ctrl-C, the same call goes on where it was. ``measure``: findings of your own
    at each point, an importable function of a Trial. Under ``grid.publish`` every point is billed before the first is run
    (:mod:`twinset.sweeping.billing`).
    Raises BadInput for a study or folder that cannot be used, BudgetExhausted where the ledger refuses.
    """
    if workers < 1:
        raise BadInput("at least one process has to work", where="workers", hint="leave it out for one a core")
    say = progress or _silent
    say("reading the table")
    stuff = prepare(study)
    jobs = _jobs(stuff, grid)
    place = Place(out)
    wanted = settings(study, grid, f"{measure.__module__}.{measure.__qualname__}" if measure is not None else "")
    if grid.publish and not place.settings.exists():
        afford(stuff, jobs, jobs)
    claim(place, wanted, overwrite=overwrite)
    if study.table.is_file():
        looked(study.table, command="sweep", generator=", ".join(grid.generators), seed=study.seed, study=study_text(study))
    with chain.locked(place.settings):
        done = finished(place, jobs)
        missing = [j for j in jobs if j not in done]
        tasks, known = _tasks(stuff, place, grid, jobs, missing, measure)
        say(f"{len(done)} of {len(jobs)} points")
        for job, made in _run(tasks, workers):
            done[job] = made
            say(f"{len(done)} of {len(jobs)} points · {job}")
        say("writing")
        return _write(stuff, grid, place, [done[j] for j in jobs], in_ledger=known)


def _jobs(stuff: Material, grid: Grid) -> tuple[Job, ...]:
    """Every point; which generators promise anything is asked of them, not of a list."""
    private = [g for g in grid.generators if promises(chosen(stuff.study, g).build_generator(), stuff.train)]
    if not private:
        raise BadInput(
            f"no generator of this sweep works within a budget ({', '.join(grid.generators)})",
            where="generator",
            hint="name one that does (aim, mst); the others appear beside it, as points without a promise",
        )
    return grid.jobs(private)


def _tasks(stuff: Material, place: Place, grid: Grid, jobs: Sequence[Job], missing: Sequence[Job], measure: Measure | None) -> tuple[list[Task], bool]:
    """What is left to do, billed or recorded first; and whether the data set's ledger knows of it."""
    if grid.publish:
        reserved: Mapping[Job, Any] = reserve(stuff, place, jobs, missing)
        known = True
    else:
        reserved, known = {}, record(stuff, place, what=_what(grid))
    text = study_text(stuff.study)
    return [Task(j, text, stuff.study.folder, place.point(j), reserved.get(j), measure) for j in missing], known


def _what(grid: Grid) -> str:
    return f"sweep of {', '.join(grid.generators)} over {len(grid.epsilons)} epsilons, {grid.repeats} repeats each"


def _run(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Points as they finish, in this process or in others."""
    if workers == 1 or len(tasks) < 2:
        try:
            for task in tasks:
                yield task.job, finish(task)
        finally:
            material.cache_clear()  # the rows of patients are not kept longer than needed
        return
    with pool(min(workers, len(tasks))) as processes:
        waiting = {processes.submit(worker.work, task): task.job for task in tasks}
        try:
            for one in as_completed(waiting):
                yield waiting[one], one.result()
        except BrokenProcessPool as broken:
            if broken.__cause__ is not None:  # not killed: what it raised could not be sent
                raise
            raise BadInput(
                "a worker process was killed, most likely for want of memory; finished points are kept",
                where="sweep",
                hint="run the same command again with fewer --workers",
            ) from None


def _write(stuff: Material, grid: Grid, place: Place, made: Sequence[dict[str, Any]], *, in_ledger: bool) -> Swept:
    spots = tuple(_spot(m) for m in made)
    private = [g for g in grid.generators if any(s.generator == g and s.epsilon is not None for s in spots)]
    advice = tuple(sorted((advise(spots, g) for g in private), key=lambda a: _loss(spots, a)))
    frontier = Frontier(
        title=stuff.study.name,
        unit=stuff.terms.unit,
        relation=stuff.terms.relation,
        delta=stuff.terms.delta,
        per_patient=stuff.study.data.per_patient,
        n_train=len(stuff.train),
        n_holdout=len(stuff.holdout),
        n_patients=len(set(stuff.train.units().tolist())),
        repeats=grid.repeats,
        spots=spots,
        advice=advice,
        bill=_bill(stuff, grid, spots, in_ledger=in_ledger),
    )
    write_json(place.custodian / "sweep.json", list(made))
    with new_file(place.custodian / "sweep.html", overwrite=True) as temporary:
        temporary.write_text(render_frontier(frontier), encoding="utf-8", newline="\n")
    return Swept(tuple(made), advice, frontier, place.root)


def _spot(made: Mapping[str, Any]) -> Spot:
    rho = math.inf if made["rho"] is None else float(made["rho"])
    return Spot(made["epsilon"], made["generator"], made["repeat"], tuple(Finding.from_dict(f) for f in made["findings"]), rho, made["missing"])


def _bill(stuff: Material, grid: Grid, spots: Sequence[Spot], *, in_ledger: bool) -> Bill:
    jobs = [Job(s.generator, s.epsilon, s.repeat) for s in spots if s.epsilon is not None]
    costs = {e: allowed(stuff, Job("", e, 1)).rho for e in grid.epsilons}
    rho = math.fsum(costs[j.epsilon] for j in jobs if j.epsilon is not None)
    seeing = tuple(dict.fromkeys(s.generator for s in spots if s.epsilon is None))
    return Bill(grid.publish, in_ledger, len(jobs), rho, epsilon_of(rho, stuff.terms.delta), costs, seeing)


def _loss(spots: Sequence[Spot], advice: Advice) -> tuple[bool, float]:
    """Generators with a recommendation first, of these the one that is closest to the patients there."""
    found = [
        f.value
        for s in spots
        if s.generator == advice.generator and s.epsilon == advice.epsilon
        for f in s.findings
        if f.name == "fidelity.pairs" and not f.where
    ]
    found = [v for v in found if math.isfinite(v)]
    return advice.epsilon is None, sum(found) / len(found) if found else math.inf


def _silent(_: str) -> None:
    return None
