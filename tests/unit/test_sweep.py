"""The parts of a sweep: its grid, its folder, what it is to the ledger, and the rule that recommends an epsilon."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.core.cohort import Cohort
from twinset.core.finding import Finding
from twinset.core.schema import Column, Schema
from twinset.dp import ledger_file
from twinset.errors import BadInput, BudgetExhausted, OutputProblem, StudyInvalid
from twinset.generators import GENERATORS
from twinset.report.frontier import Spot
from twinset.study import Study, parse
from twinset.sweeping.advice import advise
from twinset.sweeping.billing import afford, record, reserve
from twinset.sweeping.folder import Place, claim, finished, settings
from twinset.sweeping.grid import Grid, Job, grid
from twinset.sweeping.point import Material, Task, allowed, finish, prepare, started
from twinset.sweeping.question import promises
from twinset.sweeping.run import sweep

STUDY = """
name = "small"
[data]
path = "patients.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
[generator]
name = "mst"
[privacy]
epsilon = 1
unit = "row"
{more}
[columns.age]
type = "integer"
low = 18
high = 95
origin = "public"
[columns.sex]
type = "category"
levels = ["f", "m"]
origin = "public"
role = "outcome"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], 300)
    age = np.clip(rng.normal(50, 10, 300) + 12 * (sex == "m"), 18, 95).round().astype(int)
    pl.DataFrame({"age": age, "sex": sex}).write_csv(tmp_path / "patients.csv")
    return tmp_path


def study_in(folder: Path, more: str = "") -> Study:
    return parse(STUDY.format(more=more), folder=folder)


class TestGrid:
    @pytest.mark.parametrize("text", ["", " ", ",", ", ,", "0", "-1", "1,-2", "one", "1;2", "inf", "nan", "1,,x"])
    def test_what_is_no_list_of_epsilons_is_refused(self, text: str) -> None:
        with pytest.raises(BadInput) as refused:
            grid(text, "aim")
        assert "epsilon" in str(refused.value)
        assert "hint" in str(refused.value)

    def test_an_empty_place_is_no_number(self) -> None:
        with pytest.raises(BadInput, match="not a number"):
            grid("1,,2", "aim")

    @given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
    def test_any_positive_numbers_ascend_once_each(self, numbers: list[float]) -> None:
        made = grid(numbers, ["aim"])
        assert made.epsilons == tuple(sorted(set(numbers)))
        names = [j.name for j in made.jobs(["aim"])]
        assert len(set(names)) == len(names) == 3 * len(made.epsilons)

    @pytest.mark.parametrize("bad", [{"generators": " , "}, {"generators": []}, {"repeats": 0}, {"repeats": 10_000}])
    def test_the_rest_is_checked_too(self, bad: dict) -> None:
        with pytest.raises(BadInput):
            grid("1", bad.get("generators", "aim"), repeats=bad.get("repeats", 3))

    def test_a_whole_frontier_comes_before_the_next_repeat_and_no_promise_has_one_place(self) -> None:
        jobs = grid("1,5", "aim,trees", repeats=2).jobs(["aim"])
        assert [(j.generator, j.epsilon, j.repeat) for j in jobs] == [
            ("aim", 1.0, 1), ("aim", 5.0, 1), ("trees", None, 1), ("aim", 1.0, 2), ("aim", 5.0, 2), ("trees", None, 2),
        ]  # fmt: skip


@pytest.mark.parametrize("name", GENERATORS.names())
def test_the_first_question_tells_who_works_within_a_budget(name: str) -> None:
    """Catches a private generator that appears as "no promise", or a revealing one that is given an epsilon."""
    train = Cohort(pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "x"]}), Schema((Column("a", "number"), Column("b", "category", levels=("x", "y")))))
    assert promises(GENERATORS[name](), train) == (name in {"aim", "mst", "bayesian_network"})


