"""Dealing by score: what it keeps, what stays exact, and that it bears gaps, many levels, strata, conditions and odd tables."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.schema import Column, Schema
from twinset.core.seeds import stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput
from twinset.generators.trees import Trees, TreesModel
from twinset.generators.trees.draw import NORMAL, _join
from twinset.generators.trees.score import Leaves, Predictors, regression, scale_of


def fit(frame: pl.DataFrame, columns: tuple[Column, ...], trees: Trees, seed: int = 0) -> TreesModel:
    return trees.fit(Vault(Cohort(frame, Schema(columns)), Ledger()), stream(seed, "fit"))


def test_the_score_is_the_ridge_regression_inside_leaves() -> None:
    """Against numpy's least squares on dummies of the leaves, with the same penalty."""
    rng = np.random.default_rng(1)
    n, leaf_of = 600, np.repeat(np.arange(6), 100)
    cells = rng.integers(0, 5, (2, n)).astype(np.uint8)
    y = (0.5 * cells[0] - 0.2 * cells[1] + leaf_of + rng.normal(size=n)).astype(np.float32)
    scales = [scale_of(c, 5, 0, last=False) for c in cells]
    predictors = Predictors(cells, np.array([0, 1]), scales, np.array([5, 5]), (), frozenset())
    tables = regression(predictors, Leaves(np.arange(n), np.arange(0, n + 1, 100)), y).tables(y)
    terms = [np.array([scale.place, *scale.more]) for scale in scales]  # the mid-rank, and each level but the ends
    x = np.column_stack([t[:, c].T for t, c in zip(terms, cells, strict=True)])
    for some in np.split(np.arange(n), 6):
        x[some] -= x[some].mean(axis=0)
    weights = np.linalg.solve(x.T @ x + 4 * np.eye(x.shape[1]), x.T @ y).reshape(2, -1)
    for p, own in enumerate(terms):
        assert own.shape == (4, 5)
        np.testing.assert_allclose(tables[0, p], weights[p] @ own, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("kind", ["normal", "skewed", "binary"])
def test_joining_keeps_the_regression_on_the_score_and_every_value(kind: str) -> None:
    """The slope of the values on the score that they were regressed on is one again; each donor is handed out once."""
    rng, slopes = np.random.default_rng(2), []
    for seed in range(40):
        score = 0.3 * rng.normal(size=400)
        y = {
            "normal": score + rng.normal(size=400),
            "skewed": score + rng.exponential(size=400),
            "binary": (rng.random(400) < 0.4 + score / 2).astype(float) * 2,
        }[kind]
        mine, chosen = rng.permutation(400), np.zeros(400, dtype=np.int32)
        held = np.arange(400, dtype=np.int32)[mine]
        _join(mine, held, y[held], score[held].copy(), chosen, np.array([seed], np.uint64))
        assert sorted(chosen) == list(range(400))
        slopes.append(np.polyfit(score, y[chosen], 1)[0] - np.polyfit(score, y, 1)[0])
    assert abs(np.mean(slopes)) < 0.1  # of about 1; handed out at random it would be -1


@pytest.mark.parametrize(("exposed", "share"), [(0.05, 0.05), (0.03, 0.1), (0.5, 0.05)])
def test_a_rare_exposure_keeps_its_effect_on_a_rare_event(exposed: float, share: float) -> None:
    """A yes/no value on a score of two values: by the rule for normal scores (the twin, in the comment) a risk difference of .2 was dealt as .5."""
    rng, real, made = np.random.default_rng(6), [], []
    for seed in range(200):
        risk = rng.random(400) < exposed
        y = (rng.random(400) < share + 0.2 * risk).astype(float)
        score = np.where(risk, y[risk].mean() if risk.any() else 0.0, y[~risk].mean())
        mine, chosen = rng.permutation(400), np.zeros(400, dtype=np.int32)
        held = np.arange(400, dtype=np.int32)[mine]
        _join(mine, held, y[held], score[held].copy(), chosen, np.array([seed], np.uint64))
        dealt = y[chosen]
        for out, v in ((real, y), (made, dealt)):
            out.append(v[risk].mean() - v[~risk].mean())
    assert np.mean(made) == pytest.approx(np.mean(real), abs=0.02)


def test_what_a_score_calls_equal_goes_out_at_random() -> None:
    """Two missing codes of which nothing tells: sorted by the score of missingness they were correlated with its predictors (.13 to .17)."""
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=1000)
        lab = np.where(rng.random(1000) < 1 / (1 + np.exp(-x)), rng.choice([-98.0, -99.0], 1000), (x + rng.normal(size=1000)).round(2))
        frame = pl.DataFrame({"x": x.round(2), "lab": lab})
        made = (
            fit(frame, (Column("x", "number"), Column("lab", "number", missing_codes=(-98.0, -99.0))), Trees(strictness=60.0, order=["x", "lab"]), seed)
            .sample(1000, stream(seed, "s"))
            .frame
        )
        coded = made.filter(pl.col("lab") < -90)
        found.append(np.corrcoef(coded["x"], coded["lab"])[0, 1])
    assert abs(np.mean(found)) < 0.06  # 500 gaps a table: 12 tables have a standard error of .013


