"""Made-up sweeps for the golden page: no patient behind any figure."""

from __future__ import annotations

import math
from dataclasses import replace

from twinset.core.finding import Finding
from twinset.report.frontier import Advice, Bill, Frontier, Spot

EPSILONS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
COSTS = {e: 0.015 * e**1.8 for e in EPSILONS}


def findings(loss: float, wobble: float, *, endpoint: bool = True) -> tuple[Finding, ...]:
    """What one point measured; ``loss`` from 0 (as real) to 1 (useless)."""
    pairs, auc = 0.05 + 0.4 * loss + wobble, 0.9 - 0.35 * loss - wobble
    made = [
        Finding("fidelity.columns", 0.02 + 0.3 * loss + wobble, 0.01, 0.05, 900, "lower", {"floor": 0.02, "holdout": 0.025, "independent": 0.0}),
        Finding(
            "fidelity.pairs", pairs, pairs - 0.004, pairs + 0.004, 900, "lower", {"floor_low": 0.045, "floor_high": 0.055, "holdout": 0.05, "independent": 0.2}
        ),
        Finding("fidelity.tstr.boosting", auc, auc - 0.03, auc + 0.03, 400, "higher", {"floor": 0.91, "chance": 0.5, "independent": 0.5}, "outcome"),
        Finding("membership.distance", 0.5 + wobble, 0.46 + wobble, 0.54 + wobble, 900, "lower", {"chance": 0.5}, "all patients"),
        Finding("membership.distance", 0.5 - 2 * wobble, 0.36, 0.64, 60, "lower", {"chance": 0.5}, "isolated 5 %"),
        Finding("linkage.nearest", 0.5 + 2 * wobble, 0.45, 0.55, 900, "lower", {"chance": 0.5}, label="Linkage"),
    ]
    if endpoint:
        gap = 0.3 + 3 * loss + 10 * abs(wobble)
        made.append(
            Finding("endpoint.difference", gap, 0.0, gap + 1.5, 3, "lower", {"floor": 0.8, "independent": 4.0}, "death", label="Standardised difference")
        )
    return tuple(made)


def several() -> Frontier:
    """Two private generators, of which one cannot estimate the endpoint at epsilon 1, and one without a promise."""
    spots = []
    for repeat in (1, 2, 3):
        wobble = 0.004 * (repeat - 2)
        for e in EPSILONS:
            loss = math.exp(-e / 2.2)
            spots.append(Spot(e, "aim", repeat, findings(loss, wobble, endpoint=e > 1), COSTS[e]))
            spots.append(Spot(e, "mst", repeat, findings(min(1.0, 0.15 + loss), wobble), COSTS[e]))
        spots.append(Spot(None, "trees", repeat, findings(0.0, wobble)))
    advice = (
        Advice(
            "aim",
            10.0,
            "It is the smallest epsilon that will do.",
            ("A loss of less than 0.006 would not have been noticed.",),
            {1.0: ("Pairs of columns",), 10.0: ()},
        ),
        Advice("mst", None, "Even at ε = 100 nothing measured is better than columns drawn independently."),
    )
    return Frontier(
        "A made-up trial",
        "row",
        "add-remove",
        1e-9,
        0,
        900,
        400,
        900,
        3,
        tuple(spots),
        advice,
        Bill(False, True, 42, sum(6 * c for c in COSTS.values()), 61.2, COSTS, ("trees",)),
    )


def single() -> Frontier:
    """One generator, one epsilon, one repeat, weeks of patients, billed; a point that could not be made."""
    spots = (Spot(5.0, "aim", 1, findings(0.1, 0.0), COSTS[5.0]), Spot(1.0, "aim", 1, (), missing="the budget of this run does not cover `age`"))
    advice = (Advice("aim", None, "One repeat shows no interval: run at least two, better three.", ("1 of its points could not be made.",)),)
    return replace(several(), unit="person", per_patient=8, repeats=1, spots=spots, advice=advice, bill=Bill(True, True, 2, 0.3, 5.1, COSTS))


def evil() -> Frontier:
    """Every text carries markup."""
    bad = "<b id=evil>"
    finding = Finding("fidelity.pairs", 0.1, 0.0, 0.2, 9, "lower", {}, label=bad)
    effect = Finding("endpoint.difference", 0.1, 0.0, 0.2, 9, "lower", {}, bad, label=bad)
    spots = (Spot(5.0, bad, 1, (finding, effect), 0.3), Spot(None, bad + "2", 1, (finding, effect)))
    advice = (Advice(bad, 5.0, bad, (bad,), {5.0: (bad,)}), Advice(bad, None, bad))
    return replace(several(), title=bad, unit=bad, spots=spots, advice=advice, bill=Bill(False, False, 1, 0.3, 5.0, COSTS, (bad,)))


FRONTIERS = {"several": several, "single": single}