class TestFolder:
    def test_other_settings_are_told_by_name_and_nothing_changes(self, folder: Path) -> None:
        place, small = Place(folder / "out"), study_in(folder)
        claim(place, settings(small, Grid((1.0, 5.0), ("mst",), 2)))
        place.point(Job("mst", 1.0, 1)).write_text("kept")
        other = small.model_copy(update={"seed": 1})
        with pytest.raises(BadInput) as refused:
            claim(place, settings(other, Grid((1.0, 7.0), ("mst",), 2)))
        assert "(epsilons, study: seed)" in str(refused.value)
        assert place.point(Job("mst", 1.0, 1)).read_text() == "kept"
        claim(place, settings(other, Grid((1.0, 7.0), ("mst",), 2)), overwrite=True)
        assert not place.point(Job("mst", 1.0, 1)).exists()

    def test_the_epsilon_of_the_study_is_no_setting(self, folder: Path) -> None:
        """Every point brings its own."""
        assert settings(study_in(folder), Grid()) == settings(parse(STUDY.format(more="").replace("epsilon = 1", "epsilon = 3"), folder=folder), Grid())

    def test_another_table_is_another_sweep(self, folder: Path) -> None:
        place, small = Place(folder / "out"), study_in(folder)
        claim(place, settings(small, Grid()))
        with (folder / "patients.csv").open("a") as table:
            table.write("40,f\n")
        with pytest.raises(BadInput, match="table"):
            claim(place, settings(small, Grid()))

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_a_folder_of_other_things_is_left_alone(self, folder: Path, overwrite: bool) -> None:
        (folder / "mine").mkdir()
        (folder / "mine" / "thesis.txt").write_text("years")
        with pytest.raises(OutputProblem):
            claim(Place(folder / "mine"), settings(study_in(folder), Grid()), overwrite=overwrite)
        assert [p.name for p in (folder / "mine").iterdir()] == ["thesis.txt"]

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"generator": "aim", "epsilon": 1.0, "repeat": 1}'])
    def test_a_point_that_is_none_is_told(self, folder: Path, text: str) -> None:
        place, job = Place(folder / "out"), Job("mst", 1.0, 1)
        claim(place, settings(study_in(folder), Grid()))
        place.point(job).write_text(text)
        with pytest.raises(BadInput, match=r"mst-1-1\.json"):
            finished(place, [job])

    def test_what_a_kill_left_half_written_is_no_point(self, folder: Path) -> None:
        place = Place(folder / "out")
        claim(place, settings(study_in(folder), Grid()))
        (place.points / ".mst-1-1.json.abcd.part.json").write_text("{")
        claim(place, settings(study_in(folder), Grid()))
        assert finished(place, [Job("mst", 1.0, 1)]) == {}
        assert not list(place.points.iterdir())


class TestPoint:
    def test_a_point_spends_what_a_release_at_its_epsilon_may(self, folder: Path) -> None:
        from twinset.dp.accountant import rho_of
        from twinset.facts import study_text

        small = study_in(folder)
        made = finish(Task(Job("mst", 5.0, 1), study_text(small), folder, folder / "point.json"))
        assert made == json.loads((folder / "point.json").read_text())
        assert 0.5 * rho_of(5.0, 1e-9) < made["rho"] <= rho_of(5.0, 1e-9)
        assert {f["name"] for f in made["findings"]} >= {"fidelity.pairs", "membership.distance", "fidelity.tstr.boosting"}
        assert (folder / "point.started").exists()

    def test_without_an_epsilon_nothing_is_promised(self, folder: Path) -> None:
        from twinset.facts import study_text

        made = finish(Task(Job("independent", None, 1), study_text(study_in(folder)), folder, folder / "point.json"))
        assert made["rho"] is None
        assert made["findings"]


