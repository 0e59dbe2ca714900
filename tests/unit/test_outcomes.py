"""Headline, cards and lines say one thing: planted contradictions are found, made-up pages hold none, and each card counts what it should."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from twinset.core.contracts import AuditResult
from twinset.core.finding import Finding, not_measured
from twinset.core.scale import standing
from twinset.release.page_file import page_dict, page_from
from twinset.report.analyses import agreed, conclusion, untested
from twinset.report.cards import Card, cards
from twinset.report.compare import compared, worst_attack
from twinset.report.contradictions import contradictions
from twinset.report.material import Page
from twinset.report.page import render


def made_up() -> object:
    spec = importlib.util.spec_from_file_location("report_pages", Path(__file__).resolve().parents[1] / "golden" / "pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE = made_up()
PAGES: dict[str, Callable[[], Page]] = MADE.PAGES  # type: ignore[attr-defined]


def card(page: Page, question: str) -> Card:
    return next(c for c in cards(page) if c.question == question)


def with_findings(page: Page, *more: Finding, without: str = "-") -> Page:
    kept = tuple(f for f in page.result.findings if not f.name.startswith(without))
    return replace(page, result=replace(page.result, findings=(*kept, *more)))


def whole(value: float, half: float, **beside: float) -> Finding:
    return Finding("fidelity.pairs", value, value - half, value + half, 500, "lower", beside)


USELESS = Finding("fidelity.columns", 0.9, 0.88, 0.92, 500, "lower", {"floor": 0.02, "chance": 0.6}, "age")


@pytest.mark.parametrize("name", PAGES)
def test_made_up_pages_do_not_contradict_themselves(name: str) -> None:
    page = PAGES[name]()
    if page.decided_by != "real rows" and page.released:
        assert page.tested is not None  # a red card beside "released" is advice there, and the page says so
    assert contradictions(page) == ()


@pytest.mark.parametrize("name", PAGES)
def test_the_saved_page_holds_headline_cards_and_outcomes_and_reads_back(name: str) -> None:
    page = PAGES[name]()
    data = json.loads(json.dumps(page_dict(page), allow_nan=False))
    back = page_from(data)
    assert render(back) == render(page)
    assert contradictions(back) == contradictions(page)
    assert data["headline"].split(":")[0] in ("Released", "Not released")
    assert [c["question"] for c in data["cards"]] == [c.question for c in cards(page)]
    assert [f["outcome"] for f in data["result"]["findings"]] == [page.standing(f) for f in page.result.findings]


def test_planted_contradictions_are_found() -> None:
    page = PAGES["pass"]()
    leak = Finding("membership.distance", 0.9, 0.8, 0.95, 900, "lower", {"chance": 0.5}, "all patients")
    planted = {
        "the card “Looks like the patients” is red": with_findings(page, USELESS),
        "the card “Hides the patients” is red": with_findings(page, leak, without="membership.distance"),
        "released with the verdict fail": replace(page, verdict="fail"),
        "not released with the verdict pass": replace(page, released=False),
        "“all checks pass” stands beside": replace(page, reasons=("all 7 checks of the policy pass",)),
        "refused, and every card is green": replace(with_findings(PAGES["fail"](), without="membership."), rules=page.rules, reasons=(), limits={}, refused=()),
    }
    for said, wrong in planted.items():
        assert any(said in line for line in contradictions(wrong)), (said, contradictions(wrong))


def test_an_older_scale_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin: a standing that ticks what is not beyond its band, and doubts what is clearly worse. The check works the figures out again by itself."""
    page = with_findings(PAGES["pass"](), whole(0.3, 0.3, floor=0.2, independent=0.6), without="fidelity.")
    assert contradictions(page) == ()
    monkeypatch.setattr(Page, "standing", lambda self, f: "good")
    assert any("spans half of its scale" in line for line in contradictions(page))
    worse = with_findings(PAGES["pass"](), whole(0.4, 0.05, floor=0.1, independent=0.6), without="fidelity.")
    monkeypatch.setattr(Page, "standing", lambda self, f: "too few patients to tell")
    assert any("clearly worse than real" in line for line in contradictions(worse))
    monkeypatch.setattr("twinset.report.contradictions.cards", lambda page: (Card("Looks like the patients", "good", "", cards(page)[0].chart, ""),))
    monkeypatch.setattr(Page, "standing", lambda self, f: "useless")
    assert any("is green over" in line for line in contradictions(worse))


def test_a_card_is_as_bad_as_its_worst_part() -> None:
    page = PAGES["pass"]()
    assert card(page, "Looks like the patients").tone == "good"
    lost = card(with_findings(page, USELESS), "Looks like the patients")
    assert lost.tone == "bad"
    assert "age" in lost.answer
    told = Finding("fidelity.propensity", 0.7, 0.68, 0.72, 900, "lower", {"floor": 0.5, "independent": 0.95})
    assert card(with_findings(page, told, without="fidelity.propensity"), "Looks like the patients").tone == "short"
    curve = Finding("endpoint.curve", 0.4, 0.35, 0.45, 300, "lower", {"floor": 0.03, "independent": 0.2}, "death: arm 1")
    assert card(with_findings(page, curve), "Says the same").tone == "bad"


def test_the_excess_over_fresh_patients_is_the_headline_figure() -> None:
    page = PAGES["pass"]()
    below = with_findings(page, whole(0.03, 0.004, floor=0.066, independent=0.25), without="fidelity.pairs")
    found = card(below, "Looks like the patients")
    assert ": 0 above fresh patients; this release 0.0300" in found.note
    html = render(below)
    assert "closer than" not in html
    assert "no merit" in html


