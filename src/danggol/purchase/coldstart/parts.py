"""What speaks for a new listing to a person: one score for each pair of a kind of taste and a kind of content.

A taste is a row over the known listings. ``own``: the person's likes, smoothed by what goes with what (EASE: Steck,
"Embarrassingly shallow autoencoders for sparse data", WWW 2019); ``met``: the same of everything that the person came
across, liked or not; ``kind``: what people of that age, gender, occupation like; ``all``: what everybody likes
(``known``, for pictures: the logarithm of how many do, because a few great successes mislead so weak a guide). Kernel
ridge regression carries the row to new listings by content (attribute-to-factor mapping: Gantner et al., "Learning
attribute-to-feature mappings for cold-start recommendations", ICDM 2010), by texts, by pictures and by both.
``near`` is the likeness to the most alike listing among the person's likes, for each group of fields.

Every score is free of how much a person has done, and does not depend on which other listings are scored with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from danggol.encoders.features import FeatureSpace
from danggol.purchase.baselines import ease, gram
from danggol.purchase.coldstart.content import IMAGE
from danggol.purchase.history import Matrix
from danggol.settings import Settings

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]
MODALITIES = ("text", "image", "behaviour", "people")
"""What a listing says, what it shows, what the person did, who the person is."""
_BEHAVIOUR = ("own", "met", "near")
TEXT, JOINED = "text", "joined"


class PartSettings(Settings):
    """Settings of the scores, chosen on MovieLens' training films."""

    ridge: float = Field(default=100.0, gt=0, description="of the EASE over likes")
    met_ridge: float = Field(default=200.0, gt=0, description="of the EASE over everything met")
    itself: float = Field(default=0.1, ge=0, description="weight of the likes themselves beside what goes with them")
    joined_ridge: float = Field(default=3.5, gt=0, description="of texts, and of both; in units of their self-likeness")
    image_ridge: float = Field(default=2.0, gt=0, description="of pictures alone; in units of their self-likeness")
    image_weight: float = Field(default=0.4, gt=0, description="of pictures within the whole")
    people_ridge: float = Field(default=20.0, gt=0, description="of the tastes of kinds of people")


@dataclass(frozen=True)
class Part:
    """A score: a content and a taste."""

    content: str
    taste: str

    @property
    def name(self) -> str:
        """As it is printed and saved."""
        return f"{self.content}:{self.taste}"

    @property
    def needs(self) -> frozenset[str]:
        """The modalities without which there is no such score."""
        needs = {"text", "image"} if self.content == JOINED else {"image" if self.content == IMAGE else "text"}
        if self.taste in _BEHAVIOUR:
            needs.add("behaviour")
        elif self.taste == "kind":
            needs.add("people")
        return frozenset(needs)


def parts_of(groups: Sequence[str], people: bool) -> list[Part]:
    """All scores that can be made of groups of fields."""
    texts = [group for group in groups if group != IMAGE]
    contents = [TEXT] if texts else []
    contents += [IMAGE] if IMAGE in groups else []
    contents += [JOINED] if texts and IMAGE in groups else []
    tastes = ("own", "met", *(("kind",) if people else ()))
    found = [Part(content, one) for content in contents for one in (*tastes, "known" if content == IMAGE else "all")]
    return found + [Part(group, "near") for group in texts]


def wholes(alike: Mapping[str, Floats], image_weight: float) -> dict[str, Floats]:
    """The groups' similarities, and those of all texts and of everything."""
    found = dict(alike)
    texts = [value for group, value in alike.items() if group != IMAGE]
    if texts:
        found[TEXT] = np.sum(texts, axis=0, dtype=np.float32)
        if IMAGE in alike:
            found[JOINED] = found[TEXT] + np.float32(image_weight) * alike[IMAGE]
    return found


class Tastes:
    """The rows over known listings that scores are made of; ``kinds`` (people, features) or None."""

    def __init__(self, liked: Matrix, met: Matrix, kinds: Floats | None, settings: PartSettings) -> None:
        self.liked = sp.csr_matrix(liked)
        rows = {"own": smoothed(liked, settings.ridge, settings.itself), "met": smoothed(met, settings.met_ridge, 0.0)}
        likes = np.asarray(liked.sum(axis=0), np.float32).reshape(1, -1)
        rows["all"] = likes / max(1, liked.shape[0])
        rows["known"] = np.log1p(likes)
        self.rows = {name: even(row) for name, row in rows.items()}
        if kinds is not None:
            self._mean, self._slope = rows["all"], of_kinds(kinds, self.liked, settings.people_ridge)
            self.rows["kind"] = even(self._mean + kinds @ self._slope)

    def of(self, people: Codes) -> Self:
        """The rows of some people."""
        some = copy(self)
        some.liked = self.liked[people]
        some.rows = {name: row[people] if row.shape[0] > 1 else row for name, row in self.rows.items()}
        return some

    def of_strangers(self, kinds: Floats | None) -> Self:
        """The rows of people without past."""
        some = copy(self)
        some.rows = {name: row for name, row in self.rows.items() if name not in {*_BEHAVIOUR, "kind"}}
        if kinds is not None:
            some.rows["kind"] = even(self._mean + kinds @ self._slope)
        return some


