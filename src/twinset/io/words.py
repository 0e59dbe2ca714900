"""What the name of a column says: its words, in lower case."""

from __future__ import annotations

import re
import unicodedata

SPLIT = re.compile(r"[^A-Za-z0-9À-ÿ]+|(?<=[a-zà-ÿ0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-zà-ÿ])")


def words(name: str) -> tuple[str, ...]:
    """The words of a column's name.

    >>> words("fake_first_name"), words("AgeDecade"), words("USUBJID"), words("d.time")
    (('fake', 'first', 'name'), ('age', 'decade'), ('usubjid',), ('d', 'time'))
    """
    return tuple(w.lower() for w in SPLIT.split(name) if w)


def vocabulary(text: str) -> frozenset[str]:
    """The words of a list written with blanks between them."""
    return frozenset(text.split())


def plain(text: str) -> str:
    """In lower case and without accents, as the vocabularies of several languages are written.

    >>> plain("Décès"), plain("Größe")
    ('deces', 'grosse')
    """
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
