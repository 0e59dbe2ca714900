"""Headers of several lines: how many lines they take, and the one name of each column that they make."""

from __future__ import annotations

import re
from collections.abc import Sequence

from twinset.io.absent import TOKENS

MOST, LEAST, LOOKED, CELLS = 4, 3, 40, 50_000
NUMBER = re.compile(r"[<>]?[+-]?\d+([.,]\d+)*( ?%)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
Row = Sequence[str]


def looked_at(width: int) -> int:
    """How many of the first lines of a table so wide are worth a look."""
    return max(8, min(LOOKED, CELLS // max(width, 1)))


def header_lines(rows: Sequence[Row]) -> int:
    """How many of the first lines are header: those that hold words where all below are numbers or dates, or one with gaps over one with names.

    >>> header_lines([["Patient", "", "Labs"], ["age", "sex", "Hb"], ["61", "f", "12.5"], ["44", "m", "13.1"], ["50", "f", "11"]])
    2
    >>> header_lines([["age", "Hb"], ["61", "12.5"], ["44", "n/a"], ["50", "11"]])
    1
    """
    width = max((len(r) for r in rows), default=0)
    lines = [[*(c.strip() for c in r), *[""] * (width - len(r))] for r in rows]
    found = 1
    for k in range(1, min(MOST, len(lines) - 2)):
        if _names(lines, k):
            found = k + 1
    return found


def _names(lines: list[list[str]], k: int) -> bool:
    """Whether line ``k`` holds names, not cells."""
    here, below = lines[k], lines[k + 1 :]
    numeric = [i for i in range(len(here)) if _numbers([row[i] for row in below])]
    if any(NUMBER.fullmatch(here[i]) for i in numeric):
        return False
    known = [{row[i] for row in below} for i in range(len(here))]
    named = [any(c.isalpha() or c in "%°" for c in cell) and cell.lower() not in TOKENS and cell not in known[i] for i, cell in enumerate(here)]
    said = sum(named[i] for i in numeric)
    if said >= 2 and 2 * said >= len(numeric):
        return True
    gaps = sum(not cell for cell in lines[k - 1])
    return 3 * gaps >= len(here) and gaps >= 2 and all(named) and len(set(here)) == len(here)


def _numbers(cells: list[str]) -> bool:
    seen = [c for c in cells if c and c.lower() not in TOKENS]
    return len(seen) >= LEAST and sum(bool(NUMBER.fullmatch(c)) for c in seen) >= 0.8 * len(seen)


def joined(lines: Sequence[Row]) -> list[str]:
    """One name for each column: what stands over it, from top to bottom, joined by underscores; "" where nothing does.

    A title over several columns (merged cells) is each one's, and left away where the names below it are unique without any.

    >>> joined([["id", "Labs", "", "Visit"], ["", "Hb", "CRP", "date"]]), joined([["Day 1", "", "Day 2", ""], ["Hb", "CRP", "Hb", "CRP"]])
    (['id', 'Hb', 'CRP', 'Visit_date'], ['Day 1_Hb', 'Day 1_CRP', 'Day 2_Hb', 'Day 2_CRP'])
    """
    width = max((len(line) for line in lines), default=0)
    parts: list[list[tuple[str, bool]]] = [[] for _ in range(width)]
    for depth, line in enumerate(lines):
        cells = [re.sub(r"\s+", " ", c).strip() for c in (*line, *[""] * (width - len(line)))]
        below = [any(i < len(other) and other[i].strip() for other in lines[depth + 1 :]) for i in range(width)]
        over = ""
        for i, cell in enumerate(cells):
            over = cell if cell else over
            if not below[i] and not cell:
                over = ""
                continue
            if cell and not below[i]:
                over = ""
            spans = bool(over) and below[i] and (not cell or (i + 1 < width and not cells[i + 1] and below[i + 1]))
            if cell or over:
                parts[i].append((cell or over, spans))
    own = ["_".join(dict.fromkeys(text for text, spans in column if not spans)) for column in parts]
    named = [name for name in own if name]
    whole = ["_".join(dict.fromkeys(text for text, _ in column)) for column in parts]
    return own if len(set(named)) == len(named) and len(named) == sum(map(bool, whole)) else whole
