"""Settings of private generators keep their bounds, in a study file and in Python; a refusal names the setting and the bound."""

from __future__ import annotations

import math
from typing import Any

import pytest

from twinset.checking.plugins import build
from twinset.errors import StudyInvalid
from twinset.generators import GENERATORS
from twinset.study import Study, parse

STUDY = '[data]\npath = "x.csv"\n[generator]\nname = "{name}"\n[columns.a]\ntype = "number"\n'
PRIVATE = ("aim", "mst", "bayesian_network")
EVERYWHERE: dict[str, tuple[float, ...]] = {
    "focus_weight": (-7.9, 0.0, 1000.5, math.inf, math.nan, -math.inf),
    "max_cells": (0, -1, 2**40),
    "domain_share": (-0.1, 1.0, math.nan),
    "one_way_share": (0.0, 1.0, 2.0, -0.5, math.nan, math.inf),
    "strength": (-1.0, math.inf, math.nan),
    "sweeps": (0, -3, 10**9),
}
OWN: dict[str, dict[str, tuple[float, ...]]] = {
    "aim": {"rounds": (-1, 10**9), "always_share": (0.0, 1.0, -1.0, math.nan)},
    "mst": {},
    "bayesian_network": {
        "degree": (0, -1, 1000),
        "wide": (-1,),
        "useful": (0.0, -1.0, math.nan, math.inf),
        "select_share": (0.0, 1.0, math.nan),
        "further_share": (-0.1, 1.0, math.nan),
        "max_parents": (-1,),
        "family_cells": (0,),
        "smoothing": (0.0, -5.0, math.nan),
    },
}
CASES = [(name, key, value) for name in PRIVATE for key, values in (EVERYWHERE | OWN[name]).items() for value in values]


def study(name: str, **settings: Any) -> Study:
    return parse(STUDY.format(name=name), overrides=[f"generator.{key}={str(value).lower()}" for key, value in settings.items()])


@pytest.mark.parametrize("name, key, value", CASES)
def test_a_setting_out_of_bounds_is_refused_in_a_study_and_in_python(name: str, key: str, value: float) -> None:
    with pytest.raises(StudyInvalid, match=rf"`{key}`: .*(than|finite|valid)") as told:
        study(name, **{key: value}).build_generator()
    with pytest.raises(StudyInvalid, match=rf"`{key}`: .*(than|finite|valid)"):
        GENERATORS[name](**{key: value})
    assert told.value.hint


@pytest.mark.parametrize("name", PRIVATE)
def test_shares_leave_something_of_the_budget(name: str) -> None:
    with pytest.raises(StudyInvalid, match=r"`domain_share`, `one_way_share`.* together they must be less than 1"):
        study(name, domain_share=0.5, one_way_share=0.5).build_generator()
    with pytest.raises(StudyInvalid, match="together"):
        GENERATORS[name](domain_share=0.6, one_way_share=0.6)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(StudyInvalid) as told:
        GENERATORS["aim"](focus_weight=-1.0, rounds=-1)
    assert all(f"`{key}`" in str(told.value) for key in ("focus_weight", "rounds"))


@pytest.mark.parametrize("name", PRIVATE)
def test_the_ends_of_the_bounds_are_allowed(name: str) -> None:
    """``domain_share = 0`` says that nothing may be spent on finding a domain."""
    made: Any = build(GENERATORS, name, {"domain_share": 0, "focus_weight": 1000, "max_cells": 1, "strength": 0, "sweeps": 1}, section="generator")
    assert made == GENERATORS[name](domain_share=0.0, focus_weight=1000.0, max_cells=1, strength=0.0, sweeps=1)


def test_every_number_of_a_private_generator_is_bounded() -> None:
    """A setting that joins later is bounded too, or this test says which is not."""
    for name in PRIVATE:
        numbers = [k for k, v in vars(GENERATORS[name]()).items() if isinstance(v, int | float)]
        assert set(numbers) == set(EVERYWHERE | OWN[name]), name


def test_an_empty_table_is_not_measured() -> None:
    with pytest.raises(StudyInvalid, match="`always`"):
        GENERATORS["aim"](always=((),))
