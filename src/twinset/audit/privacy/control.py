"""Is the hold-out a fair control? Asked before any attack, and once more of what the attacks found.

Every attack compares train patients with people who were certainly not used and come from the same population. Where that is not so, the figures
mean nothing: with the train table itself as hold-out, word-for-word copies of everybody read as safe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import by_lot, crossed, normal_tail
from twinset.audit.privacy.copies import row_keys
from twinset.audit.privacy.neighbours import nearest, points, stacked
from twinset.audit.privacy.patients import Patients, patients
from twinset.core.contracts import FloatArray, IntArray, Trial
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng

OVERLAP, IMPOSSIBLE = "control.overlap", "control.impossible"
LABELS = {OVERLAP: "Hold-out patients who are train patients", IMPOSSIBLE: "Figures that no fair hold-out gives"}
CLOSEST = (5, 10, 20, 40, 80, 160, 320)  # so many of the closest pairs are looked at
MOST = 9_999  # draws of the lot; the smallest p is one in ten thousand
MANY_GROUPS = 2_000  # beyond, the lot is followed by a normal law
LEVEL = 0.001  # of the whole family of figures
FEWEST = 10
WATCHED = ("membership.", "privacy.copies", "privacy.nearer", "privacy.replay.", "privacy.tail")


def overlap(trial: Trial, whole: Trial, rng: Rng) -> Finding:
    """``control.overlap``: do hold-out patients equal, or nearly equal, train patients more often than the lot would make them?

    Two exact tests of one premise: who was held out is a matter of lot among all real patients.
    Equal rows (``whole``: any size): in each group of patients equal in everything, the lot puts more train or more hold-out patients; a hold-out made of
    train rows is too evenly mixed (the chi-squared of groups by side, its lower tail, by drawing lots).
    Near rows (``trial``): each patient with the nearest other one, the closest pairs first and no patient twice: of the first k, so many are mixed, one
    of train and one held out, by lot (exact; k = 5, 10 ... 320, Bonferroni).
    The value is the share of mixed pairs among the k closest; ``p`` is of both tests together. Twins that a table has by nature accuse nobody.
    """
    if trial.holdout is None or whole.holdout is None:
        return not_measured(OVERLAP, "there is no hold-out", label=LABELS[OVERLAP])
    train, held = patients(trial.train), patients(trial.holdout)
    pairs = _pairs(train, held, rng)
    tops = [k for k in CLOSEST if k <= len(pairs)]
    if min(train.n, held.n) < FEWEST or not tops:
        return not_measured(OVERLAP, f"fewer than {FEWEST} patients were trained on or held out", label=LABELS[OVERLAP])
    equal, expected, p_equal = _equal(patients(whole.train), patients(whole.holdout), rng)
    n = train.n + held.n
    mixed = [int(pairs[:k].sum()) for k in tops]
    chances = [crossed(x, k, train.n, n) for x, k in zip(mixed, tops, strict=True)]
    p_near = min(1.0, len(tops) * min(chances))
    at = int(np.argmin(chances)) if p_near < LEVEL else len(tops) - 1
    x, k, chance = mixed[at], tops[at], 2 * train.n * held.n / (n * (n - 1))
    says = f"{equal:,} hold-out patients equal a train patient in everything; the lot would give {expected:,.1f}. "
    says += f"Of the {k:,} closest pairs of patients {x:,} are one of train and one of the hold-out; the lot would give {chance * k:,.1f}."
    silent = "Whether both are the same kind of people, and a patient in both files whose record was changed beyond likeness."
    beside = {"chance": chance, "k": float(k), "equal": float(equal), "equal_by_lot": expected, "p": min(1.0, 2 * min(p_equal, p_near))}
    low, high = interval.clopper_pearson(x, k)
    return Finding(OVERLAP, x / k, low, high, n, "lower", beside, "", says, silent, label=LABELS[OVERLAP])


def impossible(findings: Sequence[Finding]) -> Finding:
    """``control.impossible``: how many figures of the attacks lie further below chance than one fair hold-out in 1,000 lets any of them (Bonferroni).

    Below chance means that hold-out patients were recognised rather than train patients.
    """
    watched = [f for f in findings if f.measured and "p_below" in f.beside and f.name.startswith(WATCHED)]
    if not watched:
        return not_measured(IMPOSSIBLE, "nothing was measured that compares train with hold-out", label=LABELS[IMPOSSIBLE])
    found = [f for f in watched if f.beside["p_below"] * len(watched) < LEVEL]
    p = min(1.0, len(watched) * min(f.beside["p_below"] for f in watched))
    says = f"{len(found)} of {len(watched)} figures lie below chance as no fair hold-out lets them: more is known of the hold-out than of train patients."
    if found:
        says += " The files were swapped or overlap, or rows near to train patients were removed from the release."
    silent = "A wrong hold-out beside a release that tells nothing of anybody."
    value = float(len(found))
    beside = {"floor": 0.0, "p": p}
    return Finding(IMPOSSIBLE, value, value, value, len(watched), "lower", beside, "", says, silent, label=LABELS[IMPOSSIBLE])


def _pairs(train: Patients, held: Patients, rng: Rng) -> np.ndarray:
    """Disjoint pairs of near patients, the closest first: whether each is mixed, bool. Ties fall by lot, so that nothing depends on the order of files."""
    n = train.n + held.n
    if n < 2:
        return np.zeros(0, dtype=np.bool_)
    real = stacked((train.rows, held.rows))
    order = rng.permutation(len(real))  # of equally near rows the first wins
    of = np.concatenate([train.of, train.n + held.of])[order]
    (place,) = points((real.take(order),))
    distance, at = nearest(place, place, own=of, of=of)
    by_distance = np.lexsort((rng.random(len(of)), distance[:, 0]))
    free = np.ones(n, dtype=np.bool_)
    pairs = []
    for one, two in zip(of[by_distance].tolist(), of[at[by_distance, 0]].tolist(), strict=True):
        if free[one] and free[two]:
            free[[one, two]] = False
            pairs.append((one < train.n) != (two < train.n))
            if len(pairs) == CLOSEST[-1]:
                break
    return np.array(pairs, dtype=np.bool_)


def _equal(train: Patients, held: Patients, rng: Rng) -> tuple[int, float, float]:
    """How many hold-out patients equal a train patient, how many by lot, and the p of groups of equal patients so evenly mixed."""
    ours, theirs = (_whole(side, keys) for side, keys in zip((train, held), row_keys((train.rows, held.rows)), strict=True))
    _, group, size = np.unique(np.concatenate([ours, theirs]), return_inverse=True, return_counts=True)
    inside = np.bincount(group[train.n :], minlength=len(size))  # hold-out patients of each group
    shared = size > 1
    size, inside = size[shared], inside[shared]
    if not len(size):
        return 0, 0.0, 1.0
    colours = np.append(size, train.n + held.n - size.sum())

    def draw(times: int) -> IntArray:
        return np.asarray(rng.multivariate_hypergeometric(colours, held.n, size=times)[:, :-1])

    def even(lots: IntArray) -> FloatArray:
        return np.asarray((lots * (size - lots) / size).sum(axis=-1))

    seen, usual = float(even(inside)), draw(99)
    expected = float(np.where(usual < size, usual, 0).sum(axis=1).mean())
    equal = int(inside[inside < size].sum())
    if len(size) <= MANY_GROUPS:
        return equal, expected, by_lot(seen, lambda times: even(draw(times)), most=MOST)
    spread = even(usual)

    return equal, expected, normal_tail((seen - spread.mean()) / max(spread.std(ddof=1), 1e-12))


def _whole(side: Patients, keys: IntArray) -> IntArray:
    """One key per patient, of all his rows in whatever order, uint64 (n,)."""
    if len(keys) == side.n:
        return keys[np.argsort(side.of)]
    with np.errstate(over="ignore"):
        total = np.zeros(side.n, dtype=np.uint64)
        mixed = (keys ^ (keys >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        np.add.at(total, side.of, mixed ^ (mixed >> np.uint64(32)))
    return total
