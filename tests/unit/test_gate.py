"""The gate: each outcome from findings made by hand, and that nothing weak clears anybody."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.core.finding import Finding, not_measured
from twinset.core.schema import Column, Schema
from twinset.errors import BadInput, PolicyRefused
from twinset.release.decide import Output, decide, forbid, look
from twinset.release.gate import decider, judge
from twinset.release.policy import Check, Limits, Policy
from twinset.release.terms import Privacy

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


CERTIFICATE: dict = {"epsilon": 3.0, "warnings": ["the budget is large"]}


def output(**parts) -> Output:
    kept = Finding("rules.broken", 0.0, 0.0, 0.01, 100, "lower", where="adult")
    return Output(**{"rules": (kept,), "noise": 0.03, **parts})


BROKEN = Finding("rules.broken", 0.01, 0.0, 0.02, 100, "lower", where="R1")
SEEN: dict[str, tuple[Output, dict, str]] = {
    "a rule broken in one copy": (output(rules=(Finding("rules.broken", 0.0, 0.0, 0.01, 100, "lower", where="R1"), BROKEN)), {}, "`R1`"),
    "a blank column": (output(blank=("weight",)), {}, "`weight`"),
    "noise that drowns everything": (output(noise=0.21), {}, r"± 21 percentage points, the policy allows ± 20"),
    "noise beyond any share": (output(noise=7.0), {}, "more than ± 100"),
    "too much of a column not found": (output(unlisted={"site": 0.6, "ward": 0.1}), {"unlisted": 0.5}, "60 % in `site`"),
    "an epsilon above the policy's": (output(), {"epsilon": 2.0}, "epsilon: 3, the policy allows 2"),
    "a warning of the certificate": (output(), {"warnings": "refuse"}, "the certificate warns: the budget is large"),
}


@pytest.mark.parametrize("what", SEEN)
def test_the_output_refuses(what: str) -> None:
    seen, limits, said = SEEN[what]
    made = decide(CERTIFICATE, seen, Policy(output=Limits(**limits)))
    assert (made.verdict, made.released, made.decided_by) == ("fail", False, "the certificate and the output")
    assert re.search(said, made.reasons[0])
    assert len([j for j in made.judged if j.outcome == "fail"]) == 1
    assert "nothing of this is about privacy" in made.settles[-1]


def test_the_output_passes_what_it_cannot_tell_or_need_not_judge() -> None:
    made = decide(CERTIFICATE, output(noise=None, single=("sex",), unlisted={"site": 0.4}), Policy())
    assert (made.verdict, made.released) == ("pass", True)
    assert [j.outcome for j in made.judged] == ["pass", "pass", "not measured", "pass"]
    lost = decide(CERTIFICATE, output(noise=None, unlisted={"site": 0.9}), Policy())
    assert not lost.released
    assert any("origin" in line for line in lost.settles)
    assert "`sex`" in made.reasons[1]
    lenient = Policy(output=Limits(noise=None, blank=2))
    assert decide(CERTIFICATE, output(noise=9.0, blank=("a", "b")), lenient).released


def test_what_is_seen_on_the_copies() -> None:
    schema = Schema(
        (
            Column("sex", "category", levels=("f", "m"), origin="public"),
            Column("only", "category", levels=("x",), origin="public"),
            Column("lab", "number", low=0.0, high=1.0),
            Column("gone", "number"),
        )
    )
    frame = pl.DataFrame({"sex": ["f", "m"], "only": ["x", "x"], "lab": [0.5, None], "gone": [None, None]}, schema_overrides={"gone": pl.Float64})
    whole = frame.with_columns(gone=pl.lit(1.0), lab=pl.Series([0.1, 0.2]))
    seen = look([Cohort(whole, schema), Cohort(frame, schema)], (), noise=0.1, unlisted={})
    assert (seen.blank, seen.single) == (("gone",), ("lab",))


def test_who_decides() -> None:
    assert decider(Policy(), private=False) == "real rows"
    assert decider(Policy(), private=True) == "the certificate and the output"
    assert decider(Policy(decision="audit"), private=True) == "real rows"
    with pytest.raises(BadInput, match="nothing but tests on patients' rows"):
        decider(Policy(decision="output"), private=False)


def test_an_epsilon_that_the_policy_forbids_is_refused_before_anything_is_spent() -> None:
    policy = Policy(output=Limits(epsilon=2.0))
    forbid(policy, Privacy(epsilon=2.0, unit="row"))
    with pytest.raises(PolicyRefused, match="epsilon = 3 is asked for") as caught:
        forbid(policy, Privacy(epsilon=3.0, unit="row"))
    assert caught.value.exit_code == 1
