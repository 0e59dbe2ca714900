"""Exact p-values: against counting by hand, against scipy, with ties, and the lot drawn no longer than needed."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from twinset.audit.exact import by_lot, crossed, drawn, ranks


def test_six_above_seven_is_one_in_1716() -> None:
    tails = ranks(np.arange(7.0, 13.0), np.arange(7.0))
    assert tails.above == pytest.approx(1 / 1716)
    assert tails.below == 1.0
    assert ranks(np.arange(7.0), np.arange(7.0, 13.0)).below == pytest.approx(1 / 1716)


@pytest.mark.parametrize("m, n", [(3, 5), (5, 3), (4, 4), (1, 6)])
def test_ranks_with_ties_equal_the_count_of_all_lots(m: int, n: int) -> None:
    scores = np.random.default_rng(m * n).integers(0, 4, m + n).astype(float)

    def above(chosen: tuple[int, ...]) -> float:
        rest = [i for i in range(m + n) if i not in chosen]
        return sum((scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]) for i, j in product(chosen, rest))

    lots = [above(c) for c in combinations(range(m + n), m)]
    seen = above(tuple(range(m)))
    tails = ranks(scores[:m], scores[m:])
    assert tails.above == pytest.approx(np.mean([x >= seen for x in lots]))
    assert tails.below == pytest.approx(np.mean([x <= seen for x in lots]))


def test_the_normal_law_takes_over_where_counting_ends() -> None:
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(0)
    one, two = np.round(rng.normal(0.2, 1, 300), 1), np.round(rng.normal(0, 1, 90), 1)
    assert ranks(one, two).above == pytest.approx(mannwhitneyu(one, two, alternative="greater", method="asymptotic").pvalue, rel=1e-6)
    assert ranks(one, two, inflate=1.5).above > ranks(one, two).above
    assert ranks(np.ones(500), np.ones(500)).above == 1.0
    assert ranks(np.ones(3), np.ones(3)) == (1.0, 1.0)


def test_drawn_is_hypergeometric() -> None:
    from scipy.stats import hypergeom

    for x in range(3, 11):
        assert drawn(x, 10, 30, 50).above == pytest.approx(hypergeom.sf(x - 1, 50, 30, 10))
        assert drawn(x, 10, 30, 50).below == pytest.approx(hypergeom.cdf(x, 50, 30, 10))
    assert drawn(0, 0, 5, 10) == (1.0, 1.0)


def test_mixed_pairs_equal_the_count_of_all_lots() -> None:
    n, marked, k = 8, 3, 3  # pairs (0,1), (2,3), (4,5)
    lots = [sum((2 * i in c) != (2 * i + 1 in c) for i in range(k)) for c in combinations(range(n), marked)]
    for x in range(k + 1):
        assert crossed(x, k, marked, n) == pytest.approx(np.mean([lot >= x for lot in lots]))


def test_the_lot_is_drawn_no_longer_than_needed() -> None:
    asked: list[int] = []

    def draw(times: int) -> np.ndarray:
        asked.append(times)
        return np.arange(times) / times

    assert by_lot(0.5, draw, most=9_999) > 0.4
    assert sum(asked) == 99
    assert by_lot(2.0, draw, most=999) == 1 / 1000


def test_many_ties_are_no_normal_law() -> None:
    """One of 50 others above 950 equal members: by lot once in 20. The normal law says 7 in a million, and called an honest hold-out swapped."""
    members, others = np.zeros(950), np.r_[np.zeros(49), 1.0]
    assert ranks(members, others).below == pytest.approx(0.05, abs=0.01)
    three = ranks(np.zeros(1030), np.r_[np.zeros(57), 1.0, 1.0, 1.0]).below
    assert three == pytest.approx(drawn(3, 3, 60, 1090).above, abs=3e-4)
    rng = np.random.default_rng(5)
    few = np.r_[np.zeros(900), rng.random(100)]
    assert 0.01 < ranks(few, np.r_[np.zeros(270), rng.random(30)]).above < 0.99
