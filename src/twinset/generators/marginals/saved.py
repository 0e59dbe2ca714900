"""A released model as data: JSON with arrays in base64, no pickle. What is needed to draw from it again and to bootstrap it."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from twinset.core.domain import Axis, Domain
from twinset.core.schema import Column, Schema
from twinset.errors import BadInput, collect
from twinset.generators.marginals import MarginalsModel
from twinset.generators.marginals.aim import Fitting, Limits
from twinset.generators.marginals.graph import Clique, junction_tree
from twinset.generators.marginals.model import Target, fit

FORMAT = "twinset model 1"
LARGEST = 50_000_000  # values of one array read from a file
DTYPES: dict[str, type[pl.DataType]] = {d.__name__: d for d in (pl.String, pl.Boolean, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Float32, pl.Float64, pl.Date)}
KEPT = ("name", "kind", "role", "low", "high", "levels", "ordered", "missing_codes", "decimals", "origin", "description")


def to_dict(model: MarginalsModel) -> dict[str, Any]:
    """The model, JSON-ready. Everything in it is a declaration of the study or made from answers that were paid for.

    Raises BadInput where its schema still holds bounds, levels or codes that were read from the rows (``twinset release`` removes them before
    the vault sees them).
    """
    _nothing_private(model)
    names, fitting = model.domain.names, model.fitting
    return {
        "format": FORMAT,
        "rows": model.n_rows,
        "rows_public": fitting.n_public,
        "total": model.tree.total,
        "limits": asdict(fitting.limits),
        "columns": [_column(c) | {"dtype": _dtype(model.dtypes[c.name])} for c in model.schema],
        "axes": [_axis(a) | {"first": _packed(f.astype(np.int32))} for a, f in zip(model.domain, model.first, strict=True)],
        "first_sigma": model.first_sigma,
        "marginals": [
            {"columns": [names[a] for a in c], "sigma": math.sqrt(v), "potential": _packed(model.tree.potentials[c])}
            for c, v in fitting.combined.cliques.items()
        ],
        "impossible": [{"columns": [names[a] for a in c], "cells": _packed(t.astype(np.uint8))} for c, t in fitting.zeros.items()],
    }


def from_dict(data: Mapping[str, Any]) -> MarginalsModel:
    """The model that :func:`to_dict` wrote: it draws the same rows from the same seed, and can be bootstrapped. Raises BadInput where it cannot be read."""
    try:
        if data["format"] != FORMAT:
            raise BadInput("this model was saved in another format", hint=f"this version reads `{FORMAT}`")
        return _model(data)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, zlib.error):
        raise BadInput("this is not a model that twinset saved", hint="give the file release/model.json as it was released") from None


def _model(data: Mapping[str, Any]) -> MarginalsModel:
    domain = Domain(tuple(_axis_from(a) for a in data["axes"]))
    limits = Limits(**data["limits"])
    zeros = {_clique(z["columns"], domain): _array(z["cells"], domain.shape(z["columns"])).astype(bool) for z in data["impossible"]}
    fitting = Fitting(domain.sizes, limits, zeros=zeros, n_public=data["rows_public"])
    potentials = {_clique(m["columns"], domain): _array(m["potential"], domain.shape(m["columns"])) for m in data["marginals"]}
    for m in data["marginals"]:
        fitting.combined.cliques[_clique(m["columns"], domain)] = float(m["sigma"]) ** 2
    targets = [Target(c, p, 1.0) for c, p in potentials.items()]  # only their shapes matter: nothing is fitted
    tree = fit(junction_tree(fitting.near, domain.sizes), domain.sizes, targets, total=float(data["total"]), warm=potentials, zeros=zeros, sweeps=0)
    fitting.model = tree
    schema = Schema(tuple(_column_from(c) for c in data["columns"]))
    dtypes = {c["name"]: _dtype_from(c["dtype"]) for c in data["columns"]}
    measured = tuple((tuple(m["columns"]), float(m["sigma"])) for m in data["marginals"])
    first = tuple(_array(a["first"], (axis.n_fine,)) for a, axis in zip(data["axes"], domain, strict=True))
    return MarginalsModel(tree, domain, schema, dtypes, int(data["rows"]), measured, fitting, first, float(data["first_sigma"]))


def _nothing_private(model: MarginalsModel) -> None:
    problems = []
    for c in (*model.schema, *model.domain.schema):
        levels = [x for x in c.levels if not isinstance(x, bool)]  # false and true are known without looking
        if c.origin == "private" and (levels or c.missing_codes or c.low is not None or c.high is not None or c.decimals is not None):
            problems.append(f"column `{c.name}` has bounds, levels or codes that were read from the rows")
    if problems:
        raise BadInput(collect(sorted(set(problems))), hint="fit it on a schema that holds public declarations only, as `twinset release` does")


def _column(column: Column) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(column).items() if k in KEPT}


def _column_from(data: Mapping[str, Any]) -> Column:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in KEPT}
    return Column(**fields)


def _axis(axis: Axis) -> dict[str, Any]:
    arrays: dict[str, np.ndarray] = {"edges": axis.edges.astype(np.float64), "cells": axis.cell_of.astype(np.int32), "weights": axis.weights.astype(np.float64)}
    return {"column": _column(axis.column), "levels": list(axis.levels), "other": axis.other} | {k: _packed(v) for k, v in arrays.items()}


def _axis_from(data: Mapping[str, Any]) -> Axis:
    edges, cells, weights = (_array(data[k]) for k in ("edges", "cells", "weights"))
    if cells.ndim != 1 or cells.shape != weights.shape or not len(cells) or cells.min() < 0 or len(np.unique(cells)) != cells.max() + 1:
        raise ValueError
    return Axis(_column_from(data["column"]), tuple(data["levels"]), edges, bool(data["other"]), cells, weights)


def _clique(columns: Sequence[str], domain: Domain) -> Clique:
    clique = tuple(domain.names.index(n) for n in columns)
    if list(clique) != sorted(set(clique)):
        raise ValueError
    return clique


def _packed(array: np.ndarray) -> dict[str, Any]:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {"dtype": little.dtype.str, "shape": list(array.shape), "data": base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()}


def _array(data: Mapping[str, Any], shape: tuple[int, ...] | None = None) -> np.ndarray:
    dtype, found = np.dtype(data["dtype"]), tuple(int(k) for k in data["shape"])
    if dtype.kind not in "iuf" or math.prod(found) > LARGEST or (shape is not None and found != shape):
        raise ValueError
    size = math.prod(found) * dtype.itemsize
    raw = zlib.decompressobj().decompress(base64.b64decode(data["data"], validate=True), size + 1)
    return np.frombuffer(raw, dtype=dtype).astype(dtype.newbyteorder("=")).reshape(found)


def _dtype(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return f"Datetime {dtype.time_unit} {dtype.time_zone or ''}".strip()
    name = dtype.base_type().__name__
    if name not in DTYPES:
        raise BadInput("a column is stored in a way that a saved model cannot name", hint="store it as text, whole numbers, numbers, dates or true and false")
    return name


def _dtype_from(text: str) -> pl.DataType:
    kind, *rest = text.split(" ")
    if kind == "Datetime":
        unit = {"ns": "ns", "us": "us", "ms": "ms"}[rest[0]]
        return pl.Datetime(unit, rest[1] if len(rest) > 1 else None)  # type: ignore[arg-type]
    return DTYPES[kind]()
