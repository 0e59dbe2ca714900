"""The parametric bootstrap of a released model: what its noise and its patients could have been.

Draw patients from the model, measure on them what was measured, with noise of the variances that were really used, and fit again: the spread
of the refitted models about the released one is that of the released one about the truth, as far as the model is right. All of it is
post-processing of the release and costs no budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twinset.core.domain import Axis
from twinset.core.seeds import Rng
from twinset.generators.marginals import MarginalsModel
from twinset.generators.marginals.aim import Fitting
from twinset.generators.marginals.model import IntArray, TreeModel

FloatArray = np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class Rerun:
    """One turn of the bootstrap: ``cells`` of the patients drawn, int32 (attributes, n), and the model fitted to their noisy marginals."""

    cells: IntArray
    model: MarginalsModel


def rerun(model: MarginalsModel, rng: Rng) -> Rerun:
    """Patients drawn from ``model``, measured and fitted as it was: same cells, same marginals, same noise; nothing is selected again.

    Not repeated: finding undeclared bounds and levels, joining thin cells, choosing marginals. Source: Efron and Tibshirani 1993, chapter 6.5.
    """
    drawn = independent_rows(model.tree, model.n_rows, rng)
    old = model.fitting
    fitting = Fitting(old.sizes, old.limits, zeros=old.zeros, n_public=old.n_public)
    axes = {}
    for i, (axis, first) in enumerate(zip(model.domain, model.first, strict=True)):
        axes[axis.name], counts = _one_way(axis, first, np.bincount(drawn[i], minlength=axis.size), model.first_sigma, rng)
        fitting.add((i,), counts, model.first_sigma)
    for clique, variance in old.combined.cliques.items():
        weight = 1 / variance - (1 / model.first_sigma**2 if len(clique) == 1 else 0.0)
        if weight * variance < 1e-9:  # a one-way count that was not measured again
            continue
        shape = [old.sizes[a] for a in clique]
        place = np.ravel_multi_index([drawn[a] for a in clique], shape)
        counts = np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)
        # numpy's noise is right here: the rows are synthetic, so nothing private stands behind it
        fitting.add(clique, counts + rng.normal(0.0, weight**-0.5, shape), weight**-0.5)
    fitting.model = model.tree  # a warm start
    tree = fitting.refit(thorough=True)
    return Rerun(drawn, replace(model, tree=tree, domain=model.domain.with_axes(axes), n_rows=max(1, round(tree.total)), fitting=fitting))


def independent_rows(tree: TreeModel, n: int, rng: Rng) -> IntArray:
    """``n`` independent rows as cells, int32 (attributes, n): unlike ``draw``, with all the chance of a cohort of patients."""
    out = np.zeros((len(tree.sizes), n), dtype=np.int32)
    for c, clique in enumerate(tree.tree.cliques):
        shared = tree.tree.separators[c]
        new = tuple(a for a in clique if a not in shared)
        table = tree.table(c).transpose([clique.index(a) for a in (*shared, *new)])
        groups = int(np.prod(table.shape[: len(shared)], dtype=np.int64))
        weights = np.maximum(table.reshape(groups, -1), 0.0)
        width = weights.shape[1]
        mass = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, mass, out=np.full_like(weights, 1 / width), where=mass > 0)
        group = np.zeros(n, dtype=np.int64)
        for a in shared:
            group = group * tree.sizes[a] + out[a]
        reached = (np.cumsum(weights, axis=1) + np.arange(groups)[:, None]).ravel()  # group g's weights run from g to g + 1
        found = np.searchsorted(reached, group + rng.random(n) * (1 - 1e-12), side="right") - group * width
        for a, codes in zip(new, np.unravel_index(np.clip(found, 0, width - 1), table.shape[len(shared) :]), strict=True):
            out[a] = codes
    return out


def _one_way(axis: Axis, first: IntArray, counts: IntArray, sigma: float, rng: Rng) -> tuple[Axis, FloatArray]:
    """The axis with fine weights from new noisy counts, and the noisy counts of its modelled cells.

    The noise falls on the cells that were counted; those that were joined later carry the noise of all their parts.
    """
    width = int(first.max()) + 1
    group = np.zeros(width, dtype=np.int64)
    group[first] = axis.cell_of
    held = np.bincount(first, weights=axis.weights, minlength=width)
    exact = np.zeros(width)
    for cell, n in enumerate(counts):
        parts = np.flatnonzero(group == cell)
        mass = held[parts].sum()
        exact[parts] = rng.multinomial(n, held[parts] / mass if mass > 0 else np.full(len(parts), 1 / len(parts)))
    noisy = exact + rng.normal(0.0, sigma, width)
    between = np.where(held > 0, np.maximum(noisy, 0.1 * sigma), 0.0)
    scale = np.divide(between, held, out=np.zeros(width), where=held > 0)
    return replace(axis, weights=axis.weights * scale[first]), np.bincount(group, weights=noisy, minlength=axis.size)
