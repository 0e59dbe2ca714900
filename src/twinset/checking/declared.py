"""What is wrong with a study in itself, in sentences: no table is opened, and no level or value is quoted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from twinset.audit.endpoints import ENDPOINTS
from twinset.audit.names import names, strata
from twinset.checking.plugins import build, told
from twinset.core.contracts import CheckedEndpoint, Endpoint
from twinset.core.days import FIRST_DAY, LAST_DAY
from twinset.core.registry import Registry
from twinset.core.schema import Column, Level, Schema
from twinset.errors import TwinsetError, meant
from twinset.release.policy import DEFAULT_CHECKS, Check
from twinset.rules.language import RowRule, parse

COLUMNS = ("time", "event", "arm")  # settings of an endpoint that name columns


class Analysis(NamedTuple):
    """An endpoint as a study declares it."""

    kind: str
    name: str
    settings: Mapping[str, Any]


def columns(schema: Schema, outside: Mapping[str, str]) -> list[str]:
    """Bounds and levels that contradict themselves or the column's kind. ``outside``: by column, what becomes of cells outside."""
    out = []
    for column in schema:
        if column.synthesised:
            faults = [*_bounds(column), *_levels(column), *_other(column, outside.get(column.name, "error"))]
            out += [f"column `{column.name}`: {fault}" for fault in faults]
    return out


def unit(name: str, known: Sequence[str]) -> list[str]:
    """Whether the patient column exists."""
    return [] if name in ("", "row") or name in known else [f"data.unit: no column `{name}`{meant(name, known)}"]


def plugin(registry: Registry, name: str, settings: Mapping[str, Any], *, section: str) -> list[str]:
    """Whether a plug-in of this name takes these settings."""
    try:
        build(registry, name, settings, section=section)
    except TwinsetError as error:
        return told(error)
    return []


def endpoints(analyses: Sequence[Analysis], schema: Schema) -> tuple[list[Endpoint], list[str]]:
    """The endpoints that can be made, and what is wrong with any: kind, settings, columns, levels."""
    made, problems = [], []
    for i, (kind, name, settings) in enumerate(analyses, start=1):
        section = f"endpoints[{i}]"
        try:
            one: Endpoint = build(ENDPOINTS, kind, {**settings, "name": name or f"endpoint {i}"}, section=section)
        except TwinsetError as error:
            problems += told(error)
            continue
        made.append(one)
        problems += [f"{section} ({one.name}): {fault}" for fault in faults(one, settings, schema)]
    return made, problems


def faults(endpoint: Endpoint, settings: Mapping[str, Any], schema: Schema) -> list[str]:
    """What keeps an endpoint from being estimated on rows of this schema."""
    absent = unknown(settings, schema.names)
    return absent or (list(endpoint.problems(schema)) if isinstance(endpoint, CheckedEndpoint) else [])


def unknown(settings: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """The columns that an endpoint's settings name and the study does not have."""
    return [f"no column `{settings[k]}`{meant(str(settings[k]), known)}" for k in COLUMNS if settings.get(k) and settings[k] not in known]


def rules(texts: Sequence[tuple[str, str]], schema: Schema) -> tuple[list[tuple[str, RowRule]], list[str]]:
    """The rules, (name, text), that can be read, each with how to call it; and why the others cannot."""
    made, problems = [], []
    for i, (name, text) in enumerate(texts, start=1):
        place = f"rules[{i}]" + (f" ({name})" if name else "")
        try:
            made.append((place, parse(text, schema, name=name)))
        except TwinsetError as error:
            hint = f" ({error.hint})" if error.hint else ""
            problems.append(f"{place}: {Exception.__str__(error)}{hint}")
    return made, problems


def checks(policy: Iterable[Check], schema: Schema) -> list[str]:
    """Checks of findings that no audit makes: such a check would never be measured."""
    out, known = [], names()
    ours = {c.finding for c in DEFAULT_CHECKS}
    for i, check in enumerate(policy, start=1):
        place = f"policy.checks[{i}]"
        if not math.isfinite(check.limit):
            out.append(f"{place}: `limit` is not a finite number")
        if known is not None and check.finding not in {*known, *ours}:
            out.append(f"{place}: no finding is called `{check.finding}`{meant(check.finding, (*known, *ours))}")
        elif check.where and (groups := _groups(check.finding, schema)) is not None and check.where not in groups:
            out.append(f"{place}: `{check.finding}` is not measured in `{check.where}`{meant(check.where, groups)}")
    return out


def _groups(finding: str, schema: Schema) -> tuple[str, ...] | None:
    own = schema.synthesised.names if finding == "fidelity.columns" else strata(finding)
    return None if own is None else (*own, *(c.where for c in DEFAULT_CHECKS if c.finding == finding))


def _bounds(column: Column) -> list[str]:
    ends = {k: v for k, v in (("low", column.low), ("high", column.high)) if v is not None}
    if not column.numeric:
        return ["a category has levels, not bounds"] if ends else []
    out = [f"`{k}` is not a finite number" for k, v in ends.items() if not math.isfinite(v)]
    if not all(math.isfinite(c) for c in column.missing_codes):
        out.append("a missing code is not a finite number")
    if out:
        return out
    if column.kind in ("date", "datetime"):
        out += [f"`{k}` is no day of the years 1 to 9999: write a date, as 2020-01-31" for k, v in ends.items() if not FIRST_DAY <= v < LAST_DAY + 1]
    if len(ends) == 2 and ends["low"] > ends["high"]:
        out.append("`low` is above `high`")
    return out


def _levels(column: Column) -> list[str]:
    if column.numeric:
        return [f"levels are for a category, and it is declared {column.kind}"] if column.levels else []
    out = []
    if len(set(column.levels)) < len(column.levels):
        out.append("a level is listed twice")
    if len({_sort(level) for level in column.levels}) > 1:
        out.append("its levels are of several kinds: all texts in quotes, all numbers, or all true and false")
    return out


def _other(column: Column, outside: str) -> list[str]:
    if outside != "other":
        return []
    if column.numeric:
        return ['outside = "other" is for a category: what lies beyond bounds can be made missing']
    if not column.levels:
        return ['outside = "other" needs levels, for what is not among them']
    return [] if isinstance(column.levels[0], str) else ['outside = "other" needs levels that are texts, for it is a word']


def _sort(level: Level) -> str:
    return "flag" if isinstance(level, bool) else "text" if isinstance(level, str) else "number"
