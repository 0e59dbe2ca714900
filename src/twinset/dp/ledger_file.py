"""The ledger that lasts: one append-only file per data set and patient unit, shared by every run on it.

Lines of JSON, each with its own SHA-256 and that of the line before. A run reserves all it may spend,
under an exclusive lock and synced to disk, before its first look; when it has its model it settles with the events, and what
it did not spend is free again. A run that dies in between has spent its reservation. No cell value ever stands here.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twinset.dp import chain, register, seam, whereabouts
from twinset.dp.accountant import epsilon, rho_of, total_delta, total_rho
from twinset.dp.events import Event, price
from twinset.dp.ledger import Allowance, Relation
from twinset.errors import BadInput, BudgetExhausted

FORMAT = "twinset ledger 1"
SLACK = 1 + 1e-9


@dataclass(frozen=True)
class Budget:
    """What a ledger may ever spend, and on which terms. ``epsilon`` None: whatever the file says, or the first run asks."""

    unit: str
    relation: Relation
    epsilon: float | None
    delta: float


@dataclass(frozen=True)
class Run:
    """One run as the ledger has it. ``settled`` False: it still runs, or died; its whole reservation counts."""

    number: int
    generator: str
    rho: float
    delta: float
    epsilon: float  # what it asked for
    events: int
    settled: bool
    at: str


@dataclass(frozen=True)
class Book:
    """A ledger file, read and verified. ``hashes``: of its lines, in order; none where it is not written yet."""

    budget: Budget
    salt: str
    fingerprint: str
    runs: tuple[Run, ...]
    hashes: tuple[str, ...]

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return self.hashes[-1] if self.hashes else ""

    @property
    def rho(self) -> float:
        """Spent or reserved by runs with a budget."""
        return math.fsum(r.rho for r in self.runs if math.isfinite(r.rho))

    @property
    def delta(self) -> float:
        """Spent or reserved by thresholds."""
        return math.fsum(r.delta for r in self.runs)

    @property
    def reveals(self) -> int:
        """Runs that saw the rows themselves, outside any budget."""
        return sum(math.isinf(r.rho) for r in self.runs)

    @property
    def total(self) -> float:
        """The budget's epsilon (of a file there is always one)."""
        assert self.budget.epsilon is not None
        return self.budget.epsilon

    def epsilon(self, *, rho: float = 0.0, delta: float = 0.0) -> float:
        """At the budget's delta, of all runs so far and of a further one that costs ``rho`` and ``delta``."""
        left = self.budget.delta - self.delta - delta
        return epsilon(self.rho + rho, left) if left > 0 else math.inf

    def until(self, n: int) -> Book:
        """The first ``n`` runs only, at what they cost by now."""
        return replace(self, runs=self.runs[:n])

    @property
    def left_rho(self) -> float:
        """What further runs may cost in all."""
        left = self.budget.delta - self.delta
        return max(0.0, rho_of(self.total, left) - self.rho) if left > 0 else 0.0

    @property
    def left(self) -> float:
        """The largest epsilon that one further run may ask for."""
        return epsilon(self.left_rho, self.budget.delta)


def reserve(path: Path, budget: Budget, allowance: Allowance, *, table: Path, generator: str, asked: float) -> int:
    """Write down, for good, that a run may spend ``allowance``; gives the run's number. Nothing may be looked at before this returns.

    ``table``: the data file, which must be the one the ledger was begun for; ``asked``: the run's epsilon, to be told.
    Raises BudgetExhausted (nothing is written) where the budget would be exceeded, BadInput where the ledger is corrupted,
    belongs to other data, was begun on other terms, or is not the one that the user's register knows (:mod:`twinset.dp.register`).
    """
    if not path.exists():
        opening = begin(table, budget, asked)
        _afford(opening, allowance, asked)
        register.check(table, path, ())
        chain.create(path, _first_line(opening))
    with chain.locked(path) as file:
        text = chain.content(file)
        book = _read(text, path)
        _same(book, budget, table, path)
        _afford(book, allowance, asked)
        number = len(book.runs) + 1
        entry = {"entry": "reserve", "run": number, "generator": generator, "epsilon": asked, "rho": allowance.rho, "delta": allowance.delta, "at": _now()}
        _append(path, file, text, entry | seam.mark(), table=table, book=book)
    return number


