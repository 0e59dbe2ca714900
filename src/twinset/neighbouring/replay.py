"""Noise that is written down on one table and given again on its neighbour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from twinset.core.seeds import Rng
from twinset.errors import BadInput

ABSENT = -(2**40)  # the answer for a cell that only the neighbour has: below every threshold


@dataclass(frozen=True, repr=False)
class Draw:
    """One question: its exact input (of invented patients), how it was to be answered, and the answer.

    ``scale``: sigma, or epsilon of a selection. ``sensitivity``: of a selection, as the caller declares it.
    """

    mechanism: str
    exact: np.ndarray
    scale: float
    answer: np.ndarray
    keys: tuple[object, ...] | None = None
    sensitivity: float = 0.0

    @property
    def question(self) -> tuple[object, ...]:
        """What must be the same on both tables."""
        shape = None if self.keys is not None else np.shape(self.exact)
        return self.mechanism, self.scale, self.sensitivity, shape

    def __repr__(self) -> str:
        return f"Draw({self.mechanism}, {self.exact.size} cells, scale = {self.scale:g})"


@dataclass(repr=False)
class Recorder:
    """Answers with seeded noise, or with none (``rng`` None), and writes every question down."""

    rng: Rng | None
    draws: list[Draw] = field(default_factory=list)

    def discrete_gaussian(self, counts: np.ndarray, *, sigma: float, keys: Sequence[object] | None) -> np.ndarray:
        noise = np.zeros(counts.shape) if self.rng is None else self.rng.normal(0.0, sigma, counts.shape)
        answer = counts + np.rint(noise).astype(np.int64)
        self.draws.append(Draw("gaussian", counts.copy(), sigma, answer.copy(), None if keys is None else tuple(keys)))
        return np.asarray(answer, dtype=np.int64)

    def noisy_max(self, scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
        noise = 0.0 if self.rng is None else self.rng.gumbel(0.0, 2 * sensitivity / epsilon, scores.shape)
        chosen = int(np.argmax(scores + noise))
        self.draws.append(Draw("selection", scores.copy(), epsilon, np.asarray(chosen), None, sensitivity))
        return chosen


class Diverged(BadInput):
    """The neighbour was asked another question, for which there is no answer to give again."""


@dataclass(repr=False)
class Replayer:
    """Gives the answers of ``told`` again, in order. Raises Diverged where the question is not the one that was answered."""

    told: Sequence[Draw]
    draws: list[Draw] = field(default_factory=list)

    def discrete_gaussian(self, counts: np.ndarray, *, sigma: float, keys: Sequence[object] | None) -> np.ndarray:
        known = None if keys is None else tuple(keys)
        asked = Draw("gaussian", counts.copy(), sigma, np.zeros(0), known)
        told = self._next(asked)
        if known is None or told.keys is None:
            return np.array(told.answer, dtype=np.int64)
        answers = {_name(k): a for k, a in zip(told.keys, told.answer.ravel().tolist(), strict=True)}
        return np.array([answers.get(_name(k), ABSENT) for k in known], dtype=np.int64).reshape(counts.shape)

    def noisy_max(self, scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
        return int(self._next(Draw("selection", scores.copy(), epsilon, np.zeros(0), None, sensitivity)).answer)

    def _next(self, asked: Draw) -> Draw:
        self.draws.append(asked)
        place = len(self.draws) - 1
        if place >= len(self.told) or self.told[place].question != asked.question or (self.told[place].keys is None) != (asked.keys is None):
            raise Diverged("another question was asked of the neighbour")
        return self.told[place]


def moved(one: Draw, other: Draw) -> float:
    """How far the exact inputs of one question lie apart: in L2 (of found cells over all that either table has); of a selection the most of any score."""
    if one.mechanism == "selection":
        return float(np.abs(one.exact - other.exact).max())
    if one.keys is None or other.keys is None:
        return math.sqrt(float(((one.exact - other.exact).astype(np.float64) ** 2).sum()))
    mine, theirs = ({_name(k): v for k, v in zip(d.keys or (), d.exact.ravel().tolist(), strict=True)} for d in (one, other))
    return math.sqrt(sum((mine.get(k, 0) - theirs.get(k, 0)) ** 2 for k in mine.keys() | theirs.keys()))


def _name(key: object) -> str:
    """A key with its type: 1, 1.0 and True are three."""
    return repr(key)
