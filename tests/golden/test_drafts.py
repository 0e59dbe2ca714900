"""Drafts of real tables against what was decided by hand, and of ten and more that were never looked at while drafts were improved."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent
MOST_WRONG = 1.5  # guesses of a table
LEAST_RIGHT = 0.85  # of the tables that have an endpoint


def count() -> ModuleType:
    spec = importlib.util.spec_from_file_location("drafts_counted", HERE / "drafts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.data
@pytest.mark.parametrize("held_out", [False, True])
def test_few_guesses_are_wrong_and_endpoints_are_right(shared_data: Path, held_out: bool) -> None:
    drafts = count()
    names = [n for n, t in drafts.truths().items() if t.get("held_out", False) == held_out]
    found = drafts.measured(names, data=shared_data)
    told = "\n".join(f"{name}: {'; '.join(wrong)}" for name, (wrong, _) in found.items() if wrong)
    assert sum(len(wrong) for wrong, _ in found.values()) <= MOST_WRONG * len(found), told
    right = [r for _, r in found.values() if r is not None]
    assert sum(right) >= LEAST_RIGHT * len(right), told


def test_the_count_can_see_what_is_wrong() -> None:
    drafts = count()
    text = '[data]\nunit = "row"\n[columns.days]\ntype = "number"\nrole = ""\n[columns.dead]\ntype = "category"\nrole = "event"\n'
    text += '[[endpoints]]\ntime = "days"\nevent = "dead"\nevent_value = 0\n'
    truth = {"types": {"days": "integer"}, "time": ["days"], "event": ["dead"], "unit": "id", "apart": "visit", "rows": "first"}
    truth["endpoints"] = [{"time": "days", "event": "dead", "value": 1, "arm": ["arm"]}]
    wrong = drafts.errors(text, truth)
    assert len(wrong) == 7
    assert not drafts.live(text, truth)
    right = '[data]\nunit = "row"\n[columns.days]\ntype = "integer"\nrole = "time"\n[columns.dead]\ntype = "category"\nrole = "event"\n'
    assert drafts.errors(right, {"time": ["days"], "event": ["dead"]}) == []
