"""A private release from the command line: certificate, ledger, refusals. Nothing is spent and nothing is left by a bad input."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from twinset.dp.accountant import epsilon, total_delta
from twinset.dp.events import Event
from twinset.errors import BadInput, BudgetExhausted
from twinset.pipeline import release
from twinset.study import load

PUBLIC = """
[data]
path = "patients.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
{unit}
[generator]
name = "mst"
[columns.name]
type = "text"
role = "identifier"
identifier = "name"
[columns.age]
type = "integer"
low = 18
high = 95
origin = "public"
[columns.sex]
type = "category"
levels = ["female", "male"]
origin = "public"
[columns.creatinine]
type = "number"
low = 0.0
high = 5.0
decimals = 2
origin = "{creatinine}"
[columns.event]
type = "category"
role = "event"
levels = [0, 1]
origin = "public"
[policy]
name = "none: five columns of 400 people repeat by chance"
checks = []
[[rules]]
name = "adult"
rule = "age >= 18"
origin = "public"
"""
PRIVACY = '[privacy]\nepsilon = 5\nunit = "row"\n'
LEDGER = "patients.csv.ledger.jsonl"


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, people: pl.DataFrame) -> Write:
    """Writes the hospital and a study of it; gives the study file."""

    def made(*, privacy: str = PRIVACY, unit: str = "", creatinine: str = "public", rows: int = 1) -> Path:
        frame = people.select("name", "age", "sex", "creatinine", "event")
        pl.concat([frame] * rows).write_csv(tmp_path / "patients.csv")
        study = tmp_path / "study.toml"
        study.write_text(PUBLIC.format(unit=unit, creatinine=creatinine) + privacy)
        return study

    return made


def certificate(folder: Path) -> dict:
    return json.loads((folder / "twin" / "release" / "certificate.json").read_text())


def test_a_private_release_its_certificate_and_the_refusal_of_the_next(write: Write, tmp_path: Path, twinset) -> None:
    write()
    made = twinset("release", "study.toml", "-o", "twin")
    assert made.returncode == 0, made.stderr
    told = certificate(tmp_path)
    assert {"unit", "relation", "epsilon", "delta", "rho", "events", "public", "versions"} <= set(told)
    assert (told["unit"], told["relation"], told["epsilon"], told["delta"]) == ("row", "add-remove", 5.0, 1e-9)
    assert all({"name", "mechanism", "noise", "sensitivity", "rho"} <= set(e) for e in told["events"])
    assert sum(e["rho"] for e in told["events"]) == pytest.approx(told["rho"], rel=1e-4)
    assert epsilon(told["rho"], told["delta"]) == pytest.approx(5.0, rel=1e-6)
    assert {"where": "adult", "what": "rule: age >= 18", "declared_by": "the study file"} in told["public"]
    assert twinset("ledger", "verify", LEDGER, "--certificate", "twin/release/certificate.json", "--table", "patients.csv").returncode == 0
    before = (tmp_path / LEDGER).read_bytes()
    again = twinset("release", "study.toml", "-o", "twin2")
    assert again.returncode == 3
    for said in ("budget of this data set is spent", "epsilon = 5", "rho = ", "leaves one run epsilon = 0"):
        assert said in " ".join(again.stderr.split()), said
    assert not (tmp_path / "twin2").exists()
    assert (tmp_path / LEDGER).read_bytes() == before
    shown = twinset("ledger", "show", LEDGER)
    assert shown.returncode == 0
    assert "mst" in shown.stdout
    facts = json.loads(twinset("ledger", "show", LEDGER, "--json").stdout)
    assert facts["spent"]["epsilon"] == pytest.approx(5.0, rel=1e-3)


def test_what_leaves_a_private_release_holds_nothing_unpaid(write: Write, tmp_path: Path) -> None:
    """Neither the exact number of rows, nor the file's hash or place, nor what the audit found on the rows."""
    study = load(write(creatinine="private"), overrides=["release.n=777"])
    made = release(study)
    made.save(tmp_path / "twin")
    public = {p.name: p.read_text() for p in (tmp_path / "twin" / "release").iterdir() if p.suffix in (".json", ".md") or p.name == "data-dictionary.csv"}
    model = json.loads(public.pop("model.json"))  # arrays and noisy counts: any number may stand in it by chance
    private = next(c for c in model["columns"] if c["name"] == "creatinine")
    assert (private["low"], private["high"], private["levels"], private["decimals"]) == (None, None, [], None)
    assert made.page.n_train not in (model["rows_public"], model["total"])
    text = "".join(public.values())
    assert made.page.provenance["table"] not in text
    assert str(tmp_path) not in text
    assert "patients.csv" not in text
    assert not re.search(rf"(?<![\d.a-f]){made.page.n_train}(?![\d.a-f])", text)
    verdict = json.loads(public["verdict.json"])
    assert set(verdict) == {"verdict", "released", "decided_by", "reasons", "settles", "checks"}
    assert {c["finding"].partition(".")[0] for c in verdict["checks"]} == {"output"}
    assert "decimals" not in json.loads(public["study.json"])["columns"]["creatinine"]
    assert "ledger" not in json.loads(public["study.json"])["privacy"]
    assert not any(line["where"] == "creatinine" for line in json.loads(public["certificate.json"])["public"])


