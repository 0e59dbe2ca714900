"""One tree a column: fitting them in visit order, and drawing rows from them in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twinset.coding.columns import Coded, Codes, Numbers
from twinset.core.contracts import FloatArray, IntArray
from twinset.core.seeds import Rng
from twinset.generators.trees.codes import N_CELLS, N_LEVEL_CLASSES, Cells, Target, merge_levels
from twinset.generators.trees.draw import deal, descend
from twinset.generators.trees.grow import FEATURE, START, arrange, grow
from twinset.generators.trees.nominal import reorder
from twinset.generators.trees.score import MOST_GROUPS, Leaves, Predictors, Scale, Score, directions, fit_score, scale_of
from twinset.generators.trees.smooth import Window, window_of

SLOTS = 64
FEW = 20  # patients, too few to tell classes apart
OUTCOMES = ("event", "time", "outcome")  # split by arm first


@dataclass(frozen=True, repr=False)
class Plan:
    """What the fit was told: the visit order, the predictors of each step, and the stopping rule.

    ``score_noise``: of the dealing by score, in standard deviations of a leaf; ``None``: donors go out at random. ``arms``, ``events``: the steps of that role;
    ``by_arm``: whether outcomes are split by them first.
    """

    order: tuple[int, ...]
    predictors: tuple[tuple[int, ...], ...]
    leaf: int
    gain: float | None
    strictness: float
    smooth: bool
    score_noise: float | None
    arms: tuple[int, ...]
    events: tuple[int, ...]
    by_arm: bool


@dataclass(frozen=True, repr=False)
class Step:
    """One column: its donors' values, its tree, who of a leaf suits which row, and how to code it for the columns after it.

    ``scores``: none where donors go out at random.
    """

    train: Coded
    ranks: IntArray
    cells: Cells
    window: Window | None
    nodes: IntArray
    donors: IntArray
    nominal: IntArray
    tables: IntArray
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, repr=False)
class Board:
    """The cells of all columns so far: ``raw`` int16 (steps, n) as coded, ``work`` uint8 (steps, n) as the current tree sees them."""

    raw: IntArray
    work: IntArray

    @staticmethod
    def empty(n_steps: int, n: int) -> Board:
        return Board(np.zeros((n_steps, n), dtype=np.int16), np.zeros((n_steps, n), dtype=np.uint8))

    def put(self, step: int, cells: Cells, coded: Coded) -> None:
        self.raw[step] = cells.place(coded)
        self.work[step] = self.raw[step]

    def recode(self, nominal: IntArray, tables: IntArray) -> None:
        for a, f in enumerate(nominal):
            np.take(tables[a], self.raw[f], out=self.work[f])


def fit_steps(coded: Sequence[Coded], targets: Sequence[Target], cells: Sequence[Cells], plan: Plan) -> tuple[Step, ...]:
    """A tree for every column, in visit order (``coded``, ``targets`` and ``cells`` in the table's order)."""
    n = len(targets[0].ranks)
    board, widths = Board.empty(len(plan.order), n), np.array([cells[i].size for i in plan.order], dtype=np.int64)
    steps: list[Step] = []
    scales: list[Scale | None] = []
    for k, i in enumerate(plan.order):
        target = _refined(coded[i], targets[i], board, widths, plan.predictors[k])
        steps.append(_fit_one(coded[i], target, [cells[j] for j in plan.order[:k]], board, widths, plan, k, cells[i], scales))
        board.put(k, cells[i], coded[i])
        scales.append(None if cells[i].nominal else scale_of(board.raw[k], cells[i].size, _gaps(coded[i], cells[i])))
    return tuple(steps)


def _fit_one(
    coded: Coded, target: Target, earlier: Sequence[Cells], board: Board, widths: IntArray, plan: Plan, k: int, mine: Cells, scales: Sequence[Scale | None]
) -> Step:
    features = np.array(plan.predictors[k], dtype=np.int64)
    nominal = np.array([f for f in features if earlier[f].nominal], dtype=np.int64)
    sizes = widths.copy()
    tables = np.zeros((len(nominal), int(widths[nominal].max(initial=1))), dtype=np.uint8)
    if len(nominal):
        reorder(board.raw, widths, nominal, target.classes, target.n_classes, tables, sizes, N_CELLS)
        board.recode(nominal, tables)
    arms = _among(features, plan.arms)
    first = arms if plan.by_arm and coded.column.role in OUTCOMES else arms[:0]
    nodes, rows = grow(board.work, sizes, features, first, target.classes, target.n_classes, target.ordinal, plan.leaf, _fixed(plan), plan.strictness)
    donors = arrange(nodes, rows, target.by_value)
    window = window_of(coded) if plan.smooth and isinstance(coded, Numbers) else None
    scores: tuple[Score, ...] = ()
    if plan.score_noise is not None and len(features) and target.n_classes > 1:
        leaves = Leaves(donors, np.append(np.sort(nodes[nodes[:, FEATURE] < 0, START]), len(donors)))
        scores = tuple(
            _scores(coded, target, leaves, Predictors(board.work, features, scales, sizes, _products(coded, arms, _among(features, plan.events), sizes)))
        )
    return Step(coded, target.ranks, mine, window, nodes, donors, nominal, tables, scores)


def _among(features: IntArray, steps: Sequence[int]) -> IntArray:
    return features[np.isin(features, steps)]


def _products(coded: Coded, arms: IntArray, events: IntArray, sizes: IntArray) -> IntArray:
    """The steps whose products with all others enter a score: one arm, and for a time one event."""
    few = [s[sizes[s] <= MOST_GROUPS][:1] for s in (arms, events if coded.column.role == "time" else events[:0])]
    return np.concatenate(few)


def _scores(coded: Coded, target: Target, leaves: Leaves, predictors: Predictors) -> Iterator[Score]:
    """What tells the values of a column apart, in the order in which it is asked: gaps from values, then values by rank, or one half of the classes from the other, and each half again."""
    if not isinstance(coded, Codes):
        held = coded.gaps == 0
        if not held.all():
            yield fit_score(predictors, leaves, held.astype(np.float32))
        if held.any():
            yield fit_score(predictors, leaves, np.where(held, _mid_ranks(target.ranks), np.nan).astype(np.float32))
    elif coded.column.ordered:
        yield fit_score(predictors, leaves, _mid_ranks(target.ranks).astype(np.float32))
    else:
        yield from _halves(target.classes, np.unique(target.classes), leaves, predictors)


def _halves(classes: IntArray, some: IntArray, leaves: Leaves, predictors: Predictors) -> Iterator[Score]:
    inside = np.isin(classes, some)
    if len(some) < 2 or inside.sum() < FEW:
        return
    order = some
    if len(some) > 2:
        order = some[np.argsort(directions(predictors, leaves, classes, inside)[some], kind="stable")]
    mass = np.cumsum(np.bincount(classes, minlength=int(classes.max()) + 1)[order])
    cut = min(len(order) - 1, 1 + int(np.abs(mass[:-1] - mass[-1] / 2).argmin()))
    yield fit_score(predictors, leaves, np.where(inside, np.isin(classes, order[cut:]), np.nan).astype(np.float32))
    for half in (order[:cut], order[cut:]):
        yield from _halves(classes, half, leaves, predictors)


def _mid_ranks(ranks: IntArray) -> FloatArray:
    counts = np.bincount(ranks)
    return np.asarray(((np.cumsum(counts) - counts / 2) / max(len(ranks), 1))[ranks])


def _gaps(coded: Coded, cells: Cells) -> Sequence[int]:
    """The cells of a column that are gaps."""
    if isinstance(coded, Codes):
        return [int(cells.table[-1])] if coded.levels and coded.levels[-1] is None else []
    return range(cells.size - len(cells.tops))


def _fixed(plan: Plan) -> float:
    return -1.0 if plan.gain is None else float(plan.gain)


def _refined(coded: Coded, target: Target, board: Board, widths: IntArray, predictors: Sequence[int]) -> Target:
    """Finer classes for a category of many levels, sorted by their profile against the best-filled earlier column."""
    if not isinstance(coded, Codes) or len(coded.levels) <= N_LEVEL_CLASSES:
        return target
    usable = [f for f in predictors if widths[f] <= N_CELLS]
    beside = max(usable, key=lambda f: (_spread(board.raw[f]), f), default=None)
    if beside is None:
        return target
    return merge_levels(coded, target, board.raw[beside], int(widths[beside]))


def _spread(raw: IntArray) -> float:
    """How many cells are in use, effectively."""
    shares = np.bincount(raw) / max(len(raw), 1)
    return float(1 / (shares**2).sum())


def draw_steps(steps: Sequence[Step], n: int, rng: Rng, fixed: Sequence[Coded] = ()) -> list[Coded]:
    """``n`` rows, coded, in visit order. ``fixed``: the first columns, where they are given rather than drawn."""
    board = Board.empty(len(steps), n)
    given = np.full((n, min(SLOTS, len(steps))), -1, dtype=np.int32)
    drawn: list[Coded] = []
    for k, step in enumerate(steps):
        if k < len(fixed):
            coded = fixed[k]
        else:
            board.recode(step.nominal, step.tables)
            leaf_of = descend(step.nodes, board.work, n)
            seed = rng.integers(0, 2**63, dtype=np.uint64)
            merits, scores = _matched(step, board.work)
            donors = deal(step.nodes, leaf_of, step.donors, step.ranks, given, k % given.shape[1], merits, scores, seed)
            coded = _values(step, donors, rng)
        board.put(k, step.cells, coded)
        drawn.append(coded)
    return drawn


def _matched(step: Step, work: IntArray) -> tuple[FloatArray, FloatArray]:
    """The scores of the donors and of the rows: float32 (scores, train rows) and (scores, n)."""
    if not step.scores:
        return np.zeros((0, 0), dtype=np.float32), np.zeros((0, 0), dtype=np.float32)
    return np.array([s.y for s in step.scores]), np.array([s.of(work) for s in step.scores])


def _values(step: Step, donors: IntArray, rng: Rng) -> Coded:
    train = step.train
    if isinstance(train, Codes):
        return replace(train, codes=train.codes[donors])
    values = train.values[donors]
    if step.window is not None:
        values = step.window.blur(values, rng)
    return replace(train, values=values, gaps=train.gaps[donors])