def smoothed(rows: Matrix, ridge: float, itself: float) -> Floats:
    """``X (B + itself I)`` with EASE's item-to-item matrix B."""
    near = np.asarray(rows @ ease(gram(rows), ridge), np.float32)
    return np.asarray(near + np.float32(itself) * rows.toarray(), np.float32)


def of_kinds(kinds: Floats, liked: Matrix, ridge: float) -> Floats:
    """Ridge regression of what people like, less what everybody likes, on what they are: (features, listings).

    Zeros where there is nobody.
    """
    if liked.shape[0] == 0:
        return np.zeros((kinds.shape[1], liked.shape[1]), np.float32)
    normal = kinds.T @ kinds + ridge * np.eye(kinds.shape[1], dtype=np.float32)
    mean = np.asarray(liked.mean(axis=0), np.float32).reshape(1, -1)
    wanted = np.asarray((liked.T @ kinds).T) - kinds.sum(axis=0)[:, None] * mean
    return np.asarray(np.linalg.solve(normal, wanted), np.float32)


def describe(people: pl.DataFrame, space: FeatureSpace) -> Floats:
    """One column for each fifth of a number and each known category (people, features)."""
    rows = space.encode(people)
    columns = []
    for nth in range(rows.scores.shape[1]):
        score = rows.scores[:, nth]
        fifth = np.digitize(score, [-0.84, -0.25, 0.25, 0.84])
        columns.append((fifth[:, None] == np.arange(5)) & np.isfinite(score)[:, None])
    columns += [rows.codes[:, [nth]] == np.arange(size) for nth, size in enumerate(space.sizes)]
    return np.concatenate(columns, axis=1).astype(np.float32)


class Carrier:
    """Carries tastes to new listings by one content: ``Y (K + ridge I)^-1 K_new``."""

    def __init__(self, alike: Floats, ridge: float) -> None:
        size = float(np.mean(np.diag(alike))) or 1.0
        self._factor = sl.cho_factor(alike + np.float32(ridge * size) * np.eye(len(alike), dtype=np.float32))

    def weights(self, new: Floats) -> Floats:
        """(known, new) from similarities (known, new)."""
        return np.asarray(sl.cho_solve(self._factor, new), np.float32)


def carriers(alike: Mapping[str, Floats], parts: Sequence[Part], settings: PartSettings) -> dict[str, Carrier]:
    """A carrier for every content that a score needs."""
    needed = dict.fromkeys(part.content for part in parts if part.taste != "near")
    return {
        name: Carrier(alike[name], settings.image_ridge if name == IMAGE else settings.joined_ridge) for name in needed
    }


def scores(
    parts: Sequence[Part], tastes: Tastes, carried: Mapping[str, Carrier], alike: Mapping[str, Floats]
) -> Iterator[Floats]:
    """Each part's scores (people, new) or (1, new), from the similarities (known, new) of known to new listings."""
    weights: dict[str, Floats] = {}
    for part in parts:
        if part.taste == "near":
            yield nearest(tastes.liked, alike[part.content])
            continue
        if part.content not in weights:
            weights[part.content] = carried[part.content].weights(alike[part.content])
        taste = tastes.rows[part.taste]
        # all pictures are somewhat alike: without this, how usual a picture is would count most
        centred = taste - taste.mean(axis=1, keepdims=True) if part.content == IMAGE else taste
        yield centred @ weights[part.content]


def nearest(liked: Matrix, alike: Floats) -> Floats:
    """The highest similarity of a person's likes to each new listing (people, new); 0 without likes."""
    found = np.zeros((liked.shape[0], alike.shape[1]), np.float32)
    some = np.flatnonzero(np.diff(liked.indptr))
    for start in range(0, len(some), 100):
        chosen = some[start : start + 100]
        part = liked[chosen]
        found[chosen] = np.maximum.reduceat(alike[part.indices], part.indptr[:-1], axis=0)
    return found


def even(rows: Floats) -> Floats:
    """Rows of mean square 1; a row of zeros stays."""
    length = np.sqrt(np.mean(np.square(rows), axis=1, keepdims=True))
    return np.asarray(rows / np.maximum(length, 1e-9), np.float32)


def allowed(parts: Sequence[Part], only: Iterable[str]) -> list[int]:
    """Numbers of the parts that need no other modality than these."""
    held = frozenset(only)
    return [nth for nth, part in enumerate(parts) if part.needs <= held]
