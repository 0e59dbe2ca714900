"""Wearable panels for `bench.behaviour`: LifeSnaps by patient and by week, and simulated ones of any number of people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bench.tables import DATA

# column: (low, high, decimals), as a maker's manual or a physiology book says; nothing here was read from the rows
RANGES: dict[str, tuple[float, float, int]] = {
    "steps": (0, 30_000, 0),
    "very_active_minutes": (0, 300, 0),
    "sedentary_minutes": (0, 1440, 0),
    "minutes_asleep": (0, 720, 0),
    "sleep_efficiency": (50, 100, 1),
    "resting_hr": (35, 110, 1),
    "rmssd": (0, 200, 1),
    "night_temperature": (25, 40, 1),
    "stress_score": (0, 100, 0),
}
LEVELS = {"age": ("<30", ">=30"), "gender": ("FEMALE", "MALE"), "bmi": ("<19", "19-24", "25-29", ">=30")}
RENAMED = {"minutesAsleep": "minutes_asleep", "nightly_temperature": "night_temperature"}
ROLES = {"age": "quasi-identifier", "gender": "quasi-identifier", "bmi": "quasi-identifier", "resting_hr": "outcome", "stress_score": "sensitive"}
UNIT = "person"


@dataclass(frozen=True, repr=False)
class Panel:
    """A table and who is promised something: ``per_patient`` rows of each person at most, or 0 where a row is the unit."""

    name: str
    frame: pl.DataFrame
    per_patient: int = 0


def lifesnaps_people() -> pl.DataFrame:
    """One row a person: means over all days."""
    return _grouped(_days(), [UNIT]).drop(UNIT)


def lifesnaps_weeks() -> pl.DataFrame:
    """One row a person and week: means over the days of the week that were recorded."""
    return _grouped(_days().with_columns(pl.col("date").dt.truncate("1w")), [UNIT, "date"]).drop("date")


def simulated(n: int, *, weeks: int = 8, seed: int = 0) -> pl.DataFrame:
    """``n`` made-up people, each with three traits (fitness, sleep, strain) that persist, and weeks around them. Nobody's data.

    A twelfth of each column is missing at random, and stress after bad weeks more often.
    """
    rng = np.random.default_rng(seed)
    fit, sleep, strain = rng.normal(size=(3, n))
    woman, older = rng.random(n) < 0.5, rng.random(n) < 0.4
    who = np.repeat(np.arange(n), weeks)
    f, s, t = (0.8 * trait[who] + 0.6 * rng.normal(size=n * weeks) for trait in (fit - 0.3 * older, sleep - 0.4 * strain, strain))
    noise = rng.normal(size=(9, n * weeks))
    columns = {
        "steps": 8500 + 2600 * f - 500 * t + 900 * noise[0],
        "very_active_minutes": np.maximum(0, 24 + 18 * f + 6 * noise[1]),
        "sedentary_minutes": 730 - 70 * f + 25 * t + 45 * noise[2],
        "minutes_asleep": 405 + 32 * s - 10 * t + 18 * noise[3],
        "sleep_efficiency": 92 + 2.2 * s + 0.8 * noise[4],
        "resting_hr": 63 - 4.5 * f + 2.4 * t + 3 * woman[who] + 1.6 * noise[5],
        "rmssd": 48 * np.exp(0.2 * f - 0.16 * t - 0.25 * older[who] + 0.13 * noise[6]),
        "night_temperature": 33.6 + 0.25 * woman[who] + 0.25 * noise[7],
        "stress_score": 72 - 9 * t + 4 * s + 3.5 * noise[8],
    }
    weight = 0.7 * rng.normal(size=n) - 0.35 * fit + 0.3 * older
    frame = pl.DataFrame(
        {
            UNIT: [f"person {i:06d}" for i in who],
            "age": np.where(older, ">=30", "<30")[who],
            "gender": np.where(woman, "FEMALE", "MALE")[who],
            "bmi": np.array(LEVELS["bmi"])[np.digitize(weight, [-1.4, 0.5, 1.3])][who],
        }
    )
    cells = {}
    for name, (low, high, decimals) in RANGES.items():
        gone = rng.random(n * weeks) < (0.08 + 0.1 * (t > 1) * (name == "stress_score"))
        cells[name] = [None if g else float(v) for g, v in zip(gone, np.clip(columns[name], low, high).round(decimals), strict=True)]
    return frame.with_columns(pl.Series(k, v, dtype=pl.Float64) for k, v in cells.items())


def write(panel: Panel, folder: Path) -> Path:
    """The table and a study of it in which every bound and level is public; gives the study file."""
    folder.mkdir(parents=True, exist_ok=True)
    panel.frame.write_csv(folder / "panel.csv")
    by_person = panel.per_patient > 0
    lines = [f"name = {json.dumps(panel.name)}", "[data]", 'path = "panel.csv"']
    lines += [f'unit = "{UNIT}"', f"per_patient = {panel.per_patient}"] if by_person else ['unit = "row"']
    lines += ["[privacy]", "epsilon = 1", f'unit = "{UNIT if by_person else "row"}"', "[generator]", 'name = "aim"']
    for name in panel.frame.columns:
        lines.append(f"[columns.{name}]")
        if name == UNIT:
            lines += ['type = "text"', 'role = "identifier"', 'identifier = "record number"']
            continue
        if name in LEVELS:
            lines += ['type = "category"', f"levels = {json.dumps(LEVELS[name])}"]
        else:
            low, high, decimals = RANGES[name]
            lines += ['type = "number"', f"low = {low}", f"high = {high}", f"decimals = {decimals}"]
        lines += ['origin = "public"', f'role = "{ROLES.get(name, "")}"']
    (folder / "study.toml").write_text("\n".join(lines) + "\n")
    return folder / "study.toml"


def _days() -> pl.DataFrame:
    frame = pl.read_csv(DATA / "lifesnaps_daily.csv", infer_schema_length=None, null_values=["", "NA"]).rename({"id": UNIT, **RENAMED})
    number = pl.col("bmi").cast(pl.Float64, strict=False)
    bmi = pl.when(pl.col("bmi").is_in(["<19", ">=30"])).then(pl.col("bmi")).when(number < 25).then(pl.lit("19-24")).when(number < 30).then(pl.lit("25-29"))
    return frame.with_columns(pl.col("date").str.to_date(), bmi=bmi).select(UNIT, "date", *LEVELS, *RANGES)


def _grouped(days: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    means = [pl.col(n).mean().clip(low, high).round(decimals) for n, (low, high, decimals) in RANGES.items()]
    return days.group_by(keys, maintain_order=True).agg(*(pl.col(n).drop_nulls().first() for n in LEVELS), *means)
