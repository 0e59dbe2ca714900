"""The pieces of the audit of neighbours: the seam, the replay, the comparison, the lower bound. Each test of a rule has a twin that breaks it."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset import door
from twinset.cli.app import run as command
from twinset.core.seeds import stream
from twinset.dp import noise, seam
from twinset.errors import BadInput
from twinset.neighbouring.bound import bound, lower_bound
from twinset.neighbouring.changes import CELLS, KINDS, Pair, change
from twinset.neighbouring.compare import Fault, compare
from twinset.neighbouring.paths import Left, Side, front, whole
from twinset.neighbouring.replay import ABSENT, Diverged, Recorder, Replayer, moved
from twinset.neighbouring.run import Plan, audit
from twinset.neighbouring.tables import Case, invent, invent_for
from twinset.study import load, parse

CASE = replace(invent(stream(0, "case")), unit="row", relation="add-remove")
PAIR = Pair(CASE, CASE, "one patient more")
EVENT = {"name": "a", "mechanism": "discrete-gaussian", "noise": 2.0, "sensitivity": 1.0, "rho": 0.125}


def asked(*counts: int, rng: int | None = None, keys: tuple | None = None) -> Recorder:
    recorder = Recorder(None if rng is None else np.random.default_rng(rng))
    recorder.discrete_gaussian(np.array(counts), sigma=2.0, keys=keys)
    return recorder


def left(recorder: Recorder, **told: bytes) -> Left:
    return Left(told, recorder.draws, [EVENT] * len(recorder.draws))


def test_the_seam_is_used_inside_its_block_only() -> None:
    recorder = Recorder(None)
    with seam.replaced(recorder):
        assert noise.discrete_gaussian(np.array([3, 4]), sigma=5.0).tolist() == [3, 4]
        assert noise.noisy_max(np.array([1, 9, 2]), sensitivity=1, epsilon=1e-9) == 1
        assert seam.mark()["not_private"]
        with pytest.raises(BadInput):
            noise.discrete_gaussian(np.array([3]), sigma=0.0)
    assert len(recorder.draws) == 2
    assert seam.mark() == {}
    assert noise.discrete_gaussian(np.zeros(100, dtype=np.int64), sigma=1e6).any()


def test_the_replay_gives_the_same_answers_to_the_same_questions() -> None:
    first = asked(5, 6, rng=1)
    again = Replayer(first.draws)
    assert again.discrete_gaussian(np.array([50, 60]), sigma=2.0, keys=None).tolist() == first.draws[0].answer.tolist()
    with pytest.raises(Diverged):
        again.discrete_gaussian(np.array([5, 6]), sigma=2.0, keys=None)
    with pytest.raises(Diverged):
        Replayer(first.draws).discrete_gaussian(np.array([5, 6]), sigma=2.1, keys=None)
    with pytest.raises(Diverged):
        Replayer(first.draws).discrete_gaussian(np.array([5, 6, 7]), sigma=2.0, keys=None)


def test_found_cells_are_compared_by_name() -> None:
    one = asked(5, 6, keys=("x", "y"))
    other = Replayer(one.draws)
    assert other.discrete_gaussian(np.array([6, 1, 5]), sigma=2.0, keys=("y", "new", "x")).tolist() == [6, ABSENT, 5]
    assert moved(one.draws[0], other.draws[0]) == 1.0
    gone = Replayer(one.draws)
    gone.discrete_gaussian(np.array([4]), sigma=2.0, keys=("x",))
    assert moved(one.draws[0], gone.draws[0]) == pytest.approx(37**0.5)


@pytest.mark.parametrize(
    "other, fault",
    [
        ((6, 6), None),
        ((6, 7), "an input that moved too far"),
        ((7, 6), "an input that moved too far"),
    ],
)
def test_an_input_may_move_by_what_was_billed(other: tuple[int, int], fault: str | None) -> None:
    found = compare(PAIR, left(asked(5, 6)), left(asked(*other)))
    assert found == (() if fault is None else (Fault(fault, "a"),))


def test_every_draw_needs_its_bill() -> None:
    one = asked(5, 6)
    assert compare(PAIR, replace(left(one), events=[]), left(one))[0].what == "an unbilled look"
    assert compare(PAIR, replace(left(one), events=[{**EVENT, "rho": 0.12}]), left(one)) == (Fault("a bill too small", "a"),)
    assert compare(PAIR, replace(left(one), events=[EVENT, EVENT]), left(one))[0].what == "a bill without a look"


def test_what_left_is_compared_byte_by_byte() -> None:
    one = asked(5)
    assert compare(PAIR, left(one, stdout=b"1"), left(one, stdout=b"1")) == ()
    assert compare(PAIR, left(one, stdout=b"1"), left(one, stdout=b"2")) == (Fault("something that left", "stdout"),)
    assert compare(PAIR, left(one, file=b"1"), left(one)) == (Fault("something that left", "file"),)


@pytest.mark.parametrize(
    "other, dtypes, fault",
    [
        ({("", "a"): 2, ("", "b"): 1}, ("Int64",), None),
        ({("", "a"): 3, ("", "b"): 1}, ("Int64",), "rows of other patients"),
        ({("", "a"): 2}, ("Int64",), "rows of other patients"),  # one came and one went, where one was added
        ({("", "a"): 1, ("", "b"): 1}, ("String",), "columns stored in another way"),
    ],
)
def test_the_sides_may_differ_in_one_patient(other: dict, dtypes: tuple[str, ...], fault: str | None) -> None:
    def seen(rows: dict, dtypes: tuple[str, ...]) -> Left:
        return replace(left(asked(5)), sides={"train": Side(Counter(rows), dtypes)})

    found = compare(PAIR, seen({("", "a"): 1, ("", "b"): 1}, ("Int64",)), seen(other, dtypes))
    assert found == (() if fault is None else (Fault(fault, "train"),))


def test_changes_are_neighbours() -> None:
    """All rows of all other patients are as they were, in their order; under replace one patient goes and one comes."""
    for number, kind in enumerate(KINDS * 3):
        rng = stream(number, "neighbour")
        case = invent(rng)
        pair = change(case, kind, rng)
        both = set(pair.one.patients) & set(pair.other.patients)
        kept = [[r for r in c.rows if r.patient in both] for c in (pair.one, pair.other)]
        assert kept[0] == kept[1]
        gone, come = len(pair.one.patients) - len(both), len(pair.other.patients) - len(both)
        assert (gone, come) == ((1, 1) if case.relation == "replace" else (1, 0) if kind == "one patient fewer" else (0, 1))


def test_every_kind_of_cell_is_tried_somewhere() -> None:
    tried = set()
    for number in range(400):
        rng = stream(number, "kinds")
        kind = list(CELLS)[number % len(CELLS)]
        tried |= {kind} if change(invent(rng), kind, rng).column else set()
    assert tried == set(CELLS)


def test_the_bound_sees_what_it_should_and_no_more() -> None:
    """By chance a bound above 0 appears in at most 5 % of such comparisons; this seed is one of the others."""
    rng = np.random.default_rng(0)
    same, apart = rng.normal(size=(2, 400, 1)), rng.normal(size=(400, 1)) + 3.0
    assert bound(same[0], same[1], delta=0.0) == 0.0
    assert 1.5 < bound(same[0], apart, delta=0.0) < 6.0


STUDY = """
[data]
path = "nobody-may-open-this.csv"
separator = ";"
decimal = ","
thousands = "."
encoding = "utf-8"
missing = []
date_order = "dmy"
[generator]
name = "mst"
[holdout]
fraction = 0.2
[policy.output]
noise = 0.001
epsilon = 3
[columns.dose]
type = "number"
low = 1000.0
high = 9000.5
decimals = 1
origin = "public"
[columns.arm]
type = "category"
levels = [0, 1]
origin = "public"
[[rules]]
rule = "dose >= 1"
origin = "public"
[privacy]
epsilon = 1
delta = 1e-6
unit = "row"
"""


def study_of(folder: Path, text: str = STUDY) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


class Noiseless:
    """In place of the noise: none."""

    def discrete_gaussian(self, counts: np.ndarray, *, sigma: float, keys: object) -> np.ndarray:
        return counts

    def noisy_max(self, scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
        return int(np.argmax(scores))


def test_noise_that_is_missing_gives_a_bound_above_the_claim(tmp_path: Path) -> None:
    with seam.replaced(Noiseless()):
        least = lower_bound(Plan(1, study=study_of(tmp_path)), 40)
    assert least.low > 1.5 > least.claimed == 1.0  # log(40 / 8) = 1.6


def test_noise_that_is_there_does_not(tmp_path: Path) -> None:
    """True noise, not seeded. All answers together are told at mu = 0.22; with normal samples at mu = 0.25 in its place, 0 of 8,000 bounds were above 1,
    so this fails in fewer than 1 of 2,000 runs (95 % sure)."""
    least = lower_bound(Plan(1, study=study_of(tmp_path)), 40)
    assert least.low <= least.claimed


def test_the_bound_uses_the_delta_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("twinset.neighbouring.bound.bound", lambda one, other, *, delta: asked.append(delta) or 0.0)
    lower_bound(Plan(1, study=study_of(tmp_path)), 2)
    assert asked == [1e-6]


def test_a_study_is_carried_over(tmp_path: Path) -> None:
    """Its reading, terms, rules and limits are those of the invented one. (What it would be worth is not foretold: that looks at no row.)"""
    case = invent_for(load(study_of(tmp_path)), stream(0, "carried"))
    mine, theirs = parse(STUDY), parse(case.study())
    assert theirs.data.model_dump(exclude={"path"}) == mine.data.model_dump(exclude={"path", "per_patient"}) | {"per_patient": 0}
    assert (theirs.privacy, theirs.rules, theirs.columns) == (mine.privacy, mine.rules, mine.columns)
    limits = mine.policy.output.model_copy(update={"foretold": 1.0})
    assert (theirs.policy.output, theirs.holdout.fraction, theirs.generator) == (limits, mine.holdout.fraction, mine.generator)
    assert re.search(rb"\n\d\.\d{3},\d;", case.text())  # a dose with its thousands grouped
    assert door.read(load(case.write(tmp_path)))[1].unread == {}


@pytest.mark.parametrize("level_type", ["text", "integer", "number", "boolean"])
def test_undeclared_levels_are_invented_as_their_type(level_type: str, tmp_path: Path) -> None:
    """Words in a column of integers are all unread, and an empty column would be audited."""
    text = STUDY + f'[columns.grade]\ntype = "category"\nlevel_type = "{level_type}"\n'
    cohort, told = door.read(load(invent_for(load(study_of(tmp_path, text)), stream(0, level_type)).write(tmp_path)))
    assert told.unread == {}
    assert cohort["grade"].n_unique() > 2  # two levels and gaps


@pytest.mark.parametrize("said, instead", [('name = "mst"', 'name = "trees"'), ("epsilon = 3", "epsilon = 0.5")], ids=["trees", "policy"])
def test_an_audit_that_answers_nothing_does_not_pass(said: str, instead: str, tmp_path: Path) -> None:
    """A generator that asks no vault, and an epsilon that the policy forbids, end before the first look: that proves nothing."""
    with pytest.raises(BadInput, match="nothing was tried"):
        audit(Plan(2, study=study_of(tmp_path, STUDY.replace(said, instead))), command)


def test_a_release_that_a_limit_keeps_is_no_error(tmp_path: Path) -> None:
    """With so few patients the noise is above the study's limit: all was answered, and all is compared."""
    found = audit(Plan(2, study=study_of(tmp_path)), command)
    assert (found.looked, found.ends) == (2, {"kept in refused": 2})


