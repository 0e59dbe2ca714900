"""Combinations that a public rule forbids, as zeros of the model."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Rule
from twinset.core.domain import Axis, Domain
from twinset.core.schema import Schema
from twinset.generators.marginals.graph import Clique

LARGEST = 20_000  # fine cells of a rule's columns together; wider rules are kept by redrawing rows instead


def impossible(rules: Iterable[Rule], domain: Domain) -> dict[Clique, np.ndarray]:
    """Bool tables over modelled cells, by the columns (increasing) of each rule that can be told cell by cell.

    A modelled cell is impossible where every combination of its fine cells breaks the rule. Rules about intervals of numbers cannot
    be told so and are left to the redrawing of rows. The rules must be public: they shape the model without being paid for.
    """
    out: dict[Clique, np.ndarray] = {}
    for rule in rules:
        names = sorted(set(getattr(rule, "columns", ())) & set(domain.names), key=domain.names.index)
        axes = [domain[n] for n in names]
        if not 1 <= len(axes) <= 3 or math.prod(a.n_fine for a in axes) > LARGEST or any(a.column.kind in ("date", "datetime") for a in axes):
            continue
        table = _table(rule, axes, domain)
        if table.any() and not table.all():
            clique = tuple(domain.names.index(n) for n in names)
            out[clique] = out.get(clique, np.zeros_like(table)) | table
    return out


def _exact(axis: Axis) -> np.ndarray:
    """bool, one a fine cell: whether it holds a single known value (a level, one integer, a kind of missing)."""
    out = np.ones(axis.n_fine, dtype=bool)
    if len(axis.edges):
        whole = axis.column.kind == "integer"
        out[: axis.n_values] = (np.diff(axis.edges) == 1) if whole else False
    if axis.other:
        out[axis.n_values] = False
    return out


def _drawn(axis: Axis) -> np.ndarray:
    """bool, one a fine cell: whether rows are ever drawn from it. A missing cell that was taken for noise is not, and must not excuse its neighbours."""
    mass = np.bincount(axis.cell_of, weights=np.maximum(axis.weights, 0.0), minlength=axis.size)
    return np.asarray((axis.weights > 0) | (mass[axis.cell_of] == 0))


def _table(rule: Rule, axes: list[Axis], domain: Domain) -> np.ndarray:
    """Modelled cells of the axes that no combination of fine cells lets the rule hold in."""
    grid = np.indices([a.n_fine for a in axes]).reshape(len(axes), -1)
    series = [_values(a).gather(g) for a, g in zip(axes, grid, strict=True)]
    cohort = Cohort(pl.DataFrame(series), Schema(tuple(domain[a.name].column for a in axes)))
    broken = rule.broken(cohort)
    for axis, g in zip(axes, grid, strict=True):
        broken = broken & _exact(axis)[g]
    for axis, g in zip(axes, grid, strict=True):
        broken = broken | ~_drawn(axis)[g]
    shape = tuple(a.size for a in axes)
    possible = np.zeros(shape, dtype=bool)
    cell = tuple(a.cell_of[g] for a, g in zip(axes, grid, strict=True))
    possible[tuple(c[~broken] for c in cell)] = True
    return ~possible


def _values(axis: Axis) -> pl.Series:
    """A value of each fine cell (of an interval: its lower end; of ``other``: null, since it is no single value)."""
    known: list[object] = list(axis.levels) if axis.levels else [int(e) if axis.column.kind == "integer" else float(e) for e in axis.edges[: axis.n_values]]
    codes = [int(c) if axis.column.kind == "integer" else c for c in axis.column.missing_codes]
    values = [*known, *([None] if axis.other else []), *codes]
    return pl.Series(axis.name, [*values, *[None] * (axis.n_fine - len(values))], strict=False)
