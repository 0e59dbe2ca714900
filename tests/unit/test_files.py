"""A vault over a file: the same answers from Parquet, CSV and DuckDB, nothing handed out, nothing quoted, and a generator that never loads the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.domain import Domain
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp import discover
from twinset.dp.cover import all_of
from twinset.dp.files import Chosen, FileTable
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.tables import MemoryTable
from twinset.dp.vault import Vault
from twinset.errors import BadInput, SchemaMismatch, TableUnreadable
from twinset.generators import GENERATORS
from twinset.io.declared import Declared, as_declared

SECRET = "Ærøskøbing"
SCHEMA = Schema(
    (
        Column("age", "integer", low=0, high=90, missing_codes=(-8.0,), origin="public"),
        Column("dose", "number", low=0.0, high=5.0, origin="public"),
        Column("seen", "date", low=17_000, high=19_000, origin="public"),
        Column("at", "datetime", low=17_000, high=19_000, origin="public"),
        Column("town", "category", levels=("A b", SECRET, 'say "x", y'), origin="public"),
        Column("well", "category", levels=(True, False), origin="public"),
    )
)


def table(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    days = rng.integers(16_900, 19_100, n)
    gap = rng.random((6, n)) < 0.1
    frame = pl.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.1, -8, rng.integers(-5, 120, n)),
            "dose": np.round(rng.gamma(1.0, 2.0, n), 3),
            "seen": pl.Series(days, dtype=pl.Int32).cast(pl.Date),
            "at": pl.Series(days * 86_400_000_000 + rng.integers(0, 86_400_000_000, n)).cast(pl.Datetime("us")),
            "town": pl.Series(np.array(SCHEMA["town"].levels, dtype=object)[rng.integers(0, 3, n)], dtype=pl.String),
            "well": rng.random(n) < 0.3,
        }
    )
    return frame.with_columns([pl.when(pl.Series(g)).then(None).otherwise(pl.col(c)).alias(c) for c, g in zip(frame.columns, gap, strict=True)])


def cells() -> Domain:
    return Domain(tuple(discover.number_axis(c, discover.grid(c)) if c.numeric else discover.level_axis(c, c.levels, other=False) for c in SCHEMA))


def stored(frame: pl.DataFrame, folder: Path, kind: str) -> tuple[Path, Declared]:
    path = folder / f"t.{kind}"
    match kind:
        case "parquet":
            frame.write_parquet(path)
        case "csv":
            frame.write_csv(path, separator=";")
        case _:
            frame.write_parquet(folder / "via.parquet")
            with duckdb.connect(str(path)) as database:
                database.execute(f"""CREATE TABLE "the table" AS SELECT * FROM read_parquet('{folder / "via.parquet"}')""")
    return path, Declared(table="the table" if kind == "duckdb" else None, separator=";")


@pytest.mark.parametrize("kind", ["parquet", "csv", "duckdb"])
@pytest.mark.parametrize("n", [0, 1, 700])
def test_every_kind_of_file_counts_as_memory_does(kind: str, n: int, tmp_path: Path) -> None:
    frame = table(n)
    path, reading = stored(frame, tmp_path, kind)
    file, memory, cliques = (
        FileTable(path, SCHEMA, how=reading),
        MemoryTable(Cohort(as_declared(frame, SCHEMA, reading).frame, SCHEMA)),
        [(), *all_of(6, 1), *all_of(6, 3)],
    )
    assert len(file) == n
    for ours, theirs in zip(memory.counts(cells()).count(cliques), file.counts(cells()).count(cliques), strict=True):
        assert np.array_equal(ours, theirs)
    for axis in cells():
        assert np.array_equal(memory.histogram(axis), file.histogram(axis))


CODED = Schema(
    (Column("atc", "category"), Column("grade", "category", level_type="integer", missing_codes=(-8.0,)), Column("icd10", "category"), Column("age", "integer"))
)


def coded(n: int) -> pl.DataFrame:
    """Codes that share prefixes, numbers as levels, and gaps in both."""
    rng = np.random.default_rng(2)
    frame = pl.DataFrame(
        {
            "atc": pl.Series(rng.choice(["C07AB02", "C07AB03", "C07A", "N02", "C", "é02BE01"], n), dtype=pl.String),
            "grade": rng.choice([-8, 0, 1, 2], n),
            "icd10": pl.Series(rng.choice(["E11.9", "E11.2", "E11", "I10", 'x"y'], n), dtype=pl.String),
            "age": rng.integers(0, 90, n),
        }
    )
    gap = rng.random((4, n)) < 0.2
    return frame.with_columns([pl.when(pl.Series(g)).then(None).otherwise(pl.col(c)).alias(c) for c, g in zip(frame.columns, gap, strict=True)])


def one_by_one(frame: pl.DataFrame, found: dict[str, list[Any]], weights: np.ndarray) -> dict[tuple[str, Any], int]:
    """What ``unfound`` says, row by row and letter by letter."""
    out: dict[tuple[str, Any], int] = {}
    for row in frame.iter_rows(named=True):
        cells = []
        for name, known in found.items():
            level = row[name]
            if level is None or level in known or level == -8:
                continue
            parts = [level[:k] for k in {"atc": (1, 3, 4, 5), "icd10": (3,)}.get(name, ()) if k < len(level)]
            cells += [(name, part) for part in (level, *parts) if part not in known]
        for cell in cells:
            out[cell] = out.get(cell, 0) + int(weights[len(cells)])
    return out


@pytest.mark.parametrize("kind", ["parquet", "csv", "duckdb"])
@pytest.mark.parametrize("n", [0, 1, 400])
@pytest.mark.parametrize("known", [{}, {"atc": ["C07AB02", "C07"], "grade": [1], "icd10": ['x"y', "E11"]}])
def test_weights_of_unfound_levels_are_the_same_everywhere(kind: str, n: int, known: dict[str, list[Any]], tmp_path: Path) -> None:
    frame = coded(n)
    path, reading = stored(frame, tmp_path, kind)
    found = {c: list(known.get(c, [])) for c in ("atc", "grade", "icd10")}
    weights = discover.weights(8)
    expected = one_by_one(frame, found, weights)
    for table in (MemoryTable(Cohort(frame, CODED)), FileTable(path, CODED, how=reading)):
        keys, held = table.unfound(found, weights)
        assert held.dtype == np.int64
        assert dict(zip(keys, held.tolist(), strict=True)) == expected
        assert list(keys) == sorted(keys, key=lambda k: (list(found).index(k[0]), k[1]))


def test_an_unlisted_code_is_counted_as_its_longest_listed_prefix(tmp_path: Path) -> None:
    frame = coded(400)
    path, reading = stored(frame, tmp_path, "parquet")
    axes = (
        discover.level_axis(CODED["atc"], ("C", "C07A", "C07AB03"), other=True),
        discover.level_axis(CODED["grade"], (0, 1), other=True),
        discover.level_axis(CODED["icd10"], ("E11", "E11.2"), other=True),
    )
    file, memory = FileTable(path, CODED, how=reading), MemoryTable(Cohort(frame, CODED))
    for axis in axes:
        assert np.array_equal(memory.histogram(axis), file.histogram(axis))
    counts = memory.histogram(axes[0])
    held = dict(frame["atc"].value_counts().iter_rows())
    assert counts[:3].tolist() == [held["C"], held["C07A"] + held["C07AB02"], held["C07AB03"]]
    assert counts[3] == held["N02"] + held["é02BE01"]
    assert memory.histogram(axes[2])[0] == frame.filter(pl.col("icd10").is_in(["E11", "E11.9"])).height


def test_regrouped_cells_are_counted_anew(tmp_path: Path) -> None:
    path, reading = stored(table(300), tmp_path, "parquet")
    file, domain = FileTable(path, SCHEMA, how=reading), cells()
    before = file.counts(domain).count([(0,)])[0]
    groups = np.arange(domain["age"].n_fine) // 7
    after = file.counts(domain.with_axes({"age": domain["age"].grouped(groups)})).count([(0,)])[0]
    assert np.array_equal(np.bincount(groups, weights=before[domain["age"].cell_of]), after)


@pytest.mark.parametrize("name", ["mst", "aim", "bayesian_network"])
def test_a_private_generator_never_loads_the_rows(name: str, tmp_path: Path) -> None:
    """Bounds of ``age`` and levels of ``town`` are found in the file too; the model is that of a table of about its size."""
    frame = table(2000)
    path, reading = stored(frame, tmp_path, "parquet")
    schema = Schema((Column("age", "integer"), *tuple(SCHEMA)[1:4], Column("town", "category"), SCHEMA["well"]))
    vault = Vault(FileTable(path, schema, how=reading), Ledger(), Allowance(0.5, 1e-9))
    model = GENERATORS[name]().fit(vault, stream(0))
    out = model.sample(500, stream(1))
    assert vault.ledger.bounded
    assert abs(model.n_rows - 2000) < 200  # type: ignore[attr-defined]
    assert dict(out.frame.schema) == dict(frame.schema)
    assert set(out["town"].drop_nulls().unique()) <= {*SCHEMA["town"].levels, "other"}
    with pytest.raises(BadInput, match="not handed out"):
        Vault(FileTable(path, schema, how=reading), Ledger()).reveal("x")


def test_what_cannot_be_read_is_missing_and_a_file_that_is_none_is_refused_without_being_quoted(tmp_path: Path) -> None:
    path, reading = stored(table(200), tmp_path, "csv")
    wrong = FileTable(path, replace(SCHEMA, columns=(replace(SCHEMA["town"], kind="integer", levels=()), *tuple(SCHEMA)[:4], SCHEMA["well"])), reading)
    assert wrong.histogram(discover.number_axis(Column("town", "integer"), np.arange(4.0)))[:3].sum() == 0
    fewer = replace(SCHEMA, columns=tuple(replace(c, levels=("A b",)) if c.name == "town" else c for c in SCHEMA))
    seen = FileTable(path, fewer, reading).histogram(discover.level_axis(fewer["town"], ("A b",), other=False))
    assert seen.tolist() == [(table(200)["town"] == "A b").sum(), 200 - (table(200)["town"] == "A b").sum()]
    with pytest.raises(SchemaMismatch, match="`nowhere`") as absent:
        FileTable(path, Schema((*SCHEMA, Column("nowhere", "integer"))), reading)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(SECRET.encode() * 100)
    with pytest.raises(TableUnreadable) as unreadable:
        FileTable(broken, SCHEMA)
    for error in (absent, unreadable):
        assert SECRET not in str(error.value)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__ or error.value.__context__ is None


def test_nothing_is_left_behind_and_nothing_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "work"))
    (tmp_path / "work").mkdir()
    path, reading = stored(table(200), tmp_path, "parquet")
    file = FileTable(path, SCHEMA, how=reading)
    file.counts(cells()).count([(0, 1)])
    assert list((tmp_path / "work").iterdir())
    assert SECRET not in repr(file)
    del file
    assert not list((tmp_path / "work").iterdir())


def test_a_patient_beyond_the_bound_is_refused_and_a_bounded_one_counted(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [1, 1, 1, 2], "g": [0, 1, 0, 1]})
    schema = Schema((Column("id", "integer", role="identifier"), Column("g", "category", levels=(0, 1), origin="public")), unit="id")
    path = tmp_path / "t.parquet"
    frame.write_parquet(path)
    ledger = Ledger(unit="id")
    with pytest.raises(BadInput, match="more rows than the bound"):
        Vault(FileTable(path, schema), ledger, Allowance(1e9, per_patient=2)).discretise(rho=0.0)
    assert not ledger.events
    vault = Vault(FileTable(path, schema, chosen=Chosen(bound=2)), ledger, Allowance(1e9, per_patient=2))
    vault.discretise(rho=0.0)
    assert vault.marginal((), sigma=0.01).counts == 3