def test_normal_quantiles() -> None:
    assert NORMAL[512] == pytest.approx(NormalDist().inv_cdf(0.5 + 0.5 / 1024))


def test_margins_are_as_dealt_whatever_the_dealing() -> None:
    """A column's values are those that a leaf deals out: by score as at random, as many rows as train hold each level."""
    rng = np.random.default_rng(3)
    arm, sick = rng.integers(0, 2, 500), rng.integers(0, 4, 500)
    frame = pl.DataFrame({"arm": arm, "sick": sick, "dead": (rng.random(500) < 0.2 + 0.15 * sick).astype(np.int64)})
    columns = tuple(Column(c, "category", r) for c, r in (("arm", "arm"), ("sick", ""), ("dead", "event")))  # type: ignore[arg-type]
    for dealing in ("score", "random"):
        made = fit(frame, columns, Trees(dealing=dealing)).sample(500, stream(0, "s")).frame
        for c in frame.columns:
            a, b = (f[c].value_counts().sort(c)["count"].to_numpy() for f in (frame, made))
            assert np.abs(a - b).max() <= 12, (dealing, c)  # one row a leaf


def test_an_arm_is_split_first_for_outcomes_only() -> None:
    """Arm and event tell nothing of each other: only the protected split makes their joint shares exact."""
    rng = np.random.default_rng(4)
    frame = pl.DataFrame({"arm": rng.integers(0, 3, 300), "dead": rng.integers(0, 2, 300), "time": rng.random(300).round(3), "age": rng.random(300).round(3)})
    columns = (Column("arm", "category", "arm"), Column("dead", "category", "event"), Column("time", "number", "time"), Column("age", "number"))

    def firsts(trees: Trees) -> dict[str, int]:
        return {s.train.column.name: int(s.nodes[0, 0]) for s in fit(frame, columns, trees).parts[0].steps}

    kept = firsts(Trees())
    arm = [s.train.column.name for s in fit(frame, columns, Trees()).parts[0].steps].index("arm")
    assert kept["time"] == arm
    assert kept["age"] == -1
    assert firsts(Trees(by_arm=False))["time"] == -1


def odd(n: int = 400) -> tuple[pl.DataFrame, tuple[Column, ...]]:
    """Gaps that depend on a column, a category of 60 levels that depends on it too, a constant, a number with heavy zeros, a nearly unique one."""
    rng = np.random.default_rng(5)
    sex, age = rng.integers(0, 2, n), rng.normal(60, 10, n).round()
    lab = np.where(rng.random(n) < 0.1 + 0.5 * sex, None, (age / 10 + rng.normal(size=n)).round(2))
    code = [f"c{int(a) // 2}" for a in age + rng.normal(0, 3, n)]
    frame = pl.DataFrame(
        {
            "sex": sex.astype(str),
            "age": age,
            "lab": pl.Series(lab.tolist(), dtype=pl.Float64),
            "code": code,
            "same": ["x"] * n,
            "cost": np.where(rng.random(n) < 0.6, 0, rng.gamma(2, 1 + sex, n).round(2)),
            "fine": rng.normal(size=n),
        }
    )
    kinds = {"sex": "category", "age": "integer", "lab": "number", "code": "category", "same": "category", "cost": "number", "fine": "number"}
    return frame, tuple(Column(c, k) for c, k in kinds.items())  # type: ignore[arg-type]


