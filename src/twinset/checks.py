"""What every generator promises, as one function that a plug-in's author can call: ``check_generator(Mine())``.

The tables are made up here, small and nasty on purpose: every kind of column, missing codes, a
constant, an empty column, one row, one column.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Generator, SizedModel
from twinset.core.domain import OTHER
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput, TwinsetError

CANARY = "Zwölf-Ængström-7"  # a level that must appear in no repr
EPSILON, DELTA, FOR_LEVELS = 5.0, 1e-9, 1e-10  # of a private run here; the last is the part of delta for finding levels
UNLUCKY = 6.0  # sigma of noise that an honest private generator may show


@dataclass(frozen=True)
class _Terms:
    """On which terms the rows are handed out."""

    private: bool

    def vault(self, cohort: Cohort) -> Vault:
        return Vault(cohort, Ledger(), Allowance(rho_of(EPSILON, DELTA - FOR_LEVELS), FOR_LEVELS) if self.private else None)


def check_generator(generator: Generator, *, seed: int = 0, private: bool | None = None) -> None:
    """Runs the contract of a generator on small made-up tables; returns nothing if all holds.

    ``private``: whether the runs have a budget (epsilon 5); by default only where the generator refuses to work without one. A generator
    that does both is checked twice: once with ``private=True``.

    Checked: as many rows as asked (fewer and more than train), the source's synthesised schema and the
    train dtypes, levels of train or declared ones only, numbers inside the declared bounds, the same seed
    the same bytes, another seed other rows, train untouched, every look billed, nothing of the rows in
    ``repr``, row order unrelated to train's, and tables with one column, constants, empty columns, dates or missing codes. One row may be
    refused with a TwinsetError. Where the model knows ``n_rows``, that it is a sensible number. It says nothing about fidelity or privacy: that is the audit's work.

    With a budget the contract differs, because noise never repeats and what nobody declared is not known: same seed, same bytes from one
    model; the ledger is bounded and within its allowance; bounds, decimals and levels hold where they are declared public, elsewhere a level may
    become "other" (or a gap) and gaps may appear within the noise; a level of one patient never appears; ``n_rows`` is not the exact number.

    Raises AssertionError with a plain sentence where a promise is broken.

    >>> from twinset.generators import GENERATORS
    >>> check_generator(GENERATORS["independent"]())
    """
    terms = _Terms(_refuses(generator, seed) if private is None else private)
    _check_everyday(generator, terms, seed)
    _check_seeds(generator, terms, seed)
    _check_ledger(generator, terms, seed)
    _check_order(generator, terms, seed)
    _check_size(generator, terms, seed)
    for what, cohort in odd_cohorts().items():
        _check_table(generator, terms, cohort, n=len(cohort) + 3, what=what, seed=seed)
    _check_one_row(generator, terms, seed)


def everyday_cohort(n: int = 150, *, seed: int = 0) -> Cohort:
    """A made-up trial with a column of every kind, an identifier, free text, gaps and a missing code."""
    rng = stream(seed, "everyday")
    arm = rng.integers(0, 3, n)
    age = np.clip(np.round(rng.normal(50 + 3 * arm, 12, n)), 18, 90).astype(np.int64)
    lab = np.round(rng.gamma(2.0, 10.0 + age / 10, n), 1)
    score = np.where(rng.random(n) < 0.1, -8, rng.integers(0, 40, n))
    site = np.array(["A", "Straße", CANARY, "None", " padded "], dtype=object)[np.minimum(rng.integers(0, 9, n), 4)]
    start = [dt.date(2019, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 900, n)]
    seen = [dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 10**7, n)]
    gone = rng.random(n) < 0.15
    frame = pl.DataFrame(
        {
            "id": [f"P{i:05d}" for i in range(n)],
            "arm": arm.astype(np.int32),
            "age": age,
            "lab": [None if g else float(v) for v, g in zip(lab, gone, strict=True)],
            "score": score.astype(np.int16),
            "site": pl.Series([None if g else s for s, g in zip(site, rng.random(n) < 0.05, strict=True)], dtype=pl.String),
            "sex": pl.Series(np.array(["f", "m"])[rng.integers(0, 2, n)], dtype=pl.Enum(["f", "m", "x"])),
            "event": rng.random(n) < np.where(score > 20, 0.7, 0.15),
            "start": start,
            "seen": pl.Series(seen, dtype=pl.Datetime("us", "UTC")),
            "time": rng.exponential(400.0, n).astype(np.float32),
            "note": [f"free text {i}" for i in range(n)],
        }
    )
    columns = (
        Column("id", "text", role="identifier"),
        Column("arm", "category", role="arm", levels=(0, 1, 2), origin="public"),
        Column("age", "integer", low=18, high=90, origin="public"),
        Column("lab", "number", low=0, high=float(np.max(lab)), decimals=1),
        Column("score", "integer", low=0, high=40, missing_codes=(-8.0,)),
        Column("site", "category"),
        Column("sex", "category", levels=("f", "m", "x"), origin="public"),
        Column("event", "category", role="event"),
        Column("start", "date"),
        Column("seen", "datetime"),
        Column("time", "number", role="time", low=0.0),
        Column("note", "text"),
    )
    return Cohort(frame, Schema(columns))


def odd_cohorts() -> dict[str, Cohort]:
    """Tables that break careless generators, by what is odd about them."""
    every = everyday_cohort(60, seed=1)
    n = len(every)
    constant = every.frame.with_columns(age=pl.lit(44, pl.Int64), site=pl.lit("A"), lab=pl.lit(None, pl.Float64))
    empty = every.frame.with_columns(site=pl.lit(None, pl.String), score=pl.lit(-8, pl.Int16), start=pl.lit(None, pl.Date))
    twins = pl.concat([every.frame[:2]] * (n // 2))
    rare = pl.DataFrame({"level": [f"L{i}" for i in range(n)], "x": np.arange(n) % 4})
    free = Schema(tuple(replace(c, low=None, high=None) for c in every.schema))
    return {
        "constant columns": Cohort(constant, free),
        "columns that are all missing": Cohort(empty, free),
        "one column of numbers": every.select(["age"]),
        "one column of levels": every.select(["site"]),
        "only dates": every.select(["start", "seen"]),
        "two patients repeated": Cohort(twins, every.schema),
        "a level of its own for every row": Cohort(rare, Schema((Column("level", "category"), Column("x", "integer")))),
        "eight rows": every.take(np.arange(8)),
    }


def _refuses(generator: Generator, seed: int) -> bool:
    """Whether it works from a budget only."""
    try:
        generator.fit(_Terms(private=False).vault(everyday_cohort(40)), stream(seed, "terms"))
    except BadInput:
        return True
    return False


def _check_table(generator: Generator, terms: _Terms, cohort: Cohort, *, n: int, what: str, seed: int) -> Cohort:
    """One fit and one sample, everything about the result checked; gives the sample back."""
    before, vault = cohort.frame.clone(), terms.vault(cohort)
    model = generator.fit(vault, stream(seed, "fit", what))
    out = model.sample(n, stream(seed, "sample", what))
    _need(cohort.frame.equals(before), what, "the training table was changed")
    _need(len(out) == n, what, f"{n} rows were asked for, {len(out)} came")
    _need(out.schema == cohort.schema.synthesised, what, "the schema is not the source's `schema.synthesised`")
    noise = max((e.noise for e in vault.ledger.events if e.mechanism == "discrete-gaussian"), default=0.0) if terms.private else 0.0
    for column in out.schema:
        train, synthetic = cohort[column.name], out[column.name]
        _need(synthetic.dtype == train.dtype, what, f"column `{column.name}` changed its dtype")
        _check_gaps(column, train, synthetic, noise=noise, what=what)
        if not column.numeric:
            _check_levels(column, train, synthetic, terms, what)
        elif column.origin == "public" or not terms.private:
            _check_numbers(column, synthetic, what)
    return out


def _check_gaps(column: Column, train: pl.Series, synthetic: pl.Series, *, noise: float, what: str) -> None:
    """None where train has none; under a budget as many as noise explains, and any number where a level that was not found is a gap."""
    if train.null_count() or (noise and not column.numeric and column.origin != "public"):
        return
    most = UNLUCKY * noise / len(train) * len(synthetic)
    most += UNLUCKY * math.sqrt(most)  # the draw's own luck
    _need(synthetic.null_count() <= most, what, f"column `{column.name}` has missing values, train has none")


def _check_levels(column: Column, train: pl.Series, synthetic: pl.Series, terms: _Terms, what: str) -> None:
    held, shown = set(train.drop_nulls().unique().to_list()), set(synthetic.drop_nulls().unique().to_list())
    unfound: set[object] = {False, True} if train.dtype == pl.Boolean else {OTHER}
    known = held | set(column.levels) | (unfound if terms.private and column.origin != "public" else set())
    _need(shown <= known, what, f"column `{column.name}` has levels that are neither train's nor declared")
    if terms.private and column.origin != "public" and len(held) == len(train) > 1:
        _need(not shown & held, what, f"column `{column.name}` shows levels that one patient holds each")


def _check_numbers(column: Column, synthetic: pl.Series, what: str) -> None:
    name = column.name
    if column.kind in ("date", "datetime"):
        return
    values = synthetic.drop_nulls().cast(pl.Float64).to_numpy()
    values = values[~np.isin(values, column.missing_codes)]
    _need(bool(np.isfinite(values).all()), what, f"column `{name}` has values that are not finite")
    _need(column.low is None or bool((values >= column.low).all()), what, f"column `{name}` goes below its declared bound")
    _need(column.high is None or bool((values <= column.high).all()), what, f"column `{name}` goes above its declared bound")
    if column.decimals is not None and synthetic.dtype == pl.Float64:
        _need(bool(np.allclose(values, np.round(values, column.decimals), rtol=0, atol=1e-9)), what, f"column `{name}` has more decimals than declared")


def _check_everyday(generator: Generator, terms: _Terms, seed: int) -> None:
    train = everyday_cohort()
    for n, what in ((len(train), "an everyday table"), (1, "an everyday table, one row asked"), (3 * len(train), "an everyday table, more rows than train")):
        _check_table(generator, terms, train, n=n, what=what, seed=seed)


def _check_seeds(generator: Generator, terms: _Terms, seed: int) -> None:
    train, what = everyday_cohort(), "seeds"
    first = generator.fit(terms.vault(train), stream(seed, "fit"))
    rows = first.sample(80, stream(seed, "sample")).frame.write_csv()
    if not terms.private:
        again = generator.fit(terms.vault(train), stream(seed, "fit"))
        _need(again.sample(80, stream(seed, "sample")).frame.write_csv() == rows, what, "the same seed gave other rows after a second fit")
    other = first.sample(80, stream(seed + 1, "sample")).frame.write_csv()
    _need(other != rows, what, "another seed gave the same rows")
    _need(first.sample(80, stream(seed, "sample")).frame.write_csv() == rows, what, "sampling changed the model")
    for thing, name in ((generator, "the generator"), (first, "the model")):
        _need(CANARY not in repr(thing), what, f"{name}'s repr shows a level of the training table")


def _check_ledger(generator: Generator, terms: _Terms, seed: int) -> None:
    train, what = everyday_cohort(), "ledger"
    vault = terms.vault(train)
    model = generator.fit(vault, stream(seed, what))
    bill = vault.ledger.events
    _need(bool(bill), what, "rows were modelled and nothing was billed")
    model.sample(10, stream(seed, what))
    _need(vault.ledger.events == bill, what, "sampling asked the private rows again")
    if terms.private:
        _need(vault.ledger.bounded and vault.ledger.epsilon(DELTA) <= EPSILON * (1 + 1e-6), what, "more was spent than was allowed")
        return
    other = terms.vault(train)
    generator.fit(other, stream(seed, what))
    _need(other.ledger.events == bill, what, "the same fit was billed differently")


def _check_order(generator: Generator, terms: _Terms, seed: int) -> None:
    """Row i of the sample must not belong to row i of train: the order would be a key to the patients."""
    train = everyday_cohort(400)
    out = generator.fit(terms.vault(train), stream(seed, "order")).sample(len(train), stream(seed, "order", "sample"))
    for name in ("age", "arm"):
        here, there = train[name].to_numpy(), out[name].cast(pl.Float64).fill_null(math.nan).to_numpy()
        known = np.isfinite(there)
        together = np.corrcoef(here[known], there[known])[0, 1]
        _need(abs(together) < 0.3, "order", f"the rows come in the order of the training rows (`{name}` correlates)")


def _check_size(generator: Generator, terms: _Terms, seed: int) -> None:
    """The number of rows that a model proposes: about train's, and under a budget (one patient more or less) never simply train's."""
    train, what = everyday_cohort(120).select(["age", "sex"]), "size"
    exact = []
    for k in range(8 if terms.private else 1):
        model = generator.fit(terms.vault(train), stream(seed, what, k))
        if not isinstance(model, SizedModel):
            return
        _need(len(train) / 4 <= model.n_rows <= 4 * len(train), what, "`n_rows` is far from the number of rows of train")
        exact.append(model.n_rows == len(train))
    _need(not (terms.private and all(exact)), what, "`n_rows` is the exact number of rows, which is private where neighbours differ by a patient")


def _check_one_row(generator: Generator, terms: _Terms, seed: int) -> None:
    single = everyday_cohort(40).take(np.array([0]))
    try:
        _check_table(generator, terms, single, n=2, what="one row", seed=seed)
    except TwinsetError as refusal:
        _need(CANARY not in str(refusal), "one row", "the refusal quotes a level")


def _need(holds: bool, what: str, message: str) -> None:
    if not holds:
        raise AssertionError(f"{what}: {message}")
