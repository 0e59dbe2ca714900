"""How often each rule is broken in a cohort, as findings."""

from __future__ import annotations

from collections.abc import Sequence

from twinset.core.cohort import Cohort
from twinset.core.contracts import Rule
from twinset.core.finding import Finding, not_measured
from twinset.errors import TwinsetError

NAME = "rules.broken"


def check(rules: Sequence[Rule], cohort: Cohort, *, what: str) -> tuple[Finding, ...]:
    """One finding ``rules.broken`` per rule, in the order given: the share of rows that break it.

    ``what`` names the rows in sentences: "source", "synthetic", or with its article "the hold-out patients". ``value`` is a fraction of the ``n`` rows, the
    interval is Clopper and Pearson's (1934), exact: with no row broken its upper end is about 3.7 / n. ``where`` is the
    rule's name. A rule whose columns are absent, or hold something else, is a finding that was not measured.
    """
    return tuple(_one(rule, cohort, what) for rule in rules)


def _one(rule: Rule, cohort: Cohort, what: str) -> Finding:
    if not len(cohort):
        return not_measured(NAME, f"there are no rows in {what}", where=rule.name, label=rule.name)
    try:
        n_broken = int(rule.broken(cohort).sum())
    except TwinsetError as problem:
        why = str(problem).partition("\n")[0]
        return not_measured(NAME, f"the rule cannot be evaluated on {what}: {why}", where=rule.name, label=rule.name)
    n = len(cohort)
    low, high = clopper_pearson(n_broken, n)
    whose = what if what.startswith("the ") else f"the {what} cohort"
    says = f"{n_broken:,} of {n:,} rows of {whose} break this rule." if n_broken else f"None of {n:,} rows of {whose} breaks this rule."
    silent = "A rule that every row keeps shows that rows are possible, not that they are likely; rows with a missing value in a comparison do not break it."
    return Finding(NAME, n_broken / n, low, high, n, "lower", {"floor": 0.0}, where=rule.name, says=says, silent_on=silent, label=rule.name)


def clopper_pearson(k: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share ``k / n`` (Clopper and Pearson 1934).

    >>> [round(x, 4) for x in clopper_pearson(0, 100)]
    [0.0, 0.0362]
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high
