"""Texts as weighted counts of word and character n-grams: a sparse matrix whose columns have names.

Texts are put into NFKC and lower case. ``words`` counts runs of words and punctuation marks; ``characters`` counts runs
of characters within a word and its edges, which needs no knowledge of the language and serves Korean, where endings
hang on the word; ``running`` counts runs of characters across words. Counts become tf-idf (Salton & Buckley, 1988),
every row of length one. There is no hashing: each column is one n-gram, and its name says which.

N-grams without a column (in too few texts, or never seen) are left out. Where texts are compared with each other, they
must still count for the length (``whole``): else two texts that differ in nothing but such words become one vector.

An n-gram is known by the n-gram before its last symbol and that symbol, so that all n-grams of all texts are found by
sorting whole numbers, without a loop over texts.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.sparse import csr_matrix

from danggol.errors import DataError, UsageError
from danggol.settings import Settings

Ints = NDArray[np.int64]
_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]+")
_END = re.compile(r"[^\w\s]")
_DENSE = 4
"""A table is looked up, not searched, where it has no more than so many cells for each key."""
_NEGATED = 3
"""Words after a negation that are marked."""


class NgramSettings(Settings):
    """What is counted and how it is weighted."""

    kind: Literal["words", "characters", "running"] = Field(
        default="words", description="runs of words, of characters within words, or of characters across words"
    )
    low: int = Field(default=1, ge=1, le=20, description="symbols of the shortest n-gram")
    high: int = Field(default=2, ge=1, le=20, description="symbols of the longest n-gram")
    fewest: int = Field(default=2, ge=1, description="texts that an n-gram must be in")
    most: float = Field(default=1.0, gt=0, le=1, description="share of the texts that an n-gram may be in")
    limit: int = Field(default=500_000, ge=1, description="n-grams kept, those in most texts first")
    sublinear: bool = Field(default=True, description="1 + log(count) instead of the count")
    spaced: bool = Field(
        default=False, description="words are what stands between spaces; else marks are words too (words only)"
    )
    whole: bool = Field(
        default=False, description="rows have length one with the n-grams that have no column, each counted as unseen"
    )
    negations: tuple[str, ...] = Field(
        default=(),
        description="words, with or without apostrophe, after which the next ones are other words (words only)",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high {self.high} is below low {self.low}")
        return self


@dataclass(frozen=True)
class _Symbols:
    """Sequences of symbols, one after the other."""

    ids: Ints
    """(positions,) number of the symbol, -1 where it is not known"""
    owner: Ints
    """(positions,) the sequence that the position belongs to, rising"""
    count: int
    """of sequences"""


class Ngrams:
    """Learns which n-grams there are (:meth:`fit`) and counts them in any text (:meth:`transform`)."""

    def __init__(self, settings: NgramSettings | None = None, **changes: Any) -> None:
        if settings is not None and changes:
            raise UsageError("give either a settings object or settings by keyword, not both")
        self.settings = settings or NgramSettings.of(changes)
        self.names: list[str] = []
        """the n-grams, column by column"""
        self.frequency = np.zeros(0, np.int64)
        """in how many of the texts that were learnt each is"""
        self._texts = 0
        self._symbols: dict[str, int] = {}
        self._levels: list[Ints] = []
        self._columns: list[Ints] = []

    def __len__(self) -> int:
        return len(self.names)

    def fit(self, texts: Sequence[str | None]) -> Self:
        """Learn the n-grams of texts; a missing text holds none. DataError: no n-gram is in enough texts."""
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts: Sequence[str | None]) -> csr_matrix:
        """Learn the n-grams and give the weights (texts, n-grams)."""
        settings = self.settings
        sequences, types = self._read(texts, learn=True)
        self._grow(sequences, settings.fewest if types is None else 1)
        counts = self._count(sequences, types)
        frequency = np.bincount(counts.indices, minlength=counts.shape[1])
        there = np.flatnonzero((frequency >= settings.fewest) & (frequency <= settings.most * max(len(texts), 1)))
        if len(there) == 0:
            raise DataError(f"no n-gram is in {settings.fewest} of the {len(texts)} texts; give more or longer texts")
        kept = np.sort(there[np.argsort(-frequency[there], kind="stable")][: settings.limit])
        self.names = self._spelt(kept)
        self.frequency, self._texts = frequency[kept], len(texts)
        place = np.full(counts.shape[1], -1, np.int64)
        place[kept] = np.arange(len(kept))
        self._columns = [np.where(held >= 0, place[held], -1) for held in self._columns]
        return self._weighted(counts[:, kept], self._everything(sequences, types))

    def transform(self, texts: Sequence[str | None]) -> csr_matrix:
        """Weights (texts, n-grams) of any texts: rows of length one (``whole``: at most), zero where none is known."""
        if not self.names:
            raise UsageError("the n-grams are not learnt; call fit(texts) first")
        sequences, types = self._read(texts, learn=False)
        return self._weighted(self._count(sequences, types), self._everything(sequences, types))

    def unknown(self, texts: Sequence[str | None]) -> Ints:
        """How many n-grams (texts,) of each text have no column."""
        sequences, types = self._read(texts, learn=False)
        known = np.asarray(self._count(sequences, types).sum(axis=1)).ravel()
        return np.asarray(self._everything(sequences, types) - known, np.int64)

    @property
    def idf(self) -> NDArray[np.float64]:
        """Inverse document frequency (n-grams,), as in scikit-learn: ``log((1 + texts) / (1 + frequency)) + 1``."""
        return np.asarray(np.log((1 + self._texts) / (1 + self.frequency)) + 1)

    @property
    def unseen_idf(self) -> float:
        """The same of an n-gram that is in no text."""
        return float(np.log(1 + self._texts) + 1)

    def to_json(self) -> str:
        """Settings, names and in how many texts each is, as text."""
        held = {
            "settings": self.settings.model_dump(),
            "texts": self._texts,
            "names": self.names,
            "frequency": self.frequency.tolist(),
        }
        return json.dumps(held, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote; DataError where it is damaged."""
        try:
            held = json.loads(text)
            found = cls(NgramSettings(**held["settings"]))
            found._texts, found.names = int(held["texts"]), [str(name) for name in held["names"]]
            found.frequency = np.array(held["frequency"], np.int64)
            if len(found.names) != len(found.frequency) or not found.names:
                raise ValueError(f"{len(found.names)} n-grams and {len(found.frequency)} counts")
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the n-grams are damaged ({str(error)[:80]}); train the model again") from error
        found._rebuild()
        return found

    def _rebuild(self) -> None:
        """The levels that hold the names and their beginnings."""
        split = [name.split(" ") if self.settings.kind == "words" else name for name in self.names]
        flat = list(chain.from_iterable(split))
        self._symbols = {symbol: nth for nth, symbol in enumerate(dict.fromkeys(flat))}
        length = np.array([len(one) for one in split], np.int64)
        sequences = _Symbols(_numbers(flat, self._symbols), np.repeat(np.arange(len(split)), length), len(split))
        start = np.cumsum(length) - length
        self._levels, self._columns = [], []
        codes, at = np.zeros(len(split), np.int64), start
        for order in range(1, self.settings.high + 1):
            keys, at = _extended(sequences, codes, at, order, len(self._symbols))
            level, codes = np.unique(keys, return_inverse=True)
            column = np.full(len(level), -1, np.int64)
            whole = length[sequences.owner[at]] == order
            column[codes[whole]] = sequences.owner[at[whole]]
            self._levels.append(level)
            self._columns.append(column)

    def _read(self, texts: Sequence[str | None], learn: bool) -> tuple[_Symbols, csr_matrix | None]:
        """Sequences of symbols, one a text; or one a distinct word, with how often (texts, words) each is there."""
        clean = [_normal(text) for text in texts]
        if self.settings.kind == "running":
            return self._numbered([" ".join(text.split()) for text in clean], learn), None
        if self.settings.kind == "words":
            return self._numbered([self._words(text) for text in clean], learn), None
        split = [text.split() for text in clean]
        flat = list(chain.from_iterable(split))
        words = {word: nth for nth, word in enumerate(dict.fromkeys(flat))}
        starts = np.concatenate([[0], np.cumsum([len(one) for one in split])]).astype(np.int64)
        types = csr_matrix((np.ones(len(flat)), _numbers(flat, words), starts), (len(texts), len(words)))
        types.sum_duplicates()
        return self._numbered([f" {word} " for word in words], learn), types

    def _numbered(self, split: Sequence[Sequence[str]], learn: bool) -> _Symbols:
        flat = list(chain.from_iterable(split))
        if learn:
            self._symbols = {symbol: nth for nth, symbol in enumerate(dict.fromkeys(flat))}
        owner = np.repeat(np.arange(len(split)), [len(one) for one in split])
        return _Symbols(_numbers(flat, self._symbols), owner, len(split))

    def _words(self, text: str) -> list[str]:
        found = text.split() if self.settings.spaced else _WORD.findall(text)
        if not self.settings.negations:
            return found
        negations = {form for word in self.settings.negations for form in (word, word.replace("'", ""))}
        left, marked = 0, []
        for word in found:
            left = 0 if _END.match(word) else left
            marked.append(f"not_{word}" if left else word)
            left = _NEGATED if word in negations else max(left - 1, 0)
        return marked

    def _grow(self, sequences: _Symbols, fewest: int) -> None:
        """Learn the n-grams, order by order, that are there ``fewest`` times, and give each a column."""
        self._levels, self._columns = [], []
        codes, at, columns = np.zeros(len(sequences.ids), np.int64), np.arange(len(sequences.ids)), 0
        for order in range(1, self.settings.high + 1):
            keys, at = _extended(sequences, codes, at, order, len(self._symbols))
            level = _frequent(keys, fewest)
            codes = _places(keys, level)
            codes, at = codes[codes >= 0], at[codes >= 0]
            self._levels.append(level)
            wanted = order >= self.settings.low
            self._columns.append(np.arange(columns, columns + len(level)) if wanted else np.full(len(level), -1))
            columns += len(level) if wanted else 0

    def _count(self, sequences: _Symbols, types: csr_matrix | None) -> csr_matrix:
        """How often (texts, n-grams) each known n-gram is there."""
        codes, at = np.zeros(len(sequences.ids), np.int64), np.arange(len(sequences.ids))
        rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for order, (level, column) in enumerate(zip(self._levels, self._columns, strict=True), 1):
            keys, at = _extended(sequences, codes, at, order, len(self._symbols))
            codes = _places(keys, level)
            codes, at = codes[codes >= 0], at[codes >= 0]
            shown = column[codes] >= 0
            rows.append(sequences.owner[at[shown]])
            columns.append(column[codes[shown]])
        place = (np.concatenate(rows), np.concatenate(columns))
        width = max((int(column.max()) + 1 for column in self._columns if len(column)), default=0)
        width = max(width, len(self.names))
        counts = csr_matrix((np.ones(len(place[0])), place), (sequences.count, width))
        return counts if types is None else types @ counts

    def _everything(self, sequences: _Symbols, types: csr_matrix | None) -> NDArray[np.float64]:
        """How many n-grams (texts,) each text holds, known or not."""
        length = np.bincount(sequences.owner, minlength=sequences.count)
        orders = range(self.settings.low, self.settings.high + 1)
        many = sum((np.maximum(length - order + 1, 0) for order in orders), np.zeros(sequences.count))
        return many if types is None else np.asarray(types @ many)

    def _weighted(self, counts: csr_matrix, everything: NDArray[np.float64]) -> csr_matrix:
        """tf-idf, rows of length one, float32. ``everything`` (texts,): how many n-grams each text holds."""
        found = counts.astype(np.float64)
        dropped = everything - np.asarray(found.sum(axis=1)).ravel()
        if self.settings.sublinear:
            found.data = 1 + np.log(found.data)
        found.data *= self.idf[found.indices]
        squares = np.zeros(found.shape[0])
        filled = np.diff(found.indptr) > 0
        squares[filled] = np.add.reduceat(found.data**2, found.indptr[:-1][filled])
        if self.settings.whole:
            squares += dropped * self.unseen_idf**2
        length = np.where(filled, np.sqrt(squares), 1.0)
        found.data /= np.repeat(length, np.diff(found.indptr))
        found.sort_indices()
        return found.astype(np.float32)

    def _spelt(self, kept: Ints) -> list[str]:
        """The names of columns."""
        symbols = list(self._symbols)
        between = " " if self.settings.kind == "words" else ""
        wanted = np.zeros(kept.max() + 1, np.bool_)
        wanted[kept] = True
        names: list[str] = []
        before = [""]
        for order, (level, column) in enumerate(zip(self._levels, self._columns, strict=True), 1):
            head, last = level // len(symbols), level % len(symbols)
            glue = between if order > 1 else ""
            before = [f"{before[one]}{glue}{symbols[two]}" for one, two in zip(head, last, strict=True)]
            names += [
                name for name, place in zip(before, column, strict=True) if 0 <= place <= kept[-1] and wanted[place]
            ]
        return names