@pytest.mark.parametrize(
    "told, crashed, ending",
    [
        ({}, "", "answered"),
        ({"error": b"no"}, "", "ended in an error"),
        ({"exit code": b"0"}, "", "released"),
        ({"exit code": b"1", "refused/README.txt": b""}, "", "kept in refused"),
        ({"exit code": b"1"}, "", "ended in an error"),
        ({"exit code": b"3"}, "", "ended in an error"),
        ({"exit code": b"-1"}, "ValueError", "crashed"),
    ],
)
def test_every_ending_has_a_name(told: dict[str, bytes], crashed: str, ending: str) -> None:
    assert Left(told, (), None, crashed=crashed).ending == ending


@pytest.mark.parametrize("error", [pl.exceptions.PanicException, MemoryError, OSError])
def test_a_crash_is_told_and_does_not_end_the_audit(error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise error("a cell")

    monkeypatch.setattr(door, "read", crash)
    path = study_of(tmp_path)
    assert front(path, Recorder(None)).told == {"crash": error.__name__.encode()}
    monkeypatch.setattr("twinset.pipeline.read_private", crash)
    assert whole(path, Recorder(None), command).ending == "crashed"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one audited run."""
    folder = tmp_path_factory.mktemp("made")
    case: Case = replace(CASE, epsilon=100.0)
    whole(case.write(folder), Recorder(None), command)
    return folder


def test_what_an_audit_made_says_so(made: Path) -> None:
    certificates = list(made.rglob("certificate.json"))
    assert certificates
    assert all(json.loads(p.read_text())["not_private"] for p in certificates)
    entries = [json.loads(line) for p in made.glob("*.jsonl") for line in p.read_text().splitlines()]
    assert [e["not_private"] for e in entries if e["entry"] == "reserve"] == [seam.NOT_PRIVATE]
