"""Intervals that leave with a release: ``analyses.json``, what ``combine`` reads from it, and the lines of Python and R in the README."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm, t

import twinset
from twinset.core.refits import Refits
from twinset.core.seeds import stream
from twinset.errors import BadInput
from twinset.release.folder import Made

AGE = 'it\'s "age"'
NAME = 'death "or" relapse\\ `x` {n}'
STUDY = (
    'name = "T"\n[data]\npath = "trial.csv"\n[generator]\nname = "trees"\n[audit]\nrefits = 0\n[policy]\nname = "p"\nchecks = []\n'
    f'[[endpoints]]\nname = {json.dumps(NAME)}\ntime = "aval"\nevent = "cnsr"\nevent_value = 0\narm = "trt"\nreference = "placebo"\n'
    '[columns.trt]\ntype = "category"\nrole = "arm"\nlevels = ["low", "placebo", "high"]\n[columns.aval]\ntype = "number"\nrole = "time"\n'
    '[columns.cnsr]\ntype = "category"\nrole = "event"\nlevels = [0, 1]\n[columns."it\'s \\"age\\""]\ntype = "integer"\n'
)


def trial(n: int = 300) -> pl.DataFrame:
    rng = stream(7, "coded trial")
    arm = rng.integers(0, 3, n)
    died, left = rng.exponential(np.array([10.0, 25.0, 14.0])[arm]), rng.uniform(5, 30, n)
    time = np.minimum(died, left).round(2)
    return pl.DataFrame(
        {'it\'s "age"': rng.integers(20, 90, n), "trt": np.array(["high", "placebo", "low"])[arm], "aval": time, "cnsr": (died > left).astype(np.int64)}
    )


def made(folder: Path, *changes: tuple[str, str]) -> Made:
    """A release of made-up patients, with refits set by hand: what is tested here is what becomes of them."""
    trial().write_csv(folder / "trial.csv")
    text = STUDY
    for old, new in changes:
        text = text.replace(old, new)
    (folder / "study.toml").write_text(text)
    found = twinset.release(folder / "study.toml")
    contrasts = [c.train.contrast for c in found.results[0].comparisons]
    refits = (Refits(NAME, contrasts[0], 0.2, 0.13, 50, len(found.copies)), Refits(NAME, contrasts[1], 0.3, -0.01, 20, len(found.copies)))
    return replace(found, analyses=refits)


@pytest.fixture(scope="module", params=[1, 3])
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    folder = tmp_path_factory.mktemp("analyses")
    found = made(folder, ("[audit]", f"[release]\ncopies = {request.param}\n[audit]"))
    return found.save(folder / "twin") / "release", found


def entries(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "analyses.json").read_text(encoding="utf-8"))
    return found


def test_what_leaves(released: tuple[Path, Made]) -> None:
    home, whole = released
    found = entries(home)
    assert [set(e) for e in found] == [
        {"endpoint", "contrast", "value", "low", "high", "ratio", "error", "sd", "bias", "runs", "copies", "says", "silent_on"}
    ] * 2
    for entry, refits in zip(found, whole.analyses, strict=True):
        values = [c.synthetic.value for r in whole.results for c in r.comparisons if c.train.contrast == refits.contrast]
        assert len(values) == len(whole.copies) == entry["copies"]
        assert entry["value"] == pytest.approx(np.mean(values))
        assert (entry["low"], entry["high"]) == refits.interval(entry["value"])
        assert (entry["sd"], entry["bias"], entry["error"], entry["runs"]) == (refits.sd, refits.bias, refits.error, refits.runs)
        assert entry["ratio"] is True
        assert f"{refits.runs} times" in entry["says"]
        assert "fair sample" in entry["silent_on"]
    sums = dict(reversed(line.split("  ")) for line in (home / "SHA256SUMS").read_text().splitlines())
    assert sums["analyses.json"] == hashlib.sha256((home / "analyses.json").read_bytes()).hexdigest()
    assert "`analyses.json`" in (home / "README.md").read_text(encoding="utf-8")


def test_the_patients_own_estimate_does_not_leave(released: tuple[Path, Made]) -> None:
    home, whole = released
    for e in (c.train for c in whole.results[0].comparisons):
        for file in home.iterdir():
            text = file.read_text(encoding="utf-8")
            assert all(f"{x:.6f}"[:8] not in text for x in (e.value, e.error, e.low, e.high)), file.name


def test_a_private_run_writes_none(tmp_path: Path) -> None:
    found = made(tmp_path)
    private = replace(found, page=replace(found.page, certificate={"unit": "row"}))
    assert found.told_analyses()
    assert private.told_analyses() == []


def test_an_analysis_that_one_copy_cannot_give_is_left_out(tmp_path: Path) -> None:
    found = made(tmp_path, ("[audit]", "[release]\ncopies = 2\n[audit]"))
    lacking = replace(found.results[1], comparisons=found.results[1].comparisons[:1])
    assert [e["contrast"] for e in replace(found, results=(found.results[0], lacking)).told_analyses()] == [found.analyses[0].contrast]


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_combine_reads_it_from_the_folder_and_from_memory(released: tuple[Path, Made], level: float) -> None:
    home, whole = released
    for refits, entry in zip(whole.analyses, entries(home), strict=True):
        name = f"{NAME}: {refits.contrast}"
        found, again = (twinset.combine(source, name, level=level) for source in (home, whole))
        assert found.rule == "refits on resampled patients"
        assert (found.value, found.bias, found.runs, found.copies) == (entry["value"], refits.bias, refits.runs, len(whole.copies))
        assert (found.low, found.high) == pytest.approx(refits.interval(found.value, level))
        half = t.ppf(0.5 + level / 2, refits.runs - 1) * math.sqrt(refits.sd**2 + max(refits.bias**2 - refits.sd**2 / refits.runs, 0))
        assert found.high - found.value == pytest.approx(half)
        assert found.naive_error > 0
        assert (found.low, found.high, found.naive_low) == pytest.approx((again.low, again.high, again.naive_low))
        assert f"{refits.runs} refits on resampled patients" in found.says
        assert ("no shift beyond chance" in found.says) == (abs(refits.bias) < 0.1)
        assert math.isnan(found.sampling)
        assert found.to_dict()["sampling"] is None
        assert "fair sample" in found.silent_on


def test_a_contrast_is_named_where_there_are_several(released: tuple[Path, Made]) -> None:
    with pytest.raises(BadInput, match="2 contrasts") as refused:
        twinset.combine(released[0], NAME)
    assert "analyses.json" in refused.value.hint
    assert "placebo" not in str(refused.value)


def test_figures_of_other_copies_are_refused(released: tuple[Path, Made], tmp_path: Path) -> None:
    home = Path(shutil.copytree(released[0], tmp_path / "twin"))
    name = f"{NAME}: {released[1].analyses[0].contrast}"

    def spoil(change: Callable[[dict[str, Any]], object]) -> None:
        found = entries(released[0])
        change(found[0])
        (home / "analyses.json").write_text(json.dumps(found))

    for change, said in (
        (lambda e: e.update(value=e["value"] + 0.05), "does not belong to these copies"),
        (lambda e: e.update(copies=7), "does not belong to these copies"),
        (lambda e: e.pop("sd"), "cannot be read"),
        (lambda e: e.update(runs="many"), "cannot be read"),
    ):
        spoil(change)
        with pytest.raises(BadInput, match=said):
            twinset.combine(home, name)
    (home / "analyses.json").write_text("[")
    with pytest.raises(BadInput, match="not a release"):
        twinset.combine(home, name)


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme, flags=re.S)


def test_the_lines_of_python_run_as_they_are(released: tuple[Path, Made], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    home, whole = released
    monkeypatch.chdir(home)
    declared, own = blocks((home / "README.md").read_text(encoding="utf-8"), "python")
    exec(declared, {})
    first = capsys.readouterr().out.splitlines()
    entry = entries(home)[0]
    assert [float(x) for x in first[0].split()] == pytest.approx([math.exp(entry[k]) for k in ("value", "low", "high")])
    assert "50 refits" in first[1]
    exec(own, {})
    value, low, high = (float(x) for x in capsys.readouterr().out.splitlines()[0].split())
    x = [c.frame['it\'s "age"'].to_numpy() for c in whole.copies]
    k, n, m = len(x[0]), whole.page.n_train, len(x)
    error = math.sqrt(np.mean([a.var(ddof=1) / len(a) for a in x]) * (k / n + 1 / m))
    assert (value, low, high) == pytest.approx((np.mean(x), np.mean(x) - norm.ppf(0.975) * error, np.mean(x) + norm.ppf(0.975) * error))


def test_the_lines_of_r_say_what_python_does(released: tuple[Path, Made], tmp_path: Path) -> None:
    """With R they are run. Without it their formulas are, letter by letter, in the place of a run: strings of R are those of Python, and the rest is arithmetic."""
    home, whole = released
    declared, own = blocks((home / "README.md").read_text(encoding="utf-8"), "r")
    entry = entries(home)[0]
    wanted = [math.exp(entry[k]) for k in ("value", "low", "high")]
    mine = twinset.combine(home, lambda f: (f[AGE].mean(), f[AGE].std() / f.height**0.5), n=whole.page.n_train)
    if rscript := shutil.which("Rscript"):
        for block, expected in ((declared, wanted), (own, [mine.value, mine.low, mine.high])):
            (tmp_path / "lines.R").write_text(block)
            out = subprocess.run([rscript, str(tmp_path / "lines.R")], cwd=home, capture_output=True, text=True, check=True).stdout
            assert [float(x) for x in out.split()[1:]] == pytest.approx(expected, rel=1e-4)
        return
    lines = [line for line in declared.splitlines() if line]
    assert lines[0] == 'a <- jsonlite::fromJSON("analyses.json")'
    texts = re.fullmatch(r'a <- a\[a\$endpoint == ("(?:[^"\\]|\\.)*") & a\$contrast == ("(?:[^"\\]|\\.)*"), \]', lines[1])
    assert texts
    assert [json.loads(g) for g in texts.groups()] == [NAME, entry["contrast"]]
    assert lines[2:] == ["half <- qt(0.975, a$runs - 1) * a$error", "exp(c(a$value, a$value - half, a$value + half))"]
    half = t.ppf(0.975, entry["runs"] - 1) * entry["error"]
    assert np.exp([entry["value"], entry["value"] - half, entry["value"] + half]) == pytest.approx(wanted)
    files = ", ".join(f'"{p.name}"' for p in sorted(home.glob("synthetic*.csv")))
    assert own.splitlines() == [
        f"copies <- lapply(c({files}), read.csv, check.names = FALSE)",
        f"own <- sapply(copies, function(d) {{ x <- na.omit(d[[{json.dumps(AGE)}]]); c(mean(x), var(x) / length(x)) }})",
        "value <- mean(own[1, ])",
        f"error <- sqrt(mean(own[2, ]) * (nrow(copies[[1]]) / {whole.page.n_train} + 1 / length(copies)))",
        "c(value, value - qnorm(0.975) * error, value + qnorm(0.975) * error)",
    ]
    frames = [c.frame[AGE] for c in whole.copies]
    value, v = np.mean([x.mean() for x in frames]), np.mean([x.var() / len(x) for x in frames])
    error = math.sqrt(v * (len(frames[0]) / whole.page.n_train + 1 / len(frames)))
    assert (value, value - norm.ppf(0.975) * error) == pytest.approx((mine.value, mine.low))


def test_settings_that_were_not_tested_get_no_promise(tmp_path: Path) -> None:
    found = made(tmp_path, ('name = "trees"', 'name = "trees"\ndealing = "random"'))
    home = found.save(tmp_path / "twin") / "release"
    readme = (home / "README.md").read_text(encoding="utf-8")
    assert "simulated trials" not in readme
    assert "An analysis of your own" not in readme
    assert "report none, or have it declared" in readme
    assert twinset.combine(home, f"{NAME}: {found.analyses[0].contrast}").rule == "refits on resampled patients"
    with pytest.raises(BadInput, match="`dealing`"):
        twinset.combine(home, lambda f: (f["aval"].mean(), 0.1))


def test_levels_that_a_file_spells_otherwise_keep_their_interval(tmp_path: Path) -> None:
    """Levels 1.0, 2.0 come back from a CSV as 1 and 2: the interval is still the released one, without a naive one beside it."""
    trial().with_columns(pl.col("trt").replace_strict({"low": 1.0, "placebo": 2.0, "high": 3.0})).write_parquet(tmp_path / "trial.parquet")
    text = (
        STUDY.replace("trial.csv", "trial.parquet").replace('["low", "placebo", "high"]', "[1.0, 2.0, 3.0]").replace('reference = "placebo"', "reference = 2.0")
    )
    (tmp_path / "study.toml").write_text(text)
    found = twinset.release(tmp_path / "study.toml")
    refits = Refits(NAME, found.results[0].comparisons[0].train.contrast, 0.2, 0.0, 50)
    home = replace(found, analyses=(refits,)).save(tmp_path / "twin")
    made = twinset.combine(home, f"{NAME}: {refits.contrast}")
    assert (made.low, made.high) == refits.interval(made.value)
