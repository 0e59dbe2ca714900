"""A domain as SQL: cells are computed where the rows lie, with the same comparisons of the same 64-bit floats."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from twinset.coding.hierarchy import lengths
from twinset.coding.identity import GOLDEN, MASK, MIX
from twinset.core.domain import Axis
from twinset.core.schema import Column, Level


def text(value: str) -> str:
    """A quoted text."""
    return "'" + value.replace("'", "''").replace("\0", "'||chr(0)||'") + "'"


def literal(value: Level) -> str:
    """A level, exactly."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return f"'{value!r}'::DOUBLE" if isinstance(value, float) else text(value)


def mixed(query: str, *, also: str = "") -> str:
    """63 random bits ``z`` for each row of a query that gives ``id``, ``base`` and ``place``: what :func:`twinset.coding.identity.mixed` gives.

    ``also``: further columns to keep, each with a comma behind it.
    """
    out = f"SELECT id, {also}place, ((base::HUGEINT + (place + 1)::HUGEINT * {GOLDEN}) & {MASK})::UBIGINT AS z FROM ({query})"
    for shift, factor in MIX:
        out = f"SELECT id, {also}place, ((xor(z, z >> {shift})::HUGEINT * {factor}) & {MASK})::UBIGINT AS z FROM ({out})"
    return out


def unfound(column: Column, x: str, dtype: pl.DataType, known: Sequence[Level]) -> list[str]:
    """The level of a value, and then its prefixes (``coding.hierarchy``), each null where it is in ``known``."""
    listed = [*known, *(column.missing_codes if dtype.is_numeric() else ())]
    among = ", ".join(map(literal, listed))
    there = f"{x} IS NOT NULL" + (f" AND {x} NOT IN ({among})" if listed else "")
    out = [f"CASE WHEN {there} THEN {x} END"]
    for n in lengths(column.name) if dtype == pl.String else ():
        prefix = f"left({x}, {n})"
        inside = f"{there} AND length({x}) > {n}" + (f" AND {prefix} NOT IN ({among})" if listed else "")
        out.append(f"CASE WHEN {inside} THEN {prefix} END")
    return out


def cell(axis: Axis, x: str) -> str:
    """The fine cell of a value; one that has no cell counts as missing."""
    first, null = axis.n_values + axis.other, axis.n_fine - 1
    if axis.column.numeric:
        codes = "".join(f" WHEN {x} = {literal(float(c))} THEN {first + j}" for j, c in enumerate(axis.column.missing_codes))
        return f"CASE WHEN {x} IS NULL THEN {null}{codes} ELSE {_interval(axis, x)} END"
    elsewhere = str(axis.n_values if axis.other else null)
    if axis.other and any(isinstance(v, str) for v in axis.levels):
        elsewhere = _nearest(axis, x)
    elif axis.levels and axis.column.missing_codes and not any(isinstance(v, str | bool) for v in axis.levels):
        kinds = [f"WHEN {x} = {literal(float(c))} THEN {first + j}" for j, c in enumerate(axis.column.missing_codes)]
        elsewhere = f"CASE {' '.join(kinds)} ELSE {elsewhere} END"
    levels = sorted(enumerate(axis.levels), key=lambda p: p[1].encode() if isinstance(p[1], str) else p[1])
    leaves = [f"CASE WHEN {x} = {literal(v)} THEN {i} END" for i, v in levels]
    if levels and isinstance(levels[0][1], bool):
        found = f"CASE {x} {' '.join(f'WHEN {literal(v)} THEN {i}' for i, v in levels)} END"
    else:
        found = tree(x, [literal(v) for _, v in levels[1:]], leaves) if levels else "NULL"
    return f"CASE WHEN {x} IS NULL THEN {null} ELSE coalesce({found}, {elsewhere}) END"


def _nearest(axis: Axis, x: str) -> str:
    """The place of the longest listed prefix of an unlisted code (``coding.hierarchy``), else that of ``other``."""
    out = str(axis.n_values)
    for n in lengths(axis.name):
        listed = [f"WHEN {literal(v)} THEN {i}" for i, v in enumerate(axis.levels) if isinstance(v, str) and len(v) == n]
        if listed:
            out = f"CASE CASE WHEN length({x}) > {n} THEN left({x}, {n}) END {' '.join(listed)} ELSE {out} END"
    return out


def _interval(axis: Axis, x: str) -> str:
    """The place among the intervals; between whole numbers by ``floor``, which is as exact as comparing and cheaper."""
    low = axis.edges[0]
    if np.array_equal(axis.edges, np.floor(low) + np.arange(axis.n_values + 1)):
        return f"greatest(least(floor({x}) - {literal(float(low))}, {axis.n_values - 1}), 0)::INTEGER"
    return tree(x, [literal(float(e)) for e in axis.edges[1:-1]], list(map(str, range(axis.n_values))))


def regroup(x: str, cell_of: np.ndarray) -> str:
    """The modelled cell of a fine cell."""
    if np.array_equal(cell_of, np.arange(len(cell_of))):
        return x
    starts = np.r_[0, np.flatnonzero(np.diff(cell_of)) + 1]
    return tree(x, [str(s) for s in starts[1:]], [str(cell_of[s]) for s in starts])


def key(columns: Sequence[str], sizes: Sequence[int]) -> str:
    """The place in C order of the cell of these columns."""
    kind = "UINTEGER" if math.prod(sizes) < 2**32 else "UBIGINT"
    out = f"{columns[0]}::{kind}"
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        out = f"({out} * {size}::{kind} + {column}::{kind})"
    return out


def tree(x: str, borders: Sequence[str], leaves: Sequence[str]) -> str:
    """``leaves[i]`` where ``x`` has reached i of the ascending ``borders``: comparisons by halves, so that hundreds of intervals cost a few each."""
    if not borders:
        return leaves[0]
    middle = len(borders) // 2
    below = tree(x, borders[:middle], leaves[: middle + 1])
    return f"CASE WHEN {x} < {borders[middle]} THEN {below} ELSE {tree(x, borders[middle + 1 :], leaves[middle + 1 :])} END"
