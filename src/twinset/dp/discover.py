"""Bounds, bins and levels that nobody declared, found from noisy counts on public grids.

Everything here is either public (the grids) or post-processing of counts that were paid for; the vault does the asking.
Binning follows the idea of PrivTree (Zhang, Xiao and Xie, SIGMOD 2016): split a cell further only where its noisy count is large.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from twinset.core.domain import Axis
from twinset.core.schema import Column, Level
from twinset.errors import BadInput

FloatArray = np.ndarray
WHOLE = 64  # whole numbers over a range of at most so many get a cell each, and need no bins
GRID = 48  # even cells of a first grid
SPLIT = 16  # parts of a cell that is split
BINS = 20  # modelled cells of a number, about: equal shares of the patients
CLEAR = 4.0  # sigma: a cell of the bounds' grid counts where its noisy count is beyond


def level_axis(column: Column, levels: tuple[Level, ...], *, other: bool) -> Axis:
    """Levels in the order given, ``other`` where the list may be incomplete, missing codes and null."""
    n = len(levels) + other + len(column.missing_codes) + 1
    return Axis(replace(column, levels=levels), levels, np.zeros(0), other, np.arange(n, dtype=np.int32), np.ones(n))


def number_axis(column: Column, edges: FloatArray, *, cell_of: np.ndarray | None = None, weights: FloatArray | None = None) -> Axis:
    """Intervals between ``edges``, then a cell for each missing code, then null. ``cell_of``, ``weights``: of the intervals only."""
    k, extra = len(edges) - 1, len(column.missing_codes) + 1
    groups = np.arange(k) if cell_of is None else cell_of
    last = int(groups.max()) + 1 if k else 0
    return Axis(
        column,
        (),
        np.asarray(edges, dtype=np.float64),
        False,
        np.r_[groups, last + np.arange(extra)].astype(np.int32),
        np.r_[np.ones(k) if weights is None else weights, np.ones(extra)],
    )


def whole(column: Column) -> bool:
    """Whether the column's values are whole numbers."""
    return column.kind in ("integer", "date")


def single(column: Column) -> bool:
    """Whether every value between the declared bounds has a cell of its own on the grid."""
    return whole(column) and math.ceil(float(column.high or 0.0)) - math.floor(float(column.low or 0.0)) < WHOLE


def grid(column: Column) -> FloatArray:
    """The public first grid between the declared bounds: even cells and powers of two, 0 (many patients' dose, count or gain) on its own."""
    assert column.low is not None
    assert column.high is not None
    low, high = float(column.low), float(column.high)
    if whole(column):
        low, high = math.floor(low), math.ceil(high)
        if single(column):
            return np.arange(low, high + 2)
        edges = np.concatenate([np.linspace(low, high + 1, GRID + 1), _powers(1.0, max(abs(low), abs(high))), [0.0, 1.0]])
        edges = np.unique(np.ceil(edges))
        return np.unique(np.r_[low, edges[(edges > low) & (edges < high + 1)], high + 1])
    if high <= low:
        return np.array([low, np.nextafter(low, np.inf)])
    top = max(abs(low), abs(high))
    edges = np.concatenate([np.linspace(low, high, GRID + 1), _powers(top / 2**14, top), [0.0, np.nextafter(0.0, 1.0)]])
    return np.unique(np.r_[low, edges[(edges > low) & (edges < high)], high])


def _powers(least: float, most: float) -> FloatArray:
    """Powers of two from about ``least`` to ``most``, of both signs."""
    k = np.arange(math.floor(math.log2(max(least, 1e-300))), math.ceil(math.log2(max(most, 1e-300))) + 1)
    return np.concatenate([2.0**k, -(2.0**k)])


def unbounded_grid(column: Column) -> FloatArray:
    """A public grid that holds any value: for dates the years 1850 to 2150, for numbers powers of two to 2^40, and 0."""
    if column.kind in ("date", "datetime"):
        return np.array([round(365.2425 * (y - 1970)) for y in range(1850, 2151)], dtype=np.float64)
    edges = np.concatenate([_powers(1.0 if whole(column) else 2.0**-20, 2.0**40), [0.0, 1.0 if whole(column) else np.nextafter(0.0, 1.0)]])
    return np.unique(edges)


def bounds(edges: FloatArray, counts: FloatArray, *, sigma: float) -> tuple[float, float]:
    """The ends of the clearly occupied cells of the unbounded grid; (0, 1) where none is clear."""
    held = np.flatnonzero(counts > CLEAR * sigma)
    return (float(edges[held[0]]), float(edges[held[-1] + 1])) if len(held) else (0.0, 1.0)


def split(column: Column, edges: FloatArray, counts: FloatArray, *, sigma: float) -> FloatArray:
    """The grid with every heavy cell cut further."""
    total = max(counts.sum(), 1.0)
    heavy = counts > max(total / (2 * BINS), CLEAR * sigma)
    parts = [edges]
    for i in np.flatnonzero(heavy):
        inner = np.linspace(edges[i], edges[i + 1], SPLIT + 1)[1:-1]
        parts.append(np.unique(np.ceil(inner)) if whole(column) else inner if edges[i + 1] - edges[i] > 1e-9 * max(abs(edges[i]), 1e-9) else inner[:0])
    return np.unique(np.concatenate(parts))


def bins(counts: FloatArray, *, sigma: float) -> np.ndarray:
    """The modelled cell of each fine cell: neighbours together until they hold a twentieth of the patients and stand clear of the noise; a spike stays alone."""
    least = max(counts.sum() / BINS, CLEAR * sigma)
    out = np.zeros(len(counts), dtype=np.int64)
    n, held = 0, 0.0
    for i, count in enumerate(counts):
        if count >= least and held > 0.5 * least:  # close what came before, so that the spike is alone
            n, held = n + 1, 0.0
        out[i] = n
        held += count
        if held >= least:
            n, held = n + 1, 0.0
    return np.unique(np.minimum(out, max(n - 1, 0)) if held < 0.5 * least else out, return_inverse=True)[1]


def threshold(*, per_patient: int, sigma: float, delta: float) -> float:
    """A noisy count beyond this shows a level: one that a single patient holds is shown with probability at most ``delta``.

    The discrete Gaussian is sub-Gaussian with parameter sigma (Canonne, Kamath and Steinke 2020), and a patient brings at most ``per_patient`` levels.
    """
    return per_patient + sigma * math.sqrt(2 * math.log(2 * per_patient / delta))


def refuse(names: list[str]) -> None:
    """No bounds, and nothing to find them with."""
    raise BadInput(
        "no public bounds or levels, and no budget to find them: " + ", ".join(f"`{n}`" for n in names[:20]),
        where="columns",
        hint='declare low and high (or levels) from a code book and set origin = "public", or give the run a budget (privacy.epsilon)',
    )
