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
        (0.58, 0.05, "inconclusive", False),
        (0.62, 0.05, "fail", False),
        (0.70, 0.05, "fail", False),
        (0.50, 0.20, "inconclusive", False),
    ],
)
def test_a_must_check(value: float, half: float, verdict: str, released: bool) -> None:
    made = verdict_of(finding(value, half))
    assert (made.verdict, made.released) == (verdict, released)
    assert made.reasons


def test_what_is_not_settled_is_released_only_with_a_reason_or_a_policy_that_says_so() -> None:
    made = verdict_of(finding(0.58, 0.05), reason="all readers signed an agreement")
    assert (made.verdict, made.released, made.accepted) == ("inconclusive", True, "all readers signed an agreement")
    assert made.to_dict(coarse=True)["accepted"] == made.accepted
    assert verdict_of(finding(0.58, 0.05), inconclusive="release").accepted
    for other in (finding(0.50, 0.05), finding(0.70, 0.05), finding(0.50, 0.20)):  # passes; leaks; saw nothing: no reason changes those
        assert verdict_of(other, reason="because").released == verdict_of(other).released
        assert not verdict_of(other, reason="because").accepted


def test_an_estimate_beyond_the_limit_that_may_be_chance_is_not_settled() -> None:
    """With 60 people held out, 3 of 200 releases that leak nothing read above 0.60."""
    wide = Finding("m", 0.62, 0.49, 0.75, 60, "lower", {"chance": 0.5}, where="all")
    assert verdict_of(wide).verdict == "inconclusive"
    sure = Finding("m", 0.62, 0.51, 0.73, 60, "lower", {"chance": 0.5}, where="all")
    assert verdict_of(sure).verdict == "fail"
    lucky, told = (Finding("m", 0.62, 0.54, 0.70, 60, "lower", {"chance": 0.5, "p": p}, where="all") for p in (0.01, 0.004))
    assert verdict_of(lucky).verdict == "inconclusive", "3 of 85 fresh releases at 60 held out ended so"
    assert verdict_of(told).verdict == "fail"
    assert not verdict_of(lucky).released


def exact(p: float, value: float = 0.9, where: str = "few") -> Finding:
    return Finding("m", value, 0.1, 1.0, 13, "lower", {"chance": 0.5, "p": p}, where=where)


def test_a_veto_with_an_exact_p_needs_no_interval() -> None:
    shown = exact(1 / 1716)  # six of six members above seven of seven others: an interval would not show it
    assert verdict_of(shown, checks=(VETO,)).verdict == "fail"
    assert verdict_of(exact(1 / 1716, 0.55), checks=(VETO,)).released  # significant, and within the limit
    assert verdict_of(exact(0.02), checks=(VETO,)).released


def test_vetoes_share_one_level() -> None:
    """Holm: the smallest p is held against the level over all, the next against the level over the rest, and so on until one is not shown."""
    checks = tuple(Check(finding="m", where=f"g{i}", limit=0.6, rule="veto") for i in range(4))

    def shown(*ps: float) -> list[bool]:
        made = verdict_of(*(exact(p, where=f"g{i}") for i, p in enumerate(ps)), checks=checks, level=0.04)
        return [j.outcome == "fail" for j in made.judged]

    assert shown(0.009, 0.013, 0.019, 0.5) == [True, True, True, False]
    assert shown(0.011, 0.012, 0.012, 0.012) == [False] * 4
    assert shown(0.001, 0.015, 0.001, 0.039) == [True, True, True, True]
    own = Check(finding="m", where="g0", limit=0, rule="veto", p=0.001)
    assert verdict_of(exact(0.0009, where="g0"), checks=(own,)).verdict == "fail"
    assert verdict_of(exact(0.0011, where="g0"), checks=(own,)).released


def test_ten_copies_get_no_ten_chances() -> None:
    assert verdict_of(exact(0.004), checks=(VETO,)).verdict == "fail"
    assert verdict_of(exact(0.004), *(exact(0.4) for _ in range(9)), checks=(VETO,)).released
    assert verdict_of(exact(0.0004), *(exact(0.4) for _ in range(9)), checks=(VETO,)).verdict == "fail"


def test_a_veto_that_was_not_measured_refuses_unless_nothing_is_left_open() -> None:
    missing = not_measured("m", "fewer than 3 patients", where="few")
    assert verdict_of(missing, checks=(VETO,)).verdict == "inconclusive"
    heard = verdict_of(missing, checks=(VETO,), reason="because")
    assert not heard.released
    assert heard.reasons[-1].startswith("the reason given for releasing what is not settled was read, and does not count while a check could not be measured: ")
    assert len(heard.reasons) == len(verdict_of(missing, checks=(VETO,)).reasons) + 1
    assert verdict_of(not_measured("m", "nobody has a rare value", where="few", arises=False), checks=(VETO,)).released
    assert verdict_of(missing, checks=(VETO.model_copy(update={"needed": False}),)).released


CONTROL = Check(finding="c", limit=0.001, rule="control")


