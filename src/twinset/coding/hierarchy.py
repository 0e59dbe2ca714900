"""Codes whose first characters say what they have in common: which columns hold them, and what an unlisted code becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ATC = (1, 3, 4, 5)  # anatomical group, therapeutic, pharmacological and chemical subgroup; 7 = the substance
ICD = (3,)  # the category; what follows tells kinds of it apart


def lengths(column: str) -> tuple[int, ...]:
    """The lengths of the prefixes that mean something in the codes of a column, told by its name alone: ATC, ICD, or none.

    A name is public and the same for every row, so this may be asked before anything is paid for.

    >>> lengths("ATC_code"), lengths("icd10"), lengths("discharge diagnosis code"), lengths("diagnosis"), lengths("catch")
    ((1, 3, 4, 5), (3,), (3,), (), ())
    """
    words = re.findall(r"[a-z]+|[0-9]+", column.lower())
    if "atc" in words:
        return ATC
    coded = "code" in words or "codes" in words
    if "icd" in words or "icdcm" in words or (coded and any(w.startswith("diag") or w == "dx" for w in words)):
        return ICD
    return ()


def nearest(level: str, known: Mapping[Any, int], column: str) -> int | None:
    """The place in ``known`` of the longest prefix of an unlisted code that is listed; ``None`` where none is.

    >>> nearest("E11.9", {"E11": 4, "E10": 3}, "icd10")
    4
    """
    found = (known.get(level[:n]) for n in reversed(lengths(column)) if n < len(level))
    return next((place for place in found if place is not None), None)
