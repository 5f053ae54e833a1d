"""New, unnamed topics: clauses that no seed explains, gathered by what they say and proposed for naming.

Clauses become vectors by singular values of their tf-idf weighted runs of letters and words (Deerwester et al.,
"Indexing by latent semantic analysis", JASIS 41(6), 1990; found by subspace iteration, Halko, Martinsson & Tropp, SIAM
Review 53, 2011) and are gathered by spherical k-means (Dhillon & Modha, "Concept decompositions", Machine Learning 42,
2001) with k-means++ starts. Loose groups are dropped. Each topic comes with keywords (:mod:`.keywords`) and examples; a
person names it, or writes its words into the file of aspects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from danggol.encoders.ngrams import Ngrams, NgramSettings
from danggol.errors import DataError
from danggol.reviews.cause_settings import TopicSettings
from danggol.reviews.cause_views import plain
from danggol.reviews.keywords import keywords

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_EXAMPLES, _SWEEPS = 3, 6
_SCHEMA: dict[str, Any] = {
    "topic": pl.String, "clauses": pl.Int64, "reviews": pl.Int64, "tightness": pl.Float64,
    "keywords": pl.List(pl.String), "examples": pl.List(pl.String),
}  # fmt: skip


def topics(clauses: pl.DataFrame, settings: TopicSettings | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Gather clauses (columns ``row``, the review, and ``clause``), as ``SeedAspects.unexplained`` gives them.

    Two tables: the topics, most clauses first (``topic``, ``clauses``, ``reviews``, ``tightness``, the mean cosine to
    their middle, ``keywords``, ``examples``), and ``row``, ``clause``, ``topic`` of each clause, empty where it is in
    none. Both are empty where there are too few clauses for one topic.
    """
    chosen = settings or TopicSettings()
    absent = [name for name in ("row", "clause") if name not in clauses.columns]
    if absent:
        raise DataError(f"the table of clauses lacks the column '{absent[0]}'")
    texts = clauses["clause"].to_list()
    member = np.full(len(texts), -1, np.int64)
    tight = np.zeros(0)
    if len(texts) >= 2 * chosen.fewest:
        vectors = _vectors(texts, chosen)
        count = min(chosen.topics, len(texts) // chosen.fewest)
        member, near = _gathered(vectors, count, chosen)
        member, tight = _kept(member, near, clauses["row"].to_numpy(), chosen)
    names = [f"topic {nth + 1}" for nth in range(len(tight))]
    labelled = clauses.select("row", "clause").with_columns(
        topic=pl.Series([names[one] if one >= 0 else None for one in member], dtype=pl.String)
    )
    return _described(labelled, names, tight), labelled


def _described(labelled: pl.DataFrame, names: Sequence[str], tight: Floats) -> pl.DataFrame:
    if not names:
        return pl.DataFrame(schema=_SCHEMA)
    groups = [one or "" for one in labelled["topic"].to_list()]
    words: dict[str, list[str]] = {name: [] for name in names}
    if len(set(groups)) > 1:
        for group, word in (
            keywords(labelled["clause"].to_list(), groups, most=6).select("group", "keyword").iter_rows()
        ):
            words.setdefault(group, []).append(word)
    rows = []
    for name, one in zip(names, tight.tolist(), strict=True):
        held = labelled.filter(pl.col("topic") == name)
        examples = held["clause"].unique(maintain_order=True).head(_EXAMPLES).to_list()
        rows.append((name, held.height, held["row"].n_unique(), one, words[name], examples))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _vectors(texts: Sequence[str], settings: TopicSettings) -> Floats:
    """Directions (clauses, numbers) of length one, zero where a clause shares nothing with others."""
    flat = [plain(text) for text in texts]
    blocks = []
    shared: dict[str, Any] = {"fewest": 2, "most": settings.commonest}
    for counted in (NgramSettings(kind="characters", low=2, high=4, **shared), NgramSettings(**shared)):
        grams = Ngrams(counted)
        try:
            blocks.append(grams.fit_transform(flat))
        except DataError:
            continue
    if not blocks:
        return np.zeros((len(texts), 1))
    rows = csr_matrix(hstack(blocks), dtype=np.float64)
    base = np.random.default_rng(settings.seed).normal(size=(rows.shape[1], min(settings.width, *rows.shape)))
    for _ in range(_SWEEPS):
        base = np.linalg.qr(rows.T @ np.linalg.qr(rows @ base)[0])[0]
    found = rows @ base
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(length > 1e-9, length, 1))


def _gathered(vectors: Floats, count: int, settings: TopicSettings) -> tuple[Ints, Floats]:
    """The group of each clause, and its cosine to the group's middle; the best of several starts."""
    best: tuple[float, Ints, Floats] | None = None
    for nth in range(settings.starts):
        middle = _first(vectors, count, np.random.default_rng([settings.seed, nth]))
        member = np.zeros(len(vectors), np.int64)
        for _ in range(100):
            close = vectors @ middle.T
            now = close.argmax(axis=1)
            sums = np.zeros_like(middle)
            np.add.at(sums, now, vectors)
            length = np.linalg.norm(sums, axis=1, keepdims=True)
            middle = np.where(length > 1e-12, sums / np.where(length > 1e-12, length, 1), middle)
            if (now == member).all():
                break
            member = now
        near = np.einsum("ij,ij->i", vectors, middle[member])
        if best is None or near.sum() > best[0]:
            best = (float(near.sum()), member, near)
    assert best is not None
    return best[1], best[2]


def _first(vectors: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Starts far from each other: k-means++ (Arthur & Vassilvitskii, SODA 2007)."""
    chosen = [int(rng.integers(len(vectors)))]
    far = 1 - vectors @ vectors[chosen[0]]
    for _ in range(count - 1):
        weight = np.maximum(far, 0)
        if weight.sum() <= 1e-9:
            break
        chosen.append(int(rng.choice(len(vectors), p=weight / weight.sum())))
        far = np.minimum(far, 1 - vectors @ vectors[chosen[-1]])
    return vectors[chosen]


def _kept(member: Ints, near: Floats, review: NDArray[np.int64], settings: TopicSettings) -> tuple[Ints, Floats]:
    """Groups that are tight and in enough reviews, renumbered by size; clauses far from the middle leave theirs."""
    member = np.where(near >= settings.nearest, member, -1)
    found: list[tuple[int, float, int]] = []
    for group in np.unique(member[member >= 0]).tolist():
        inside = member == group
        if len(np.unique(review[inside])) >= settings.fewest:
            found.append((int(inside.sum()), float(near[inside].mean()), group))
    found.sort(key=lambda one: (-one[0], one[2]))
    place = np.full(int(member.max(initial=0)) + 2, -1, np.int64)
    for nth, (_, _, group) in enumerate(found):
        place[group] = nth
    return place[member], np.array([tight for _, tight, _ in found])
