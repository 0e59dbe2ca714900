"""A plan: made without the rows, honest about what it cannot know, written into the study without harm."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.checks import everyday_cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.demo import write_demo
from twinset.door import declared
from twinset.errors import BadInput, OutputProblem
from twinset.planning.choose import choose, with_privacy
from twinset.planning.foretell import _stand_ins, plan, recommended
from twinset.planning.stand_in import invent
from twinset.planning.told import Endpoint, Forecast, Range
from twinset.release.terms import Privacy
from twinset.study import RulePart, load, study_of

SCHEMA = Schema(
    (
        Column("age", "integer", low=18, high=90, origin="public"),
        Column("dose", "number", low=0, high=500, decimals=1, origin="public"),
        Column("start", "date", low=17_000, high=18_000, origin="public"),
        Column("arm", "category", role="arm", levels=("a", "b"), origin="public"),
        Column("response", "category", levels=(False, True), origin="public"),
        Column("stage", "category", levels=(1, 2, 3), ordered=True, origin="public"),
    )
)


@pytest.mark.parametrize("seed", range(5))
def test_a_stand_in_keeps_the_declared_domain(seed: int) -> None:
    made = invent(SCHEMA, stream(seed)).sample(400, stream(seed, "rows"))
    assert made.schema == SCHEMA
    for column in SCHEMA:
        values = made[column.name].drop_nulls()
        if column.levels:
            assert set(values.to_list()) <= set(column.levels)
        else:
            number = values.cast(pl.Float64) if column.kind != "date" else values.cast(pl.Int32).cast(pl.Float64)
            assert column.low is not None
            assert column.high is not None
            assert number.min() >= column.low  # type: ignore[operator]
            assert number.max() <= column.high  # type: ignore[operator]
    assert made["start"].dtype == pl.Date
    assert made["arm"].null_count() == 0


def test_awkward_bounds_are_kept() -> None:
    """Bounds between the whole numbers, more digits in a bound than are declared, one value, one level."""
    schema = Schema(
        (
            Column("whole", "integer", low=0.5, high=3.5, origin="public"),
            Column("digits", "number", low=0.26, high=0.74, decimals=1, origin="public"),
            Column("one", "integer", low=4, high=4, origin="public"),
            Column("level", "category", levels=("only",), origin="public"),
        )
    )
    for seed in range(20):
        made = invent(schema, stream(seed)).sample(200, stream(seed, "rows")).frame
        assert set(made["whole"].drop_nulls()) <= {1, 2, 3}
        assert made["digits"].drop_nulls().is_between(0.26, 0.74).all()
        assert set(made["one"].drop_nulls()) <= {4}
        assert set(made["level"].drop_nulls()) <= {"only"}


def test_stand_ins_have_relations_but_arms_are_drawn_by_lot() -> None:
    found, lot = [], []
    for seed in range(30):
        frame = invent(SCHEMA, stream(seed)).sample(500, stream(seed, "rows")).frame.drop_nulls(["age", "dose"])
        found.append(abs(np.corrcoef(frame["age"], frame["dose"])[0, 1]))
        lot.append(abs(np.corrcoef(frame["arm"] == "a", frame["age"])[0, 1]))
    assert np.mean(found) > 0.15
    assert np.mean(lot) < 0.06  # 0.036 is chance at n = 500


def test_some_columns_have_gaps_but_times_and_arms_have_none() -> None:
    schema = Schema((*(Column(f"x{i}", "number", low=0, high=1) for i in range(40)), Column("t", "number", "time", low=0, high=9)))
    frame = invent(schema, stream(0)).sample(2000, stream(1)).frame
    gaps = [frame[f"x{i}"].null_count() for i in range(40)]
    assert 4 <= sum(g > 0 for g in gaps) <= 22
    assert 0.02 < np.mean([g for g in gaps if g]) / 2000 < 0.4
    assert frame["t"].null_count() == 0


def test_what_is_private_in_the_study_changes_nothing() -> None:
    """A plan is a function of public facts: bounds and levels that were read from the rows must not leak into it."""
    bounded = [Column("x", "number", low=low, high=high, decimals=2, origin="private") for low, high in ((0, 1), (90, 95))]
    one, other = (plan(study_of(Schema((c, SCHEMA["arm"])), name="x", generator="aim"), [1.0], rows=500, repeats=1) for c in bounded)
    assert one.paid == other.paid == ("x",)
    for a, b in ((invent(declared(Schema((c,))), stream(0)).sample(50, stream(1)) for c in bounded),):
        assert a.frame.equals(b.frame)


def test_public_rules_are_kept_and_built_in() -> None:
    study = study_of(SCHEMA, name="x", generator="aim")
    rule = RulePart(rule='stage == 1 -> arm == "a"', origin="public")
    task = study.model_copy(update={"rules": (rule,)})
    rules, tables = _stand_ins(task, declared(task.schema_of_columns()).synthesised, 300, None, 2)
    assert any(r.text == rule.rule for r in rules)
    for table in tables:
        assert not any(r.broken(table).any() for r in rules)
    told = plan(study.model_copy(update={"rules": (rule, RulePart(rule="age >= 20"))}), [5.0], rows=300, repeats=1)
    assert told.rules_kept
    assert told.private_rules == 1


def test_a_look_alike_is_brought_to_the_number_of_rows() -> None:
    """More rows mean less error; a plan that kept the look-alike's size would not see it."""
    like = invent(SCHEMA, stream(3)).sample(400, stream(4))
    study = study_of(SCHEMA, name="x", generator="aim")
    small, large = (plan(study, [2.0], rows=n, like=like, repeats=2).forecasts[0] for n in (200, 8000))
    assert small.columns.mean > 3 * large.columns.mean
    assert plan(study, [2.0], like=like, repeats=1).n == 400


