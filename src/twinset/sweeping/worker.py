"""A process of its own for points. Light to import: what a point needs is loaded when its threads are bounded."""

from __future__ import annotations

from typing import Any


def work(task: Any) -> dict[str, Any]:
    """One point in this process; see :func:`twinset.sweeping.point.finish`."""
    from twinset.sweeping.point import finish

    return finish(task)
