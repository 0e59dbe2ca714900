"""Known leaks must be caught by a finding with a name, known-safe releases must pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.audit.privacy import PRIVACY, arena
from twinset.audit.privacy.distance import Distance
from twinset.audit.privacy.split import split
from twinset.core.cohort import Cohort
from twinset.core.contracts import FloatArray, Trial, View
from twinset.core.finding import Finding
from twinset.core.schema import Column, Schema
from twinset.core.seeds import Rng, stream
from twinset.dp.ledger import Ledger
from twinset.dp.vault import Vault
from twinset.generators.copycat import Copycat

N_TRAIN, N_HELD = 1500, 640
SCHEMA = Schema(
    (
        Column("age", "integer"),
        Column("cost", "number"),
        Column("lab", "number"),
        Column("score", "number"),
        Column("sex", "category"),
        Column("stage", "category"),
        Column("site", "category"),
        Column("smoker", "category"),
    )
)


def population(n: int, rng: Rng) -> Cohort:
    """A made-up population: three latent factors, four numbers, four categories, one of them with a long tail."""
    z = rng.normal(size=(n, 3))
    frame = pl.DataFrame(
        {
            "age": np.clip(np.round(50 + 15 * z[:, 0] + 5 * rng.normal(size=n)), 18, 95).astype(np.int64),
            "cost": np.round(np.exp(7 + 0.8 * z[:, 1] + 0.5 * rng.normal(size=n)), 1),
            "lab": np.round(10 + 2 * z[:, 2] + z[:, 0] + rng.normal(size=n), 2),
            "score": np.round(100 + 10 * z[:, 1] - 8 * z[:, 2] + 6 * rng.normal(size=n)),
            "sex": np.where(rng.random(n) < 0.5, "a", "b"),
            "stage": np.clip(np.floor(2 + z[:, 0] + rng.normal(size=n)), 0, 4).astype(np.int64),
            "site": rng.zipf(2.0, n).clip(1, 30).astype(str),
            "smoker": np.where(z[:, 1] + rng.normal(size=n) > 0, "yes", "no"),
        }
    )
    return Cohort(frame, SCHEMA)


def trial(share: float = 0.0, *, seed: int = 0, other: Cohort | None = None) -> Trial:
    """Train, hold-out, and a release of fresh people of which ``share`` were replaced by train patients."""
    rng = np.random.default_rng(seed)
    train, held, release = population(N_TRAIN, rng), population(N_HELD, rng), population(N_TRAIN, rng)
    n_copied = round(share * N_TRAIN)
    rows = pl.concat([train.frame[rng.permutation(N_TRAIN)[:n_copied]], release.frame[n_copied:]])
    return Trial(train, other or Cohort(rows, SCHEMA), held)


def audit(one: Trial, *, seed: int = 0) -> dict[str, Finding]:
    found = list(arena.measure(one, stream(seed, "arena")))
    for name in ("copies", "replay", "nearer"):
        found += PRIVACY[name]().measure(one, stream(seed, name))
    return {f"{f.name}@{f.where}" if f.where not in ("", "all patients") else f.name: f for f in found}


def fired(found: dict[str, Finding]) -> set[str]:
    """The findings whose whole interval lies above chance (or above no excess)."""
    return {name for name, f in found.items() if f.measured and f.low > f.beside.get("chance", 0.0)}


@pytest.mark.parametrize(
    "share, names",
    [
        (1.0, {"privacy.copies", "privacy.replay.values", "privacy.nearer", "membership.distance", "membership.distance@isolated 5 %"}),
        (0.1, {"privacy.copies", "privacy.replay.values", "membership.distance", "membership.distance.tpr"}),
        (0.02, {"privacy.copies", "membership.distance.tpr"}),
    ],
)
def test_a_copycat_is_caught_at_every_dose(share: float, names: set[str]) -> None:
    found = audit(trial(share))
    assert names <= fired(found)
    assert found["privacy.copies"].value == pytest.approx(share, abs=1e-3)
    assert found["privacy.copies"].low > share / 2


def test_fresh_people_pass() -> None:
    """Four releases, eleven findings each, 95 % intervals: the false alarms stay few."""
    alarms = [fired(audit(trial(seed=seed), seed=seed)) for seed in range(1, 5)]
    assert sum(map(len, alarms)) <= 4
    assert not any("privacy.copies" in a for a in alarms)


def test_swapping_train_and_hold_out_flips_the_sign() -> None:
    one = trial(0.3)
    straight, swapped = audit(one), audit(Trial(one.holdout, one.synthetic, one.train))  # type: ignore[arg-type]
    for name in ("privacy.copies", "privacy.replay.values", "privacy.nearer", "membership.distance", "membership.classifier"):
        chance = straight[name].beside.get("chance", 0.0)
        assert straight[name].value > chance > swapped[name].value
    assert swapped["privacy.copies"].high < 0
    assert swapped["membership.distance"].high < 0.5


class Noise:
    """An attack that does not look."""

    def score(self, view: View, targets: Cohort, rng: Rng) -> FloatArray:
        return rng.random(len(targets))


def test_noise_in_place_of_an_attack_turns_the_copycat_test_red() -> None:
    found = arena.stage(trial(1.0), {"noise": Noise(), "distance": Distance()}, stream(0))
    everyone = {f.name: f for f in found if f.where == "all patients"}
    assert everyone["membership.distance"].low > 0.95
    assert everyone["membership.noise"].low < 0.5 < everyone["membership.noise"].high
    assert everyone["membership.noise.tpr"].low < everyone["membership.noise.tpr"].beside["chance"]


def smoothed(cohort: Cohort, share: float, rng: Rng) -> Cohort:
    """Every number mixed with that of another patient's: nothing is copied, everything is remembered."""
    other = cohort.frame[rng.permutation(len(cohort))]
    return Cohort(
        cohort.frame.with_columns([(pl.col(c) * (1 - share) + other[c] * share).round(2) for c in ("cost", "lab", "score")]),
        SCHEMA,
    )


