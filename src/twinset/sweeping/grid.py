"""What a sweep tries: epsilons, generators, repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from twinset.errors import BadInput

EPSILONS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
MOST_POINTS = 2_000


@dataclass(frozen=True)
class Job:
    """One point: a generator, its epsilon (``None``: it promises nothing) and which repeat, from 1."""

    generator: str
    epsilon: float | None
    repeat: int

    @property
    def name(self) -> str:
        """Of its file.

        >>> Job("aim", 0.5, 2).name, Job("trees", None, 1).name
        ('aim-0.5-2', 'trees-none-1')
        """
        return f"{self.generator}-{'none' if self.epsilon is None else repr(self.epsilon).removesuffix('.0')}-{self.repeat}"

    def __str__(self) -> str:
        return f"{self.generator} {'without a promise' if self.epsilon is None else f'ε = {self.epsilon:g}'}, repeat {self.repeat}"


@dataclass(frozen=True)
class Grid:
    """``epsilons`` ascending, each once. ``publish``: every point is billed to the ledger before the first one is run."""

    epsilons: tuple[float, ...] = EPSILONS
    generators: tuple[str, ...] = ("aim",)
    repeats: int = 3
    publish: bool = False

    def jobs(self, private: Sequence[str]) -> tuple[Job, ...]:
        """Every point, a whole frontier before the next repeat. Generators that are not ``private`` have one place, whatever the epsilon."""
        places = [(g, e) for e in self.epsilons for g in self.generators if g in private] + [(g, None) for g in self.generators if g not in private]
        return tuple(Job(g, e, r) for r in range(1, self.repeats + 1) for g, e in places)


def grid(epsilons: str | Sequence[float], generators: str | Sequence[str], *, repeats: int = 3, publish: bool = False) -> Grid:
    """A grid from lists or from texts with commas. Raises BadInput where a list is empty or holds what it must not.

    >>> grid("5,1,1", "aim, mst").epsilons
    (1.0, 5.0)
    """
    if repeats < 1:
        raise BadInput("each point is run at least once", where="repeats", hint="3 shows how much a point scatters")
    names = tuple(dict.fromkeys(n.strip() for n in (generators.split(",") if isinstance(generators, str) else generators) if n.strip()))
    if not names:
        raise BadInput("no generator is named", where="generator", hint="for example aim,mst")
    made = Grid(_epsilons(epsilons), names, repeats, publish)
    if (n := len(made.epsilons) * len(names) * repeats) > MOST_POINTS:
        raise BadInput(f"{n:,} points are more than a sweep may have ({MOST_POINTS:,})", where="sweep", hint="fewer epsilons, generators or repeats")
    return made


def _epsilons(given: str | Sequence[float]) -> tuple[float, ...]:
    hint = "positive numbers with commas between them, for example 1,2,5,10"
    texts = [t.strip() for t in given.split(",")] if isinstance(given, str) else list(given)
    if not [t for t in texts if t != ""]:
        raise BadInput("the list of epsilons is empty", where="epsilon", hint=hint)
    try:
        numbers = [float(t) for t in texts]
    except (TypeError, ValueError):
        raise BadInput("the list of epsilons holds something that is not a number", where="epsilon", hint=hint) from None
    if not all(0 < n < math.inf for n in numbers):
        raise BadInput("an epsilon is not a positive finite number", where="epsilon", hint=hint)
    return tuple(sorted(set(numbers)))
