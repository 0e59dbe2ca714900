"""Direct identifiers are found by name and by content, and measurements are not mistaken for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.io.identifiers import identifier
from twinset.io.read import read_table

RNG = np.random.default_rng(0)
N = 300


def nhs(seed: int) -> str:
    digits = [int(d) for d in f"{400_000_000 + 7919 * seed:09d}"]
    check = (11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11) % 11
    return "".join(map(str, digits)) + str(check) if check < 10 else nhs(seed + 5000)


FOUND = {
    "first_name": ("name", ["arya", "bran", "None"] * 100),
    "patientName": ("name", ["arya stark", "bran stark"] * 150),
    "col1": (
        "name",
        ["James Smith", "Mary Jones", "John Brown", "Linda Davis", "Susan Miller", "David Wilson", "Karen Moore", "Paul Taylor", "Anna Hall", "Mark King"] * 30,
    ),
    "col2": ("e-mail", [f"user{i}@clinic.org" for i in range(N)]),
    "col3": ("web address", [f"https://x.org/{i}" for i in range(N)]),
    "col4": ("network address", [f"10.0.{i % 9}.{i % 250}" for i in range(N)]),
    "col5": ("national number", [f"{100 + i}-12-{1000 + i}" for i in range(N)]),
    "col6": ("phone", [f"+44 20 7946 {i:04d}" for i in range(N)]),
    "col7": ("record number", [f"AB{i:06d}" for i in range(N)]),
    "col8": ("record number", list(range(1000, 1000 + N))),
    "col9": ("national number", [nhs(i) for i in range(N)]),
    "col10": ("postcode", ["SW1A 1AA", "M1 1AE", "EH8 9YL"] * 100),
    "col11": ("record number", [f"{i:08x}-1234-4abc-8def-0123456789ab" for i in range(N)]),
    "zip": ("postcode", [f"{10000 + i}" for i in range(N)]),
    "dob": ("date of birth", pl.Series(range(N)).cast(pl.Int32).cast(pl.Date)),
    "Date of birth": ("date of birth", pl.Series(range(N)).cast(pl.Int32).cast(pl.Date)),
    "comment": ("free text", [f"patient said {i}" for i in range(N)]),
    "col12": ("free text", [f"fell on the stairs, {i} stitches" for i in range(N)]),
    "home_address": ("address", [f"{i} High Street" for i in range(N)]),
    "MRN": ("record number", RNG.permutation(N)),
    "encounter_id": ("record number", RNG.permutation(N)),
    "subject": ("patient number", [i // 4 for i in range(N)]),
    "USUBJID": ("patient number", [f"01-701-{1000 + i // 3}" for i in range(N)]),
    "col13": ("patient number", [120_000 + i // 3 for i in range(N)]),
}

NOT_FOUND = {
    "age": RNG.integers(18, 95, N),
    "cd80": RNG.permutation(5000)[:N],
    "charges": np.round(RNG.lognormal(9, 1, N), 2),
    "albumin": RNG.normal(4, 0.5, N),
    "clinic_name": ["north ward", "south ward", "day clinic"] * 100,
    "drug_name": ["metformin", "insulin"] * 150,
    "test_id": ["covid", "xcvd1"] * 150,
    "admission_type_id": [i % 8 for i in range(N)],
    "number_inpatient": RNG.integers(0, 20, N),
    "num_procedures": RNG.integers(0, 20, N),
    "paid": ["yes", "no"] * 150,
    "valid": ["yes", "no"] * 150,
    "ID14": [0, 1] * 150,
    "diag_1": [f"{RNG.integers(1, 60)}" for _ in range(N)],
    "visit_date": pl.Series(range(N)).cast(pl.Int32).cast(pl.Date),
    "zip3": [f"{100 + i % 50}" for i in range(N)],
    "birth_weight": RNG.integers(2000, 4500, N),
    "hormone": ["high", "low", None] * 100,
    "cell_count": RNG.integers(100000, 999999, N) * 1.5,
    "empty": pl.Series([None] * N, dtype=pl.String),
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    kind, values = FOUND[name]
    assert identifier(pl.Series(name, values)) == kind


@pytest.mark.parametrize("name", NOT_FOUND)
def test_not_mistaken(name: str) -> None:
    assert identifier(pl.Series(name, NOT_FOUND[name])) == ""


def test_one_wrong_check_digit_is_no_national_number() -> None:
    """The check digit is what tells an NHS number from any ten digits: break it and the verdict must change."""
    broken = [v[:-1] + str((int(v[-1]) + 1) % 10) for v in (nhs(i) for i in range(N))]
    assert identifier(pl.Series("col", broken)) != "national number"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("covid_testing.parquet", {"subject_id": "patient number", "fake_first_name": "name", "fake_last_name": "name"}),
        ("diabetes130.parquet", {"encounter_id": "record number", "patient_nbr": "patient number"}),
        ("actg175.csv", {"pidnum": "record number"}),
        ("wbcd.csv", {"Sample_code_number": "record number"}),
        ("support2.csv", {"sno": "record number"}),
        ("randhie.parquet", {"zper": "patient number"}),
        ("adult.parquet", {}),
        ("brfss2015.parquet", {}),
        ("arrhythmia.csv", {}),
        ("sd2011.csv", {}),
        ("ist.parquet", dict.fromkeys(("DMAJNCHX", "DSIDEX", "DNOSTRKX", "DDEADX", "FDEADX"), "free text")),
        ("cdisc_pilot/sdtm_dm.parquet", {"USUBJID": "record number", "SUBJID": "record number", "BRTHDTC": "date of birth"}),
    ],
)
def test_real_tables(shared_data: Path, name: str, expected: dict[str, str]) -> None:
    frame = read_table(shared_data / name)
    assert {c: k for c in frame.columns if (k := identifier(frame[c]))} == expected


@pytest.mark.parametrize("n", [10, 11, 29, 30, 82, 300])
@pytest.mark.parametrize("name", ["x", "rownames", "lfd", "patient", "", "Unnamed: 0"])
def test_one_to_n_is_a_row_number(n: int, name: str) -> None:
    """Red before: below 30 rows, or out of order below 100, it was a measurement."""
    for values in (range(1, n + 1), RNG.permutation(n) + 1):
        assert identifier(pl.Series(name, values)) in ("row number", "record number")


def test_what_is_no_row_number() -> None:
    assert identifier(pl.Series("visit", range(1, 25))) == ""  # one patient's visits
    assert identifier(pl.Series("day", range(1, 25))) == ""
    assert identifier(pl.Series("x", range(1, 10))) == ""  # too few to tell
    assert identifier(pl.Series("x", [*range(1, 24), 25])) == ""
    assert identifier(pl.Series("x", [*range(1, 24), None])) == ""
    assert identifier(pl.Series("x", [*range(1, 24), 23])) == ""
    assert identifier(pl.Series("age", RNG.permutation(np.arange(30, 60)))) == ""


STAFF = [
    ["Dr Müller", "Dr. Krause"],
    ["Schwester Anna", "Pfleger Tom", "Schwester Inge"],
    ["Prof. X", "Prof. Dr. Weber", "Dr. med. Ott"],
    ["Mr Smith", "Mrs O'Neil"],
    ["Mme Dupont", "Monsieur Petit"],
]
NO_STAFF = [
    ["nurse visit", "doctor visit"],
    ["Nurse Practitioner", "Dr Visit"],
    ["Mr", "Mrs"],
    ["Frau", "Herr"],
    ["Drug A", "Drug B"],
    ["Professional", "Nursery School"],
    ["Sister", "Brother"],
]


@pytest.mark.parametrize("levels", STAFF, ids=str)
def test_staff_are_names(levels: list[str]) -> None:
    """Red before: a few doctors over many rows were levels, and would have been released."""
    assert identifier(pl.Series("treated_by", levels * 60)) == "name"


@pytest.mark.parametrize("levels", NO_STAFF, ids=str)
def test_what_is_no_staff(levels: list[str]) -> None:
    assert identifier(pl.Series("kind", levels * 60)) == ""


@pytest.mark.parametrize("name", ["Geburtsdatum", "geb_datum", "dob", "fecha_nacimiento", "date de naissance"])
def test_births_in_other_words(name: str) -> None:
    assert identifier(pl.Series(name, range(N)).cast(pl.Int32).cast(pl.Date)) == "date of birth"


def test_surnames_without_a_name() -> None:
    german = "Bauer Krause Richter Hofmann Hartmann Krüger Schröder Neumann Zimmermann Lehmann Köhler Özdemir Herrmann"
    assert identifier(pl.Series("col", german.split() * 20)) == "name"


@pytest.mark.parametrize(
    "values",
    [
        [f"{100 + i % 60}/{60 + i % 41}" for i in range(N)],
        [f"{1 + i % 28:02}.{1 + i % 12:02}.20" for i in range(N)],
        [f"{1 + i % 28}/{1 + i % 12}/2020" if i % 2 else f"2020-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(N)],
    ],
    ids=["two numbers", "short years", "several formats"],
)
def test_odd_writing_is_no_record_number(values: list[str]) -> None:
    """Red before: pressures and dates that nobody could read were called record numbers."""
    assert identifier(pl.Series("x", values)) == ""
    assert identifier(pl.Series("x", [*values[:20]])) == ""
