"""Cells too thin to be told from noise are modelled together, and told apart again when rows are drawn."""

from __future__ import annotations

import numpy as np

from twinset.core.domain import Axis

FloatArray = np.ndarray
IntArray = np.ndarray

THIN = 3.0  # a value cell of fewer noisy patients than so many sigma joins others
MOST = 24  # modelled cells of a number: more are joined into about equal shares
ABSENT = 3.0  # a missing cell of fewer is taken for noise: never drawn


def coarsen(axis: Axis, counts: FloatArray, *, sigma: float) -> Axis:
    """The axis with every modelled cell of few noisy patients joined to others.

    ``counts``: noisy counts of the modelled cells, float64 (size,), of standard deviation ``sigma``. Numbers and ordered levels are joined to
    their neighbours, other levels to one cell for all that is rare (McKenna, Miklau and Sheldon, "Winning the NIST contest", 2021). A cell of
    missing values that noise alone explains joins the largest cell and is never drawn from it. Post-processing: nothing is spent.
    """
    first_missing = axis.n_values + axis.other
    missing = np.zeros(axis.size, dtype=bool)
    missing[axis.cell_of[first_missing:]] = True
    missing[axis.cell_of[:first_missing]] = False
    absent = missing & (counts < ABSENT * sigma)
    values = np.flatnonzero(~missing)
    group = np.zeros(axis.size, dtype=np.int64)
    ordered = axis.column.numeric or axis.column.ordered
    least = max(THIN * sigma, counts[values].sum() / MOST if len(values) > MOST else 0.0)
    group[values] = _runs(counts[values], least) if ordered else _rare(counts[values], THIN * sigma)
    n = int(group[values].max()) + 1 if len(values) else 0
    for cell in np.flatnonzero(missing & ~absent):
        group[cell] = n
        n += 1
    if len(values):
        group[absent] = np.argmax(np.bincount(group[values], weights=counts[values]))
    return axis.grouped(np.unique(group, return_inverse=True)[1][axis.cell_of], _weights(axis, counts, sigma, absent if len(values) else missing & False))


def _runs(counts: FloatArray, least: float) -> IntArray:
    """Neighbours joined from the left until each run holds ``least``; a short last run goes with the one before."""
    group = np.zeros(len(counts), dtype=np.int64)
    n, held = 0, 0.0
    for i, count in enumerate(counts):
        group[i] = n
        held += count
        if held >= least:
            n, held = n + 1, 0.0
    return np.minimum(group, max(n - 1, 0))


def _rare(counts: FloatArray, least: float) -> IntArray:
    """Each cell its own group, but for those that hold less than ``least``, which share one."""
    thin = counts < least
    group = np.cumsum(~thin) - 1
    group[thin] = int((~thin).sum())
    return group


def _weights(axis: Axis, counts: FloatArray, sigma: float, absent: np.ndarray) -> FloatArray:
    """How the patients of a group spread over its fine cells: as they did within a cell, and by noisy counts between cells."""
    inside = np.bincount(axis.cell_of, weights=axis.weights, minlength=axis.size)
    width = np.bincount(axis.cell_of, minlength=axis.size)
    within = np.where(inside[axis.cell_of] > 0, axis.weights / np.maximum(inside, 1e-300)[axis.cell_of], 1.0 / width[axis.cell_of])
    between = np.where(absent, 0.0, np.maximum(counts, 0.1 * sigma))
    return np.asarray(within * between[axis.cell_of])
