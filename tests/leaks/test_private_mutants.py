"""What a release calls before and around the vault, and the broken twins of each: sides, cap, patient check, hold-out, a ledger on the disk before the first look."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from twinset import pipeline, private, table
from twinset.audit.privacy.split import split
from twinset.coding.history import bound_locally
from twinset.core.cohort import Cohort
from twinset.core.contracts import Generator, Model, Source
from twinset.core.seeds import Rng
from twinset.dp import chain, noise
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.tables import MemoryTable
from twinset.dp.vault import Vault
from twinset.errors import BadInput
from twinset.release.terms import Privacy
from twinset.study import Study, parse

Halves = Callable[[Study, Cohort, Privacy], tuple[Cohort, Cohort]]
CAP = 2
STUDY = """
[data]
path = "patients.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
unit = "{unit}"
per_patient = {cap}
[holdout]
seed = {seed}
[generator]
name = "mst"
[columns.id]
type = "text"
role = "identifier"
[columns.x]
type = "integer"
low = 0
high = 9
origin = "public"
[columns.g]
type = "category"
levels = ["a", "b"]
origin = "public"
[policy]
name = "none"
checks = []
[privacy]
epsilon = 1
unit = "{unit}"
relation = "{relation}"
"""
ODD = ("p5 ", "A1", "1", "01", "1.0", "p", "é", "e\u0301", "NA", "null", "-", "true", "2020-01-01", "z" * 200)
QUICK = settings(max_examples=40, database=None, derandomize=True, phases=[Phase.generate])


def study(unit: str = "id", *, seed: int = 0, relation: str = "add-remove") -> tuple[Study, Privacy]:
    made = parse(STUDY.format(unit=unit, cap=CAP if unit == "id" else 0, seed=seed, relation=relation))
    assert made.privacy
    return made, made.privacy


def people(ids: list[str], *, each: int = 1) -> pl.DataFrame:
    """Each with rows of their own, which depend on nobody else."""
    rows = [(name, (sum(name.encode()) + 3 * i) % 10, "ab"[(len(name) + i) % 2]) for name in ids for i in range(each)]
    return pl.DataFrame(rows, schema={"id": pl.String, "x": pl.Int64, "g": pl.String}, orient="row")


def rows_of(cohort: Cohort, *, without: tuple[str, ...]) -> list[tuple]:
    return sorted(row for row in cohort.frame.rows() if str(row[0]) not in without)


def check_sides(halves: Halves, unit: str) -> None:
    """One patient more, with any id, moves nobody else, and no row of theirs."""

    @QUICK
    @given(st.sampled_from(ODD), st.integers(0, 60), st.integers(0, 2**31))
    def nobody_moves(more: str, place: int, seed: int) -> None:
        terms = study(unit, seed=seed)
        before = [f"p{i}" for i in range(60)]
        after = [*before[:place], more, *before[place:]]
        each = 3 if unit == "id" else 1
        schema = terms[0].schema_of_columns()
        sides = [halves(terms[0], Cohort(people(ids, each=each), schema), terms[1]) for ids in (before, after)]
        for one, other in zip(*sides, strict=True):
            assert rows_of(one, without=(more,)) == rows_of(other, without=(more,)), "one patient moves others"

    nobody_moves()


def exact(study: Study, cohort: Cohort, terms: Privacy) -> tuple[Cohort, Cohort]:
    """The split for a run that promises nothing: a permutation of all patients."""
    bounded = bound_locally(cohort, study.data.per_patient, seed=study.holdout.seed)
    return split(bounded, fraction=study.holdout.fraction, seed=study.holdout.seed, how="exact")


def by_place(study: Study, cohort: Cohort, terms: Privacy) -> tuple[Cohort, Cohort]:
    bounded = bound_locally(cohort, study.data.per_patient, seed=study.holdout.seed)
    return split(bounded, fraction=study.holdout.fraction, seed=study.holdout.seed, how="place")


@pytest.mark.parametrize("unit", ["id", "row"])
def test_one_patient_more_moves_nobody_to_the_other_side(unit: str) -> None:
    check_sides(private.halves, unit)


@pytest.mark.parametrize("unit", ["id", "row"])
@pytest.mark.parametrize("twin", [exact, by_place])
def test_a_split_that_looks_at_all_patients_is_seen(twin: Halves, unit: str) -> None:
    with pytest.raises(AssertionError, match="moves others"):
        check_sides(twin, unit)


def check_exchange(halves: Halves, unit: str) -> None:
    """Under replace-one: another patient in the same place moves nobody."""

    @QUICK
    @given(st.sampled_from(ODD), st.integers(0, 59), st.integers(0, 2**31))
    def nobody_moves(other: str, place: int, seed: int) -> None:
        terms = study(unit, seed=seed, relation="replace")
        before = [f"p{i}" for i in range(60)]
        gone, after = before[place], [*before[:place], other, *before[place + 1 :]]
        schema = terms[0].schema_of_columns()
        sides = [halves(terms[0], Cohort(people(ids), schema), terms[1]) for ids in (before, after)]
        for one, two in zip(*sides, strict=True):
            assert rows_of(one, without=(gone, other)) == rows_of(two, without=(gone, other)), "one patient moves others"

    nobody_moves()


@pytest.mark.parametrize("unit", ["id", "row"])
def test_one_patient_exchanged_moves_nobody_to_the_other_side(unit: str) -> None:
    check_exchange(private.halves, unit)


def test_an_exchange_under_the_exact_split_is_seen() -> None:
    with pytest.raises(AssertionError, match="moves others"):
        check_exchange(exact, "id")


def check_cap(halves: Halves) -> None:
    """No patient has more rows than the cap on their side, and those who have more reach it."""
    terms = study("id", seed=4)
    for part in halves(terms[0], Cohort(people([f"p{i}" for i in range(40)], each=CAP + 3), terms[0].schema_of_columns()), terms[1]):
        assert set(part["id"].value_counts()["count"]) == {CAP}, "the cap is not kept"


def test_the_cap_is_kept_on_both_sides() -> None:
    check_cap(private.halves)


@pytest.mark.parametrize("off", [-1, 1])
def test_a_cap_off_by_one_is_seen(off: int) -> None:
    def halves(study: Study, cohort: Cohort, terms: Privacy) -> tuple[Cohort, Cohort]:
        bounded = bound_locally(cohort, study.data.per_patient + off, seed=study.holdout.seed)
        return split(bounded, fraction=study.holdout.fraction, seed=study.holdout.seed, how="coins")

    with pytest.raises(AssertionError, match="cap is not kept"):
        check_cap(halves)


def check_patients(kind: type[Vault]) -> None:
    """Every question is refused where a patient has one row more than the noise is scaled to."""
    schema = study("id")[0].schema_of_columns()
    ask: dict[str, Callable[[Vault], object]] = {
        "domain": lambda v: v.discretise(rho=0.0),
        "marginal": lambda v: v.marginal(("g",), sigma=1.0),
        "count": lambda v: v.marginal((), sigma=1.0),
        "choice": lambda v: v.choose([("g",)], np.zeros(3), weights=np.ones(1), penalties=np.zeros(1), allowed=np.ones(1, dtype=bool), epsilon=1.0),
    }
    for cap, (what, question) in itertools.product((1, 2, 5), ask.items()):
        allowed = Allowance(1e9, per_patient=cap)
        question(kind(Cohort(people(["p", "q"], each=cap), schema), Ledger(unit="id"), allowed))
        over = kind(Cohort(pl.concat([people(["p"], each=cap + 1), people(["q"])]), schema), Ledger(unit="id"), allowed)
        with pytest.raises(BadInput, match="more rows than the bound"):
            question(over)
        assert not over.ledger.events, f"a {what} was billed"


class Twice(Vault):
    """Lets a patient have twice the rows."""

    def _check_patients(self) -> None:
        if self._rows.most_rows() > 2 * self._per_patient:
            super()._check_patients()


class Never(Vault):
    def _check_patients(self) -> None:
        return


def test_a_patient_with_one_row_too_many_is_refused_whatever_is_asked() -> None:
    check_patients(Vault)


@pytest.mark.parametrize("twin", [Twice, Never])
def test_a_slack_patient_check_is_seen(twin: type[Vault]) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_patients(twin)


class Witness:
    """A generator that remembers whom it was shown (white box), and then does as it should."""

    def __init__(self, inner: Generator) -> None:
        self.inner, self.shown = inner, list[tuple]()

    def fit(self, source: Source, rng: Rng) -> Model:
        self.shown = source._rows.cohort().frame.rows()  # type: ignore[attr-defined]
        return self.inner.fit(source, rng)


def check_holdout(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The generator of a release is shown train, all of it, and nobody else."""
    people([f"p{i}" for i in range(300)]).write_csv(folder / "patients.csv")
    made = parse(STUDY.format(unit="id", cap=CAP, seed=1, relation="add-remove"), folder=folder)
    assert made.privacy
    witness = Witness(made.build_generator())
    with monkeypatch.context() as patch:
        patch.setattr(Study, "build_generator", lambda self: witness)
        pipeline.release(made)
    train, held = private.halves(made, table.read_cohort(made), made.privacy)
    assert len(held) > 50
    assert not set(witness.shown) & set(held.frame.rows()), "the generator was shown the hold-out"
    assert sorted(witness.shown) == sorted(train.frame.rows())


