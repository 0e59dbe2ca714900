"""Answers without a table: what they say, what they cost, and what is refused before anything is spent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import twinset
from twinset.asking.answer import Answer, shown
from twinset.asking.ask import ask
from twinset.asking.rows import rows
from twinset.coding.history import bound_locally
from twinset.door import read
from twinset.dp import ledger_file, noise
from twinset.errors import BadInput, BudgetExhausted, StudyInvalid
from twinset.pipeline import release
from twinset.release.certificate import compare
from twinset.study import Study, load

STUDY = """
[data]
path = "patients.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
date_order = "ymd"
unit = "{unit}"
per_patient = {per_patient}
[generator]
name = "mst"
[columns.who]
type = "text"
role = "identifier"
[columns.age]
type = "integer"
low = 18
high = 90
origin = "public"
[columns.lab]
type = "number"
low = 0.0
high = 10.0
decimals = 2
origin = "public"
[columns.seen]
type = "date"
low = 18262
high = 18992
origin = "public"
[columns.sex]
type = "category"
levels = ["f", "m"]
origin = "public"
[columns.arm]
type = "category"
role = "arm"
levels = [0, 1]
origin = "public"
[columns.days]
type = "integer"
low = 0
high = 1000
origin = "public"
[columns.event]
type = "category"
role = "event"
levels = [0, 1]
origin = "public"
[columns.site]
type = "category"
[columns.weight]
type = "number"
[[rules]]
rule = "age >= 18"
[[endpoints]]
name = "death"
time = "days"
event = "event"
arm = "arm"
[[endpoints]]
name = "one arm"
time = "days"
event = "event"
[[endpoints]]
name = "of weight"
time = "weight"
event = "event"
arm = "arm"
[policy]
name = "none"
checks = []
[privacy]
epsilon = 1
unit = "{unit}"
budget = 400
"""
LEDGER = "patients.csv.ledger.jsonl"
N = 3000


def people() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    arm = rng.integers(0, 2, N)
    death, end = rng.exponential(600 / np.where(arm == 1, 0.5, 1.0)), rng.uniform(300, 1000, N)
    return pl.DataFrame(
        {
            "who": [f"p{i // 2}" for i in range(N)],
            "age": np.clip(rng.normal(50, 12, N), 18, 90).round().astype(int),
            "lab": np.round(np.minimum(rng.exponential(2.0, N), 10), 2),
            "seen": [date(2020, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 700, N)],
            "sex": rng.choice(["f", "m", "x"], N, p=[0.5, 0.4, 0.1]),
            "arm": arm,
            "days": np.minimum(death, end).round().astype(int),
            "event": (death <= end).astype(int),
            "site": rng.choice(["north", "south"], N),
            "weight": rng.normal(70, 10, N).round(1),
        }
    )


Make = Callable[..., Study]


@pytest.fixture
def study(tmp_path: Path) -> Make:
    """Writes the table and gives its study."""

    def made(*, unit: str = "row", per_patient: int = 0, overrides: tuple[str, ...] = ()) -> Study:
        people().write_csv(tmp_path / "patients.csv")
        (tmp_path / "study.toml").write_text(STUDY.format(unit=unit, per_patient=per_patient))
        return load(tmp_path / "study.toml", overrides=overrides)

    return made


def test_answers_are_near_the_truth_and_travel_with_their_bill(study: Make, tmp_path: Path) -> None:
    """At epsilon = 300 the noise is a few tenths of a row: each figure is given 20 of its standard deviations, which luck does not use up in 10^80 runs.
    (What the estimators leave, cells of a quantile and bins of time, is allowed for by name.)"""
    asked = [
        "count() by arm",
        "share(event == 1) by arm",
        "mean(age)",
        "median(lab)",
        "median(seen)",
        'effect("death")',
        'count() where sex == "f" and age > 50',
    ]
    told = ask(study(), asked, epsilon=300)
    frame = people()
    died = frame.group_by("arm").agg((pl.col("event") == 1).mean(), pl.len()).sort("arm")
    expected = [*died["len"], *died["event"], frame["age"].mean(), frame["lab"].median(), None, None, ((frame["sex"] == "f") & (frame["age"] > 50)).sum()]
    room = [0, 0, 0, 0, 0, 0.05, None, None, 0]
    for a, truth, more in zip(told, expected, room, strict=True):
        assert isinstance(a, Answer)
        if truth is not None:
            assert abs(a.value - truth) <= 20 * a.noise + more, a
            assert a.low <= a.value <= a.high
        assert a.silent_on.endswith(".")
        assert 0 < a.epsilon < 300
    seen, effect = told[6], told[7]
    assert seen.low <= frame["seen"].cast(pl.Date).sort()[N // 2] <= seen.high
    assert effect.group == (("arm", 1),)
    assert effect.measure == "hazard ratio against 0"
    assert 0.4 < effect.low < effect.value < effect.high < 0.65
    proof = told.certificate
    assert proof["asked"][3] == "quantile(lab, 0.5)"
    assert proof["spent"]["rho"] == pytest.approx(proof["rho"], rel=1e-6)
    told_file = tmp_path / "answers.json"
    told_file.write_text(told.to_json())
    compare(told_file, tmp_path / LEDGER)
    book = ledger_file.read(tmp_path / LEDGER)
    assert [(r.generator, r.epsilon, r.settled) for r in book.runs] == [("ask", 300.0, True)]
    assert told.to_frame().height == len(told) == len(json.loads(told.to_json())["answers"])
    assert "arm 1" in repr(told)


def test_every_draw_is_an_event_of_the_ledger(study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    real = noise.discrete_gaussian

    def spy(counts: np.ndarray, *, sigma: float, keys: object = None) -> np.ndarray:
        drawn.append(sigma)
        return real(counts, sigma=sigma)

    monkeypatch.setattr(noise, "discrete_gaussian", spy)
    told = ask(study(), ["count()", "share(age > 60)", "mean(lab) by sex", "quantile(lab, 0.2)", 'effect("death")'], epsilon=5)
    assert drawn == [e["noise"] for e in told.certificate["events"]]


def test_answers_and_releases_share_one_budget(study: Make, tmp_path: Path) -> None:
    made = study(overrides=("privacy.budget=2", "rules=[]"))
    people().with_columns(pl.col("sex").replace("x", None), who=pl.arange(N).cast(pl.String)).head(300).write_csv(tmp_path / "patients.csv")
    twinset.ask(made, "count()", epsilon=1.5)
    before = (tmp_path / LEDGER).read_bytes()
    with pytest.raises(BudgetExhausted):
        twinset.ask(made, "count()", epsilon=1.5)
    assert (tmp_path / LEDGER).read_bytes() == before
    release(made)
    assert [r.generator for r in ledger_file.read(tmp_path / LEDGER).runs] == ["ask", "mst"]
    with pytest.raises(BudgetExhausted):
        release(made)


def test_a_call_that_dies_has_spent_what_it_reserved(study: Make, tmp_path: Path) -> None:
    def stop(text: str) -> None:
        if text == "asking mean(age)":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(study(), ["count()", "mean(age)"], epsilon=3, progress=stop)
    (run,) = ledger_file.read(tmp_path / LEDGER).runs
    assert (run.settled, run.epsilon) == (False, 3.0)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("count() by site", "`site` has no public levels"),
        ("mean(weight)", "`weight` has no public bounds"),
        ("mean(who)", "no column"),
        ('share(who == "p1")', "no column"),
        ('effect("no such")', "no time-to-event endpoint"),
        ('effect("one arm")', "has no arm"),
        ('effect("of weight")', "`weight` has no public bounds"),
        ('effect("death") by sex', "not asked by groups"),
        ("count() where site == 1", "does not hold what"),
        ("nonsense", "no question"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_anything_is_spent(study: Make, tmp_path: Path, question: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        ask(study(), ["count()", question], epsilon=1)
    assert not (tmp_path / LEDGER).exists()


def test_the_terms_must_be_there(study: Make, tmp_path: Path) -> None:
    made = study()
    assert made.privacy is not None
    for bad, said in (
        (made.model_copy(update={"privacy": None}), "promises nothing"),
        (made.model_copy(update={"privacy": made.privacy.model_copy(update={"budget": None})}), "may ever spend"),
        (made.model_copy(update={"privacy": made.privacy.model_copy(update={"unit": "who"})}), "disagree"),
    ):
        with pytest.raises(BadInput, match=said):
            ask(bad, ["count()"], epsilon=1)
    for epsilon in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="positive"):
            ask(made, ["count()"], epsilon=epsilon)
    with pytest.raises(BadInput, match="0 questions"):
        ask(made, [], epsilon=1)
    with pytest.raises(StudyInvalid):
        ask(study(overrides=("endpoints=[{name='death', time='days', event='event', arm='arm', reference=7}]",)), ['effect("death")'], epsilon=1)
    assert not (tmp_path / LEDGER).exists()


def test_bounds_may_be_declared_for_one_call(study: Make) -> None:
    made = study(overrides=("columns.weight.low=30", "columns.weight.high=150", 'columns.weight.origin="public"'))
    (a,) = ask(made, ["mean(weight)"], epsilon=300)
    assert abs(a.value - people()["weight"].mean()) < 20 * a.noise + 120 / 4096


def test_who_is_not_known_is_left_out_and_nothing_is_refused(study: Make) -> None:
    """A tenth of the rows hold a sex that nobody declared: they are in no group. (20 standard deviations of room.)"""
    told = ask(study(), ["count() by sex"], epsilon=300)
    assert sum(a.value for a in told) < 0.95 * N
    for a, level in zip(told, ("f", "m"), strict=True):
        assert abs(a.value - (people()["sex"] == level).sum()) <= 20 * a.noise


def test_rows_of_one_patient_are_bounded_and_billed(study: Make) -> None:
    told = ask(study(unit="who", per_patient=2), ["count()", "mean(age)"], epsilon=20)
    assert [e["sensitivity"] for e in told.certificate["events"]][:2] == [2.0, 2.0]
    assert told.certificate["events"][2]["sensitivity"] == 2 * 72.0
    assert "at most 2 of one patient" in told[0].silent_on
    assert any("more than 2 row" in line for line in told.certificate["not_covered"])
    half = ask(study(unit="who", per_patient=1), ["count()"], epsilon=300)
    assert abs(half[0].value - N / 2) <= 20 * half[0].noise


def test_the_rows_that_are_asked_are_those_of_a_release(study: Make, tmp_path: Path) -> None:
    """All of them, bounded alike, also where a patient has no name; and only the columns that are named."""
    made = study(unit="who", per_patient=1)
    people().with_columns(who=pl.when(pl.arange(N) % 7 > 0).then("who")).write_csv(tmp_path / "patients.csv")
    whole = bound_locally(read(made)[0], 1, seed=made.holdout.seed)
    some = rows(made, {"age", "arm"})
    assert some.schema.names == ("who", "age", "arm")
    assert some.frame.equals(whole.frame.select("who", "age", "arm"))
    assert len(rows(study(), ())) == N


def test_nothing_exact_is_told(study: Make) -> None:
    """Neither the number of patients nor the file's name stands beside the noisy answers."""
    told = ask(study(), ["count()"], epsilon=0.1)
    text = json.dumps({k: v for k, v in told.to_dict().items() if k not in ("answers", "ledger_head")})  # noisy, and random letters
    assert str(N) not in text
    assert "patients.csv" not in text


def test_figures_are_rounded_to_what_their_interval_bears() -> None:
    a = Answer("mean(age)", "mean", (), 35.24817, 34.1, 36.4, 0.3, 500, 0.5, "")
    assert shown(a) == "35.2 (34.1 to 36.4)"
    assert shown(Answer("mean(age)", "mean", (), None, 18.0, 90.0, float("inf"), 3, 0.5, "")) == "drowned in noise"
    assert a.to_dict()["noise"] == 0.3
    assert Answer("", "hazard ratio", (), None, 0.0, float("inf"), float("inf"), 3, 0.5, "").to_dict()["high"] is None
