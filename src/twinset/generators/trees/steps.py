"""One tree a column: fitting them in visit order, and drawing rows from them in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from twinset.coding.columns import Coded, Codes, Numbers
from twinset.core.contracts import IntArray
from twinset.core.seeds import Rng
from twinset.generators.trees.codes import N_CELLS, N_LEVEL_CLASSES, Cells, Target, merge_levels
from twinset.generators.trees.contrasts import scores_of
from twinset.generators.trees.draw import deal, descend
from twinset.generators.trees.grow import FEATURE, START, arrange, grow
from twinset.generators.trees.nominal import reorder
from twinset.generators.trees.score import Leaves, Predictors, Scale, Scores, add_up, groups_of, one_thread, scale_of
from twinset.generators.trees.smooth import Window, window_of

SLOTS = 64
MOST_GROUPS = 8  # an arm or event of more levels has no products, and does not split first
NOTHING = (
    np.zeros(0, np.float32),
    np.zeros((0, 0), np.uint8),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros((0, 1, 0, 0), np.float32),
    np.zeros((0, 0), np.int16),
    np.zeros((0, 0), np.float32),
)
OUTCOMES = ("event", "time", "outcome")  # split by arm first


@dataclass(frozen=True, repr=False)
class Plan:
    """What the fit was told: the visit order, the predictors of each step, and the stopping rule.

    ``by_score``: whether a leaf's donors go out by score; ``arms``, ``events``: the steps of that role; ``outcomes``: those of an outcome's, event's or time's; ``by_arm``: whether outcomes are split by arm first.
    """

    order: tuple[int, ...]
    predictors: tuple[tuple[int, ...], ...]
    leaf: int
    gain: float | None
    strictness: float
    smooth: bool
    by_score: bool
    arms: tuple[int, ...]
    events: tuple[int, ...]
    outcomes: tuple[int, ...]
    by_arm: bool


@dataclass(frozen=True, repr=False)
class Step:
    """One column: its donors' values, its tree, who of a leaf suits which row, and how to code it for the columns after it.

    ``scores``: ``None`` where donors go out at random.
    """

    train: Coded
    ranks: IntArray
    cells: Cells
    window: Window | None
    nodes: IntArray
    donors: IntArray
    nominal: IntArray
    tables: IntArray
    scores: Scores | None = None


@dataclass(frozen=True, repr=False)
class Material:
    """One train column as the fit needs it: coded, as what is to be told apart, as cells."""

    coded: Coded
    target: Target
    cells: Cells


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


def fit_steps(columns: Sequence[Material], plan: Plan) -> tuple[Step, ...]:
    """A tree for every column, in visit order (``columns`` in the table's order)."""
    board, visited = Board.empty(len(plan.order), len(columns[0].target.ranks)), [columns[i] for i in plan.order]
    widths, scales = np.array([c.cells.size for c in visited], dtype=np.int64), list[Scale | None]()
    steps = []
    with one_thread():
        for k, column in enumerate(visited):
            refined = replace(column, target=_refined(column.coded, column.target, board, widths, plan.predictors[k]))
            steps.append(_fit_one(refined, k, plan, board=board, widths=widths, scales=scales))
            board.put(k, column.cells, column.coded)
            scales.append(_scale(column, board.raw[k]))
    return tuple(steps)


def _fit_one(column: Material, k: int, plan: Plan, *, board: Board, widths: IntArray, scales: Sequence[Scale | None]) -> Step:
    """The tree of one column and its scores, on the columns before it."""
    coded, target, features = column.coded, column.target, plan.predictors[k]
    nominal = np.array([f for f in features if scales[f] is None], dtype=np.int64)
    sizes = widths.copy()
    tables = np.zeros((len(nominal), int(widths[nominal].max(initial=1))), dtype=np.uint8)
    if len(nominal):
        reorder(board.raw, widths, nominal, target.classes, target.n_classes, tables, sizes, N_CELLS)
        board.recode(nominal, tables)
    few = [f for f in plan.arms if f in features and sizes[f] <= MOST_GROUPS]
    first = few if plan.by_arm and coded.column.role in OUTCOMES else []
    at, before = np.array(features, dtype=np.int64), np.array(first, dtype=np.int64)
    nodes, rows = grow(board.work, sizes, at, before, target.classes, target.n_classes, target.ordinal, plan.leaf, _fixed(plan), plan.strictness)
    donors = arrange(nodes, rows, target.by_value)
    scores = None
    if plan.by_score and features and target.n_classes > 1:
        by = _products(coded, features, sizes, plan)
        leaves = Leaves(donors, np.append(np.sort(nodes[nodes[:, FEATURE] < 0, START]), len(donors)))
        scores = scores_of(coded, target, leaves, Predictors(board.work, at, scales, sizes, by, _closely(coded, features, plan)))
    window = window_of(coded) if plan.smooth and isinstance(coded, Numbers) else None
    return Step(coded, target.ranks, column.cells, window, nodes, donors, nominal, tables, scores)


def _products(coded: Coded, features: Sequence[int], sizes: IntArray, plan: Plan) -> tuple[int, ...]:
    """The steps whose products with all others enter a score: one arm, and for a time one event."""
    wanted = [plan.arms, plan.events] if coded.column.role == "time" else [plan.arms]
    few = [[s for s in steps if s in features and sizes[s] <= MOST_GROUPS] for steps in wanted]
    return tuple(some[0] for some in few if some)


def _closely(coded: Coded, features: Sequence[int], plan: Plan) -> frozenset[int]:
    """Whose products with an arm enter level by level: of outcomes, those of all."""
    return frozenset(features if coded.column.role in OUTCOMES else plan.outcomes)


def _scale(column: Material, raw: IntArray) -> Scale | None:
    cells, coded = column.cells, column.coded
    if cells.nominal:
        return None
    if isinstance(coded, Codes):
        return scale_of(raw, cells.size, int(bool(coded.levels) and coded.levels[-1] is None), last=True)
    return scale_of(raw, cells.size, cells.size - len(cells.tops), last=False)


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
            donors = deal(step.nodes, leaf_of, step.donors, step.ranks, given, k % given.shape[1], seed, *_scored(step.scores, board.work))
            coded = _values(step, donors, rng)
        board.put(k, step.cells, coded)
        drawn.append(coded)
    return drawn


def _scored(scores: Scores | None, work: IntArray) -> tuple[np.ndarray, ...]:
    """What dealing needs of the scores, flat."""
    if scores is None or not len(scores.tables):
        return NOTHING
    group = groups_of(work, scores.by, scores.sizes)
    first = add_up(work, scores.features, scores.tables[0], group)
    return first, work, scores.features, group, scores.tables, scores.which, scores.y


def _values(step: Step, donors: IntArray, rng: Rng) -> Coded:
    train = step.train
    if isinstance(train, Codes):
        return replace(train, codes=train.codes[donors])
    values = train.values[donors]
    if step.window is not None:
        values = step.window.blur(values, rng)
    return replace(train, values=values, gaps=train.gaps[donors])
