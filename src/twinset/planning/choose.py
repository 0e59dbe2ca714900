"""The section [privacy] written into a study file, everything else left as it was."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twinset.errors import BadInput, OutputProblem
from twinset.io.place import new_file
from twinset.io.toml import toml

HEADER = re.compile(r"\s*\[")
SECTION = re.compile(r"\s*\[\s*privacy\s*\]\s*(#.*)?$")
Chosen = Mapping[str, float | str]


def choose(path: Path, *, epsilon: float, unit: str, relation: str) -> None:
    """Set ``epsilon``, ``unit`` and ``relation`` of ``[privacy]`` in a study file: in its section where it has one, else in a new one at its end.

    Comments and all other lines stay. Written beside and renamed; the same choice twice changes nothing. Raises BadInput where epsilon is
    beyond the file's own ``budget``, OutputProblem where the file cannot be edited such that it says what was chosen and nothing else changes.
    """
    path = path.resolve()  # a link stays a link
    raw = path.read_bytes()
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    text = raw[len(mark) :].decode("utf-8")
    chosen: Chosen = {"epsilon": epsilon, "unit": unit, "relation": relation}
    before = _read(text, path)
    budget = _section(before).get("budget")
    if isinstance(budget, int | float) and epsilon > budget:
        hint = "choose less, or raise the budget if you may"
        raise BadInput("epsilon is more than the budget that the study file sets", where="privacy.budget", hint=hint)
    edited = with_privacy(text, chosen)
    after = _read(edited, path)
    if after != before | {"privacy": {**_section(before), **chosen}}:
        raise _unsafe(path)
    if edited != text:
        mode = path.stat().st_mode & 0o777
        with new_file(path, overwrite=True) as temporary:
            temporary.write_bytes(mark + edited.encode("utf-8"))
            temporary.chmod(mode)


def with_privacy(text: str, chosen: Chosen) -> str:
    """The text of a study file with these keys of ``[privacy]`` set.

    >>> print(with_privacy('[privacy]\\nepsilon = 9.0  # too much\\nbudget = 10\\n', {"epsilon": 5.0, "unit": "row"}))
    [privacy]
    epsilon = 5.0  # too much
    unit = "row"
    budget = 10
    <BLANKLINE>
    """
    end = "\r" if "\r\n" in text else ""
    lines = text.removesuffix("\n").split("\n") if text else []
    head = next((i for i, line in enumerate(lines) if SECTION.match(line)), None)
    if head is None:
        lines += ([end] if lines and lines[-1].strip() else []) + ["[privacy]" + end]
        head = len(lines) - 1
    last = head
    for key, value in chosen.items():
        stop = next((i for i in range(head + 1, len(lines)) if HEADER.match(lines[i])), len(lines))
        at = next((i for i in range(head + 1, stop) if re.match(rf"\s*{key}\s*=", lines[i])), None)
        if at is None:
            at = last + 1
            lines.insert(at, f"{key} = {toml(value)}{end}")
        else:
            lines[at] = _replaced(lines[at], value)
        last = max(last, at)
    return "\n".join(lines) + "\n"


def _replaced(line: str, value: float | str) -> str:
    """The line with another value, its comment kept."""
    found = re.fullmatch(r"""([^=]*=\s*)("[^"]*"|'[^']*'|[^#]*?)(\s*(?:#.*)?)""", line)
    return line if found is None else f"{found[1]}{toml(value)}{found[3]}"


def _section(data: Mapping[str, Any]) -> dict[str, Any]:
    section = data.get("privacy", {})
    return dict(section) if isinstance(section, dict) else {}


def _read(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise _unsafe(path) from None


def _unsafe(path: Path) -> OutputProblem:
    return OutputProblem("the study file could not be edited safely; it is unchanged", where=path.name, hint="write the section [privacy] by hand")
