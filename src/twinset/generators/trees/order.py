"""In which order columns are visited, and which earlier columns each may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from twinset.coding.columns import Coded, Numbers
from twinset.core.contracts import FloatArray, IntArray
from twinset.core.schema import Schema
from twinset.generators.trees.codes import Cells, Target

WIDE = 200
NEAREST = 50
SAMPLE = 256
FEW_LEVELS = 10


CONTINUOUS = 50
NEAR = 0.85
MANY = 4


def plan_visits(  # noqa: PLR0913 (the user's settings, one by one)
    schema: Schema,
    coded: Sequence[Coded],
    targets: Sequence[Target],
    cells: Sequence[Cells],
    how: str | Sequence[str],
    front: Sequence[str],
    wanted: Mapping[str, Sequence[str]],
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The visit order (positions in the schema) and, for each step, the earlier steps it may look at."""
    sizes = np.array([int(t.ranks.max(initial=0)) + 1 for t in targets])
    if how == "auto":
        how = "given" if _entangled(coded, targets, sizes) else "levels"
    order = visit_order(schema, sizes, how, front)
    scores = None
    if len(order) > WIDE:
        scores = _standard([cells[i].place(_some(coded[i])) for i in order])
    return order, choose_predictors(order, schema.names, wanted, scores, [bool(sizes[i] > 1) for i in order])


def visit_order(schema: Schema, sizes: IntArray, how: str | Sequence[str], front: Sequence[str]) -> tuple[int, ...]:
    """Columns as positions in the schema, in the order they are drawn.

    ``sizes``: distinct values of each column. A list of names comes first, the columns it leaves out follow as given.
    ``"levels"``: arms, then events and outcomes (all of at most 10 values), so that how they hang together is kept all but exactly; then fewest distinct values first, ties as given. ``"given"``: as in the table. Event columns go before times in both.
    """
    names = schema.names
    place = {c: i for i, c in enumerate(names)}
    if not isinstance(how, str):
        order = [place[c] for c in how]
        order += [i for i in range(len(names)) if i not in set(order)]
    else:
        order = [int(i) for i in np.lexsort((sizes, _ahead(schema, sizes)))] if how == "levels" else list(range(len(names)))
        order = _events_first(order, schema)
    first = [place[c] for c in front]
    skip = set(first)
    return tuple(first + [i for i in order if i not in skip])


def _ahead(schema: Schema, sizes: IntArray) -> IntArray:
    """0 for arms, 1 for events and outcomes of few values, 2 for all others: int64 (columns,)."""
    ranks = {"arm": 0, "event": 1, "outcome": 1}
    return np.array([ranks.get(c.role, 2) if size <= FEW_LEVELS else 2 for c, size in zip(schema, sizes, strict=True)], dtype=np.int64)


def _entangled(coded: Sequence[Coded], targets: Sequence[Target], sizes: IntArray) -> bool:
    """Whether at least four continuous columns are near-functions of another one: rank correlation of 0.85 or more.

    Costs, scores and repeated readings are: a table lists them in the order they follow from each other, which fewest-first would undo
    (Hellinger distance 0.40 against 0.47 on a survey of 75 columns). At most 1,000 rows and 300 columns are looked at.
    """
    scores: list[FloatArray] = []
    for c, t, size in zip(coded, targets, sizes, strict=True):
        if isinstance(c, Numbers) and size > CONTINUOUS and len(scores) < 300:
            every = slice(None, None, max(1, len(c.values) // 1000))
            gap, z = c.gaps[every] > 0, t.ranks[every].astype(np.float64)
            if gap.all():
                continue
            z = (z - z[~gap].mean()) * ~gap
            scores.append(z)
    if len(scores) < MANY:
        return False
    z = np.array(scores)
    squares, here = z**2, (z != 0).astype(np.float64)
    norm = np.sqrt((squares @ here.T) * (here @ squares.T))
    close = np.abs(np.divide(z @ z.T, norm, out=np.zeros_like(norm), where=norm > 0)) * ((here @ here.T) >= 30)
    np.fill_diagonal(close, 0)
    return int((close.max(axis=1) >= NEAR).sum()) >= MANY


def _some(coded: Coded) -> Coded:
    if isinstance(coded, Numbers):
        every = slice(None, None, max(1, -(-len(coded.values) // SAMPLE)))
        return replace(coded, values=coded.values[every], gaps=coded.gaps[every])
    return replace(coded, codes=coded.codes[:: max(1, -(-len(coded.codes) // SAMPLE))])


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
        candidates = sorted(step_of[c] for c in wanted[names[i]]) if names[i] in wanted else list(range(k))
        candidates = [c for c in candidates if c < k and informative[c]]
        if len(candidates) > WIDE and scores is not None:
            near, far = candidates[-NEAREST:], np.array(candidates[:-NEAREST])
            strength = np.abs(scores[far] @ scores[k])
            best = far[np.argsort(-strength, kind="stable")[: WIDE - NEAREST]]
            candidates = sorted([*near, *(int(b) for b in best)])
        chosen.append(tuple(candidates))
    return tuple(chosen)


def _standard(raw: Sequence[IntArray]) -> FloatArray:
    """Codes of a few rows, standardised: float32 (steps, rows)."""
    some: FloatArray = np.array(raw, dtype=np.float32)
    some -= some.mean(axis=1, keepdims=True)
    spread = some.std(axis=1, keepdims=True)
    out = np.zeros_like(some)
    np.divide(some, spread, out=out, where=spread > 0)
    return out
