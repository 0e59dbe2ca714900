"""An analysis, however it is given, as a function of a frame."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import polars as pl

from twinset.core.cohort import Cohort
from twinset.core.contracts import Effect
from twinset.core.seeds import stream
from twinset.errors import BadInput
from twinset.inference.copies import Copies

WRITTEN = '"ENDPOINT: COLUMN LEVEL against LEVEL", the levels as in the copies, the reference last'
Analysis = Callable[[pl.DataFrame], Any]


@dataclass(frozen=True)
class Estimate:
    """An analysis as frame -> (estimate, standard error or NaN); ``ratio``: what its exponential is called, "" where it is no logarithm of a ratio."""

    function: Callable[[pl.DataFrame], tuple[float, float]]
    ratio: str = ""

    def __call__(self, frame: pl.DataFrame) -> tuple[float, float]:
        return self.function(frame)


@runtime_checkable
class Estimates(Protocol):
    """An endpoint, or anything that estimates effects of a cohort."""

    def estimate(self, cohort: Cohort) -> Sequence[Effect]: ...


def prepared(analysis: Analysis | Estimates | str, copies: Copies) -> Estimate:
    """The analysis as frame -> (estimate, standard error or NaN)."""
    contrast = ""
    if isinstance(analysis, str):
        analysis, contrast = declared(analysis, copies)
    if isinstance(analysis, Estimates):
        return _effect(analysis, contrast, copies)
    if not callable(analysis):
        raise BadInput("the analysis is neither a function, an endpoint nor its name", where="combine", hint="give a function of a polars frame")
    function = analysis

    def estimate(frame: pl.DataFrame) -> tuple[float, float]:
        found = function(frame)
        value, error = found if isinstance(found, tuple | list) else (found, math.nan)
        return float(value), float(error)

    return Estimate(estimate)


def _effect(endpoint: Estimates, contrast: str, copies: Copies) -> Estimate:
    schema = copies.schema
    if schema is None:
        raise BadInput("an endpoint needs to know what the columns are", where="combine", hint="give the release folder, or a function in its place")
    first = {e.contrast: e for e in endpoint.estimate(Cohort(copies.frames[0].select(schema.names), schema))}
    contrasts = list(first)
    if not contrasts or (contrast and contrast not in contrasts) or (not contrast and len(contrasts) > 1):
        raise BadInput(
            "the endpoint has no such contrast on the first copy"
            if contrast
            else f"the endpoint has {len(contrasts)} contrasts on the first copy: which is meant?",
            where="combine",
            hint=f"name it: {WRITTEN}" if contrasts else "look at a copy: an arm or an outcome may be empty there",
        )
    wanted = contrast or contrasts[0]

    def estimate(frame: pl.DataFrame) -> tuple[float, float]:
        effects = {e.contrast: e for e in endpoint.estimate(Cohort(frame.select(schema.names), schema))}
        return (effects[wanted].value, effects[wanted].error) if wanted in effects else (math.nan, math.nan)

    return Estimate(estimate, _ratio(endpoint) if first[wanted].ratio else "")


def _ratio(endpoint: object) -> str:
    from twinset.audit.endpoints.agreement import WithCurves

    return "hazard ratio" if isinstance(endpoint, WithCurves) else "ratio"


def ratio_of(name: str, copies: Copies) -> str:
    """What a ratio of this declared endpoint is called."""
    return "hazard ratio" if any(e.get("name") == name and e.get("kind", "survival") == "survival" for e in copies.endpoints) else "ratio"


def named(name: str, known: Iterable[str]) -> tuple[str, str] | None:
    """An endpoint and its contrast ("" = the only one) from "name" or "name: contrast"; ``None`` where no name fits. Names may hold colons: the longest that fits is meant."""
    for head in sorted(known, key=len, reverse=True):
        if name == head or name.startswith(f"{head}: "):
            return head, name[len(head) + 2 :]
    return None


def declared(name: str, copies: Copies) -> tuple[Estimates, str]:
    """A declared endpoint by its name, or by "name: contrast", with the settings that the release states."""
    from twinset.audit.endpoints import ENDPOINTS
    from twinset.checking.plugins import build, unstated

    known = {str(e.get("name", "")): e for e in copies.endpoints}
    found = named(name, known)
    if found is None:
        raise BadInput("no endpoint of this name is declared in the release", where="combine", hint=f"declared: {', '.join(known) or 'none'}")
    head, contrast = found
    kind = str(known[head]["kind"])
    settings = {k: v for k, v in known[head].items() if k != "kind"}
    if kind in ENDPOINTS and (gone := unstated(ENDPOINTS, kind, settings)):
        raise BadInput(
            f"the release does not say {', '.join(f'`{k}`' for k in gone)} of this endpoint",
            where="combine",
            hint="give the endpoint itself, for example twinset.audit.endpoints.survival.Survival(name, time, event, event_value, arm, reference)",
        )
    made: Estimates = build(ENDPOINTS, kind, settings, section="combine")
    return made, contrast


def unmeasured(estimate: Estimate, frame: pl.DataFrame, measured: Sequence[tuple[tuple[str, ...], float]], *, seed: int) -> tuple[str, ...]:
    """Pairs of columns that the analysis relates and that no measurement holds together.

    A column is related where shuffling it alone changes the estimate: the mean of a column does not hang on others, a difference between groups does.
    """
    before = estimate(frame)[0]
    related = []
    for name in frame.columns:
        order = stream(seed, "shuffle", name).permutation(frame.height)
        after = estimate(frame.with_columns(frame[name].gather(order)))[0]
        if not math.isclose(before, after, rel_tol=1e-9, abs_tol=1e-12):  # also where it is NaN
            related.append(name)
    known = [set(columns) for columns, _ in measured]
    return tuple(f"{a} x {b}" for a, b in itertools.combinations(related, 2) if not any({a, b} <= k for k in known))
