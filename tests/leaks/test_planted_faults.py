"""Faults planted in the private path, one at a time: the audit of neighbours must find each of them.

Every fault undoes one rule of the private door. The audit is run as CI runs it, block by block with a fixed seed, until the first
counterexample; so nothing here is chance. How likely another seed would be to miss a fault is told in docs/audit-dp.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinset import door, pipeline, private
from twinset.audit.privacy import split as splitting
from twinset.cli.app import run as command
from twinset.coding.history import bound
from twinset.core.cohort import Cohort
from twinset.core.seeds import stream
from twinset.dp import noise
from twinset.dp.vault import Vault
from twinset.errors import BadInput, SchemaMismatch
from twinset.io import declared
from twinset.neighbouring.run import PER_TABLE, Plan, block

Patch = pytest.MonkeyPatch
BLOCKS, WHOLE_BLOCKS = 24, 3  # 1,152 pairs at the front door, 36 down the whole path


def first_found(plan: Plan) -> int | None:
    """The number of pairs it took to find a counterexample; ``None`` where the plan found none."""
    for number in range(plan.pairs // PER_TABLE[plan.short]):
        if found := block(plan, number, command).counterexamples:
            return number * PER_TABLE[plan.short] + found[0].number + 1
    return None


def reading(change: Callable[[pl.DataFrame, Any, Any], tuple[pl.DataFrame, Any]]) -> Callable[..., Any]:
    """A reader that first looks at all rows: ``change`` gives what it then reads, and how."""
    real = declared.as_declared

    def read(raw: pl.DataFrame, schema: Any, how: Any) -> Any:
        raw, how = change(raw, schema, how)
        return real(raw, schema, how)

    return read


def texts(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.select(pl.selectors.string())


def holds(raw: pl.DataFrame, pattern: str) -> bool:
    return any(bool(s.str.contains(pattern).any()) for s in texts(raw))


def permutation(patch: Patch) -> None:
    """The hold-out is a permutation of all patients."""
    real = splitting.split
    patch.setattr(private, "split", lambda cohort, *, fraction, seed, how: real(cohort, fraction=fraction, seed=seed, how="exact"))


def found_dtype(patch: Patch) -> None:
    """The coin is tossed on the row as numbers where all cells of a column are numbers, else on its text."""

    def found(series: pl.Series) -> pl.Series:
        number = series.cast(pl.Int64, strict=False) if series.dtype == pl.String else series
        return number.cast(pl.Float64) if series.dtype == pl.String and number.null_count() == series.null_count() else series

    def coins(cohort: Cohort, seed: int) -> np.ndarray:
        keys = found(cohort[cohort.schema.unit]).hash(seed) if cohort.schema.unit else pl.DataFrame([found(s) for s in cohort.frame]).hash_rows(seed)
        return keys.to_numpy() / 2.0**64

    patch.setattr(splitting, "coins", coins)


def decimal_sign(patch: Patch) -> None:
    """The decimal sign is a comma if any cell of the file looks like it."""
    patch.setattr(declared, "as_declared", reading(lambda raw, _, how: (raw, replace(how, decimal=",") if holds(raw, r"^\d+,\d+$") else how)))


def clocks(patch: Patch) -> None:
    """Days of a column are moments if any cell has a clock."""
    real = declared._read

    def read(given: pl.Series, column: Any, how: Any) -> pl.Series:
        made = real(given, column, how)
        if column.kind != "date" or given.dtype != pl.String or not bool(given.str.contains(r"\d[T ]\d").any()):
            return made
        return made.cast(pl.Datetime("us"))

    patch.setattr(declared, "_read", read)


def majority(patch: Patch) -> None:
    """NA is missing in a column that is mostly numbers, else it is a level."""

    def change(raw: pl.DataFrame, _: Any, how: Any) -> tuple[pl.DataFrame, Any]:
        gone = ["NA", *how.missing]
        numbers = [s.name for s in texts(raw) if s.cast(pl.Float64, strict=False).null_count() == s.replace(gone, None).replace("", None).null_count()]
        return raw.with_columns(pl.col(n).replace("NA", "") for n in numbers), how

    patch.setattr(declared, "as_declared", reading(change))


def order_of_dates(patch: Patch) -> None:
    """Days come before months if any date of the file can be read in no other way."""
    change = reading(lambda raw, _, how: (raw, replace(how, date_order="dmy") if holds(raw, r"^(1[3-9]|2\d|3[01])/\d\d/\d{4}") else how))
    patch.setattr(declared, "as_declared", change)


def learnt(patch: Patch, what: Callable[[Any, pl.Series], Any]) -> None:
    """What the study does not say of a column is read from its rows, and called public."""
    real = private.guarded

    def guarded(train: Cohort, *others: Any) -> Vault:
        schema = train.schema
        for column in schema.synthesised:
            if column.origin != "public" and len(train[column.name].drop_nulls()):
                schema = schema.with_column(what(column, train[column.name].drop_nulls()))
        return real(Cohort(train.frame, schema), *others)

    patch.setattr(private, "guarded", guarded)


def levels_from_rows(patch: Patch) -> None:
    """Levels that nobody declared are those that occur."""
    learnt(patch, lambda c, s: c if c.numeric else replace(c, levels=tuple(s.unique().sort().to_list()), origin="public"))


def bounds_from_rows(patch: Patch) -> None:
    """Bounds that nobody declared are the least and the greatest value."""

    def bounds(column: Any, series: pl.Series) -> Any:
        if column.kind not in ("number", "integer"):
            return column
        return replace(column, low=float(series.min()), high=float(series.max()) + 1, origin="public")  # type: ignore[arg-type]

    learnt(patch, bounds)


def refusal(patch: Patch) -> None:
    """A table with a cell that cannot be read as declared is refused."""
    real = door.read

    def read(study: Any) -> Any:
        cohort, told = real(study)
        if any(told.unread.values()):
            raise SchemaMismatch("a column holds what was not declared")
        return cohort, told

    patch.setattr(door, "read", read)


def unbilled(patch: Patch) -> None:
    """The number of rows is told without a bill."""
    real = Vault.marginal

    def marginal(vault: Vault, columns: Any, *, sigma: float) -> Any:
        if columns:
            return real(vault, columns, sigma=sigma)
        bill, vault._bill = vault._bill, lambda event: None  # type: ignore[method-assign]
        try:
            return real(vault, columns, sigma=sigma)
        finally:
            vault._bill = bill  # type: ignore[method-assign]

    patch.setattr(Vault, "marginal", marginal)


def one_row_more(patch: Patch) -> None:
    """A patient may have one row more than the noise is scaled to."""
    real = private.bound_locally
    patch.setattr(private, "bound_locally", lambda cohort, most, *, seed: real(cohort, most + 1, seed=seed))
    patch.setattr(Vault, "_check_patients", lambda vault: None)


def half_a_selection(patch: Patch) -> None:
    """The noise of a selection is scaled to half of what a score can move."""
    real = noise.noisy_max
    patch.setattr(noise, "noisy_max", lambda scores, *, sensitivity, epsilon: real(scores, sensitivity=max(1, sensitivity // 2), epsilon=epsilon))


def root_two(patch: Patch) -> None:
    """An exchanged patient is billed as one more."""
    patch.setattr(Vault, "sensitivity", property(lambda vault: float(vault._per_patient)))


def oracle(patch: Patch) -> None:
    """A question about a cell that is empty is refused."""
    real = Vault._count

    def count(vault: Vault, columns: Any) -> np.ndarray:
        made = real(vault, columns)
        if columns and not made.ravel()[:-1].all():
            raise BadInput("nobody is in a cell that was asked for")
        return made

    patch.setattr(Vault, "_count", count)


def kept_rows(patch: Patch) -> None:
    """Which rows of a patient are kept is drawn from one stream for all."""
    patch.setattr(private, "bound_locally", lambda cohort, most, *, seed: bound(cohort, most, stream(seed, "rows")))


FRONT = {
    f.__name__: f
    for f in (
        permutation,
        found_dtype,
        decimal_sign,
        clocks,
        majority,
        order_of_dates,
        levels_from_rows,
        bounds_from_rows,
        refusal,
        unbilled,
        one_row_more,
        half_a_selection,
        root_two,
        oracle,
        kept_rows,
    )
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FRONT)
def test_a_fault_at_the_front_door_is_found(name: str, monkeypatch: Patch) -> None:
    FRONT[name](monkeypatch)
    assert first_found(Plan(BLOCKS * PER_TABLE[True], seed=1, short=True)), FRONT[name].__doc__


def exact_n(patch: Patch) -> None:
    """The exact number of train rows is printed."""
    real = pipeline._halves

    def halves(*arguments: Any) -> Any:
        train, holdout = real(*arguments)
        sys.stdout.write(f"{len(train)} patients\n")
        return train, holdout

    patch.setattr(pipeline, "_halves", halves)


def as_many_rows(patch: Patch) -> None:
    """As many synthetic rows as train rows are drawn."""
    patch.setattr(pipeline, "_size", lambda model, train, *, private: len(train))


def decided_on_rows(patch: Patch) -> None:
    """Whether a release is made depends on the rows."""
    real = private.halves

    def halves(*arguments: Any) -> Any:
        train, holdout = real(*arguments)
        if len(train) % 2:
            raise BadInput("the table is not good enough")
        return train, holdout

    patch.setattr(pipeline, "halves", halves)


def digits_of_rows(patch: Patch) -> None:
    """Numbers are released with a number of digits that depends on the rows: here the length of all cells, modulo 7."""
    real, digits = pipeline.draw, [0]
    halves = pipeline._halves

    def looked(*arguments: Any) -> Any:
        train, holdout = halves(*arguments)
        numbers = [v for s in train.frame if s.dtype == pl.Float64 for v in s.drop_nulls().to_list()]
        digits[0] = sum(len(repr(v)) for v in numbers) % 7
        return train, holdout

    def drawn(*arguments: Any, **options: Any) -> Any:
        copy = real(*arguments, **options)
        frame = copy.cohort.frame.with_columns(pl.selectors.float().round(digits[0]))
        return replace(copy, cohort=Cohort(frame, copy.cohort.schema))

    patch.setattr(pipeline, "_halves", looked)
    patch.setattr(pipeline, "draw", drawn)


WHOLE = {f.__name__: f for f in (exact_n, as_many_rows, decided_on_rows, digits_of_rows)}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_fault_behind_the_vault_is_found(name: str, monkeypatch: Patch) -> None:
    WHOLE[name](monkeypatch)
    assert first_found(Plan(WHOLE_BLOCKS * PER_TABLE[False], seed=1, generator="mst")), WHOLE[name].__doc__


@pytest.mark.slow
def test_without_a_fault_nothing_is_found() -> None:
    """So that the tests above do not pass on faults of somebody else's."""
    assert first_found(Plan(BLOCKS * PER_TABLE[True], seed=1, short=True)) is None
    assert first_found(Plan(WHOLE_BLOCKS * PER_TABLE[False], seed=1, generator="mst")) is None
