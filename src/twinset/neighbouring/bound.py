"""What epsilon is at least: many runs with true noise on two neighbours, and an attacker who tells them apart.

A black-box test of the noise itself, which the replay cannot see. It finds gross faults only: with N runs a side no bound above about
log(N / 8) can be shown (3.28 at 200), and noise that is a tenth too small stays unseen (``tests/leaks/test_private_claim.py`` sees that).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import betaincinv

from twinset import door, pipeline, private
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray, SizedModel
from twinset.core.seeds import stream
from twinset.dp.ledger import Ledger
from twinset.neighbouring.changes import change
from twinset.neighbouring.run import Plan
from twinset.neighbouring.tables import Case, invent, invent_for
from twinset.rules.copies import draw
from twinset.study import load

SURE = 0.025  # of each of the two Clopper-Pearson bounds to be wrong
HELD_OUT = 1e-6  # share of the patients
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Bound:
    """``low``: epsilon of one patient more or less is at least this, with 95 % confidence (0 where nothing was shown); ``claimed``: what the study says."""

    low: float
    claimed: float
    runs: int


def lower_bound(plan: Plan, runs: int, *, progress: Progress | None = None) -> Bound:
    """A lower bound of epsilon from ``runs`` private fits of each of two invented tables that differ in one patient.

    The attacker sees one synthetic table and knows both tables and all seeds but the noise. On the first half of the runs they choose what to
    look at (how many rows are as the patient is in one column, or how many there are) and where to draw the line; the second half is the test.
    The neighbours are always one patient more or less, with the noise that the study would have then, also where it says ``relation = "replace"``.
    Next to nobody is held out, since of a patient who is, there is nothing to see. No ledger is kept: the patients are invented.
    Delta is the study's. Source of the bound: Jagielski, Ullman and Oprea (NeurIPS 2020), section 4.
    """
    rng = stream(plan.seed, "bound")
    case = invent(rng, generator=plan.generator) if plan.study is None else invent_for(load(plan.study), rng, generator=plan.generator)
    sections = {**(case.sections or {}), "release": {"n": 0}, "holdout": {"fraction": HELD_OUT}}
    pair = change(replace(case, sections=sections, relation="add-remove"), "one patient more", rng)
    patient = pair.other.with_rows([r for r in pair.other.rows if r.patient not in set(pair.one.patients)])
    seen = [_seen(of, patient, runs, progress or _silent) for of in (pair.one, pair.other)]
    return Bound(bound(seen[0], seen[1], delta=case.delta), case.epsilon, runs)


def bound(one: FloatArray, other: FloatArray, *, delta: float) -> float:
    """Epsilon is at least this, from what was seen in runs on two neighbours, each float64 (runs, things).

    >>> rng = np.random.default_rng(0)
    >>> bound(rng.normal(size=(400, 2)), rng.normal(size=(400, 2)), delta=0.0)
    0.0
    """
    half = len(one) // 2
    rules = [
        (thing, line, side) for thing in range(one.shape[1]) for line in np.unique(np.quantile(one[:half, thing], np.linspace(0, 1, 21))) for side in (1, -1)
    ]
    best = max(rules, key=lambda rule: _shown(one[:half], other[:half], rule, delta, sure=0.25))
    return max(0.0, _shown(one[half:], other[half:], best, delta, sure=SURE))


def _shown(one: FloatArray, other: FloatArray, rule: tuple[int, float, int], delta: float, *, sure: float) -> float:
    """The bound from one yes-or-no question, in whichever direction it says more."""
    thing, line, side = rule
    yes = [int((side * (x[:, thing] - line) > 0).sum()) for x in (one, other)]
    n = [len(one), len(other)]
    found = []
    for a, b in ((0, 1), (1, 0)):
        high, low = 1 - _least(n[a] - yes[a], n[a], sure), _least(yes[b], n[b], sure)
        found.append(math.log((low - delta) / high) if low > delta and high > 0 else 0.0)
    return max(found)


def _least(yes: int, n: int, sure: float) -> float:
    """Clopper and Pearson's lower bound of a share."""
    return 0.0 if yes == 0 else float(betaincinv(yes, n - yes + 1, sure))


def _seen(case: Case, patient: Case, runs: int, say: Progress) -> FloatArray:
    """What the attacker looks at, in every run: rows that are as the patient is, for each column, and all rows."""
    with tempfile.TemporaryDirectory(prefix="twinset-audit-") as name:
        whom = door.read(load(patient.write(Path(name))))[0].synthesised
        study = load(case.write(Path(name)))
        terms = private.demand(study)
        assert terms is not None
        train, _ = private.halves(study, door.read(study)[0], terms)
        rules = pipeline.declared_rules(study, train)
        allowed = private.allowance(terms, train, study.data.per_patient)
        out = []
        for run in range(runs):
            say(f"{run:,} of {runs:,} runs")
            model = study.build_generator().fit(private.guarded(train, Ledger(), allowed, rules), stream(study.seed, "fit"))
            n = max(1, model.n_rows) if isinstance(model, SizedModel) else len(case.rows)
            out.append(_alike(draw(model, n, rules, seed=study.seed, number=1).cohort, whom))
    return np.array(out, dtype=np.float64)


def _alike(made: Cohort, whom: Cohort) -> list[int]:
    """Of each column, how many rows have the patient's value (of numbers: at least that); last, how many there are."""
    out = []
    for column in whom.schema:
        value = whom[column.name][0]
        series = made[column.name]
        alike = series.is_null() if value is None else series >= value if column.numeric else series == value
        out.append(int(alike.sum()))
    return [*out, len(made)]


def _silent(_: str) -> None:
    return None
