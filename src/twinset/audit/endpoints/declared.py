"""Whether an analysis by time, event and arm fits the columns that a schema declares."""

from __future__ import annotations

from collections.abc import Mapping

from twinset.core.schema import Column, Level, Schema, level_text


def faults(named: Mapping[str, str], levels: Mapping[str, tuple[str, Level | None]], schema: Schema) -> list[str]:
    """In sentences without a level. ``named``: the column of each of "time", "event" and "arm"; ``levels``: by setting, its column and the level it names.

    The time must be a number, and a level one of its column's, where these are listed.
    """
    used = {k: c for k, c in named.items() if c}
    out = [f"no column `{c}`" for c in used.values() if c not in schema]
    if out:
        return out
    out = [f"column `{c}` is an identifier or free text, which no release holds" for c in used.values() if not _released(schema, c)]
    if len(set(used.values())) < len(used):
        out.append("one column is named twice")
    if "time" in used and _released(schema, used["time"]):
        out += _time(schema[used["time"]])
    for setting, (name, level) in levels.items():
        if name and level is not None and _released(schema, name):
            out += _level(schema[name], setting, level)
    return out


def _released(schema: Schema, name: str) -> bool:
    return schema[name].synthesised and name != schema.unit


def _time(column: Column) -> list[str]:
    if column.kind in ("date", "datetime"):
        return [f"its time `{column.name}` is a date: a time is a number, of days, months or years since the start"]
    text = column.kind == "category" and (column.level_type in ("text", "boolean") if not column.levels else not all(map(_number, column.levels)))
    return [f"its time `{column.name}` is no number"] if text else []


def _level(column: Column, setting: str, level: Level) -> list[str]:
    if column.levels:
        listed = column.origin == "noisy" or any(_same(level, known) for known in column.levels)  # levels that were found can lack it
        return [] if listed else [f"`{setting}`{' (1 unless given)' if setting == 'event_value' and level == 1 else ''} is no level of column `{column.name}`"]
    if column.kind not in ("number", "integer"):
        return []
    value = _value(level)
    inside = value is not None and (column.low is None or value >= column.low) and (column.high is None or value <= column.high)
    return [] if inside else [f"`{setting}` lies outside the bounds of column `{column.name}`, or is no number"]


def _same(one: Level, other: Level) -> bool:
    """As the analysis compares them: texts letter by letter, numbers by value, whatever they are stored as."""
    return one == other or level_text(one) == level_text(other)


def _number(level: Level) -> bool:
    return not isinstance(level, bool) and _value(level) is not None


def _value(level: Level) -> float | None:
    try:
        return float(level)
    except ValueError:
        return None
