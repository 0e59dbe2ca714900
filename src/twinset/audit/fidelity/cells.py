"""Several cohorts on one set of cells: what every fidelity metric counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twinset.coding.columns import Coded, Numbers, encode
from twinset.core.cohort import Cohort
from twinset.core.seeds import Rng

FEW = 20  # a numeric column with at most this many distinct train values is counted value by value
N_BINS = 20


@dataclass(frozen=True, repr=False)
class Line:
    """A numeric column: ``values`` float64 (n,) to six significant digits, NaN at gaps; ``gaps`` (n,) says which kind of gap (0 = none)."""

    values: np.ndarray
    gaps: np.ndarray


@dataclass(frozen=True, repr=False)
class Levels:
    """A column of levels: ``codes`` int32 (n,), most frequent train level first; levels unseen in train come last. Missing is a level."""

    codes: np.ndarray
    size: int
    n_train: int  # how many of the levels train has
    missing: int = -1  # the code of "missing", -1 where there is none


Part = Line | Levels


@dataclass(frozen=True, repr=False)
class Table:
    """A cohort in the common coding, column by column."""

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    n: int

    def take(self, rows: np.ndarray) -> Table:
        return Table(self.names, tuple(_take(p, rows) for p in self.parts), len(rows))

    def select(self, columns: np.ndarray) -> Table:
        return Table(tuple(self.names[j] for j in columns), tuple(self.parts[j] for j in columns), self.n)


@dataclass(frozen=True, repr=False)
class Binned:
    """``codes`` int32 (columns, n) in cells 0..sizes[column]-1: numbers cut at the 20-quantiles of train, each kind of gap a cell of its own."""

    names: tuple[str, ...]
    codes: np.ndarray
    sizes: np.ndarray

    @property
    def n(self) -> int:
        return int(self.codes.shape[1])


def aligned(train: Cohort, *others: Cohort, names: Sequence[str] | None = None) -> tuple[Table, ...]:
    """Train and the others in one coding, fixed by train: the same code means the same level in all of them.

    Only columns a generator may model are kept (or those of ``names``). The others must have them all.
    """
    names = train.schema.synthesised.names if names is None else tuple(names)
    schema = train.schema.synthesised.select(names)
    chain: list[tuple[Coded, ...]] = []
    for cohort in (train, *others):
        chain.append(encode(Cohort(cohort.frame.select(names), schema), like=chain[-1] if chain else None))
    columns = [_align(list(per_cohort)) for per_cohort in zip(*chain, strict=True)]
    sizes = [len(train), *(len(o) for o in others)]
    return tuple(Table(names, tuple(c[i] for c in columns), n) for i, n in enumerate(sizes))


def some(names: Sequence[str], most: int, rng: Rng, *, always: str = "") -> tuple[str, ...]:
    """At most ``most`` of the names in their order, drawn without replacement, ``always`` among them."""
    if len(names) <= most:
        return tuple(names)
    drawn = {names[j] for j in rng.choice(len(names), most, replace=False)} | {always}
    return tuple(n for n in names if n in drawn)


def binned(*tables: Table) -> tuple[Binned, ...]:
    """The tables (train first) as counts see them: every column cut into cells."""
    names = tables[0].names
    cut = [_cut([t.parts[j] for t in tables]) for j in range(len(names))]
    sizes = np.array([size for _, size in cut], dtype=np.int64)
    return tuple(Binned(names, _stack([codes[i] for codes, _ in cut], t.n), sizes) for i, t in enumerate(tables))


def independent(table: Table, rng: Rng) -> Table:
    """Each column of the table in an order of its own: every margin kept, every relationship gone."""
    return Table(table.names, tuple(_take(p, rng.permutation(table.n)) for p in table.parts), table.n)


def subsample(table: Table, n: int, rng: Rng) -> Table:
    """At most ``n`` rows, without replacement."""
    return table if table.n <= n else table.take(rng.permutation(table.n)[:n])


def significant(values: np.ndarray, digits: int = 6) -> np.ndarray:
    """Values to six significant digits, so that a float32 round trip is not a difference; NaN where not finite.

    >>> significant(np.array([1.23456789, np.nan]))
    array([1.23457,     nan])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.floor(np.log10(np.abs(values)))
    unit = 10.0 ** (np.where((values == 0) | ~np.isfinite(power), 0.0, power) - (digits - 1))
    return np.where(np.isfinite(values), np.round(values / unit) * unit, np.nan)


def _align(columns: list[Coded]) -> list[Part]:
    """The same column of every cohort (train first) in one coding."""
    first = columns[0]
    if isinstance(first, Numbers):
        lines = [Line(significant(c.values), c.gaps) for c in columns if isinstance(c, Numbers)]
        distinct = np.unique(lines[0].values[lines[0].gaps == 0])
        return list(lines) if len(distinct) > FEW else _levels_of_numbers(lines)
    return _levels_of_codes(columns)


def _levels_of_numbers(lines: list[Line]) -> list[Part]:
    """A number with few values, counted value by value; gaps come behind all values."""
    values = np.unique(np.concatenate([x.values[x.gaps == 0] for x in lines]))
    n_gaps = max(int(x.gaps.max(initial=0)) for x in lines)
    raw = [np.where(x.gaps == 0, np.searchsorted(values, x.values), len(values) + x.gaps - 1).astype(np.int64) for x in lines]
    return _by_frequency(raw, len(values) + n_gaps, len(values) if n_gaps else -1)


def _levels_of_codes(columns: list[Coded]) -> list[Part]:
    """Codes of chained encodings agree but for "missing", which each keeps last: move it behind all levels."""
    coded = [c for c in columns if not isinstance(c, Numbers)]
    n_levels = max(sum(v is not None for v in c.levels) for c in coded)
    has_missing = any(None in c.levels for c in coded)
    raw = []
    for c in coded:
        codes = c.codes.astype(np.int64)
        if None in c.levels:
            codes[codes == c.levels.index(None)] = n_levels
        raw.append(codes)
    return _by_frequency(raw, n_levels + has_missing, n_levels if has_missing else -1)


def _by_frequency(raw: list[np.ndarray], size: int, missing: int) -> list[Part]:
    counts = np.bincount(raw[0], minlength=size)
    order = np.argsort(-counts, kind="stable")
    place = np.empty(size, dtype=np.int32)
    place[order] = np.arange(size, dtype=np.int32)
    n_train = int((counts > 0).sum())
    return [Levels(place[codes], size, n_train, int(place[missing]) if missing >= 0 else -1) for codes in raw]


def _take(part: Part, rows: np.ndarray) -> Part:
    if isinstance(part, Line):
        return Line(part.values[rows], part.gaps[rows])
    return Levels(part.codes[rows], part.size, part.n_train, part.missing)


def _cut(parts: list[Part]) -> tuple[list[np.ndarray], int]:
    first = parts[0]
    if isinstance(first, Levels):
        return [p.codes for p in parts if isinstance(p, Levels)], first.size
    lines = [p for p in parts if isinstance(p, Line)]
    edges = np.unique(np.quantile(first.values[first.gaps == 0], np.linspace(0, 1, N_BINS + 1)[1:-1]))
    n_gaps = max(int(x.gaps.max(initial=0)) for x in lines)
    cells = [np.where(x.gaps == 0, np.searchsorted(edges, x.values, side="right"), len(edges) + x.gaps) for x in lines]
    return cells, len(edges) + 1 + n_gaps


def _stack(codes: list[np.ndarray], n: int) -> np.ndarray:
    return np.array(codes, dtype=np.int32).reshape(len(codes), n)
