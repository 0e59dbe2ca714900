"""For which generators the variance T_s was tested, and what was found: the one rule of the audit, of the release's texts and of ``combine``.

Every figure that a sentence quotes stands here; ``bench/coverage.py`` measures them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Held:
    """Of one generator: ``tested``, for which analyses T_s held and how well; ``lost``, for which it may not; ``since``, a setting that every release
    states since the version that was tested; ``least`` and ``most`` patients in these tests, and ``copies`` at most."""

    tested: str
    lost: str
    since: str
    least: int
    most: int
    copies: int

    def says(self, n: int) -> str:
        """All of it, for a release of ``n`` patients."""
        size = "" if self.least <= n <= self.most else f" (yours has {n:,}: not tested)"
        return f"T_s was tested in simulated trials of {self.least:,} to {self.most:,} patients{size}, {self.tested} {self.lost}"


HELD: Mapping[str, Held] = {
    "trees": Held(
        tested=(
            "from one copy and from five, for a share, a mean, odds ratios and hazard ratios of an arm and of one stage, and a slope: 95 % intervals held the "
            "truth in 93 to 100 % (from five copies one kind in 86), and are wider than need be, most for shares and means: up to 1.4 times."
        ),
        lost=(
            "It was not tested for others: interactions of covariates and curved effects on a yes/no outcome can be lost, and a coefficient that is adjusted "
            "for several others can be shifted by about one standard error, so that from several copies its interval is too narrow. "
            "For such an analysis have it declared under [[endpoints]] and released again."
        ),
        since="dealing",
        least=400,
        most=2000,
        copies=5,
    ),
}
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
