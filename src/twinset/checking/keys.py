"""The text of a study file as keys and values, with the overrides of one run."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twinset.errors import StudyInvalid


def keys(text: str, where: str, overrides: Iterable[str]) -> dict[str, Any]:
    """A TOML text as nested keys, each ``key=value`` of ``overrides`` laid over it. Raises StudyInvalid, without a value."""
    data = _toml(text, where)
    for override in overrides:
        _merge(data, _override(override))
    return data


def without(data: Mapping[str, Any], places: Iterable[Sequence[int | str]]) -> dict[str, Any]:
    """The same without the keys at these places; where one lies in a list, without the whole list."""
    rest = copy.deepcopy(dict(data))
    for place in places:
        _drop(rest, place)
    return rest


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        place = re.search(r"line \d+, column \d+", str(e))
        raise StudyInvalid(
            f"not valid TOML{' at ' + place.group() if place else ''}", where=where, hint="check quotes and brackets there; text values need double quotes"
        ) from None


def _override(text: str) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise StudyInvalid("an override is not of the form key=value", where="--set", hint="for example --set generator.leaf=10")
    for candidate in (value, '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'):
        try:
            return tomllib.loads(f"{key} = {candidate}")
        except tomllib.TOMLDecodeError:
            continue
    raise StudyInvalid("an override's key cannot be read", where="--set", hint="quote odd names: --set 'columns.\"a b\".low=1'")


def _merge(into: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _drop(data: dict[str, Any], place: Sequence[int | str]) -> None:
    """Take the key at a place away, with the whole list where it lies in one."""
    for i, key in enumerate(place):
        below = data.get(str(key))
        following = place[i + 1] if i + 1 < len(place) else None
        if not isinstance(below, dict) or following not in below:
            data.pop(str(key), None)
            return
        data = below
