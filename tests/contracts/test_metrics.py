"""One suite for every metric in the tables: well-formed findings, the right direction, blind to row order, honest when it cannot run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from twinset.audit.fidelity import FIDELITY
from twinset.audit.privacy import PRIVACY
from twinset.checks import everyday_cohort, odd_cohorts
from twinset.core.cohort import Cohort
from twinset.core.contracts import Trial
from twinset.core.finding import Finding
from twinset.core.seeds import stream

TABLES = {**dict.fromkeys(FIDELITY.table, FIDELITY), **dict.fromkeys(PRIVACY.table, PRIVACY)}
LEAKS = [n for n in PRIVACY.table if n != "hidden_rate"]  # judged against the patients themselves; hidden_rate needs the pairing


def people(n: int, seed: int) -> Cohort:
    """Fresh patients of one population."""
    return everyday_cohort(n, seed=seed)


def shuffled(cohort: Cohort, share: float, seed: int = 9) -> Cohort:
    """The cohort with this share of its cells permuted within their columns: margins stay, relations go."""
    rng = stream(seed, "shuffle")
    columns = []
    for name in cohort.frame.columns:
        rows = np.arange(len(cohort))
        chosen = np.flatnonzero(rng.random(len(rows)) < share)
        rows[chosen] = rng.permutation(chosen)
        columns.append(cohort.frame[name][rows])
    return Cohort(cohort.frame.select(columns), cohort.schema)


def spoilt(cohort: Cohort, share: float) -> Cohort:
    """Margins and relations broken: this share of the rows replaced by one and the same patient."""
    rows = np.arange(len(cohort))
    rows[: int(share * len(rows))] = 0
    return cohort.take(rows)


def leaky(train: Cohort, share: float) -> Cohort:
    """Fresh patients, of whom this share are train patients word for word."""
    n = round(share * len(train))
    fresh = people(len(train), 777)
    return Cohort(train.take(np.arange(n)).frame.vstack(fresh.take(np.arange(len(train) - n)).frame), train.schema)


def trial(synthetic: Cohort, *, train: Cohort | None = None) -> Trial:
    train = train or people(400, 1)
    return Trial(train.synthesised, synthetic.synthesised, people(300, 2).synthesised)


@cache
def found(name: str, what: str, share: float) -> tuple[Finding, ...]:
    train = people(400, 1)
    synthetic = {"leaky": leaky, "shuffled": shuffled, "spoilt": spoilt}[what](train, share)
    return tuple(TABLES[name][name]().measure(trial(synthetic), stream(5, name)))


def main(findings: Sequence[Finding]) -> dict[tuple[str, str], Finding]:
    """Measured findings by name and place."""
    return {(f.name, f.where): f for f in findings if f.measured}


def well_formed(f: Finding) -> None:
    assert f.name
    assert f.label, f"{f.name}: no label"
    assert f.better in ("lower", "higher")
    if f.missing:
        assert math.isnan(f.value), f.name
        assert f.missing[-1] != "." or len(f.missing) > 10
        return
    assert math.isfinite(f.value), f.name
    assert f.low <= f.value <= f.high, f"{f.name}: the interval does not hold the value"
    assert f.n > 0, f.name
    assert set(f.beside) & {"floor", "chance", "holdout", "independent", "train"}, f"{f.name}: nothing gives the number its scale"
    assert f.says.endswith("."), f.name
    assert f.silent_on, f"{f.name}: say what it does not show"
    assert Finding.from_dict(f.to_dict()) == f


@pytest.mark.parametrize("name", TABLES)
def test_findings_are_well_formed(name: str) -> None:
    findings = found(name, "leaky", 0.0)
    assert findings
    for f in findings:
        well_formed(f)


@pytest.mark.parametrize("name", TABLES)
def test_same_seed_same_findings_and_nothing_touched(name: str) -> None:
    case = trial(leaky(people(400, 1), 0.0))
    before = [c.frame.clone() for c in (case.train, case.synthetic)]
    metric = TABLES[name][name]()
    assert tuple(metric.measure(case, stream(5, name))) == found(name, "leaky", 0.0)
    assert [c.frame.equals(b) for c, b in zip((case.train, case.synthetic), before, strict=True)] == [True, True]


@pytest.mark.parametrize("name", TABLES)
def test_row_order_does_not_matter(name: str) -> None:
    """Beyond its own interval: folds and subsamples may fall otherwise."""
    train, synthetic = people(400, 1), leaky(people(400, 1), 0.3)
    first = main(TABLES[name][name]().measure(trial(synthetic, train=train), stream(5, name)))
    turned = trial(synthetic.take(stream(1).permutation(400)), train=train.take(stream(2).permutation(400)))
    for key, f in main(TABLES[name][name]().measure(turned, stream(5, name))).items():
        assert abs(f.value - first[key].value) <= max(0.02, (f.high - f.low) / 2), key


@pytest.mark.parametrize("name", list(FIDELITY.table))
def test_worse_as_relations_go(name: str) -> None:
    """Train itself is best; permuted cells are worse, all of them permuted worse still. (Margins alone: `columns` and `emptied` see spoilt rows.)"""
    what = "spoilt" if name in ("columns", "emptied") else "shuffled"
    shares = (0.0, 0.3, 0.8) if name == "columns" else (0.0, 0.5, 1.0)
    runs = [main(found(name, what, s)) for s in shares]
    keys = [k for k in runs[0] if all(k in r for r in runs) and (k[1] == "" or name == "predict")]
    assert keys
    for key in keys:
        sign = 1 if runs[0][key].better == "lower" else -1
        values = [sign * r[key].value for r in runs]
        assert values[0] <= values[1] + 0.03, (key, values)
        assert values[0] < values[2] - 0.03, (key, values)


@pytest.mark.parametrize("name", LEAKS)
def test_worse_as_more_is_copied(name: str) -> None:
    runs = [main(found(name, "leaky", s)) for s in (0.0, 0.4, 1.0)]
    keys = [k for k in runs[0] if all(k in r for r in runs)]
    assert keys
    for key in keys:
        values = [(1 if runs[0][key].better == "lower" else -1) * r[key].value for r in runs]
        assert values[0] < values[1], (key, values)
        assert values[1] < values[2] or values[1] == 1.0, (key, values)  # once all of the most exposed are train patients there is no more


@pytest.mark.parametrize("name", LEAKS)
def test_fresh_patients_look_like_fresh_patients(name: str) -> None:
    """Releases made without the train patients: the interval holds what a harmless release scores in at least 5 of 8 populations.

    At 95 % coverage fewer than 5 happens once in 3,000; at 50 % (a biased score, or intervals a third as wide) six times in ten.
    """
    held: dict[tuple[str, str], list[bool]] = {}
    for seed in range(8):
        case = Trial(*(people(300, 100 * seed + i).synthesised for i in (11, 12, 13)))
        for key, f in main(TABLES[name][name]().measure(case, stream(seed, name))).items():
            harmless = f.beside.get("chance", f.beside.get("holdout", 0.0))
            held.setdefault(key, []).append(f.low - 1e-9 <= harmless <= f.high + 1e-9)
    assert held
    for key, hits in held.items():
        assert sum(hits) >= len(hits) * 5 / 8, (key, hits)


@pytest.mark.parametrize("name", list(PRIVACY.table))
def test_without_a_holdout_or_a_link_it_says_why(name: str) -> None:
    case = Trial(people(60, 1).synthesised, people(60, 3).synthesised)
    findings = TABLES[name][name]().measure(case, stream(5, name))
    assert findings
    for f in findings:
        well_formed(f)
    assert any(f.missing for f in findings) or name == "verbatim"  # one copy of somebody whom nobody resembles needs no comparison


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("what", list(odd_cohorts()))
def test_odd_tables(name: str, what: str) -> None:
    """Measured or not measured, never an error and never a number without its interval."""
    cohort = odd_cohorts()[what].synthesised
    half = len(cohort) // 2
    train, held = cohort.take(np.arange(half)), cohort.take(np.arange(half, len(cohort)))
    for f in TABLES[name][name]().measure(Trial(train, train.take(stream(4).permutation(half)), held), stream(5, name)):
        well_formed(f)
