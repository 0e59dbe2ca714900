"""Simulated trials of known truth. ``python -m bench.trials`` prints the population's values that have no closed form, from four million patients.

``trial``: 15 columns; hazards by arm and stage, response by arm and stage, haemoglobin falling with age. ``hard``: an effect on death in women only, and a
biomarker that bends with age. ``null``: an arm that does nothing, three patients to one, few deaths; the stage still counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from bench.analyses import Analysis, among, curvature, log_hazard_ratio, logistic, mean, proportion, slope
from twinset.core.schema import Column, Role, Schema
from twinset.core.seeds import Rng, stream

STAGES = (0.35, 0.3, 0.2, 0.15)
HAZARD_ARM, HAZARD_STAGE = -0.37, 0.70  # log hazard ratios: of the arm, of stages 3 and 4
LOGIT, ODDS_ARM, ODDS_STAGE = 0.4, 0.70, -0.49  # of response: at stage 1, of the arm, of one stage more
HB_AGE = -0.05  # g/dL a year
WOMEN, BEND = -0.8, 0.35


@dataclass(frozen=True)
class Population:
    """Where patients come from: a draw of n of them, what its columns are, analyses by name, and what each gives in the whole population."""

    name: str
    draw: Callable[[int, Rng], pl.DataFrame]
    schema: Schema
    analyses: Mapping[str, Analysis]
    truth: Mapping[str, float]


def _patients(n: int, rng: Rng, *, treated: float = 0.5) -> dict[str, np.ndarray]:
    """All columns but event, time and response."""
    stage, arm, sex = 1 + rng.choice(4, n, p=STAGES), (rng.random(n) < treated).astype(np.int64), rng.integers(0, 2, n)
    age = np.clip(np.round(rng.normal(58 + 2 * stage, 10)), 18, 95)
    weight = np.round(rng.normal(68 + 12 * sex, 12), 1)
    return {
        "arm": arm,
        "stage": stage,
        "sex": sex,
        "age": age.astype(np.int64),
        "weight": weight,
        "hb": np.round(13 + 0.8 * sex + HB_AGE * (age - 60) + rng.normal(0, 1.3, n), 1),
        "marker": np.round(rng.gamma(2, 1 + 0.5 * stage), 2),
        "ecog": rng.binomial(2, 0.15 + 0.1 * stage),
        "creatinine": np.round(np.exp(rng.normal(4.2 + 0.15 * sex + 0.005 * (age - 60), 0.2)), 0).astype(np.int64),
        "systolic": np.round(rng.normal(128 + 0.4 * (age - 60) + 0.2 * (weight - 74), 15)).astype(np.int64),
        "diabetes": (rng.random(n) < _logistic(-2 + 0.03 * (weight - 74))).astype(np.int64),
        "smoker": rng.choice(3, n, p=(0.5, 0.3, 0.2)),
    }


def _followed(columns: dict[str, np.ndarray], log_hazard: np.ndarray, rng: Rng, *, months: float = 24.0) -> dict[str, np.ndarray]:
    """With time and event: exponential times of mean ``months`` at log hazard 0, censored evenly between 6 and 36 months."""
    n = len(log_hazard)
    died, left = rng.exponential(months / np.exp(log_hazard)), rng.uniform(6, 36, n)
    return columns | {"event": (died <= left).astype(np.int64), "time": np.round(np.minimum(died, left), 1)}


def _answered(columns: dict[str, np.ndarray], arm_effect: float, rng: Rng) -> pl.DataFrame:
    chance = _logistic(LOGIT + arm_effect * columns["arm"] + ODDS_STAGE * (columns["stage"] - 1))
    return pl.DataFrame(columns | {"response": (rng.random(len(chance)) < chance).astype(np.int64)}).select(SCHEMA.names)


def draw_trial(n: int, rng: Rng) -> pl.DataFrame:
    columns = _patients(n, rng)
    return _answered(_followed(columns, HAZARD_ARM * columns["arm"] + HAZARD_STAGE * (columns["stage"] > 2), rng), ODDS_ARM, rng)


def draw_hard(n: int, rng: Rng) -> pl.DataFrame:
    columns = _patients(n, rng)
    old = (columns["age"] - 62) / 10
    columns["marker"] = np.round(5 + 0.5 * old + BEND * old**2 + rng.normal(0, 1, n), 2)
    return _answered(_followed(columns, WOMEN * columns["arm"] * (columns["sex"] == 0) + HAZARD_STAGE * (columns["stage"] > 2), rng), ODDS_ARM, rng)


def draw_null(n: int, rng: Rng) -> pl.DataFrame:
    columns = _patients(n, rng, treated=0.75)
    return _answered(_followed(columns, HAZARD_STAGE * (columns["stage"] > 2), rng, months=120.0), 0.0, rng)


def _logistic(x: np.ndarray | float) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


ROLES: dict[str, Role] = {"arm": "arm", "event": "event", "time": "time", "response": "outcome"}
CATEGORIES = {
    "arm": (0, 1),
    "event": (0, 1),
    "response": (0, 1),
    "stage": (1, 2, 3, 4),
    "sex": (0, 1),
    "ecog": (0, 1, 2),
    "diabetes": (0, 1),
    "smoker": (0, 1, 2),
}
ORDER = ("arm", "event", "time", "response", "age", "sex", "stage", "ecog", "hb", "weight", "marker", "creatinine", "systolic", "diabetes", "smoker")
WHOLE = ("age", "creatinine", "systolic")
SCHEMA = Schema(
    tuple(
        Column(name, "category", ROLES.get(name, ""), levels=CATEGORIES[name])
        if name in CATEGORIES
        else Column(name, "integer" if name in WHOLE else "number", ROLES.get(name, ""))
        for name in ORDER
    )
)
ON = ("arm", "stage", "age")
ANALYSES: dict[str, Analysis] = {
    "proportion": partial(proportion, of="response"),
    "mean": partial(mean, of="marker"),
    "OR arm": partial(logistic, of="response", on=ON, what="arm"),
    "OR stage": partial(logistic, of="response", on=ON, what="stage"),
    "HR arm": partial(log_hazard_ratio, of="arm"),
    "HR stage": partial(log_hazard_ratio, of="stage", above=2),
    "slope": partial(slope, of="hb", on=("age",), what="age"),
}
HARD: dict[str, Analysis] = {
    "HR women": partial(among, column="sex", value=0, analysis=partial(log_hazard_ratio, of="arm")),
    "HR men": partial(among, column="sex", value=1, analysis=partial(log_hazard_ratio, of="arm")),
    "bend": partial(curvature, of="marker", on="age", centre=62, scale=10),
}
NULL: dict[str, Analysis] = {k: ANALYSES[k] for k in ("OR arm", "HR arm", "HR stage")}
_RESPONDS = float(np.mean([np.dot(STAGES, _logistic(LOGIT + ODDS_ARM * a + ODDS_STAGE * np.arange(4))) for a in (0, 1)]))
# the arm's hazard ratio without the stage, and the stage's without the arm, are nearer to none than those the times were drawn with: python -m bench.trials
TRUTH = {
    "proportion": _RESPONDS,
    "mean": 2 * (1 + 0.5 * float(np.dot(STAGES, (1, 2, 3, 4)))),
    "OR arm": ODDS_ARM,
    "OR stage": ODDS_STAGE,
    "HR arm": -0.351,
    "HR stage": 0.69,
    "slope": HB_AGE,
}

POPULATIONS = {
    "trial": Population("trial", draw_trial, SCHEMA, ANALYSES, TRUTH),
    "hard": Population("hard", draw_hard, SCHEMA, HARD, {"HR women": -0.765, "HR men": 0.0, "bend": BEND}),
    "null": Population("null", draw_null, SCHEMA, NULL, {"OR arm": 0.0, "HR arm": 0.0}),
}


def main() -> None:
    for population in POPULATIONS.values():
        frame = population.draw(4_000_000, stream(0, "population", population.name))
        for name, analysis in population.analyses.items():
            value, error = analysis(frame)
            print(f"{population.name:6} {name:11} {value:+.4f} ± {error:.4f}   stated {population.truth.get(name, float('nan')):+.4f}", flush=True)


if __name__ == "__main__":
    main()