def test_a_control_that_fails_comes_before_everything() -> None:
    swapped = Finding("c", 0.1, 0.0, 0.2, 100, "lower", {"p": 1e-6}, says="half of the hold-out are train patients")
    made = verdict_of(swapped, finding(0.9, 0.02), checks=(MUST, CONTROL), reason="because")
    assert (made.verdict, made.released) == ("control unusable", False)
    assert made.reasons == ("c: half of the hold-out are train patients (p = 1e-06)",)
    assert "lot" in made.settles[0]
    assert verdict_of(Finding("c", 0.1, 0.0, 0.2, 100, "lower", {"p": 0.002}), finding(0.5, 0.02), checks=(MUST, CONTROL)).released


def test_a_sentence_that_says_its_p_is_not_given_another() -> None:
    found = Finding("m", 1.0, 0.5, 1.0, 6, "lower", {"p": 2e-4, "chance": 0.2}, where="few", says="6 of 6 are recognised (chance of so many or more: 0.0002).")
    (reason,) = (r for r in verdict_of(found, checks=(VETO,)).reasons)
    assert reason.endswith("6 of 6 are recognised (chance of so many or more: 0.0002)")


USEFUL = Check(finding="fidelity.pairs", limit=0, rule="useful", label="pairs lost")


@pytest.mark.parametrize(("value", "ending"), [(0.05, "pass"), (0.35, "of no use")])
def test_a_table_that_is_of_no_use_is_not_released(value: float, ending: str) -> None:
    lost = Finding("fidelity.pairs", value, value - 0.01, value + 0.01, 100, "lower", {"floor": 0.04, "floor_high": 0.06, "independent": 0.3}, where="a × b")
    made = verdict_of(lost, finding(0.5, 0.02), checks=(MUST, USEFUL))
    assert (made.verdict, made.released) == (ending, ending == "pass")
    assert ("a × b" in made.reasons[0]) == (ending != "pass")


def test_a_recipient_reads_how_many_people_a_small_check_rests_on() -> None:
    made = verdict_of(exact(0.4), checks=(VETO,)).to_dict(coarse=True)
    assert made["checks"] == [{"check": "m@few", "outcome": "not shown (13 people)"}]


def test_passing_is_not_said_of_what_is_too_small_to_be_cleared() -> None:
    made = verdict_of(finding(0.5, 0.02), exact(0.4), checks=(MUST, VETO))
    assert made.reasons == ("no leak is shown: 1 attack within the policy's limit and 1 test that can show a leak but not rule one out; no rule is broken",)


def test_a_veto_refuses_only_what_is_shown() -> None:
    assert verdict_of(finding(0.65, 0.2, "few"), checks=(VETO,)).judged[0].outcome == "not shown"
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
    "half of the columns constant": (output(single=("a", "b"), n_columns=4), {}, "2 of 4, `a`, `b`; the policy allows 25 %"),
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
    strict = "epsilon" in what or "certificate" in what
    assert (made.verdict, made.released, made.decided_by) == ("fail" if strict else "of no use", False, "the certificate and the output")
    assert re.search(said, made.reasons[0])
    assert len([j for j in made.judged if j.outcome == "fail"]) == 1
    assert "nothing of this is about privacy" in made.settles[-1]


def test_the_output_passes_what_it_cannot_tell_or_need_not_judge() -> None:
    made = decide(CERTIFICATE, output(noise=None, single=("sex",), n_columns=4, unlisted={"site": 0.4}), Policy())
    assert (made.verdict, made.released) == ("pass", True)
    assert [j.outcome for j in made.judged] == ["pass", "pass", "pass", "not measured", "pass"]
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


def test_the_order_of_endings_and_which_copy_decides() -> None:
    """A leak comes before use, a control before both; a control, or a use, that fails in one copy alone decides too."""
    lost = Finding("fidelity.pairs", 0.35, 0.34, 0.36, 100, "lower", {"floor": 0.04, "independent": 0.3})
    fine = Finding("fidelity.pairs", 0.04, 0.03, 0.05, 100, "lower", {"floor": 0.04, "independent": 0.3})
    fair, unfair = (Finding("c", 0.1, 0.0, 0.2, 100, "lower", {"p": p}, says="unfair") for p in (0.5, 1e-5))
    checks = (MUST, USEFUL, CONTROL)
    assert verdict_of(finding(0.9, 0.02), lost, fair, checks=checks).verdict == "fail"
    assert verdict_of(finding(0.5, 0.02), fine, lost, fair, checks=checks).verdict == "of no use"
    assert verdict_of(finding(0.9, 0.02), lost, fair, unfair, checks=checks).verdict == "control unusable"


def test_how_many_patients_would_settle_it() -> None:
    made = verdict_of(Finding("m", 0.55, 0.45, 0.65, 100, "lower", {"chance": 0.5}, where="all"))
    assert made.verdict == "inconclusive"
    assert "about 4.0 times as many patients" in made.settles[-1]
    assert "cannot be settled" in verdict_of(not_measured("m", "there is no hold-out", where="all")).settles[-1]
