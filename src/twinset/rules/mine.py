"""Rules that the rows suggest: proposals for a person to judge, never rules by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from twinset.core.cohort import Cohort
from twinset.rules import gaps, relations, ties
from twinset.rules.evaluate import truth
from twinset.rules.language import RowRule, from_node
from twinset.rules.seen import Candidate, Finder, see
from twinset.rules.tree import Chain, Implies, Name

LEAST_ROWS = 50
PRIVATE = "Read from the rows, so private in origin: keep it if the study's design says so."
BENDS = "Keeping it by redrawing rows would bend these columns, so it is off until it can be kept exactly."
MOST_TIES = 6
TIED = 0.05  # of the rows: an order whose columns are equal so often is not kept by redrawing, which makes no ties

# what is looked for, and how many of it are proposed at most
KINDS: tuple[tuple[Finder, int], ...] = (
    (gaps.conditions, 12),
    (relations.dependences, 12),
    (relations.sums, 4),
    (relations.orders, 8),
    (gaps.blocks, 8),
)


@dataclass(frozen=True)
class Proposal:
    """``text``: a rule in the language of ``rules.language``. ``why``: a few sentences, without values.

    ``state``: "live" where every row keeps it, and redrawing can keep it in synthetic rows; "off" where every row keeps it and redrawing would do harm;
    "nearly" where some rows break it. ``why`` says so.
    """

    text: str
    why: str
    state: Literal["live", "off", "nearly"] = "live"


def propose(cohort: Cohort) -> tuple[Proposal, ...]:
    """Up to 50 rules that hold in all rows, or are equalities in nearly all, and that chance does not explain; none for fewer than 50 rows.

    Looked for, in this order: gaps that go with a value or a bound of another column, columns that follow another, sums,
    orders, columns missing together, and columns that are equal where another has one value. Candidates come from up to 20,000 rows and the first
    400 columns, at odds of chance below e⁻³⁰ if the columns were independent, and are then checked on every row. Other rules on three or more
    columns (but for sums), and other rules that a few rows break, are not found.

    Conditional equalities, and orders whose columns are equal in more than 5 % of the rows, are "off": rows that are redrawn
    until they keep such a rule lose its ties, and whom they lose differs (measured: an event's share rose from 8 % to 27 %).
    """
    if len(cohort) < LEAST_ROWS or not len(cohort.schema.synthesised):
        return ()
    seen = see(cohort)
    found: list[Proposal] = []
    taken: set[str] = set()
    for finder, most in KINDS:
        kept = _verified(sorted(finder(seen), key=lambda c: -c.strength), cohort, taken, most)
        found += [_proposal(rule, candidate, cohort) for rule, candidate in kept]
    equal = sorted(ties.ties(seen), key=lambda c: -c.strength)
    return (*found, *(p for c in equal[:MOST_TIES] if (p := _tie(c, cohort))))


def _proposal(rule: RowRule, candidate: Candidate, cohort: Cohort) -> Proposal:
    why = f"{_sentence(candidate.why)} {PRIVATE}"
    share = _tied(rule, cohort)
    return (
        Proposal(rule.text, why)
        if share <= TIED
        else Proposal(rule.text, f"{_sentence(candidate.why)} They are equal in {share:.0%} of the rows. {BENDS}", "off")
    )


def _tied(rule: RowRule, cohort: Cohort) -> float:
    """For an order ``a <= b``: the share of rows, of those with both, in which they are equal; 0 for other rules."""
    node = rule.node
    if not (isinstance(node, Chain) and node.ops == ("<=",) and all(isinstance(t, Name) for t in node.terms)):
        return 0.0
    equal = truth(Chain(node.terms, ("==",)), cohort)
    return float(equal.yes.sum()) / max(float((equal.yes | equal.no).sum()), 1.0)


def _tie(candidate: Candidate, cohort: Cohort) -> Proposal | None:
    """A conditional equality with its count over all rows; ``None`` where they do not bear out what the sample said."""
    rule, node = from_node(candidate.node), candidate.node
    assert isinstance(node, Implies)
    equal = truth(node.right, cohort)
    rows = truth(node.left, cohort).yes & (equal.yes | equal.no)
    n, n_kept = int(rows.sum()), int(np.count_nonzero(rows & equal.yes))
    if n_kept < ties.NEARLY * max(n, 1):
        return None
    told = f"{candidate.why}, in {n_kept:,} of {n:,} rows"
    if n_kept == n:
        return Proposal(rule.text, f"{told}. {BENDS}", "off")
    return Proposal(rule.text, f"{told} ({min(n_kept / n, 0.999):.1%}): no rule, but to be known when the release is judged.", "nearly")


def _verified(candidates: Sequence[Candidate], cohort: Cohort, taken: set[str], most: int) -> list[tuple[RowRule, Candidate]]:
    """The first ``most`` candidates that no row breaks; a column is given its value by one rule only."""
    kept: list[tuple[RowRule, Candidate]] = []
    for candidate in candidates:
        rule = from_node(candidate.node)
        if rule.defines and rule.target in taken:
            continue
        if rule.broken(cohort).any():
            continue
        if rule.defines:
            taken.add(rule.target)
        kept.append((rule, candidate))
        if len(kept) == most:
            break
    return kept


def _sentence(why: str) -> str:
    return f"In every row, {why}." if why.startswith("each") else f"{why}, in every row."
