"""``twinset audit-dp`` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

STUDY = """
[data]
path = "nobody-may-open-this.csv"
separator = ";"
decimal = ","
encoding = "utf-8"
missing = ["-9"]
date_order = "dmy"
unit = "mrn"
per_patient = 2
[generator]
name = "mst"
[columns.mrn]
type = "text"
role = "identifier"
[columns.seen]
type = "date"
[columns.dose]
type = "number"
low = 0.0
high = 9.5
decimals = 1
origin = "public"
[columns.arm]
type = "category"
levels = [0, 1]
origin = "public"
[privacy]
epsilon = 2
unit = "mrn"
"""


def test_a_study_is_tried_without_its_table(twinset, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    done = twinset("audit-dp", "study.toml", "--front", "--pairs", "60", "--workers", "2", "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["pairs"], told["counterexamples"], told["crashes"]) == (60, [], {})
    assert {p.name for p in tmp_path.iterdir()} == {"study.toml"}


def test_a_study_that_cannot_be_used_is_told_as_always(twinset, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY.replace("epsilon = 2", "epsilon = -2"))
    done = twinset("audit-dp", "study.toml", "--front", "--pairs", "10", "--workers", "1")
    assert done.returncode == 2
    assert "privacy.epsilon" in done.stderr
