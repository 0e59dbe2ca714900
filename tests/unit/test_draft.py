"""The draft is valid for any table, runs without edits, and says what a custodian must know."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinset.draft import draft
from twinset.io.infer import infer_schema
from twinset.io.read import read_table
from twinset.io.toml import comment, key, toml
from twinset.rows import only, wide
from twinset.study import Study, parse

any_text = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
any_value = st.one_of(any_text, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())


@given(any_text, st.lists(any_value, max_size=40))
def test_any_name_and_value_round_trips(name: str, values: list[str | int | float | bool]) -> None:
    text = f"{comment(name)}\n{key(name)} = {toml(values)}\n"
    made = tomllib.loads(text)
    assert made == {name: values}
    assert [type(v) for v in made[name]] == [type(v) for v in values]


@given(st.lists(any_text.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True), st.lists(any_text, min_size=5, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_column_name_and_level_gives_a_valid_study(tmp_path_factory: pytest.TempPathFactory, names: list[str], levels: list[str]) -> None:
    path = tmp_path_factory.mktemp("any") / "t.parquet"
    pl.DataFrame(dict.fromkeys(names, levels * 4)).write_parquet(path)
    study = parse(draft(path), folder=path.parent)
    frame = read_table(path)
    assert list(study.columns) == frame.columns
    for name in frame.columns:
        assert set(study.columns[name].levels) <= set(frame[name].drop_nulls())


def made_up(folder: Path) -> Path:
    n = 120
    frame = pl.DataFrame(
        {
            "first_name": ["arya", "bran", "jon", "sansa"] * 30,
            "age": [str(20 + i % 60) if i % 10 else "?" for i in range(n)],
            "grade": ["low", "high", "?"] * 40,
            "income": [100 * i if i % 6 else -8 for i in range(n)],
            "arm": ["placebo", "drug"] * 60,
            "days": [10 + 7 * i for i in range(n)],
            "death": [i % 2 for i in range(n)],
            "code": [f"c{i % 210}" for i in range(n)],
            "lab": [str(i) for i in range(n - 1)] + ["ask"],
        }
    )
    path = folder / "patients.csv"
    frame.write_csv(path)
    return path


def test_what_the_draft_holds(tmp_path: Path) -> None:
    path = made_up(tmp_path)
    text = draft(path, out=tmp_path / "sub" / "study.toml")
    study = parse(text, folder=tmp_path / "sub")
    assert study.data.path == "../patients.csv"
    assert (study.data.separator, study.data.decimal, study.data.encoding) == (",", ".", "utf-8")
    assert study.data.missing == ("?",)
    assert study.columns["grade"].levels == ("high", "low")
    assert study.columns["first_name"].kind == "text"
    assert study.columns["first_name"].role == "identifier"
    assert study.columns["income"].missing_codes == (-8,)
    assert (study.columns["age"].low, study.columns["age"].role) == (21, "quasi-identifier")
    assert study.endpoints[0].model_extra == {"time": "days", "event": "death", "event_value": 1, "arm": "arm", "reference": "placebo"}
    assert 'numbers, but for "ask"' in text
    assert "#   first_name: name" in text
    assert {c.origin for c in study.columns.values()} == {"private"}


def test_the_schema_of_the_draft_is_the_inferred_one(tmp_path: Path) -> None:
    path = made_up(tmp_path)
    study = parse(draft(path), folder=tmp_path)
    inferred = infer_schema(read_table(path, missing=["?"]))
    assert study.schema_of_columns() == inferred


def test_many_levels_are_not_listed(tmp_path: Path) -> None:
    pl.DataFrame({"code": [f"c{i % 201}" for i in range(2010)], "few": [f"c{i % 200}" for i in range(2010)]}).write_csv(tmp_path / "t.csv")
    text = draft(tmp_path / "t.csv")
    study = parse(text, folder=tmp_path)
    assert study.columns["code"].levels == ()
    assert len(study.columns["few"].levels) == 200
    assert "201 levels: not listed" in text


def test_several_rows_a_patient(tmp_path: Path) -> None:
    pl.DataFrame({"patient_id": [i // 3 for i in range(120)], "days": range(120), "status": [0, 1] * 60}).write_csv(tmp_path / "t.csv")
    study = parse(draft(tmp_path / "t.csv"), folder=tmp_path)
    assert study.data.unit == "patient_id"
    assert study.endpoints == ()  # a row is no patient here


TABLES = [
    "actg175.csv",
    "pbc.csv",
    "cervical.csv",
    "opt.csv",
    "hcc.csv",
    "sd2011.csv",
    "lifesnaps_daily.csv",
    "covid_testing.parquet",
    "cdystonia.csv",
    "primary_tumor.csv",
]


def checked(path: Path) -> Study:
    study = parse(draft(path), folder=path.parent)
    study.build_generator()
    study.build_endpoints()
    frame = read_table(
        path, separator=study.data.separator, decimal=study.data.decimal, encoding=study.data.encoding, sheet=None, table=None, missing=study.data.missing
    )
    assert list(study.columns) == wide(only(frame, study.data.where), study.data.unit, study.data.widen).columns
    return study


@pytest.mark.data
@pytest.mark.parametrize("name", TABLES)
def test_drafts_of_development_data(shared_data: Path, name: str) -> None:
    checked(shared_data / name)


@pytest.mark.data
@pytest.mark.slow
def test_drafts_of_all_development_data(shared_data: Path) -> None:
    for path in sorted([*shared_data.glob("*.csv"), *shared_data.glob("*.parquet"), *shared_data.glob("*/*.parquet")]):
        if path.name != "catalogue.csv" and read_table(path).height > 1:
            checked(path)
