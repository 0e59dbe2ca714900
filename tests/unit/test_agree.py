"""Tables of anybody: one schema from all of them, columns left out with a word, visits that are not patients."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

import twinset
from twinset.core.schema import Column, Schema
from twinset.errors import SchemaMismatch
from twinset.io.agree import agree, alike
from twinset.study import study_of


def patients(n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"rownames": range(1, n + 1), "age": rng.integers(20, 80, n), "sex": rng.choice(["f", "m"], n), "lab": rng.normal(size=n).round(2)})


def test_a_table_with_row_numbers_is_audited_against_its_twin() -> None:
    """Was an error: train was read alone, its 90 row numbers as a measurement, and the twin has none."""
    table = patients(300)
    with pytest.warns(UserWarning, match="left out"):
        twin = twinset.synthesize(table, seed=1)
    found = twinset.audit(train=table[:90], holdout=table[90:], synthetic=twin)
    assert "rownames" not in found.page.columns
    told = next(f for f in found.findings if f.name == "audit.columns")
    assert "`rownames`" in told.missing
    assert not any("--set" in line for line in found.verdict.settles), "the table is not ours: no setting of our generators"


def test_columns_that_are_not_everywhere_are_left_out_with_a_word() -> None:
    table = patients(60)
    read = agree([table[:40].with_columns(extra=1), table[40:]], table.drop("lab").with_columns(score=pl.lit(0.5)))
    assert set(read.schema.names) <= {"age", "sex", "rownames"}
    assert any("not in every table" in n and all(f"`{c}`" in n for c in ("extra", "lab", "score")) for n in read.notes)
    assert all(f.columns == list(read.schema.synthesised.names) for f in (*read.real, read.synthetic))


def test_levels_and_bounds_are_those_of_all_rows() -> None:
    """A level or an age that only the synthetic table has is no error and is not missing."""
    train, other = patients(60), patients(60, 1)
    made = patients(60, 2).with_columns(sex=pl.lit("x"), age=pl.lit(99))
    schema = agree([train, other], made).schema
    assert set(schema["sex"].levels) == {"f", "m", "x"}
    assert schema["age"].high == 99


def test_visits_are_one_patients_where_a_number_joins_them() -> None:
    """A safe table of visits read AUC 0.93: each visit was taken for a patient, and its neighbour was the same patient's other visit."""
    visits = patients(60).with_columns(patient_id=pl.int_range(60) + 1000).drop("rownames")
    visits = pl.concat([visits.with_columns(month=pl.lit(m)) for m in (1, 2, 3)]).sort("patient_id")
    first, second = visits.filter(pl.col("patient_id") < 1040), visits.filter(pl.col("patient_id") >= 1040)
    read = agree([first, second], visits.drop("patient_id"))
    assert read.schema.unit == "patient_id"
    assert all(tuple(t.columns) == read.schema.names for t in read.real)
    assert "patient_id" not in read.synthetic.columns
    assert any("one patient" in n for n in read.notes)


@pytest.mark.parametrize(
    ("many", "dtype"),
    [
        (([1, 2], [1.5, 2.0]), pl.Float64),
        (([True, False], [0, 1]), pl.Int64),
        ((["1", "2"], [1, 2]), pl.Float64),
        ((["1", "k.A."], [1.0, 2.0]), pl.String),
        (([date(2020, 1, 1)], [datetime(2020, 1, 1, 12)]), pl.Datetime("us")),
        (([None, None], ["a", "b"]), pl.String),
        (([None], [None]), pl.String),
    ],
    ids=["whole and not", "yes and 1", "numbers as text", "text and numbers", "dates and times", "an empty column", "two empty columns"],
)
def test_a_type_that_fits_all(many: tuple[list[object], list[object]], dtype: pl.DataType) -> None:
    series = [pl.Series("x", values) for values in many]
    made = alike(series)
    assert made is not None
    assert {s.dtype for s in made} == {dtype}
    assert [s.null_count() for s in made] == [s.null_count() for s in series]


def test_a_whole_number_written_with_a_point_is_the_same_text() -> None:
    made = alike([pl.Series(["1", "k.A."]), pl.Series([1.0, 2.0])])
    assert made is not None
    assert made[1].to_list() == ["1", "2"]


def test_what_has_no_type_in_common_is_left_out_and_nothing_in_common_is_an_error() -> None:
    table = patients(40)
    read = agree([table], table.with_columns(lab=pl.lit(date(2020, 1, 1))))
    assert "lab" not in read.schema
    assert any("of other types" in n and "`lab`" in n for n in read.notes)
    with pytest.raises(SchemaMismatch, match="no column in common"):
        agree([table], table.rename({n: n + "2" for n in table.columns}))


def test_a_study_names_the_patient_of_an_audit_too() -> None:
    """The patient column was dropped on the way in: 60 patients of 2 visits were judged as 120."""
    rows = pl.concat([patients(120).rename({"rownames": "who"})] * 2)
    columns = (Column("age", "integer"), Column("lab", "number"), Column("sex", "category", levels=("f", "m")), Column("who", "text", "identifier"))
    study = study_of(Schema(columns, unit="who"), name="visits")
    parts = [rows.filter(pl.col("who") % 3 == i) for i in range(3)]
    found = twinset.audit(train=parts[0], holdout=parts[1], synthetic=parts[2].drop("who").with_columns(more=1), study=study)
    attacked = next(f for f in found.findings if f.name == "membership.distance" and f.where == "all patients")
    assert attacked.n == 80
    assert next(f for f in found.findings if f.name == "audit.columns").missing == "not in the study, so left out: `more`"
