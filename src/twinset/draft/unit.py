"""Whose rows they are: what tells the rows of a patient apart, and what a draft makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import polars as pl

from twinset.core.schema import Column, Level, Schema
from twinset.io.infer import infer_schema
from twinset.io.survival import Pair, event_level, survival_pairs
from twinset.io.toml import toml
from twinset.io.words import plain, vocabulary, words
from twinset.rows import differing, only, wide
from twinset.rules.tree import Constant, Type, show_constant, show_name

APART = vocabulary(
    "visit visits visitnum avisit enum seq seqno sequence number month months week weeks day days date time timepoint period cycle episode eye side limb ear knee hip etype "
    "event endpoint type encounter admission stay wave round year quarter session occasion measurement sample test scale param paramcd item start tstart "
    "besuch visite monat woche tag datum auge seite ereignis zeitpunkt messung zyklus aufenthalt mois semaine jour oeil cote evenement cycle sejour visita mes semana dia ojo lado evento ciclo"
)
VISITS = vocabulary(
    "visit visits visitnum avisit month months week weeks day days date time timepoint period cycle wave round year quarter session occasion visite monat woche tag mois semaine jour visita mes semana dia"
)
SIDES = vocabulary("eye side limb ear knee hip arm hand foot auge seite ohr knie hufte oeil cote ojo lado")
SIDED = vocabulary("left right l r od os links rechts gauche droite izquierdo derecho izquierda derecha")
MOST_KINDS, MOST_WIDE = 6, 12
UNIQUE = 0.999
FEW_TIMES = 5
LOOK = 2_000  # patients, before all are looked at


@dataclass(frozen=True)
class Rows:
    """What is left of a table, as the schema's columns. ``apart``: the columns that tell a patient's rows apart. ``where``, ``keep``, ``widen``: as in ``[data]``.

    ``kept``: the rows that a release would see, one a patient where ``keep`` or ``widen`` makes them so. ``pairs``: time, event and arm ("" = none) of each endpoint.
    """

    frame: pl.DataFrame
    schema: Schema
    apart: tuple[str, ...] = ()
    where: str = ""
    keep: str = ""
    widen: str = ""
    others: tuple[str, ...] = ()
    kept: pl.DataFrame | None = None
    pairs: tuple[tuple[Pair, str], ...] = ()

    @property
    def of_patients(self) -> bool:
        """Whether a row of a release is a patient."""
        return not self.schema.unit or bool(self.keep or self.widen)


def rows(frame: pl.DataFrame, schema: Schema, *, private: bool) -> Rows:
    """The rows a draft proposes to keep. For a private run all of them: it chooses none by what they hold."""
    arms = [c.name for c in schema.with_role("arm")]
    pairs = survival_pairs(schema.synthesised.columns, taken=arms)
    made = Rows(frame, schema, pairs=tuple((p, arms[0] if arms else "") for p in pairs))
    if not schema.unit:
        return made
    unit, some = schema.unit, _some(frame, schema.unit)
    apart = _apart(frame, some, schema)
    made = replace(made, apart=apart)
    if private:
        return made
    column = schema[apart[0]] if len(apart) == 1 else None
    exact = column is not None and 2 <= len(column.levels) <= MOST_WIDE and _exact(frame, unit, column)
    if column is not None and exact and _complete(some, unit, column):
        if _sided(column) or column.role == "arm":  # two eyes, or the two treatments that each patient had: rows of one patient, each to be kept
            return _widened(made, column)
        vary = set(differing(some, unit))
        if not _said(column) & VISITS and any(p.time in vary and p.event in vary for p in pairs):
            return _chosen(made, column)
    keep = "last" if any(_ends(some, unit, schema[p.event], some[p.time]) for p in pairs) else "first"
    kept = _first(frame, unit, keep)
    lasting = tuple((p, arm) for p, arm in made.pairs if kept[p.time].n_unique() >= FEW_TIMES)  # else it is when they were seen, not for how long
    return replace(made, keep=keep, others=_others(column, widens=exact), kept=kept, pairs=lasting)


def crossed(frame: pl.DataFrame, schema: Schema) -> list[str]:
    """Groups in which the same patient numbers occur: numbers that may count patients within each."""
    n_patients = frame[schema.unit].n_unique()
    return [g.name for g in schema.with_role("group") if frame.select(schema.unit, g.name).n_unique() > 1.5 * n_patients]


def in_order(frame: pl.DataFrame, unit: str, column: str) -> bool:
    """Whether the rows of each patient looked at stand in the order of a column of numbers or dates; true of other columns."""
    some = _some(frame, unit)
    if not (some[column].dtype.is_numeric() or some[column].dtype.is_temporal()):
        return True
    back = pl.col(column) < pl.col(column).shift().over(unit)
    return not some.select(back.any()).item()


def _some(frame: pl.DataFrame, unit: str) -> pl.DataFrame:
    """All rows, or of a large table those of its first patients."""
    if frame.height <= 10 * LOOK:
        return frame
    return frame.filter(pl.col(unit).is_in(frame[unit].unique(maintain_order=True).head(LOOK).implode()))


def _apart(frame: pl.DataFrame, some: pl.DataFrame, schema: Schema) -> tuple[str, ...]:
    """One column that differs between all rows of every patient, else two that do together, else none: by name first, then few levels first."""
    who = [schema.unit, *crossed(frame, schema)]
    places = {c.name: i for i, c in enumerate(schema)}
    free = [c for c in schema if c.name not in who and c.identifier != "row number" and _whole(c)]
    exact = [c for c in free if _distinct(some, *who, c.name) >= UNIQUE]
    exact.sort(key=lambda c: (c.kind == "text", not _named(c), len(c.levels) or 1_000, places[c.name]))
    known = [c.name for c in free if _named(c) and c.kind != "text" and some[c.name].n_unique() > 1]
    pairs = (pair for pair in combinations(known, 2) if _distinct(some, *who, *pair) >= 0.95)
    tried: list[tuple[tuple[str, ...], float]] = [*(((c.name,), UNIQUE) for c in exact), *((pair, 0.95) for pair in pairs)]
    return next((names for names, least in tried if _distinct(frame, *who, *names) >= least), ())


def _distinct(frame: pl.DataFrame, *columns: str) -> float:
    return float(frame.select(columns).n_unique()) / max(frame.height, 1)


def _whole(column: Column) -> bool:
    return column.kind != "number" or _named(column)


def _named(column: Column) -> bool:
    return column.kind in ("date", "datetime") or bool(APART & _said(column))


def _said(column: Column) -> set[str]:
    return {plain(w) for w in words(column.name)}


def _sided(column: Column) -> bool:
    return bool(_said(column) & SIDES) or (bool(column.levels) and {plain(str(v)) for v in column.levels} <= SIDED)


def _complete(frame: pl.DataFrame, unit: str, column: Column) -> bool:
    """Whether nearly every patient has each of few levels once."""
    n_levels = len(column.levels)
    if column.kind != "category" or not 2 <= n_levels <= MOST_KINDS or frame[column.name].null_count():
        return False
    sizes = frame.group_by(unit).len()["len"]
    return int((sizes == n_levels).sum()) >= 0.9 * len(sizes)


def _widened(made: Rows, column: Column) -> Rows:
    unit, frame = made.schema.unit, wide(made.frame, made.schema.unit, column.name)
    differ = set(differing(made.frame, unit, ignore=(column.name,)))
    names = [str(v) for v in column.levels]
    inferred = infer_schema(frame, unit=unit)
    source = {f"{c}_{n}" if c in differ else c: c for c in made.frame.columns if c != column.name for n in names}
    columns = [_like(c, made.schema[source[c.name]]) for c in inferred]

    def called(name: str, level: str) -> str:
        return f"{name}_{level}" if name in differ else name

    pairs = dict.fromkeys(
        (Pair(called(p.time, n), called(p.event, n)), "" if arm in ("", column.name) else called(arm, n)) for p, arm in made.pairs for n in names
    )
    others = tuple(f"where = {_quoted(column, v)}" for v in column.levels)
    return replace(made, frame=frame, schema=Schema(tuple(columns), unit=unit), widen=column.name, others=others, kept=frame, pairs=tuple(pairs))


def _like(made: Column, source: Column) -> Column:
    """A widened column: its own bounds and levels, the role of the column it came from."""
    if not source.synthesised:
        return Column(made.name, "text", source.role, identifier=source.identifier)
    return replace(made, role=source.role) if made.synthesised else made


def _chosen(made: Rows, column: Column) -> Rows:
    """One kind of row: that of the level that says death, else the last."""
    deaths = [v for v in column.levels if isinstance(v, str) and "death" in plain(v)]
    level = deaths[0] if deaths else column.levels[-1]
    where = _condition(column, level)
    frame = only(made.frame, where)
    others = (*(f"where = {_quoted(column, v)}" for v in column.levels if v != level), f"widen = {toml(column.name)}")
    schema = infer_schema(frame, unit=made.schema.unit)
    columns = tuple(replace(c, role=made.schema[c.name].role) if c.synthesised else c for c in schema)
    return replace(
        made, frame=frame, schema=Schema(columns, unit=schema.unit), where=where, keep="first", others=others, kept=_first(frame, schema.unit, "first")
    )


def _others(column: Column | None, *, widens: bool) -> tuple[str, ...]:
    if column is None or not 2 <= len(column.levels) <= MOST_WIDE:
        return ()
    return (f"where = {_quoted(column, column.levels[0])}", *((f"widen = {toml(column.name)}",) if widens else ()))


def _exact(frame: pl.DataFrame, unit: str, column: Column) -> bool:
    """Whether the table can be widened by a column."""
    return not frame[unit].null_count() and not frame[column.name].null_count() and frame.select(unit, column.name).n_unique() == frame.height


def _ends(frame: pl.DataFrame, unit: str, event: Column, time: pl.Series) -> bool:
    """Whether an event ends a patient's rows: it is seen in last rows only, and not in all rows of a patient alike."""
    seen = (frame[event.name] == event_level(event, frame[event.name], time)).fill_null(False)
    last = frame.select(pl.col(unit).is_last_distinct()).to_series()
    differs = pl.DataFrame({"unit": frame[unit], "seen": seen}).group_by("unit").agg(pl.col("seen").n_unique())["seen"].max()
    return bool(seen.any()) and not bool((seen & ~last).any()) and differs == 2


def _first(frame: pl.DataFrame, unit: str, keep: str) -> pl.DataFrame:
    return frame.unique(unit, keep="last" if keep == "last" else "first", maintain_order=True)


def _condition(column: Column, level: Level) -> str:
    kind: Type = "flag" if isinstance(level, bool) else "text" if isinstance(level, str) else "number"
    value = level if isinstance(level, (bool, str)) else float(level)
    return f"{show_name(column.name)} == {show_constant(Constant(value, kind))}"


def _quoted(column: Column, level: Level) -> str:
    return toml(_condition(column, level))
