"""One section ``[columns.NAME]`` of a draft."""

from __future__ import annotations

import datetime as dt

import polars as pl

from twinset.core.days import FIRST_DAY, LAST_DAY
from twinset.core.schema import Column
from twinset.draft.data import DATES, pair
from twinset.io.codelists import CodeList, suggest
from twinset.io.infer import suspect_code
from twinset.io.plausible import plausible
from twinset.io.read import Reading
from twinset.io.shapes import MIXED, OPEN, PAIRS, SEVERAL, SHORT
from twinset.io.toml import comment, key, toml
from twinset.io.units import too_wide, two_groups

MOST_LEVELS = 200
NUMBERS = ("integer", "number")
CONFIRM = (
    "That this column is written in it was seen in the rows: confirm it from the code book, or take levels and origin away. Other codes are read as missing."
)
LEFT_OUT = {
    SEVERAL: "CHECK: left out, since its dates are written in several formats: write them all as 2020-01-31 in the table, and draft again",
    SHORT: "CHECK: left out, since its years have two digits: write the dates as 2020-01-31 in the table, and draft again",
    OPEN: 'CHECK: left out, since day or month may come first: take `description` away and set type = "date" and date_order = "dmy" or "mdy"',
    PAIRS: "CHECK: left out, since each cell holds two numbers: split it in the table into `{0}_1` and `{0}_2` (a blood pressure: systolic, diastolic), and draft again",
    MIXED: "CHECK: left out, since texts stand among its numbers: list those that mean missing under [data] missing; take units and signs like < out of the cells",
}
BORN = "CHECK: a date of birth is left out. If age matters, add it to the table first: years from `{0}` to {1}. An age is a quasi-identifier"
GROUPS = "CHECK: its numbers fall into two groups far apart: two units in one column?"
WIDE = "CHECK: its largest number is many times its smallest, more than this quantity has in one unit: two units in one column?"
ERRORS = "CHECK: some numbers are biologically impossible for {0}: another unit, errors, or a code for missing?"
SEEN = " Seen: "
BEYOND = "CHECK: the table goes beyond them: another unit, or errors? What lies outside is moved to the nearest bound."
PROTOCOL = "CHECK: the protocol says what arms and events there are, so their levels are public: write them. A level that is not found ends the analysis below."
UNBOUNDED = "no public bounds: they are found within the budget"


def column(column: Column, series: pl.Series, reading: Reading, *, order: str, private: bool, since: str = "") -> str:
    """The section as text. ``order``: the table's order of dates, which a column may differ from; ``since``: its first date, from which an age could be told.

    ``private``: without what was read from the rows.
    """
    lines = [f"[columns.{key(column.name)}]"]
    if column.identifier == "date of birth":
        lines.append(comment(BORN.format(column.name, f"`{since}`" if since else "the date of entry")))
    lines += map(comment, _remarks(column, series, reading, private=private))
    lines += [pair("type", column.kind), pair("role", column.role)]
    if column.identifier:
        lines.append(pair("identifier", column.identifier))
    if column.description:
        lines.append(pair("description", column.description))
    own = reading.date_orders.get(column.name, order)
    if column.kind in DATES and own != order:
        lines.append(pair("date_order", own))
    lines += _declared(column, series) if private else _seen(column)
    return "\n".join(lines) + "\n"


def _seen(column: Column) -> list[str]:
    """Bounds and levels as they were read from the rows."""
    lines = []
    if column.low is not None and column.high is not None:
        lines += [pair("low", _bound(column.low, column)), pair("high", _bound(column.high, column))]
    if 0 < len(column.levels) <= MOST_LEVELS:
        lines.append(pair("levels", column.levels))
    if column.ordered:
        lines.append("ordered = true")
    if column.missing_codes:
        lines.append(pair("missing_codes", [_number(c, column) for c in column.missing_codes]))
    if column.decimals is not None:
        lines.append(pair("decimals", column.decimals))
    if column.kind != "text":
        lines.append(pair("origin", column.origin))
    return lines


def _declared(column: Column, series: pl.Series) -> list[str]:
    """What a private run may know: a public list where one fits, what type levels have, possible bounds as a comment. Nothing that was read from the rows."""
    if not column.synthesised:
        return []
    if column.kind == "category":
        return _listed(column, series)
    known = plausible(column.name) if column.kind in NUMBERS else None
    if known is None:
        return [comment(UNBOUNDED)]
    bounds = [pair("low", _number(known.low, column)), pair("high", _number(known.high, column)), pair("origin", "public")]
    lines = [comment(f"{UNBOUNDED}, unless you use these ({known.what}: biologically possible; confirm them and the unit):"), *map(comment, bounds)]
    return lines if _within(column, known.low, known.high) else [*lines, comment(BEYOND)]


def _within(column: Column, low: float, high: float) -> bool:
    return column.low is None or column.high is None or (low <= column.low and column.high <= high)