def test_the_certificate_is_that_of_its_ledger_only(write: Write, tmp_path: Path, twinset, config: Path) -> None:
    study = load(write(), overrides=["privacy.budget=9"])
    release(study).save(tmp_path / "twin")
    release(study).save(tmp_path / "twin2")
    lines = (tmp_path / LEDGER).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:3]))
    assert twinset("ledger", "verify", "cut.jsonl").returncode == 2, "whoever made the runs has a register that saw the end"
    shutil.rmtree(config)
    assert twinset("ledger", "verify", "cut.jsonl").returncode == 0, "for anybody else the chain alone does not show it"
    cut = twinset("ledger", "verify", "cut.jsonl", "--certificate", "twin2/release/certificate.json")
    assert cut.returncode == 2
    assert "end was cut off" in " ".join(cut.stderr.split())
    forged = certificate(tmp_path)
    forged["events"][0]["noise"] *= 2
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    assert twinset("ledger", "verify", LEDGER, "--certificate", "forged.json").returncode == 2


def test_a_certificate_made_without_noise_is_refused(write: Write, tmp_path: Path, twinset) -> None:
    write()
    assert twinset("release", "study.toml", "-o", "twin").returncode == 0
    told = certificate(tmp_path) | {"not_private": "noise was replaced by an audit"}
    (tmp_path / "audit.json").write_text(json.dumps(told))
    refused = twinset("ledger", "verify", LEDGER, "--certificate", "audit.json")
    assert refused.returncode == 2
    assert "replaced the noise" in " ".join(refused.stderr.split())


def test_a_weak_epsilon_is_warned_about(write: Write, tmp_path: Path) -> None:
    told = release(load(write(), overrides=["privacy.epsilon=20"])).page.certificate
    assert told
    assert any("above 10" in w for w in told["warnings"])
    assert "anonym" not in json.dumps(told).lower()


def test_discovery_spends_delta_and_the_certificate_says_so(write: Write, tmp_path: Path) -> None:
    text = write().read_text().replace('levels = ["female", "male"]\norigin = "public"', "")
    (tmp_path / "study.toml").write_text(text)
    told = release(load(tmp_path / "study.toml")).page.certificate
    assert told
    events = [Event(**{k: e[k] for k in ("name", "mechanism", "noise", "sensitivity", "rho", "delta") if k in e}) for e in told["events"]]
    assert 0 < total_delta(events) <= 1e-10 * (1 + 1e-9)
    assert epsilon(told["rho"], 0.9e-9) == pytest.approx(5.0, rel=1e-6)


