"""How many guesses of a draft are wrong or missing, against what was decided by hand (``drafts.toml``).

``PYTHONPATH=src:. python -m tests.golden.drafts [--held-out] [TABLE ...]`` prints the table.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from twinset.draft import draft

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data"
ROLES = ("identifier", "quasi-identifier", "arm", "time", "event", "outcome", "group")


def truths() -> dict[str, dict[str, Any]]:
    """What was decided, by table."""
    return tomllib.loads((HERE / "drafts.toml").read_text(encoding="utf-8"))


def place(name: str, truth: dict[str, Any], data: Path) -> Path:
    """Where the table lies."""
    if name.startswith("lifelines:"):
        return Path(str(files("lifelines").joinpath("datasets", name.partition(":")[2])))
    return data / truth["file"]


def errors(text: str, truth: dict[str, Any]) -> list[str]:
    """Each wrong or missing guess of a draft, in words."""
    study = tomllib.loads(text)
    return [*_types(study, truth), *_roles(study, truth), *_endpoints(study, truth), *_rows(study, text, truth)]


def live(text: str, truth: dict[str, Any]) -> bool:
    """Whether the draft's endpoints that are not commented out hold every one of the truth, and no other."""
    return not list(_endpoints(tomllib.loads(text), truth))


def _made(study: dict[str, Any], name: str) -> list[str]:
    """The columns of the study that a column of the table became: itself, or one for each level where the table is widened."""
    columns = study["columns"]
    return [name] if name in columns or not study["data"].get("widen") else [c for c in columns if c.startswith(f"{name}_")]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _types(study: dict[str, Any], truth: dict[str, Any]) -> Iterator[str]:
    for name, right in truth.get("types", {}).items():
        for made in _made(study, name)[:1]:
            kind = study["columns"][made]["type"]
            if kind not in _list(right):
                yield f"type of {name}: {kind}, not {right}"


def _roles(study: dict[str, Any], truth: dict[str, Any]) -> Iterator[str]:
    wanted = {c: role for role in ROLES for c in truth.get(role, ())}
    gone = set(_list(truth.get("apart", [])))
    known = {made for c in wanted for made in _made(study, c)}
    for name, role in wanted.items():
        made = _made(study, name)
        if not made and name in gone:
            continue
        got = study["columns"][made[0]]["role"] if made else "no such column"
        if got not in (role, *truth.get("also", {}).get(name, ())):
            yield f"role of {name}: {got!r}, not {role!r}"
    also = {made: roles for c, roles in truth.get("also", {}).items() for made in _made(study, c)}
    for name, part in study["columns"].items():
        if name not in known and part["role"] not in ("", "sensitive", *also.get(name, ())):
            yield f"role of {name}: {part['role']!r}, not ''"
    outcomes = truth.get("outcome_any", ())
    if outcomes and not any(study["columns"][made]["role"] == "outcome" for c in outcomes for made in _made(study, c)):
        yield f"no outcome among {', '.join(outcomes)}"


def _endpoints(study: dict[str, Any], truth: dict[str, Any]) -> Iterator[str]:
    made = study.get("endpoints", [])
    matched = set()
    for right in truth.get("endpoints", ()):
        times, events = _made(study, right["time"]), _made(study, right["event"])
        found = [i for i, e in enumerate(made) if e.get("time") in times and e.get("event") in events]
        if not found:
            yield f"endpoint missing: {right['time']} / {right['event']}"
            continue
        matched.update(found)
        got = made[found[0]]
        if got.get("event_value", 1) != right["value"]:
            yield f"event value of {right['event']}: not {right['value']}"
        arms = [m for a in _list(right["arm"]) for m in (_made(study, a) if a else [""])]
        if got.get("arm", "") not in arms:
            yield f"arm of endpoint {right['time']}: {got.get('arm', '')!r}, not {right['arm']!r}"
    yield from (f"endpoint that is none: {e.get('time')} / {e.get('event')}" for i, e in enumerate(made) if i not in matched)


def _rows(study: dict[str, Any], text: str, truth: dict[str, Any]) -> Iterator[str]:
    data, unit = study["data"], _list(truth.get("unit", "row"))
    if data.get("unit", "row") not in unit:
        yield f"unit: {data.get('unit')}, not {' or '.join(unit)}"
    if "apart" in truth and not any(re.search(rf"^# .*`{re.escape(c)}`.* tells? (the|a patient's) rows apart", text, re.M) for c in _list(truth["apart"])):
        yield f"not named: {' or '.join(_list(truth['apart']))} tells rows apart"
    if "rows" in truth and not any(_kept(data, wanted) for wanted in _list(truth["rows"])):
        yield f"rows of a patient: not {' or '.join(_list(truth['rows']))}"


def _kept(data: dict[str, Any], wanted: str) -> bool:
    how, _, column = wanted.partition(" ")
    if how == "where":
        return re.match(rf"`?{re.escape(column)}\b", data.get("where", "")) is not None
    if how == "widen":
        return bool(data.get("widen") == column)
    return data.get("keep") == how and data.get("per_patient") == 1 and not data.get("widen")


def measured(names: list[str], *, data: Path = DATA) -> dict[str, tuple[list[str], bool | None]]:
    """By table: its wrong or missing guesses, and whether its endpoints are right and live (``None`` where it has none)."""
    found = {}
    for name, truth in truths().items():
        if name in names:
            text = draft(place(name, truth, data))
            found[name] = errors(text, truth), live(text, truth) if "endpoints" in truth else None
    return found


def main(arguments: list[str]) -> None:
    """Print a table of errors."""
    every, held, quiet = truths(), "--held-out" in arguments, "--quiet" in arguments
    named = [a for a in arguments if not a.startswith("--")]
    names = named or [n for n, t in every.items() if t.get("held_out", False) == held]
    found = measured(names)
    for name, (wrong, right) in found.items():
        _tell(f"{name:32} {len(wrong):2}  {'' if right is None else 'endpoints right' if right else 'ENDPOINTS'}")
        for line in () if quiet else wrong:
            _tell(f"      {line}")
    ends = [right for _, right in found.values() if right is not None]
    _tell(f"{sum(len(w) for w, _ in found.values()) / len(found):.2f} a table, {len(found)} tables; endpoints right in {sum(ends)} of {len(ends)}")


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
