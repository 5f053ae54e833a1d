"""Reviews cut into clauses: at marks, before words such as "but", and behind Korean endings that join clauses.

A clause is where one thing is said of one thing; "배송은 빠른데 포장이 엉망" has two. Cutting is by rules, the same for
all languages: what is cut too little is read together, what is cut too much loses its subject.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_MARK = r"[.!?…。！？,，、;；:：()\[\]\n~]+"
_WORDS = (
    "but", "however", "although", "though", "while", "whereas", "except", "yet", "because",
    "aber", "jedoch", "obwohl", "sondern", "doch", "mais", "cependant", "pourtant", "sauf",
    "pero", "aunque", "sino", "mas", "porém", "porem", "embora",
    "하지만", "그런데", "근데", "그러나", "그리고", "다만",
)  # fmt: skip
_KOREAN = r"(?<=[가-힣])(?:지만|는데|은데|한데|인데|른데|픈데|쁜데|운데|면서|으나|거니와)(?=\s|$)"
_JAPANESE = r"(?:けど|けれど|ですが|ますが|ものの|のに)"
_CHINESE = r"(?:但是|但|不过|可是|然而|只是|就是)"
_CUT = re.compile(
    rf"(?:(?P<behind>{_MARK}|{_KOREAN}|{_JAPANESE})|(?P<ahead>(?<!\w)(?:{'|'.join(_WORDS)})(?!\w)|{_CHINESE}))",
    re.IGNORECASE,
)

READ = 2000
"""Characters of a review that are read: of a longer one the first and the last half, as for its sentiment."""
_LONGEST = 200
"""Characters of a clause, at most; where no mark cuts it, it is cut at a blank."""
_MARKS = ".…。！？!?,，、;；:：()[]~ \t\r\n"


class Clause(NamedTuple):
    """A part of a text: ``text[start:end]``."""

    text: str
    start: int
    end: int


def clauses_of(text: str) -> list[Clause]:
    """The clauses of a text that hold a letter or digit, in order; together they leave out only marks and blanks.

    None is longer than 200 characters.
    """
    edges = [0]
    for match in _CUT.finditer(text):
        if _between_digits(text, match.start(), match.end()):
            continue
        edges.append(match.end() if match.group("behind") else match.start())
    edges.append(len(text))
    found = []
    for start, end in pairwise(_with_blanks(text, edges)):
        part = text[start:end].rstrip(_MARKS)
        inner = part.lstrip(_MARKS)
        if any(letter.isalnum() for letter in inner):
            found.append(Clause(inner, start + len(part) - len(inner), start + len(part)))
    return found


def shortened(text: str) -> str:
    """The part of a review that is read."""
    return text if len(text) <= READ else f"{text[: READ // 2]}\n{text[-READ // 2 :]}"


def _with_blanks(text: str, edges: Sequence[int]) -> list[int]:
    """The edges, and more of them where two are too far from each other."""
    found = [0]
    for edge in edges[1:]:
        while edge - found[-1] > _LONGEST:
            far = found[-1] + _LONGEST
            blank = text.rfind(" ", found[-1] + 1, far + 1)
            found.append(far if blank < 0 else blank)
        found.append(edge)
    return found


def _between_digits(text: str, start: int, end: int) -> bool:
    return start > 0 and end < len(text) and text[start - 1].isdigit() and text[end].isdigit()
