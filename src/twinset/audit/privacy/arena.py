"""Where attacks are staged. The arena alone knows who was in.

Members are train patients, others are hold-out patients. The hold-out is cut in six by patient: five parts are the attacker's sample of the
population, the sixth stands among the targets; each part has its turn (in two ways to cut, up to 2,000 held out) and all passes count: a large
sample for the attacker, and no lottery of halves. Targets reach the attacker in random order. A release made without looking at the train patients
gives every attack an AUC of 0.5, whatever the sizes of train, hold-out and release, because members and others are then exchangeable and treated alike.

An average hides exposed patients: every attack is also scored on the 5 % and the 1 % most isolated patients, members and others picked from one
list by one rule (mean distance to the five nearest other patients; Meeus et al. 2023). So few have wide intervals: beside stands the exact ``p`` of 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twinset.audit import interval
from twinset.audit.exact import ranks
from twinset.audit.privacy import ATTACKS
from twinset.audit.privacy.neighbours import nearest, points, stacked
from twinset.audit.privacy.patients import Patients, patients
from twinset.core.contracts import Attack, BoolArray, FloatArray, IntArray, Trial, View
from twinset.core.finding import Finding, not_measured
from twinset.core.seeds import Rng, stream

STRATA: tuple[tuple[str, float], ...] = (("all patients", 1.0), ("isolated 5 %", 0.05), ("isolated 1 %", 0.01))
FOLDS = 6
ROUNDS = 2  # ways to cut the hold-out, where it is so small that the cut matters
FEW = 2_000
FALSE_ALARMS = 0.01
FEWEST_FOR_FALSE_ALARMS = 500
FEWEST_HELD_OUT = 10
FEWEST_IN_STRATUM = 3
MUTUAL = 1.5  # variance of the others' part, all patients: two people alike in different parts lower each other's score. Measured on fresh draws: 1.2 to 1.6
NEIGHBOURS = 5
YARDSTICK = 5_000  # patients that isolation is measured against
MOST_TARGETS = 6_000  # a side, for all patients
MOST_IN_STRATUM = 3_000
WIDE = 0.1  # half an interval beyond which we say that power is lacking


@dataclass(frozen=True, repr=False)
class Side:
    """Targets of one side: which patients (int64, ascending), and for each stratum which of the targets are in it."""

    who: IntArray
    strata: tuple[BoolArray, ...]


@dataclass(frozen=True, repr=False)
class Pass:
    """Scores by patient in one pass, above the median member: of all member targets, and of those others (``present``, bool) who were not population."""

    members: FloatArray
    others: FloatArray
    present: BoolArray


@dataclass(frozen=True, repr=False)
class Fight:
    """All passes of one attack. ``turn`` int64: the one pass of each member that counts where every patient may have but one score, as others have."""

    members: Side
    others: Side
    passes: tuple[Pass, ...]
    turn: IntArray
    population: int

    def once(self, i: int) -> tuple[FloatArray, FloatArray]:
        """One score a patient, members' and others', in stratum i: exchangeable if the release was made without looking."""
        members, others = np.empty(len(self.turn)), np.empty(len(self.passes[0].present))
        for number, one in enumerate(self.passes[:FOLDS]):
            members[self.turn == number] = one.members[self.turn == number]
            others[one.present] = one.others
        return members[self.members.strata[i]], others[self.others.strata[i]]


def measure(trial: Trial, rng: Rng) -> Sequence[Finding]:
    """Every attack of ``ATTACKS`` on every stratum, as AUC, and the share of members named at 1 % false alarms.

    Names: ``membership.<attack>`` with ``where`` the stratum, and ``membership.<attack>.tpr``.
    """
    return stage(trial, {name: ATTACKS[name]() for name in ATTACKS}, rng)


def stage(trial: Trial, attacks: Mapping[str, Attack], rng: Rng) -> tuple[Finding, ...]:
    """The same for attacks of your choice. Results do not depend on which others are staged."""
    if trial.holdout is None:
        return _nothing(attacks, "there is no hold-out: without patients who were certainly not used, no attack can be scored")
    seed = int(rng.integers(2**62))
    train, held = patients(trial.train), patients(trial.holdout)
    if held.n < FEWEST_HELD_OUT or train.n < FEWEST_HELD_OUT:
        return _nothing(attacks, f"fewer than {FEWEST_HELD_OUT} patients were trained on or held out")
    members, others = _targets(train, held, stream(seed, "targets"))
    cuts = [stream(seed, "parts", r).permutation(held.n) % FOLDS for r in range(ROUNDS if held.n <= FEW else 1)]
    turn = stream(seed, "turns").permutation(len(members.who)) % FOLDS
    findings: list[Finding] = []
    for name, attack in attacks.items():
        passes: list[Pass] = []
        for among in (cut == i for cut in cuts for i in range(FOLDS)):
            view = View(trial.synthetic, held.take(np.flatnonzero(~among)).rows)
            present = among[others.who]
            sides = (train.take(members.who), held.take(others.who[present]))
            ours, theirs = _fight(attack, view, sides, stream(seed, name, len(passes)))
            passes.append(Pass(ours - np.median(ours), theirs - np.median(ours), present))
        fight = Fight(members, others, tuple(passes), turn, held.n - held.n // FOLDS)
        findings += [*(_auc(name, i, fight) for i in range(len(STRATA))), _named(name, fight)]
    return tuple(findings)


def isolation(train: Patients, held: Patients, rng: Rng) -> FloatArray:
    """Mean distance of each patient (train, then hold-out) to the five nearest others of a common yardstick, float64.

    The yardstick is a random sample of all of them (everyone, in tables up to 5,000 patients), a random row for each
    patient: the rule cannot tell a member from another.
    """
    (place,) = points((stacked([p.rows.take(p.one_row_each(rng)) for p in (train, held)]),))
    yardstick = np.sort(rng.permutation(len(place))[:YARDSTICK])
    own = np.full(len(place), -1, dtype=np.int64)
    own[yardstick] = np.arange(len(yardstick))
    distance, _ = nearest(place, place.take(yardstick), k=NEIGHBOURS, own=own)
    return np.asarray(distance.mean(axis=1))


def _targets(train: Patients, held: Patients, rng: Rng) -> tuple[Side, Side]:
    """Who is attacked: at most MOST_TARGETS of a side at random, and of the most isolated of all at most MOST_IN_STRATUM."""
    n = train.n + held.n
    rank = np.empty(n, dtype=np.int64)
    rank[np.lexsort((rng.random(n), -isolation(train, held, rng)))] = np.arange(n)
    sides = []
    for place in (rank[: train.n], rank[train.n :]):
        groups = [rng.permutation(np.flatnonzero(place < math.ceil(share * n)))[: MOST_TARGETS if share == 1 else MOST_IN_STRATUM] for _, share in STRATA]
        who = np.unique(np.concatenate(groups))
        sides.append(Side(who, tuple(np.isin(who, g) for g in groups)))
    return sides[0], sides[1]


def _fight(attack: Attack, view: View, sides: tuple[Patients, Patients], rng: Rng) -> tuple[FloatArray, FloatArray]:
    """Scores of members and of others by patient (mean over rows); the attacker sees their rows in random order."""
    rows = stacked([side.rows for side in sides])
    order = rng.permutation(len(rows))
    scores = np.empty(len(rows), dtype=np.float64)
    scores[order] = attack.score(view, rows.take(order), rng)
    cut = len(sides[0].rows)
    return sides[0].mean(scores[:cut]), sides[1].mean(scores[cut:])


def _auc(name: str, i: int, fight: Fight) -> Finding:
    """The AUC in one stratum: placements pooled over all passes."""
    where = STRATA[i][0]
    title = f"{name.capitalize()} attack, {where}"
    mine, theirs = fight.members.strata[i], fight.others.strata[i]
    n, n_others = int(mine.sum()), int(theirs.sum())
    if min(n, n_others) < FEWEST_IN_STRATUM:
        return not_measured(f"membership.{name}", _few(where), where=where, label=title)
    upper, below, rounds = np.zeros(n), np.zeros(len(theirs)), len(fight.passes) / FOLDS
    for one in fight.passes:
        present = one.present & theirs
        if present.any():
            up, down = interval.placements(one.members[mine], one.others[theirs[one.present]])
            upper += up * present.sum() / (rounds * n_others)
            below[present] += down / rounds
    below = below[theirs]
    value = float(upper.mean())
    inflate = MUTUAL if i == 0 else 1.0  # the isolated are nobody's neighbours
    ends = interval.placed(upper, below, inflate=inflate)
    tails = ranks(*fight.once(i), inflate=inflate)
    return Finding(
        f"membership.{name}",
        value,
        ends.low,
        ends.high,
        n + n_others,
        "lower",
        {
            "chance": 0.5,
            "members": float(n),
            "others": float(n_others),
            "population": float(fight.population),
            "p": tails.above,
            "p_below": tails.below,
        },
        where,
        _says(name, where, value, ends, (n, n_others)),
        f"Other attacks, an attacker who knows more than these {fight.population:,} people of the population, and what happens to one patient.",
        label=title,
    )


def _says(name: str, where: str, value: float, ends: interval.Interval, n: tuple[int, int]) -> str:
    said = f"Shown a patient who was in and one who was not ({where}), the {name} attack points at the right one in {value:.1%} of pairs; a coin does in 50 %."
    if (ends.high - ends.low) / 2 > WIDE:
        said += f" Not enough power: {n[0]:,} members and {n[1]:,} others cannot settle less than {(ends.high - ends.low) / 2:.0%} either way."
    return said


def _named(name: str, fight: Fight) -> Finding:
    """The share of members that score above all but 1 % of others: what an attacker gets who only accuses when sure.

    The threshold is the (floor(0.01 n) + 1)-th largest score of the others, and only a higher score is an accusation: its expected
    rate of false alarms is the ``chance`` beside. The interval adds the uncertainty of that threshold (Newcombe).
    """
    title, full = f"{name.capitalize()} attack, named at 1 % false alarms", f"membership.{name}.tpr"
    theirs = np.sort(fight.once(0)[1])
    if len(theirs) < FEWEST_FOR_FALSE_ALARMS:
        why = f"a rate of false alarms of 1 % needs {FEWEST_FOR_FALSE_ALARMS} hold-out patients, there are {len(theirs):,}"
        return not_measured(full, why, where=STRATA[0][0], label=title)
    alarms = int(FALSE_ALARMS * len(theirs)) + 1
    hits = float(np.mean([(one.members[fight.members.strata[0]] > theirs[-alarms]).mean() for one in fight.passes]))
    n, chance = int(fight.members.strata[0].sum()), alarms / (len(theirs) + 1)
    spread = interval.difference(hits * n, n, chance * len(theirs), len(theirs))
    return Finding(
        full,
        hits,
        max(0.0, spread.low + chance),
        min(1.0, spread.high + chance),
        n + len(theirs),
        "lower",
        {"chance": chance},
        STRATA[0][0],
        f"An attacker who accuses only when the {name} attack is surer than for 99 in 100 people who were not in names {hits:.1%} of the members.",
        "Patients whom a patient attacker with better knowledge would find; rates below one in a hundred need more hold-out patients.",
        label=title,
    )


def _few(where: str) -> str:
    return f"fewer than {FEWEST_IN_STRATUM} patients of a side ({where}): a larger hold-out would tell"


def _nothing(attacks: Mapping[str, Attack], why: str) -> tuple[Finding, ...]:
    return tuple(not_measured(f"membership.{name}", why, where=where, label=f"{name.capitalize()} attack, {where}") for name in attacks for where, _ in STRATA)