def test_the_generator_of_a_release_never_sees_the_hold_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check_holdout(monkeypatch, tmp_path)


def test_a_hold_out_in_the_fit_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = pipeline.begin

    def leaking(study: Study, terms: Privacy, train: Cohort, *more: Any, **named: Any) -> Any:
        return real(study, terms, table.read_cohort(study), *more, **named)

    monkeypatch.setattr(pipeline, "begin", leaking)
    with pytest.raises(AssertionError, match="shown the hold-out"):
        check_holdout(monkeypatch, tmp_path)


# A ledger that is not on the disk when the power fails has forgotten what was spent.


class Careless:
    """The module ``os``, but for one kind of ``fsync`` that does nothing."""

    def __init__(self, path: Path, forgets: str) -> None:
        self.path, self.forgets = path, forgets

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fsync(self, file: int) -> None:
        if kind(file, self.path) != self.forgets:
            os.fsync(file)


def kind(file: int, path: Path) -> str:
    if stat.S_ISDIR(os.fstat(file).st_mode):
        return "folder"
    return "line" if path.exists() else "file"


@contextmanager
def order(monkeypatch: pytest.MonkeyPatch, path: Path) -> Iterator[list[tuple[str, int, int]]]:
    """What reaches the disk (kind, inode, bytes), and when rows are counted and noise is drawn, in order."""
    seen: list[tuple[str, int, int]] = []
    sync, count, draw = os.fsync, MemoryTable.counts, noise.discrete_gaussian

    def syncing(file: int) -> None:
        info = os.fstat(file)
        seen.append((kind(file, path), info.st_ino, info.st_size))
        sync(file)

    def counting(self: MemoryTable, domain: Any) -> Any:
        seen.append(("count", 0, 0))
        return count(self, domain)

    def drawing(counts: np.ndarray, *, sigma: float, keys: Any = None) -> np.ndarray:
        seen.append(("draw", 0, 0))
        return draw(counts, sigma=sigma, keys=keys)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", syncing)
        patch.setattr(MemoryTable, "counts", counting)
        patch.setattr(noise, "discrete_gaussian", drawing)
        yield seen


