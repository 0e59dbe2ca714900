"""A wrong study is told before anything is fitted: exit code 2, every problem at once, rows by number, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from twinset import synthesize
from twinset.audit.names import names, strata
from twinset.cli.app import run
from twinset.core.cohort import Cohort
from twinset.errors import SchemaMismatch, StudyInvalid
from twinset.facts import release_text
from twinset.pipeline import release
from twinset.study import load
from twinset.table import fitted, read_cohort, read_open

from .conftest import hospital

STUDY = """
[data]
path = "patients.csv"
[columns.name]
type = "text"
role = "identifier"
[columns.record_number]
type = "integer"
role = "identifier"
[columns.age]
type = "integer"
low = 18
high = 95
[columns.sex]
type = "category"
levels = ["female", "male"]
[columns.arm]
type = "category"
role = "arm"
levels = [0, 1]
[columns.treated]
type = "category"
levels = ["no", "yes"]
[columns.sampled]
type = "category"
levels = [0, 1]
[columns.creatinine]
type = "number"
low = 0
high = 20
[columns.days]
type = "integer"
role = "time"
low = 0
high = 1000
[columns.event]
type = "category"
role = "event"
levels = [0, 1]
[[rules]]
rule = "treated == \\"yes\\" <-> arm == 1"
[[endpoints]]
kind = "survival"
time = "days"
event = "event"
event_value = 1
arm = "arm"
reference = 0
"""

CHECK = '\n[[policy.checks]]\nfinding = "{}"\nwhere = "{}"\nlimit = 0.6\n'
RULE = "\n[[rules]]\nrule = '''{}'''\n"

# by what is wrong: what is replaced, by what, and what the message must say of it
WRONG: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "a level that is not declared": (('["female", "male"]', '["female"]'), ("column `sex`", "of 120 rows", "row")),
    "a level misspelt": (('["no", "yes"]', '["no", "Yes"]'), ("column `treated`", "of 120 rows")),
    "below the bound": (("low = 18", "low = 50"), ("column `age`", "below `low`", "row")),
    "above the bound": (("high = 95", "high = 60"), ("column `age`", "above `high`")),
    "levels that are texts of a column of numbers": (
        ("levels = [0, 1]\n[columns.treated]", 'levels = ["0", "1"]\n[columns.treated]'),
        ("column `arm`", "numbers"),
    ),
    "levels that are numbers of a column of texts": (('levels = ["female", "male"]', "levels = [0, 1]"), ("column `sex`", "text")),
    "levels that are true and false of a column of numbers": (
        ("levels = [0, 1]\n[columns.treated]", "levels = [false, true]\n[columns.treated]"),
        ("column `arm`", "true and false"),
    ),
    "low above high": (("low = 18", "low = 96"), ("column `age`", "`low` is above `high`")),
    "a bound that is no number": (("low = 18", "low = nan"), ("column `age`", "finite")),
    "bounds of a category": (('levels = ["female", "male"]', 'levels = ["female", "male"]\nlow = 0'), ("column `sex`", "bounds")),
    "levels of a number": (("high = 95", "high = 95\nlevels = [1, 2]"), ("column `age`", "levels")),
    "a level twice": (('["female", "male"]', '["female", "male", "male"]'), ("column `sex`", "twice")),
    "levels of two kinds": (('["female", "male"]', '["female", "male", 1]'), ("column `sex`", "kinds")),
    "other where levels are numbers": (
        ("levels = [0, 1]\n[columns.treated]", 'levels = [0, 1]\noutside = "other"\n[columns.treated]'),
        ("column `arm`", "other"),
    ),
    "other of a number": (("high = 95", 'high = 95\noutside = "other"'), ("column `age`", "other")),
    "no such event": (("event_value = 1", "event_value = 7"), ("endpoint", "`event_value`", "no level of column `event`")),
    "an event by another word": (("event_value = 1", 'event_value = "dead"'), ("`event_value`", "no level of column `event`")),
    "no such reference": (("reference = 0", "reference = 3"), ("`reference`", "no level of column `arm`")),
    "an event value that is a list": (("event_value = 1", "event_value = [1]"), ("endpoints[1]", "event_value")),
    "a negative seed of the hold-out": (("[columns.name]", "[holdout]\nseed = -1\n[columns.name]"), ("holdout.seed",)),
    "a time that is text": (('time = "days"', 'time = "sex"'), ("`sex`", "no number")),
    "a time that is an identifier": (('time = "days"', 'time = "record_number"'), ("`record_number`", "identifier")),
    "an unknown column of an endpoint": (('time = "days"', 'time = "day"'), ("did you mean `days`",)),
    "an unknown endpoint": (('kind = "survival"', 'kind = "survivall"'), ("did you mean `survival`",)),
    "an unknown setting of an endpoint": (("event_value = 1", "event_valu = 1"), ("did you mean `event_value`",)),
    "a setting missing": (('time = "days"\n', ""), ("`time` is missing",)),
    "an unknown patient column": (('path = "patients.csv"', 'path = "patients.csv"\nunit = "nam"'), ("data.unit", "did you mean `name`")),
    "an unknown generator": (("[columns.name]", '[generator]\nname = "tress"\n[columns.name]'), ("did you mean `trees`",)),
    "an unknown setting of a generator": (("[columns.name]", "[generator]\nleav = 3\n[columns.name]"), ("did you mean `leaf`",)),
    "a policy's finding": (("\n[[rules]]", CHECK.format("membership.distanc", "") + "\n[[rules]]"), ("policy.checks[1]", "did you mean `membership.distance`")),
    "a policy's stratum": (("\n[[rules]]", CHECK.format("membership.distance", "isolated 5%") + "\n[[rules]]"), ("did you mean `isolated 5 %`",)),
    "a rule that cannot be read": (("\n[[endpoints]]", RULE.format("age >=") + "\n[[endpoints]]"), ("rules[2]",)),
    "a rule's unknown column": (("\n[[endpoints]]", RULE.format("ages >= 18") + "\n[[endpoints]]"), ("rules[2]", "did you mean `age`")),
    "a rule of another kind": (("\n[[endpoints]]", RULE.format('age == "elderly"') + "\n[[endpoints]]"), ("rules[2]", "`age`")),
    "a rule of a level that is not": (("\n[[endpoints]]", RULE.format('sex == "diverse"') + "\n[[endpoints]]"), ("rules[2]", "`sex`")),
    "a column that is not there": (("[columns.days]", "[columns.dayss]"), ("did you mean `days`",)),
    "a column of another type": (('[columns.sex]\ntype = "category"', '[columns.sex]\ntype = "integer"'), ("column `sex`",)),
}
VALUES = ("female", "male", "diverse", "dead", "elderly", "Beispiel")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "400")
    hospital(120).write_csv(tmp_path / "patients.csv")
    return tmp_path


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    text = STUDY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "study.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_study_is_told_before_anything_is_fitted(folder: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    change, said = WRONG[case]
    study = write(folder, change)
    before = sorted(p.name for p in folder.iterdir())
    assert run(["release", str(study), "-o", str(folder / "out")]) == 2
    told = capsys.readouterr().err
    for words in said:
        assert words in told, told
    assert "hint:" in told
    assert not [v for v in VALUES if v in told.replace("columns.", "")], told
    assert sorted(p.name for p in folder.iterdir()) == before


def test_all_problems_of_table_and_study_are_told_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("a level that is not declared", "below the bound", "no such event", "an unknown generator", "a policy's finding", "a rule of another kind")
    study = write(folder, *(WRONG[n][0] for n in names))
    assert run(["release", str(study), "-o", str(folder / "out")]) == 2
    told = capsys.readouterr().err
    assert "6 problems" in told, told
    for n in names:
        assert all(words in told for words in WRONG[n][1] if words != "rules[2]"), (n, told)


def test_keys_that_do_not_exist_are_told_together_with_the_rest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write(folder, ("low = 18", "lowest = 18"), WRONG["an unknown generator"][0], WRONG["no such event"][0])
    assert run(["release", str(study), "-o", str(folder / "out")]) == 2
    told = capsys.readouterr().err
    assert "3 problems" in told, told
    assert "columns.age.lowest" in told
    assert "did you mean `trees`" in told
    assert "no level of column `event`" in told


def test_an_unknown_generator_is_told_beside_what_cannot_be_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write(folder, ('[columns.sex]\ntype = "category"', '[columns.sex]\ntype = "categorie"'), WRONG["an unknown generator"][0])
    assert run(["release", str(study), "-o", str(folder / "out")]) == 2
    told = capsys.readouterr().err
    assert "2 problems" in told, told
    assert "did you mean `trees`" in told


def test_rows_are_named_by_number_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = hospital(120).with_columns(pl.Series("age", [17] * 9 + [50] * 111))
    frame.write_csv(folder / "patients.csv")
    assert run(["release", str(write(folder)), "-o", str(folder / "out")]) == 2
    told = capsys.readouterr().err
    assert "column `age`: 9 of 120 rows lie below `low` (rows 1, 2, 3, 4, 5, ...)" in told
    assert "below the header" in told


def test_cells_outside_become_missing_or_other_and_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outside = ("low = 18", 'outside = "missing"\nlow = 40'), ('levels = ["female", "male"]', 'levels = ["female"]\noutside = "other"')
    frame = hospital(120)
    young, men = int((frame["age"] < 40).sum()), int((frame["sex"] == "male").sum())
    assert young
    assert men
    assert run(["release", str(write(folder, *outside)), "-o", str(folder / "out")]) in (0, 1)
    told = capsys.readouterr().out
    assert f"`age` {young} (" in told, told
    assert f"`sex` {men} (" in told, told
    page = json.loads((folder / "out" / "custodian" / "page.json").read_text())
    assert page["reading"]["outside"] == {"age": young, "sex": men}
    assert f"{men} (" in (folder / "out" / "custodian" / "report.html").read_text()
    made = read_open(load(folder / "study.toml"))[0]
    assert made["age"].null_count() == young
    assert made["sex"].to_list() == ["other" if s == "male" else s for s in frame["sex"]]
    assert made.schema["sex"].levels == ("female", "other")


def test_a_public_list_that_other_was_added_to_is_released_with_it(folder: Path) -> None:
    study = load(write(folder, ('levels = ["female", "male"]', 'levels = ["female"]\noutside = "other"\norigin = "public"')))
    assert json.loads(release_text(study))["columns"]["sex"]["levels"] == ["female", "other"]


def test_every_finding_of_an_audit_may_be_asked_for(folder: Path) -> None:
    """A finding that is missing from the list of names would be refused in a policy."""
    known = names()
    assert known is not None
    for generator in ("trees", "avatars"):  # avatars are paired with patients, and measured as such
        made = release(load(write(folder), overrides=[f'generator={{name="{generator}"}}']))
        found = {f.name for f in (*made.results[0].findings, *made.page.rules)}
        assert not found - set(known), found - set(known)
        assert {f.where for f in made.results[0].findings if f.name == "membership.distance"} <= set(strata("membership.distance") or ())


def test_a_private_run_is_not_refused_for_what_a_row_holds(folder: Path) -> None:
    """Nor for what ``outside`` says: the same study, private, reads what is not declared as missing."""
    private = '\n[privacy]\nepsilon = 1\nunit = "row"\n'
    read = '\nseparator = ","\ndecimal = "."\nencoding = "utf-8"\nmissing = []'
    study = write(
        folder, ("low = 18", "low = 40"), ('["female", "male"]', '["female"]\noutside = "other"'), ('path = "patients.csv"', 'path = "patients.csv"' + read)
    )
    study.write_text(study.read_text() + private)
    loaded = load(study)
    assert not loaded.problems()
    assert loaded.schema_of_columns()["sex"].levels == ("female",)
    cohort = read_cohort(loaded)
    assert cohort["age"].null_count() == 0
    assert len(cohort) == 120


@pytest.mark.parametrize("case", ["low above high", "no such event", "a policy's finding", "a rule of another kind", "an unknown setting of an endpoint"])
def test_a_wrong_private_study_is_told_before_its_table_is_opened(folder: Path, case: str) -> None:
    change, said = WRONG[case]
    study = write(folder, change)
    study.write_text(study.read_text() + '\n[privacy]\nepsilon = 1\nunit = "row"\n')
    (folder / "patients.csv").unlink()
    with pytest.raises(StudyInvalid) as caught:
        release(load(study))
    assert all(words in str(caught.value) for words in said)


def test_compare_refuses_before_the_first_generator_is_fitted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(write(folder)), "-o", str(folder / "out"), "-g", "trees", "-g", "tress"]) == 2
    assert "did you mean `trees`" in capsys.readouterr().err


def test_an_audit_with_a_study_looks_at_both_real_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = hospital(120)
    frame[:80].write_csv("train.csv")
    frame[80:].write_csv("holdout.csv")
    frame[:40].write_csv("synthetic.csv")
    study = write(folder, WRONG["a level that is not declared"][0], WRONG["no such event"][0])
    asked = ["audit", "--train", "train.csv", "--holdout", "holdout.csv", "--synthetic", "synthetic.csv", "--study", str(study), "-o", "out"]
    assert run(asked) == 2
    told = capsys.readouterr().err
    assert "train: column `sex`" in told, told
    assert "hold-out: column `sex`" in told, told
    assert "no level of column `event`" in told, told


def test_an_audit_under_a_promise_does_not_look_at_rows_for_it(folder: Path) -> None:
    study = write(folder, WRONG["a level that is not declared"][0], WRONG["below the bound"][0])
    frame = hospital(120)
    loaded = load(study)
    cohort = Cohort(frame, loaded.schema_of_columns())
    with pytest.raises(SchemaMismatch, match="of 120 rows"):
        fitted(loaded, {"train": cohort}, cohort)
    private = load(study, overrides=["privacy.epsilon=1", "privacy.unit=row"])
    assert fitted(private, {"train": cohort}, cohort)[0]["train"].frame.equals(frame)


def test_a_misspelt_patient_column_of_a_split_is_guessed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["split", "patients.csv", "-o", "parts", "--unit", "nam"]) == 2
    assert "did you mean `name`" in capsys.readouterr().err


def test_a_draft_of_no_table_complains_about_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder)
    assert run(["init", "nofile.csv"]) == 2
    told = capsys.readouterr().err
    assert "there is no such file" in told
    assert "exists already" not in told


def test_a_draft_as_made_passes_the_checks(folder: Path) -> None:
    """Its bounds and levels were read from the same rows."""
    assert run(["init", "patients.csv", "-o", "draft.toml"]) == 0
    assert read_open(load(folder / "draft.toml"))[1] is None


@pytest.mark.filterwarnings("ignore:2 column")
def test_a_frame_is_held_against_its_study_too(folder: Path) -> None:
    frame = hospital(120)
    wrong = load(write(folder, WRONG["a level that is not declared"][0]))
    with pytest.raises(SchemaMismatch, match="frame: column `sex`"):
        synthesize(frame, "independent", study=wrong, seed=0)
    other = load(folder / "study.toml", overrides=["columns.sex.outside=other"])
    made = synthesize(frame, "independent", study=other, seed=0)
    assert set(made["sex"].unique()) == {"female", "other"}