class TestLedger:
    def test_a_look_of_the_custodian_is_recorded_once_and_only_where_there_is_a_ledger(self, folder: Path) -> None:
        stuff, place = prepare(study_in(folder)), Place(folder / "out")
        assert record(stuff, place, what="x") is False
        ledger = begun(stuff, 20.0)
        assert record(stuff, place, what="x") is True
        assert record(stuff, place, what="x") is True
        book = ledger_file.read(ledger)
        assert (book.reveals, [r.generator for r in book.runs]) == (1, ["sweep"])

    def test_nobody_set_a_budget(self, folder: Path) -> None:
        with pytest.raises(BadInput, match="ever spend"):
            afford(prepare(study_in(folder)), [Job("mst", 1.0, 1)], [Job("mst", 1.0, 1)])

    def test_rows_themselves_are_never_covered(self, folder: Path) -> None:
        jobs = [Job("trees", None, 1)]
        with pytest.raises(BudgetExhausted, match="trees"):
            afford(prepare(study_in(folder, "budget = 1000")), jobs, jobs)

    def test_all_points_fit_or_none_is_reserved(self, folder: Path) -> None:
        """Two points at epsilon 1 cost rho 0.030, epsilon 1.42: a budget of 1.4 covers the first and not both."""
        stuff, place = prepare(study_in(folder, "budget = 1.4")), Place(folder / "out")
        jobs = [Job("mst", 1.0, 1), Job("mst", 1.0, 2)]
        with pytest.raises(BudgetExhausted, match="budget of this data set"):
            reserve(stuff, place, jobs, jobs)
        assert not list(folder.glob("*.jsonl"))
        assert not place.root.exists()

    def test_a_point_that_began_and_died_has_spent_its_reservation(self, folder: Path) -> None:
        """Catches a sweep that takes up an old reservation after noise was already drawn on it."""
        stuff, place = prepare(study_in(folder, "budget = 3")), Place(folder / "out")
        jobs = [Job("mst", 1.0, 1), Job("mst", 1.0, 2)]
        place.points.mkdir(parents=True)
        first = reserve(stuff, place, jobs, jobs)
        assert [first[j].number for j in jobs] == [1, 2]
        started(place.point(jobs[0])).write_text("begun")
        again = reserve(stuff, place, jobs, jobs)
        assert [again[j].number for j in jobs] == [3, 2]
        book = ledger_file.read(again[jobs[0]].ledger)
        assert book.rho == pytest.approx(3 * allowed(stuff, jobs[0]).rho)

    def test_a_published_sweep_settles_every_point(self, folder: Path) -> None:
        small = study_in(folder, "budget = 10")
        swept = sweep(small, grid("1,2", "mst", repeats=1, publish=True), folder / "out")
        book = ledger_file.read(next(folder.glob("*.jsonl")))
        assert [(r.generator, r.epsilon, r.settled) for r in book.runs] == [("mst (sweep)", 1.0, True), ("mst (sweep)", 2.0, True)]
        assert book.rho == pytest.approx(sum(p["rho"] for p in swept.points))
        assert book.reveals == 0
        sweep(small, grid("1,2", "mst", repeats=1, publish=True), folder / "out")
        assert len(ledger_file.read(next(folder.glob("*.jsonl"))).runs) == 2


def begun(stuff: Material, budget: float) -> Path:
    """A ledger for the table of a study, with a budget and no run."""
    path = stuff.terms.ledger_path(stuff.study.table, stuff.study.folder)
    terms = ledger_file.Budget("row", "add-remove", budget, 1e-9)
    from twinset.dp import chain

    chain.create(path, ledger_file._first_line(ledger_file.begin(stuff.study.table, terms, budget)))
    return path


def spots(curve: dict[float, float], *, repeats: int = 3, scatter: float = 0.002, half: float = 0.004, independent: float = 0.3) -> list[Spot]:
    """Points whose pairs follow ``curve``; ``half``: of each figure's own interval."""
    out = []
    for epsilon, value in curve.items():
        for r in range(1, repeats + 1):
            here = value + scatter * (r - (repeats + 1) / 2)
            pairs = Finding("fidelity.pairs", here, here - half, here + half, 100, "lower", {"independent": independent})
            out.append(Spot(epsilon, "aim", r, (pairs,), 1.0))
    return out


FLAT = {1.0: 0.25, 2.0: 0.18, 5.0: 0.101, 10.0: 0.100, 20.0: 0.100, 100.0: 0.099}


