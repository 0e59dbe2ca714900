"""``analyses.json``: what the declared analyses of a release say of the population, with the intervals that refits give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twinset.audit.endpoints.agreement import comparison
from twinset.audit.endpoints.hazards import Z95, two_sided
from twinset.core.contracts import AuditResult, Comparison
from twinset.core.refits import Refits

RATIO = "value, low, high, sd, bias and error are logarithms of a ratio"
PLAIN = "value, low, high, sd, bias and error are in the endpoint's own unit"
SAYS = (
    "The estimate from {copies}, with a 95 % interval for the population the patients came from. The generator was fitted again {runs} times, each time to "
    "as many patients drawn with replacement, and each time {copies} gave an estimate: sd is the scatter of these estimates, bias their mean less the "
    "patients' own estimate, error joins both. The centre is not moved by the bias. {scale}."
)
SILENT = (
    "The interval does not show whether these patients are a fair sample of yours. Nor does it show a shift that resampled patients, some of whom are drawn "
    "twice, do not bring out. It holds for this analysis only, not for others of the same rows."
)


def shipped(results: Sequence[AuditResult], refits: Sequence[Refits], copies: int, *, ratio: float) -> tuple[Comparison, ...]:
    """The comparisons of the first copy, where there are refits with the estimate and interval that leave: of the mean over all copies. ``ratio``: rows of a copy per patient."""
    return tuple(_mean(c, results[:copies], refits, ratio) if copies > 1 else c for c in results[0].comparisons)


def _mean(c: Comparison, results: Sequence[AuditResult], refits: Sequence[Refits], ratio: float) -> Comparison:
    place = (c.endpoint, c.train.contrast)
    own = next((r for r in refits if (r.endpoint, r.contrast) == place), None)
    found = [d.synthetic for result in results for d in result.comparisons if (d.endpoint, d.train.contrast) == place]
    if own is None or not len(found) == len(results) == own.copies or not math.isfinite(own.error):
        return c
    value, error = sum(e.value for e in found) / len(found), math.sqrt(sum(e.error**2 for e in found) / len(found))  # of one copy
    effect = replace(c.synthetic, value=value, error=error, low=value - Z95 * error, high=value + Z95 * error, p=two_sided(value / error))
    return comparison(c.endpoint, c.train, effect, ratio, c.holdout, c.constraint, own)


def told(refits: Sequence[Refits], results: Sequence[AuditResult], copies: int) -> list[dict[str, Any]]:
    """One entry for each endpoint and contrast that has refits and can be estimated on every copy, JSON-ready; in the order of ``refits``.

    ``value`` is the mean over the released copies; the patients' own estimate is not among the figures. ``results``: of the audit, one per copy first.
    """
    out = []
    for r in refits:
        found = [c.synthetic for result in results[:copies] for c in result.comparisons if (c.endpoint, c.train.contrast) == (r.endpoint, r.contrast)]
        if len(found) == copies == r.copies and math.isfinite(r.error):
            out.append(_entry(r, sum(e.value for e in found) / copies, ratio=found[0].ratio))
    return out


def _entry(r: Refits, value: float, *, ratio: bool) -> dict[str, Any]:
    low, high = r.interval(value)
    copies = "one synthetic copy" if r.copies == 1 else f"{r.copies} synthetic copies"
    return {
        "endpoint": r.endpoint,
        "contrast": r.contrast,
        "value": value,
        "low": low,
        "high": high,
        "ratio": ratio,
        "error": r.error,
        "sd": r.sd,
        "bias": r.bias,
        "runs": r.runs,
        "copies": r.copies,
        "says": SAYS.format(copies=copies, runs=r.runs, scale=RATIO if ratio else PLAIN),
        "silent_on": SILENT,
    }
