"""Names to plug-ins, written as a literal table and loaded on demand."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from twinset.errors import BadInput


class Registry:
    """Plug-ins of one kind: a literal table of ours, and entry points of other people's packages.

    Listing names imports nothing. ``registry["trees"]`` imports that one module.
    """

    def __init__(self, kind: str, table: Mapping[str, str]) -> None:
        self.kind = kind
        self.table = dict(table)

    def names(self) -> tuple[str, ...]:
        """Our names in table order, then those of installed packages."""
        return tuple(self.table) + tuple(n for n in self._outside() if n not in self.table)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> Any:
        target = self.table.get(name) or self._outside().get(name)
        if target is None:
            known = ", ".join(self.names())
            raise BadInput(f"no {self.kind} is called `{name}`", hint=f"known: {known}")
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)

    def _outside(self) -> dict[str, str]:
        return {e.name: e.value for e in entry_points(group=f"twinset.{self.kind}")}
