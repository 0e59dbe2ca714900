"""All one- and two-way marginals of a model at once, exact, by matrix products along the tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twinset.generators.marginals.graph import Clique
from twinset.generators.marginals.model import FloatArray, IntArray, TreeModel


@dataclass(frozen=True)
class _Side:
    """What lies below a clique: the cells of its attributes (places in the result), and P(cell | separator), (cells, separator)."""

    cells: IntArray
    given: FloatArray
    separator: Clique


def all_pairs(model: TreeModel) -> FloatArray:
    """Expected counts of every pair of cells: float64 (k, k), k the cells of all attributes one behind the other.

    Block (a, b) is the table of attributes a and b; the diagonal blocks hold the one-way counts. The work is one matrix product
    (cells on one side) x (separator) x (cells on the other) where two parts of the tree meet, never a table of more attributes than a clique has.
    """
    offset = np.r_[0, np.cumsum(model.sizes)]
    out = np.zeros((offset[-1], offset[-1]))
    places = [np.arange(offset[a], offset[a + 1]) for a in range(len(model.sizes))]
    below: list[list[_Side]] = [[] for _ in model.tree.cliques]
    for c in range(len(model.tree.cliques) - 1, -1, -1):
        side = _meet(model, c, below[c], places, out)
        below[c] = []
        if c:
            below[model.tree.parent[c]].append(side)
    return out


def _meet(model: TreeModel, c: int, sides: list[_Side], places: list[IntArray], out: FloatArray) -> _Side:
    """Fill every pair whose ways meet first in clique ``c``; gives all that lies below its separator."""
    above = model.tree.separators[c]
    home = tuple(a for a in model.tree.cliques[c] if a not in above)
    for i, a in enumerate(home):
        for b in home[i:]:
            _fill(out, places[a], places[b], _joint(model, c, (a,), (b,)))
    own = np.concatenate([places[a] for a in home])
    cells, up = [own], [np.vstack([_joint(model, c, (a,), above) for a in home])]
    for i, side in enumerate(sides):
        _fill(out, side.cells, own, side.given @ np.hstack([_joint(model, c, side.separator, (a,)) for a in home]))
        for other in sides[:i]:
            _fill(out, side.cells, other.cells, side.given @ _joint(model, c, side.separator, other.separator) @ other.given.T)
        cells.append(side.cells)
        up.append(side.given @ _joint(model, c, side.separator, above))
    mass = _joint(model, c, (), above)[0]
    given = np.vstack(up) * np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0)
    return _Side(np.concatenate(cells), given, above)


def _joint(model: TreeModel, c: int, left: Clique, right: Clique) -> FloatArray:
    """Expected counts of the joint cells of ``left`` x those of ``right``, both inside clique ``c``; they may share attributes."""
    clique = model.tree.cliques[c]
    both = tuple(sorted({*left, *right}))
    table = model.table(c).sum(axis=tuple(i for i, a in enumerate(clique) if a not in both))
    rows, columns = (np.prod([model.sizes[a] for a in side], dtype=np.int64) for side in (left, right))
    if not set(left) & set(right):
        return table.transpose([both.index(a) for a in (*left, *right)]).reshape(rows, columns)
    out = np.zeros((rows, columns))
    grid = np.indices(table.shape).reshape(len(both), -1)
    i, j = (np.ravel_multi_index([grid[both.index(a)] for a in side], [model.sizes[a] for a in side]) for side in (left, right))
    out[i, j] = table.ravel()
    return out


def _fill(out: FloatArray, rows: IntArray, columns: IntArray, block: FloatArray) -> None:
    out[np.ix_(rows, columns)] = block
    out[np.ix_(columns, rows)] = block.T
