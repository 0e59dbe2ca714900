"""The custodian's bootstrap: patients drawn again, the generator fitted again, the declared analyses made again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.audit.endpoints.survival import Survival
from twinset.audit.run import _checked
from twinset.core.cohort import Cohort
from twinset.core.contracts import Effect, Generator, Model, Source, Trial
from twinset.core.refits import Refits
from twinset.core.schema import Column, Schema
from twinset.core.seeds import Rng, stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput, StudyInvalid
from twinset.generators.independent import Independent
from twinset.pipeline import release
from twinset.refitting import run
from twinset.refitting.job import Job, contrasts, once, resampled
from twinset.refitting.kept import Kept, left
from twinset.refitting.run import Resources, affordable, refit
from twinset.release.beside import beside
from twinset.rules.language import parse as parse_rule
from twinset.study import Study, load, parse


@dataclass(frozen=True)
class Mean:
    """An analysis with one contrast, and one that trials without old patients do not have."""

    name: str = "age"

    def estimate(self, cohort: Cohort) -> Sequence[Effect]:
        values = cohort["age"].to_numpy()
        rest = (1.0, 0.0, 0.0, 0.0, len(values))
        return (Effect("mean", float(values.mean()), *rest, ratio=False), Effect("oldest", float(values.max()), *rest, ratio=False))


@dataclass(frozen=True)
class Youngest:
    """An analysis that shows whether a lower bound is kept."""

    name: str = "age"

    def estimate(self, cohort: Cohort) -> Sequence[Effect]:
        return (Effect("youngest", float(cohort["age"].min()), 1.0, 0.0, 0.0, 0.0, len(cohort), ratio=False),)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Fragile:
    """Fails on a share of all fits, in one way or the other; stops the work at fit number ``until``, as Ctrl-C would. ``seen`` counts the fits."""

    share: float = 0.0
    until: int = 10_000
    error: type[Exception] = BadInput
    seen: list[int] = field(default_factory=list, compare=False)

    def fit(self, source: Source, rng: Rng) -> Model:
        self.seen.append(1)
        if len(self.seen) > self.until:
            raise KeyboardInterrupt
        if rng.random() < self.share:
            raise self.error("left > mode")
        return Independent().fit(source, rng)


def trial(n: int = 120) -> Cohort:
    rng = stream(3, "trial")
    age, arm = rng.integers(30, 90, n), rng.integers(0, 2, n)
    days = np.ceil(rng.exponential(400 * np.exp(0.5 * arm))).astype(int)
    columns = (
        *(Column("arm", "category", "arm", levels=(0, 1)), Column("age", "integer", low=18, high=100)),
        *(Column("days", "integer", "time"), Column("event", "category", "event", levels=(0, 1))),
    )
    return Cohort(pl.DataFrame({"arm": arm, "age": age, "days": days, "event": (days < 700).astype(int)}), Schema(columns))


def visits(patients: int = 60, each: int = 8) -> Cohort:
    """Patients with equal rows, in an order of the file that mixes them."""
    rng = stream(4, "visits")
    patient = rng.permutation(np.repeat(np.arange(patients), each))
    age = rng.integers(30, 90, patients)[patient]
    columns = (Column("id", "text", "identifier"), Column("age", "integer", low=18, high=100))
    return Cohort(pl.DataFrame({"id": [f"P{i}" for i in patient], "age": age}), Schema(columns, unit="id"))


SURVIVAL = Survival("death", "days", "event", 1, "arm")


def job(generator: Generator | None = None, *, train: Cohort | None = None, copies: int = 1, mean: bool = True) -> Job:
    cohort = train or trial()
    return Job(generator or Independent(), cohort, (), (Mean(),) if mean else (SURVIVAL,), len(cohort), copies, seed=7)


def by_hand(cohort: Cohort, *, runs: int, copies: int) -> np.ndarray:
    """The same bootstrap, written out: the mean age of each copy, shape (runs, copies)."""
    out = np.zeros((runs, copies))
    for i in range(runs):
        seed = int(stream(7, "refit", i).integers(2**62))
        rows = stream(seed, "patients").integers(0, len(cohort), len(cohort))
        model = Independent().fit(Vault(Cohort(cohort.frame[rows], cohort.schema), Ledger()), stream(seed, "fit"))
        for k in range(copies):
            out[i, k] = model.sample(77, stream(seed, "sample", k + 1))["age"].mean()
    return out


def test_figures_are_those_of_a_loop_written_out() -> None:
    found = refit(replace(job(copies=3), n=77), runs=25)
    expected, own = by_hand(trial(), runs=25, copies=3), trial()["age"].mean()
    one, mean = found.one[0], found.of_all[0]
    assert (one.endpoint, one.contrast, one.runs, one.copies, mean.copies) == ("age", "mean", 25, 1, 3)
    assert one.sd == pytest.approx(expected[:, 0].std(ddof=1), rel=1e-12)
    assert mean.sd == pytest.approx(expected.mean(axis=1).std(ddof=1), rel=1e-12)
    assert one.bias == pytest.approx(expected[:, 0].mean() - own, abs=1e-12)
    assert mean.bias == pytest.approx(expected.mean() - own, abs=1e-12)
    assert one.sd != mean.sd


def test_patients_are_drawn_with_all_their_rows_and_numbers_of_their_own() -> None:
    train = visits()
    again = resampled(train, stream(1, "x"))
    assert (again.n_patients, again.frame.schema) == (60, train.frame.schema)
    each = again.frame.group_by("id").agg(pl.len(), pl.col("age").n_unique().alias("ages"))
    assert (each["len"] == 8).all()
    assert (each["ages"] == 1).all()
    assert again.frame.unique("id")["age"].n_unique() < train.frame.unique("id")["age"].n_unique()


def test_a_whole_number_for_a_patient_stays_one() -> None:
    frame = pl.DataFrame({"id": [900, 7, 900, 40], "age": [30, 40, 31, 50]})
    train = Cohort(frame, Schema((Column("id", "integer", "identifier"), Column("age", "integer")), unit="id"))
    again = resampled(train, stream(2, "x"))
    assert again.n_patients == 3
    assert len(again) == sum({30: 2, 31: 0}.get(age, 1) for age in again["age"])


def test_rows_drawn_in_place_of_patients_would_be_too_sure() -> None:
    """60 patients of 8 equal rows: the mean scatters as that of 60, and a bootstrap of rows (the broken twin) says as that of 480."""
    train = visits()
    truth = float(train.frame.unique("id")["age"].std()) / math.sqrt(60)
    rows = Cohort(train.frame, Schema(train.schema.columns))
    found, twin = (refit(job(train=c), runs=100).one[0].sd for c in (train, rows))
    assert 0.75 < found / truth < 1.25
    assert twin / truth < 0.5


def test_processes_change_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LONG", 0.0)
    asked, said = job(mean=False, copies=2), []
    spread = refit(asked, runs=20, resources=Resources(workers=2, say=said.append))
    assert spread == refit(asked, runs=20)
    assert spread.one[0].contrast == "arm 1 against 0"
    assert said[0] == "0 of 20 refits on resampled patients"
    assert said[-2:] == ["20 of 20 refits on resampled patients", "refits done; the audit follows"]


def test_what_was_finished_is_not_done_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Interrupted at the eighth fit and torn in its last line: the same figures as of one go, and only the missing fits are made."""
    monkeypatch.setattr(run, "LONG", 0.0)
    kept = Kept(tmp_path / "patients.csv.refits.jsonl", "one")
    whole = refit(job(), runs=20)
    with pytest.raises(KeyboardInterrupt):
        refit(job(Fragile(until=7)), runs=20, resources=Resources(kept=kept))
    text = kept.path.read_text()
    assert len(text.splitlines()) == 7
    assert "mean" not in text
    assert kept.path.stat().st_mode & 0o777 == 0o600
    kept.path.write_text(text[:-30])
    generator = Fragile()
    again = refit(job(generator), runs=20, resources=Resources(kept=kept))
    assert len(generator.seen) == 14
    assert (again.one, again.of_all) == (whole.one, whole.of_all)
    assert len(kept.read(runs=20, contrasts=2)) == 20
    again.forget()
    assert not kept.path.exists()