def test_replace_one_with_a_public_number_of_patients(write: Write, tmp_path: Path) -> None:
    made = release(load(write(), overrides=['privacy.relation="replace"']))
    told = made.page.certificate
    assert told
    assert told["events"][0]["sensitivity"] == pytest.approx(2**0.5)
    assert made.page.n_synthetic == made.page.n_train
    assert any("number of patients" in line["what"] for line in told["public"])


def test_patients_with_several_rows(write: Write, tmp_path: Path) -> None:
    privacy = PRIVACY.replace('"row"', '"name"')
    made = release(load(write(unit='unit = "name"\nper_patient = 2', privacy=privacy, rows=3)))
    told = made.page.certificate
    assert told
    assert (told["unit"], told["per_patient"], told["events"][0]["sensitivity"]) == ("name", 2, 2.0)
    assert any("more than 2 row(s) of a patient" in g for g in told["not_covered"])


REFUSED: dict[str, tuple[dict, list[str], str]] = {
    "no section": ({"privacy": ""}, [], r"needs a budget"),
    "epsilon 0": ({}, ["privacy.epsilon=0"], r"privacy\.epsilon.*greater than 0"),
    "epsilon below 0": ({}, ["privacy.epsilon=-1"], r"privacy\.epsilon"),
    "epsilon infinite": ({}, ["privacy.epsilon=inf"], r"privacy\.epsilon"),
    "delta 1/n": ({}, ["privacy.delta=0.0026"], r"privacy\.delta.*less than or equal to"),
    "no unit": ({"privacy": "[privacy]\nepsilon = 5\n"}, [], r"privacy\.unit` is missing.*no default"),
    "row of a patient table": ({"unit": 'unit = "name"\nper_patient = 7'}, [], r"epsilon = 5 x 7 = 35"),
    "row without a cap": ({"unit": 'unit = "name"'}, [], r"nothing bounds"),
    "patients without a cap": ({"unit": 'unit = "name"', "privacy": PRIVACY.replace('"row"', '"name"')}, [], r"nothing bounds the rows"),
    "another unit": ({"privacy": PRIVACY.replace('"row"', '"name"')}, [], r"disagree on who a patient is"),
    "mined rules": ({}, ['rules=[{rule="age <= 95", name="R9"}]'], r"R9.*a rule tells about every row"),
    "no bounds and no budget for them": ({"creatinine": "private"}, ["generator.domain_share=0"], r"creatinine"),
    "a ledger that cannot be": ({}, ['privacy.ledger="no/such/folder/x.jsonl"'], r"cannot be written here"),
    "typo": ({}, ["privacy.epsilom=1"], r"did you mean `epsilon`"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_bad_input_is_told_and_nothing_is_written(write: Write, tmp_path: Path, what: str) -> None:
    options, overrides, said = REFUSED[what]
    study = write(**options)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(BadInput, match=f"(?s){said}") as caught:
        release(load(study, overrides=overrides))
    assert caught.value.hint
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_study_that_does_not_say_how_its_table_is_written(write: Write, tmp_path: Path, twinset) -> None:
    """One error with every key; `init` writes them all, so that adding the section is enough."""
    study = write()
    text = study.read_text()
    for line in ('decimal = "."', 'encoding = "utf-8"', "missing = []"):
        text = text.replace(line + "\n", "")
    study.write_text(text.replace("[columns.sex]", '[columns.born]\ntype = "date"\n[columns.sex]'))
    refused = twinset("release", "study.toml", "-o", "twin")
    assert refused.returncode == 2
    assert "data.decimal, data.encoding, data.missing, data.date_order" in " ".join(refused.stderr.split())
    assert "init --private" in " ".join(refused.stderr.split())
    assert not (tmp_path / LEDGER).exists()


def test_a_ledger_of_another_data_set_or_a_corrupted_one(write: Write, tmp_path: Path, twinset) -> None:
    study = load(write())
    release(study)
    ledger = (tmp_path / LEDGER).read_bytes()
    with (tmp_path / "patients.csv").open("a") as file:
        file.write("Somebody Else,44,male,1.0,0\n")
    other = twinset("release", "study.toml", "-o", "twin")
    assert other.returncode == 2
    assert "another data set" in " ".join(other.stderr.split())
    (tmp_path / LEDGER).write_bytes(ledger.replace(b'"epsilon": 5.0', b'"epsilon": 9.0', 1))
    broken = twinset("release", "study.toml", "-o", "twin")
    assert broken.returncode == 2
    assert "corrupted" in broken.stderr
    assert twinset("ledger", "verify", LEDGER).returncode == 2
    assert not (tmp_path / "twin").exists()


@pytest.mark.parametrize("generator", ["trees", "copycat", "independent"])
def test_a_generator_that_reveals_cannot_claim_privacy(write: Write, tmp_path: Path, generator: str) -> None:
    study = load(write(), overrides=[f'generator={{name="{generator}"}}'])
    with pytest.raises(BudgetExhausted, match="asks for the rows themselves") as caught:
        release(study)
    assert caught.value.exit_code == 3
    assert "aim" in caught.value.hint
    assert not (tmp_path / LEDGER).exists()


def test_a_reveal_beside_a_ledger_is_written_into_it(write: Write, tmp_path: Path) -> None:
    release(load(write(), overrides=["privacy.epsilon=1", "privacy.budget=5"]))
    open_study = load(write(privacy=""), overrides=['generator={name="independent"}'])
    release(open_study)
    told = release(load(write(), overrides=["privacy.epsilon=1", "privacy.budget=5"])).page.certificate
    assert told
    assert any("without any privacy budget" in w for w in told["warnings"])


def test_a_run_that_dies_after_its_first_look_has_spent_its_reservation(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twinset.generators.marginals import MST

    real = MST.fit

    def dies(self, source, rng):
        real(self, source, rng)
        raise KeyboardInterrupt

    monkeypatch.setattr(MST, "fit", dies)
    study = load(write())
    with pytest.raises(KeyboardInterrupt):
        release(study)
    monkeypatch.setattr(MST, "fit", real)
    with pytest.raises(BudgetExhausted):
        release(study)


def test_a_killed_run_has_spent_its_reservation(write: Write, tmp_path: Path, twinset) -> None:
    """SIGKILL as soon as the ledger exists: no handler of ours runs, and the budget is gone all the same."""
    write()
    run = subprocess.Popen([sys.executable, "-m", "twinset.cli.app", "release", "study.toml", "-o", "twin"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    while run.poll() is None:
        if (tmp_path / LEDGER).exists() and (tmp_path / LEDGER).read_bytes().count(b"\n") == 2:
            run.kill()
    run.wait()
    assert twinset("ledger", "verify", LEDGER).returncode == 0
    assert twinset("release", "study.toml", "-o", "twin2").returncode == 3


def test_a_private_draft_runs_as_it_is(people: pl.DataFrame, tmp_path: Path, twinset) -> None:
    """``init --private`` then ``release``: nothing to fill in before a first run, nothing declared that was read from the rows."""
    people.drop("name", "record_number").write_csv(tmp_path / "patients.csv", separator=";")
    assert twinset("init", "--private", "patients.csv").returncode == 0
    made = twinset("release", "study.toml", "-o", "twin", "--set", 'generator={name="mst"}', "--set", "privacy.epsilon=5", "--set", "policy.checks=[]")
    assert made.returncode == 0, made.stderr
    released = json.loads((tmp_path / "twin" / "release" / "study.json").read_text())["columns"]
    assert [n for n, c in released.items() if c.get("origin") == "public"] == ["sex", "treated"]
    assert set(pl.read_csv(tmp_path / "twin" / "release" / "synthetic.csv")["sex"].unique()) <= {"female", "male"}
