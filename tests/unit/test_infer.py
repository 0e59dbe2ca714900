"""Kinds, levels, bounds, codes and roles."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from twinset.core.schema import Schema
from twinset.errors import SchemaMismatch
from twinset.io.infer import describe, infer_schema, missing_codes, propose_unit, suspect_code
from twinset.io.read import read_table


def test_kinds() -> None:
    n = 200
    frame = pl.DataFrame(
        {
            "text": ["a", "b"] * 100,
            "flag": [True, False] * 100,
            "score": [i % 12 for i in range(n)],
            "count": [i % 13 for i in range(n)],
            "lab": [i * 0.25 for i in range(n)],
            "long": [i / 7 for i in range(n)],
            "whole": [3.0 * i for i in range(n)],
            "day": [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(n)],
            "moment": [dt.datetime(2020, 1, 1, 12) + dt.timedelta(days=i) for i in range(n)],
            "gone": pl.Series([None] * n, dtype=pl.String),
            "same": [1.5] * n,
        }
    )
    schema = infer_schema(frame)
    assert [c.kind for c in schema] == [
        "category",
        "category",
        "category",
        "integer",
        "number",
        "number",
        "integer",
        "date",
        "datetime",
        "category",
        "category",
    ]
    assert schema["score"].ordered
    assert schema["score"].levels == tuple(range(12))
    assert schema["flag"].levels == (False, True)
    assert schema["lab"].decimals == 2
    assert schema["long"].decimals is None
    assert (schema["count"].low, schema["count"].high) == (0.0, 12.0)
    assert schema["day"].low == (dt.date(2020, 1, 1) - dt.date(1970, 1, 1)).days
    assert schema["moment"].low == schema["day"].low + 0.5
    assert schema["gone"].levels == ()
    assert {c.origin for c in schema} == {"private"}


def test_few_rows_do_not_make_numbers_categories() -> None:
    assert describe(pl.Series("x", [1.5, 2.5, 3.5, 4.5])).kind == "number"
    assert describe(pl.Series("x", [1, 2] * 5)).kind == "category"


def test_missing_codes() -> None:
    assert missing_codes(pl.Series([*range(100), -8, -8])) == (-8.0,)
    assert missing_codes(pl.Series([*range(100), -8, -8, -9, -9, -9])) == (-9.0, -8.0)
    assert missing_codes(pl.Series([-8, -8, -7, -3, -2, -1, 0, 5])) == ()  # a line that crosses zero
    assert missing_codes(pl.Series([*range(1000), -8])) == ()  # a single cell may be a slip
    assert missing_codes(pl.Series([0.5, -0.3, -0.3])) == ()
    column = describe(pl.Series("income", [*range(100, 200), -8, -8, -8]))
    assert column.missing_codes == (-8.0,)
    assert column.low == 100


def test_suspects_are_asked_about_not_decided() -> None:
    heavy = pl.Series("x", [*range(60), 999, 999, 999])
    assert suspect_code(heavy) == 999
    assert describe(heavy).missing_codes == ()
    assert suspect_code(pl.Series(range(100))) is None


def test_codes_of_places_are_unordered_categories() -> None:
    n = 3000
    frame = pl.DataFrame({"hospnum": [i % 60 for i in range(n)], "discharge_disposition_id": [i % 30 for i in range(n)], "weight": [i % 60 for i in range(n)]})
    schema = infer_schema(frame)
    assert [c.kind for c in schema] == ["category", "category", "integer"]
    assert not schema["hospnum"].ordered
    assert schema["hospnum"].role == "group"


def test_texts_that_nearly_every_row_has_of_its_own_are_not_categories() -> None:
    column = describe(pl.Series("creatinine", [f"{i}.5" for i in range(99)] + ["<1", ">9"]))
    assert column.kind == "text"
    assert describe(pl.Series("x", [str(i) for i in range(1_000_000)])).kind == "text"


def test_the_unit() -> None:
    frame = pl.DataFrame({"patient_nbr": [i // 3 for i in range(90)], "x": range(90)})
    assert propose_unit(infer_schema(frame)) == "patient_nbr"
    schema = infer_schema(frame, unit="patient_nbr")
    assert schema.unit == "patient_nbr"
    assert schema.synthesised.names == ("x",)
    with pytest.raises(SchemaMismatch, match="no column"):
        infer_schema(frame, unit="nobody")


def roles(schema: Schema, role: str) -> set[str]:
    return {c.name for c in schema if c.role == role}


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("actg175.csv", {"arm": {"arms"}, "time": {"days"}, "event": {"cens"}, "identifier": {"pidnum"}, "outcome": set()}),
        ("support2.csv", {"arm": set(), "time": {"d.time"}, "event": {"death"}, "identifier": {"sno"}}),
        ("pbc.csv", {"arm": {"trt"}, "time": {"time"}, "event": {"status"}, "identifier": {"id"}}),
        ("covid_testing.parquet", {"identifier": {"subject_id", "fake_first_name", "fake_last_name"}, "outcome": {"result"}, "group": {"clinic_name"}}),
        ("diabetes130.parquet", {"identifier": {"encounter_id", "patient_nbr"}, "outcome": {"readmitted"}, "group": set(), "time": set()}),
        ("ist.parquet", {"arm": {"RXASP", "RXHEP"}, "group": {"HOSPNUM", "CNTRYNUM"}}),
        ("nhanes.parquet", {"identifier": {"ID"}, "arm": set(), "time": set(), "event": set()}),
        ("cervical.csv", {"identifier": set(), "outcome": {"Biopsy"}}),
    ],
)
def test_roles_on_real_tables(shared_data: Path, name: str, expected: dict[str, set[str]]) -> None:
    schema = infer_schema(read_table(shared_data / name))
    assert {role: roles(schema, role) for role in expected} == expected


@pytest.mark.data
def test_special_codes_of_a_survey(shared_data: Path) -> None:
    schema = infer_schema(read_table(shared_data / "sd2011.csv"))
    assert {c.name for c in schema if c.missing_codes} == {"unempdur", "income", "nofriend", "nociga", "wkabdur"}
    assert schema["income"].missing_codes == (-8.0,)