def _extended(sequences: _Symbols, codes: Ints, at: Ints, order: int, symbols: int) -> tuple[Ints, Ints]:
    """N-grams that begin at ``at`` and are known by ``codes``, by one symbol longer.

    The key (code of the beginning times number of symbols, plus the last symbol) of those that end within their
    sequence, and where they begin.
    """
    end = at + order - 1
    inside = end < len(sequences.ids)
    at, end, codes = at[inside], end[inside], codes[inside]
    same = (sequences.owner[end] == sequences.owner[at]) & (sequences.ids[end] >= 0)
    at, last, codes = at[same], sequences.ids[end[same]], codes[same]
    return codes * symbols + last, at


def _frequent(keys: Ints, fewest: int) -> Ints:
    """The keys that are there at least so often, rising."""
    if len(keys) and keys.max() < _DENSE * len(keys):
        return np.flatnonzero(np.bincount(keys) >= fewest).astype(np.int64)
    level, often = np.unique(keys, return_counts=True)
    return np.asarray(level[often >= fewest], np.int64)


def _places(keys: Ints, level: Ints) -> Ints:
    """The place of each key in the rising ``level``, -1 where it is not there."""
    if len(level) == 0:
        return np.full(len(keys), -1, np.int64)
    if level[-1] < _DENSE * len(keys):
        place = np.full(int(level[-1]) + 2, -1, np.int64)
        place[level] = np.arange(len(level))
        return np.asarray(place[np.minimum(keys, level[-1] + 1)])
    found = np.minimum(np.searchsorted(level, keys), len(level) - 1)
    return np.where(level[found] == keys, found, -1)


def _numbers(symbols: Sequence[str], known: dict[str, int]) -> Ints:
    return np.fromiter((known.get(one, -1) for one in symbols), np.int64, len(symbols))


def _normal(text: str | None) -> str:
    return unicodedata.normalize("NFKC", text or "").lower().replace("’", "'")
