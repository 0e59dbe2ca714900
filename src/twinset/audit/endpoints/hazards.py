"""Proportional hazards, log-rank and Kaplan-Meier for groups of patients, as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054


@dataclass(frozen=True, repr=False)
class Hazards:
    """Log hazard ratios of groups 1.. against group 0 and their covariance; ``settled`` is false where Newton's steps ran away (separation)."""

    coefficients: np.ndarray
    covariance: np.ndarray
    settled: bool


def cox(time: np.ndarray, event: np.ndarray, group: np.ndarray) -> Hazards:
    """Cox's model with one indicator per group but the first, ties by Efron (1977), by Newton's method.

    ``time`` float (n,), ``event`` bool (n,), ``group`` integers 0..g-1 (n,), all groups present. Agrees with lifelines' ``CoxPHFitter`` to 1e-5.
    A group without events has no finite estimate: ``settled`` is then false.
    """
    order = np.argsort(-time, kind="stable")  # from the last time back, so that risk sets are running sums
    time, event = time[order], event[order]
    design = (group[order][:, None] == np.arange(1, int(group.max()) + 1)).astype(np.float64)
    risk = np.searchsorted(-time, -time[event], side="right") - 1  # last row still at risk at each death's time
    unique, first, tied = np.unique(-time[event], return_inverse=True, return_counts=True)
    step = (np.arange(len(first)) - np.concatenate([[0], np.cumsum(tied)[:-1]])[first]) / tied[first]  # 0, 1/d, ... within a tie
    beta = np.zeros(design.shape[1])
    information = np.eye(len(beta))
    for _ in range(25):
        gradient, information = _slopes(beta, design, event, (risk, first, step, len(unique)))
        if np.linalg.cond(information) > 1e12:
            return Hazards(beta, np.full_like(information, np.nan), False)
        move = np.linalg.solve(information, gradient)
        beta = beta + np.clip(move, -2, 2)
        if np.abs(beta).max() > 15:
            return Hazards(beta, np.full_like(information, np.nan), False)
        if np.abs(move).max() < 1e-9:
            return Hazards(beta, np.linalg.inv(information), True)
    return Hazards(beta, np.linalg.inv(information), False)


Ties = tuple[np.ndarray, np.ndarray, np.ndarray, int]


def _slopes(beta: np.ndarray, design: np.ndarray, event: np.ndarray, ties: Ties) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and information of Efron's partial likelihood. Indicators only, so the second moment of a group is its first."""
    risk, first, step, n_times = ties
    weight = np.exp(design @ beta)
    dead = weight[event]
    at_risk = np.cumsum(weight)[risk]
    at_risk_group = np.cumsum(weight[:, None] * design, axis=0)[risk]
    deaths = np.bincount(first, weights=dead, minlength=n_times)[first]
    deaths_group = np.column_stack([np.bincount(first, weights=dead * x, minlength=n_times)[first] for x in design[event].T])
    share = (at_risk_group - step[:, None] * deaths_group) / (at_risk - step * deaths)[:, None]
    information = np.diag(share.sum(axis=0)) - share.T @ share
    return design[event].sum(axis=0) - share.sum(axis=0), information


def logrank(time: np.ndarray, event: np.ndarray, group: np.ndarray) -> tuple[float, int]:
    """The log-rank statistic of all groups and its degrees of freedom (Mantel 1966; chi-squared under equal hazards)."""
    n_groups = int(group.max()) + 1
    times = np.unique(time[event])
    dead = np.zeros((len(times), n_groups))
    np.add.at(dead, (np.searchsorted(times, time[event]), group[event]), 1)
    at_risk = np.column_stack([(group == g).sum() - np.searchsorted(np.sort(time[group == g]), times, side="left") for g in range(n_groups)])
    d, n = dead.sum(axis=1), at_risk.sum(axis=1)
    share = at_risk / n[:, None]
    gap = (dead - d[:, None] * share).sum(axis=0)
    factor = d * (n - d) / np.maximum(n - 1, 1)
    variance = np.diag((factor[:, None] * share).sum(axis=0)) - share.T @ (factor[:, None] * share)
    kept = slice(1, None)
    return float(gap[kept] @ np.linalg.pinv(variance[kept, kept]) @ gap[kept]), n_groups - 1


@dataclass(frozen=True, repr=False)
class Survival:
    """Kaplan-Meier at each time of a grid: ``survival``, Greenwood's sum (variance / survival²), and the 95 % band (log-log), all (times,)."""

    survival: np.ndarray
    greenwood: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def until(self, n_times: int) -> Survival:
        """The first times only."""
        return Survival(self.survival[:n_times], self.greenwood[:n_times], self.low[:n_times], self.high[:n_times])


def kaplan_meier(time: np.ndarray, event: np.ndarray, grid: np.ndarray) -> Survival:
    """The survival function on ``grid`` (ascending), right-continuous (Kaplan and Meier 1958; variance Greenwood 1926).

    >>> kaplan_meier(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, True, False, True]), np.array([0.0, 2.5])).survival
    array([1. , 0.5])
    """
    times = np.unique(time[event])
    dead = np.bincount(np.searchsorted(times, time[event]), minlength=len(times)).astype(np.float64)
    at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left").astype(np.float64)
    place = np.searchsorted(times, grid, side="right")
    survival = np.r_[1.0, np.cumprod(1 - dead / at_risk)][place]
    left = at_risk - dead
    greenwood = np.r_[0.0, np.cumsum(np.divide(dead, at_risk * left, out=np.zeros_like(dead), where=left > 0))][place]
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(survival)
        half = Z95 * np.sqrt(greenwood) / np.abs(log)
        low, high = survival ** np.exp(half), survival ** np.exp(-half)
    inside = (survival > 0) & (survival < 1)
    return Survival(survival, greenwood, np.where(inside, low, survival), np.where(inside, high, survival))


def two_sided(z: float) -> float:
    """P(|Z| > |z|), Z standard normal."""
    return math.erfc(abs(z) / math.sqrt(2))
