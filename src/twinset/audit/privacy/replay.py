"""What only one patient has, and the release has too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import ranks
from twinset.audit.privacy.neighbours import together
from twinset.audit.privacy.patients import Patients, patients
from twinset.coding.columns import Coded, Numbers
from twinset.core.contracts import FloatArray, IntArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

VALUES, COMBINATIONS = "privacy.replay.values", "privacy.replay.combinations"
LABELS = {VALUES: "Rare values replayed", COMBINATIONS: "Rare combinations replayed"}
FEW_LEVELS = 100  # numbers with at most so many distinct values take part in combinations as they are
SMALL_SPACE = 1 << 22  # cells up to which counting by table is quicker than sorting
FEWEST = 10
LOTS = 5_000  # ways to draw by lot who was held out, below which no exact test could show anything
SMALL = 0.2  # of all patients: a smaller hold-out may be what keeps a question from being asked


@dataclass(frozen=True)
class Replay:
    """``privacy.replay.values`` and ``privacy.replay.combinations``: does "only I have this, and the release has it" point at train patients?

    Rare is what exactly one patient of train and hold-out together has: a weight, a cost, a date (values), or a pair or triple of
    categories (combinations: of the quasi-identifiers where at least two are declared, else of all columns with few levels). One list, one rule: members and
    others are judged alike. A patient's score is the share of his rare cells that the release repeats exactly; the figure is the AUC of train against
    hold-out patients who have any, chance 0.5. Distances cannot see this leak: independent columns made of train values are far from everyone and replay everything.
    ``most``: most pairs and most triples looked at (drawn at random beyond that).
    """

    most: int = 100

    def measure(self, trial: Trial, rng: Rng) -> Sequence[Finding]:
        if trial.holdout is None:
            return [not_measured(name, "there is no hold-out to say what chance repeats", label=label) for name, label in LABELS.items()]
        train, held = patients(trial.train), patients(trial.holdout)
        if min(train.n, held.n) < FEWEST:
            return [not_measured(name, f"fewer than {FEWEST} patients were trained on or held out", label=label) for name, label in LABELS.items()]
        coded = together((train.rows, held.rows, trial.synthetic))
        asked = Asked(train, held, np.concatenate([train.of, train.n + held.of]))
        values = asked.tally(_keys(c) for c in coded if isinstance(c, Numbers))
        return [asked.finding(VALUES, values), asked.finding(COMBINATIONS, asked.tally(self._combinations(coded, rng)))]

    def _combinations(self, coded: Sequence[Coded], rng: Rng) -> Iterator[tuple[IntArray, int]]:
        """Keys of the chosen pairs and triples of columns."""
        declared = [c for c in coded if c.column.role == "quasi-identifier"]
        pool = [_keys(c) for c in (declared if len(declared) > 1 else coded)]
        columns = [(keys, size) for keys, size in pool if 1 < size <= (FEW_LEVELS if len(declared) < 2 else SMALL_SPACE)]
        for width in (2, 3):
            every = list(combinations(range(len(columns)), width))
            chosen = every if len(every) <= self.most else [every[i] for i in np.sort(rng.choice(len(every), self.most, replace=False))]
            for group in chosen:
                keys, size = columns[group[0]]
                for j in group[1:]:
                    keys, size = keys * columns[j][1] + columns[j][0], size * columns[j][1]
                yield keys, size


@dataclass(frozen=True, repr=False)
class Asked:
    """The patients who look for themselves in the release; ``of``: the patient of each of their rows, train before hold-out."""

    train: Patients
    held: Patients
    of: IntArray

    def tally(self, keyed: Iterator[tuple[IntArray, int]]) -> tuple[FloatArray, FloatArray]:
        """Per patient, how many cells nobody else has, and how many of those the release has; float64 (n,) each."""
        n = self.train.n + self.held.n
        rare, found = np.zeros(n), np.zeros(n)
        for keys, size in keyed:
            alone, repeated = self._alone(*_narrow(keys, size))
            rare += np.bincount(alone, minlength=n)
            found += np.bincount(alone[repeated], minlength=n)
        return rare, found

    def _alone(self, keys: IntArray, size: int) -> tuple[IntArray, np.ndarray]:
        """Owners of the cells that one patient alone has, int64 (cells,), and whether the release has the cell, bool."""
        mine = keys[: len(self.of)]
        owners, cells = self.of, mine
        if len(self.of) > self.train.n + self.held.n:  # several rows a patient: each cell counts once for him
            pairs = np.unique(self.of * size + mine)
            owners, cells = pairs // size, pairs % size
        once = np.bincount(cells, minlength=size)[cells] == 1
        released = np.zeros(size, dtype=np.bool_)
        released[keys[len(self.of) :]] = True
        known = cells[once] > 0  # key 0 is a gap: nobody is singled out by not being measured
        return owners[once][known], released[cells[once][known]]

    def finding(self, name: str, tally: tuple[FloatArray, FloatArray]) -> Finding:
        """The AUC over patients who have something rare; the score is the share of it that the release repeats."""
        rare, found = tally
        what = "numeric values" if name == VALUES else "pairs and triples of levels"
        is_member = np.arange(len(rare)) < self.train.n
        members, others = (rare > 0) & is_member, (rare > 0) & ~is_member
        m, o = int(members.sum()), int(others.sum())
        if m < FEWEST or comb(m + o, o) < LOTS:
            why = f"too few patients have {what} that nobody else has ({m:,} of train, {o:,} held out)"
            kept_back = self.held.n < SMALL * (self.train.n + self.held.n)  # a hold-out of the usual size would hold enough, were there enough
            return not_measured(name, why, label=LABELS[name], arises=m >= FEWEST and kept_back)
        shown, unshown = found[members] / rare[members], found[others] / rare[others]
        value, (low, high) = interval.auc(shown, unshown)
        tails = ranks(shown, unshown)
        shares = {"train": float(found[members].sum() / rare[members].sum()), "holdout": float(found[others].sum() / rare[others].sum())}
        says = (
            f"Of the {what} that only one patient has, the release repeats {shares['train']:.1%} for train and {shares['holdout']:.1%} for hold-out patients "
            f"({members.sum():,} and {others.sum():,} patients have any)."
        )
        beside = {"chance": 0.5, "p": tails.above, "p_below": tails.below, **shares}
        silent = "Whether the rest of the repeated row fits the patient; what two or more patients share."
        return Finding(name, value, low, high, int(members.sum() + others.sum()), "lower", beside, "", says, silent, label=LABELS[name])


def _keys(coded: Coded) -> tuple[IntArray, int]:
    """A column as integers from 1, equal for equal cells, 0 for a gap; and how many keys there may be."""
    if isinstance(coded, Numbers):
        gap = coded.gaps > 0
        distinct, place = np.unique(np.where(gap, np.inf, coded.values), return_inverse=True)
        return np.where(gap, 0, place + 1).astype(np.int64), len(distinct) + 1
    keys = coded.codes.astype(np.int64) + 1
    if None in coded.levels:
        keys[coded.codes == coded.levels.index(None)] = 0
    return keys, len(coded.levels) + 1


def _narrow(keys: IntArray, size: int) -> tuple[IntArray, int]:
    """The same keys, renumbered if their space is too large for a table (0 stays 0)."""
    if size <= SMALL_SPACE:
        return keys, size
    distinct, place = np.unique(np.concatenate([[0], keys]), return_inverse=True)
    return place[1:].astype(np.int64), len(distinct)
