"""The one place where an audit may put other noise in the place of the true: by name, for a block of code, and marked.

What is made inside is NOT PRIVATE, and says so: its certificate and its lines in a ledger carry :func:`mark`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import numpy as np

NOT_PRIVATE = "noise was replaced by an audit"


class Mechanism(Protocol):
    """Both ways in which private rows are answered. ``dp.noise`` is the true one."""

    def discrete_gaussian(self, counts: np.ndarray, *, sigma: float, keys: Sequence[object] | None) -> np.ndarray:
        """Answers in the place of ``counts``, int64 of the same shape."""
        ...

    def noisy_max(self, scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
        """The place of the chosen score."""
        ...


_instead: ContextVar[Mechanism | None] = ContextVar("instead of noise", default=None)


@contextmanager
def replaced(by: Mechanism) -> Iterator[None]:
    """Inside, ``by`` answers in the place of the true noise. For audits of invented patients: nothing made inside is private."""
    token = _instead.set(by)
    try:
        yield
    finally:
        _instead.reset(token)


def instead() -> Mechanism | None:
    """What answers in the place of the true noise; ``None`` outside an audit."""
    return _instead.get()


def mark() -> dict[str, str]:
    """What a record made here has to say: nothing outside an audit, else that it is not private."""
    return {} if _instead.get() is None else {"not_private": NOT_PRIVATE}
