"""All refits of a release, in this process or over several, and what they say of each declared analysis."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

import numpy as np

from twinset.core.finding import Finding, not_measured
from twinset.core.processes import pool
from twinset.core.refits import FEWEST, Refits
from twinset.refitting.job import Contrast, Figures, Job, contrasts, once
from twinset.refitting.kept import Kept

Progress = Callable[[str], None]
LONG = 10.0  # seconds that refits may still take before they are told of, kept in a file and spread over processes, which take a second or two to start
LOST = 0.1  # share of refits without a finite estimate above which there are no figures
NAME, LABEL = "endpoint.refits", "Refits on resampled patients"


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Resources:
    """What the work may use, and to whom it speaks: none of it changes a figure.

    Attributes:
        workers: processes at once, where it takes long.
        kept: the file of finished refits; None = none is written.
        say: called with the progress.
        tell: called with what it costs, where that is much, and with what was left out.
    """

    workers: int = 1
    kept: Kept | None = None
    say: Progress = _silent
    tell: Progress = _silent


ALONE = Resources()


@dataclass(frozen=True)
class Refitted:
    """What came of the refits.

    Attributes:
        one: figures of each contrast for one copy.
        all: the same for the mean over all copies of the release.
        missing: for what there are no figures, or fewer refits than asked for, and why.
        kept: the file of finished refits, to be forgotten when the release is made.
    """

    one: tuple[Refits, ...] = ()
    of_all: tuple[Refits, ...] = ()
    missing: tuple[Finding, ...] = ()
    kept: Kept | None = None

    def forget(self) -> None:
        """The release is made: nothing of it need be taken up again."""
        if self.kept is not None:
            self.kept.forget()


def affordable(job: Job, *, runs: int, cells: int) -> int:
    """As many of ``runs`` refits as stay within ``cells`` (0 = no bound); 0 where these are fewer than give steady intervals."""
    most = runs if not cells else min(runs, cells // max(1, job.work))
    return most if most >= FEWEST else 0


def refit(job: Job, *, runs: int, cells: int = 0, resources: Resources = ALONE) -> Refitted:
    """Fit ``runs`` times, or as often as ``cells`` allows, each time on resampled patients; figures of every contrast that train can estimate.

    Refit i depends on the job and i alone: the figures are the same on any number of workers, and after an interruption, where there is a file of those
    that were finished. Long work is spread over processes, short work never. A contrast of which more than one refit in ten gives no finite estimate has no
    figures but a finding that says so.
    """
    wanted = contrasts(job)
    n = affordable(job, runs=runs, cells=cells)
    told = _bounded(job, wanted, runs, n, cells) if n < runs else ()
    for reason in dict.fromkeys(f.missing for f in told):
        resources.tell(f"note: {reason}")
    if not n or not wanted:
        return Refitted(missing=told)
    found = summarised(job, wanted, _all(job, wanted, n, resources))
    return replace(found, missing=(*told, *found.missing), kept=resources.kept)


def summarised(job: Job, wanted: Sequence[Contrast], figures: Sequence[Figures]) -> Refitted:
    """Standard deviation and bias of each contrast, for one copy and for the mean of all."""
    table = np.array(figures, dtype=np.float64).reshape(len(figures), len(wanted), 2)
    one, mean, missing = [], [], []
    for place, contrast in enumerate(wanted):
        name = job.endpoints[contrast.endpoint].name
        made = [_figure(name, contrast, table[:, place, which], copies) for which, copies in ((0, 1), (1, job.copies))]
        one += [r for r in made[:1] if r is not None]
        mean += [r for r in made[1:] if r is not None]
        if None in made:
            lost = len(figures) - int(np.isfinite(table[:, place]).all(axis=1).sum())
            why = f"{lost} of {len(figures)} refits on resampled patients gave no finite estimate of this contrast"
            missing.append(not_measured(NAME, why, where=f"{name}: {contrast.name}", label=LABEL))
    return Refitted(tuple(one), tuple(mean), tuple(missing))


def _figure(endpoint: str, contrast: Contrast, values: np.ndarray, copies: int) -> Refits | None:
    """``None`` where too many refits gave none: those that did are then no fair sample."""
    found = values[np.isfinite(values)]
    if len(found) < max(2, math.ceil((1 - LOST) * len(values))):
        return None
    return Refits(endpoint, contrast.name, float(found.std(ddof=1)), float(found.mean()) - contrast.own, len(found), copies)


def _bounded(job: Job, wanted: Sequence[Contrast], asked: int, n: int, cells: int) -> tuple[Finding, ...]:
    """One finding for each endpoint: how many refits the bound on their work left."""
    rows, columns = len(job.train) + job.copies * job.n, len(job.train.schema.synthesised)
    why = f"{n or 'none'} of {asked} refits were made: each fits and draws {rows:,} rows of {columns} columns, and audit.refit_cells allows {cells:,} cells in all"
    names = dict.fromkeys(job.endpoints[c.endpoint].name for c in wanted)
    return tuple(not_measured(NAME, why, where=name, label=LABEL) for name in names)


def _all(job: Job, wanted: Sequence[Contrast], runs: int, resources: Resources) -> list[Figures]:
    """The figures of every refit, in order. The first that is missing is timed: what follows from the clock is where and how the others run, never what they give."""
    kept = resources.kept
    done = kept.read(runs=runs, contrasts=len(wanted)) if kept is not None else {}
    missing = [i for i in range(runs) if i not in done]
    resources.say(_progress(len(done), runs))
    start, first = time.perf_counter(), missing[:1]
    done |= {i: once(job, wanted, i) for i in first}
    each, rest = time.perf_counter() - start, len(missing[1:])
    long = each * rest > LONG
    workers = min(resources.workers, rest) if long else 1
    if long:
        resources.tell(_cost(rest, each * math.ceil(rest / workers), resumable=kept is not None))
    if kept is not None and long:
        kept.add({i: done[i] for i in first})
    for number, figures in _others(job, wanted, missing[1:], workers=workers):
        done[number] = figures
        if kept is not None and long:
            kept.add({number: figures})
        resources.say(_progress(len(done), runs))
    resources.say("refits done; the audit follows")
    return [done[i] for i in range(runs)]


def _others(job: Job, wanted: Sequence[Contrast], numbers: Sequence[int], *, workers: int) -> Iterator[tuple[int, Figures]]:
    """Refits as they finish. Where a process is killed (for want of memory, most likely) this one goes on alone."""
    left = list(numbers)
    if workers > 1:
        try:
            for number, figures in _spread(job, wanted, numbers, workers):
                left.remove(number)
                yield number, figures
        except (BrokenProcessPool, MemoryError):
            pass
    for number in left:
        yield number, once(job, wanted, number)


def _spread(job: Job, wanted: Sequence[Contrast], numbers: Sequence[int], workers: int) -> Iterator[tuple[int, Figures]]:
    with pool(workers) as processes:
        waiting = {processes.submit(once, job, wanted, number): number for number in numbers}
        for one in as_completed(waiting):
            yield waiting[one], one.result()


def _progress(done: int, runs: int) -> str:
    return f"{done} of {runs} refits on resampled patients"


def _cost(runs: int, seconds: float, *, resumable: bool) -> str:
    again = " Interrupted, the same call takes up those that are finished; the audit after them starts again." if resumable else ""
    spelt = f"{10 * math.ceil(seconds / 10)} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
    return f"note: {runs} refits for the intervals of declared analyses take about {spelt}, the audit not counted (audit.refits = 0 leaves them out).{again}"