def check_synced(monkeypatch: pytest.MonkeyPatch, path: Path, *, vault: type[Vault] = Vault) -> None:
    """The new file whole before it has its name, its folder after, the line whole before any row is counted."""

    def first() -> None:
        chain.create(path, {"entry": "ledger"})
        created.append(path.stat().st_size)
        with chain.locked(path) as file:
            chain.append(file, chain.content(file), {"entry": "reserve", "why": "x" * 1000})

    created: list[int] = []
    cohort = Cohort(people(["p", "q"]), study("row")[0].schema_of_columns())
    with order(monkeypatch, path) as seen:
        vault(cohort, Ledger(first=first), Allowance(1e9)).marginal(("g",), sigma=1.0)
    of_file, of_folder = path.stat(), path.parent.stat()
    expected = [("file", of_file.st_ino, created[0]), ("folder", of_folder.st_ino), ("line", of_file.st_ino, of_file.st_size), ("count",), ("draw",)]
    found = [s[: len(e)] for s, e in zip(seen, expected, strict=False)]
    assert found == expected, "a line was not on the disk before the rows were looked at"


def test_a_ledger_is_on_the_disk_before_the_first_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check_synced(monkeypatch, tmp_path / "x.ledger.jsonl")


@pytest.mark.parametrize("forgets", ["file", "folder", "line"])
def test_a_dropped_sync_is_seen(forgets: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "x.ledger.jsonl"
    monkeypatch.setattr(chain, "os", Careless(path, forgets))
    with pytest.raises(AssertionError, match="not on the disk"):
        check_synced(monkeypatch, path)


def test_a_look_before_the_line_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class LooksFirst(Vault):
        def _bill(self, event: Any) -> None:
            self._rows.counts(self._public())
            super()._bill(event)

    with pytest.raises(AssertionError, match="not on the disk"):
        check_synced(monkeypatch, tmp_path / "x.ledger.jsonl", vault=LooksFirst)
