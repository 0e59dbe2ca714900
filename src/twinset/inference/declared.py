"""Declared analyses of a release that holds their refits: its own figures, at any level."""

from __future__ import annotations

import math

import numpy as np

from twinset.audit.endpoints import ENDPOINTS
from twinset.core.cohort import Cohort
from twinset.core.refits import Refits
from twinset.errors import BadInput
from twinset.inference.analysis import WRITTEN, declared, named, ratio_of
from twinset.inference.copies import Copies
from twinset.inference.found import Inference, beside, estimated, naive
from twinset.inference.told import Told

REFITS = "refits on resampled patients"
SAME = 1e-4  # of its standard error: a value may differ by so much from the copies', whose file rounds


def released(name: str, copies: Copies) -> Told | None:
    """The entry of ``analyses.json`` for "endpoint" or "endpoint: contrast"; ``None`` where the release has none. Raises BadInput where several would do."""
    names = [*(str(e.get("name", "")) for e in copies.endpoints), *(a.refits.endpoint for a in copies.analyses)]
    endpoint, contrast = named(name, names) or ("", "")
    found = [a for a in copies.analyses if a.refits.endpoint == endpoint and contrast in ("", a.refits.contrast)]
    if len(found) > 1:
        raise BadInput(
            f"the endpoint has {len(found)} contrasts: which is meant?",
            where="combine",
            hint=f"name it, as analyses.json does: {WRITTEN}",
        )
    return found[0] if found else None


def refitted(told: Told, copies: Copies, level: float) -> Inference:
    """The released value with the interval that its refits give. Raises BadInput where the figures belong to other copies."""
    refits, value = told.refits, told.value
    if refits.copies != len(copies.frames):
        raise _foreign()
    own = _own(refits, value, copies, level)
    low, high = refits.interval(value, level)
    ratio = ratio_of(refits.endpoint, copies) if told.ratio else ""
    m = refits.copies
    says = f"{estimated(value, (low, high), level, ratio)} in the population, from {refits.runs} refits on resampled patients; {_shift(refits)} {beside(own, (low, high))}"
    parts = (math.nan, math.nan, math.nan)  # refits do not tell them apart
    rows = copies.frames[0].height
    return Inference(value, refits.error, low, high, level, refits.bias, *parts, *own, copies.n, rows, m, refits.runs, REFITS, says, told.silent_on)


def _shift(refits: Refits) -> str:
    """The bias in words, by what its own noise leaves of it."""
    if not refits.shifted:
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
