"""How the interval of a synthetic estimate was made, how wide it is, and what refits say of the bias: in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from twinset.core.contracts import Comparison
from twinset.report.words import number

WIDENED = Markup("The synthetic interval is widened for synthesis (T<sub>s</sub>): it holds if the generator's model is right.")
REFITTED = (
    "The synthetic interval comes from {runs} refits on resampled patients: each time the generator was fitted again, rows were drawn and analysed, and the "
    "scatter and the shift of these estimates are its width. It does not show whether these patients are a fair sample of yours, nor a shift that resampled patients do not bring out."
)
BARE = (
    "No interval is shown for synthetic estimates: none was tested for this generator with these settings, and it was not fitted again on resampled patients."
)


SHIPPED = "The synthetic estimate is the mean over all {copies} copies, as in analyses.json."
FIRST = "Where there are no refits the synthetic estimate is that of copy 1 of {copies}."


def how(group: Sequence[Comparison], copies: int = 1) -> tuple[str, tuple[str, ...]]:
    """How the synthetic estimates and intervals were made, of how many ``copies``: in a few words, and in sentences."""
    runs = sorted({c.refits.runs for c in group if c.refits})
    plain = [c for c in group if not c.refits]
    widened = [c for c in plain if math.isfinite(c.widened_low)]
    told = [REFITTED.format(runs=runs[0] if len(runs) == 1 else f"{runs[0]} to {runs[-1]}")] if runs else []
    told += [WIDENED] if widened else [BARE] if plain else []
    mark = "from refits" if runs and not widened else "widened" if widened else ""
    if copies > 1:
        mean = any(c.refits.copies == copies for c in group if c.refits)
        told += [SHIPPED.format(copies=copies)] * mean + [FIRST.format(copies=copies)] * (bool(plain) and mean)
        which = f"mean of {copies} copies" if mean and not plain else "" if mean else f"copy 1 of {copies}"
        mark = ", ".join(x for x in (which, mark) if x)
    return mark, tuple(told)


def width(c: Comparison) -> str:
    """How wide the synthetic interval is, on the scale where both are symmetric; "" where there is none."""
    times = (c.widened_high - c.widened_low) / (c.train.high - c.train.low) if c.train.high > c.train.low else math.nan
    return f"interval {number(times, decimals=2)} times as wide as the patients' own" if math.isfinite(times) else ""


def shift(c: Comparison) -> str:
    """The bias that refits show, in words; "" without refits."""
    if not c.refits:
        return ""
    bias = c.refits.bias
    if not c.refits.shifted:
        return "in refits no shift beyond chance"
    where = "towards no effect" if bias * c.train.value < 0 else "away from no effect"
    if c.train.ratio:
        return f"in refits the ratio came out {number(math.exp(bias), decimals=2)} times as large, {where}"
    return f"in refits the estimate came out {number(abs(bias))} {'higher' if bias > 0 else 'lower'}, {where}"
