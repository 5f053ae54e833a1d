"""What posts say: captions and hashtags in the languages of the accounts, from ``captions.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.twin.goods import Goods, image_path
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints
from danggol.twin.randomness import stream
from danggol.twin.titles import brand_names
from danggol.twin.trends import ATTRIBUTES, Trends
from danggol.twin.words import COLORS, PATTERNS, STYLES, nouns, word

CAPTIONS: dict[str, Any] = tomllib.loads(files("danggol.twin").joinpath("captions.toml").read_text("utf8"))
DRAWS = 13
"""Numbers in [0, 1) that a post is written from."""

_SCRIPT = {"ko": 1, "ja": 2}
_KINDS = tuple(ATTRIBUTES)


@dataclass(frozen=True)
class About:
    """What posts are about, one row each."""

    language: NDArray[np.str_]
    trend: Ints
    """-1 for anything."""
    pushed: Bools
    """Whether a bot pushes it: then the caption is an advertisement."""
    product: Ints


class Writer:
    """Writes captions and hashtags."""

    def __init__(self, parameters: Parameters, trends: Trends, goods: Goods, seed: int) -> None:
        self.trends, self.goods = trends, goods
        self.categories = [category.name for category in parameters.goods.category]
        self.brands = brand_names(parameters.goods.brands, stream(seed, "brands"))
        self.place = {product: row for row, product in enumerate(goods.ids)}

    def write(self, posts: About, draws: Floats) -> dict[str, pl.Series]:
        """``text``, ``hashtags`` and ``media`` of posts; ``draws``: ``(posts, DRAWS)``."""
        texts, tags, media = [], [], []
        columns = (posts.language.tolist(), posts.trend.tolist(), posts.pushed.tolist(), posts.product.tolist())
        for language, trend, spam, shown, draw in zip(*columns, draws.tolist(), strict=True):
            kind = str(self.trends.kind[trend]) if trend >= 0 else "any"
            filling = self._filling(self._keys(trend, shown), shown, language, draw)
            filling["word"] = filling[kind] if kind in ATTRIBUTES else filling["brand"]
            texts.append(_caption(language, "spam" if spam else kind, filling, draw))
            tags.append(self._tags(language, trend, filling, draw))
            media.append([image_path(self.goods.ids[shown], 0)] if draw[11] < 0.7 else [])
        return {
            "text": pl.Series(texts, dtype=pl.String),
            "hashtags": pl.Series(tags, dtype=pl.List(pl.String)),
            "media": pl.Series(media, dtype=pl.List(pl.String)),
        }

    def _keys(self, trend: int, shown: int) -> dict[str, str]:
        """The colour, pattern and style that a post speaks of: the listing's, and the trend's before them."""
        goods = self.goods
        keys = {
            "color": COLORS[goods.color[shown]],
            "pattern": PATTERNS[goods.pattern[shown]],
            "style": STYLES[int(np.argmax(goods.style[shown]))],
        }
        if trend >= 0 and self.trends.kind[trend] in keys:
            keys[str(self.trends.kind[trend])] = str(self.trends.key[trend])
        return keys

    def _filling(self, keys: dict[str, str], shown: int, language: str, draw: Sequence[float]) -> dict[str, str]:
        called = nouns(self.categories[self.goods.category[shown]], language)
        script = _SCRIPT.get(language, 0) if draw[0] < 0.5 else 0
        return {
            "noun": _one(called, draw[1]),
            "brand": self.brands[self.goods.brand[shown]][script],
            **{kind: word(kind, key, language) for kind, key in keys.items()},
        }

    def _tags(self, language: str, trend: int, filling: dict[str, str], draw: Sequence[float]) -> list[str]:
        """What the post is about first, then its kind of goods, its brand and what people tag anyway."""
        generic = CAPTIONS[language]["tags"]
        found = [self.trend_words(trend, language)] if trend >= 0 else []
        if trend < 0 and draw[2] < 0.25:
            found.append(filling[_one(_KINDS, draw[2] * 4)])
        if draw[3] < 0.8:
            found.append(filling["noun"])
        if draw[4] < 0.4:
            found.append(filling["brand"])
        found += [_one(generic, draw[5])] if draw[6] < 0.8 else []
        found += [_one(generic, draw[6])] if draw[5] < 0.5 else []
        return list(dict.fromkeys(hashtag(words) for words in found))

    def trend_words(self, trend: int, language: str) -> str:
        """What a trend is called, and tagged, in a language: brand and noun where it is about one product."""
        kind, key = str(self.trends.kind[trend]), str(self.trends.key[trend])
        if kind in ATTRIBUTES:
            return word(kind, key, language)
        row = self.place[key]
        noun = nouns(self.categories[self.goods.category[row]], language)[0]
        return f"{self.brands[self.goods.brand[row]][0]} {noun}"


def hashtag(words: str) -> str:
    """Words as a hashtag, without the sign: in small letters, nothing but letters and digits."""
    return re.sub(r"[\W_]+", "", words.lower())


def _one(choices: Sequence[str], draw: float) -> str:
    return choices[int(draw * len(choices))]


def _caption(language: str, kind: str, filling: dict[str, str], draw: Sequence[float]) -> str:
    words = CAPTIONS[language]
    sentence = _one(words[kind], draw[7]).format_map(filling)
    if kind == "spam":
        return sentence
    close = _one(words["close"], draw[9])
    if close and sentence[-1].isalnum():
        sentence += words["stop"]
    emoji = _one(CAPTIONS["emoji"], draw[10]) * (1 + int(draw[10] * 97) % 2) if draw[12] < 0.4 else ""
    parts = (_one(words["open"], draw[8]), sentence[:1].upper() + sentence[1:], close, emoji)
    return " ".join(part for part in parts if part)
