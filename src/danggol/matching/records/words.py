"""Records as words: what is compared of a text, in the spelling in which it is compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
_VERSION = re.compile(r"\bv(?:er|ersion)?\.?\s*(?=\d)")
_SPACED = re.compile(r"(?<=\d)\s+\.(?=\d)")
_GLUED = re.compile(r"(?<=[^\W\d])\s+\.(?=\d)")
_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+")
_LINKED = re.compile(r"\w+(?:[-/.+]\w+)+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_CODE = re.compile(r"(?=\w*\d)(?=\w*[^\W\d_])\w{4,}|\d{5,}")
_TRAILING = re.compile(r"\.0+$")
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}


def spelt(text: str) -> str:
    """NFKC and lower case; ``v1 .2``, ``v. 1.2`` and ``version 1.2`` are ``1.2``."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return _VERSION.sub(" ", _GLUED.sub(" ", _SPACED.sub(".", plain)))


def words(text: str) -> list[str]:
    """The words of a spelt text; ``3.0`` is ``3`` and ``iii`` is ``3``."""
    return [_plain(word) for word in _WORD.findall(text)]


def numbers(text: str) -> list[str]:
    """The numbers of a spelt text, those within words too (``dp5`` tells 5), but not those of codes."""
    return [_plain(number) for word in words(text) if not _CODE.fullmatch(word) for number in _NUMBER.findall(word)]


def codes(text: str) -> list[str]:
    """Model numbers: words of letters and digits, linked ones (``dsc-w170``) as one and their parts, long numbers."""
    linked = [re.sub(r"\W", "", one) for one in _LINKED.findall(text)]
    plain = [one for one in _WORD.findall(text) if one not in linked]
    return list(dict.fromkeys(one for one in [*linked, *plain] if _CODE.fullmatch(one)))


def compact(text: str) -> str:
    """A spelt text without anything but letters and digits."""
    return re.sub(r"[\W_]+", "", text)


def _plain(word: str) -> str:
    return _ROMAN.get(word) or _TRAILING.sub("", word.replace(",", "."))


@dataclass(frozen=True)
class Bag:
    """Which symbols each text holds."""

    names: list[str]
    there: csr_matrix
    """(texts, symbols) of ones"""
    idf: Floats
    """(symbols,) log of texts over texts that hold it"""

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> Bag:
        """The symbols of texts, each once a text; a text may be empty, and its frequency is of texts that are not."""
        distinct = [sorted(set(text)) for text in texts]
        flat = list(chain.from_iterable(distinct)) or [""]
        names, indices = np.unique(np.array(flat, dtype=object).astype(str), return_inverse=True)
        starts = np.concatenate([[0], np.cumsum([len(one) for one in distinct])])
        there = csr_matrix((np.ones(starts[-1], np.float32), indices[: starts[-1]], starts), (len(texts), len(names)))
        known = max(sum(bool(one) for one in distinct), 1)
        frequency = np.maximum(np.bincount(there.indices, minlength=len(names)), 1)
        return cls(names.tolist(), there, (np.log((1 + known) / (1 + frequency)) + 1).astype(np.float32))

    def weights(self) -> csr_matrix:
        """(texts, symbols) inverse document frequency of each symbol that is there."""
        return csr_matrix((self.idf[self.there.indices], self.there.indices, self.there.indptr), self.there.shape)


def unit(rows: csr_matrix) -> csr_matrix:
    """Rows of length one; empty rows stay empty."""
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = np.repeat(1 / np.maximum(length, 1e-9), np.diff(rows.indptr)).astype(np.float32)
    return csr_matrix((rows.data * scale, rows.indices, rows.indptr), rows.shape)


def grams(text: str, low: int = 3, high: int = 5) -> list[str]:
    """Runs of characters within the words of a spelt text and their edges."""
    found: list[str] = []
    for word in dict.fromkeys(words(text)):
        edged = f" {word} "
        for size in range(low, high + 1):
            found += [edged[at : at + size] for at in range(max(len(edged) - size + 1, 1))]
    return found
