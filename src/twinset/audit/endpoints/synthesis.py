"""For which generators the variance T_s was tested, and what was found: the one rule of the audit, of the release's texts and of ``combine``.

Every figure that a sentence quotes stands here; ``bench/coverage.py`` measures them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

HELD: Mapping[str, str] = {
    "trees": (
        "In simulated trials of 400 to 2,000 patients such 95 % intervals held the truth in 95 to 100 %, for each of seven analyses, from one copy and from "
        "five; they are wider than need be, most for shares and means: up to 1.4 times."
    ),
}
MOST_COPIES = 5  # that were tested
SINCE: Mapping[str, str] = {"trees": "dealing"}  # a setting that is stated by every release since the version that was tested
DECLARE = "have it declared under [[endpoints]] and released again: its interval then comes from refits on resampled patients"


def holds(generator: str, changed: Sequence[str]) -> bool:
    """Whether T_s was tested for copies of this generator at its default settings, and none of them is ``changed``."""
    return generator in HELD and not changed


def changed(settings: Mapping[str, Any], plugin: type) -> tuple[str, ...]:
    """The settings that are not the plug-in's defaults: what was tested does not speak for them."""
    out = []
    for f in dataclasses.fields(plugin):
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        if f.name in settings and _plain(settings[f.name]) != _plain(default):
            out.append(f.name)
    return tuple(out)


def _plain(value: Any) -> Any:
    """Lists and tuples alike, whichever a file made of them."""
    return tuple(value) if isinstance(value, list) else value
