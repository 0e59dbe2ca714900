"""One suite for every generator in the table, and proof that it catches broken ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinset.checks import check_generator, everyday_cohort
from twinset.coding.discretise import rows
from twinset.core.cohort import Cohort
from twinset.core.contracts import Source
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Schema
from twinset.core.seeds import Rng, stream
from twinset.dp.events import reveal
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput, BudgetExhausted
from twinset.generators import GENERATORS

MEASURING = ("aim", "mst")  # work from a budget only
EITHER = ("bayesian_network",)  # private where there is one


@pytest.mark.parametrize("name", GENERATORS.names())
def test_contract(name: str) -> None:
    check_generator(GENERATORS[name]())


@pytest.mark.parametrize("name", EITHER)
def test_contract_under_a_budget(name: str) -> None:
    check_generator(GENERATORS[name](), private=True)


@pytest.mark.parametrize("name", MEASURING)
def test_no_budget_no_model(name: str) -> None:
    with pytest.raises(BadInput, match="budget"):
        check_generator(GENERATORS[name](), private=False)


@pytest.mark.parametrize("name", [n for n in GENERATORS.names() if n not in (*MEASURING, *EITHER)])
def test_a_budget_covers_no_reveal(name: str) -> None:
    with pytest.raises(BudgetExhausted):
        check_generator(GENERATORS[name](), private=True)


@pytest.mark.parametrize("name", [n for n in GENERATORS.names() if n not in MEASURING])
def test_reveal_is_billed(name: str) -> None:
    """Without a budget these read the rows: the ledger must say so."""
    ledger = Ledger()
    GENERATORS[name]().fit(Vault(everyday_cohort(80), ledger), stream(0))
    assert math.isinf(ledger.rho)
    assert not ledger.bounded
    assert any(e.mechanism == "reveal" and e.why for e in ledger.events)


@pytest.mark.parametrize("name", GENERATORS.names())
def test_settings_have_defaults_and_are_frozen(name: str) -> None:
    generator = GENERATORS[name]()
    assert generator == GENERATORS[name]()
    for field in getattr(generator, "__dataclass_fields__", {}):
        with pytest.raises(AttributeError):
            setattr(generator, field, None)


@dataclass(frozen=True)
class Bootstrap:
    """Rows drawn again: satisfies the contract. ``fault`` breaks one promise."""

    fault: str = ""

    def fit(self, source: Source, rng: Rng) -> BootstrapModel:
        rows = source._rows.cohort() if self.fault == "unbilled" else source.reveal("bootstrap")  # type: ignore[attr-defined]
        if self.fault == "changes train":
            object.__setattr__(rows, "frame", rows.frame.with_columns(pl.col(rows.schema.names[0])).reverse())
        return BootstrapModel(rows.synthesised, self.fault, stream(0) if self.fault == "deaf" else None)


@dataclass(frozen=True, repr=False)
class BootstrapModel:
    train: Cohort
    fault: str
    own: Any

    def __repr__(self) -> str:
        return str(self.train.frame["site"].to_list()) if self.fault == "talks" and "site" in self.train.frame.columns else "BootstrapModel()"

    def sample(self, n: int, rng: Rng) -> Cohort:
        rng = self.own if self.fault == "deaf" else stream(1) if self.fault == "one seed" else rng
        rows = np.arange(n) % len(self.train) if self.fault == "ordered" and n == 400 else rng.integers(0, len(self.train), n)
        out = self.train.take(rows)
        frame = out.frame
        first = frame.columns[0]
        match self.fault:
            case "short":
                frame = frame[: n - 1]
            case "dtype":
                frame = frame.with_columns(pl.col(first).cast(pl.String))
            case "gaps":
                frame = frame.with_columns(pl.lit(None, frame.schema[first]).alias(first))
            case "bounds" if "age" in frame.columns:
                frame = frame.with_columns((pl.col("age") + 1000).alias("age"))
            case "decimals" if "lab" in frame.columns:
                frame = frame.with_columns(pl.col("lab") - 0.03125)
            case "levels" if "site" in frame.columns:
                frame = frame.with_columns(pl.col("site") + "x")
            case "schema":
                return Cohort(frame, Schema(tuple(replace(c, description="new") for c in out.schema)))
        return Cohort(frame, out.schema)


def test_the_suite_passes_an_honest_plug_in() -> None:
    check_generator(Bootstrap())


@pytest.mark.parametrize(
    "fault, message",
    [
        ("unbilled", "nothing was billed"),
        ("changes train", "the training table was changed"),
        ("short", "rows were asked for"),
        ("dtype", "changed its dtype"),
        ("gaps", "train has none"),
        ("bounds", "above its declared bound"),
        ("decimals", "more decimals"),
        ("levels", "neither train's nor declared"),
        ("schema", "the schema is not"),
        ("deaf", "the same seed gave other rows|sampling changed the model"),
        ("one seed", "another seed gave the same rows"),
        ("ordered", "in the order of the training rows"),
        ("talks", "repr shows a level"),
    ],
)
def test_the_suite_catches(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_generator(Bootstrap(fault))


@dataclass(frozen=True)
class Margins:
    """Noisy one-way counts, columns drawn apart: satisfies the contract of a private generator. ``fault`` breaks one promise."""

    fault: str = ""

    def fit(self, source: Source, rng: Rng) -> MarginsModel:
        if not source.private:
            raise BadInput("needs a budget")
        table = source._rows  # type: ignore[attr-defined]
        if self.fault == "unbilled":
            return MarginsModel(source, Domain(()), (), 100, self.fault)
        domain = source.discretise(rho=0.2 * source.remaining)
        sigma = source.sensitivity * math.sqrt((len(domain) + 1) / (2 * 0.9 * source.remaining))
        counts = tuple(source.marginal((a.name,), sigma=sigma).counts for a in domain)
        n = int(source.marginal((), sigma=sigma).counts)
        if self.fault == "free look":
            source.ledger._events.pop()  # type: ignore[attr-defined]
            source.ledger._events.append(reveal("x"))  # type: ignore[attr-defined]
        if self.fault == "rare levels":
            domain = domain.with_axes({a.name: _with_levels(a, table.cohort()[a.name]) for a in domain if a.name == "level"})
        return MarginsModel(
            source, domain, counts, len(table) if self.fault == "exact size" else max(n, 1) * (50 if self.fault == "wrong size" else 1), self.fault
        )


def _with_levels(axis: Axis, values: pl.Series) -> Axis:
    """The levels themselves instead of those that could be told from noise: the leak."""
    levels = tuple(values.unique().sort().to_list())
    n = len(levels) + 2
    return replace(axis, levels=levels, cell_of=np.minimum(np.arange(n), axis.size - 1).astype(np.int32), weights=np.ones(n))


@dataclass(frozen=True, repr=False)
class MarginsModel:
    source: Any
    domain: Domain
    counts: tuple[Any, ...]
    n_rows: int
    fault: str

    def sample(self, n: int, rng: Rng) -> Cohort:
        if self.fault == "asks later":
            self.source.ledger._events.append(self.source.ledger.events[0])
        shares = [np.maximum(c, 0) + 1e-9 for c in self.counts]
        codes = np.array([rng.choice(len(s), n, p=s / s.sum()) for s in shares]).reshape(len(shares), n)
        out = rows(codes, self.domain, self.source.schema.synthesised, self.source.dtypes, rng)
        if self.fault == "gaps" and "age" in out.frame.columns:
            return Cohort(out.frame.with_columns(age=pl.lit(None, out.frame.schema["age"])), out.schema)
        if self.fault == "bounds" and "age" in out.frame.columns:
            return Cohort(out.frame.with_columns(pl.col("age") + 1000), out.schema)
        return out


def test_the_suite_passes_an_honest_private_plug_in() -> None:
    check_generator(Margins())


@pytest.mark.parametrize(
    "fault, message",
    [
        ("unbilled", "rows were asked for|nothing was billed"),
        ("free look", "more was spent"),
        ("asks later", "sampling asked the private rows again"),
        ("exact size", "exact number of rows"),
        ("wrong size", "far from the number of rows"),
        ("rare levels", "levels that one patient holds each"),
        ("gaps", "train has none"),
        ("bounds", "above its declared bound"),
    ],
)
def test_the_suite_catches_a_private_one(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_generator(Margins(fault))
