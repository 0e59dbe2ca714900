"""One seed in, named independent streams out: the same on any number of workers."""

from __future__ import annotations

import zlib

import numpy as np

Rng = np.random.Generator


def stream(seed: int, *names: str | int) -> Rng:
    """An independent random stream for a named task of a run.

    A stream depends on the seed and its name only, never on what ran before it, so results do
    not change with the order or number of workers. Not for privacy noise: that is drawn in
    ``dp.noise`` from the operating system.

    >>> float(stream(1, "a").random()) == float(stream(1, "a").random())
    True
    >>> float(stream(1, "a").random()) == float(stream(1, "b").random())
    False
    """
    keys = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(seed) & (2**63 - 1), *keys])))
