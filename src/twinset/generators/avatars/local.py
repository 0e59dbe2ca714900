"""The local draw: numbers from the local covariance of k near patients, categories block by block from one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from twinset.coding.factorial import fit_space
from twinset.core.seeds import Rng
from twinset.generators.avatars.margins import map_all
from twinset.generators.avatars.moments import Moments, fit_moments, normal_scores, restore
from twinset.generators.avatars.neighbours import Patients, balanced, nearest, nearest_patients
from twinset.generators.avatars.table import Table, fingerprints

FloatArray = np.ndarray
IntArray = np.ndarray

NEAR_ROWS = 5  # a gap is filled, for computing, from one of so many near rows
ROUNDS = 30
CAP = 3.0
STEP = 16_384


@dataclass(frozen=True, repr=False)
class Crowd:
    """The donors of one stratum: one row per distinct content, and how many rows share it.

    ``patients``: how many these rows belong to; ``alike``: the most of them that are copies of one.
    """

    rows: IntArray
    shares: FloatArray
    patients: int
    alike: int


def fill(table: Table, rng: Rng, *, components: int) -> FloatArray:
    """The numbers without gaps, float32 (n, q): a marked cell takes the value of one of about five near rows.

    Near: next to it in the leaf order of a k-d tree over the rows' coordinates. For computing only.
    """
    filled = table.numbers.astype(np.float32)
    gaps = np.isnan(filled)
    if not gaps.any():
        return filled
    from scipy.spatial import cKDTree

    means = np.nanmean(table.numbers, axis=0)
    rough = np.where(gaps, means, table.numbers)
    points = fit_space(rough, table.codes, table.sizes, components=components).project(rough, table.codes)
    place = np.empty(len(table), dtype=np.int64)
    place[cKDTree(points, leafsize=8).indices] = np.arange(len(table))
    for j in np.flatnonzero(gaps.any(axis=0)):
        whole = np.flatnonzero(~gaps[:, j])
        whole = whole[np.argsort(place[whole])]
        needy = np.flatnonzero(gaps[:, j])
        at = np.searchsorted(place[whole], place[needy]) + rng.integers(-(NEAR_ROWS // 2) - 1, NEAR_ROWS // 2 + 1, len(needy))
        filled[needy, j] = filled[whole[np.clip(at, 0, len(whole) - 1)], j]
    return filled


def crowds_of(table: Table, stratum: IntArray, patients: Patients) -> tuple[Crowd, ...]:
    """The donors of each stratum, one row per distinct content."""
    prints = _contents(fingerprints(table), patients)
    out = []
    for s in range(int(stratum.max(initial=0)) + 1):
        rows = np.flatnonzero(stratum == s)
        _, first, counts = np.unique(prints[rows], return_index=True, return_counts=True)
        order = np.argsort(first)
        kept = rows[first[order]]
        out.append(Crowd(kept, counts[order].astype(np.float64), len(np.unique(patients.units[kept])), patients.most_alike(kept)))
    return tuple(out)


def _contents(prints: IntArray, patients: Patients) -> IntArray:
    """What counts as one content, shape (n,): copies of a patient whose content nobody else has stand beside each other, as so many other patients would.

    A neighbourhood then spans as large a share of the patients as in a fit without copies; of distinct patients only it would be wider, and lose more.
    """
    if patients.origins is patients.units:
        return prints
    _, content = np.unique(prints, return_inverse=True)
    whose = np.unique(np.stack([content, patients.origins]), axis=1)[0]
    shared = np.bincount(whose) > 1
    return np.asarray(content * (int(patients.units.max(initial=0)) + 2) + np.where(shared[content], 0, patients.units + 1))


@dataclass(frozen=True, repr=False)
class Around:
    """Near donors (seeds, k) of distinct seeds and the weights they are drawn with; ``of`` (rows,): the seed of each row."""

    rows: IntArray
    weights: FloatArray
    of: IntArray


def around(points: FloatArray, crowd: Crowd, patients: Patients, seeds: IntArray, k: int) -> Around:
    """The near patients of the seeds (sorted, with repeats) among the stratum's donors, and their balanced weights."""
    distinct, of, times = np.unique(seeds, return_inverse=True, return_counts=True)
    plain = crowd.patients == len(crowd.rows) and crowd.alike == 1
    k = max(1, min(k, crowd.patients // 2, crowd.patients - crowd.alike))
    if crowd.patients == crowd.alike:
        rows = np.full((len(distinct), 1), crowd.rows[0], dtype=np.int32)
    elif plain:
        rows = nearest(points, distinct, crowd.rows, k).rows
    else:
        rows = nearest_patients(points, distinct, crowd.rows, patients, k)
    position = np.zeros(int(crowd.rows.max()) + 1, dtype=np.int32)
    position[crowd.rows] = np.arange(len(crowd.rows))
    weights = balanced(position[rows], times, crowd.shares, ROUNDS, CAP)
    return Around(rows, weights, of.ravel())


def draw(numbers: FloatArray, codes: IntArray, near: Around, blocks: Sequence[Sequence[int]], rng: Rng) -> tuple[FloatArray, IntArray]:
    """Numbers (rows, q) float32 by m + sum sqrt(w) g (x - m), g standard normal; codes (rows, m) from one donor a block."""
    n, k = len(near.of), near.rows.shape[1]
    made = np.empty((n, numbers.shape[1]), dtype=np.float32)
    chosen = np.empty((n, codes.shape[1]), dtype=np.int32)
    for start in range(0, n, STEP):
        part = near.of[start : start + STEP]
        noise = rng.standard_normal((len(part), k), dtype=np.float32)
        _local_gaussian(numbers, near.rows, near.weights, part, noise, made[start : start + STEP])
        for block in blocks:
            donors = _donors(near.rows, near.weights, part, rng.random(len(part), dtype=np.float32))
            for j in block:
                chosen[start : start + len(part), j] = codes[donors, j]
    return made, chosen


@njit(cache=True)
def _local_gaussian(numbers: FloatArray, rows: IntArray, weights: FloatArray, of: IntArray, noise: FloatArray, out: FloatArray) -> None:
    q, k = numbers.shape[1], rows.shape[1]
    mean = np.empty(q, dtype=np.float32)
    for r in range(len(of)):
        s = of[r]
        mean[:] = 0.0
        for j in range(k):
            row, w = rows[s, j], weights[s, j]
            for c in range(q):
                mean[c] += w * numbers[row, c]
        for c in range(q):
            out[r, c] = mean[c]
        for j in range(k):
            row, w = rows[s, j], np.sqrt(weights[s, j]) * noise[r, j]
            for c in range(q):
                out[r, c] += w * (numbers[row, c] - mean[c])


@njit(cache=True)
def _donors(rows: IntArray, weights: FloatArray, of: IntArray, chance: FloatArray) -> IntArray:
    out = np.empty(len(of), dtype=np.int64)
    k = rows.shape[1]
    for r in range(len(of)):
        s = of[r]
        left = chance[r]
        j = 0
        while j < k - 1 and left >= weights[s, j]:
            left -= weights[s, j]
            j += 1
        out[r] = rows[s, j]
    return out


def finish(table: Table, moments: Moments | None, within: Mapping[str, Sequence[str]], drawn: tuple[FloatArray, IntArray], rng: Rng) -> FloatArray:
    """Steps 8 and 9: aggregate moments, then margins. Numbers (n, q), NaN where the row's mark says otherwise."""
    made, codes = drawn
    scores = normal_scores(made) if moments is None else restore(moments, made, codes)
    return map_all(table, within, scores, codes, rng)


def moments_of(table: Table, filled: FloatArray) -> Moments | None:
    """What step 8 restores."""
    return fit_moments(filled, table.codes, table.sizes)
