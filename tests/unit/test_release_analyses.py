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
from twinset.release.analyses import shipped
from twinset.release.folder import Made, _analysis, metadata
from twinset.report.intervals import how

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
        assert f"hazard ratio {math.exp(found.value):.3g} ({level:.0%} interval {math.exp(found.low):.3g} to" in found.says
        assert ("no shift beyond chance" in found.says) == (abs(refits.bias) < 0.1)
        assert math.isnan(found.sampling)
        assert found.to_dict()["sampling"] is None
        assert "fair sample" in found.silent_on


def test_a_contrast_is_named_where_there_are_several(released: tuple[Path, Made]) -> None:
    with pytest.raises(BadInput, match="2 contrasts") as refused:
        twinset.combine(released[0], NAME)
    assert "analyses.json" in refused.value.hint
    assert not any(r.contrast in str(refused.value) for r in released[1].analyses)  # a contrast holds levels: they stand in the file, not in an error


def test_the_page_shows_what_leaves(released: tuple[Path, Made]) -> None:
    """With several copies the custodian signs the mean over all of them, not copy 1."""
    home, whole = released
    page = shipped(whole.results, whole.analyses, len(whole.copies), ratio=1.0)
    for entry in entries(home):
        c = next(c for c in page if c.train.contrast == entry["contrast"])
        if len(whole.copies) > 1:
            assert (c.synthetic.value, c.widened_low, c.widened_high) == pytest.approx((entry["value"], entry["low"], entry["high"]))
            assert c.synthetic.value != whole.results[0].comparisons[0].synthetic.value
        assert c.train == next(d.train for d in whole.results[0].comparisons if d.train.contrast == entry["contrast"])
    mark, lines = how(page, len(whole.copies))
    assert mark == ("from refits" if len(whole.copies) == 1 else "mean of 3 copies, from refits") or len(whole.copies) == 1
    assert any("analyses.json" in line for line in lines) == (len(whole.copies) > 1)


def test_a_run_puts_the_shipped_figures_on_its_page(tmp_path: Path) -> None:
    trial(120).write_csv(tmp_path / "trial.csv")
    (tmp_path / "study.toml").write_text(STUDY.replace("[audit]\nrefits = 0", "[release]\ncopies = 2\n[audit]\nrefits = 20"))
    found = twinset.release(tmp_path / "study.toml")
    shown = [(c.train.contrast, c.synthetic.value, c.widened_low, c.widened_high) for c in found.page.result.comparisons]
    assert shown == [(e["contrast"], *(pytest.approx(e[k]) for k in ("value", "low", "high"))) for e in found.told_analyses()]
    assert shown


def test_copy_1_is_said_to_be_copy_1_where_there_are_no_refits(tmp_path: Path) -> None:
    found = replace(made(tmp_path, ("[audit]", "[release]\ncopies = 2\n[audit]")), analyses=())
    assert how(found.results[0].comparisons, 2)[0] == "copy 1 of 2, widened"
    home = found.save(tmp_path / "twin") / "release"
    assert "copy 1 of 2, widened" in (tmp_path / "twin" / "custodian" / "report.html").read_text(encoding="utf-8")
    assert "without refits" in (home / "README.md").read_text(encoding="utf-8")
    told = twinset.combine(home, f"{NAME}: {found.results[0].comparisons[0].train.contrast}")
    assert told.says.startswith("Declared, but released without refits")
    assert f"hazard ratio {math.exp(told.value):.3g}" in told.says
    assert f"as logarithms {told.value:.3g}" in told.says
    assert "yours has 210: not tested" in told.says
    mine = twinset.combine(home, lambda f: (f["aval"].mean(), 0.1))
    assert "without refits" not in mine.says
    assert "ratio 0" not in mine.says


def test_the_number_of_patients_is_the_releases(released: tuple[Path, Made]) -> None:
    home, whole = released
    n = whole.page.n_train
    assert json.loads((home / "metadata.json").read_text())["patients"] == n

    def mean(f: pl.DataFrame) -> tuple[float, float]:
        return f["aval"].mean(), 0.1

    for source in (home, whole):
        assert twinset.combine(source, mean).n == twinset.combine(source, mean, n=n).n == n
        with pytest.raises(BadInput, match="not the number of patients") as refused:
            twinset.combine(source, mean, n=10 * n)
        assert "leave `n` out" in refused.value.hint


def test_the_number_of_patients_of_a_private_run_does_not_leave(tmp_path: Path) -> None:
    found = made(tmp_path)
    proof = {"unit": "row", "relation": "add-remove", "epsilon": 1, "delta": 1e-9, "rho": 0.1}
    private = replace(found, page=replace(found.page, certificate=proof))
    assert metadata(found, ["x"])["patients"] == found.page.n_train
    assert "patients" not in metadata(private, ["x"])
    bare = replace(private, analyses=())
    assert "without refits" in _analysis(replace(found, analyses=()))
    assert "without refits" not in _analysis(bare)


@pytest.mark.parametrize(
    "text",
    [
        '[{"x":1}]',
        '["endpoint"]',
        "[[1]]",
        "{}",
        "3",
        "[null]",
        *(
            f'[{{"endpoint":"e","contrast":"c","value":1,"sd":1,"bias":0,"copies":1,"runs":50,{x}}}]'
            for x in ('"runs":0', '"runs":1', '"sd":NaN', '"value":Infinity', '"sd":-1', '"sd":1e308', '"copies":0', '"endpoint":3')
        ),
    ],
)
def test_a_spoilt_file_is_refused_once_and_plainly(released: tuple[Path, Made], tmp_path: Path, text: str) -> None:
    home = Path(shutil.copytree(released[0], tmp_path / "twin"))
    (home / "analyses.json").write_text(text)
    with pytest.raises(BadInput, match=r"analyses\.json cannot be read"):
        twinset.combine(home, NAME)


def test_the_readme_says_what_trees_keep(released: tuple[Path, Made], tmp_path: Path) -> None:
    assert "effect of the arm in these very patients" in (released[0] / "README.md").read_text(encoding="utf-8")
    other = made(tmp_path, ('name = "trees"', 'name = "trees"\nby_arm = false')).save(tmp_path / "twin") / "release"
    assert "these very patients" not in (other / "README.md").read_text(encoding="utf-8")


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
