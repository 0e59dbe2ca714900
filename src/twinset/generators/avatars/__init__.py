"""Avatars: every synthetic row starts from a patient and is drawn from that patient's neighbours.

Rooms, in the order of the steps: ``table`` (columns to numbers, codes and marks), ``seeds`` (strata, starting patients), ``neighbours``
(who is near, with what weight), ``published`` and ``local`` (the two recipes), ``blocks``, ``moments`` and ``margins`` (steps of the local one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from twinset.coding.factorial import fit_space
from twinset.coding.impute import nearest_mean, raw_table
from twinset.core.cohort import Cohort
from twinset.core.contracts import Source
from twinset.core.schema import Schema
from twinset.core.seeds import Rng
from twinset.errors import BadInput, collect
from twinset.generators.avatars import local, published
from twinset.generators.avatars.blocks import find_blocks
from twinset.generators.avatars.moments import Moments, normal_scores
from twinset.generators.avatars.neighbours import Near, Patients, nearest, nearest_patients, patients_of
from twinset.generators.avatars.seeds import draw_seeds, strata_of
from twinset.generators.avatars.table import LOCAL, PUBLISHED, Table, build, to_cohort

FloatArray = np.ndarray
IntArray = np.ndarray

Recipe = Literal["local", "published"]


@dataclass(frozen=True)
class Avatars:
    """Synthetic rows drawn from the neighbourhood of a patient.

    ``recipe="local"`` (default): numbers from the local covariance of k near patients of the same stratum, categories from one donor a
    block of dependent columns, then aggregate moments and margins; rare and extreme numbers are not replayed. ``recipe="published"``:
    the closed method of Guillaudeux et al. (npj Digital Medicine 2023), rebuilt to compare with: it shrinks variances by about a quarter,
    breaks derived columns and lets one neighbour dominate most rows. Neither is differentially private: the ledger is billed infinity.

    Attributes:
        recipe: which of the two.
        k: neighbours; 0 = the recipe's own (50 local, 20 published). More is more private and less faithful.
        components: dimensions of the space in which patients are near.
        strata: columns inside which seeds and neighbours stay, and whose sizes are kept. Empty = the recipe's own: the arm columns (local),
            none (published). Adding the event imposes the treatment effect; a report must then call it a constraint.
        blocks: groups of category columns drawn together (the missing flag of a number goes by its name); the others are grouped automatically.
        within: for a number, the categories inside which its margin is mapped. Times are mapped within events, and a number that a
            category explains by more than half within that category, unless said here; an empty list switches it off.
        moments: whether aggregate moments are restored.
        one_to_one: local recipe: start every patient's row exactly once instead of drawing seeds with replacement, so that hidden rate
            can be measured. Costs no measured privacy, gains none.
    """

    recipe: Recipe = "local"
    k: int = 0
    components: int = 5
    strata: Sequence[str] = ()
    blocks: Sequence[Sequence[str]] = ()
    within: Mapping[str, Sequence[str]] = field(default_factory=dict)
    moments: bool = True
    one_to_one: bool = False

    def fit(self, source: Source, rng: Rng) -> AvatarsModel:
        """The patients as points, with their strata. Raises BadInput for impossible settings, unknown columns or fewer than two patients."""
        self._check(source.schema)
        train = source.reveal("avatars: whole rows, as neighbours")
        if len(train) < 2 or (train.origin is not None and len(np.unique(train.origin)) < 2):
            raise BadInput("avatars need at least two patients", where="generator", hint="the avatar of an only patient would be that patient")
        return _fit_published(self, train) if self.recipe == "published" else _fit_local(self, train, rng)

    def _check(self, schema: Schema) -> None:
        problems = []
        if self.recipe not in ("local", "published"):
            problems.append("`recipe` must be `local` or `published`")
        if self.k < 0 or self.components < 1:
            problems.append("`k` must be 0 or more and `components` 1 or more")
        named = [*self.strata, *(c for block in self.blocks for c in block), *self.within, *(c for by in self.within.values() for c in by)]
        known = schema.synthesised
        problems += [f"no synthesised column `{c}`" for c in dict.fromkeys(named) if c not in known]
        if problems:
            raise BadInput(collect(problems), where="generator", hint="see the settings of avatars in the documentation")


@dataclass(frozen=True, repr=False)
class AvatarsModel:
    """Patients as points. Never leaves the building: it holds the train rows.

    ``notes``: what the recipe imposed or left out, in words, for the report.
    """

    settings: Avatars
    table: Table
    filled: FloatArray
    points: FloatArray
    stratum: IntArray
    patients: Patients
    k: int
    notes: Mapping[str, str]
    crowds: tuple[local.Crowd, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    within: Mapping[str, Sequence[str]] = field(default_factory=dict)
    targets: Moments | None = None

    def __repr__(self) -> str:
        return f"AvatarsModel({self.settings.recipe}, {len(self.table):,} rows, k = {self.k}, {len(np.unique(self.stratum))} strata)"

    def sample(self, n: int, rng: Rng) -> Cohort:
        """``n`` synthetic patients in random order; which patient each started from is forgotten."""
        return self.sample_paired(n, rng)[0]

    def sample_paired(self, n: int, rng: Rng) -> tuple[Cohort, IntArray]:
        """``n`` synthetic patients in random order and, shape (n,), the train row each started from.

        One-to-one (a permutation of the train rows) for the published recipe, or with ``one_to_one``, at n = train rows.
        """
        whole = self.settings.one_to_one or self.settings.recipe == "published"
        seeds = draw_seeds(self.stratum, n, rng, one_to_one=whole)
        numbers, codes = self._published(seeds, rng) if self.settings.recipe == "published" else self._local(seeds, rng)
        order = rng.permutation(n)
        return to_cohort(self.table, numbers[order], codes[order]), seeds[order]

    def _published(self, seeds: IntArray, rng: Rng) -> tuple[FloatArray, IntArray]:
        numbers, codes = [np.zeros((0, self.filled.shape[1]))], [self.table.codes[:0]]
        for s, part in _by_stratum(self.stratum, seeds):
            rows = np.flatnonzero(self.stratum == s)
            found = self._near(part, rows)
            made, chosen = published.blend(self.table, self.filled, found.rows, published.weights(found.distances, rng), rng)
            numbers.append(made)
            codes.append(chosen)
        return np.concatenate(numbers), np.concatenate(codes)

    def _near(self, seeds: IntArray, rows: IntArray) -> Near:
        alike = self.patients.most_alike(rows)
        if alike == 1:
            return nearest(self.points, seeds, rows, min(self.k, len(rows) - 1), distances=True)
        others = nearest_patients(self.points, seeds, rows, self.patients, min(self.k, len(rows) - alike))
        return Near(others, np.linalg.norm(self.points[others] - self.points[seeds][:, None], axis=2))

    def _local(self, seeds: IntArray, rng: Rng) -> tuple[FloatArray, IntArray]:
        numbers, codes = [np.zeros((0, self.filled.shape[1]))], [self.table.codes[:0]]
        for s, part in _by_stratum(self.stratum, seeds):
            near = local.around(self.points, self.crowds[s], self.patients, part, self.k)
            made, chosen = local.draw(self.filled, self.table.codes, near, self.groups, rng)
            numbers.append(made)
            codes.append(chosen)
        made, chosen = np.concatenate(numbers), np.concatenate(codes)
        return local.finish(self.table, self.targets, self.within, (made, chosen), rng), chosen


def _by_stratum(stratum: IntArray, seeds: IntArray) -> list[tuple[int, IntArray]]:
    """The seeds of each stratum that has any, strata and seeds in order (seeds come sorted by stratum)."""
    of = stratum[seeds]
    return [(int(s), seeds[of == s]) for s in np.unique(of)]


def _fit_published(settings: Avatars, train: Cohort) -> AvatarsModel:
    table = build(train, PUBLISHED)
    filled = nearest_mean(raw_table(table.coded))[:, list(table.number_of)]
    points = fit_space(filled, table.codes, table.sizes, components=settings.components).project(filled, table.codes)
    k = min(settings.k or 20, len(table) - 1)
    rows = np.arange(len(table))
    patients = Patients(rows, rows if train.origin is None else train.origin)
    stratum = strata_of(table, tuple(settings.strata), rows, k + 1)
    return AvatarsModel(settings, table, filled, points, stratum, patients, k, {"recipe": "published", "strata": ", ".join(settings.strata)})


def _fit_local(settings: Avatars, train: Cohort, rng: Rng) -> AvatarsModel:
    table = build(train, LOCAL)
    patients = patients_of(train)
    k = settings.k or 50
    filled = local.fill(table, rng, components=settings.components)
    points = fit_space(filled.astype(np.float64), table.codes, table.sizes, components=settings.components).project(filled, table.codes)
    wanted = tuple(settings.strata) or tuple(c.name for c in train.schema.synthesised.with_role("arm"))
    stratum = strata_of(table, wanted, patients.units, 2 * k)
    within = {**_within(table, train.schema, filled), **settings.within}
    return AvatarsModel(
        settings,
        table,
        filled,
        points,
        stratum,
        patients,
        k,
        {"recipe": "local", "strata": ", ".join(wanted), "within": "; ".join(f"{c} within {', '.join(by)}" for c, by in within.items() if by)},
        crowds=local.crowds_of(table, stratum, patients),
        groups=find_blocks(table, settings.blocks),
        within=within,
        targets=local.moments_of(table, filled) if settings.moments else None,
    )


def _within(table: Table, schema: Schema, filled: FloatArray) -> dict[str, tuple[str, ...]]:
    """Where margins are mapped inside categories: times in events, and numbers in a category that explains more than half of them."""
    names, events = table.names(), tuple(c.name for c in schema.synthesised.with_role("event"))
    few = [j for j, size in enumerate(table.sizes) if size <= 10 and table.code_of[j] not in table.number_of]
    out: dict[str, tuple[str, ...]] = {}
    scores = normal_scores(filled)
    for j, i in enumerate(table.number_of):
        column = table.coded[i].column
        if column.role == "time" and events:
            out[column.name] = tuple(e for e in events if e in names)
            continue
        explained = [(_explained(scores[:, j], table.codes[:, c], table.sizes[c]), -c) for c in few]
        best, at = max(explained, default=(0.0, 0))
        if best > 0.5:
            out[column.name] = (names[-at],)
    return out


def _explained(scores: FloatArray, codes: IntArray, size: int) -> float:
    """Share of the variance between groups (a correlation ratio)."""
    counts = np.bincount(codes, minlength=size)
    sums = np.bincount(codes, weights=scores, minlength=size)
    return float((sums**2 / np.maximum(counts, 1)).sum() / max(1e-12, float((scores**2).sum())))
