"""A draft for a private run: what counts for nothing there is not written, what is public knowledge is offered with its source."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from twinset.draft import draft
from twinset.io.infer import infer_schema
from twinset.io.read import read_table
from twinset.study import parse


def cohort(folder: Path, **more: list[Any]) -> Path:
    n = 120
    columns = {
        "patient_id": [1000 + i // 2 for i in range(n)],
        "age": [20 + i % 63 for i in range(n)],
        "sex": ["f", "m"] * 60,
        "grade": [1, 2, 4] * 40,
        "half": [0.5, 1.0, 2.5] * 40,
        "lived": ["true", "false"] * 60,
        "stain": ["blue", "red", "mauve"] * 40,
        "flag": [0, 1] * 60,
        "crp": [round(0.5 + i * 0.37, 2) if i % 6 else -8.0 for i in range(n)],
        "day": [f"2020-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(n)],
        "arm": ["placebo", "drug"] * 60,
        "treated": ["never dosed", "dosed"] * 60,
        "lab": [str(i) for i in range(n - 1)] + ["ask doctor"],
        "code": [f"c{i % 59}" for i in range(n)],
    }
    path = folder / "patients.csv"
    pl.DataFrame({**columns, **more}).write_csv(path)
    return path


def test_nothing_read_from_the_rows_is_declared(tmp_path: Path) -> None:
    text = draft(cohort(tmp_path), private=True)
    made = tomllib.loads(text)
    for name, column in made["columns"].items():
        assert not {"low", "high", "missing_codes", "decimals"} & set(column), name
        assert ("levels" in column) == (column.get("origin") == "public"), name
    declared = {n: c["levels"] for n, c in made["columns"].items() if "levels" in c}
    assert declared == {"sex": ["f", "m"], "lived": [False, True]}
    outside = "\n".join(line for line in text.splitlines() if not line.startswith(("#   rule", "# rule", "#   why")))
    for value in ("blue", "mauve", "ask doctor", "-8.0", "44.16", "c17", "1059"):
        assert value not in outside, value


def test_the_type_of_levels_is_written(tmp_path: Path) -> None:
    made = tomllib.loads(draft(cohort(tmp_path), private=True))["columns"]
    assert {n: c["level_type"] for n, c in made.items() if "level_type" in c} == {
        "grade": "integer",
        "half": "number",
        "stain": "text",
        "flag": "integer",
        "arm": "text",
        "treated": "text",
        "code": "text",
    }


def test_terms_generator_and_unit(tmp_path: Path) -> None:
    path = cohort(tmp_path)
    text = draft(path, private=True)
    study = parse(text, folder=tmp_path)
    assert study.generator.name == "aim"
    assert study.privacy is not None
    assert (study.privacy.epsilon, study.privacy.unit, study.data.unit, study.data.per_patient) == (1, "patient_id", "patient_id", 1)
    assert study.rules == ()
    study.build_generator()
    one = tmp_path / "one.csv"
    read_table(path).unique("patient_id", keep="first").drop("patient_id").write_csv(one)
    study = parse(draft(one, private=True), folder=tmp_path)
    assert study.privacy is not None
    assert (study.privacy.unit, study.data.unit) == ("row", "row")


def test_numbers_but_for_a_few_texts_are_numbers(tmp_path: Path) -> None:
    """A private run reads the texts as missing; as a text the column would be lost."""
    path = cohort(tmp_path, gfr=[f"{30 + i % 61}.5" if i % 40 else "unlesbar" for i in range(120)])
    assert tomllib.loads(draft(path))["columns"]["gfr"]["type"] == "text"
    text = draft(path, private=True)
    assert tomllib.loads(text)["columns"]["gfr"]["type"] == "number"
    assert "unlesbar" not in text


def test_mined_rules_are_comments(tmp_path: Path) -> None:
    path = cohort(tmp_path)
    assert "[[rules]]" in draft(path)
    text = draft(path, private=True)
    assert "rules" not in tomllib.loads(text)
    assert any(line.startswith("# rule = ") for line in text.splitlines())


def test_uncommented_suggestions_are_a_valid_study(tmp_path: Path) -> None:
    """Bounds and lists in comments can be used by taking away the mark."""
    text = draft(cohort(tmp_path), private=True)
    for name in ("low = 0", "high = 120", 'origin = "public"', "levels = [0, 1]"):
        assert f"\n# {name}" in text
    marks = ("# low =", "# high =", "# levels =", '# origin = "public"')
    taken = "\n".join(line[2:] if line.startswith(marks) else line for line in text.splitlines())
    columns = parse(taken, folder=tmp_path).columns
    assert (columns["age"].low, columns["age"].high, columns["age"].origin) == (0, 120, "public")
    assert (columns["flag"].levels, columns["flag"].origin) == ((0, 1), "public")
    assert columns["crp"].low is None


def test_each_suggestion_names_its_source(tmp_path: Path) -> None:
    section = draft(cohort(tmp_path), private=True).partition("[columns.sex]")[2].partition("[columns.")[0]
    assert "CDISC" in section
    assert "confirm" in section


def test_a_long_list_is_a_comment(tmp_path: Path) -> None:
    text = draft(cohort(tmp_path, country=["DE", "FR"] * 60), private=True)
    column = tomllib.loads(text)["columns"]["country"]
    assert "levels" not in column
    assert column["level_type"] == "text"
    assert '"ZW"' in text


def test_bounds_that_the_table_exceeds_are_doubted(tmp_path: Path) -> None:
    """They are known by the column's name alone, so that one odd row does not take them away."""
    section = draft(cohort(tmp_path, height=[1500 + 7 * (i % 60) for i in range(120)]), private=True).partition("[columns.height]")[2].partition("[columns.")[0]
    assert "# low = 20\n# high = 280\n" in section
    assert "CHECK: the table goes beyond them" in section
    assert "goes beyond" not in draft(cohort(tmp_path, height=[150 + i % 60 for i in range(120)]), private=True)


