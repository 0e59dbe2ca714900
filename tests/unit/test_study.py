"""The study file: what it accepts, and that it answers mistakes without quoting a value."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.errors import StudyInvalid
from twinset.study import json_schema, load, parse

MINIMAL = """
name = "t"
[data]
path = "t.csv"
[columns.age]
type = "integer"
low = 18
high = 90
[columns.arm]
type = "category"
levels = ["a", "b"]
role = "arm"
"""


def test_a_minimal_study_has_the_documented_defaults() -> None:
    study = parse(MINIMAL)
    assert (study.generator.name, study.holdout.fraction, study.release.copies, study.release.label) == ("trees", 0.3, 1, "synthetic_id")
    schema = study.schema_of_columns()
    assert schema.names == ("age", "arm")
    assert schema["arm"].levels == ("a", "b")
    assert schema["age"].origin == "private"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (MINIMAL + "[hold_out]\nfraction = 0.2\n", "did you mean `holdout`"),
        (MINIMAL.replace('type = "integer"', 'tpye = "integer"'), "columns.age.tpye"),
        (MINIMAL.replace('path = "t.csv"', ""), "`data.path` is missing"),
        (MINIMAL + "[release]\ncopies = 0\n", "`release.copies`"),
        (MINIMAL.replace('name = "t"', 'name = "t'), "not valid TOML at line 2"),
    ],
)
def test_a_typo_is_named_with_a_hint(wrong: str, expected: str) -> None:
    with pytest.raises(StudyInvalid) as caught:
        parse(wrong)
    assert expected in str(caught.value)
    assert "hint:" in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(StudyInvalid, match="2 problems") as caught:
        parse(MINIMAL.replace("low = 18", "low = 'Krankenhaus'").replace('role = "arm"', 'role = "Schwester"'))
    assert "Krankenhaus" not in str(caught.value)
    assert "Schwester" not in str(caught.value)


def test_any_key_can_be_overridden() -> None:
    study = parse(MINIMAL, overrides=['generator.name="copycat"', "generator.share=0.1", "audit.seed=7", "release.format=parquet", 'columns."age".low=0'])
    assert study.audit.seed == 7
    assert study.release.format == "parquet"
    assert study.columns["age"].low == 0
    assert study.build_generator().share == 0.1  # type: ignore[attr-defined]


@pytest.mark.parametrize("override", ["nonsense", "=1", "a b=1"])
def test_an_unreadable_override_is_an_error(override: str) -> None:
    with pytest.raises(StudyInvalid, match="override"):
        parse(MINIMAL, overrides=[override])


def test_an_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(StudyInvalid, match="did you mean `share`"):
        parse(MINIMAL, overrides=['generator.name="copycat"', "generator.shar=0.1"]).build_generator()
    with pytest.raises(StudyInvalid, match="did you mean `copycat`"):
        parse(MINIMAL, overrides=['generator.name="copycta"']).build_generator()
    with pytest.raises(StudyInvalid, match="share"):
        parse(MINIMAL, overrides=['generator.name="copycat"', 'generator.share="much"']).build_generator()


def test_an_endpoint_must_name_columns_of_the_study() -> None:
    with pytest.raises(StudyInvalid, match="did you mean `arm`"):
        parse(MINIMAL + '[[endpoints]]\nkind = "survival"\ntime = "age"\nevent = "age"\narm = "arms"\n').build_endpoints()


def test_missing_and_binary_files_are_bad_input(tmp_path) -> None:
    with pytest.raises(StudyInvalid, match="no such study file"):
        load(tmp_path / "none.toml")
    with pytest.raises(StudyInvalid, match="folder"):
        load(tmp_path)
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(StudyInvalid, match="not UTF-8"):
        load(tmp_path / "x.toml")


@given(st.text(max_size=60))
def test_any_text_is_a_study_or_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(StudyInvalid):
        parse(text)


def test_the_json_schema_is_json_and_knows_every_section() -> None:
    made = json.loads(json.dumps(json_schema()))
    assert {"data", "columns", "generator", "policy", "rules", "endpoints"} <= set(made["properties"])
    assert "folder" not in made["properties"]


DATED = """
[data]
path = "t.csv"
[columns.seen]
type = "date"
low = 2020-01-31
high = {high}
[columns.at]
type = "datetime"
low = 2020-01-31T12:00:00
high = 2020-02-01
"""


def test_bounds_of_dates_are_written_as_dates() -> None:
    study = parse(DATED.format(high="2021-01-31"))
    seen, at = study.columns["seen"], study.columns["at"]
    assert (seen.low, seen.high) == (18292.0, 18658.0)
    assert at.low == 18292.5
    assert at.high is not None
    assert 18293 + 0.999999 < at.high < 18294, "a moment may lie anywhere on the last day"
    assert parse(DATED.format(high="18658")).columns["seen"].high == 18658.0
    assert parse(DATED.format(high="1"), overrides=["columns.seen.high=2021-01-31"]).columns["seen"].high == 18658.0


def test_bounds_of_dates_survive_the_canonical_text() -> None:
    study = parse(DATED.format(high="2021-01-31"))
    again = type(study).model_validate(json.loads(study.model_dump_json(by_alias=True)))
    assert again.columns == study.columns


@pytest.mark.parametrize("high", ["12:00:00", '"2021-01-31"', "2019-01-31", "20210131"])
def test_bounds_that_are_no_dates_are_told(high: str) -> None:
    with pytest.raises(StudyInvalid, match="seen"):
        parse(DATED.format(high=high)).check()


def test_a_number_is_not_bounded_by_a_date() -> None:
    with pytest.raises(StudyInvalid, match=r"columns\.age\.low"):
        parse(MINIMAL.replace("low = 18", "low = 2020-01-31"))


def test_an_editor_is_told_that_bounds_may_be_dates() -> None:
    low = json_schema()["$defs"]["ColumnPart"]["properties"]["low"]
    assert {"date", "date-time"} <= {kind.get("format") for kind in low["anyOf"]}
