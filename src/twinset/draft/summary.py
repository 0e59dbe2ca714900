"""What a draft says, on one screen: what is in it, what is not and why, and what is still to be asked. No cell of the table is in it."""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from twinset.core.schema import Schema, left_out
from twinset.draft.columns import SEEN
from twinset.draft.write import Drafted
from twinset.io.absent import TOKENS

WIDTH, MARGIN = 80, 12
MOST_NAMES, MOST_LEFT, MOST_QUESTIONS = 8, 40, 12
QUESTION = re.compile(r"#\s*check:\s*(.*)", re.IGNORECASE)
SECTION = re.compile(r'\[+(?:columns\.)?(?:"((?:[^"\\]|\\.)*)"|([^\]"]+))\]+')
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
SETTINGS = ("dmy", "mdy", "ymd", "date", "category", "public")
ROLES = ("arm", "time", "event", "outcome", "group", "quasi-identifier", "sensitive")


def summary(made: Drafted, *, out: Path, private: bool) -> str:
    """The draft in at most 80 columns of plain text. ``out``: where it was written; ``private``: whether it is for a run under ``[privacy]``."""
    schema, frame = made.schema, made.reading.frame
    study = tomllib.loads(made.text)
    gone, kept = left_out(schema), [c.name for c in schema if c.synthesised and c.name != schema.unit]
    rows = f"{frame.height:,}" + (f" of {frame[schema.unit].n_unique():,} patients, named by `{schema.unit}`" if schema.unit else ", each taken for a patient")
    lines = [f"{out}: a draft. It stays with you.", "", *_part("rows", rows + _chosen(study["data"])), *_part("kept", f"{len(kept)} columns: {_names(kept)}")]
    lines += _part("left out", _count(len(gone), "column")) + _table(gone)
    with_role = [(role, [c.name for c in schema.with_role(role)]) for role in ROLES]  # type: ignore[arg-type]
    said = [f"{role}: {_names(names)}" for role, names in with_role if names]
    if said and not schema.with_role("arm"):
        said.append("no arm was found: nothing compares groups")
    lines += _part("roles", said or ["none was recognised"])
    analyses = [f"{e.get('kind', '')}: {e.get('name', '')}" + (f" by {e['arm']}" if e.get("arm") else "") for e in study.get("endpoints", [])]
    lines += _part("analyses", analyses or [_none(schema)])
    n_rules = len(study.get("rules", [])) or len(re.findall(r"(?m)^# rule = ", made.text)) * bool(private)
    lines += _part("rules", f"{n_rules} proposed{', as comments' if private and n_rules else ''}: keep what is medicine" if n_rules else "none proposed")
    lines += _part("reading", made.reading.notes[:MOST_LEFT]) if made.reading.notes else []
    asked = questions(made.text)
    lines += _part("to decide", _count(len(asked), "question") + (" (look for CHECK in the draft)" if asked else ""))
    for text, places in asked[:MOST_QUESTIONS]:
        lines += textwrap.wrap(f"{_names(places)}: {text}", WIDTH, initial_indent=" " * MARGIN + "- ", subsequent_indent=" " * (MARGIN + 2))
    if len(asked) > MOST_QUESTIONS:
        lines.append(" " * MARGIN + f"- and {len(asked) - MOST_QUESTIONS} more")
    return "\n".join([*lines, "", *_next(out, private=private)]) + "\n"


def _chosen(data: Mapping[str, Any]) -> str:
    """What becomes of a patient's rows."""
    if data.get("widen"):
        return f"; made one row a patient by `{data['widen']}`"
    said = "; only those that `where` in the draft chooses" if data.get("where") else ""
    return said + (f"; the {data['keep']} of each patient" if data.get("keep") in ("first", "last") and data.get("per_patient") == 1 else "")


def questions(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every question that a draft marks with CHECK, without what it tells of cells, and the sections or columns it is about."""
    found: dict[str, list[str]] = {}
    for place, said in _marked(text):
        found.setdefault(QUOTED.sub(_safe, said.split(SEEN)[0]), []).append(place)
    return tuple((said, tuple(dict.fromkeys(places))) for said, places in found.items())


def _marked(text: str) -> Iterator[tuple[str, str]]:
    """Each question with the section it stands in, or before."""
    place = "the table"
    waiting: list[str] = []
    for line in text.splitlines():
        if section := SECTION.fullmatch(line.strip()):
            place = section[1] or section[2]
            yield from ((place, said) for said in waiting)
            waiting = []
        elif asked := QUESTION.search(line):
            if line.startswith("#") and place == "the table":
                waiting.append(asked[1])
            else:
                yield place, asked[1]


def _safe(match: re.Match[str]) -> str:
    """A quoted text where it is a sign for missing or a setting, else a mark in its place: it may be somebody's cell."""
    return match.group() if match[1].lower() in TOKENS or match[1] in SETTINGS else "..."


def _none(schema: Schema) -> str:
    """Why no analysis is proposed: of an outcome by arm that is no survival time there is none yet."""
    outcome, arm = schema.with_role("outcome"), schema.with_role("arm")
    if not (outcome and arm):
        return "none that the draft could switch on"
    return f"none: one of {outcome[0].name} by {arm[0].name} is not built yet, so whether its effect carries over is not tested"


def _part(title: str, said: str | Sequence[str]) -> list[str]:
    """A titled paragraph, or one for each text."""
    lines: list[str] = []
    for text in [said] if isinstance(said, str) else said:
        lines += textwrap.wrap(text, WIDTH - MARGIN, subsequent_indent="  ", break_on_hyphens=False)
    return [f"{title if not i else '':<{MARGIN}}{line}" for i, line in enumerate(lines)]


def _table(gone: Sequence[tuple[str, str]]) -> list[str]:
    wide = min(28, max((len(name) for name, _ in gone), default=0))
    lines = [f"{'':<{MARGIN}}{name:<{wide}}  {why}" for name, why in gone[:MOST_LEFT]]
    lines = [line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in lines]
    return lines + ([" " * MARGIN + f"and {len(gone) - MOST_LEFT} more, listed in the draft"] if len(gone) > MOST_LEFT else [])


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES + 1 else ""
    return ", ".join(names[: MOST_NAMES if more else None]) + more


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}" if n else f"no {what}"


def _next(out: Path, *, private: bool) -> list[str]:
    if not private:
        return ["Read it, correct it, then:", f"  twinset release {out} -o release"]
    return [
        "Fill in what the code book says (the file tells how), then see what it buys:",
        f"  twinset plan {out} --rows N",
        "and release. A run that comes out useless has spent its budget all the same:",
        f"  twinset release {out} -o release",
    ]
