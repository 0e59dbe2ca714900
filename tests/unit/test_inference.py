"""Copies and analysts: the saved model, the bootstrap, and which rule fits which release."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import twinset
from twinset.checking.plugins import resolved
from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput
from twinset.generators import GENERATORS
from twinset.generators.marginals import MarginalsModel
from twinset.generators.marginals.bootstrap import independent_rows, rerun
from twinset.generators.marginals.saved import from_dict, to_dict
from twinset.inference import BOOTSTRAP, infer_all, infer_population
from twinset.inference.copies import Copies
from twinset.inference.found import Inference

COLUMNS = (
    Column("arm", "category", "arm", levels=("a", "b"), origin="public"),
    Column("age", "integer", low=18, high=90, origin="public"),
    Column("dose", "number", low=0.0, high=5.0, missing_codes=(-9.0,), origin="public", decimals=2),
    Column("day", "date", low=18000.0, high=19000.0, origin="public"),
    Column("event", "category", "event", levels=(0, 1), origin="public"),
)


def patients(n: int = 1500) -> pl.DataFrame:
    rng = stream(3, "patients")
    arm = rng.integers(0, 2, n)
    return pl.DataFrame(
        {
            "arm": np.array(["a", "b"])[arm],
            "age": rng.integers(18, 91, n),
            "dose": np.where(rng.random(n) < 0.1, -9.0, np.round(rng.random(n) * 5, 2)),
            "day": pl.Series(rng.integers(18000, 19000, n)).cast(pl.Int32).cast(pl.Date),
            "event": (rng.random(n) < 0.3 + 0.2 * arm).astype(np.int64),
        }
    )


@cache
def fitted(epsilon: float = 2.0, *, replace_one: bool = False) -> MarginalsModel:
    frame = patients()
    rho = rho_of(epsilon, 1e-6)
    allowance = Allowance(rho, 0.0, "replace", 1, frame.height) if replace_one else Allowance(rho, 0.0)
    model = GENERATORS["aim"]().fit(Vault(Cohort(frame, Schema(COLUMNS)), Ledger(), allowance), stream(0, "fit"))
    assert isinstance(model, MarginalsModel)
    return model


def share(frame: pl.DataFrame) -> tuple[float, float]:
    p = float((frame["event"] == 1).sum() / frame.height)
    return p, math.sqrt(p * (1 - p) / frame.height)


def copies_of(model: MarginalsModel, *, m: int = 1) -> Copies:
    return Copies(tuple(model.sample(model.n_rows, stream(9, i)).frame for i in range(m)), model.schema, model, private=True)


@pytest.mark.parametrize("replace_one", [False, True])
def test_a_saved_model_is_the_model(replace_one: bool) -> None:
    model = fitted(replace_one=replace_one)
    text = json.dumps(to_dict(model), allow_nan=False)
    again = from_dict(json.loads(text))
    first, second = json.loads(text), to_dict(again)
    assert first.pop("total") == pytest.approx(second.pop("total"), rel=1e-12)
    assert json.loads(json.dumps(second)) == first
    assert again.sample(300, stream(1)).frame.equals(model.sample(300, stream(1)).frame)
    assert (again.n_rows, again.measured, again.schema, dict(again.dtypes)) == (model.n_rows, model.measured, model.schema, dict(model.dtypes))
    ours, theirs = rerun(model, stream(2)), rerun(again, stream(2))
    assert np.array_equal(ours.cells, theirs.cells)
    np.testing.assert_allclose(ours.model.tree.belief, theirs.model.tree.belief, rtol=1e-6, atol=1e-6)


def test_nothing_read_from_the_rows_is_saved() -> None:
    model = fitted()
    private = Schema(tuple(replace(c, origin="private") for c in model.schema))
    with pytest.raises(BadInput, match="`age`") as refused:
        to_dict(replace(model, schema=private))
    assert "90" not in str(refused.value)


def _without(key: str) -> Callable[[dict], object]:
    return lambda d: d.pop(key)


@pytest.mark.parametrize(
    "spoil",
    [
        _without("axes"),
        lambda d: d.update(format="twinset model 99"),
        lambda d: d["marginals"][0].update(columns=["nobody"]),
        lambda d: d["marginals"][0]["potential"].update(data="%%%"),
        lambda d: d["marginals"][0]["potential"].update(dtype="|O"),
        lambda d: d["marginals"][0]["potential"].update(shape=[10**12]),
        lambda d: d["axes"][0]["cells"].update(shape=[1]),
        lambda d: d["columns"][0].update(dtype="Object"),
    ],
)
def test_a_spoilt_model_is_refused(spoil: Callable[[dict], object]) -> None:
    data = json.loads(json.dumps(to_dict(fitted())))
    spoil(data)
    with pytest.raises(BadInput):
        from_dict(data)


def test_independent_rows_have_the_chance_of_patients() -> None:
    """Counts of a cell vary as a binomial; systematic rows (what is released) hardly vary at all and would hide the sampling error."""
    model = fitted()
    cells = [np.bincount(independent_rows(model.tree, 500, stream(i, "rows"))[4], minlength=2)[1] for i in range(400)]
    p = model.tree.marginal((4,))
    assert p is not None
    p = p[1] / p.sum()
    assert np.mean(cells) == pytest.approx(500 * p, abs=4 * math.sqrt(500 * p * (1 - p) / 400))
    assert np.var(cells) == pytest.approx(500 * p * (1 - p), rel=0.35)
    systematic = [int((model.sample(500, stream(i)).frame["event"] == 1).sum()) for i in range(50)]
    assert np.var(systematic) < 0.3 * np.var(cells)  # at most 0.05 seen in 14 noisy models


def test_error_of_a_share_has_its_closed_form() -> None:
    """Sampling p (1 - p) / n, noise sigma^2 (2 p^2 + (1 - p)^2) / n^2: the noise of the gaps' cell joins the larger of the other two.

    Catches noise added twice, forgotten, or of the wrong scale. The ratio has a standard deviation of 0.07 over draws: false failures 1 in 10,000.
    """
    column = Column("event", "category", levels=(0, 1), origin="public")
    frame = patients().select("event")
    vault = Vault(Cohort(frame, Schema((column,))), Ledger(), Allowance(rho_of(0.3, 1e-6), 0.0))
    model = GENERATORS["aim"]().fit(vault, stream(0))
    assert isinstance(model, MarginalsModel)
    found = infer_population(copies_of(model), share, runs=300, level=0.95, seed=1)
    n, p = model.n_rows, found.value
    variance = model.fitting.combined.cliques[(0,)]
    assert found.sampling == pytest.approx(math.sqrt(p * (1 - p) / n), rel=0.15)
    assert found.privacy == pytest.approx(math.sqrt(variance * (2 * p**2 + (1 - p) ** 2)) / n, rel=0.3)
    assert found.synthesis < 0.2 * found.sampling


def test_parts_and_sentence() -> None:
    found, again = (infer_population(copies_of(fitted(0.3), m=2), share, runs=60, level=0.95, seed=4) for _ in range(2))
    assert found == again
    assert found.low < found.value - found.bias < found.high
    assert found.error == pytest.approx(math.sqrt(found.sampling**2 + found.privacy**2 + found.synthesis**2), rel=0.02)
    assert found.high - found.low > found.naive_high - found.naive_low
    assert (found.copies, found.runs, found.n) == (2, 60, fitted(0.3).n_rows)
    assert "naive" in found.says
    assert "never measured" in found.silent_on
    assert "share its noise" in found.silent_on
    wider = infer_population(copies_of(fitted(0.3), m=2), share, runs=60, level=0.99, seed=4)
    assert wider.high - wider.low > found.high - found.low


def test_a_relation_that_was_never_measured_is_named() -> None:
    """The model below knows arm and event apart: a share of one column is fine, a difference between arms is not."""
    model = fitted()
    apart = replace(model, measured=tuple(m for m in model.measured if set(m[0]) != {"arm", "event"}))

    def gap(frame: pl.DataFrame) -> float:
        return share(frame.filter(pl.col("arm") == "b"))[0] - share(frame.filter(pl.col("arm") == "a"))[0]

    for source, analysis, pairs in ((model, gap, ()), (apart, share, ()), (apart, gap, ("arm x event",))):
        found = infer_population(copies_of(source), analysis, runs=20, level=0.95, seed=0)
        assert found.unmeasured == pairs
        assert ("Not to be trusted" in found.says) == bool(pairs)


def test_copies_of_one_model_are_not_independent() -> None:
    """Ten copies do not divide the error by the square root of ten: they share the noise and the patients."""
    one, ten = (infer_population(copies_of(fitted(), m=m), share, runs=60, level=0.95, seed=4) for m in (1, 10))
    assert ten.error > 0.7 * one.error


def test_analyses_in_every_form() -> None:
    copies = copies_of(fitted())
    with_error, without = infer_all(copies, (share, lambda f: share(f)[0]), runs=40, level=0.95, seed=0)
    assert (with_error.low, with_error.high) == (without.low, without.high)
    assert math.isnan(without.naive_error)
    assert without.to_dict()["naive_low"] is None
    with pytest.raises(BadInput, match="no finite estimate on a released copy"):
        infer_population(copies, lambda f: math.nan, runs=40, level=0.95, seed=0)
    with pytest.raises(BadInput, match="neither a function"):
        infer_population(copies, 3, runs=40, level=0.95, seed=0)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no endpoint"):
        infer_population(copies, "death", runs=40, level=0.95, seed=0)
    with pytest.raises(BadInput, match="20 runs"):
        infer_population(copies, share, runs=5, level=0.95, seed=0)
    first = copies.frames[0]
    with pytest.raises(BadInput, match="noise is too large"):
        infer_population(copies, lambda f: share(f)[0] if f.equals(first) else math.nan, runs=40, level=0.95, seed=0)


def test_t_s_where_no_model_was_released() -> None:
    frame = patients()
    made = twinset.combine([frame], share, n=750, generator="trees")
    p, error = share(frame)
    assert made.value == pytest.approx(p)
    assert made.error == pytest.approx(error * math.sqrt(2 + 1))
    assert "only if the generator's model is right" in made.silent_on
    assert "up to 1.4 times" in made.says
    assert "default settings" in made.says
    with pytest.raises(BadInput, match="number of real patients"):
        twinset.combine([frame], share, generator="trees")
    with pytest.raises(BadInput, match="standard error"):
        twinset.combine([frame], lambda f: share(f)[0], n=750, generator="trees")
    with pytest.raises(BadInput, match="equally many rows"):
        twinset.combine([frame, frame.head(10)], share, n=750, generator="trees")


def test_frames_alone_do_not_say_who_made_them() -> None:
    with pytest.raises(BadInput, match="which generator made") as asked:
        twinset.combine([patients()], share, n=750)
    assert "generator=" in asked.value.hint
    with pytest.raises(BadInput, match="no rule is known"):
        twinset.combine([patients()], share, n=750, generator="avatars")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"private": True}, "without its model"),
        ({"generator": "avatars"}, "no rule is known"),
        ({"generator": "copycat"}, "no rule is known"),
        ({"generator": "bayesian_network"}, "was not tested"),
        ({"generator": "somebody:Else"}, "was not tested"),
        ({"generator": "trees", "settings": {"leaf": 7}}, "older version"),
        ({"generator": "trees", "settings": {"dealing": "random"}}, "not with another `dealing`"),
        ({"generator": "trees", "settings": {"dealing": "score", "strata": ["arm"], "by_arm": False}}, "not with another `strata`, `by_arm`"),
    ],
)
def test_refused_where_no_rule_fits(changed: dict[str, object], said: str) -> None:
    copies = replace(Copies((patients(),), None, None, n=1500), **changed)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=said) as refused:
        infer_population(copies, share, runs=40, level=0.95, seed=0)
    assert refused.value.hint
    if "private" not in changed and said != "older version":
        assert "declared under [[endpoints]]" in refused.value.hint


def test_several_copies_of_trees_by_t_s() -> None:
    """T_s = v (k/n + 1/m): more copies take away what drawing adds, never what sampling does. Beyond what was tested it is said."""
    frames = [patients(), patients().sample(fraction=1.0, with_replacement=True, seed=1), patients().sample(fraction=1.0, with_replacement=True, seed=2)]
    default = Copies(tuple(frames), None, None, generator="trees", n=750, settings=resolved(GENERATORS, "trees", {"strata": []}))
    found = infer_population(default, share, runs=20, level=0.95, seed=0)
    values, errors = zip(*(share(f) for f in frames), strict=True)
    assert found.value == pytest.approx(np.mean(values))
    assert found.error == pytest.approx(math.sqrt(np.mean(np.square(errors)) * (2 + 1 / 3)))
    assert found.error > found.sampling == pytest.approx(math.sqrt(np.mean(np.square(errors)) * 2))
    assert "tested with up to" not in found.silent_on
    assert "default settings" not in found.says
    many = infer_population(replace(default, frames=(frames[0],) * 6), share, runs=20, level=0.95, seed=0)
    assert "up to 5 copies; these are 6" in many.silent_on


def test_not_a_release(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a release"):
        twinset.combine(tmp_path, share)


def test_released_folder(tmp_path: Path) -> None:
    """From the written folder and from memory alike, by a function and by the endpoint's name."""
    frame = patients().with_columns(pl.col("age").alias("time"))
    frame.write_csv(tmp_path / "patients.csv")
    columns = [*COLUMNS, Column("time", "integer", "time", low=18, high=90, origin="public")]
    sections = ""
    for c in columns:
        numbers = "" if c.low is None else f"low = {c.low}\nhigh = {c.high}\nmissing_codes = {list(c.missing_codes)}\n"
        levels = f"levels = {json.dumps(list(c.levels))}\n" if c.levels else ""
        sections += f'[columns.{c.name}]\ntype = "{c.kind}"\nrole = "{c.role}"\norigin = "public"\n{numbers}{levels}'
    study = (
        'name = "T"\nseed = 0\naudience = "x"\n[data]\npath = "patients.csv"\nseparator = ","\ndecimal = "."\nencoding = "utf-8"\nmissing = []\ndate_order = "ymd"\nunit = "row"\n[generator]\nname = "aim"\n[release]\nn = 0\ncopies = 2\n'
        f'[privacy]\nepsilon = 2\ndelta = 1e-6\nunit = "row"\nbudget = 2\n{sections}[policy]\nname = "p"\nchecks = []\n'
        '[[endpoints]]\nkind = "survival"\nname = "death"\ntime = "time"\nevent = "event"\nevent_value = 1\narm = "arm"\n'
    )
    (tmp_path / "study.toml").write_text(study)
    made = twinset.release(tmp_path / "study.toml", tmp_path / "twin")
    home = tmp_path / "twin" / "release"
    assert "model.json" in (home / "README.md").read_text()
    assert "share its noise" in (home / "README.md").read_text()
    assert "model.json" in (home / "SHA256SUMS").read_text()
    found: list[Inference] = [twinset.combine(source, share, runs=20) for source in (tmp_path / "twin", home, made)]
    assert found[0] == found[1] == found[2]
    assert found[0].rule == BOOTSTRAP
    death = twinset.combine(home, "death", runs=20)
    assert death.low < death.high
    assert death.naive_error > 0
    (home / "model.json").unlink()
    with pytest.raises(BadInput, match="without its model"):
        twinset.combine(home, share)
    with pytest.raises(BadInput, match="says itself"):
        twinset.combine(home, share, generator="trees")