def test_every_column_and_pair_is_foretold() -> None:
    told = plan(study_of(SCHEMA, name="x", generator="mst"), [5.0], rows=500, repeats=2)
    f = told.forecasts[0]
    assert told.generator == "mst"
    assert set(f.by_column) == set(SCHEMA.names)
    assert len(f.by_pair) == 15
    assert f.pairs.mean == pytest.approx(np.mean([r.mean for r in f.by_pair.values()]), rel=1e-6)
    assert all(r.low <= r.mean <= r.high for r in f.by_pair.values())
    assert f.rounds == 5  # a tree over six columns
    assert f.first[0].count(" x ") == 1


def test_one_column_has_no_pairs() -> None:
    told = plan(study_of(Schema((SCHEMA["age"],)), name="x", generator="aim"), [1.0, 5.0], rows=500, repeats=1)
    assert told.to_dict()["forecasts"][0]["pairs"]["mean"] is None
    assert told.recommended in (1.0, 5.0)


def test_undeclared_columns_are_invented_and_named_as_paid_for() -> None:
    schema = everyday_cohort().schema
    told = plan(study_of(schema, name="x", generator="aim"), [5.0], rows=300, repeats=1)
    assert "lab" in told.paid
    assert "age" not in told.paid


def test_more_budget_foretells_less_error_and_more_risk() -> None:
    told = plan(study_of(SCHEMA, name="x", generator="aim"), [10.0, 0.5, 2.0], rows=2000, repeats=2)
    assert told.forecasts[0].columns.mean > told.forecasts[1].columns.mean > told.forecasts[2].columns.mean
    assert [f.epsilon for f in told.forecasts] == [0.5, 2.0, 10.0]
    assert told.forecasts[0].pairs.mean > 1.5 * told.forecasts[2].pairs.mean
    assert told.forecasts[0].guess < told.forecasts[1].guess < told.forecasts[2].guess < 1
    assert told.n_train == 1400


def _told(epsilon: float, pairs: float, floor: float) -> Forecast:
    at = Range(pairs, pairs, pairs)
    return Forecast(epsilon, at, at, floor, 0.4, {}, {}, (), 0.0, 0.5, 1, 1, (), 0.0, 0.0)


def test_the_recommended_epsilon() -> None:
    """Within 25 % of the largest epsilon's pairs, or of what fresh patients would read."""
    steep = [_told(1, 0.30, 0.01), _told(2, 0.126, 0.01), _told(5, 0.124, 0.01), _told(10, 0.10, 0.01)]
    assert recommended(steep) == 5
    assert recommended([_told(1, 0.12, 0.1), _told(5, 0.04, 0.1)]) == 1
    assert recommended([_told(3, 0.2, math.nan)]) == 3


def test_what_an_endpoint_could_show() -> None:
    e = Endpoint("death", "b against a", 0.2, ratio=True)
    assert e.width == pytest.approx(2 * 1.96 * 0.2, rel=1e-3)
    assert e.detectable == pytest.approx(math.exp(2.8016 * 0.2), rel=1e-3)


@pytest.mark.parametrize("epsilons", [[], [0.0], [-1.0, 2.0], [math.inf], [math.nan]])
def test_epsilons_that_are_none(epsilons: list[float]) -> None:
    with pytest.raises(BadInput, match="positive"):
        plan(study_of(SCHEMA, name="x"), epsilons, rows=500)


def test_what_a_release_would_refuse_is_refused() -> None:
    study = study_of(SCHEMA, name="x")
    with pytest.raises(BadInput, match="--rows"):
        plan(study, [1.0])
    with pytest.raises(BadInput, match="too few"):
        plan(study, [1.0], rows=5)
    with pytest.raises(BadInput, match="delta"):
        plan(study.model_copy(update={"privacy": Privacy(epsilon=1, delta=1e-5, unit="row")}), [1.0], rows=200_000)
    with pytest.raises(BadInput, match=r"privacy\.unit"):
        plan(study.model_copy(update={"privacy": Privacy(epsilon=1, unit="age")}), [1.0], rows=500)


CHOICE = {"epsilon": 2.5, "unit": "row", "relation": "add-remove"}
WRITTEN = '\n[privacy]\nepsilon = 2.5\nunit = "row"\nrelation = "add-remove"\n'


