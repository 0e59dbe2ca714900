"""Which rules hang together, and in what order computed columns are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinset.core.contracts import Rule
from twinset.rules.language import RowRule


@dataclass(frozen=True)
class Group:
    """Rules (places in the list) that share columns, directly or through each other; no columns = rules that may look at any."""

    rules: tuple[int, ...]
    columns: tuple[str, ...]


def groups_of(rules: Sequence[Rule]) -> tuple[Group, ...]:
    """The rules in groups that share no column: what keeps one group's rules never touches another's.

    A rule that does not tell its columns joins all into one group without columns.
    """
    if not all(isinstance(r, RowRule) for r in rules):
        return (Group(tuple(range(len(rules))), ()),)
    root: dict[str, str] = {}

    def find(column: str) -> str:
        while root.setdefault(column, column) != column:
            root[column] = column = root[root[column]]
        return column

    named = [r.columns for r in rules if isinstance(r, RowRule)]
    for names in named:
        for other in names[1:]:
            root[find(other)] = find(names[0])
    places: dict[str, list[int]] = {}
    members: dict[str, dict[str, None]] = {}
    for i, names in enumerate(named):
        places.setdefault(find(names[0]), []).append(i)
        members.setdefault(find(names[0]), {}).update(dict.fromkeys(names))
    return tuple(Group(tuple(p), tuple(members[key])) for key, p in places.items())


def in_order(rules: Sequence[Rule]) -> tuple[int, ...]:
    """Places of the rules that settle a column, each after those that settle what it reads.

    A second ``=`` or ``follows`` for a column, or a rule that would close a circle, is left out: it is only checked.
    """
    needs: dict[str, set[str]] = {}
    defined: set[str] = set()
    chosen: list[tuple[int, str, set[str]]] = []
    for i, rule in enumerate(rules):
        if not isinstance(rule, RowRule) or not rule.target or (rule.defines and rule.target in defined):
            continue
        reads = {c for c in rule.columns if c != rule.target}
        if rule.target not in _reach(reads, needs):
            needs.setdefault(rule.target, set()).update(reads)
            chosen.append((i, rule.target, reads))
            defined.update({rule.target} if rule.defines else ())
    ranked: dict[str, int] = {}
    for _, target, _ in chosen:
        _rank(target, needs, ranked)
    return tuple(i for i, target, _ in sorted(chosen, key=lambda c: ranked[c[1]]))


def _reach(columns: set[str], needs: dict[str, set[str]]) -> set[str]:
    """These columns and all that they are settled from."""
    seen: set[str] = set()
    waiting = list(columns)
    while waiting:
        column = waiting.pop()
        if column not in seen:
            seen.add(column)
            waiting.extend(needs.get(column, ()))
    return seen


def _rank(column: str, needs: dict[str, set[str]], ranked: dict[str, int]) -> int:
    """0 for a column that nothing settles, else one more than the highest it reads (there are no circles)."""
    if column not in ranked:
        ranked[column] = 1 + max((_rank(c, needs, ranked) for c in needs[column]), default=0) if column in needs else 0
    return ranked[column]
