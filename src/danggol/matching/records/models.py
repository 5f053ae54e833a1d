"""Model numbers of two records: the same, one the beginning of the other, or speaking against each other.

Sellers write ``KDL-46V5100``, ``kdl46v5100`` and ``KDL46V5100/B`` for one thing, so a code is searched in the whole
text of the other record, of which only letters and digits are left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from danggol.matching.records.views import Columns
from danggol.matching.records.words import Floats, Ints, codes, compact

_RUN = re.compile(r"\d{2,}")
_NAMES = ("count", "longest", "found", "found_share", "begun", "begun_share", "part_share", "prefix", "digits")


def model_numbers(first: Sequence[str], whole: Sequence[str], left: Ints, right: Ints) -> Columns:
    """Figures (pairs,) of the codes of the ``first`` text of either record, searched in the ``whole`` other one.

    ``first`` and ``whole`` are spelt texts by record; nan where the record has no code.
    """
    told = [codes(text) for text in first]
    known = [codes(text) for text in whole]
    squeezed = [compact(text) for text in whole]
    columns: Columns = {}
    for name, one, other in (("left", left, right), ("right", right, left)):
        rows = [_searched(told[a], squeezed[b], known[b]) for a, b in zip(one, other, strict=True)]
        values: Floats = np.array(rows, np.float32).reshape(len(rows), len(_NAMES))
        columns |= {f"code_{figure}_{name}": values[:, nth] for nth, figure in enumerate(_NAMES)}
    return columns


def _searched(told: list[str], text: str, known: list[str]) -> list[float]:
    if not told:
        return [0.0, *[float("nan")] * (len(_NAMES) - 1)]
    begun = [_begun(code, text) for code in told]
    share = [one / len(code) for one, code in zip(begun, told, strict=True)]
    found = [len(code) for code, one in zip(told, share, strict=True) if one == 1]
    last = told[-1]
    runs = {run for code in told for run in _RUN.findall(code)}
    return [
        float(len(told)),
        float(max(map(len, told))),
        float(max(found, default=0)),
        sum(found) / sum(map(len, told)),
        float(max(begun)),
        max(share),
        max(_part(code, text) / len(code) for code in (last, max(told, key=len))),
        float(max((_common(code, other) for code in told for other in known), default=0)) if known else float("nan"),
        sum(run in text for run in runs) / max(len(runs), 1),
    ]


def _begun(code: str, text: str) -> int:
    """Length of the longest beginning of the code that is in the text, 3 or more."""
    for size in range(len(code), 2, -1):
        if code[:size] in text:
            return size
    return 0


def _part(code: str, text: str) -> int:
    """Length of the longest part of the code that is in the text, 3 or more."""
    for size in range(len(code), 2, -1):
        if any(code[at : at + size] in text for at in range(len(code) - size + 1)):
            return size
    return 0


def _common(one: str, other: str) -> int:
    """Length of the beginning that two codes share, 0 where they are the same."""
    if one == other:
        return 0
    size = min(len(one), len(other))
    return next((at for at in range(size) if one[at] != other[at]), size)
