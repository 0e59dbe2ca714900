"""The behavioural-health curve: utility against epsilon on wearable panels, by person and by week.

    python -m bench.behaviour [--quick] [--only weeks,simulated-600] [--repeats 3] [--workers 2]

Published (Ghasemizade et al., JAMIA Open 2026): utility rises and flattens between epsilon 5 and 10 while membership and linkage attacks have
no success; about 600 students, weekly rows, epsilon counted per weekly row. Here the same sweep on LifeSnaps (71 people, CC BY 4.0), by
person, by weeks with the promise to the person, and by weeks with the promise to the week as published; then on simulated panels
of 600 and 6,000 people and on adult, because 71 people may not show it. Each sweep is resumable: run the command again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.panels import UNIT, Panel, lifesnaps_people, lifesnaps_weeks, simulated, write
from bench.runs import RESULTS, save, table
from bench.tables import cohort, load
from twinset.audit.interval import auc
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.study import Study, study_of
from twinset.study import load as load_study
from twinset.sweeping.grid import EPSILONS, grid
from twinset.sweeping.run import Swept, sweep

WEEKS = 8  # of a person, at most
MOST = 4_000  # targets of the linkage attack, a side
FOLDER = RESULTS / "behaviour"


def linkage(trial: Trial) -> Sequence[Finding]:
    """The attacker knows all of a person's cells but one, finds the synthetic row that is most like them and reads the last cell there.

    Chance is not 50 % right: the secret follows from the rest for everybody. So he is scored on people who were in against people who
    were not: how often his error is smaller for the one who was in (ties count half; a person's rows averaged). 0.5 means that having been in
    the data makes nobody easier to read.
    """
    assert trial.holdout is not None
    schema = trial.train.schema.synthesised
    secret = next(c.name for role in ("sensitive", "outcome", "event") for c in schema.with_role(role))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    sides = [_thinned(c, rng) for c in (trial.train, trial.holdout)]
    errors = [_errors(c, trial.synthetic, secret) for c in sides]
    members, others = (_by_person(-e, c) for e, c in zip(errors, sides, strict=True))
    value, ends = auc(members, others)
    said = f"Who was in is read better than who was not in {value:.1%} of pairs ({secret} read off the most similar synthetic row); fair is 50 %."
    label = "Linkage: secret read from the nearest row"
    return [Finding("linkage.nearest", value, ends.low, ends.high, len(members) + len(others), "lower", {"chance": 0.5}, "", said, label=label)]


def _thinned(side: Cohort, rng: np.random.Generator) -> Cohort:
    """Some people with all their rows: means over more rows scatter less, which would look like a difference between the sides."""
    people, of = np.unique(side.units(), return_inverse=True)
    most = max(1, MOST * len(people) // len(side))
    return side.take(np.flatnonzero(rng.permutation(len(people))[of] < most))


def _errors(targets: Cohort, synthetic: Cohort, secret: str) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    known = [n for n in targets.schema.synthesised.names if n != secret]
    place, theirs = _encoded(targets, synthetic, known)
    nearest = NearestNeighbors(n_neighbors=1).fit(theirs).kneighbors(place, return_distance=False)[:, 0]
    truth, guess = _encoded(targets, synthetic, [secret])
    return np.asarray(np.abs(truth - guess[nearest]).sum(axis=1))


def _encoded(targets: Cohort, synthetic: Cohort, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as their share among synthetic values, levels as half a step, missing as a flag of its own."""
    pieces: list[list[np.ndarray]] = [[], []]
    for name in names:
        column = targets.schema[name]
        for i, side in enumerate((targets, synthetic)):
            values = side[name]
            pieces[i].append(values.is_null().to_numpy().astype(float)[:, None])
            if column.numeric:
                line = np.sort(synthetic[name].drop_nulls().cast(float).to_numpy())
                rank = np.searchsorted(line, values.cast(float).fill_null(math.nan).to_numpy()) / max(1, len(line))
                pieces[i].append(np.where(values.is_null().to_numpy(), 0.5, rank)[:, None])
            else:
                levels = sorted({str(v) for s in (targets, synthetic) for v in s[name].drop_nulls().unique()})
                texts = np.array([str(v) for v in values])
                pieces[i].append((texts[:, None] == np.array(levels, dtype=texts.dtype if not levels else None)[None, :]) * 0.5)
    return np.hstack(pieces[0]), np.hstack(pieces[1])


def _by_person(scores: np.ndarray, side: Cohort) -> np.ndarray:
    _, of = np.unique(side.units(), return_inverse=True)
    return np.asarray(np.bincount(of, weights=scores) / np.bincount(of))


def _panel(panel: Panel) -> Callable[[], Study]:
    return lambda: load_study(write(panel, FOLDER / panel.name.split(":")[0]))


def _adult() -> Study:
    """Every row a person, bounds and levels declared as in bench.dp."""
    folder = FOLDER / "adult"
    folder.mkdir(parents=True, exist_ok=True)
    source = load("adult")
    source.frame.write_parquet(folder / "panel.parquet")
    schema = cohort(source.frame).schema
    columns = {c.name: {"type": c.kind, "role": "outcome" if c.name == source.target else "", "origin": "public"} for c in schema}
    for c in schema:
        values = source.frame[c.name].drop_nulls()
        if c.numeric:
            columns[c.name] |= {"low": math.floor(float(values.min())), "high": math.ceil(float(values.max()))}  # type: ignore[arg-type, dict-item]
        else:
            columns[c.name] |= {"levels": sorted(values.unique().to_list())}
    base = study_of(schema, name="adult", generator="aim").model_dump(by_alias=True)
    base |= {"columns": columns, "data": {"path": "panel.parquet"}, "privacy": {"epsilon": 1, "unit": "row"}, "policy": {}, "folder": folder}
    return Study.model_validate({k: v for k, v in base.items() if v is not None})


STUDIES: dict[str, tuple[str, Callable[[], Study]]] = {
    "people": ("LifeSnaps, one row a person", lambda: _panel(Panel("people: LifeSnaps by person", lifesnaps_people()))()),
    "weeks": ("LifeSnaps, weeks, promise to the person", lambda: _panel(Panel("weeks: LifeSnaps by week", lifesnaps_weeks(), WEEKS))()),
    "weeks-as-published": (
        "LifeSnaps, weeks, promise to the week",
        lambda: _panel(Panel("weeks-as-published: LifeSnaps, each week a unit", lifesnaps_weeks().drop(UNIT)))(),
    ),
    "simulated-600": ("simulated 600 people, promise to the person", lambda: _panel(Panel("simulated-600: 600 people", simulated(600), WEEKS))()),
    "simulated-600-as-published": (
        "simulated 600 people, promise to the week",
        lambda: _panel(Panel("simulated-600-as-published: 600 people, each week a unit", simulated(600).drop(UNIT)))(),
    ),
    "simulated-6000": ("simulated 6,000 people, promise to the person", lambda: _panel(Panel("simulated-6000: 6,000 people", simulated(6000), WEEKS))()),
    "adult": ("adult, one row a person", _adult),
}
MEASURES = {
    "pairs": ("fidelity.pairs", ""),
    "columns": ("fidelity.columns", ""),
    "prediction": ("fidelity.tstr.boosting", None),
    "membership": ("membership.distance", "all patients"),
    "linkage": ("linkage.nearest", ""),
}


def curve(swept: Swept) -> dict[str, dict[str, list[float]]]:
    """Measure to epsilon to the values of the repeats."""
    out: dict[str, dict[str, list[float]]] = {}
    for label, (name, where) in MEASURES.items():
        for p in swept.points:
            for f in p["findings"]:
                if f["name"] == name and where in (None, f["where"]) and f["value"] is not None:
                    out.setdefault(label, {}).setdefault(f"{p['epsilon']:g}", []).append(f["value"])
    return out


def gained(values: dict[str, list[float]]) -> dict[str, float]:
    """Share of the way from the first to the last epsilon that is reached at each."""
    means = {e: float(np.mean(v)) for e, v in values.items()}
    first, *_, last = means.values()
    return {e: (first - m) / (first - last) if last != first else math.nan for e, m in means.items()}


def attacks(swept: Swept) -> tuple[int, int]:
    """Attacks above chance by their own 95 % interval, and all that were run."""
    found = [
        f
        for p in swept.points
        for f in p["findings"]
        if f["name"] in ("membership.distance", "membership.classifier", "linkage.nearest") and f["low"] is not None
    ]
    return sum(f["low"] > 0.5 for f in found), len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="The behavioural-health curve.")
    parser.add_argument("--quick", action="store_true", help="three epsilons, two repeats")
    parser.add_argument("--only", default=",".join(STUDIES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    asked = parser.parse_args()
    epsilons = (1.0, 10.0, 100.0) if asked.quick else EPSILONS
    rows, kept = [], {}
    for name in asked.only.split(","):
        title, make = STUDIES[name]
        out: Path = FOLDER / name / ("quick" if asked.quick else f"sweep-{asked.repeats}")
        wanted = grid(epsilons, "aim", repeats=2 if asked.quick else asked.repeats)
        swept = sweep(make(), wanted, out, workers=asked.workers, progress=lambda t, n=name: print(f"{n}: {t}", flush=True), measure=linkage)  # type: ignore[misc]
        found = curve(swept)
        kept[name] = {"title": title, "curve": found, "recommended": swept.epsilon, "reason": swept.advice[0].reason, "attacks": attacks(swept)}
        rows += _rows(title, found)
        print(f"{title}: recommended {swept.epsilon}; attacks above chance {attacks(swept)}; page {out}/custodian/sweep.html", flush=True)
    header = ["table", "measure", *(f"ε={e:g}" for e in epsilons)]
    print(table(header, rows))
    save("behaviour-quick" if asked.quick else "behaviour", kept)
    print(json.dumps({k: {"recommended": v["recommended"], "attacks": v["attacks"]} for k, v in kept.items()}))


def _rows(title: str, found: dict[str, dict[str, list[float]]]) -> list[list[object]]:
    rows: list[list[object]] = [[title, m, *(f"{np.mean(v):.3f}" for v in values.values())] for m, values in found.items()]
    if "pairs" in found and len(found["pairs"]) > 1:
        rows.insert(1, [title, "pairs, share of the gain", *(f"{100 * g + 0.0:.0f} %" for g in gained(found["pairs"]).values())])
    return rows


if __name__ == "__main__":
    main()
