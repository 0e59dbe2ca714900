"""Declared analyses of a release that holds their refits: its own figures, at any level."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from twinset.audit.endpoints import ENDPOINTS
from twinset.core.cohort import Cohort
from twinset.core.refits import Refits
from twinset.errors import BadInput
from twinset.inference.analysis import declared, named
from twinset.inference.copies import Copies
from twinset.inference.found import Inference, beside, figure, naive

REFITS = "refits on resampled patients"
SAME = 1e-4  # of its standard error: a value may differ by so much from the copies', whose file rounds


def released(name: str, copies: Copies) -> dict[str, Any] | None:
    """The entry of ``analyses.json`` for "endpoint" or "endpoint: contrast"; ``None`` where the release has none. Raises BadInput where several would do."""
    names = [*(str(e.get("name", "")) for e in copies.endpoints), *(str(a["endpoint"]) for a in copies.analyses)]
    endpoint, contrast = named(name, names) or ("", "")
    found = [a for a in copies.analyses if a["endpoint"] == endpoint and contrast in ("", a["contrast"])]
    if len(found) > 1:
        raise BadInput(
            f"the endpoint has {len(found)} contrasts, and one is needed", where="combine", hint='name it: "endpoint: contrast", as analyses.json writes them'
        )
    return found[0] if found else None


def refitted(entry: Mapping[str, Any], copies: Copies, level: float) -> Inference:
    """The released value with the interval that its refits give. Raises BadInput where the figures cannot be read or belong to other copies."""
    try:
        refits = Refits(str(entry["endpoint"]), str(entry["contrast"]), float(entry["sd"]), float(entry["bias"]), int(entry["runs"]), int(entry["copies"]))
        value = float(entry["value"])
    except (KeyError, TypeError, ValueError):
        raise BadInput("analyses.json cannot be read", where="combine", hint="give the release as it was made") from None
    if refits.copies != len(copies.frames):
        raise _foreign()
    own = _own(refits, value, copies, level)
    low, high = refits.interval(value, level)
    m = refits.copies
    says = (
        f"{figure(value)} ({level:.0%} interval {figure(low)} to {figure(high)}) in the population{', as logarithms of a ratio' if entry.get('ratio') else ''}, "
        f"from {refits.runs} refits on resampled patients; {_shift(refits)} {beside(own, (low, high))}"
    )
    parts = (math.nan, math.nan, math.nan)  # refits do not tell them apart
    rows = copies.frames[0].height
    return Inference(
        value, refits.error, low, high, level, refits.bias, *parts, *own, copies.n, rows, m, refits.runs, REFITS, says, str(entry.get("silent_on", ""))
    )


def _shift(refits: Refits) -> str:
    """The bias in words, by what its own noise leaves of it."""
    if refits.bias**2 <= 4 * refits.sd**2 / refits.runs:
        return "they show no shift beyond chance."
    return f"they shift the estimate by {refits.bias:+.3g}, which the interval is widened for and its centre not moved by."


def _own(refits: Refits, value: float, copies: Copies, level: float) -> tuple[float, float, float]:
    """The naive error and interval of the first copy; NaN where they cannot be worked out here (a kind that is not installed). Raises BadInput where the copies give another value."""
    kind = next((str(e.get("kind", "")) for e in copies.endpoints if e.get("name") == refits.endpoint), "")
    if kind not in ENDPOINTS:
        return math.nan, math.nan, math.nan
    endpoint, schema = declared(refits.endpoint, copies)[0], copies.schema
    effects = [{e.contrast: e for e in endpoint.estimate(Cohort(f.select(schema.names), schema))} for f in copies.frames] if schema else [{}]
    if not all(refits.contrast in e for e in effects):
        return math.nan, math.nan, math.nan  # a level that the file spells otherwise, 1 for 1.0
    found = np.array([(e[refits.contrast].value, e[refits.contrast].error) for e in effects])
    if not abs(float(found[:, 0].mean()) - value) <= SAME * max(refits.error, refits.sd):
        raise _foreign()
    return naive(found, level)


def _foreign() -> BadInput:
    return BadInput("analyses.json does not belong to these copies: they give another estimate", where="combine", hint="give the release as it was made")
