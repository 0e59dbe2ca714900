"""The gate: each outcome from findings made by hand, and that nothing weak clears anybody."""

from __future__ import annotations

import json

import pytest

from twinset.core.finding import Finding, not_measured
from twinset.release.gate import judge
from twinset.release.policy import Check, Policy

MUST = Check(finding="m", where="all", limit=0.6)
VETO = Check(finding="m", where="few", limit=0.6, rule="veto")


def finding(value: float, half: float, where: str = "all", better: str = "lower") -> Finding:
    return Finding("m", value, value - half, value + half, 100, better, where=where)  # type: ignore[arg-type]


def verdict_of(*findings: Finding, checks=(MUST,), **policy):
    return judge(findings, (), Policy(checks=checks, **policy))


@pytest.mark.parametrize(
    ("value", "half", "verdict", "released"),
    [
        (0.50, 0.05, "pass", True),
        (0.58, 0.05, "inconclusive", True),
        (0.62, 0.05, "fail", False),
        (0.70, 0.05, "fail", False),
        (0.50, 0.20, "inconclusive", False),
    ],
)
def test_a_must_check(value: float, half: float, verdict: str, released: bool) -> None:
    made = verdict_of(finding(value, half))
    assert (made.verdict, made.released) == (verdict, released)
    assert made.reasons


def test_inconclusive_can_be_made_to_refuse() -> None:
    assert not verdict_of(finding(0.58, 0.05), inconclusive="refuse").released


def test_a_veto_refuses_only_what_is_shown() -> None:
    assert verdict_of(finding(0.65, 0.2, "few"), checks=(VETO,)).verdict == "pass"
    assert verdict_of(finding(0.90, 0.2, "few"), checks=(VETO,)).verdict == "fail"


def test_what_was_not_measured_clears_nobody() -> None:
    made = verdict_of(not_measured("m", "there is no hold-out", where="all"))
    assert (made.verdict, made.released) == ("inconclusive", False)
    assert "no hold-out" in made.reasons[0]
    assert not verdict_of().released


def test_where_higher_is_better_the_limit_is_a_floor() -> None:
    assert verdict_of(finding(0.9, 0.05, better="higher")).verdict == "pass"
    assert verdict_of(finding(0.3, 0.05, better="higher")).verdict == "fail"


def test_the_worst_copy_decides() -> None:
    assert verdict_of(finding(0.5, 0.02), finding(0.9, 0.02)).verdict == "fail"


def test_a_broken_rule_fails() -> None:
    broken = Finding("rules.broken", 0.01, 0.0, 0.02, 100, "lower", where="R1")
    made = judge((finding(0.5, 0.02),), (broken,), Policy(checks=(MUST,)))
    assert made.verdict == "fail"
    assert "R1" in made.reasons[0]


def test_the_coarse_verdict_holds_no_figure() -> None:
    text = json.dumps(verdict_of(finding(0.731, 0.05)).to_dict(coarse=True))
    assert "0." not in text
    assert "fail" in text
