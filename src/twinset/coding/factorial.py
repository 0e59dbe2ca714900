"""Patients as points: factor analysis of mixed data (FAMD), and with it PCA and MCA.

Numbers are centred and divided by their population standard deviation, an indicator of a level
with share p becomes (indicator - p) / sqrt(p); coordinates are the scaled table times the leading
eigenvectors of Z'Z / n (Pages 2004; Escofier 1979). All numbers: PCA. All categories: MCA, up to one
common factor. Nothing of size n x n is ever formed; with thousands of levels not even Z'Z is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FloatArray = np.ndarray
IntArray = np.ndarray

DENSE = 4000  # up to so many columns of Z, Z'Z is counted once and kept
EXACT = 600  # up to so many columns of Z, all eigenvectors are computed
MOST_LEVELS = 5000  # of one column; rarer ones share a place


@dataclass(frozen=True, repr=False)
class Space:
    """A projection fitted on one table, to be used on any table with the same columns.

    ``means``, ``scales`` (q,): of the numbers, scale 0 where constant. ``places``: for each category column the place of
    each level among the ``shares`` (L,), -1 for none. ``axes`` (q + L, c): unit vectors. ``variances`` (c,): along them.
    """

    means: FloatArray
    scales: FloatArray
    places: tuple[IntArray, ...]
    shares: FloatArray
    axes: FloatArray
    variances: FloatArray

    def __repr__(self) -> str:
        return f"Space({len(self.means)} numbers, {len(self.shares)} levels -> {self.axes.shape[1]} components)"

    def project(self, numbers: FloatArray, codes: IntArray) -> FloatArray:
        """Coordinates, shape (n, c). A level unseen at fit (code -1 or too large) counts as no level at all."""
        q = len(self.means)
        weights = np.divide(1.0, self.scales, out=np.zeros_like(self.scales), where=self.scales > 0)
        out = (numbers - self.means) @ (self.axes[:q] * weights[:, None])
        loadings = self.axes[q:] / np.sqrt(self.shares)[:, None]
        out -= self.shares @ loadings
        padded = np.vstack([loadings, np.zeros((1, loadings.shape[1]))])
        for j, place in enumerate(self.places):
            known = np.append(place, -1)
            out += padded[known[np.where((codes[:, j] >= 0) & (codes[:, j] < len(place)), codes[:, j], len(place))]]
        return np.asarray(out)


def fit_space(numbers: FloatArray, codes: IntArray, sizes: Sequence[int], *, components: int | None = 5) -> Space:
    """The leading axes of a table of numbers (n, q; no NaN) and category codes (n, m; column j below ``sizes[j]``).

    ``components``: how many, ``None`` for all. A column with more than 5,000 levels keeps the most frequent ones and
    pools the others. Deterministic. Do not use it to release anything: axes are statistics of the rows.

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> fit_space(x, np.zeros((4, 0), int), (), components=1).project(x, np.zeros((4, 0), int)).round(2).ravel().tolist()
    [-1.34, -0.45, 0.45, 1.34]
    """
    n = max(1, len(numbers))
    means = numbers.mean(axis=0) if len(numbers) else np.zeros(numbers.shape[1])
    scales = numbers.std(axis=0) if len(numbers) else np.zeros(numbers.shape[1])
    scales = np.where(scales > 1e-12 * np.maximum(1.0, np.abs(means)), scales, 0.0)
    places, counts, start = [], [], 0
    for j, size in enumerate(sizes):
        place, count = _places(np.bincount(codes[:, j], minlength=size), start)
        places.append(place)
        counts.append(count)
        start += len(count)
    shares = np.concatenate([*counts, np.zeros(0)]) / n
    blank = Space(means, scales, tuple(places), shares, np.zeros((len(means) + start, 0)), np.zeros(0))
    values, axes = _axes(blank, numbers, codes, components)
    return Space(means, scales, tuple(places), shares, axes, values)


def _places(counts: IntArray, start: int) -> tuple[IntArray, FloatArray]:
    """A place for each level that occurs, and how many rows each place has."""
    place = np.full(len(counts), -1, dtype=np.int64)
    seen = np.flatnonzero(counts)
    if len(seen) <= MOST_LEVELS:
        place[seen] = start + np.arange(len(seen))
        return place, counts[seen].astype(np.float64)
    order = seen[np.argsort(-counts[seen], kind="stable")]
    kept, pooled = order[: MOST_LEVELS - 1], order[MOST_LEVELS - 1 :]
    place[kept] = start + np.arange(len(kept))
    place[pooled] = start + len(kept)
    return place, np.append(counts[kept], counts[pooled].sum()).astype(np.float64)


def _axes(space: Space, numbers: FloatArray, codes: IntArray, components: int | None) -> tuple[FloatArray, FloatArray]:
    """Variances, descending, and unit axes (p, c) of the scaled table."""
    p = space.axes.shape[0]
    c = min(p, len(numbers)) if components is None else min(components, p)
    if c == 0 or not len(numbers):
        return np.zeros(0), np.zeros((p, 0))
    if p <= DENSE:
        gram = _gram(space, numbers, codes)
        values, axes = np.linalg.eigh(gram) if p <= EXACT or components is None else _leading(lambda b: gram @ b, p, c)
    else:
        values, axes = _leading(_operator(space, numbers, codes), p, c)
    order = np.argsort(-values, kind="stable")[:c]
    axes = axes[:, order]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(c)])
    return np.maximum(values[order], 0.0), axes * np.where(signs == 0, 1.0, signs)


def _gram(space: Space, numbers: FloatArray, codes: IntArray) -> FloatArray:
    """Z'Z / n, from counts and sums alone."""
    n, q, p = len(numbers), len(space.means), space.axes.shape[0]
    weights = np.divide(1.0, space.scales, out=np.zeros_like(space.scales), where=space.scales > 0)
    roots = np.sqrt(space.shares)
    gram = np.zeros((p, p))
    centred = (numbers - space.means) * weights
    gram[:q, :q] = centred.T @ centred / n
    bounds = [0, *np.cumsum([len(np.unique(place[place >= 0])) for place in space.places])]
    local = [place[codes[:, j]] - bounds[j] for j, place in enumerate(space.places)]
    for a, here in enumerate(local):
        rows = slice(q + bounds[a], q + bounds[a + 1])
        size = bounds[a + 1] - bounds[a]
        for b in range(a + 1):
            other = bounds[b + 1] - bounds[b]
            gram[rows, q + bounds[b] : q + bounds[b + 1]] = np.bincount(here * other + local[b], minlength=size * other).reshape(size, other)
        for j in range(q):
            gram[rows, j] = np.bincount(here, weights=centred[:, j], minlength=size) / roots[bounds[a] : bounds[a + 1]] / n
    levels = gram[q:, q:]
    levels[:] = levels / n / np.outer(roots, roots) - np.outer(roots, roots)
    lower = np.tril(gram, -1)
    return np.asarray(lower + lower.T + np.diag(np.diag(gram)))


