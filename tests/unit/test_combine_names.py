"""An analysis asked for by its name is the one that was declared, whatever its settings are called and coded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import twinset
from twinset.audit.endpoints.survival import Survival
from twinset.core.seeds import stream
from twinset.errors import BadInput
from twinset.facts import release_text
from twinset.release.folder import Made

CODED = Survival("death", "aval", "cnsr", 0, "trt", "placebo")  # CNSR = 0: it happened; the reference is the second of three
PLAIN = Survival("", "aval", "cnsr", 0, "trt")  # no name, and the reference is the first that the study lists


def trial(n: int = 300) -> pl.DataFrame:
    rng = stream(7, "coded trial")
    arm = rng.integers(0, 3, n)
    died, left = rng.exponential(np.array([10.0, 25.0, 14.0])[arm]), rng.uniform(5, 30, n)
    return pl.DataFrame(
        {
            "trt": np.array(["high", "placebo", "low"])[arm],
            "aval": np.minimum(died, left).round(2),
            "cnsr": (died > left).astype(np.int64),
            "age": rng.integers(20, 90, n),
        }
    )


def study(folder: Path, *, endpoints: str = "", sections: str = "") -> Path:
    trial().write_csv(folder / "trial.csv")
    (folder / "study.toml").write_text(
        'name = "T"\n[data]\npath = "trial.csv"\n[generator]\nname = "trees"\n[audit]\nrefits = 0\n'
        + (endpoints or '[[endpoints]]\nname = "death"\ntime = "aval"\nevent = "cnsr"\nevent_value = 0\narm = "trt"\nreference = "placebo"\n')
        + '[[endpoints]]\ntime = "aval"\nevent = "cnsr"\nevent_value = 0\narm = "trt"\n'
        + '[columns.trt]\ntype = "category"\nrole = "arm"\nlevels = ["low", "placebo", "high"]\n[columns.aval]\ntype = "number"\nrole = "time"\n'
        + '[columns.cnsr]\ntype = "category"\nrole = "event"\nlevels = [0, 1]\n[columns.age]\ntype = "integer"\n[policy]\nname = "p"\nchecks = []\n'
        + sections
    )
    return folder / "study.toml"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    folder = tmp_path_factory.mktemp("named")
    return folder / "twin", twinset.release(study(folder), folder / "twin")


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_by_name_equals_by_object(released: tuple[Path, Made], where: str) -> None:
    """Catches settings that are lost on the way: with the event coded 0 and a reference that is not the first level the ratio was another, without a word."""
    source = released[0] if where == "folder" else released[1]
    cohort = released[1].copies[0]
    for name, endpoint in (("death", CODED), ("endpoint 2", Survival("endpoint 2", "aval", "cnsr", 0, "trt", "low"))):
        for effect in endpoint.estimate(cohort):
            found = twinset.combine(source, f"{name}: {effect.contrast}")
            assert found.value == pytest.approx(effect.value, abs=1e-9)
            assert found.naive_error == pytest.approx(effect.error, abs=1e-9)


def test_the_reference_is_the_declared_one_not_the_first_in_the_alphabet(released: tuple[Path, Made]) -> None:
    contrasts = [e.contrast for e in PLAIN.estimate(released[1].copies[0])]
    assert contrasts == ["trt placebo against low", "trt high against low"]
    told = json.loads((released[0] / "release" / "study.json").read_text())["endpoints"]
    assert [e["reference"] for e in told] == ["placebo", "low"]
    assert [e["event_value"] for e in told] == [0, 0]
    assert [e["name"] for e in told] == ["death", "endpoint 2"]


def test_a_level_leaves_only_where_released_rows_hold_it_or_it_is_public(tmp_path: Path) -> None:
    """A level that one patient has may be in no synthetic row: then it must not leave as a setting either. Settings leave together or not at all."""
    made = twinset.load_study(study(tmp_path))
    frame = trial()
    rows = json.loads(release_text(made, [frame]))["endpoints"][0]
    assert (rows["event_value"], rows["reference"]) == (0, "placebo")
    without = json.loads(release_text(made, [frame.filter(pl.col("trt") != "placebo")]))["endpoints"][0]
    assert "placebo" not in json.dumps(without)
    assert "event_value" not in without
    public = (
        (tmp_path / "study.toml")
        .read_text()
        .replace('levels = ["low"', 'origin = "public"\nlevels = ["low"')
        .replace("levels = [0", 'origin = "public"\nlevels = [0')
    )
    (tmp_path / "study.toml").write_text(public)
    assert json.loads(release_text(twinset.load_study(tmp_path / "study.toml")))["endpoints"][0] == rows


def test_an_endpoint_whose_settings_did_not_leave_is_refused_not_guessed(released: tuple[Path, Made], tmp_path: Path) -> None:
    """A release that keeps only columns does not say which value is the event: the default would be a guess."""
    home = tmp_path / "old"
    home.mkdir()
    for file in (released[0] / "release").iterdir():
        (home / file.name).write_bytes(file.read_bytes())
    told = json.loads((home / "study.json").read_text())
    for endpoint in told["endpoints"]:
        del endpoint["event_value"], endpoint["reference"]
    (home / "study.json").write_text(json.dumps(told))
    with pytest.raises(BadInput, match="does not say `event_value`") as refused:
        twinset.combine(home, "death: trt low against placebo")
    assert "Survival(" in refused.value.hint


@pytest.mark.parametrize("name", ['"os": a \\ b', "os: it's 5 % {n}", "a: b: c", "ö `x` ```"])
def test_names_may_hold_any_sign(tmp_path: Path, name: str) -> None:
    quoted = json.dumps(name)
    other = f'[[endpoints]]\nname = "os"\ntime = "aval"\nevent = "cnsr"\narm = "trt"\nreference = "high"\n[[endpoints]]\nname = {quoted}\ntime = "aval"\nevent = "cnsr"\nevent_value = 0\narm = "trt"\nreference = "placebo"\n'
    made = twinset.release(study(tmp_path, endpoints=other), tmp_path / "twin")
    effect = Survival(name, "aval", "cnsr", 0, "trt", "placebo").estimate(made.copies[0])[0]
    assert twinset.combine(tmp_path / "twin", f"{name}: {effect.contrast}").value == pytest.approx(effect.value)


def test_levels_that_are_digits_in_quotes_survive_a_csv(tmp_path: Path) -> None:
    """Text levels "1", "2", "3" come back from a CSV as numbers; the declared reference is still one of them."""
    frame = trial().with_columns(pl.col("trt").replace_strict({"low": "1", "placebo": "2", "high": "3"}), pl.col("cnsr").cast(pl.String))
    text = study(tmp_path).read_text().replace("trial.csv", "trial.parquet").replace("[0, 1]", '["0", "1"]').replace("event_value = 0", 'event_value = "0"')
    (tmp_path / "study.toml").write_text(text.replace('["low", "placebo", "high"]', '["1", "2", "3"]').replace('"placebo"', '"2"'))
    frame.write_parquet(tmp_path / "trial.parquet")
    made = twinset.release(tmp_path / "study.toml", tmp_path / "twin")
    effect = Survival("death", "aval", "cnsr", "0", "trt", "2").estimate(made.copies[0])[1]
    assert twinset.combine(tmp_path / "twin", "death: trt 3 against 2").value == pytest.approx(effect.value)
