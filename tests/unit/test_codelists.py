"""Public code lists: whole, well formed, and never suggested for what only looks alike."""

from __future__ import annotations

import pytest

from twinset.core.schema import Level
from twinset.io import codelists
from twinset.io.codelists import suggest
from twinset.io.plausible import plausible


@pytest.mark.parametrize("known", codelists.known(), ids=lambda c: f"{c.name}-{len(c.levels)}")
def test_each_list_is_well_formed(known: codelists.CodeList) -> None:
    assert known.name
    assert known.source
    assert len({type(v) for v in known.levels}) == 1
    assert len(set(known.levels)) == len(known.levels) >= 2


def test_official_lists_are_whole() -> None:
    def size(name: str, level: Level) -> int:
        made = suggest(name, [level])
        assert made is not None
        return len(made.levels)

    assert size("country", "DE") == 249
    assert size("country", "DEU") == 249
    assert size("atc_code", "C10") == 94
    assert size("atc", "C") == 14
    assert size("icd10_chapter", "XIX") == 22
    assert size("icd10 chapter", "A00-B99") == 22


@pytest.mark.parametrize(
    ("name", "levels", "expected"),
    [
        ("sex", ["m", "f"], ("f", "m")),
        ("SEX", ["M"], ("F", "M")),
        ("gender", ["Male", "Female"], ("Female", "Male")),
        ("sex", [2, 1], (1, 2)),
        ("sex", [2.0, 1.0], (1.0, 2.0)),
        ("Geschlecht", ["w", "m"], ("m", "w")),
        ("gender", ["M", "F", "U"], ("F", "M", "U", "UNDIFFERENTIATED")),
        ("died", [True], (False, True)),
        ("smoker", ["Yes", "No"], ("No", "Yes")),
        ("SAFFL", ["Y"], ("N", "Y")),
        ("ecog", [0, 1], (0, 1, 2, 3, 4, 5)),
        ("ecog", ["0", "1"], ("0", "1", "2", "3", "4", "5")),
        ("nyha", ["II", "III"], ("I", "II", "III", "IV")),
        ("AgeDecade", ["0-9", "70+", "30-39"], ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")),
        ("tstage", ["T1", "T3"], ("TX", "T0", "Tis", "T1", "T2", "T3", "T4")),
        ("when", ["Mar", "Jan", "Feb", "Apr", "May", "Dec"], ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")),
    ],
)
def test_the_whole_list_in_the_tables_spelling(name: str, levels: list[Level], expected: tuple[Level, ...]) -> None:
    made = suggest(name, levels)
    assert made is not None
    assert made.levels == expected
    assert [type(v) for v in made.levels] == [type(levels[0])] * len(expected)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("arm", [1, 2]),
        ("arm", ["A", "B"]),
        ("group", ["F", "M"]),  # perhaps fasting, morning
        ("sex", ["f", "m", "x1"]),
        ("sex", []),
        ("site", [1, 2, 3, 4]),
        ("region", ["DE", "FR"]),
        ("smoked", ["never", "often"]),
        ("status", ["yes"]),  # one word says too little
        ("visit", ["T0", "T1"]),
        ("x", ["1", 1]),
    ],
)
def test_nothing_for_what_only_looks_alike(name: str, levels: list[Level]) -> None:
    assert suggest(name, levels) is None


def test_zero_and_one_alone_need_a_code_book() -> None:
    for name in ("event", "sex"):
        made = suggest(name, [0, 1])
        assert made is not None
        assert made.weak
        assert made.levels == (0, 1)


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("age", (0, 120)),
        ("AgeAtDiagnosis", (0, 120)),
        ("BMI", (8, 100)),
        ("systolic_bp", (40, 300)),
        ("wtkg", (0, 400)),
        ("LVEF", (0, 100)),
        ("fat_percent", (0, 100)),
    ],
)
def test_what_is_biologically_possible(name: str, bounds: tuple[float, float]) -> None:
    made = plausible(name)
    assert made is not None
    assert (made.low, made.high) == bounds


@pytest.mark.parametrize("name", ["dosage", "lage", "age_first_smoked_packs", "weight_code", "temper", "stage", "page", "age months", "lvefx", "paratemp"])
def test_no_bounds_for_what_only_sounds_alike(name: str) -> None:
    assert plausible(name) is None
