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
            _fill(out, places[a], places[b], np.diag(_table(model, c, (a,))) if a == b else _table(model, c, (a, b)))
    own = np.concatenate([places[a] for a in home])
    cells, up = [own], [np.vstack([_table(model, c, (a, *above)).reshape(model.sizes[a], -1) for a in home])]
    for i, side in enumerate(sides):
        _fill(out, side.cells, own, np.hstack([_carry(model, c, side, (a,)) for a in home]))
        for other in sides[:i]:
            _fill(out, side.cells, other.cells, _carry(model, c, side, other.separator) @ other.given.T)
        cells.append(side.cells)
        up.append(_carry(model, c, side, above))
    mass = _table(model, c, above).ravel()
    given = np.vstack(up) * np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0)
    return _Side(np.concatenate(cells), given, above)


def _table(model: TreeModel, c: int, attributes: Clique) -> FloatArray:
    """Expected counts of attributes inside clique ``c``, axes in the order given."""
    clique = model.tree.cliques[c]
    table = model.table(c).sum(axis=tuple(i for i, a in enumerate(clique) if a not in attributes))
    left = [a for a in clique if a in attributes]
    return np.asarray(table.transpose([left.index(a) for a in attributes]))


def _carry(model: TreeModel, c: int, side: _Side, to: Clique) -> FloatArray:
    """Expected counts of a side's cells x the joint cells of ``to``, through clique ``c``: ``given`` times the table of separator x ``to``.

    Attributes in both are a diagonal of that table, so the product is taken for each of their values apart and never holds it whole.
    """
    both = tuple(a for a in side.separator if a in to)
    near, far = (tuple(a for a in side_ if a not in both) for side_ in (side.separator, to))
    n = len(side.cells)
    sizes = {name: int(np.prod([model.sizes[a] for a in name], dtype=np.int64)) for name in (both, near, far)}
    table = _table(model, c, (*both, *near, *far)).reshape(sizes[both], sizes[near], sizes[far])
    given = side.given.reshape(n, *(model.sizes[a] for a in side.separator))
    given = given.transpose([1 + side.separator.index(a) for a in both] + [0] + [1 + side.separator.index(a) for a in near])
    carried = np.matmul(given.reshape(sizes[both], n, sizes[near]), table)
    carried = carried.reshape(*(model.sizes[a] for a in both), n, *(model.sizes[a] for a in far))
    order = (*both, -1, *far)
    return np.asarray(carried.transpose([order.index(-1)] + [order.index(a) for a in to]).reshape(n, -1))


def _fill(out: FloatArray, rows: IntArray, columns: IntArray, block: FloatArray) -> None:
    out[np.ix_(rows, columns)] = block
    out[np.ix_(columns, rows)] = block.T
