"""New, unnamed topics: clauses that no seed explains, gathered by the words they name and proposed for naming.

Frequent-term clustering (after Beil, Ester & Xu, "Frequent term-based text clustering", KDD 2002): the content word
(see :mod:`.content`) that most reviews name makes a topic, with the words that are seldom said without it; then the
next one among the clauses that are left. So each topic says by which words it was made, and a person who names it can
write those words into the file of aspects. Each comes with keywords (:mod:`danggol.reviews.keywords`) and examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from danggol.errors import DataError
from danggol.reviews.aspects.content import content_words
from danggol.reviews.aspects.settings import TopicSettings
from danggol.reviews.aspects.words import AspectWords
from danggol.reviews.keywords import keywords

_EXAMPLES = 3
_SCHEMA: dict[str, Any] = {
    "topic": pl.String, "clauses": pl.Int64, "reviews": pl.Int64, "words": pl.List(pl.String),
    "keywords": pl.List(pl.String), "examples": pl.List(pl.String),
}  # fmt: skip


def topics(
    clauses: pl.DataFrame, settings: TopicSettings | None = None, words: AspectWords | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Gather clauses (columns ``row``, the review, and ``clause``), as ``SeedAspects.unexplained`` gives them.

    Two tables: the topics, those in most reviews first (``topic``, ``clauses``, ``reviews``, ``words`` that made it,
    ``keywords``, ``examples``), and ``row``, ``clause``, ``topic`` of each clause, empty where it is in none. Argument
    ``words``: the file of aspects, for its words of feeling and idle words. DataError: a column is missing.
    """
    chosen = settings or TopicSettings()
    absent = [name for name in ("row", "clause") if name not in clauses.columns]
    if absent:
        raise DataError(f"the table of clauses lacks the column '{absent[0]}'")
    named = content_words(clauses["clause"].to_list(), words or AspectWords.load(), chosen.stem, chosen.morphemes)
    member, made = _gathered(named, clauses["row"].to_numpy(), chosen)
    labels = [f"topic {nth + 1}" for nth in range(len(made))]
    labelled = clauses.select("row", "clause").with_columns(
        topic=pl.Series([labels[one] if one >= 0 else None for one in member.tolist()], dtype=pl.String)
    )
    return _described(labelled, labels, made), labelled


def _gathered(
    named: Sequence[Sequence[str]], review: NDArray[np.int64], settings: TopicSettings
) -> tuple[NDArray[np.int64], list[list[str]]]:
    """The topic (clauses,) of each clause, -1 for none, and the words that made each topic."""
    member = np.full(len(named), -1, np.int64)
    known = {word: nth for nth, word in enumerate(sorted({word for one in named for word in one}))}
    if not known:
        return member, []
    rows = np.array([nth for nth, one in enumerate(named) for _ in set(one)], np.int64)
    columns = np.array([known[word] for one in named for word in sorted(set(one))], np.int64)
    review = np.unique(review, return_inverse=True)[1]
    spelt = list(known)
    there = csc_matrix((np.ones(len(rows)), (rows, columns)), (len(named), len(known)))
    made: list[list[str]] = []
    while len(made) < settings.topics:
        left = member[rows] < 0
        pairs = np.unique(np.column_stack([review[rows[left]], columns[left]]), axis=0)
        often = np.bincount(pairs[:, 1], minlength=len(known))
        head = int(often.argmax())
        if often[head] < settings.fewest:
            break
        words = _companions(there, member < 0, head, settings)
        inside = np.unique(there[:, words].nonzero()[0])
        member[inside[member[inside] < 0]] = len(made)
        made.append([spelt[head], *(spelt[one] for one in words if one != head)])
    return member, made


def _companions(there: csc_matrix, free: NDArray[np.bool_], head: int, settings: TopicSettings) -> list[int]:
    """The head and the words that are said with it more often than without, among the clauses that are left."""
    held = csr_matrix(there)[np.flatnonzero(free)]
    every = np.asarray(held.sum(axis=0)).ravel()
    beside = np.asarray(held[held[:, [head]].nonzero()[0]].sum(axis=0)).ravel()
    close = (beside >= settings.together * np.maximum(every, 1)) & (every >= settings.fewest)
    close[head] = True
    return [int(one) for one in np.flatnonzero(close)]


def _described(labelled: pl.DataFrame, labels: Sequence[str], made: Sequence[Sequence[str]]) -> pl.DataFrame:
    """The table of topics."""
    groups = [one or "" for one in labelled["topic"].to_list()]
    marks: dict[str, list[str]] = {}
    if len(set(groups)) > 1:
        table = keywords(labelled["clause"].to_list(), groups, most=6)
        for group, word in table.select("group", "keyword").iter_rows():
            marks.setdefault(group, []).append(word)
    rows = []
    for label, words in zip(labels, made, strict=True):
        held = labelled.filter(pl.col("topic") == label)
        examples = held["clause"].unique(maintain_order=True).head(_EXAMPLES).to_list()
        rows.append((label, held.height, held["row"].n_unique(), list(words), marks.get(label, []), examples))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
