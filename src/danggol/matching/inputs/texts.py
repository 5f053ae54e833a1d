"""Titles as sparse vectors: words, characters, and what a title tells in numbers (quantities, numbers, codes)."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from danggol.encoders.ngrams import Ngrams
from danggol.errors import DataError
from danggol.matching.inputs.titles import KINDS, cleaned, codes, numbers, quantities
from danggol.matching.search.index import Floats, Ints

_KINDS = sorted(set(KINDS.values()))
_COLUMNS = 1 << 20


@dataclass(frozen=True)
class TextView:
    """What is known of titles, one row a listing."""

    words: csr_matrix
    """(listings, words) tf-idf, rows of length one, words never seen included"""
    characters: csr_matrix
    """(listings, n-grams) tf-idf, rows of length one, n-grams never seen included"""
    weights: csr_matrix
    """(listings, words) inverse document frequency of each word that is there"""
    unknown: Floats
    """(listings,) the same, summed over the words that were never seen"""
    titles: NDArray[np.uint64]
    """(listings,) the same number for the same cleaned title, 0 where there is none"""
    told: dict[str, csr_matrix]
    """quantity (by what it measures), number, code: (listings, values) of ones"""

    def take(self, rows: Ints) -> TextView:
        """Some of the rows."""
        told = {name: one[rows] for name, one in self.told.items()}
        words, characters, weights = self.words[rows], self.characters[rows], self.weights[rows]
        return TextView(words, characters, weights, self.unknown[rows], self.titles[rows], told)

    def extended(self, more: TextView) -> TextView:
        """These rows and further ones, described by the same encoder."""
        return TextView(
            _below(self.words, more.words),
            _below(self.characters, more.characters),
            _below(self.weights, more.weights),
            np.concatenate([self.unknown, more.unknown]),
            np.concatenate([self.titles, more.titles]),
            {name: _below(one, more.told[name]) for name, one in self.told.items()},
        )


class TextEncoder:
    """Learns words and n-grams of a set of titles, and describes any titles by them."""

    learnt: int = 0
    """of how many titles"""

    def __init__(self, words: Ngrams | None = None, characters: Ngrams | None = None) -> None:
        self.words = words or Ngrams(kind="words", low=1, high=1, fewest=1, sublinear=False, spaced=True, whole=True)
        self.characters = characters or Ngrams(kind="characters", low=3, high=4, fewest=1, sublinear=False, whole=True)

    def fit_transform(self, titles: Sequence[str | None]) -> TextView:
        """Learn, and describe the same titles."""
        texts = cleaned(titles)
        self.learnt = len(texts)
        return self._view(texts, _learnt(self.words, texts), _learnt(self.characters, texts))

    def transform(self, titles: Sequence[str | None]) -> TextView:
        """Describe titles; words never seen have no column, and make a title less like any other."""
        texts = cleaned(titles)
        return self._view(texts, _known(self.words, texts), _known(self.characters, texts))

    def _view(self, texts: list[str], words: csr_matrix, characters: csr_matrix) -> TextView:
        idf = self.words.idf if len(self.words) else np.zeros(1)
        weights = csr_matrix((idf[words.indices].astype(np.float32), words.indices, words.indptr), words.shape)
        return TextView(words, characters, weights, self._unknown(texts), _numbered(texts), _told(texts))

    def _unknown(self, texts: list[str]) -> Floats:
        if not len(self.words):
            return np.zeros(len(texts), np.float32)
        return (self.words.unknown(texts) * self.words.unseen_idf).astype(np.float32)


def _below(first: csr_matrix, second: csr_matrix) -> csr_matrix:
    return csr_matrix(vstack([first, second], format="csr"))


def _learnt(ngrams: Ngrams, texts: list[str]) -> csr_matrix:
    try:
        return ngrams.fit_transform(texts)
    except DataError:
        return csr_matrix((len(texts), 1), dtype=np.float32)


def _known(ngrams: Ngrams, texts: list[str]) -> csr_matrix:
    return ngrams.transform(texts) if len(ngrams) else csr_matrix((len(texts), 1), dtype=np.float32)


def _numbered(texts: list[str]) -> NDArray[np.uint64]:
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() if text else bytes(8) for text in texts]
    return np.frombuffer(b"".join(digests), np.uint64)


def _told(texts: list[str]) -> dict[str, csr_matrix]:
    measured = [quantities(text) for text in texts]
    kinds = {kind: [[value for value, of in row if of == kind] for row in measured] for kind in _KINDS}
    return {
        name: _incidence(rows)
        for name, rows in {
            **kinds,
            "number": [numbers(text) for text in texts],
            "code": [codes(text) for text in texts],
        }.items()
    }


def _incidence(rows: list[list[str]]) -> csr_matrix:
    """(rows, values) of ones; a value's column is its checksum, so that rows described apart can be put together."""
    distinct = [sorted({zlib.crc32(value.encode()) % _COLUMNS for value in row}) for row in rows]
    indices = np.array([column for row in distinct for column in row], np.int32)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in distinct])]).astype(np.int32)
    return csr_matrix((np.ones(len(indices), np.float32), indices, starts), (len(rows), _COLUMNS))
