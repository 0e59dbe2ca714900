"""``twinset.synthesize`` on a study whose table has a ledger: every call is a run in it, and none is given when it is spent."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import twinset
from twinset.dp import ledger_file
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance
from twinset.errors import BadInput, BudgetExhausted

STUDY = """
[data]
path = "x.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
[columns.age]
type = "integer"
low = 0
high = 99
origin = "public"
[columns.sick]
type = "category"
levels = ["no", "yes"]
origin = "public"
[generator]
name = "mst"
"""


def people(n: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(20, 80, n)
    return pl.DataFrame({"age": age, "sick": np.where(rng.random(n) < age / 100, "yes", "no")})


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of a table whose ledger was begun with a budget of epsilon = 3, of which 1 is reserved."""
    people().write_csv(tmp_path / "x.csv")
    (tmp_path / "study.toml").write_text(STUDY)
    reserve(tmp_path, "x.csv.ledger.jsonl")
    return tmp_path / "study.toml"


def reserve(folder: Path, ledger: str) -> None:
    budget = ledger_file.Budget("row", "add-remove", 3.0, 1e-9)
    ledger_file.reserve(folder / ledger, budget, Allowance(rho_of(1.0, 1e-9)), table=folder / "x.csv", generator="aim", asked=1.0)


def book(study: Path) -> ledger_file.Book:
    return ledger_file.read(study.with_name("x.csv.ledger.jsonl"))


def call(study: Path, epsilon: float | None = 1.0, generator: str = "mst", rows: int = 200) -> pl.DataFrame:
    return twinset.synthesize(people().head(rows), generator, epsilon=epsilon, study=study, n=20, seed=0)


def test_a_call_is_a_run_and_the_budget_ends(study: Path) -> None:
    call(study)
    last = book(study).runs[-1]
    assert (last.generator, last.settled, last.epsilon) == ("mst (synthesize)", True, 1.0)
    assert last.rho == pytest.approx(rho_of(1.0, 1e-9), rel=1e-6)
    before = book(study)
    with pytest.raises(BudgetExhausted, match="budget of this data set is spent"):
        call(study, 2.9)
    assert book(study) == before


def test_a_subset_costs_what_the_table_costs(study: Path) -> None:
    call(study, rows=50)
    assert book(study).runs[-1].epsilon == 1.0


def test_the_reservation_stands_before_the_first_look(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twinset.generators.marginals import MST

    real = MST.fit

    def dies(self, source, rng):
        real(self, source, rng)
        raise KeyboardInterrupt

    monkeypatch.setattr(MST, "fit", dies)
    with pytest.raises(KeyboardInterrupt):
        call(study)
    assert not book(study).runs[-1].settled
    assert len(book(study).runs) == 2


def test_a_generator_that_sees_the_rows_is_written_down(study: Path) -> None:
    call(study, None, "independent")
    assert (book(study).runs[-1].generator, math.isinf(book(study).runs[-1].rho)) == ("independent", True)
    with pytest.raises(BudgetExhausted):
        call(study, 1.0, "independent")
    assert len(book(study).runs) == 2


def test_a_changed_table_is_not_the_ledgers(study: Path) -> None:
    people(199).write_csv(study.with_name("x.csv"))
    with pytest.raises(BadInput, match="another data set"):
        call(study)


def test_a_ledger_that_was_moved_away_is_missed(study: Path) -> None:
    study.with_name("x.csv.ledger.jsonl").rename(study.with_name("away.jsonl"))
    with pytest.raises(BadInput, match="with another ledger"):
        call(study)


def test_the_studys_own_terms_are_kept_to(study: Path) -> None:
    text = study.read_text()
    study.write_text(text + '[privacy]\nepsilon = 1\nunit = "row"\nbudget = 9\n')
    with pytest.raises(BadInput, match=r"budget is 3\.0 in the ledger and 9\.0 in the study"):
        call(study)
    study.write_text(text + '[privacy]\nepsilon = 1\nunit = "row"\nledger = "other.jsonl"\n')
    with pytest.raises(BadInput, match="beside the table already"):
        call(study)
    assert len(book(study).runs) == 1


def test_without_a_ledger_nothing_is_kept(study: Path, config: Path) -> None:
    study.with_name("x.csv.ledger.jsonl").unlink()
    (config / "register.jsonl").unlink()
    call(study)
    call(study, None, "independent")
    assert sorted(p.name for p in study.parent.iterdir()) == ["study.toml", "x.csv"]
    assert not (config / "register.jsonl").exists()


def test_a_table_that_is_not_there_has_no_ledger(study: Path) -> None:
    study.with_name("x.csv.ledger.jsonl").unlink()
    study.with_name("x.csv").unlink()
    call(study)


def test_a_ledger_without_its_table_is_refused(study: Path) -> None:
    study.with_name("x.csv").unlink()
    with pytest.raises(BadInput, match="belongs to one data file"):
        call(study)
