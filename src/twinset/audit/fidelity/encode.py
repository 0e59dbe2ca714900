"""Tables as the inputs of a classifier: one coding, fixed by train."""

from __future__ import annotations

from typing import Any

import numpy as np

from twinset.audit.fidelity.cells import Levels, Line, Table

MOST_COLUMNS = 300  # wider tables are shown to classifiers in part, the finding says so
MOST_LEVELS = 40  # further levels share one


def for_trees(table: Table, *, skip: int = -1) -> np.ndarray:
    """(n, d) float64: numbers with NaN at gaps; levels by train frequency, those beyond the 40 most frequent as -1."""
    columns = [_tree_column(p) for j, p in enumerate(table.parts) if j != skip]
    return np.column_stack(columns) if columns else np.zeros((table.n, 1))


def for_lines(table: Table, train: Table, *, skip: int = -1) -> Any:
    """Sparse (n, features): numbers from 0 to 1 between the 0.5 % and 99.5 % points of train plus an "is missing" column; levels one by one."""
    from scipy import sparse

    blocks = [_dense_block(p, t) for j, (p, t) in enumerate(zip(table.parts, train.parts, strict=True)) if j != skip]
    return sparse.csr_matrix(sparse.hstack(blocks)) if blocks else sparse.csr_matrix((table.n, 1))


def _tree_column(part: Line | Levels) -> np.ndarray:
    if isinstance(part, Line):
        return part.values
    known = part.codes < min(MOST_LEVELS, part.n_train)
    return np.where(known, part.codes, -1).astype(np.float64)


def _dense_block(part: Line | Levels, train: Line | Levels) -> Any:
    from scipy import sparse

    if isinstance(part, Line) and isinstance(train, Line):
        seen = train.values[~np.isnan(train.values)]
        low, median, high = np.quantile(seen, [0.005, 0.5, 0.995])
        filled = np.clip(np.where(np.isnan(part.values), median, part.values), low, high)
        scaled = (filled - low) / ((high - low) or 1.0)
        return sparse.csr_matrix(np.column_stack([scaled, np.isnan(part.values).astype(np.float64)]))
    assert isinstance(part, Levels)
    width = min(MOST_LEVELS, part.n_train)
    codes = np.minimum(part.codes, width)
    n = len(codes)
    return sparse.csr_matrix((np.ones(n), codes, np.arange(n + 1)), shape=(n, width + 1))
