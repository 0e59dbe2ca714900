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
    """Places of the rules that compute a column, each after those that compute what it reads.

    A second rule for the same column, or one that would close a circle, is left out: it is only checked.
    """
    needs: dict[str, tuple[str, ...]] = {}
    place: dict[str, int] = {}
    for i, rule in enumerate(rules):
        if not isinstance(rule, RowRule) or not rule.target or rule.target in place:
            continue
        reads = tuple(c for c in rule.columns if c != rule.target)
        if rule.target not in _reach(reads, needs):
            needs[rule.target], place[rule.target] = reads, i
    done: dict[str, None] = {}
    while len(done) < len(needs):
        for target, reads in needs.items():
            if target not in done and all(c in done or c not in needs for c in reads):
                done[target] = None
    return tuple(place[target] for target in done)


def _reach(columns: Sequence[str], needs: dict[str, tuple[str, ...]]) -> set[str]:
    """These columns and all that they are computed from."""
    seen: set[str] = set()
    waiting = list(columns)
    while waiting:
        column = waiting.pop()
        if column not in seen:
            seen.add(column)
            waiting.extend(needs.get(column, ()))
    return seen