def test_gaps_and_many_levels_follow_the_score() -> None:
    """No split is allowed (strictness 60): whatever is kept, the score kept."""
    frame, columns = odd()
    by_score, at_random = (fit(frame, columns, Trees(dealing=d, strictness=60.0)).sample(4000, stream(1, "s")).frame for d in ("score", "random"))

    def gaps(f: pl.DataFrame) -> float:
        shares = f.group_by("sex").agg(pl.col("lab").is_null().mean()).sort("sex")["lab"]
        return float(shares[1] - shares[0])

    def ordered(f: pl.DataFrame) -> float:
        held = f.drop_nulls("lab")
        return float(np.corrcoef(held["age"], held["lab"])[0, 1])

    def coded(f: pl.DataFrame) -> float:
        return float(np.corrcoef(f["age"], f["code"].str.slice(1).cast(pl.Int64))[0, 1])

    for measure in (gaps, ordered, coded):
        assert measure(by_score) > 0.75 * measure(frame), measure.__name__
        assert abs(measure(at_random)) < 0.25 * measure(frame), measure.__name__


def test_strata_conditions_and_small_numbers_of_rows() -> None:
    frame, columns = odd()
    model = fit(frame, columns, Trees(strata=["sex"], first=["age"]))
    given = pl.DataFrame({"sex": ["0", "1", "0"], "age": [50, 60, 70]})
    assert model.sample_given(given, stream(0, "g")).frame.select("sex", "age").equals(given.cast({"age": model.dtypes["age"]}))
    for n in (0, 1, 2, 7):
        assert len(fit(frame, columns, Trees()).sample(n, stream(0, "s"))) == n
    for n in (1, 2, 13, 15):
        assert len(fit(frame.head(n), columns, Trees()).sample(20, stream(0, "s"))) == 20


def test_same_seed_same_rows_and_wrong_settings() -> None:
    frame, columns = odd(150)
    model = fit(frame, columns, Trees())
    assert model.sample(150, stream(9, "s")).frame.equals(model.sample(150, stream(9, "s")).frame)
    with pytest.raises(BadInput, match="dealing"):
        fit(frame, columns, Trees(dealing="neither"))


def test_an_arm_s_effect_in_one_sex_is_kept_on_a_number_without_a_role() -> None:
    """No split is allowed: only the product of arm and sex can keep it."""
    rng = np.random.default_rng(7)
    arm, sex = rng.integers(0, 2, 800), rng.integers(0, 2, 800)
    frame = pl.DataFrame({"arm": arm, "sex": sex, "pain": (rng.normal(size=800) + 1.5 * arm * sex).round(2)})
    columns = (Column("arm", "category", "arm"), Column("sex", "category"), Column("pain", "number"))

    def apart(f: pl.DataFrame) -> float:
        means = {(a, s): m for a, s, m in f.group_by("arm", "sex").agg(pl.col("pain").mean()).iter_rows()}
        return float((means[1, 1] - means[0, 1]) - (means[1, 0] - means[0, 0]))

    made = fit(frame, columns, Trees(strictness=60.0, order=["arm", "sex", "pain"])).sample(4000, stream(0, "s")).frame
    assert apart(made) == pytest.approx(apart(frame), abs=0.25)


def test_a_number_of_few_values_is_told_apart_value_by_value() -> None:
    """What holds for one of five values only: ranked on one axis, two thirds of it are lost."""
    rng = np.random.default_rng(8)
    grade = rng.integers(1, 6, 800)
    frame = pl.DataFrame({"mark": (rng.random(800) < np.where(grade == 2, 0.9, 0.1)).astype(np.int64), "grade": grade})
    columns = (Column("mark", "category"), Column("grade", "integer"))

    def second(f: pl.DataFrame) -> float:
        return float((f.filter(pl.col("mark") == 1)["grade"] == 2).mean())  # type: ignore[arg-type]

    made = fit(frame, columns, Trees(strictness=60.0, order=["mark", "grade"])).sample(4000, stream(0, "s")).frame
    assert second(made) == pytest.approx(second(frame), abs=0.08)
