"""Plug-ins made from the settings of a study file, types checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from twinset.core.registry import Registry
from twinset.errors import StudyInvalid, TwinsetError, collect, meant

Place = tuple[int | str, ...]
MEANING = {"privacy.unit": ': name the column that identifies the patient, or say "row" if every row is another patient; it has no default'}


def build(registry: Registry, name: str, settings: Mapping[str, Any], *, section: str) -> Any:
    """A plug-in from its table with these settings, types checked. Raises StudyInvalid."""
    if name not in registry:
        raise StudyInvalid(f"no {registry.kind} is called `{name}`{meant(name, registry.names())}", where=section, hint=f"known: {', '.join(registry.names())}")
    plugin = registry[name]
    known = [f.name for f in dataclasses.fields(plugin) if f.init]
    problems = [f"`{name}` has no setting `{k}`{meant(k, known)}" for k in settings if k not in known]
    hint = f"settings of `{name}`: {', '.join(known) or 'none'}"
    if problems:
        raise StudyInvalid(collect(problems), where=section, hint=hint)
    try:
        return TypeAdapter(plugin).validate_python(dict(settings))
    except ValidationError as e:
        raise StudyInvalid(collect(sentences(e)), where=section, hint=hint) from None


def resolved(registry: Registry, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the plug-in's own defaults beside them, where these are plain values: what ran, whatever a later version's defaults are."""
    plain = {f.name: f.default for f in dataclasses.fields(registry[name]) if isinstance(f.default, str | int | float) and f.default != ""}
    return {**plain, **settings}


def unstated(registry: Registry, name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings that :func:`resolved` would have written and that are not there: what ran cannot be told."""
    return tuple(k for k in resolved(registry, name, {}) if k not in settings)


def told(error: TwinsetError) -> list[str]:
    """An error of ours as one sentence for each of its problems, with its place and without its hint."""
    first, *rest = Exception.__str__(error).split("\n")
    place = f"{error.where}: " if error.where else ""
    return [f"{place}{line.removeprefix('  - ')}" for line in rest or [first]]


def sentences(error: ValidationError, known: Callable[[Place], Sequence[str]] = lambda _: ()) -> list[str]:
    """Each problem as ``key: what``, without the value that caused it. ``known``: the keys that may stand where one was found."""
    out = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(p) for p in problem["loc"])
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            out.append(f"unknown key `{place}`{meant(str(problem['loc'][-1]), known(problem['loc']))}")
        elif problem["type"] in ("missing", "missing_argument"):
            out.append(f"`{place}` is missing{MEANING.get(place, '')}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            out.append(f"`{place}`: {message[:1].lower()}{message[1:]}")
    return list(dict.fromkeys(out))
