"""Details: facts besides the title of which one product has one value, such as brand, category, colour, material.

Whether a detail is such a fact in this shop is seen from listings that are one product without doubt: the very same
picture under titles with words in common. A detail on which those mostly agree is trusted, and two listings that tell
it differently are two products; one on which they do not (ratings, a seller's own codes) is not looked at.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from danggol.matching.groups import members
from danggol.matching.inputs.looks import Pixels
from danggol.matching.search.index import Floats, Ints

Details = Mapping[str, Sequence[str | None]]
"""By name of the detail, the value (listings,) that is told, None where it is not."""

_TRUST = 0.9
"""Share of agreement from which a detail is trusted."""
_BELIEVED = {"brand": (9.5, 10.0), "category": (9.5, 10.0)}
"""Agreements and pairs taken for granted before there is evidence."""
_UNKNOWN = (1.0, 2.0)
"""The same for any other detail."""
_MOST_ALIKE = 5
"""Listings with the very same picture beyond which it is a placeholder."""
_PLACEHOLDER = 20
"""Listings with the very same picture, of titles that share next to nothing, beyond which it shows no product."""
_UNLIKE = 0.1
"""Mean share of words in common below which titles share next to nothing."""
_SHARED = 0.2
"""Share of words in common from which titles speak of one thing."""


def trusted(details: Details, titles: Sequence[str], pictures: Pixels | None) -> dict[str, list[str | None]]:
    """The details that are facts of the product, values made comparable; ``titles`` cleaned.

    ``pictures`` (n, 32, 32, 3), zeros where there is none. Brand and category are judged first; listings with the very
    same picture that agree on both are one product without doubt as well.
    """
    told = {name: [plain(value) for value in values] for name, values in details.items()}
    told = {name: values for name, values in told.items() if len(set(values)) > 1}
    left, right = _same_picture(pictures)
    sure = _words_shared(titles, left, right)
    first = {name: one for name, one in told.items() if name in _BELIEVED}
    found = {name: one for name, one in first.items() if _trust(name, one, left[sure], right[sure])}
    if len(found) == len(_BELIEVED):
        sure |= compared(found, left, right)[0] == len(found)
    others = {name: one for name, one in told.items() if name not in _BELIEVED}
    return found | {name: one for name, one in others.items() if _trust(name, one, left[sure], right[sure])}


def placeholders(titles: Sequence[str], pictures: Pixels) -> NDArray[np.bool_]:
    """Whether each listing's picture (n, 32, 32, 3) stands for no product, such as "no photo"; ``titles`` cleaned."""
    code = _same(pictures)
    found = np.zeros(len(pictures), np.bool_)
    for one in np.flatnonzero(np.bincount(code) > _PLACEHOLDER).tolist():
        rows = np.flatnonzero(code == one)
        words = [set(titles[row].split()) for row in rows.tolist()]
        shares = [len(low & high) / max(len(low | high), 1) for low, high in pairwise(words)]
        found[rows] = np.mean(shares) < _UNLIKE
    return found


def incidence(details: Mapping[str, Sequence[str | None]], size: int) -> csr_matrix:
    """Rows (listings, values) of length one: the inverse document frequency of each told value."""
    codes: dict[tuple[str, str], int] = {}
    told = [[(name, values[row]) for name, values in details.items()] for row in range(size)]
    columns = [[codes.setdefault((name, value), len(codes)) for name, value in row if value] for row in told]
    indices = np.array([column for row in columns for column in row], np.int32)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in columns])]).astype(np.int32)
    count = np.bincount(indices, minlength=max(len(codes), 1))
    data = np.log(1 + size / np.maximum(count, 1))[indices]
    rows = csr_matrix((data, indices, starts), (size, max(len(codes), 1)))
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1))).ravel()
    rows.data /= np.repeat(np.where(length > 0, length, 1), np.diff(rows.indptr))
    return rows.astype(np.float32)


def compared(details: Mapping[str, Sequence[str | None]], left: Ints, right: Ints) -> tuple[Floats, Floats]:
    """How many details (pairs,) are told alike, and how many differently."""
    same, against = np.zeros(len(left), np.float32), np.zeros(len(left), np.float32)
    for values in details.values():
        code = np.unique([value or "" for value in values], return_inverse=True)[1]
        told = np.array([bool(value) for value in values])
        both, equal = told[left] & told[right], code[left] == code[right]
        same += both & equal
        against += both & ~equal
    return same, against


def _trust(name: str, values: Sequence[str | None], left: Ints, right: Ints) -> bool:
    """Whether listings that are one product agree on a detail."""
    pairs = [(values[low], values[high]) for low, high in zip(left.tolist(), right.tolist(), strict=True)]
    both = [one == two for one, two in pairs if one is not None and two is not None]
    agreed, worth = _BELIEVED.get(name, _UNKNOWN)
    return bool(sum(both) + agreed >= _TRUST * (len(both) + worth))


def _same_picture(pictures: Pixels | None) -> tuple[Ints, Ints]:
    """Pairs of listings, each once, with the very same picture."""
    if pictures is None or not len(pictures):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    code = _same(pictures)
    count = np.bincount(code)[code]
    usable = (count > 1) & (count <= _MOST_ALIKE) & pictures.reshape(len(pictures), -1).any(axis=1)
    left, right = members(np.where(usable, code, -1))
    once = left < right
    return left[once], right[once]


def _same(pictures: Pixels) -> Ints:
    """A number (listings,) for each very picture."""
    flat = np.ascontiguousarray(pictures.reshape(len(pictures), -1))
    return np.unique(flat.view(f"V{flat.shape[1]}").ravel(), return_inverse=True)[1].ravel().astype(np.int64)


def _words_shared(titles: Sequence[str], left: Ints, right: Ints) -> NDArray[np.bool_]:
    """Whether the titles (pairs,) have enough words in common to speak of one thing."""
    words = [(set(titles[low].split()), set(titles[high].split())) for low, high in zip(left, right, strict=True)]
    return np.array([len(one & two) >= _SHARED * len(one | two) > 0 for one, two in words], np.bool_)


def plain(value: str | None) -> str | None:
    """A value as it is compared: NFKC, lower case, one space between words; None where it says nothing."""
    text = " ".join(unicodedata.normalize("NFKC", value or "").lower().split())
    return text or None
