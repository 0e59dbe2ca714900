"""A certificate's epsilon, recomputed by Google's dp-accounting from its event list alone, by code that shares nothing with ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twinset.pipeline import release
from twinset.study import load

dp_accounting = pytest.importorskip("dp_accounting")

STUDY = """
[data]
path = "trial.csv"
separator = ","
decimal = "."
encoding = "utf-8"
missing = []
[generator]
name = "{generator}"
[columns.age]
type = "integer"
low = 18
high = 90
origin = "public"
[columns.arm]
type = "category"
role = "arm"
levels = [0, 1, 2]
origin = "public"
[columns.site]
type = "category"
[columns.lab]
type = "number"
[privacy]
epsilon = {epsilon}
unit = "row"
[policy]
name = "none: the claim is tested here, and luck must not refuse it"
[[policy.checks]]
finding = "membership.distance"
where = "all patients"
limit = 0.99
rule = "veto"
label = "distance"
"""


def certificate(folder: Path, generator: str, epsilon: float) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    n = 600
    frame = {"age": rng.integers(18, 91, n), "arm": rng.integers(0, 3, n), "site": rng.choice(["north", "south"], n), "lab": rng.gamma(2.0, 10.0, n).round(1)}
    pl.DataFrame(frame).write_csv(folder / "trial.csv")
    (folder / "study.toml").write_text(STUDY.format(generator=generator, epsilon=epsilon))
    release(load(folder / "study.toml")).save(folder / "twin")
    told: dict[str, Any] = json.loads((folder / "twin" / "release" / "certificate.json").read_text())
    return told


def recomputed(told: dict[str, Any]) -> float:
    """What an auditor would write who has the certificate and dp-accounting, and nothing of ours."""
    accountant = dp_accounting.rdp.RdpAccountant([1 + k / 20 for k in range(1, 2000)])
    delta = told["delta"]
    for event in told["events"]:
        if event["mechanism"] in ("discrete-gaussian", "threshold"):
            accountant.compose(dp_accounting.GaussianDpEvent(event["noise"] / event["sensitivity"]))
        elif event["mechanism"] == "noisy-max":
            accountant.compose(dp_accounting.dp_event.ZCDpEvent((2 * event["sensitivity"] / event["noise"]) ** 2 / 8))
        else:
            raise AssertionError(event["mechanism"])
        delta -= event.get("delta", 0.0)
    return float(accountant.get_epsilon(delta))


@pytest.mark.parametrize("generator, epsilon", [("aim", 5.0), ("mst", 1.0)])
def test_the_certificates_epsilon_is_what_dp_accounting_finds(tmp_path: Path, generator: str, epsilon: float) -> None:
    told = certificate(tmp_path, generator, epsilon)
    assert recomputed(told) == pytest.approx(told["epsilon"], rel=2e-3)
    assert told["epsilon"] == epsilon
    if generator == "aim":
        assert {e["mechanism"] for e in told["events"]} == {"discrete-gaussian", "noisy-max", "threshold"}
    dearest = max(told["events"], key=lambda e: e["rho"])
    lighter = told | {"events": [e for e in told["events"] if e is not dearest]}
    assert recomputed(lighter) < 0.99 * epsilon  # an event left out would be seen
    quieter = told | {"events": [e | {"noise": 0.95 * e["noise"]} for e in told["events"]]}
    assert recomputed(quieter) > 1.02 * epsilon  # and so would noise 5 % smaller than billed
