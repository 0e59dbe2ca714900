"""In which order columns are visited, and which earlier columns each may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from twinset.core.contracts import FloatArray, IntArray
from twinset.core.schema import Schema

WIDE = 200
NEAREST = 50
SAMPLE = 256


def visit_order(schema: Schema, sizes: IntArray, how: str | Sequence[str], first: Sequence[str]) -> tuple[int, ...]:
    """Columns as positions in the schema, in the order they are drawn.

    ``sizes``: distinct values of each column. A list of names comes first, the columns it leaves out follow as given.
    ``"levels"``: fewest distinct values first. ``"given"``: as in the table. ``"auto"``: fewest first, counted up to 250 only,
    so that continuous columns keep the order of the table. Event columns go before times in every automatic order.
    """
    names = schema.names
    if not isinstance(how, str):
        listed = [names.index(c) for c in how]
        order = listed + [i for i in range(len(names)) if i not in set(listed)]
    else:
        cap = {"levels": sizes, "given": np.zeros_like(sizes), "auto": np.minimum(sizes, 250)}[how]
        order = [int(i) for i in np.argsort(cap, kind="stable")]
        order = _events_first(order, schema)
    front = [names.index(c) for c in first]
    return tuple(front + [i for i in order if i not in set(front)])


def _events_first(order: list[int], schema: Schema) -> list[int]:
    roles = [c.role for c in schema]
    times = [k for k, i in enumerate(order) if roles[i] == "time"]
    late = [i for k, i in enumerate(order) if roles[i] == "event" and times and k > times[0]]
    rest = [i for i in order if i not in late]
    at = times[0] if times else 0
    return rest[:at] + late + rest[at:]


def choose_predictors(
    order: Sequence[int], names: Sequence[str], wanted: Mapping[str, Sequence[str]], scores: FloatArray | None, informative: Sequence[bool]
) -> tuple[tuple[int, ...], ...]:
    """For each step the earlier steps it may split on.

    Constant columns never. Beyond 200 candidates: the 50 nearest before it and the 150 most associated
    (rank correlation of at most 256 rows, ``scores``: standardised codes, steps x rows).
    """
    step_of = {names[i]: k for k, i in enumerate(order)}
    chosen = []
    for k, i in enumerate(order):
        if names[i] in wanted:
            candidates = sorted(step_of[c] for c in wanted[names[i]])
        else:
            candidates = list(range(k))
        candidates = [c for c in candidates if c < k and informative[c]]
        if len(candidates) > WIDE and scores is not None:
            near, far = candidates[-NEAREST:], np.array(candidates[:-NEAREST])
            strength = np.abs(scores[far] @ scores[k])
            best = far[np.argsort(-strength, kind="stable")[: WIDE - NEAREST]]
            candidates = sorted([*near, *(int(b) for b in best)])
        chosen.append(tuple(candidates))
    return tuple(chosen)


def standard_scores(raw: IntArray) -> FloatArray:
    """Codes of at most 256 evenly spaced rows, standardised: float32 (steps, rows)."""
    some = raw[:, :: max(1, -(-raw.shape[1] // SAMPLE))].astype(np.float32)
    some -= some.mean(axis=1, keepdims=True)
    spread = some.std(axis=1, keepdims=True)
    return np.divide(some, spread, out=np.zeros_like(some), where=spread > 0)
