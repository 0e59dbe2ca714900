"""Survival curves of train and synthetic patients, and whether all arms differ alike (log-rank)."""

from __future__ import annotations

import math

import numpy as np

from twinset.audit.endpoints.hazards import Z95, kaplan_meier, logrank
from twinset.audit.endpoints.hazards import Survival as Estimate
from twinset.core.contracts import Curve
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

SILENT = "The largest gap says nothing about how the arms differ among themselves, nor about times when fewer than ten patients are at risk."
DRAWS = 400
AT_RISK = 10
TimesEvents = tuple[np.ndarray, np.ndarray]


def curve(endpoint: str, cohort: str, arm: str, estimate: Estimate, grid: np.ndarray) -> Curve:
    """A curve as plain numbers."""
    columns = (grid, estimate.survival, estimate.low, estimate.high)
    times, survival, low, high = (tuple(float(x) for x in c) for c in columns)
    return Curve(endpoint, cohort, arm, times, survival, low, high)


def gap_finding(endpoint: str, arm: str, parts: dict[str, TimesEvents], grid: np.ndarray, rng: Rng) -> Finding:
    """Largest vertical gap between the train and the synthetic curve of one arm.

    ``parts``: times and events of "train" and "synthetic" patients of the arm, perhaps "holdout", and "independent"
    (train times and events drawn apart from each other and from the arm). Compared while ten patients are at risk in both: later the curves are noise.
    """
    where = f"{endpoint}: {arm}" if arm else endpoint
    label = f"Survival curve, {arm}" if arm else "Survival curve"
    if min(len(parts["train"][0]), len(parts["synthetic"][0])) < 2:
        return not_measured("endpoint.curve", "fewer than two patients in train or in the synthetic cohort", where=where, label=label)
    curves = {k: kaplan_meier(*v, grid) for k, v in parts.items() if len(v[0])}
    sizes = {k: len(v[0]) for k, v in parts.items()}
    followed = _followed([parts["train"][0], parts["synthetic"][0]], grid)
    curves = {k: c.until(followed) for k, c in curves.items()}
    train, synthetic = curves["train"], curves["synthetic"]
    gaps = np.abs(train.survival - synthetic.survival)
    at = int(gaps.argmax())
    value, n = float(gaps[at]), sizes["synthetic"]
    error = Z95 * float(synthetic.survival[at] * math.sqrt(synthetic.greenwood[at]))
    null = _null_gaps(train, sizes["train"] / n, rng)
    beside = {"floor": float(null.mean()), "floor_low": float(np.quantile(null, 0.025)), "floor_high": float(np.quantile(null, 0.975))}
    beside["perfect"] = beside["floor"] / math.sqrt(1 + n / sizes["train"])  # the same walk without train's own scatter: variance 1/k of 1/n + 1/k
    beside |= _scales(curves, sizes, beside["floor"], rng)
    says = f"The curves differ by at most {value:.3f}; those of two groups of patients of these sizes would by {beside['floor']:.3f}."
    return Finding("endpoint.curve", value, max(0.0, value - error), min(1.0, value + error), n, "lower", beside, where, says, SILENT, label=label)


def logrank_finding(endpoint: str, groups: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], ratio: float, constraint: str) -> Finding:
    """Whether the log-rank decision at 5 % is kept once the synthetic statistic is widened (T_s: divided by k/n + 1).

    ``groups``: time, event and group of "train" and "synthetic" patients.
    """
    from scipy.stats import chi2, ncx2

    statistic, freedom = logrank(*groups["train"])
    other, other_freedom = logrank(*groups["synthetic"])
    p_train, p_other = float(chi2.sf(statistic, freedom)), float(chi2.sf(other / (ratio + 1), other_freedom))
    kept = (p_train < 0.05) == (p_other < 0.05)
    cut = float(chi2.ppf(0.95, freedom)) * (ratio + 1)
    rejects = {
        "floor": float(ncx2.sf(cut / (ratio + 1), freedom, statistic * ratio / (ratio + 1))),  # fresh patients: variance 1/n + 1/k
        "perfect": float(ncx2.sf(cut, freedom, statistic * ratio)),
        "independent": float(chi2.sf(cut, freedom)),
    }
    beside = rejects if p_train < 0.05 else {k: 1 - v for k, v in rejects.items()}
    says = f"The log-rank test at 5 % {'is' if kept else 'is not'} decided alike (train p = {p_train:.2g}, synthetic p = {p_other:.2g} after widening)."
    silent = "One decision, so the interval is wide. The widening (T_s) serves to decide; it is no statement about the population."
    silent += f" Imposed, not replicated: {constraint}" if constraint else ""
    bounds = (0.025, 1.0) if kept else (0.0, 0.975)
    return Finding("endpoint.logrank", float(kept), *bounds, 1, "higher", beside, endpoint, says, silent, label="Log-rank decision kept")


def _followed(times: list[np.ndarray], grid: np.ndarray) -> int:
    """How many times of the grid see at least ``AT_RISK`` patients of every group (all of them in a smaller group) at risk; at least one."""
    ends = [float(np.sort(t)[-min(AT_RISK, len(t))]) for t in times]
    return max(1, int(np.searchsorted(grid, min(ends), side="right")))


def _scales(curves: dict[str, Estimate], sizes: dict[str, int], floor: float, rng: Rng) -> dict[str, float]:
    """``holdout`` (brought to the synthetic size by the ratio of the floors) and ``independent`` (time, event and arm drawn apart)."""
    train = curves["train"]
    out = {"independent": float(np.abs(train.survival - curves["independent"].survival).max())}
    if "holdout" in curves:
        own = float(_null_gaps(train, sizes["train"] / sizes["holdout"], rng).mean())
        out["holdout"] = float(np.abs(train.survival - curves["holdout"].survival).max()) * (floor / own if own > 0 else 1.0)
    return out


def _null_gaps(train: Estimate, ratio: float, rng: Rng) -> np.ndarray:
    """Largest gaps between the curves of two samples of one population (draws,): S(t) W(V(t)), W Brownian motion, V Greenwood's sum of both.

    ``ratio``: train patients per patient of the other sample.
    """
    variance = np.diff(np.r_[0.0, train.greenwood]) * (1 + ratio)
    steps = rng.standard_normal((DRAWS, len(variance))) * np.sqrt(np.maximum(variance, 0.0))
    return np.asarray(np.abs(np.cumsum(steps, axis=1) * train.survival).max(axis=1))
