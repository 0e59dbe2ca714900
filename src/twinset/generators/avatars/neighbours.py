"""Near patients of each seed, and weights that let no patient dominate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from twinset.core.cohort import Cohort

FloatArray = np.ndarray
IntArray = np.ndarray


@dataclass(frozen=True, repr=False)
class Near:
    """``rows`` (seeds, k) int32: train rows near each seed; ``distances`` the same shape, float32 or empty if not asked for."""

    rows: IntArray
    distances: FloatArray


def nearest(points: FloatArray, seeds: IntArray, candidates: IntArray, k: int, *, distances: bool = False) -> Near:
    """The k candidate rows nearest to each seed, its own row excluded, nearest first.

    ``points`` (n, c); ``seeds`` and ``candidates`` are row numbers; k must be below the number of candidates.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points[candidates], leafsize=24)
    rows = np.empty((len(seeds), k), dtype=np.int32)
    far = np.empty((len(seeds), k if distances else 0), dtype=np.float64)
    step = max(1, 4_000_000 // (k + 1))
    for start in range(0, len(seeds), step):
        part = seeds[start : start + step]
        d, at = tree.query(points[part], k=k + 1)
        found = candidates[at]
        own = found == part[:, None]
        own[~own.any(axis=1), -1] = True
        rows[start : start + step] = found[~own].reshape(len(part), k)
        if distances:
            far[start : start + step] = d[~own].reshape(len(part), k)
    return Near(rows, far)


@dataclass(frozen=True, repr=False)
class Patients:
    """Whose row each is, both (n,): ``units``, the patient, and ``origins``, whom he is a copy of: himself but where patients were drawn with replacement."""

    units: IntArray
    origins: IntArray

    def most_alike(self, rows: IntArray) -> int:
        """The most patients among these rows that are copies of one, himself counted: 1 where nobody is a copy."""
        if self.origins is self.units:
            return 1
        _, first = np.unique(self.units[rows], return_index=True)
        return int(np.unique(self.origins[rows][first], return_counts=True)[1].max(initial=1))


def patients_of(train: Cohort) -> Patients:
    """The patient of each row, and whom he is a copy of."""
    units = train.units()
    return Patients(units, units if train.origin is None else train.origin)


def nearest_patients(points: FloatArray, seeds: IntArray, candidates: IntArray, patients: Patients, k: int) -> IntArray:
    """The nearest candidate row of each of the k nearest *other* patients of each seed, shape (seeds, k) int32.

    Copies of the seed's own patient are not others: he would be his own neighbour, and what is lost between a patient and his neighbours would be lost
    no more. There must be at least k patients beside him and them among the candidates.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points[candidates], leafsize=24)
    rows = np.full((len(seeds), k), -1, dtype=np.int32)
    todo = np.arange(len(seeds))
    ask = min(len(candidates), 8 + k + k // 2)
    while len(todo):
        left = []
        step = max(1, 4_000_000 // ask)
        for start in range(0, len(todo), step):
            part = todo[start : start + step]
            at = tree.query(points[seeds[part]], k=ask)[1].reshape(len(part), ask)
            found, whole = _one_per_patient(candidates[at], patients.units, patients.origins, patients.origins[seeds[part]], k)
            rows[part] = found
            left.append(part[~whole])
        todo = np.concatenate(left) if ask < len(candidates) else todo[:0]
        ask = min(len(candidates), ask * 3)
    return rows


@njit(cache=True)
def _one_per_patient(found: IntArray, units: IntArray, origins: IntArray, own: IntArray, k: int) -> tuple[IntArray, IntArray]:
    n, width = found.shape
    out = np.full((n, k), -1, dtype=np.int32)
    whole = np.zeros(n, dtype=np.bool_)
    for i in range(n):
        held = 0
        for j in range(width):
            row = found[i, j]
            fresh = origins[row] != own[i]
            for h in range(held):
                if units[out[i, h]] == units[row]:
                    fresh = False
                    break
            if fresh:
                out[i, held] = row
                held += 1
                if held == k:
                    break
        whole[i] = held == k
        for h in range(held, k):
            out[i, h] = out[i, 0]
    return out, whole


@njit(cache=True)
def balanced(near: IntArray, times: IntArray, shares: FloatArray, rounds: int, cap: float) -> FloatArray:
    """Weights (seeds, k) float32, each row summing to 1, no weight far above cap / k, donors used as often as their share.

    ``near`` (seeds, k): donors as positions in ``shares``; ``times`` (seeds,): how often each seed is used;
    ``shares`` (donors,): patients each donor stands for. Iterative proportional fitting, ``rounds`` times: divide by the
    donors' totals, cap, normalise rows.
    """
    n, k = near.shape
    weights = np.full((n, k), np.float32(1.0 / k), dtype=np.float32)
    scale = shares.sum() / max(1, times.sum())
    for _ in range(rounds):
        totals = np.zeros(len(shares), dtype=np.float64)
        for i in range(n):
            for j in range(k):
                totals[near[i, j]] += times[i] * weights[i, j]
        factors = np.empty(len(shares), dtype=np.float32)
        for d in range(len(shares)):
            factors[d] = shares[d] / (totals[d] * scale) if totals[d] > 0 else 1.0
        for i in range(n):
            row = np.float32(0.0)
            for j in range(k):
                weights[i, j] = min(weights[i, j] * factors[near[i, j]], np.float32(cap / k))
                row += weights[i, j]
            for j in range(k):
                weights[i, j] /= row
    return weights
