"""What two texts share and what only one of them tells, weighted by how rare it is.

A view is one text of the left record against one of the right: a column against the same column, a column against the
whole of the other record, or whole against whole. Sources: Cohen, Ravikumar & Fienberg, "A comparison of string
distance metrics for name-matching tasks", 2003 (soft TF-IDF); Monge & Elkan, "The field matching problem", 1996.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.records.words import Bag, Floats, Ints, grams, numbers, spelt, unit, words
from danggol.matching.search.index import sparse_dots

Columns = dict[str, Floats]
_CHUNK = 4000
_LIKE = 0.6
"""Similarity from which a word of the other record counts as a spelling of this one."""
_SHORTENED = 0.9
"""Similarity of a word and one that begins with it."""


@dataclass(frozen=True)
class Texts:
    """One text of every record, in its forms."""

    plain: list[str]
    words: csr_matrix
    """(records, words) inverse document frequency of the words of all texts"""
    characters: csr_matrix
    """(records, n-grams) of length one"""
    numbers: csr_matrix
    """(records, numbers) of ones"""


class Vocabulary:
    """The words, n-grams and numbers of all records' texts, with the weights of words."""

    def __init__(self, whole: Sequence[str]) -> None:
        self.texts = [spelt(text) for text in whole]
        self.words = Bag.of([words(text) for text in self.texts])
        self.grams = Bag.of([grams(text) for text in self.texts])
        self.numbers = Bag.of([numbers(text) for text in self.texts])
        spellings = [_spelling(word) for word in self.words.names]
        self.spelling = unit(Bag.of(spellings).there)
        self.names = np.array(self.words.names)

    def view(self, texts: Sequence[str]) -> Texts:
        """Texts of which every word is a word of the whole ones."""
        plain = [spelt(text) for text in texts]
        return Texts(
            plain,
            _held(self.words, [words(text) for text in plain], self.words.idf),
            unit(_held(self.grams, [grams(text) for text in plain], self.grams.idf)),
            _held(self.numbers, [numbers(text) for text in plain], np.ones(len(self.numbers.names), np.float32)),
        )


def _held(bag: Bag, texts: Sequence[Sequence[str]], value: Floats) -> csr_matrix:
    place = {name: nth for nth, name in enumerate(bag.names)}
    rows = [sorted({place[one] for one in text if one in place}) for text in texts]
    indices = np.array([one for row in rows for one in row], np.int64)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return csr_matrix((value[indices], indices, starts), (len(texts), len(bag.names)))


def _spelling(word: str) -> list[str]:
    edged = f"^{word}"
    return [edged[at : at + size] for size in (2, 3) for at in range(max(len(edged) - size + 1, 1))]


def overlap(first: Texts, second: Texts, left: Ints, right: Ints) -> Columns:
    """Likeness of the texts of pairs, and the weight of what both or one alone tell; nan where one is empty."""
    one, other = first.words[left], second.words[right]
    there = _ones(other)
    both = one.multiply(there).tocsr()
    shared, total = _sum(both), np.stack([_sum(one), _sum(other)])
    apart = [_apart(one, other), _apart(other, one)]
    empty = (np.diff(one.indptr) == 0) | (np.diff(other.indptr) == 0)
    found = {
        "words": sparse_dots(unit(first.words), unit(second.words), left, right),
        "characters": sparse_dots(first.characters, second.characters, left, right),
        "shared": shared,
        "jaccard": shared / np.maximum(total.sum(axis=0) - shared, 1e-6),
        "of_left": shared / np.maximum(total[0], 1e-6),
        "of_right": shared / np.maximum(total[1], 1e-6),
        "rarest_shared": _highest(both),
        "rarest_left": _highest(apart[0]),
        "rarest_right": _highest(apart[1]),
        "alone_left": _sum(apart[0]),
        "alone_right": _sum(apart[1]),
    }
    return {name: np.where(empty, np.nan, value).astype(np.float32) for name, value in found.items()}