def test_refits_of_another_study_are_neither_used_nor_removed(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv.refits.jsonl"
    mine, other = Kept(path, "mine"), Kept(path, "other")
    other.add({0: ((1.0, math.nan),)})
    assert mine.read(runs=20, contrasts=1) == {}
    mine.forget()
    assert len(other.read(runs=20, contrasts=1)) == 1
    mine.add({3: ((1.0, 2.0),)})
    assert (mine.read(runs=20, contrasts=1), other.read(runs=20, contrasts=1)) == ({3: ((1.0, 2.0),)}, {})
    assert mine.read(runs=2, contrasts=1) == mine.read(runs=20, contrasts=2) == {}


BAD = [
    *('"run": [1], "estimates": [[1, 2]]', '"run": true, "estimates": [[1, 2]]', '"run": 1.0, "estimates": [[1, 2]]', '"run": -1, "estimates": [[1, 2]]'),
    *('"run": 1, "estimates": [[1]]', '"run": 1, "estimates": [[true, 2]]', '"run": 1, "estimates": [["1", 2]]', '"run": 1, "estimates": {"0": [1, 2]}'),
    *('"run": 1, "estimates": [[Infinity, 2]]', '"run": 1, "estimates": [[NaN, 2]]', '"run": 1, "estimates": [[1e999, 2]]'),
    *('"run": 1, "estimates": [[' + "9" * 400 + ", 2]]", '"run": 1, "estimates": ' + "[" * 200_000),
]


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_a_line_that_is_not_ours_is_left_out(line: str, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x.jsonl", "one")
    end = ', "key": "one", "format": "twinset refits 1"}\n'
    kept.path.write_text("{" + line + end + '{"run": 2, "estimates": [[1, null]]' + end)
    assert list(kept.read(runs=20, contrasts=1)) == [2]


def test_a_line_of_another_format_is_left_out(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x.jsonl", "one")
    kept.add({0: ((1.0, 2.0),)})
    kept.path.write_text(kept.path.read_text().replace("refits 1", "refits 2"))
    assert kept.read(runs=20, contrasts=1) == {}


def test_a_file_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x.jsonl", "one")
    kept.path.touch()
    kept.path.chmod(0o644)
    kept.add({0: ((1.0, 2.0),)})
    assert kept.path.stat().st_mode & 0o777 == 0o600


def test_an_interval_by_hand() -> None:
    """sd² + bias² - sd²/25 = 0.09 + 0.16 - 0.0036; t of 24 degrees of freedom at 97.5 % is 2.063899 (25 would give 2.059539)."""
    found = Refits("death", "arm", 0.3, 0.4, 25)
    assert found.error == pytest.approx(math.sqrt(0.2464), rel=1e-12)
    assert found.quantile() == pytest.approx(2.063899, abs=1e-6)
    assert found.interval(1.0) == pytest.approx((1 - 2.063899 * math.sqrt(0.2464), 1 + 2.063899 * math.sqrt(0.2464)), abs=1e-6)
    assert Refits("death", "arm", 0.3, 0.05, 25).error == pytest.approx(0.3, rel=1e-12)


def test_rules_are_kept_in_refits_as_in_the_release() -> None:
    """A third of the patients is younger than 50; without the rule (the broken twin) so is the youngest of a copy."""
    youngest = replace(job(), rules=(parse_rule("age >= 50", trial().schema, name="R1"),), endpoints=(Youngest(),))
    assert contrasts(youngest)[0].own < 50
    for number in range(3):
        assert once(youngest, contrasts(youngest), number)[0][0] >= 50
        assert once(replace(youngest, rules=()), contrasts(youngest), number)[0][0] < 50


def test_want_of_memory_is_no_failed_refit() -> None:
    """Patients of a resample can make a fit fail; that memory ran out says nothing of them."""
    asked = job(Fragile(1.0, error=MemoryError))
    with pytest.raises(MemoryError):
        once(asked, contrasts(asked), 0)


def test_short_work_leaves_no_file(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x.jsonl", "one")
    refit(job(), runs=20, resources=Resources(kept=kept))
    assert not kept.path.exists()


@pytest.mark.parametrize("error", [BadInput, ValueError])
def test_a_refit_that_fails_is_not_counted(error: type[Exception]) -> None:
    found = refit(job(Fragile(0.05, error=error)), runs=60)
    assert 54 <= found.one[0].runs < 60
    assert not found.missing


def test_too_many_that_fail_leave_no_figure_but_a_reason() -> None:
    found = refit(job(Fragile(0.2)), runs=60)
    assert (found.one, found.of_all) == ((), ())
    assert [f.where for f in found.missing] == ["age: mean", "age: oldest"]
    assert "of 60 refits on resampled patients gave no finite estimate" in found.missing[0].missing


def test_large_tables_are_refitted_less_often_and_it_is_told() -> None:
    asked, told = job(), []
    assert asked.work == 2 * 120 * 4
    assert affordable(asked, runs=50, cells=0) == affordable(asked, runs=50, cells=50 * asked.work) == 50
    assert affordable(asked, runs=50, cells=31 * asked.work + 1) == 31
    assert affordable(asked, runs=50, cells=20 * asked.work - 1) == 0
    found = refit(asked, runs=50, cells=22 * asked.work, resources=Resources(tell=told.append))
    assert found.one[0].runs == 22
    none = refit(asked, runs=50, cells=1, resources=Resources(tell=told.append))
    assert (none.one, none.of_all) == ((), ())
    assert [(f.name, f.where) for f in (*found.missing, *none.missing)] == [("endpoint.refits", "age")] * 2
    assert "22 of 50 refits were made" in told[0]
    assert "none of 50 refits were made" in told[1]


def test_what_train_cannot_estimate_is_not_refitted() -> None:
    dead = trial()
    alive = Cohort(dead.frame.with_columns(event=pl.lit(0, pl.Int64)), dead.schema)
    generator = Fragile()
    assert contrasts(job(train=alive, mean=False)) == ()
    assert refit(job(generator, train=alive, mean=False), runs=20).one == ()
    assert not generator.seen


def test_the_audit_hands_them_on() -> None:
    """It was built anew for the audit, without them."""
    figures = (Refits("death", "arm 1 against 0", 0.1, 0.0, 50),)
    assert _checked(Trial(trial(), trial().synthesised, refits=figures)).refits == figures


def test_a_refit_depends_on_its_number_alone() -> None:
    asked = job()
    wanted = contrasts(asked)
    assert once(asked, wanted, 5) == once(asked, wanted, 5) != once(asked, wanted, 6)


@pytest.mark.parametrize("refits", [1, 19])
def test_a_study_refuses_too_few(refits: int) -> None:
    with pytest.raises(StudyInvalid, match=r"audit\.refits.*20"):
        parse(f'[data]\npath = "t.csv"\n[columns.age]\ntype = "integer"\n[audit]\nrefits = {refits}\n')


@pytest.mark.parametrize("refits", [0, 20, 50])
def test_a_study_takes_none_or_enough(refits: int) -> None:
    assert parse(f'[data]\npath = "t.csv"\n[columns.age]\ntype = "integer"\n[audit]\nrefits = {refits}\n').audit.refits == refits


STUDY = """
[data]
path = "patients.csv"
[generator]
name = "independent"
[columns.arm]
type = "category"
role = "arm"
levels = [0, 1]
[columns.age]
type = "integer"
[columns.days]
type = "integer"
role = "time"
[columns.event]
type = "category"
role = "event"
levels = [0, 1]
[[endpoints]]
kind = "survival"
name = "death"
time = "days"
event = "event"
arm = "arm"
[audit]
refits = 20
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    trial().frame.write_csv(tmp_path / "patients.csv")
    (tmp_path / "study.toml").write_text(STUDY)
    return load(tmp_path / "study.toml", overrides=["release.copies=2"])


def test_a_release_goes_on_where_it_was_interrupted(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are those of one go; the file is gone with the release, and so is the interrupted run: it was not judged."""
    monkeypatch.setattr(run, "LONG", 0.0)
    file, said = beside(study.table, "refits"), []

    def stop(text: str) -> None:
        if text.startswith("12 of"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(study, progress=stop)
    assert len(file.read_text().splitlines()) == 12
    assert left(study) == f"nothing written but 12 finished refits in {file}: the same call takes them up again; the audit is not kept"
    made = release(study, progress=said.append)
    assert next(text for text in said if "refits" in text).startswith("12 of 20")
    assert not file.exists()
    assert left(study) == "nothing written"
    assert made.page.attempts is not None
    assert made.page.attempts.number == 1
    steps = said[said.index("refits done; the audit follows") + 1 : -1]
    assert [text for text in steps if text.startswith("attacks")] == ["attacks, copy 1 of 2", "attacks, copy 2 of 2", "attacks, all copies together"]
    assert not any("privacy:" in text or "_" in text or text.startswith(("emptied", "tail", "replay", "verbatim")) for text in steps)
    whole = release(study)
    assert made.analyses == whole.analyses
    assert [(r.endpoint, r.contrast, r.runs, r.copies) for r in made.analyses] == [("death", "arm 1 against 0", 20, 2)]
    assert [e["why"].partition(":")[0] for e in made.page.ledger["events"]] == ["independent", "refits"]


def test_none_are_made_where_none_are_asked_for(study: Study) -> None:
    made = release(study.model_copy(update={"audit": study.audit.model_copy(update={"refits": 0}), "release": study.release.model_copy(update={"copies": 1})}))
    assert made.analyses == ()
    assert len(made.page.ledger["events"]) == 1
