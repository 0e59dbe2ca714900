"""The section [privacy] written into a study file, everything else left as it was."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from twinset.errors import OutputProblem
from twinset.io.place import new_file
from twinset.io.toml import toml

HEADER = re.compile(r"^\s*\[")
SECTION = re.compile(r"^\s*\[\s*privacy\s*\]\s*(#.*)?$")


def choose(path: Path, *, epsilon: float, unit: str) -> None:
    """Set ``privacy.epsilon`` and ``privacy.unit`` in a study file: in its section where it has one, else in a new one at its end.

    Comments and all other lines stay. Written beside and renamed; the same choice twice changes nothing. Raises OutputProblem where the
    file cannot be edited so that it then says what was chosen.
    """
    text = path.read_bytes().decode("utf-8-sig")
    edited = with_privacy(text, epsilon=epsilon, unit=unit)
    before, after = tomllib.loads(text), tomllib.loads(edited)
    wanted = before.get("privacy", {}) | {"epsilon": epsilon, "unit": unit}
    if after.get("privacy") != wanted or {k: v for k, v in after.items() if k != "privacy"} != {k: v for k, v in before.items() if k != "privacy"}:
        raise OutputProblem("the study file could not be edited safely; it is unchanged", where=path.name, hint="write the section [privacy] by hand")
    if edited != text:
        with new_file(path, overwrite=True) as temporary:
            temporary.write_text(edited, encoding="utf-8", newline="\n")


def with_privacy(text: str, *, epsilon: float, unit: str) -> str:
    """The text of a study file with these two keys set.

    >>> print(with_privacy('[privacy]\\nepsilon = 9.0  # too much\\nbudget = 10\\n', epsilon=5.0, unit="row"))
    [privacy]
    epsilon = 5.0  # too much
    unit = "row"
    budget = 10
    <BLANKLINE>
    """
    lines = text.splitlines(keepends=True)
    head = next((i for i, line in enumerate(lines) if SECTION.match(line)), None)
    values = {"epsilon": toml(epsilon), "unit": toml(unit)}
    if head is None:
        gap = "" if text.endswith("\n\n") or not text else "\n" if text.endswith("\n") else "\n\n"
        return text + gap + "[privacy]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())
    end = next((i for i in range(head + 1, len(lines)) if HEADER.match(lines[i])), len(lines))
    last = head
    for key, value in values.items():
        pattern = re.compile(rf"^(\s*{key}\s*=\s*)([^#\n]*?)(\s*(?:#.*)?)$")
        at = next((i for i in range(head + 1, end) if pattern.match(lines[i].rstrip("\n"))), None)
        if at is None:
            lines.insert(last + 1, f"{key} = {value}\n")
            at, end = last + 1, end + 1
        else:
            found = pattern.match(lines[at].rstrip("\n"))
            assert found is not None
            lines[at] = f"{found.group(1)}{value}{found.group(3)}\n"
        last = at
    return "".join(lines)
