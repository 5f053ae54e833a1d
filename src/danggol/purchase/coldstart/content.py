"""How alike listings are by what their pages say and show: one similarity a group of columns.

A listing is read field by field: words (TF-IDF), whole names (directors, brands: TF-IDF of names), numbers (a bell
curve of their distance) and pictures (descriptors of :mod:`danggol.encoders.picture_features`). Fields add up to
groups, each with similarity 1 of a listing to itself per unit of weight; a field that a listing lacks is like nothing,
so that a missing picture takes its share away and does no harm.

Salton & Buckley, "Term-weighting approaches in automatic text retrieval", IPM 24(5), 1988.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field as Setting

from danggol.encoders.picture_features import PictureFeatures
from danggol.errors import DataError, UsageError
from danggol.settings import Settings

Floats = NDArray[np.float32]
IMAGE, FACTS = "image", "facts"
"""Groups that are there by themselves: pictures, and how much a page tells."""
_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[|,;]")


class Field(Settings):
    """One column of the listings, and how it is read."""

    column: str
    kind: Literal["words", "names", "number", "picture"]
    group: str = Setting(default="", description="fields of one group are added up; the column's own name if empty")
    weight: float = Setting(default=1.0, gt=0, description="of the field within the group and in the whole")
    width: float = Setting(default=1.0, gt=0, description="numbers: the distance at which likeness is 0.6")
    common: float = Setting(default=0.1, gt=0, le=1, description="words on more than this share of pages are not read")

    @property
    def place(self) -> str:
        """The group that the field belongs to."""
        return IMAGE if self.kind == "picture" else self.group or self.column


@dataclass(frozen=True)
class Pages:
    """Listings as read: of each field its rows, (listings, ...)."""

    sparse: Mapping[int, sp.csr_matrix]
    """words and names: rows of length 1, or of zeros"""
    dense: Mapping[int, NDArray[np.floating[Any]]]
    """numbers (in 64 bits) and pictures, nan where missing"""
    facts: Floats
    """(listings, facts)"""


class ContentSpace:
    """Learns words, names and scales from listings; then reads any listings and says how alike they are."""

    def __init__(self, fields: Sequence[Field], facts: float = 0.5) -> None:
        if not fields:
            raise UsageError("no field of the listings was named; give at least one")
        self.fields = tuple(fields)
        self.facts = facts if any(one.kind != "picture" for one in fields) else 0.0
        self.groups = tuple(dict.fromkeys([*(one.place for one in fields), *([FACTS] if self.facts else [])]))

    def fit(self, items: pl.DataFrame) -> Self:
        """Learn from listings. DataError: a column is not there."""
        self._check(items)
        self._known: dict[int, dict[str, int]] = {}
        self._rarity: dict[int, Floats] = {}
        self._often: dict[int, Counter[str]] = {}
        self._pictures: dict[int, PictureFeatures] = {}
        for nth, field in enumerate(self.fields):
            if field.kind in {"words", "names"}:
                self._learn_terms(nth, terms(items[field.column], field.kind))
            elif field.kind == "picture":
                self._pictures[nth] = PictureFeatures().fit(items[field.column].to_list())
        facts = self._told(items)
        self._middle, self._spread = np.nanmean(facts, axis=0), np.nanstd(facts, axis=0) + 1e-6
        return self

    def _check(self, items: pl.DataFrame) -> None:
        absent = [field.column for field in self.fields if field.column not in items.columns]
        if absent:
            raise DataError(f"the listings have no column {', '.join(absent)}; name the fields that they have")

    def _learn_terms(self, nth: int, rows: list[list[str]]) -> None:
        often = Counter(term for row in rows for term in set(row))
        field = self.fields[nth]
        least, most = (2, max(3.0, field.common * len(rows))) if field.kind == "words" else (1, float("inf"))
        kept = sorted(term for term, count in often.items() if least <= count <= most)
        self._known[nth] = {term: place for place, term in enumerate(kept)}
        counts = np.array([often[term] for term in kept], np.float64)
        self._rarity[nth] = (np.log((1 + len(rows)) / (1 + counts)) + 1).astype(np.float32)
        self._often[nth] = often

    def read(self, items: pl.DataFrame) -> Pages:
        """Read listings."""
        self._check(items)
        sparse: dict[int, sp.csr_matrix] = {}
        dense: dict[int, NDArray[np.floating[Any]]] = {}
        for nth, field in enumerate(self.fields):
            column = items[field.column]
            if field.kind in {"words", "names"}:
                sparse[nth] = self._weighted(nth, terms(column, field.kind))
            elif field.kind == "number":
                dense[nth] = column.cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(-1, 1)
            else:
                dense[nth] = self._pictures[nth].transform(column.to_list())
        facts = np.nan_to_num((self._told(items) - self._middle) / self._spread)
        return Pages(sparse, dense, np.clip(facts, -3, 3).astype(np.float32))

    def _weighted(self, nth: int, rows: list[list[str]]) -> sp.csr_matrix:
        known, rarity = self._known[nth], self._rarity[nth]
        counts = [Counter(known[term] for term in row if term in known) for row in rows]
        columns = np.array([place for count in counts for place in count], np.int64)
        values = np.array([1 + np.log(often) for count in counts for often in count.values()], np.float32)
        ends = np.concatenate([[0], np.cumsum([len(count) for count in counts])])
        values = values * rarity[columns] if len(columns) else values
        matrix = sp.csr_matrix((values, columns, ends), shape=(len(rows), len(known)), dtype=np.float32)
        length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        return sp.csr_matrix(sp.diags(1 / np.maximum(length, 1e-9)) @ matrix, dtype=np.float32)

    def _told(self, items: pl.DataFrame) -> NDArray[np.float64]:
        """How much a page tells: words, names, the commonest name's listings, numbers there or not. Not pictures."""
        columns: list[Any] = []
        for nth, field in enumerate(self.fields):
            column = items[field.column]
            if field.kind in {"words", "names"}:
                rows = terms(column, field.kind)
                columns.append(np.log1p([len(row) for row in rows]))
                if field.kind == "names":
                    columns.append(np.log1p([max((self._often[nth][term] for term in row), default=0) for row in rows]))
            elif field.kind == "number":
                columns.append(column.is_not_null().to_numpy().astype(np.float64))
        return np.column_stack(columns) if columns else np.zeros((items.height, 1))

    def alike(self, first: Pages, second: Pages) -> dict[str, Floats]:
        """Similarity of each group (first, second)."""
        found: dict[str, Floats] = {}
        for nth, field in enumerate(self.fields):
            if nth in first.sparse:
                part = (first.sparse[nth] @ second.sparse[nth].T).toarray()
            else:
                width = field.width if field.kind == "number" else 1.0
                part = bell(first.dense[nth] / width, second.dense[nth] / width)
            weighted = np.asarray(field.weight * part, np.float32)
            found[field.place] = found[field.place] + weighted if field.place in found else weighted
        if self.facts:
            found[FACTS] = np.asarray(self.facts * bell(first.facts, second.facts), np.float32)
        return found


def terms(column: pl.Series, kind: str) -> list[list[str]]:
    """Words or names of each row in small letters, in Unicode's NFKC; a missing text has none."""
    rows = [unicodedata.normalize("NFKC", text or "").lower() for text in column.cast(pl.String).to_list()]
    if kind == "words":
        return [_WORD.findall(row) for row in rows]
    return [[name for part in _NAME.split(row) if (name := part.strip()) not in {"", "n/a"}] for row in rows]


def bell(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> Floats:
    """``exp(-mean squared difference / 2)`` of rows (n, d) and (m, d); 0 where either row holds nan."""
    there = np.outer(np.isfinite(first).all(axis=1), np.isfinite(second).all(axis=1))
    left, right = (np.nan_to_num(rows, posinf=0, neginf=0) for rows in (first, second))
    if left.shape[1] == 1:
        # two large numbers that lie close: the difference comes first, or it is lost
        squares = (left.astype(np.float64) - right.T.astype(np.float64)) ** 2
    else:
        squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :] - 2 * left @ right.T
    alike = np.exp(-np.maximum(squares, 0) / (2 * max(1, left.shape[1])))
    return np.asarray(np.where(there, alike, 0), np.float32)
