"""Charts: places on an axis, what is drawn, and that nothing from a study can become markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinset.core.contracts import Curve
from twinset.core.finding import Finding
from twinset.core.scale import Scale, badness, excess, is_attack, needed, scale, scored, standing
from twinset.report.charts import Estimate, Guide, Point, row, strip, survival, survival_floor, tally, tradeoff
from twinset.report.svg import Axis, drawing, element, round_ticks

NASTY = '<script>"x"</script> & \''
FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def finding(value: float, low: float, high: float, *, name: str = "fidelity.pairs", better: str = "lower", **beside: float) -> Finding:
    return Finding(name, value, low, high, 100, better, beside)  # type: ignore[arg-type]


def places(chart: str, kind: str, attribute: str) -> list[float]:
    """The horizontal places, in per cent, of everything of one class in a chart."""
    found = [e for e in ElementTree.fromstring(chart).iter() if kind in e.get("class", "").split()]
    return [float(e.get(attribute, "0").rstrip("%")) for e in found]


def test_a_strip_puts_its_marks_in_the_order_of_the_numbers() -> None:
    """Catches an axis that is turned round or a mark drawn from the wrong field."""
    chart = strip(Scale(0.3, 0.2, 0.4, "lower", band=(0.0, 0.1), useless=0.9, limit=0.5), "x")
    band, dot, limit, useless = (places(chart, k, a)[0] for k, a in (("band", "x"), ("mark", "x"), ("limit", "x1"), ("useless", "x1")))
    assert band < dot < limit < useless
    line = places(chart, "whisker", "x1")[0], places(chart, "whisker", "x2")[0]
    assert line[0] < dot < line[1]


def test_an_interval_beyond_the_axis_ends_in_an_arrow() -> None:
    inside = row(Axis(0.0, 1.0), [], [Estimate(0.5, 0.4, 0.6, "dot", "made")], "x")
    beyond = row(Axis(0.0, 1.0), [], [Estimate(0.5, -3.0, 0.6, "dot", "made")], "x")
    assert "head" not in inside
    assert beyond.count("head") == 1


@given(FINITE, FINITE, FINITE)
def test_every_value_has_a_place_inside_the_chart(low: float, width: float, value: float) -> None:
    axis = Axis(low, low + abs(width) + 1.0)
    assert 0.0 <= axis.at(value) <= 100.0


@given(st.floats(1e-3, 1e3), st.floats(1.01, 1e3))
def test_round_ticks_lie_on_the_axis(low: float, factor: float) -> None:
    ticks = round_ticks(low, low * factor)
    assert ticks
    assert all(low * 0.999 - 1e-9 <= t <= low * factor * 1.001 + 1e-9 for t in ticks)
    assert len(ticks) <= 12


@given(st.floats(0.02, 0.9), st.floats(1.1, 40))
def test_log_axes_have_ticks(low: float, high: float) -> None:
    assert 1.0 in Axis(low, high, log=True).ticks()


def test_text_is_escaped_everywhere() -> None:
    """Catches one unescaped attribute or text: the chart would no longer parse, or hold an element called script."""
    curve = Curve("e", "train", NASTY, (0.0, 1.0), (1.0, 0.5), (1.0, 0.4), (1.0, 0.6))
    charts = [
        strip(Scale(0.3, 0.2, 0.4, "lower"), NASTY),
        element("text", {"class": NASTY}, NASTY),
        drawing(NASTY, 10),
        row(Axis(0, 1), [Guide(0.5, "grid", NASTY)], [], NASTY).split("</svg>", 1)[1],
        tally(1, 3, 2.0, NASTY),
        survival([curve], 0.0, 1.0, name="k", sentence=NASTY),
        tradeoff([Point(NASTY, 0.1, 0.5, 0.4, 0.6, "dot", True)], 0.6, name="t", sentence=NASTY),
    ]
    for chart in charts:
        tags = {e.tag for e in ElementTree.fromstring(chart).iter()}
        assert "script" not in tags


@pytest.mark.parametrize("total", [1, 4, 24, 60])
def test_a_tally_is_full_when_everything_holds(total: int) -> None:
    full, empty = tally(total, total, None, "x"), tally(0, total, None, "x")
    assert 'class="lost"' not in full or total > 24
    assert sum(places(empty, "held", "width")) == 0.0
    assert max(places(full, "held", "width")) > 0.0


def test_survival_steps_start_at_one_and_go_down() -> None:
    curve = Curve("e", "train", "a", (10.0, 20.0), (0.9, 0.5), (0.8, 0.4), (1.0, 0.6))
    chart = survival([curve], 0.0, 20.0, name="k", sentence="x")
    path = re.search(r'class="curve train" d="M([^"]+)"', chart)
    assert path
    corners = [tuple(map(float, p.split())) for p in path[1].split("L")]
    assert corners[0] == (40.0, 24.0)
    assert [y for _, y in corners] == sorted(y for _, y in corners)
    assert corners[-1][1] == pytest.approx(24 + 0.5 * 144)


def test_the_survival_axis_starts_at_zero_unless_curves_stay_high() -> None:
    high = Curve("e", "train", "a", (1.0,), (0.9,), (0.87,), (0.95,))
    low = Curve("e", "train", "a", (1.0,), (0.3,), (0.2,), (0.4,))
    assert survival_floor([high]) == pytest.approx(0.8)
    assert survival_floor([high, low]) == 0.0
    assert survival_floor([]) == 0.0


REAL = {"floor": 0.06, "holdout": 0.10, "independent": 0.3}
FEW = "too few patients to tell"
STANDINGS = [
    (finding(0.08, 0.07, 0.09, **REAL), None, "good"),
    (finding(0.11, 0.09, 0.13, **REAL), None, "good"),
    (finding(0.11, 0.09, 0.19, **REAL), None, FEW),  # reaches real, and the worse half of the way to useless
    (finding(0.08, 0.00, 0.16, **REAL), None, FEW),  # as good as real, and wider than half of the way
    (finding(0.17, 0.11, 0.29, **REAL), None, "short of real"),  # wide, but worse than real as a whole: settled
    (finding(0.14, 0.12, 0.16, **REAL), None, "short of real"),
    (finding(0.32, 0.31, 0.33, **REAL), None, "useless"),
    (finding(0.17, 0.00, 0.78, better="higher", floor=0.15, independent=0.41), None, FEW),  # fresh patients do no better than useless
    (finding(0.96, 0.95, 0.97, better="higher", holdout=0.95, independent=0.4), None, "good"),
    (finding(0.39, 0.35, 0.40, better="higher", holdout=0.95, independent=0.4), None, "useless"),
    (finding(1.00, 0.03, 1.00, name="endpoint.decision", better="higher", floor=0.9, independent=0.1), None, FEW),
    (finding(0.00, 0.00, 0.00, name="fidelity.columns", floor=0.0, chance=0.0), None, "good"),  # a constant column
    (finding(0.056, 0.053, 0.059, floor=0.079, floor_low=0.070, floor_high=0.087, independent=0.083), None, FEW),
    (finding(0.056, 0.053, 0.059, floor=0.079, floor_low=0.070, floor_high=0.087, independent=0.2), None, "good"),
    (finding(0.81, 0.70, 0.90, name="membership.distance", chance=0.5), 0.6, "leak shown"),
    (finding(0.55, 0.45, 0.65, name="membership.distance", chance=0.5), 0.6, FEW),
    (finding(0.51, 0.48, 0.54, name="membership.distance", chance=0.5), 0.6, "good"),
    (finding(0.07, 0.00, 0.52, name="membership.distance", chance=0.5), 0.6, FEW),
    (finding(0.55, 0.52, 0.58, name="membership.distance", chance=0.5), None, "short of real"),
    (finding(0.51, 0.48, 0.54, name="membership.distance", chance=0.5), None, "good"),
    (finding(0.33, 0.15, 0.62, name="membership.distance", chance=0.5), None, FEW),
    (finding(0.90, 0.45, 1.00, name="membership.distance", chance=0.5, p=0.0006), 0.6, "leak shown"),
    (finding(0.90, 0.65, 1.00, name="membership.distance", chance=0.5, p=0.3), 0.6, FEW),
    (finding(0.85, 0.80, 0.89, name="privacy.hidden_rate", better="higher"), 0.9, "leak shown"),
    (finding(0.00, -0.01, 0.01, name="privacy.copies", release_rows=0.0, floor=0.0), 0.001, "good"),
    (finding(0.71, 0.64, 0.78, name="privacy.tail", chance=0.7, p=0.4), 0.0, "good"),  # decided by its p alone
    (finding(0.95, 0.80, 0.99, name="privacy.tail", chance=0.7, p=0.02), 0.0, "leak shown"),
    (finding(0.70, 0.60, 0.80, name="control.population", p=0.0005), None, "useless"),
    (finding(0.70, 0.60, 0.80, name="control.population", p=0.02), None, "good"),
]


@pytest.mark.parametrize("found, limit, word", STANDINGS)
def test_where_a_finding_stands(found: Finding, limit: float | None, word: str) -> None:
    """Catches a turned direction, and a limit compared with the estimate instead of its interval."""
    assert standing(found, limit) == word


def test_what_the_gate_refused_stands_against_the_release() -> None:
    """Catches a line that says "cannot tell" of the figure a release was refused for, and one that shows a leak the gate did not count."""
    wide = finding(0.66, 0.53, 0.76, name="membership.distance", chance=0.5)
    exact = finding(0.90, 0.65, 1.00, name="membership.distance", chance=0.5, p=0.01)
    assert [standing(wide, 0.6, refused=r) for r in (None, False, True)] == [FEW, FEW, "leak shown"]
    tail = finding(0.95, 0.80, 0.99, name="privacy.tail", chance=0.7, p=0.0001)
    assert [standing(tail, 0.0, refused=r) for r in (False, True)] == [FEW, "leak shown"]
    assert [standing(exact, 0.6, refused=r) for r in (None, False, True)] == ["leak shown", FEW, "leak shown"]


def test_one_of_many_is_useless_only_among_all_of_them() -> None:
    """Catches the worst of 1,225 pairs judged as if it were the only one, and a trifle that a large table settles."""
    worst = {"floor": 0.10, "independent": 0.15}
    assert standing(finding(0.22, 0.16, 0.28, **worst)) == "useless"
    assert standing(finding(0.22, 0.16, 0.28, **worst, of=1225.0)) == "short of real"
    assert standing(finding(0.30, 0.27, 0.33, **worst, of=1225.0)) == "useless"
    assert standing(finding(0.012, 0.0119, 0.0121, floor=0.002, independent=0.003, of=21.0)) == "short of real"


def test_worse_than_independent_where_real_patients_are_no_better() -> None:
    """Every column shuffled: the band of fresh patients reaches beyond independent columns, and the figure lies beyond both."""
    beside = {"floor": 0.10, "floor_low": 0.085, "floor_high": 0.115, "independent": 0.093}
    assert standing(finding(0.121, 0.116, 0.126, **beside)) == "useless"
    assert standing(finding(0.118, 0.112, 0.124, **beside)) != "useless"


def test_how_many_would_do() -> None:
    """Catches a width that shrinks with n instead of its root. 0.55 (0.45 to 0.65) at a limit of 0.60: half of the width, four times the people."""
    assert needed(finding(0.55, 0.45, 0.65, name="membership.distance", chance=0.5), 0.6) == pytest.approx(400, abs=1)
    assert needed(finding(0.599, 0.45, 0.75, name="membership.distance", chance=0.5), 0.6) is None  # 22,500 times as many
    assert needed(finding(0.08, 0.00, 0.16, **REAL)) == pytest.approx(178, abs=1)
    assert needed(finding(0.17, 0.00, 0.78, better="higher", floor=0.15, independent=0.41)) is None


@given(st.floats(0, 1), st.floats(0, 0.6), st.floats(0.01, 0.5), st.floats(0, 0.3), st.floats(0.01, 0.6))
def test_no_tick_on_a_figure_that_spans_half_of_its_scale(value: float, width: float, floor: float, band: float, way: float) -> None:
    found = finding(value, max(0.0, value - width / 2), value + width / 2, floor=floor, floor_low=floor, floor_high=floor + band, independent=floor + way)
    if max(found.high - found.low, band) > way / 2 + 1e-9:
        assert standing(found) != "good" or found.high == found.low
    if found.low > floor + band:
        assert standing(found) in ("short of real", "useless")


def test_below_the_floor_nothing_is_gained() -> None:
    under, over = (finding(v, v, v, floor=0.078, holdout=0.07) for v in (0.056, 0.098))
    assert (excess(under), scored(under)) == (0.0, 0.078)
    assert excess(over) == pytest.approx(0.02)
    assert scored(over) == 0.098
    better = finding(0.99, 0.9, 1.0, better="higher", floor=0.95)
    assert (excess(better), scored(better)) == (0.0, 0.95)
    assert scored(finding(0.3, 0.2, 0.4, name="membership.distance", chance=0.5)) == 0.5


def test_independent_columns_are_not_useless_where_they_are_perfect() -> None:
    """Single columns drawn independently fit perfectly: the useless end is guessing among levels."""
    found = finding(0.02, 0.01, 0.03, name="fidelity.columns", floor=0.018, holdout=0.03, independent=0.0, chance=0.3)
    assert scale(found).useless == 0.3
    assert standing(found) == "good"


def test_a_rate_at_low_false_alarms_is_not_on_the_coin_axis() -> None:
    assert is_attack(finding(0.5, 0.4, 0.6, name="membership.distance", chance=0.5))
    assert not is_attack(finding(0.02, 0.01, 0.03, name="membership.distance.tpr", chance=0.01))


def test_the_worst_is_sorted_first() -> None:
    near, far = (finding(v, v, v, floor=0.1, independent=0.5) for v in (0.12, 0.3))
    assert badness(far) > badness(near)


def test_an_axis_whose_ends_are_equal_can_be_drawn() -> None:
    """A curve without an event stays where it is: the axis has no width."""
    assert round_ticks(3.0, 3.0) == (3.0,)
    assert Axis(3.0, 3.0).at(3.0) == 50.0
    assert Axis(1.0, 1.0, log=True).at(1.0) == 50.0
