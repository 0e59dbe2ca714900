"""Gaps filled with the mean of the nearest rows, for computing only: never to be released as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twinset.coding.columns import Coded, Codes

FloatArray = np.ndarray

MOST_DISTANCES = 400_000_000


def nearest_mean(table: FloatArray, *, neighbours: int = 5) -> FloatArray:
    """The table (n, p) with every NaN replaced by the mean of that column over the nearest rows that have it.

    Distances are Euclidean on the raw, unscaled columns that both rows have (Troyanskaya et al. 2001), as the published
    avatars were made. Beyond 4e8 distances the donors are an even thinning of the rows. A column without any number becomes 0.
    """
    gaps = np.isnan(table)
    needy = np.flatnonzero(gaps.any(axis=1))
    if not len(needy):
        return table
    from sklearn.impute import KNNImputer

    hollow = gaps.all(axis=0)
    out = np.where(hollow, 0.0, table)
    step = max(1, -(-len(needy) * len(table) // MOST_DISTANCES))
    donors = out[::step]
    donors = np.where(np.isnan(donors).all(axis=0), np.nan_to_num(np.nanmean(out, axis=0)), donors)
    out[needy] = KNNImputer(n_neighbors=neighbours).fit(donors).transform(out[needy])
    return out


def raw_table(coded: Sequence[Coded]) -> FloatArray:
    """All columns as raw numbers, shape (n, p): numbers as they are (NaN where there is a gap), levels by their number, or place in the list."""
    n = 0 if not coded else len(coded[0].codes if isinstance(coded[0], Codes) else coded[0].values)
    out = np.empty((n, len(coded)))
    for i, column in enumerate(coded):
        out[:, i] = _scale(column)[column.codes] if isinstance(column, Codes) else column.values
    return out


def _scale(column: Codes) -> FloatArray:
    levels = [v for v in column.levels if v is not None]
    if all(isinstance(v, (int, float)) for v in levels):
        return np.asarray([0.0 if v is None else float(v) for v in column.levels] or [0.0])
    return np.arange(max(1, len(column.levels)), dtype=np.float64)