def _listed(column: Column, series: pl.Series) -> list[str]:
    kind = _level_type(column, series)
    made = suggest(column.name, [int(v) for v in column.levels] if kind == "integer" else column.levels)
    if made is not None and not made.weak and not made.long:
        return [comment(f"a public list, whole ({made.name}; {made.source})."), comment(CONFIRM), *_levels(made)]
    lines = [pair("level_type", kind)]
    if column.ordered:
        lines.append("ordered = true")
    if column.role in ("arm", "event"):
        lines.append(comment(PROTOCOL))
    lines.append(comment("no public levels: they are found within the budget"))
    if made is not None:
        worth = f"; {len(made.levels)} levels: worth declaring only where many of them occur" if made.long else ""
        lines[-1] += f", unless you confirm from the code book ({made.name}; {made.source}{worth}):"
        lines += [comment(line) for text in _levels(made, ordered=False) for line in text.splitlines()]
    return lines


def _levels(codes: CodeList, *, ordered: bool = True) -> list[str]:
    lines = [pair("levels", codes.levels), pair("origin", "public")]
    return [lines[0], "ordered = true", lines[1]] if codes.ordered and ordered else lines


def _level_type(column: Column, series: pl.Series) -> str:
    """As the cells are stored; floats that are all whole are whole numbers of a file that knows no others, or has gaps."""
    if series.dtype == pl.Boolean:
        return "boolean"
    whole = series.dtype.is_integer() or (series.dtype.is_float() and all(float(v).is_integer() for v in column.levels))
    return "integer" if whole else "number" if series.dtype.is_float() else "text"


def _remarks(column: Column, series: pl.Series, reading: Reading, *, private: bool) -> list[str]:
    """What a custodian should know about a column; for a private run without values, which could be taken for public ones."""
    out = []
    n_missing = series.null_count()
    if n_missing == len(series):
        out.append("all missing: nothing can be learnt here")
    elif n_missing:
        out.append(f"{n_missing / len(series):.1%} missing")
    if column.kind != "text" and n_missing < len(series) and series.n_unique() - (n_missing > 0) == 1:
        out.append("one value only")
    if column.kind == "text" and not column.identifier:
        out.append(LEFT_OUT.get(column.description, "nearly every row has a text of its own: not synthesised").format(column.name))
    return out + (_hints(column, series, reading) if private else _questions(column, series, reading))


def _questions(column: Column, series: pl.Series, reading: Reading) -> list[str]:
    """Doubts about an open draft's column, with the values they are about."""
    out = []
    if column.name in reading.odd:
        odd = ", ".join(toml(t) for t in reading.odd[column.name])
        out.append(f"CHECK: numbers, but for {odd}: list these under [data] missing, if they mean missing, to have it read as a number")
    if len(column.levels) > MOST_LEVELS:
        out.append(f"{len(column.levels):,} levels: not listed; list public ones if there is a code book")
    if column.missing_codes:
        out.append("negative codes among positive numbers: each kept as a kind of missing")
    suspect = suspect_code(series) if column.kind in NUMBERS else None
    if suspect is not None:
        out.append(f"CHECK: one number stands apart from the rest: if it is a code for missing, say so.{SEEN}missing_codes = [{toml(suspect)}]")
    return out + (_units(column, series, seen=True) if suspect is None else [])


def _units(column: Column, series: pl.Series, *, seen: bool) -> list[str]:
    """Signs of two units, with what was ``seen`` where that may be told."""
    if column.kind not in NUMBERS:
        return []
    if column.missing_codes:
        series = series.filter(~series.cast(pl.Float64).is_in(list(column.missing_codes)))
    groups = two_groups(series)
    if groups is not None:
        return [GROUPS + (f"{SEEN}{groups[0]:g} to {groups[1]:g} and {groups[2]:g} to {groups[3]:g}" if seen else "")]
    if too_wide(series):
        return [WIDE + (f"{SEEN}{column.low:g} to {column.high:g}" if seen else "")]
    known = plausible(column.name) if seen else None  # of a private draft, the bounds below say it
    return [] if known is None or _within(column, known.low, known.high) else [ERRORS.format(known.what)]


def _hints(column: Column, series: pl.Series, reading: Reading) -> list[str]:
    """Doubts about a private draft's column, without values."""
    out = []
    if column.name in reading.odd:
        out.append('numbers, but for a few texts, which are read as missing: say so under [data] missing, or set type = "category" if they mean something')
    if column.name in reading.two_orders:
        out.append('CHECK: could be dates, but whether day or month comes first cannot be told: set type = "date" and date_order = "dmy" or "mdy"')
    if len(column.levels) > MOST_LEVELS:
        out.append('many levels: list public ones if there is a code book, or leave the column out (type = "text")')
    if column.kind in NUMBERS and (column.missing_codes or suspect_code(series) is not None):
        out.append('some numbers look like codes for missing: if the code book has any, add missing_codes, with low, high and origin = "public"')
    if column.kind in DATES:
        out.append("low and high are dates: low = 2000-01-01")
    return out + _units(column, series, seen=False)


def _bound(value: float, column: Column) -> float | int | dt.date:
    """A bound as it is written: a date or a moment where the column holds such, and the calendar has it."""
    if column.kind not in DATES or not FIRST_DAY <= value <= LAST_DAY:
        return _number(value, column)
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=round(value * 86_400_000))
    return moment.date() if column.kind == "date" else moment


def _number(value: float, column: Column) -> float | int:
    return int(value) if column.kind in ("integer", "date") and value == int(value) else value
