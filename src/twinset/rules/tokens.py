"""A rule's text cut into tokens, and a place in them. Errors carry the place, never the text: a rule may hold levels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from twinset.errors import RuleInvalid
from twinset.rules import tree

MOST_CHARACTERS = 200_000

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<date>date\(\s*[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?\s*\))
  | (?P<quoted>`(?:[^`]|``)+`)
  | (?P<text>"(?:[^"\\]|\\["\\ntr])*")
  | (?P<name>[^\W\d][\w.]*)
  | (?P<sign><->|->|<=|>=|==|!=|~=|[<>=+\-*/^%(){},:])
    )""",
    re.VERBOSE,
)


class Token(NamedTuple):
    kind: str  # number, date, quoted, text, name, sign, end
    text: str
    at: int  # 1-based character in the rule


@dataclass
class Tokens:
    """The tokens of one rule, read from left to right. ``where`` names the rule in errors."""

    text: str
    where: str
    place: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.cut(self.text)

    def cut(self, text: str) -> list[Token]:
        """All tokens, an ``end`` behind them. Raises RuleInvalid where a character begins none."""
        if len(text) > MOST_CHARACTERS:
            raise self.wrong("the rule is too long", 1)
        tokens, start, end = [], 0, len(text.rstrip())
        while start < end:
            match = _TOKEN.match(text, start)
            if match is None:
                at = start + len(text[start:]) - len(text[start:].lstrip()) + 1
                raise self.wrong("cannot read on from here", at, 'text goes in double quotes ("), odd column names in backquotes (`), \\" for a quote inside')
            kind = str(match.lastgroup)
            tokens.append(Token(kind, match[kind], match.start(kind) + 1))
            start = match.end()
        tokens.append(Token("end", "", len(text) + 1))
        return tokens

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.tokens[self.place]
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def sees(self, *texts: str) -> bool:
        return self.now.kind in ("sign", "name") and self.now.text in texts

    def skip(self, text: str) -> bool:
        if self.sees(text):
            self.take()
            return True
        return False

    def need(self, text: str) -> None:
        if not self.skip(text):
            raise self.wrong(f"`{text}` is expected here", self.now.at)

    def wrong(self, message: str, at: int, hint: str = "") -> RuleInvalid:
        return RuleInvalid(message, where=f"{self.where}, character {at}", hint=hint)

    def is_name(self, token: Token) -> bool:
        return token.kind == "quoted" or (token.kind == "name" and token.text not in tree.KEYWORDS)