def told_numbers(first: Texts, second: Texts, left: Ints, right: Ints) -> Columns:
    """How many numbers both tell, how many one alone, and whether they speak against each other."""
    one, other = first.numbers[left], second.numbers[right]
    same = _sum(one.multiply(other).tocsr())
    alone = np.stack([_sum(one) - same, _sum(other) - same])
    against = (same == 0) & (alone > 0).all(axis=0)
    return {
        "numbers_same": same,
        "numbers_left": alone[0],
        "numbers_right": alone[1],
        "numbers_against": against.astype(np.float32),
        "numbers_low": alone.min(axis=0),
    }


def soft(vocabulary: Vocabulary, first: Texts, second: Texts, left: Ints, right: Ints) -> Columns:
    """How well each word of the one finds a spelling among the words of the other, weighted by how rare it is."""
    parts = [
        _soft(vocabulary, first.words[left[at : at + _CHUNK]], second.words[right[at : at + _CHUNK]])
        for at in range(0, len(left), _CHUNK)
    ]
    found = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), np.float32)
    return dict(zip(("soft", "soft_missing", "soft_rarest_missing"), found, strict=True))


def _soft(vocabulary: Vocabulary, one: csr_matrix, other: csr_matrix) -> Floats:
    """Weighted mean, weight missing, largest weight missing (3, pairs)."""
    sizes, others = np.diff(one.indptr), np.diff(other.indptr)
    pair = np.repeat(np.arange(len(sizes)), sizes)
    count = others[pair]
    slot = np.repeat(np.arange(len(pair)), count)
    step = np.arange(len(slot)) - np.repeat(np.cumsum(count) - count, count)
    word, against = one.indices[slot].astype(np.int64), other.indices[other.indptr[pair[slot]] + step].astype(np.int64)
    alike = _alike(vocabulary, word, against)
    best = np.zeros(len(pair), np.float32)
    np.maximum.at(best, slot, alike)
    missing = np.where(best < _LIKE, one.data, 0)
    highest = np.zeros(len(sizes), np.float32)
    np.maximum.at(highest, pair, missing)
    total = np.maximum(np.bincount(pair, one.data, len(sizes)), 1e-6)
    empty = (sizes == 0) | (others == 0)
    mean = np.bincount(pair, best * one.data, len(sizes)) / total
    rows = np.stack([mean, np.bincount(pair, missing, len(sizes)), highest])
    return np.where(empty, np.nan, rows).astype(np.float32)


def _alike(vocabulary: Vocabulary, word: Ints, against: Ints) -> Floats:
    """Likeness (n,) of words by their spelling."""
    size = len(vocabulary.names)
    pair, place = np.unique(word * size + against, return_inverse=True)
    one, other = pair // size, pair % size
    value = sparse_dots(vocabulary.spelling, vocabulary.spelling, one, other)
    names = vocabulary.names
    short = np.minimum(np.strings.str_len(names)[one], np.strings.str_len(names)[other]) >= 3
    begins = np.strings.startswith(names[one], names[other]) | np.strings.startswith(names[other], names[one])
    letters = ~np.strings.isdigit(names)
    begins &= short & letters[one] & letters[other]
    told: Floats = np.maximum(value, np.where(begins, _SHORTENED, 0))[place].astype(np.float32)
    return told


def _apart(one: csr_matrix, other: csr_matrix) -> csr_matrix:
    """The weights (pairs, words) of the one's words that the other lacks."""
    rest = (one - one.multiply(_ones(other))).tocsr()
    rest.eliminate_zeros()
    return csr_matrix(rest)


def _ones(rows: csr_matrix) -> csr_matrix:
    return csr_matrix((np.ones_like(rows.data), rows.indices, rows.indptr), rows.shape)


def _sum(rows: csr_matrix) -> Floats:
    return np.asarray(rows.sum(axis=1), np.float32).ravel()


def _highest(rows: csr_matrix) -> Floats:
    return np.asarray(rows.max(axis=1).todense(), np.float32).ravel()
