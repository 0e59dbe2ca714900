"""Analyses of a simulated trial as a reader would do them: each takes a frame and gives (estimate, standard error), NaN where there is no finite one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl

from twinset.audit.endpoints.hazards import cox

Analysis = Callable[[pl.DataFrame], tuple[float, float]]
NOTHING = (math.nan, math.nan)
Z95 = 1.959963984540054


def proportion(frame: pl.DataFrame, of: str) -> tuple[float, float]:
    """Share of ones in a 0/1 column, gaps left out."""
    known = frame[of].drop_nulls().to_numpy()
    p = float(known.mean())
    return p, math.sqrt(p * (1 - p) / len(known))


def mean(frame: pl.DataFrame, of: str) -> tuple[float, float]:
    """Mean of a number, gaps left out."""
    known = frame[of].drop_nulls().to_numpy()
    return float(known.mean()), float(known.std(ddof=1) / math.sqrt(len(known)))


def logistic(frame: pl.DataFrame, of: str, on: tuple[str, ...], what: str) -> tuple[float, float]:
    """Log odds ratio of one unit of ``what`` (one of ``on``), adjusted for the others of ``on``; rows with a gap are left out."""
    x, y = _design(frame, on, of)
    beta, covariance = logit_fit(x, y)
    place = 1 + on.index(what)
    return (float(beta[place]), math.sqrt(covariance[place, place])) if np.isfinite(covariance).all() else NOTHING


def slope(frame: pl.DataFrame, of: str, on: tuple[str, ...], what: str) -> tuple[float, float]:
    """Coefficient of ``what`` in the least-squares fit of ``of`` on all of ``on``."""
    x, y = _design(frame, on, of)
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    residual = y - x @ beta
    place = 1 + on.index(what)
    return float(beta[place]), math.sqrt(float(residual @ residual) / (len(y) - x.shape[1]) * inverse[place, place])


def curvature(frame: pl.DataFrame, of: str, on: str, centre: float, scale: float) -> tuple[float, float]:
    """Coefficient of the square of (``on`` - centre) / scale, beside its linear term."""
    known = frame.select((pl.col(on).cast(pl.Float64) - centre) / scale, of).drop_nulls()
    return slope(known.with_columns((pl.col(on) ** 2).alias("square")), of, (on, "square"), "square")


def log_hazard_ratio(frame: pl.DataFrame, of: str, above: float = 0.0) -> tuple[float, float]:
    """Cox's model of ``time`` and ``event`` with one indicator: ``of`` is above ``above``."""
    known = frame.select("time", "event", of).drop_nulls()
    group = (known[of].to_numpy() > above).astype(np.int64)
    if not 0 < group.sum() < len(group):
        return NOTHING
    fit = cox(known["time"].to_numpy().astype(np.float64), known["event"].to_numpy() == 1, group)
    return (float(fit.coefficients[0]), math.sqrt(fit.covariance[0, 0])) if fit.settled else NOTHING


def among(frame: pl.DataFrame, column: str, value: int, analysis: Analysis) -> tuple[float, float]:
    """An analysis of one subgroup."""
    return analysis(frame.filter(pl.col(column) == value))


def logit_fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood by Newton's method: coefficients (p,) and covariance (p, p), NaN where the steps ran away (separation)."""
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        information = (x * (p * (1 - p))[:, None]).T @ x
        if np.linalg.cond(information) > 1e12:
            break
        move = np.linalg.solve(information, x.T @ (y - p))
        beta = beta + move
        if np.abs(move).max() < 1e-9:
            return beta, np.linalg.inv(information)
    return beta, np.full((len(beta), len(beta)), math.nan)


def _design(frame: pl.DataFrame, on: tuple[str, ...], of: str) -> tuple[np.ndarray, np.ndarray]:
    known = frame.select(*on, of).drop_nulls().cast(pl.Float64).to_numpy()
    return np.column_stack([np.ones(len(known)), known[:, :-1]]), known[:, -1]