def test_near_copies_are_caught_by_distance_and_not_by_copies() -> None:
    one = trial()
    found = audit(Trial(one.train, smoothed(one.train, 0.1, np.random.default_rng(5)), one.holdout))
    assert found["privacy.copies"].low <= 0
    assert found["membership.distance"].value > 0.9


def test_the_classifier_is_alive() -> None:
    """It is the weaker one on copies (0.69 on a copied trial), but a dead one would read 0.5."""
    assert audit(trial(1.0))["membership.classifier"].low > 0.55


def test_copying_only_the_most_isolated_is_caught_in_their_stratum_and_not_by_nearer() -> None:
    one = trial()
    assert one.holdout is not None
    from twinset.audit.privacy.patients import patients

    alone = arena.isolation(patients(one.train), patients(one.holdout), stream(0))[:N_TRAIN]
    copied = one.train.frame[np.argsort(-alone)[: N_TRAIN // 100]]
    release = Cohort(pl.concat([copied, one.synthetic.frame[len(copied) :]]), SCHEMA)
    found = audit(Trial(one.train, release, one.holdout))
    names = fired(found)
    assert "membership.distance@isolated 1 %" in names
    assert found["membership.distance@isolated 1 %"].value > 0.95
    assert "privacy.nearer" not in names
    assert "membership.distance" not in names


def test_independent_columns_replay_what_only_one_patient_has() -> None:
    """Far from everyone, equal to nobody, and every rare value is there."""
    one = trial()
    release = Copycat(share=0.0).fit(Vault(one.train, Ledger()), stream(0)).sample(N_TRAIN, stream(1))
    found = audit(Trial(one.train, release, one.holdout))
    assert found["privacy.replay.values"].low > 0.95
    assert not fired(found) & {"privacy.copies", "privacy.nearer", "membership.distance"}


def test_rare_combinations_replayed_are_caught() -> None:
    """Quasi-identifiers of train patients kept together, all the rest of fresh people."""
    one = trial()
    assert one.holdout is not None
    known = ("age", "sex", "stage", "site", "smoker")
    schema = Schema(tuple(replace(c, role="quasi-identifier") if c.name in known else c for c in SCHEMA))
    release = one.synthetic.frame.with_columns(one.train.frame[c] for c in known)
    found = audit(Trial(*(Cohort(frame, schema) for frame in (one.train.frame, release, one.holdout.frame))))
    assert found["privacy.replay.combinations"].low > 0.9
    assert not fired(found) & {"privacy.replay.values", "privacy.copies"}


@pytest.mark.data
@pytest.mark.parametrize("share", [1.0, 0.1, 0.02])
def test_copycat_on_a_real_trial(shared_data: Path, share: float) -> None:
    train, held = split(_table(shared_data / "actg175.csv"), fraction=0.3, seed=0)
    release = Copycat(share).fit(Vault(train, Ledger()), stream(0)).sample(len(train), stream(1))
    found = audit(Trial(train, release, held))
    assert found["privacy.copies"].low > share / 2
    assert {"membership.distance.tpr", "privacy.replay.values"} <= fired(found)
    if share == 1:
        assert found["membership.distance@isolated 1 %"].low > 0.5


@pytest.mark.data
@pytest.mark.parametrize("name", ["brfss2015.parquet", "wbcd.csv", "nhanes.parquet"])
def test_natural_duplicates_accuse_nobody(shared_data: Path, name: str) -> None:
    whole = _table(shared_data / name)
    rows = np.random.default_rng(0).permutation(len(whole))[:6_000]
    a, b = int(0.4 * len(rows)), int(0.6 * len(rows))
    found = audit(Trial(whole.take(rows[:a]), whole.take(rows[b:]).synthesised, whole.take(rows[a:b])))
    assert found["privacy.copies"].beside["train"] > 0.002
    assert found["privacy.copies"].low <= 0 <= found["privacy.copies"].high
    assert found["membership.distance"].low <= 0.5 <= found["membership.distance"].high


def _table(path: Path) -> Cohort:
    from twinset.io.infer import infer_schema

    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    return Cohort(frame, infer_schema(frame))