class TestAdvice:
    def test_the_knee_of_a_curve_is_found(self) -> None:
        advice = advise(spots(FLAT), "aim")
        assert advice.epsilon == 5.0
        assert "ε = 100" in advice.reason
        assert advice.differs[2.0]
        assert not advice.differs[5.0]

    def test_a_difference_larger_than_its_scatter_and_its_interval_counts(self) -> None:
        """Catches a rule that calls everything indistinguishable: at 5 the loss is 0.020, far beyond 0.004."""
        assert advise(spots({**FLAT, 5.0: 0.119}), "aim").epsilon == 10.0

    def test_scatter_over_repeats_is_respected(self) -> None:
        """Catches a rule that compares bare means: with repeats 0.03 apart a loss of 0.012 is not shown."""
        assert advise(spots({**FLAT, 5.0: 0.112}, scatter=0.03), "aim").epsilon == 5.0

    def test_a_curve_that_still_rises_is_said_to(self) -> None:
        advice = advise(spots({1.0: 0.25, 10.0: 0.18, 100.0: 0.1}), "aim")
        assert advice.epsilon == 100.0
        assert "not levelled off" in advice.reason
        assert any("above 10" in n for n in advice.notes)

    def test_one_repeat_recommends_nothing(self) -> None:
        assert advise(spots(FLAT, repeats=1), "aim").epsilon is None

    def test_useless_everywhere_recommends_nothing(self) -> None:
        """A flat curve is no good curve."""
        advice = advise(spots({1.0: 0.5, 10.0: 0.5, 100.0: 0.5}, independent=0.3), "aim")
        assert advice.epsilon is None
        assert "independently" in advice.reason

    def test_a_measure_lost_on_the_way_down_is_a_difference(self) -> None:
        """Catches a rule that only compares what both could measure: an endpoint that cannot be estimated is not "the same"."""
        effect = Finding("endpoint.difference", 0.2, 0.0, 1.0, 3, "lower", {"independent": 4.0}, "survival", label="Standardised difference")
        full = [Spot(s.epsilon, s.generator, s.repeat, (*s.findings, effect), 1.0) if s.epsilon > 5 else s for s in spots(FLAT)]  # type: ignore[operator]
        advice = advise(full, "aim")
        assert advice.epsilon == 10.0
        assert "tandardised difference, survival" in advice.differs[5.0][0]

    def test_beyond_as_good_as_real_nothing_is_gained(self) -> None:
        """Catches a rule that asks for more epsilon so that the sample itself is learnt by heart: at 2, 0.18 is inside what new patients score."""
        real = [replace(s, findings=tuple(replace(f, beside={"independent": 0.3, "floor": 0.19}) for f in s.findings)) for s in spots(FLAT)]
        assert advise(real, "aim").epsilon == 2.0

    def test_below_the_floor_is_no_gain(self) -> None:
        """Catches a rule that measures the loss from a figure better than new patients': at 5, 0.106 is 0.001 from what they score, though 100 reads 0.05."""
        curve = {1.0: 0.25, 5.0: 0.106, 100.0: 0.05}
        made = spots(curve, scatter=0.001)
        real = [
            replace(s, findings=tuple(replace(f, beside={"independent": 0.3, "floor": 0.105, "floor_low": 0.1, "floor_high": 0.105}) for f in s.findings))
            for s in made
        ]
        assert advise(real, "aim").epsilon == 5.0
        assert advise(made, "aim").epsilon == 100.0

    def test_where_most_of_the_gain_already_is(self) -> None:
        """From 0.25 to 0.10 and slowly on: nine tenths of it are there at 5, though only the largest will do."""
        advice = advise(spots({1.0: 0.25, 5.0: 0.115, 10.0: 0.108, 100.0: 0.1}, half=0.001), "aim")
        assert advice.epsilon == 100.0
        assert any("90 % is there at ε = 5" in n for n in advice.notes)

    def test_points_that_could_not_be_made_are_told(self) -> None:
        lost = [Spot(0.1, "aim", r, (), missing="the budget of this run does not cover it") for r in (1, 2, 3)]
        advice = advise([*spots(FLAT), *lost], "aim")
        assert advice.epsilon == 5.0
        assert "3 of its points could not be made" in advice.notes[-1]


def test_an_unknown_generator_and_one_without_any_budget(folder: Path) -> None:
    with pytest.raises(StudyInvalid, match="no generator is called"):
        sweep(study_in(folder), grid("1", "aimm"), folder / "out")
    with pytest.raises(BadInput, match="works within a budget"):
        sweep(study_in(folder), grid("1", "trees"), folder / "out")
    assert not (folder / "out").exists()
