"""What a draft makes of tables with several rows a patient, and of their endpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.core.seeds import stream
from twinset.draft import draft
from twinset.errors import StudyInvalid
from twinset.study import Study, parse
from twinset.table import read_cohort

N = 90


def drafted(folder: Path, frame: pl.DataFrame, *, private: bool = False) -> tuple[Study, str]:
    frame.write_csv(folder / "t.csv")
    text = draft(folder / "t.csv", private=private)
    study = parse(text, folder=folder)
    study.build_endpoints()
    if not private:
        assert tuple(study.columns) == read_cohort(study).schema.names
    return study, text


def kinds_of_event() -> pl.DataFrame:
    rng = stream(0, "kinds of event")
    n = 2 * N
    return pl.DataFrame(
        {
            "id": np.repeat(np.arange(N) + 500, 2),
            "rx": np.repeat(rng.choice(["Obs", "Lev"], N), 2),
            "etype": np.tile([1, 2], N),
            "time": rng.integers(10, 3000, n),
            "status": rng.integers(0, 2, n),
            "age": np.repeat(rng.integers(30, 80, N), 2),
        }
    )


def test_of_two_kinds_of_event_one_is_chosen_and_the_endpoint_is_live(tmp_path: Path) -> None:
    study, text = drafted(tmp_path, kinds_of_event())
    assert (study.data.unit, study.data.where, study.data.per_patient, study.data.keep) == ("id", "etype == 2", 1, "first")
    assert study.endpoints[0].model_extra == {"time": "time", "event": "status", "event_value": 1, "arm": "rx", "reference": "Obs"}
    assert "`etype` tells a patient's rows apart" in text
    assert '# where = "etype == 1"' in text
    assert '# widen = "etype"' in text
    assert len(read_cohort(study)) == N


def test_two_eyes_are_widened(tmp_path: Path) -> None:
    eyes = kinds_of_event().rename({"etype": "eye"}).with_columns(eye=pl.Series(["left", "right"] * N))
    study, _ = drafted(tmp_path, eyes)
    assert study.data.widen == "eye"
    assert {c for c in study.columns if c.startswith(("time", "status"))} == {"time_left", "time_right", "status_left", "status_right"}
    assert [(e.model_extra or {})["time"] for e in study.endpoints] == ["time_left", "time_right"]
    assert study.columns["time_left"].role == "time"
    assert len(read_cohort(study)) == N


def test_visits_keep_the_first_and_offer_the_rest(tmp_path: Path) -> None:
    rng = stream(1, "visits")
    visits = pl.DataFrame(
        {
            "subject": np.repeat(np.arange(N) + 100, 3),
            "treatment": np.repeat(rng.choice(["placebo", "drug"], N), 3),
            "month": np.tile([0, 1, 2], N),
            "score": rng.normal(50, 10, 3 * N).round(1),
        }
    )
    study, text = drafted(tmp_path, visits)
    assert (study.data.per_patient, study.data.keep, study.data.where, study.data.widen) == (1, "first", "", "")
    assert "# keep" not in text.split("[holdout]")[0].replace('# keep = "last"', "")
    for offer in ('# where = "month == 0"', '# widen = "month"', '# keep = "last"'):
        assert offer in text
    assert "do not stand in the order" not in text
    _, shuffled = drafted(tmp_path, visits.sample(fraction=1.0, shuffle=True, seed=3))
    assert "CHECK: a patient's rows do not stand in the order of `month`" in shuffled


@pytest.mark.parametrize(("ends", "expected"), [(True, "last"), (False, "first")])
def test_rows_between_two_times_keep_the_last_where_the_event_ends_them(tmp_path: Path, ends: bool, expected: str) -> None:
    rng = stream(2, "intervals")
    length = rng.integers(1, 200, 2 * N)
    stop = length.reshape(N, 2).cumsum(axis=1).ravel()
    event = rng.integers(0, 2, 2 * N)
    event[::2] = 0 if ends else 1
    frame = pl.DataFrame({"id": np.repeat(np.arange(N) + 100, 2), "start": stop - length, "stop": stop, "event": event})
    study, _ = drafted(tmp_path, frame)
    assert study.data.keep == expected
    assert (study.endpoints[0].model_extra or {})["time"] == "stop"


def test_a_private_draft_chooses_no_rows(tmp_path: Path) -> None:
    study, text = drafted(tmp_path, kinds_of_event(), private=True)
    assert (study.data.where, study.data.widen, study.data.keep, study.data.per_patient) == ("", "", "random", 1)
    assert study.endpoints == ()
    assert "`etype` tells a patient's rows apart" in text
    with pytest.raises(StudyInvalid, match="does not choose or widen rows"):
        read_cohort(parse(text, folder=tmp_path, overrides=["data.where=etype == 2"]))


def test_several_endpoints_and_what_is_not_built_yet(tmp_path: Path) -> None:
    rng = stream(3, "several")
    n = 120
    frame = pl.DataFrame({"rtime": rng.integers(1, 999, n), "recur": rng.integers(0, 2, n), "dtime": rng.integers(1, 999, n), "death": rng.integers(0, 2, n)})
    study, _ = drafted(tmp_path, frame)
    assert {((e.model_extra or {})["time"], (e.model_extra or {})["event"]) for e in study.endpoints} == {("rtime", "recur"), ("dtime", "death")}
    trial = pl.DataFrame({"rx": ["placebo", "drug"] * 60, "age": rng.integers(20, 80, n), "outcome": rng.choice(["no", "yes"], n)})
    study, text = drafted(tmp_path, trial)
    assert study.endpoints == ()
    assert "`outcome` by `rx`: an analysis of a yes/no outcome by arm is not built yet" in text


def test_what_harms_when_redrawn_is_commented_out(tmp_path: Path) -> None:
    rng = stream(4, "ties")
    n = 400
    end, progressed = rng.integers(1, 4000, n), rng.random(n) < 0.3
    first = np.where(progressed, (end * rng.random(n)).astype(np.int64), end)
    frame = pl.DataFrame({"ptime": first, "pstat": progressed.astype(np.int64), "futime": end, "death": rng.integers(0, 2, n)})
    study, text = drafted(tmp_path, frame)
    assert study.rules == ()
    assert '# rule = "pstat == 0 -> ptime == futime"' in text
    assert '# rule = "ptime <= futime"' in text