def test_neither_significant_is_no_conclusion_kept() -> None:
    """Catches "2 of 2 conclusions hold" where neither side shows anything."""
    page, none = PAGES["pass"](), MADE.comparison  # type: ignore[attr-defined]
    quiet = replace(page, result=replace(page.result, comparisons=(none("arm 1 against arm 0", 0.05, 0.02), none("arm 2 against arm 0", 0.02, 0.06))))
    found = card(quiet, "Says the same")
    assert found.tone == "wait"
    assert found.answer == "2 of 2 estimates agree"
    assert "none is significant" in found.note
    assert [conclusion(c)[0] for c in quiet.result.comparisons] == ["none", "none"]
    far = none("arm 1 against arm 0", 0.11, -0.2)
    assert not far.estimate_inside
    assert conclusion(far)[0] == "short"
    assert card(replace(page, result=replace(page.result, comparisons=(far,) * 4)), "Says the same").tone == "short"
    reverse = none("arm 1 against arm 0", -0.71, 0.71)
    assert card(replace(page, result=replace(page.result, comparisons=(reverse,))), "Says the same").tone == "bad"


def test_fresh_patients_agree_in_five_of_six() -> None:
    """Both cohorts are samples: P(|N(0, 2)| < 1.96) = 0.834; catches the perfect model's 0.95 under the name of fresh patients."""
    assert agreed(PAGES["pass"]()).expected == pytest.approx(3 * 0.834, abs=0.05)


def test_no_analysis_declared_is_said_only_where_none_was() -> None:
    why = "the synthetic cohort has no events"
    gone = [not_measured(n, why, where="recurrence") for n in ("endpoint.decision", "endpoint.curve")]
    drawn = tuple(replace(c, endpoint="recurrence") for c in PAGES["pass"]().result.curves if c.cohort == "train")
    page = replace(PAGES["no-endpoints"](), result=AuditResult((*PAGES["no-endpoints"]().result.findings, *gone), (), drawn))
    found = card(page, "Says the same")
    assert found.answer == "1 analysis declared, not estimable"
    assert why in found.note
    assert untested(page) == (("recurrence", why),)
    html = render(page)
    assert "No analysis was declared" not in html
    assert why in html
    assert "No synthetic curve: " in html
    assert contradictions(page) == ()
    assert "No analysis was declared" in render(PAGES["no-endpoints"]())
    assert card(PAGES["undecided"](), "Says the same").answer == "not tested"


def test_ranges_read_from_the_rows_are_no_rules() -> None:
    page = PAGES["pass"]()
    only = tuple(replace(f, where=f"{f.where}: bounds") for f in page.rules)
    found = card(replace(page, rules=only), "Medically possible")
    assert (found.tone, found.answer) == ("none", "no rule declared")
    both = card(replace(page, rules=(*page.rules, *only)), "Medically possible")
    assert both.answer == "0 of 4 rules broken"
    left = tuple(replace(f, value=0.01) for f in only)
    assert card(replace(page, rules=(*page.rules, *left)), "Medically possible").tone == "bad"


def test_an_unfair_control_silences_the_attacks() -> None:
    found = card(PAGES["unfair"](), "Hides the patients")
    assert (found.tone, found.answer) == ("bad", "cannot be told: no fair control")


def test_what_the_policy_refused_is_red_on_its_card() -> None:
    wide = Finding("membership.distance", 0.66, 0.53, 0.76, 128, "lower", {"chance": 0.5}, "all patients")
    page = replace(with_findings(PAGES["fail"](), wide, without="membership."), rules=PAGES["pass"]().rules, refused=("membership.distance@all patients",))
    assert card(page, "Hides the patients").answer == "1 check beyond the limit"
    assert "Not released: 1 check beyond the limit" in render(page)


def test_compare_puts_the_attack_that_refuses_on_its_axis() -> None:
    """Catches a table drawn below the limit at 0.59 while rare values replayed 1.00 refused it."""
    replay = Finding("privacy.replay.values", 0.999, 0.99, 1.0, 900, "lower", {"chance": 0.5})
    page = with_findings(PAGES["pass"](), replay, without="privacy.replay.values")
    assert worst_attack(page) == replay
    few = Finding("membership.distance", 0.95, 0.3, 1.0, 7, "lower", {"chance": 0.5}, "isolated 1 %")
    assert worst_attack(with_findings(PAGES["pass"](), few)) != few  # seven people are no worst attack


def test_compare_gives_no_star_for_copied_chance() -> None:
    pages = [with_findings(PAGES["pass"](), whole(v, 0.004, floor=0.066, holdout=0.08, independent=0.25), without="fidelity.pairs") for v in (0.03, 0.06)]
    line = next(row for row in compared(pages).lines if row.label == "Pairs of columns")
    assert [c.best for c in line.cells] == [False, False]
    assert len({name.front for name in compared(pages).names}) == 1


def test_a_hold_out_that_the_policy_refuses_is_no_fair_control() -> None:
    """Also where the policy is stricter than we are by default, so that no green line stands below that headline."""
    found = Finding("control.overlap", 0.5, 0.4, 0.6, 100, "lower", {"p": 0.005})
    assert standing(found) == "good"
    assert standing(found, refused=True) == "useless"
