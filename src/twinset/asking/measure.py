"""A question's looks, and what is told from them: one function a kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from twinset.asking import cells, estimate, hazard
from twinset.asking.check import survival
from twinset.asking.estimate import GRAIN, Sums, Told
from twinset.asking.look import Looks
from twinset.asking.question import Kind, Question
from twinset.core.contracts import Endpoint
from twinset.core.schema import Column

FIRST, NEXT = 16, 12  # cells of a quantile's first look, and of the window of those that follow
ROUGH = 0.15, 0.2  # of rho: for a quantile's looks before the last
WHEN = 0.15  # of rho: for when patients leave, which settles the bins of an effect
WINDOW = 3.3  # standard deviations: a window misses its quantile once in a thousand looks
SUM, SQUARES = 0.6, 0.15  # of rho, for a mean; the count has the rest


@dataclass(frozen=True)
class Measured:
    """One figure: what it is, of which group (a place among the combinations of the groups' levels), and what was found."""

    measure: str
    group: int
    told: Told


def measure(question: Question, looks: Looks, endpoints: Sequence[Endpoint], *, rho: float) -> list[Measured]:
    """The figures of one question, for ``rho`` in all. The question has been checked (``check``)."""
    return MEASURES[question.kind](question, looks, endpoints, rho)


def _count(question: Question, looks: Looks, _: Sequence[Endpoint], rho: float) -> list[Measured]:
    group, n = cells.grouped(looks.cohort, question.by, question.where)
    found = looks.counts(question.text, group, n, rho=rho)
    return [Measured("count", g, estimate.count(found.values[g], sigma=found.sigma, spread=looks.spread)) for g in range(n)]


def _share(question: Question, looks: Looks, _: Sequence[Endpoint], rho: float) -> list[Measured]:
    assert question.share is not None
    group, n = cells.grouped(looks.cohort, question.by, question.where)
    found = looks.counts(question.text, cells.within(group, cells.either(looks.cohort, question.share), 2), 2 * n, rho=rho)
    pairs = found.values.reshape(n, 2)
    return [Measured("share", g, estimate.share(*pairs[g], sigma=found.sigma, spread=looks.spread)) for g in range(n)]


def _mean(question: Question, looks: Looks, _: Sequence[Endpoint], rho: float) -> list[Measured]:
    """Count, sum and sum of squares, the latter two of steps between the declared bounds, counted from their middle."""
    column = looks.cohort.schema[question.column]
    group, n = cells.grouped(looks.cohort, question.by, question.where)
    value, half = cells.steps(looks.cohort, column), cells.n_steps(column)
    group = np.where(value < 0, cells.NOWHERE, group)
    around = 2 * np.arange(half + 1) - half  # twice the distance from the middle, so that it is whole
    squares = np.rint((around / half) ** 2 * GRAIN).astype(np.int64) - GRAIN // 2
    counts = looks.counts(f"{question.text}: count", group, n, rho=(1 - SUM - SQUARES) * rho)
    sums = looks.totals(f"{question.text}: sum", group, n, value=value, weights=around, rho=SUM * rho)
    second = looks.totals(f"{question.text}: squares", group, n, value=value, weights=squares, rho=SQUARES * rho)
    noise = (counts.sigma, sums.sigma, second.sigma)
    low, high = cells.bounds(column)
    out = []
    for g in range(n):
        told = estimate.mean(Sums(counts.values[g], sums.values[g], second.values[g], *noise, half=float(half)), spread=looks.spread)
        out.append(Measured("mean", g, _scaled(told, (low + high) / 2, (high - low) / (2 * half))))
    return out


def _quantile(question: Question, looks: Looks, _: Sequence[Endpoint], rho: float) -> list[Measured]:
    """Rough looks, each with the window that the one before it could not rule out, then a fine one. Whole numbers need no look finer than one."""
    column = looks.cohort.schema[question.column]
    group, n = cells.grouped(looks.cohort, question.by, question.where)
    whole = cells.whole(column)
    edges = [_even(*cells.bounds(column), FIRST, whole=whole)] * n
    window = [(float(e[0]), float(e[-1])) for e in edges]
    left = 1.0
    for part, which in zip(ROUGH, ("roughly", "closer"), strict=True):
        if whole and all(np.all(np.diff(e)[1 if len(e) > FIRST else 0 : -1] == 1) for e in edges):
            break
        found, sigma = _histograms(looks, f"{question.text}: {which}", column, edges, group, rho=part * rho)
        seen = zip(found, edges, window, strict=True)
        window = [estimate.left_over(c, e, question.at, sigma=sigma, within=w, spread=looks.spread, reach=WINDOW) for c, e, w in seen]
        edges = [_about(w, edges[0], whole=whole) for w in window]
        left -= part
    counts, sigma = _histograms(looks, question.text, column, edges, group, rho=left * rho)
    name = f"quantile {question.at:g}"
    asked = zip(counts, edges, window, strict=True)
    told = [estimate.quantile(c, e, question.at, sigma=sigma, within=w, whole=whole, spread=looks.spread) for c, e, w in asked]
    return [Measured(name, g, t) for g, t in enumerate(told)]


def _histograms(looks: Looks, name: str, column: Column, edges: Sequence[np.ndarray], group: np.ndarray, *, rho: float) -> tuple[list[np.ndarray], float]:
    ends = np.cumsum([len(e) - 1 for e in edges])
    found = looks.counts(name, cells.between(looks.cohort, column, edges, group), int(ends[-1]), rho=rho)
    return np.split(found.values, ends[:-1]), found.sigma


def _even(low: float, high: float, parts: int, *, whole: bool) -> np.ndarray:
    """Edges of even cells; between whole numbers, where values are whole (the last cell then holds ``high``)."""
    edges = np.linspace(low, high + whole, parts + 1)
    return np.unique(np.ceil(edges)) if whole else edges


def _about(window: tuple[float, float], edges: np.ndarray, *, whole: bool) -> np.ndarray:
    """Cells for the next look: one below the window, even ones in it, one above it."""
    inner = np.linspace(*window, NEXT + 1)
    return np.unique(np.r_[edges[0], np.ceil(inner) if whole else inner, edges[-1]])


def _effect(question: Question, looks: Looks, endpoints: Sequence[Endpoint], rho: float) -> list[Measured]:
    """When patients leave, all arms together, for bins that hold equally many; then who left in which bin, arm by arm, with or without the event."""
    endpoint = survival(question.endpoint, endpoints)
    assert endpoint is not None
    cohort, column = looks.cohort, looks.cohort.schema[endpoint.time]
    event = cells.happened(cohort, endpoint.event, endpoint.event_value)
    arms = endpoint.arms(cohort)
    everyone = np.where(event < 0, cells.NOWHERE, cells.everybody(cohort, question.where))
    arm = cells.within(everyone, cells.placed(cohort, endpoint.arm, arms), len(arms))
    fine = _even(*cells.bounds(column), hazard.FINE, whole=cells.whole(column))
    (rough,), _ = _histograms(looks, f"{question.text}: when", column, [fine], np.where(arm < 0, cells.NOWHERE, 0), rho=WHEN * rho)
    edges = hazard.bins(rough, fine)
    n = len(edges) - 1
    left = cells.between(cohort, column, [edges], np.where(arm < 0, cells.NOWHERE, 0))
    cell = cells.within(cells.within(arm, left, n), event, 2)
    found = looks.counts(question.text, cell, len(arms) * n * 2, rho=(1 - WHEN) * rho)
    table = found.values.reshape(len(arms), n, 2)
    return [Measured("hazard ratio", i, hazard.hazard_ratio(table, edges, i, sigma=found.sigma, spread=looks.spread)) for i in range(1, len(arms))]


def _scaled(told: Told, middle: float, step: float) -> Told:
    value = None if told.value is None else middle + step * told.value
    return Told(value, middle + step * told.low, middle + step * told.high, told.n, step * told.noise if math.isfinite(told.noise) else math.inf)


MEASURES: dict[Kind, Callable[[Question, Looks, Sequence[Endpoint], float], list[Measured]]] = {
    "count": _count,
    "share": _share,
    "mean": _mean,
    "quantile": _quantile,
    "effect": _effect,
}
