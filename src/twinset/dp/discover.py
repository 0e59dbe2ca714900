"""Bounds, bins and levels that nobody declared, found from noisy counts.

Everything here is either public (grids, thresholds, how a budget is shared) or post-processing of counts that were paid for; the vault does the asking.
Binning follows the idea of PrivTree (Zhang, Xiao and Xie, SIGMOD 2016): split a cell further only where its noisy count is large. Levels are found
in passes, with weights that go where the passes before found nothing: :func:`weights` and :func:`threshold`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from twinset.core.domain import Axis
from twinset.core.schema import Column, Level
from twinset.errors import BadInput

FloatArray = np.ndarray
WHOLE = 64  # whole numbers over a range of at most so many get a cell each, and need no bins
GRID = 48  # even cells of a first grid
SPLIT = 256  # parts of a cell that is split, at most
BINS = 20  # modelled cells of a number, about: equal shares of the patients
WIDEST = 64  # cells of that grid that are taken together, at most, where none is clear
CLEAR = 4.0  # sigma: a cell of the bounds' grid counts where its noisy count is beyond
LIKELY = 1.5  # sigma: and then so do its neighbours, one after the other, down to here
PART = 2.0  # sigma: about what a part of a split cell should hold
SCALE = 2**12  # the weight of a row over all columns of levels, in whole numbers
PASSES = ((0.05, 0.1), (0.2, 0.1), (0.75, 0.8))  # over the levels: each one's share of their budget, and of the thresholds' probability of failure
NUMBERS = 0.6  # of the budget: the most that numbers take


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


def bounds(edges: FloatArray, counts: FloatArray, *, sigma: float) -> tuple[int, int]:
    """The first and the last occupied cell of the unbounded grid: those that are clear of the noise, and what seems to be joined to them.

    Where no cell is clear by itself, the first width at which neighbours together are: few patients spread over many years are not lost. The cell of 0
    where none is. Post-processing of counts that were paid for.
    """
    width = 1
    while width <= WIDEST:
        step = width if width == 1 else 4 * width
        clear, likely = CLEAR * math.sqrt(width) * sigma, LIKELY * math.sqrt(step) * sigma
        held = np.flatnonzero(np.convolve(counts, np.ones(width), mode="valid") > clear) if width <= len(counts) else np.zeros(0, dtype=np.int64)
        if len(held):
            first, last = int(held[0]), int(held[-1]) + width - 1
            while first > 0 and counts[max(0, first - step) : first].sum() > likely:
                first = max(0, first - step)
            while last < len(counts) - 1 and counts[last + 1 : last + 1 + step].sum() > likely:
                last = min(len(counts) - 1, last + step)
            return first, last
        width *= 2
    zero = int(np.searchsorted(edges, 0.0))
    return zero, zero


def split(column: Column, edges: FloatArray, counts: FloatArray, *, sigma: float) -> FloatArray:
    """The grid with every heavy cell cut further, into more parts where it is heavier."""
    total = max(counts.sum(), 1.0)
    heavy = counts > max(total / (2 * BINS), CLEAR * sigma)
    parts = [edges]
    for i in np.flatnonzero(heavy):
        n = int(np.clip(2 ** round(math.log2(counts[i] / (PART * sigma))), 2, SPLIT))
        inner = np.linspace(edges[i], edges[i + 1], n + 1)[1:-1]
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


def shape(edges: FloatArray, counts: FloatArray, cell_of: np.ndarray, *, sigma: float) -> FloatArray:
    """How the patients of each bin spread over its fine cells: by their noisy counts, drawn towards evenly as far as noise alone explains the differences.

    Shrinkage after James and Stein (1961), bin by bin. float64 (fine cells,), not negative.
    """
    width = np.diff(edges)
    held, spread = np.bincount(cell_of, weights=counts), np.bincount(cell_of, weights=width)
    even = np.maximum(held, 0.0)[cell_of] * width / spread[cell_of]
    apart = np.bincount(cell_of, weights=(counts - even) ** 2)
    kept = np.maximum(1 - sigma**2 * np.bincount(cell_of) / np.maximum(apart, 1e-300), 0.0)
    return np.asarray(np.maximum(even + kept[cell_of] * (counts - even), 0.0))


@dataclass(frozen=True)
class Shares:
    """The noise of every look of discovery, as a multiple of what one patient can change the answer by (in L2).

    ``levels``: of each pass over the levels of all columns, with its share of the thresholds' probability of failure. ``number``: of each of two looks at each number.
    """

    levels: tuple[tuple[float, float], ...]
    number: float


def shares(rho: float, *, levels: int, numbers: int) -> Shares:
    """How ``rho`` is shared between so many columns of undeclared levels and so many numbers: a column of levels gets half of what a number gets for two looks.

    Never more than was given. One column of levels is looked at once: there is nothing to send weights to.
    """
    if not (levels or numbers) or not rho > 0:
        return Shares((), 0.0)
    rho *= 1 - 1e-9
    each = rho / (levels + 2 * numbers)
    passes = PASSES if levels > 1 else ((1.0, 1.0),)
    found = tuple((1 / math.sqrt(2 * share * levels * each), failing) for share, failing in passes) if levels else ()
    return Shares(found, 1 / math.sqrt(2 * min(each, NUMBERS * rho / (2 * numbers))) if numbers else 0.0)


def weights(most: int) -> np.ndarray:
    """int64 (most + 1,): what a row gives each of its cells if it has m of them, for m from 0: floor(SCALE / sqrt(m)).

    Whatever m, the squares of a row's weights add up to at most SCALE^2, so its whole vector, over all columns, has L2 norm at most SCALE.
    Source: Gopi, Gulhane, Kulkarni, Shen, Shokouhi and Yekhanin, "Differentially private set union" (ICML 2020), and, for weights sent from
    heavy items to light ones, Carvalho, Wang and Gondara, "Incorporating item frequency for differentially private set union" (AAAI 2022).

    >>> weights(4).tolist()
    [0, 4096, 2896, 2364, 2048]
    """
    return np.array([0, *(math.isqrt(SCALE**2 // m) for m in range(1, most + 1))], dtype=np.int64)


def threshold(reach: Sequence[int], *, per_patient: int, sigma: float, delta: float) -> int:
    """A noisy weight beyond this shows a level: any that one patient alone holds are shown with probability at most ``delta`` in all.

    ``reach[q - 1]``: the most weight that a row can give each of its cells if it has q of them; a row has at most ``len(reach)``. ``sigma``: of
    the discrete Gaussian noise on a cell, in the same unit.

    Proof. Let k = ``per_patient``, d = ``len(reach)``, and C the cells that only this patient's rows reach, at most k d of them. Cell c has weight
    W(c) = the sum of a(r) over their rows r that reach it, a(r) = reach[q(r) - 1]. The vault shows c where W(c) + X > T, that is, T being whole, where
    X >= T + 1 - W(c). For whole m >= 1 the discrete Gaussian X has P(X >= m) <= Q((m - 1) / sigma), Q the upper tail of the normal law (Canonne, Kamath
    and Steinke 2020, proposition 25: the sum over x >= m is below the integral from m - 1, the normaliser above sqrt(2 pi) sigma). So c is shown with
    probability at most h(W(c)), h(w) = Q((T - w) / sigma), wherever w <= T. h is convex and increasing on [0, T], so g = h - h(0) is convex with
    g(0) = 0. By Jensen's inequality, W(c) being the mean over the k rows of k a(r) [r reaches c],

        sum over C of h(W(c)) <= |C| h(0) + 1/k sum over r of q(r) g(k a(r)) <= k d h(0) + max over q of q (h(k reach[q - 1]) - h(0)),

    and that is at most ``delta`` at the T returned, the smallest such whole number not below the greatest k reach[q - 1].
    Under replace-one two patients differ, each with levels of their own: give half of delta.
    """
    most, d = per_patient * max(reach), len(reach)

    def shown(line: int) -> float:
        alone = _beyond(line / sigma)
        return per_patient * d * alone + max(q * (_beyond((line - per_patient * a) / sigma) - alone) for q, a in enumerate(reach, start=1))

    low, high = math.ceil(most) - 1, math.ceil(most) + math.ceil(sigma) + 1
    while shown(high) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) <= delta else (middle, high)
    return high


def _beyond(z: float) -> float:
    """The upper tail of the standard normal law."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def refuse(names: list[str]) -> None:
    """No bounds, and nothing to find them with."""
    raise BadInput(
        "no public bounds or levels, and no budget to find them: " + ", ".join(f"`{n}`" for n in names[:20]),
        where="columns",
        hint='declare low and high (or levels) from a code book and set origin = "public", or give the run a budget (privacy.epsilon)',
    )
