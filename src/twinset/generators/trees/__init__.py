"""Sequential trees: every column is drawn, given those before it, from the leaves of a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from twinset.coding.columns import Coded, decode, encode
from twinset.core.cohort import Cohort
from twinset.core.contracts import Source
from twinset.core.schema import Schema
from twinset.core.seeds import Rng
from twinset.errors import BadInput
from twinset.generators.trees.codes import Cells, Target, cells_of, target_of
from twinset.generators.trees.order import WIDE, choose_predictors, standard_scores, visit_order
from twinset.generators.trees.settings import check
from twinset.generators.trees.steps import Board, Plan, Step, draw_steps, fit_steps


@dataclass(frozen=True)
class Trees:
    order: str | Sequence[str] = "auto"
    first: Sequence[str] = ()
    predictors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    leaf: int = 10
    gain: float | None = None
    smooth: str = "window"
    strata: Sequence[str] = ()

    def fit(self, source: Source, rng: Rng) -> TreesModel:
        check(self, source.schema.synthesised)
        train = source.reveal("trees: the rows, to grow a tree for each column").synthesised
        coded = encode(train)
        targets = [target_of(c) for c in coded]
        cells = [cells_of(c, t) for c, t in zip(coded, targets, strict=True)]
        plan = _plan(self, train.schema, coded, targets, cells)
        steps = fit_steps(coded, targets, cells, plan)
        return TreesModel(plan.order, steps, dict(train.frame.schema), train.schema)


@dataclass(frozen=True, repr=False)
class TreesModel:
    order: tuple[int, ...]
    steps: tuple[Step, ...]
    dtypes: Mapping[str, pl.DataType]
    schema: Schema

    def sample(self, n: int, rng: Rng) -> Cohort:
        drawn = draw_steps(self.steps, n, rng)
        back = sorted(range(len(drawn)), key=lambda k: self.order[k])
        return decode([drawn[k] for k in back], self.dtypes)


def _plan(settings: Trees, schema: Schema, coded: Sequence[Coded], targets: Sequence[Target], cells: Sequence[Cells]) -> Plan:
    sizes = np.array([int(t.ranks.max(initial=0)) + 1 for t in targets])
    order = visit_order(schema, sizes, settings.order, settings.first)
    wanted = dict(settings.predictors) | {c: () for c, m in settings.methods.items() if m == "independent"}
    scores = None
    if len(order) > WIDE:
        board = Board.empty(len(order), len(targets[0].ranks))
        for k, i in enumerate(order):
            board.raw[k] = cells[i].place(coded[i])
        scores = standard_scores(board.raw)
    chosen = choose_predictors(order, schema.names, wanted, scores, [sizes[i] > 1 for i in order])
    gain = 3.0 if settings.gain is None else settings.gain
    return Plan(order, chosen, settings.leaf, gain, settings.smooth == "window")
