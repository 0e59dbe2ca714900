"""Rules that the rows suggest: proposals for a person to judge, never rules by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinset.core.cohort import Cohort
from twinset.rules import gaps, relations
from twinset.rules.language import RowRule, from_node
from twinset.rules.seen import Candidate, Finder, see

LEAST_ROWS = 50
PRIVATE = "Read from the rows, so private in origin: keep it if the study's design says so."

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
    """``text``: a rule in the language of ``rules.language`` that every row keeps. ``why``: one or two sentences, without values."""

    text: str
    why: str


def propose(cohort: Cohort) -> tuple[Proposal, ...]:
    """Up to 44 rules that hold in all rows and that chance does not explain, the same for the same rows, none for fewer than 50.

    Looked for, in this order: gaps that go with a value or a bound of another column, columns that follow another, sums,
    orders, columns missing together. Candidates come from up to 20,000 rows and the first 400 columns, at odds of
    chance below e⁻³⁰ if the columns were independent, and are then checked on every row. Rules on three or more columns
    (but for sums), and rules that a few rows break, are not found.
    """
    if len(cohort) < LEAST_ROWS or not len(cohort.schema.synthesised):
        return ()
    seen = see(cohort)
    found: list[Proposal] = []
    taken: set[str] = set()
    for finder, most in KINDS:
        kept = _verified(sorted(finder(seen), key=lambda c: -c.strength), cohort, taken, most)
        found += [Proposal(rule.text, f"{_sentence(candidate.why)} {PRIVATE}") for rule, candidate in kept]
    return tuple(found)


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
