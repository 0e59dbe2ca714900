"""Noise that luck has no part in: a seeded generator in the place of OpenDP's, and nothing else of a private run.

Tests load this file; a process that a test starts loads it by itself, where ``PYTHONPATH`` holds this folder, and takes the seed from its environment.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from twinset.dp import noise

NAME = "TWINSET_TEST_NOISE"  # of the environment: what seeds the noise of a process


class Source:
    """Where the noise of this process comes from: ``rng``, or the operating system where it is ``None``."""

    rng: np.random.Generator | None = None


@contextmanager
def seeded(name: str | None) -> Iterator[None]:
    """Inside, noise is a function of this name; the true one where it is ``None``."""
    before, Source.rng = Source.rng, None if name is None else np.random.default_rng(zlib.crc32(name.encode()))
    try:
        yield
    finally:
        Source.rng = before


@dataclass(frozen=True)
class Gaussian:
    """OpenDP's measurement with a seeded draw."""

    scale: float
    rng: np.random.Generator

    def __call__(self, counts: Sequence[int]) -> list[int]:
        reach = math.ceil(12 * self.scale) + 2
        if reach > 200_000:  # as good as continuous
            return [c + round(x) for c, x in zip(counts, self.rng.normal(0, self.scale, len(counts)).tolist(), strict=True)]
        whole = np.arange(-reach, reach + 1)
        weight = np.exp(-(whole**2) / (2 * self.scale**2))
        return [c + k for c, k in zip(counts, self.rng.choice(whole, len(counts), p=weight / weight.sum()).tolist(), strict=True)]


@dataclass(frozen=True)
class NoisyMax:
    """OpenDP's selection with a seeded draw; the privacy map is its own."""

    real: Any
    scale: float
    rng: np.random.Generator

    def map(self, moves: int) -> float:
        return float(self.real.map(moves))

    def __call__(self, scores: Sequence[int]) -> int:
        return int(np.argmax(np.asarray(scores, dtype=np.float64) + self.rng.gumbel(0, self.scale, len(scores))))


@dataclass(frozen=True)
class Measurements:
    """OpenDP's measurements: what they are asked for it still checks itself."""

    real: Any
    rng: np.random.Generator

    def make_gaussian(self, domain: object, metric: object, *, scale: float) -> Gaussian:
        self.real.make_gaussian(domain, metric, scale=scale)
        return Gaussian(scale, self.rng)

    def make_noisy_max(self, domain: object, metric: object, measure: object, *, scale: float) -> NoisyMax:
        return NoisyMax(self.real.make_noisy_max(domain, metric, measure, scale=scale), scale, self.rng)


def install() -> None:
    """From here on the noise of this process comes from :class:`Source`."""
    real = noise._opendp

    def opendp() -> Any:
        parts = real()
        return parts if Source.rng is None else SimpleNamespace(**{**vars(parts), "m": Measurements(parts.m, Source.rng)})

    noise._opendp = opendp


if __name__ == "sitecustomize" and NAME in os.environ:
    install()
    Source.rng = np.random.default_rng(zlib.crc32(os.environ[NAME].encode()))