def settle(path: Path, number: int, events: Sequence[Event]) -> Book:
    """Write down what run ``number`` looked at, in order; what it did not spend is free again. Gives the ledger as it is then.

    Raises BadInput where there is no such open reservation, BudgetExhausted where the events cost more than was reserved
    (a fault of the program: the reservation stays).
    """
    with chain.locked(path) as file:
        text = chain.content(file)
        book = _read(text, path)
        run = next((r for r in book.runs if r.number == number and not r.settled), None)
        if run is None:
            raise BadInput("this run has no open reservation in the ledger", where=path.name, hint="each run settles once")
        rho, delta = total_rho(events), total_delta(events)
        if not rho <= run.rho * SLACK or not delta <= run.delta * SLACK:
            raise BudgetExhausted("a run looked at more than it had reserved", where=path.name, hint="this is a fault of twinset; do not release what it made")
        entry = {"entry": "settle", "run": number, "rho": rho, "delta": delta, "events": [asdict(e) for e in events], "at": _now()}
        chain.append(file, text, entry)
        return _read(chain.content(file), path)


def revealed(path: Path, *, table: Path, generator: str, why: str) -> None:
    """Write down that a run on this data set saw the rows themselves: its cost is infinite, for all to see."""
    with chain.locked(path) as file:
        text = chain.content(file)
        book = _read(text, path)
        _same(book, book.budget, table, path)
        entry = {"entry": "reveal", "run": len(book.runs) + 1, "generator": generator, "why": why, "at": _now()}
        _append(path, file, text, entry, table=table, book=book)


def _append(path: Path, file: int, text: bytes, entry: Mapping[str, Any], *, table: Path, book: Book) -> None:
    """One more line, in a ledger that the register agrees with before and after."""
    register.note(table, path, book.hashes)
    head = chain.append(file, text, {**entry, "mark": secrets.token_hex(8)})  # two copies of a ledger never grow alike
    register.note(table, path, (*book.hashes, head))


def check(path: Path, budget: Budget, allowance: Allowance, *, table: Path, asked: float) -> None:
    """Raise what :func:`reserve` would raise now; writes nothing. Saves a long run from a refusal at its end."""
    book = read(path) if path.exists() else begin(table, budget, asked)
    _same(book, budget, table, path)
    register.check(table, path, book.hashes)
    _afford(book, allowance, asked)


def read(path: Path) -> Book:
    """The ledger in a file, its chain and sums recomputed. Raises BadInput where it is no ledger, or was changed or cut."""
    try:
        with path.open("rb") as file:
            if not path.name.endswith(whereabouts.ENDING) and file.read(len(chain.START)) != chain.START:
                raise _no_ledger(path)
        return _read(path.read_bytes(), path)
    except FileNotFoundError:
        raise BadInput("no such ledger", where=str(path), hint="the first private release of a data set begins one") from None
    except IsADirectoryError:
        raise BadInput("this is a folder, not a ledger", where=str(path), hint="give the .ledger.jsonl file") from None


def _no_ledger(path: Path) -> BadInput:
    own = next((p for p in whereabouts.found(path) if p.exists()), None)
    hint = f"the ledger of this table is {own}" if own else f"a table's ledger lies beside it and ends in {whereabouts.ENDING}; this file has none"
    return BadInput("this is not a ledger", where=path.name, hint=f"{hint}. If this was one once, restore it from a backup")


def check_table(book: Book, table: Path, path: Path) -> None:
    """Raise BadInput unless the ledger belongs to this data file, and the register knows no other one for it."""
    _same(book, book.budget, table, path)
    register.check(table, path, book.hashes)


def begin(table: Path, budget: Budget, asked: float) -> Book:
    """A ledger with no run in it, not yet written. Its budget is what was declared, else what the first run asks for."""
    salt = secrets.token_hex(16)
    whole = replace(budget, epsilon=asked if budget.epsilon is None else budget.epsilon)
    return Book(whole, salt, fingerprint(table, salt), (), ())


def fingerprint(table: Path, salt: str) -> str:
    """SHA-256 of the salt and the bytes of the data file: tells the file again, and without the salt tells nothing."""
    digest = hashlib.sha256(bytes.fromhex(salt))
    try:
        with table.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except (FileNotFoundError, IsADirectoryError):
        raise BadInput("a ledger belongs to one data file, and there is none", where=table.name, hint="correct data.path in the study file") from None
    return digest.hexdigest()


