"""What comes back: a value never alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from twinset.core.schema import Level

if TYPE_CHECKING:
    import polars as pl

Value = float | int | date | None


@dataclass(frozen=True)
class Answer:
    """One figure about one group.

    Attributes:
        question: as it was asked.
        measure: what the value is: "count", "share", "mean", "quantile 0.5", "hazard ratio".
        group: (column, level) of everybody it is about; empty = all who were asked about.
        value: None where the noise drowns the group.
        low, high: the 95 % interval of the population's value, sampling and privacy noise counted together.
        noise: the standard deviation that the privacy noise alone gives the value (of dates in days); infinite where it drowns the group.
        n: about how many rows it stands on; itself noisy.
        epsilon: what the question would cost alone, at the ledger's delta; its groups share it.
        silent_on: what the figure does not show, in a sentence.
    """

    question: str
    measure: str
    group: tuple[tuple[str, Level], ...]
    value: Value
    low: Value
    high: Value
    noise: float
    n: int
    epsilon: float
    silent_on: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: dates as text, an infinite figure as null."""
        figures = {k: _plain(v) for k, v in (("value", self.value), ("low", self.low), ("high", self.high), ("noise", self.noise))}
        words = {"question": self.question, "measure": self.measure, "group": dict(self.group)}
        return {**words, **figures, "n": self.n, "epsilon": self.epsilon, "silent_on": self.silent_on}


@dataclass(frozen=True, repr=False)
class Answers(Sequence[Answer]):
    """The answers of one call, in order, and the certificate that travels with them. All of it may leave."""

    answers: tuple[Answer, ...]
    certificate: Mapping[str, Any]

    def __getitem__(self, place: int) -> Answer:  # type: ignore[override]
        return self.answers[place]

    def __len__(self) -> int:
        return len(self.answers)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    def to_dict(self) -> dict[str, Any]:
        """Answers and certificate as JSON-ready data: what ``--json`` prints, and what ``twinset ledger verify --certificate`` reads."""
        return {**self.certificate, "answers": [a.to_dict() for a in self.answers]}

    def to_json(self) -> str:
        """As a JSON text, a line break at its end."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_frame(self) -> pl.DataFrame:
        """One row an answer; the group as text."""
        import polars as pl

        rows = [{**a.to_dict(), "group": ", ".join(f"{k} = {v}" for k, v in a.group)} for a in self.answers]
        return pl.DataFrame(rows, infer_schema_length=None)

    def __repr__(self) -> str:
        lines = [f"{a.question}  {', '.join(f'{k} {v}' for k, v in a.group)}: {shown(a)}" for a in self.answers]
        return "\n".join([*lines, f"epsilon = {self.certificate['epsilon']:g} at delta = {self.certificate['delta']:g}"])


def shown(answer: Answer) -> str:
    """Value and interval for a reader, to the digits that the interval's width can bear."""
    if answer.value is None:
        return "drowned in noise"
    return f"{figure(answer.value, answer)} ({figure(answer.low, answer)} to {figure(answer.high, answer)})"


def figure(value: Value, answer: Answer) -> str:
    """One figure of an answer, to as many digits as its interval's width can bear."""
    if not isinstance(value, float | int):
        return "-" if value is None else value.isoformat()
    if not math.isfinite(value):
        return "any"
    if isinstance(value, int):
        return f"{value:,}"
    width = float(answer.high) - float(answer.low) if isinstance(answer.high, float | int) and isinstance(answer.low, float | int) else 0.0
    digits = 1 - math.floor(math.log10(width / 2)) if 0 < width < math.inf else 3
    return f"{value:,.{min(max(digits, 0), 9)}f}"


def _plain(value: Value) -> float | str | None:
    if isinstance(value, date):
        return value.isoformat()
    return value if value is not None and math.isfinite(value) else None
