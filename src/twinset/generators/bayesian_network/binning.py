"""A domain read from revealed rows: values where they are few, quantiles where they are many. For a run without a budget only."""

from __future__ import annotations

import numpy as np

from twinset.coding.columns import Codes, Numbers, encode
from twinset.coding.discretise import fine_cells
from twinset.core.cohort import Cohort
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Level

FINE = 400  # intervals of a number, at most: what is drawn back lies in one of them
MODELLED = 20  # cells of a number, about: equal shares of the patients
LISTED = 40  # levels with a cell of their own; the rarer ones share one


def read_domain(train: Cohort) -> Domain:
    """The axes of the rows: every value of train has a cell, and cells that no row is in are never drawn."""
    empty = Domain(tuple(_number(c) if isinstance(c, Numbers) else _category(c) for c in encode(train)))
    fine = fine_cells(train, empty)
    return Domain(tuple(_grouped(axis, np.bincount(row, minlength=axis.n_fine)) for axis, row in zip(empty, fine, strict=True)))


def _number(coded: Numbers) -> Axis:
    known = coded.values[coded.gaps == 0]
    distinct = np.unique(known)
    whole = coded.column.kind in ("integer", "date")
    if not len(distinct):
        edges = np.array([0.0, 1.0])
    elif len(distinct) <= FINE:
        after = distinct + 1.0 if whole else np.nextafter(distinct, np.inf)
        edges = np.unique(np.concatenate([distinct, after]))
    else:
        spikes = _spikes(known)
        after = spikes + 1.0 if whole else np.nextafter(spikes, np.inf)
        marks = np.quantile(known, np.linspace(0, 1, FINE // 2 + 1))
        last = distinct[-1] + 1.0 if whole else distinct[-1]
        edges = np.unique(np.concatenate([np.ceil(marks) if whole else marks, spikes, after[after < last], [last]]))
    return _axis(coded, (), edges, len(edges) - 1)


def _spikes(values: np.ndarray) -> np.ndarray:
    """Values that stand out: each held by more patients than a fine interval would be."""
    distinct, count = np.unique(values, return_counts=True)
    return distinct[count > 4 * len(values) / FINE]


def _category(coded: Codes) -> Axis:
    levels = tuple(level for level in coded.levels if level is not None)
    return _axis(coded, levels, np.zeros(0), len(levels))


def _axis(coded: Numbers | Codes, levels: tuple[Level, ...], edges: np.ndarray, n: int) -> Axis:
    n += len(coded.column.missing_codes) + 1
    return Axis(coded.column, levels, edges, False, np.arange(n, dtype=np.int32), np.ones(n))


def _grouped(axis: Axis, counts: np.ndarray) -> Axis:
    """Modelled cells of revealed counts: ordered values in equal shares, rare levels together, each kind of missing that occurs on its own."""
    n = axis.n_values
    group = np.zeros(axis.n_fine, dtype=np.int64)
    if n:
        group[:n] = _shares(counts[:n]) if axis.column.numeric or (axis.column.ordered and n > LISTED) else _common(counts[:n])
    last = int(group[:n].max()) + 1 if n and counts[:n].any() else 0
    for cell in range(n, axis.n_fine):
        if counts[cell]:
            group[cell], last = last, last + 1
    return axis.grouped(np.unique(group, return_inverse=True)[1], counts)


def _shares(counts: np.ndarray) -> np.ndarray:
    """Neighbours together until they hold a share; a value that alone holds more stays alone."""
    least = counts.sum() / MODELLED
    group, n, held = np.zeros(len(counts), dtype=np.int64), 0, 0.0
    if (counts > 0).sum() <= MODELLED:
        group += np.maximum(np.cumsum(counts > 0) - 1, 0)
        return group
    for i, count in enumerate(counts):
        if held and (held >= least or count >= least):
            n, held = n + 1, 0.0
        group[i] = n
        held += count
    return group


def _common(counts: np.ndarray) -> np.ndarray:
    """The most frequent levels each alone, all others in one cell; a level that nobody holds joins the first."""
    order = np.argsort(-counts, kind="stable")
    group = np.zeros(len(counts), dtype=np.int64)
    group[order] = np.minimum(np.arange(len(counts)), LISTED)
    return np.where(counts > 0, group, 0)