def _same(book: Book, budget: Budget, table: Path, path: Path) -> None:
    """Raise BadInput unless the run stands on the ledger's terms and on its data."""
    if fingerprint(table, book.salt) != book.fingerprint:
        raise BadInput(
            "this ledger belongs to another data set, or the data file was changed after the ledger was begun",
            where=path.name,
            hint="give the data file that the ledger was begun with; other patients belong in a file of another name",
        )
    mine, theirs = asdict(budget), asdict(book.budget)
    odd = [
        f"{'budget' if k == 'epsilon' else k} is {theirs[k]} in the ledger and {mine[k]} in the study"
        for k in mine
        if mine[k] is not None and mine[k] != theirs[k]
    ]
    if odd:
        raise BadInput(
            "the study and the ledger disagree: " + "; ".join(odd),
            where=path.name,
            hint="a ledger's terms are set once, by its first run; correct the section [privacy]",
        )


def _afford(book: Book, allowance: Allowance, asked: float) -> None:
    if not book.epsilon(rho=allowance.rho, delta=allowance.delta) <= book.total * SLACK:
        raise BudgetExhausted(
            f"the budget of this data set is spent: epsilon = {asked:g} (rho = {allowance.rho:.4g}) was asked for; of the budget epsilon = {book.total:g} "
            f"at delta = {book.budget.delta:g}, {len(book.runs)} run(s) hold epsilon = {_up(book.epsilon()):g} (rho = {book.rho:.4g}), "
            f"which leaves one run epsilon = {_down(book.left):g} (rho = {book.left_rho:.4g})",
            hint="ask for no more than is left (--set privacy.epsilon=...), or work on from a release already made: that costs nothing. Only whoever set the budget can set another",
        )


def _up(value: float) -> float:
    return math.ceil(value * 1000) / 1000 if math.isfinite(value) else value


def _down(value: float) -> float:
    return math.floor(value * 1000) / 1000


def _first_line(book: Book) -> dict[str, Any]:
    terms = asdict(book.budget) | {"rho": rho_of(book.total, book.budget.delta)}
    return {"entry": "ledger", "format": FORMAT, "budget": terms, "salt": book.salt, "fingerprint": book.fingerprint, "at": _now()}


def _read(text: bytes, path: Path) -> Book:
    """Every line checked against the hash of the one before, and every sum made again."""
    entries = chain.entries(text, path)
    try:
        return _book(entries)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, BadInput):
        raise chain.corrupted(path, "a line does not say what it must") from None


def _book(entries: Sequence[Mapping[str, Any]]) -> Book:
    first = entries[0]
    if first["entry"] != "ledger" or first["format"] != FORMAT:
        raise ValueError
    terms = first["budget"]
    budget = Budget(str(terms["unit"]), terms["relation"], float(terms["epsilon"]), float(terms["delta"]))
    runs: list[Run] = []
    for e in entries[1:]:
        if e["entry"] == "settle":
            runs[e["run"] - 1] = _settled(runs[e["run"] - 1], e)
            continue
        if e["run"] != len(runs) + 1 or e["entry"] not in ("reserve", "reveal"):
            raise ValueError
        open_ = e["entry"] == "reserve"
        costs = [float(e[k]) for k in ("rho", "delta", "epsilon")] if open_ else [math.inf, 0.0, math.inf]
        if not all(c >= 0 for c in costs):
            raise ValueError
        runs.append(Run(len(runs) + 1, str(e["generator"]), costs[0], costs[1], costs[2], 0 if open_ else 1, not open_, str(e["at"])))
    return Book(budget, str(first["salt"]), str(first["fingerprint"]), tuple(runs), tuple(str(e["hash"]) for e in entries))


def _settled(run: Run, entry: Mapping[str, Any]) -> Run:
    """The run with what it spent, its sums made again from its events."""
    events = [Event(**e) for e in entry["events"]]
    rho, delta = total_rho(events), total_delta(events)
    if (
        run.settled
        or not math.isclose(rho, entry["rho"], rel_tol=1e-9)
        or not math.isclose(delta, entry["delta"], rel_tol=1e-9)
        or not 0 <= rho <= run.rho * SLACK
    ):
        raise ValueError
    if not all(math.isclose(e.rho, price(e), rel_tol=1e-9) for e in events):
        raise ValueError
    return replace(run, rho=rho, delta=delta, events=len(events), settled=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