def test_a_draft_does_not_depend_on_the_values(tmp_path: Path) -> None:
    """Other patients, same format: the same text, but for mined rules and what names the endpoint."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    cohort(first)
    other = {
        "stain": ["green", "white", "black"] * 40,
        "crp": [round(11 + i * 0.51, 2) if i % 6 else -9.0 for i in range(120)],
        "age": [21 + i % 61 for i in range(120)],
    }
    texts = [draft(cohort(folder, **more), private=True).partition("# Rules")[0] for folder, more in ((first, {}), (second, other))]
    assert texts[0] == texts[1]


def test_an_endpoint_is_proposed_with_its_checks(tmp_path: Path) -> None:
    n = 120
    pl.DataFrame({"days": [10 + 7 * i for i in range(n)], "death": [i % 2 for i in range(n)], "arm": ["placebo", "drug"] * 60}).write_csv(tmp_path / "t.csv")
    text = draft(tmp_path / "t.csv", private=True)
    study = parse(text, folder=tmp_path)
    assert study.endpoints[0].model_extra == {"time": "days", "event": "death", "event_value": 1, "arm": "arm", "reference": "placebo"}
    assert "# CHECK: the level" in text


def checked(path: Path) -> None:
    text = draft(path, private=True)
    study = parse(text, folder=path.parent)
    study.build_generator()
    frame = read_table(path, separator=study.data.separator, decimal=study.data.decimal, encoding=study.data.encoding, missing=study.data.missing)
    inferred = infer_schema(frame, unit="" if study.data.unit == "row" else study.data.unit)
    assert list(study.columns) == frame.columns
    for name, part in study.columns.items():
        if frame[name].dtype == pl.String and part.kind in ("integer", "number"):
            continue  # numbers but for a few texts: a private run reads these as missing
        assert part.kind == inferred[name].kind
        assert (part.low, part.high, part.missing_codes, part.decimals) == (None, None, (), None)
        if part.levels:
            assert part.origin == "public"
            assert set(inferred[name].levels) <= set(part.levels)
        elif part.kind == "category":
            dtype = frame[name].dtype
            whole = dtype.is_integer() or (dtype.is_float() and bool((frame[name].drop_nulls() % 1 == 0).all()))
            assert part.level_type == ("text" if dtype == pl.String else "boolean" if dtype == pl.Boolean else "integer" if whole else "number")


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["actg175.csv", "pbcseq.csv", "heart_failure.csv", "thyroid_sick.csv", "sd2011.csv", "covid_testing.parquet", "cdisc_pilot/adsl.parquet"]
)
def test_private_drafts_of_development_data(shared_data: Path, name: str) -> None:
    checked(shared_data / name)


@pytest.mark.data
@pytest.mark.slow
def test_private_drafts_of_all_development_data(shared_data: Path) -> None:
    for path in sorted([*shared_data.glob("*.csv"), *shared_data.glob("*.parquet"), *shared_data.glob("*/*.parquet")]):
        if path.name != "catalogue.csv" and read_table(path).height > 1:
            checked(path)
