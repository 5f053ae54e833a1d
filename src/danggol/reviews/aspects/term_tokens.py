"""Texts cut for tagging: words and marks in scripts that write spaces, single characters in those that join words.

Korean, Chinese and Japanese are cut into characters, since a term ends where its ending begins (``서비스`` in
``서비스가``); each character knows the run between spaces that it is in. Every token knows where it stands in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_JOINED = "\u1100-\u11ff\u3040-\u30ff\u3131-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
_TOKEN = re.compile(rf"[{_JOINED}]|[^\W\d_{_JOINED}]+|\d+|[^\w\s]|_")
_CHUNK = re.compile(r"\S+")
_IS_JOINED = re.compile(rf"[{_JOINED}]")


@dataclass(frozen=True)
class Token:
    """A word, a number, a mark or a character."""

    text: str
    """as it is written"""
    start: int
    end: int
    chunk: int
    """number of the run between spaces that it is in"""
    before: str
    """what stands before it in that run, in lower case"""
    after: str
    """and behind it"""
    joined: bool
    """whether it is a character of a script that joins words"""


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order."""
    found = []
    for nth, chunk in enumerate(_CHUNK.finditer(text)):
        at, whole = chunk.start(), chunk.group().lower()
        same = len(whole) == len(chunk.group())
        for match in _TOKEN.finditer(chunk.group()):
            before, after = (whole[: match.start()], whole[match.end() :]) if same else ("", "")
            word = match.group()
            found.append(
                Token(word, at + match.start(), at + match.end(), nth, before, after, bool(_IS_JOINED.match(word)))
            )
    return found