def _operator(space: Space, numbers: FloatArray, codes: IntArray) -> Callable[[FloatArray], FloatArray]:
    """Multiplication of a block of vectors by Z'Z / n without forming it."""
    from scipy import sparse

    n, q = len(numbers), len(space.means)
    weights = np.divide(1.0, space.scales, out=np.zeros_like(space.scales), where=space.scales > 0)
    centred = (numbers - space.means) * weights
    roots = np.sqrt(space.shares)
    columns = [place[codes[:, j]] for j, place in enumerate(space.places)]
    flat = np.stack(columns, axis=1).ravel() if columns else np.zeros(0, dtype=np.int64)
    matrix = sparse.csr_matrix((1.0 / roots[flat], flat, np.arange(n + 1) * len(columns)), shape=(n, len(roots)))

    def multiply(block: FloatArray) -> FloatArray:
        rows = centred @ block[:q] + matrix @ block[q:] - roots @ block[q:]
        return np.vstack([centred.T @ rows, matrix.T @ rows - np.outer(roots, rows.sum(axis=0))]) / n

    return multiply


def _leading(multiply: Callable[[FloatArray], FloatArray], p: int, c: int, depth: int = 12) -> tuple[FloatArray, FloatArray]:
    """Leading eigenpairs by a block Krylov space (Musco and Musco 2015), from a fixed start: deterministic, cannot fail to converge."""
    block = np.linalg.qr(np.random.default_rng(0).standard_normal((p, min(p, c + 6))))[0]
    blocks = [block]
    for _ in range(depth):
        block = np.linalg.qr(multiply(block))[0]
        blocks.append(block)
    basis = np.linalg.qr(np.hstack(blocks)[:, :p])[0]
    values, turn = np.linalg.eigh(basis.T @ multiply(basis))
    return values, basis @ turn
