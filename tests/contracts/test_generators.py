"""One suite for every generator in the table, and proof that it catches broken ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinset.checks import check_generator, everyday_cohort
from twinset.core.cohort import Cohort
from twinset.core.contracts import Source
from twinset.core.schema import Schema
from twinset.core.seeds import Rng, stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.generators import GENERATORS


@pytest.mark.parametrize("name", GENERATORS.names())
def test_contract(name: str) -> None:
    check_generator(GENERATORS[name]())


@pytest.mark.parametrize("name", GENERATORS.names())
def test_reveal_is_billed(name: str) -> None:
    """None of today's generators is private: the ledger must say so."""
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
