"""Many pairs of neighbours, in blocks that share a table, over processes; and the counterexamples they gave."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from twinset.core.processes import pool
from twinset.core.seeds import stream
from twinset.errors import BadInput
from twinset.neighbouring.changes import KINDS, Pair, change
from twinset.neighbouring.compare import Fault, compare
from twinset.neighbouring.paths import ENDS, Command, Left, front, whole
from twinset.neighbouring.replay import Recorder, Replayer
from twinset.neighbouring.tables import PRIVATE, Case, invent, invent_for
from twinset.study import load

Progress = Callable[[str], None]
PER_TABLE = {True: 48, False: 12}  # pairs that share a table: on the short way, on the whole way


@dataclass(frozen=True)
class Plan:
    """What is to be tried.

    Attributes:
        pairs: how many.
        seed: of the invented tables and of the recorded noise.
        short: only to the vault's first answers, not to the release folder.
        study: somebody's study, whose declarations are used on invented patients; ``None`` = random studies.
        generator: for all; "" = the study's, or each at random.
        kinds: of changes.
        keep: a folder for the files of every counterexample (of invented patients).
    """

    pairs: int
    seed: int = 0
    short: bool = False
    study: Path | None = None
    generator: str = ""
    kinds: tuple[str, ...] = KINDS
    keep: Path | None = None


@dataclass(frozen=True)
class Counterexample:
    """A pair that breaks the claim, so that it can be made again: ``block`` and ``number`` of the plan's seed."""

    block: int
    number: int
    kind: str
    column: str
    sort: str
    relation: str
    unit: str
    faults: tuple[Fault, ...]


@dataclass
class Found:
    """What an audit found: pairs, by kind and by how both ended (:data:`~twinset.neighbouring.paths.ENDS`); the counterexamples.

    ``looked``: pairs whose first table had at least one answer from the vault; of the others nothing was tried.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    looked: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    counterexamples: list[Counterexample] = field(default_factory=list)

    @property
    def n_pairs(self) -> int:
        return sum(self.kinds.values())

    def add(self, other: Found) -> None:
        """Take another block's results in."""
        self.kinds += other.kinds
        self.ends += other.ends
        self.looked += other.looked
        self.crashes += other.crashes
        self.counterexamples += other.counterexamples

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready. Holds no cell: kinds, names of columns, files and questions, counts."""
        return {
            "pairs": self.n_pairs,
            "kinds": dict(sorted(self.kinds.items())),
            "ends": {name: self.ends[name] for name in ENDS},
            "looked": self.looked,
            "crashes": dict(self.crashes),
            "counterexamples": [asdict(c) for c in sorted(self.counterexamples, key=lambda c: (c.block, c.number))],
        }

    def __repr__(self) -> str:
        return f"Found({self.n_pairs} pairs, {len(self.counterexamples)} counterexamples)"


def audit(plan: Plan, command: Command, *, workers: int = 1, progress: Progress | None = None) -> Found:
    """Every pair of the plan: both files down the path with the same noise, and what differs.

    ``command`` is the public command line (:func:`twinset.cli.app.run`). On an interruption what was found so far is told by ``progress``.
    Raises BadInput for a plan that cannot be followed, and where no pair got as far as one answer of the vault.
    """
    found, blocks = Found(), n_blocks(plan)
    for done, part in enumerate(_parts(plan, command, blocks, workers), start=1):
        found.add(part)
        if progress is not None:
            progress(f"{found.n_pairs:,} of {plan.pairs:,} pairs, {len(found.counterexamples)} counterexamples (block {done} of {blocks})")
    if not found.looked and not found.counterexamples:
        raise BadInput(
            "nothing was tried: every pair ended in an error before its first look",
            where="audit-dp",
            hint=f"run `twinset release` to see the error; a private study needs a section [privacy] and a generator that asks the vault ({', '.join(PRIVATE)})",
        )
    return found


def n_blocks(plan: Plan) -> int:
    """How many tables the pairs are spread over."""
    if plan.pairs < 1 or not plan.kinds:
        raise BadInput("there is nothing to try", where="--pairs", hint="give at least 1")
    return -(-plan.pairs // PER_TABLE[plan.short])


def block(plan: Plan, number: int, command: Command) -> Found:
    """The pairs of one table: the table once with recorded noise, then each neighbour with the same answers."""
    found, made = Found(), list(pairs(plan, number))
    with tempfile.TemporaryDirectory(prefix="twinset-audit-") as name:
        folder = Path(name)
        told = run_one(plan, made[0].one, folder, Recorder(stream(plan.seed, "noise", number) if number % 2 else None), command)
        for i, pair in enumerate(made):
            again = run_one(plan, pair.other, folder, Replayer(told.draws), command)
            _enter(found, pair, told, again, at=(number, i))
            if plan.keep is not None and found.counterexamples and found.counterexamples[-1].number == i:
                _keep(plan.keep / f"{number}-{i}", pair, told, again)
    return found


def pairs(plan: Plan, number: int) -> Iterator[Pair]:
    """One invented table and its neighbours, at least one: the same for the same plan and number."""
    size, rng = PER_TABLE[plan.short], stream(plan.seed, "table", number)
    case = invent(rng, number=number, generator=plan.generator) if plan.study is None else invent_for(load(plan.study), rng, generator=plan.generator)
    for i in range(min(size, plan.pairs - number * size)):
        kind = plan.kinds[(number * size + i) % len(plan.kinds)]
        yield change(case, kind, stream(plan.seed, "change", number, i))


def run_one(plan: Plan, case: Case, folder: Path, noise: Recorder | Replayer, command: Command) -> Left:
    """One table down the path, in a folder of its own; the same folder for both, so that no path differs."""
    study = case.write(folder)
    return front(study, noise) if plan.short else whole(study, noise, command)


def _enter(found: Found, pair: Pair, one: Left, other: Left, *, at: tuple[int, int]) -> None:
    found.kinds[pair.kind] += 1
    found.ends[other.ending if one.ending == other.ending else "ended differently"] += 1
    found.looked += bool(one.draws)
    if other.crashed:
        found.crashes[other.crashed] += 1
    faults = compare(pair, one, other)
    if faults:
        case = pair.one
        found.counterexamples.append(Counterexample(*at, pair.kind, pair.column, pair.sort, case.relation, "a column" if case.named else "row", faults))


def _keep(folder: Path, pair: Pair, one: Left, other: Left) -> None:
    """Both files, and all that left, side by side."""
    for name, case, left in (("one", pair.one, one), ("other", pair.other, other)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for what, content in left.told.items():
            path = folder / name / "told" / what
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        case.write(folder / name)


def _parts(plan: Plan, command: Command, blocks: int, workers: int) -> Iterator[Found]:
    if workers == 1 or blocks == 1:
        yield from (block(plan, number, command) for number in range(blocks))
        return
    with pool(min(workers, blocks)) as processes:
        yield from _spread(processes, plan, command, range(blocks))


def _spread(processes: ProcessPoolExecutor, plan: Plan, command: Command, numbers: Sequence[int]) -> Iterator[Found]:
    try:
        for one in as_completed([processes.submit(block, plan, number, command) for number in numbers]):
            yield one.result()
    except BrokenProcessPool as broken:
        if broken.__cause__ is not None:  # not killed: what it raised could not be sent
            raise
        hint = "run it again with fewer --workers"
        raise BadInput("a worker process was killed, most likely for want of memory", where="audit-dp", hint=hint) from None