def choose_it(study: Path, epsilon: float = 2.5) -> None:
    choose(study, epsilon=epsilon, unit="row", relation="add-remove")


def test_the_choice_is_written_and_comments_stay(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    text = '# mine\nname = "x"  # a name\n[data]\npath = "t.csv"\n[columns.age]\ntype = "integer"\n'
    study.write_text(text)
    study.chmod(0o640)
    choose_it(study)
    assert study.read_text() == text + WRITTEN
    once = study.read_bytes()
    choose_it(study)
    assert study.read_bytes() == once
    choose_it(study, 5.0)
    assert tomllib.loads(study.read_text())["privacy"] == CHOICE | {"epsilon": 5.0}
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]
    assert study.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", WRITTEN.lstrip().encode()),
        (b'name = "x"', b'name = "x"\n' + WRITTEN.encode()),
        (b"[privacy]", WRITTEN.lstrip().encode()),
        (b"a = 1\r\n[privacy] # so\r\nepsilon = 1 # old\r\n", b'a = 1\r\n[privacy] # so\r\nepsilon = 2.5 # old\r\nunit = "row"\r\nrelation = "add-remove"\r\n'),
        (b"\xef\xbb\xbfa = 1\n", b"\xef\xbb\xbfa = 1\n" + WRITTEN.encode()),
        (b'[privacy]\nunit = "a # b"  # why\n', b'[privacy]\nepsilon = 2.5\nunit = "row"  # why\nrelation = "add-remove"\n'),
    ],
    ids=["empty", "no end of line", "bare head", "windows", "byte order mark", "a hash in a value"],
)
def test_odd_files(tmp_path: Path, before: bytes, after: bytes) -> None:
    study = tmp_path / "study.toml"
    study.write_bytes(before)
    choose_it(study)
    assert study.read_bytes() == after


@pytest.mark.parametrize(
    "text",
    [
        'privacy = { epsilon = 1.0, unit = "row" }\n',
        "privacy.epsilon = 1.0\n",
        '[privacy]\n"epsilon" = 1.0\n',
        'note = """\n[privacy]\n"""\n',
        'note = """\n[privacy]\nepsilon = 1\n"""\n[privacy]\nunit = "row"\n',
    ],
)
def test_what_cannot_be_edited_is_left_alone(tmp_path: Path, text: str) -> None:
    study = tmp_path / "study.toml"
    study.write_text(text)
    with pytest.raises(OutputProblem, match="unchanged"):
        choose_it(study)
    assert study.read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]


def test_no_choice_beyond_the_budget(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text("[privacy]\nbudget = 2\n")
    with pytest.raises(BadInput, match="budget"):
        choose_it(study)
    choose_it(study, 2.0)


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = tmp_path / "study.toml"
    study.write_text('name = "x"\n')

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("twinset.io.place._sync", killed)  # written, not yet in its place
    with pytest.raises(KeyboardInterrupt):
        choose_it(study)
    assert study.read_text() == 'name = "x"\n'
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]


keys = st.sampled_from(["budget = 200", "delta = 1e-9  # small", "# a remark", "", 'relation = "replace"', "epsilon = 3", "  epsilon=0.5 # low", 'unit = "id"'])


@given(st.lists(keys, max_size=5, unique_by=lambda k: k.partition("=")[0].strip()), st.booleans(), st.floats(0.01, 100), st.sampled_from(["\n", "\r\n"]))
def test_choosing_changes_its_keys_and_nothing_else(inside: list[str], followed: bool, epsilon: float, end: str) -> None:
    chosen = CHOICE | {"epsilon": epsilon}
    text = ('name = "x"\n\n[privacy]  # terms\n' + "".join(f"{line}\n" for line in inside) + ("[audit]\nseed = 1\n" if followed else "")).replace("\n", end)
    edited = with_privacy(text, chosen)
    before, after = tomllib.loads(text), tomllib.loads(edited)
    assert after == before | {"privacy": before["privacy"] | chosen}
    assert [line.partition("#")[2] for line in text.split("\n") if "#" in line] == [line.partition("#")[2] for line in edited.split("\n") if "#" in line]


def test_the_private_demo_declares_everything(tmp_path: Path) -> None:
    study = load(write_demo(tmp_path / "demo").with_name("private.toml"))
    assert study.generator.name == "aim"
    assert study.privacy is not None
    assert {c.name for c in study.schema_of_columns() if c.origin != "public"} == {"pidnum"}
    assert {r.origin for r in study.rules} == {"public"}
    assert replace(study.schema_of_columns()["wtkg"]).decimals == 1


def test_the_demo_can_be_made_again_where_it_is(tmp_path: Path) -> None:
    """A release made in the folder stays; the second time used to be refused."""
    folder = tmp_path / "demo"
    write_demo(folder)
    (folder / "twin").mkdir()
    (folder / "study.toml").write_text("changed")
    write_demo(folder, overwrite=True)
    assert sorted(p.name for p in folder.iterdir()) == ["actg175.csv", "private.toml", "study.toml", "twin"]
    assert load(folder / "study.toml").generator.name == "trees"
