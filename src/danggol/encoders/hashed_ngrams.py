"""Texts as hashed n-grams: a sparse matrix whose columns are places of a table of fixed size, with nothing to learn.

Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009. No n-gram is stored, so that a model
on these columns is one small table of weights, and any text of any language can be read. Units of an n-gram:

- ``characters``: of the text without its spaces, which serves Korean, Japanese and Chinese, and texts whose writers
  leave spaces out;
- ``edges``: characters with the spaces, so that the beginnings and ends of words count;
- ``jamo``: the letters of Korean syllables (three for 한), without spaces, so that typos and endings within a
  syllable are seen; other characters are as they are;
- ``words``: what stands between spaces.

All n-grams of all texts are found at once. The hash of a run is a polynomial in an odd number modulo 2^64, read off
running sums, as by Karp & Rabin (1987); a final mix spreads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.sparse import csr_matrix, hstack, vstack

from danggol.settings import Settings

Unit = Literal["characters", "edges", "jamo", "words"]
Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_FIRST, _LAST, _TAILS, _VOWELS = 0xAC00, 0xD7A3, 28, 21
_CHO, _JUNG, _JONG = 0x1100, 0x1161, 0x11A7
_SPACE = 32
_TEXTS = 10_000
"""Texts that are read at once."""


class Grams(Settings):
    """One family of n-grams."""

    unit: Unit = Field(default="characters", description="what an n-gram is a run of")
    low: int = Field(default=1, ge=1, le=20, description="units of the shortest")
    high: int = Field(default=4, ge=1, le=20, description="units of the longest")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high {self.high} is below low {self.low}")
        return self


def hashed_ngrams(texts: Sequence[str], families: Sequence[Grams], bits: int) -> csr_matrix:
    """Counts (texts, families x 2^bits) of n-grams, one block of 2^bits columns a family; float32, columns rising.

    Texts are read in parts, so that what is needed beside the result stays the same for any number of them.
    """
    parts = [_part(texts[start : start + _TEXTS], families, bits) for start in range(0, max(len(texts), 1), _TEXTS)]
    return csr_matrix(vstack(parts, format="csr")) if len(parts) > 1 else parts[0]


def _part(texts: Sequence[str], families: Sequence[Grams], bits: int) -> csr_matrix:
    blocks = [_family(texts, one, bits) for one in families]
    return csr_matrix(hstack(blocks, format="csr")) if len(blocks) > 1 else blocks[0]


def _family(texts: Sequence[str], grams: Grams, bits: int) -> csr_matrix:
    if grams.unit == "words":
        symbols, owner = _words(texts)
    else:
        symbols, owner = _letters(texts, grams.unit)
    powers, sums = _running(symbols)
    columns, rows = [], []
    for order in range(grams.low, grams.high + 1):
        last = max(len(owner) - order + 1, 0)
        starts = np.flatnonzero(owner[:last] == owner[order - 1 :])
        columns.append(_mixed((sums[starts + order] - sums[starts]) * powers[starts] + np.uint64(order)))
        rows.append(owner[starts])
    place = (np.concatenate(columns) >> np.uint64(64 - bits)).astype(np.int64)
    return _counted(np.concatenate(rows), place, len(texts), 1 << bits)


def _counted(rows: Places, columns: Places, texts: int, width: int) -> csr_matrix:
    keys, often = np.unique(rows * width + columns, return_counts=True)
    starts = np.searchsorted(keys, np.arange(texts + 1) * width)
    return csr_matrix((often.astype(np.float32), (keys % width).astype(np.int32), starts), (texts, width))


def _letters(texts: Sequence[str], unit: str) -> tuple[Hashes, Places]:
    """Code points of all texts, one after the other, and the text that each belongs to."""
    spaced = [f" {text} " for text in texts] if unit == "edges" else texts
    codes = np.frombuffer("".join(spaced).encode("utf-32-le", "surrogatepass"), np.uint32)
    owner = np.repeat(np.arange(len(texts)), np.fromiter((len(text) for text in spaced), np.int64, len(texts)))
    if unit != "edges":
        kept = codes != _SPACE
        codes, owner = codes[kept], owner[kept]
    if unit == "jamo":
        apart, owner = _taken_apart(codes.astype(np.int64), owner)
        return apart.astype(np.uint64), owner
    return codes.astype(np.uint64), owner


def _taken_apart(codes: Places, owner: Places) -> tuple[Places, Places]:
    """Korean syllables as two or three letters each."""
    syllable = (codes >= _FIRST) & (codes <= _LAST)
    nth = codes - _FIRST
    tail = np.where(syllable, nth % _TAILS, 0)
    many = np.where(syllable, 2 + (tail > 0), 1)
    ends = np.cumsum(many)
    found = np.repeat(codes, many)
    first = (ends - many)[syllable]
    found[first] = _CHO + nth[syllable] // (_TAILS * _VOWELS)
    found[first + 1] = _JUNG + nth[syllable] // _TAILS % _VOWELS
    found[(ends - 1)[tail > 0]] = _JONG + tail[tail > 0]
    return found, np.repeat(owner, many)


def _words(texts: Sequence[str]) -> tuple[Hashes, Places]:
    """A hash for each word, and the text that it belongs to."""
    split = [text.split() for text in texts]
    flat = [word for words in split for word in words]
    owner = np.repeat(np.arange(len(texts)), np.fromiter((len(words) for words in split), np.int64, len(texts)))
    length = np.fromiter((len(word) for word in flat), np.int64, len(flat))
    codes = np.frombuffer("".join(flat).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    powers, sums = _running(codes)
    starts = np.cumsum(length) - length
    return _mixed((sums[starts + length] - sums[starts]) * powers[starts] + length.astype(np.uint64)), owner


def _running(symbols: Hashes) -> tuple[Hashes, Hashes]:
    """Powers (n + 1,) that bring a run to the front, and running sums (n + 1,) of the polynomial."""
    up, down = (np.full(len(symbols) + 1, base, np.uint64) for base in (_BASE, _INVERSE))
    up[0] = down[0] = 1
    up, down = np.cumprod(up), np.cumprod(down)
    sums = np.zeros(len(symbols) + 1, np.uint64)
    np.cumsum((symbols + np.uint64(1)) * up[:-1], out=sums[1:])
    return down, sums


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit depends on all (the finaliser of MurmurHash3)."""
    hashes = hashes ^ (hashes >> np.uint64(33))
    hashes = hashes * np.uint64(0xFF51AFD7ED558CCD)
    hashes = hashes ^ (hashes >> np.uint64(33))
    hashes = hashes * np.uint64(0xC4CEB9FE1A85EC53)
    return np.asarray(hashes ^ (hashes >> np.uint64(33)))
