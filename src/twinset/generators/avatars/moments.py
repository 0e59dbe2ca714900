"""Aggregate moments restored: what numbers depend on categories for, and how their residuals go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FloatArray = np.ndarray
IntArray = np.ndarray

LEAST_ROWS = 20  # a level with fewer rows takes no part
RIDGE = 5.0
MOST_LEVELS = 300
MOST_NUMBERS = 400  # beyond, the step is left out
STEP = 65_536


@dataclass(frozen=True, repr=False)
class Moments:
    """``places``: column of the design of each level of each category column, -1 for none; ``width`` columns with the constant.

    ``slopes`` (width, q) and ``residual`` (q, q) of the train rows' normal scores on the design.
    """

    places: tuple[IntArray, ...]
    width: int
    slopes: FloatArray
    residual: FloatArray


def normal_scores(values: FloatArray) -> FloatArray:
    """Normal quantiles of the ranks of each column, shape (n, q), float32."""
    from scipy.special import ndtri

    n = len(values)
    grid = ndtri((np.arange(n) + 0.5) / n).astype(np.float32)
    out = np.empty((n, values.shape[1]), dtype=np.float32)
    for j in range(values.shape[1]):
        out[np.argsort(values[:, j], kind="stable"), j] = grid
    return out


def fit_moments(numbers: FloatArray, codes: IntArray, sizes: tuple[int, ...]) -> Moments | None:
    """Regressions of the numbers' normal scores on level indicators (levels with at least 20 rows, ridge 5), and the residual covariance.

    None where there is nothing to restore, or more than 400 numbers.
    """
    n, q = numbers.shape
    if q == 0 or q > MOST_NUMBERS or n < 2 * LEAST_ROWS:
        return None
    places, width = _design(codes, sizes, most=min(MOST_LEVELS, n // 10))
    slopes, residual = _regress(normal_scores(numbers), codes, places, width)
    return Moments(places, width, slopes, residual)


def restore(moments: Moments, drawn: FloatArray, codes: IntArray) -> FloatArray:
    """Scores (n, q) float32 of the drawn numbers with the train rows' regressions and residual covariance.

    Y' = D B_train + (Y - D B_drawn) A, A the optimal map between the two residual covariances (Gelbrich 1990):
    A = S^(-1/2) (S^(1/2) T S^(1/2))^(1/2) S^(-1/2), S of the drawn rows, T of the train rows.
    """
    scores = normal_scores(drawn)
    slopes, residual = _regress(scores, codes, moments.places, moments.width)
    amount = min(0.5, 1e-6 + scores.shape[1] / max(1, len(scores)))
    turn = optimal_map(_shrunk(residual, amount), _shrunk(moments.residual, amount)).astype(np.float32)
    shift = (moments.slopes - slopes @ turn).astype(np.float32)
    for start, design in _designs(codes, moments.places, moments.width):
        part = slice(start, start + len(design))
        scores[part] = scores[part] @ turn + design @ shift
    return scores


def optimal_map(source: FloatArray, target: FloatArray) -> FloatArray:
    """The symmetric matrix A with A S A = T: the least moving of N(0, S) onto N(0, T).

    >>> optimal_map(np.diag([1.0, 4.0]), np.diag([4.0, 1.0])).round(6).tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """
    root = _power(source, 0.5)
    back = _power(source, -0.5)
    return np.asarray(back @ _power(root @ target @ root, 0.5) @ back)


def _power(matrix: FloatArray, exponent: float) -> FloatArray:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    values = np.maximum(values, 1e-9 * max(1e-12, values.max(initial=0.0)))
    return np.asarray((vectors * values**exponent) @ vectors.T)


def _shrunk(matrix: FloatArray, amount: float) -> FloatArray:
    diagonal = np.diag(np.maximum(np.diag(matrix), 1e-6))
    return np.asarray((1 - amount) * matrix + amount * diagonal)


def _design(codes: IntArray, sizes: tuple[int, ...], *, most: int) -> tuple[tuple[IntArray, ...], int]:
    """The levels in the design: at least 20 rows, not the most frequent of their column, the most balanced ones first."""
    n = len(codes)
    wanted = []
    for j, size in enumerate(sizes):
        counts = np.bincount(codes[:, j], minlength=size)
        levels = np.flatnonzero(counts >= LEAST_ROWS)
        wanted += [(-int(counts[v]) * (n - int(counts[v])), j, int(v)) for v in levels if v != counts.argmax()]
    places = [np.full(size, -1, dtype=np.int64) for size in sizes]
    kept = sorted(sorted(wanted)[:most], key=lambda w: w[1:])
    for place, (_, j, level) in enumerate(kept, start=1):
        places[j][level] = place
    return tuple(places), 1 + len(kept)


def _designs(codes: IntArray, places: tuple[IntArray, ...], width: int) -> Iterator[tuple[int, FloatArray]]:
    """The design in pieces of at most 65,536 rows, the constant first; float32."""
    used = [j for j, p in enumerate(places) if np.any(p >= 0)]
    for start in range(0, len(codes), STEP):
        part = codes[start : start + STEP]
        design = np.zeros((len(part), width), dtype=np.float32)
        design[:, 0] = 1.0
        for j in used:
            place = places[j][part[:, j]]
            rows = np.flatnonzero(place >= 0)
            design[rows, place[rows]] = 1.0
        yield start, design


def _regress(scores: FloatArray, codes: IntArray, places: tuple[IntArray, ...], width: int) -> tuple[FloatArray, FloatArray]:
    """Ridge slopes (width, q) and the residual covariance (q, q)."""
    q = scores.shape[1]
    gram, cross, square = np.zeros((width, width)), np.zeros((width, q)), np.zeros((q, q))
    for start, design in _designs(codes, places, width):
        part = scores[start : start + len(design)]
        gram += design.T @ design
        cross += design.T @ part
        square += part.T @ part
    penalty = np.full(width, RIDGE)
    penalty[0] = 1e-9
    slopes = np.linalg.solve(gram + np.diag(penalty), cross)
    residual = (square - cross.T @ slopes - slopes.T @ cross + slopes.T @ gram @ slopes) / max(1, len(scores))
    return slopes, residual
