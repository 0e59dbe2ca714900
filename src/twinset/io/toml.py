"""Values as TOML text; whatever a name or a level holds, the text can be read back."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

Value = str | bool | int | float | dt.date | Sequence["str | bool | int | float"]
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
ODD = re.compile(r'[\\"\x00-\x1f\x7f-\x9f\u2028\u2029]')
LINE = 140


def toml(value: Value) -> str:
    """A value as TOML: strings quoted, dates bare, lists on one line or, if long, over several.

    >>> print(toml(['a"b', 1, 2.0, True]))
    ["a\\"b", 1, 2.0, true]
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dt.date):  # and moments, which are dates with a clock
        return value.isoformat()
    if isinstance(value, str):
        return '"' + ODD.sub(_escaped, value) + '"'
    return _list([toml(v) for v in value])


def key(name: str) -> str:
    """A name as a TOML key: bare where it may be, else quoted.

    >>> key("age"), key("d.time")
    ('age', '"d.time"')
    """
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def comment(text: str) -> str:
    """One comment line; line breaks and control characters in ``text`` become blanks."""
    return "# " + re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def _escaped(match: re.Match[str]) -> str:
    return ESCAPES.get(match.group(), f"\\u{ord(match.group()):04x}")


def _list(items: list[str]) -> str:
    if sum(len(i) + 2 for i in items) <= LINE:
        return f"[{', '.join(items)}]"
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) > LINE and lines[-1]:
            lines.append("")
        lines[-1] += f"{item}, "
    return "[\n" + "\n".join(f"  {line.rstrip()}" for line in lines) + "\n]"
