"""Titles and descriptions of listings, and what people type into the search box, in seven languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from danggol.twin.words import (
    COPY_TITLES,
    DESCRIPTIONS,
    LANGUAGES,
    SEASONS,
    SELLER_WORDS,
    SYLLABLES,
    TITLES,
    nouns,
    word,
)

Brand = tuple[str, str, str]
"""A brand in Latin letters, Hangul and Katakana."""

_OPTIONAL = re.compile("<[^>]*>")
_SCRIPT = {"ko": 1, "ja": 2}
_JOINED = ("ko", "en")
"""Languages in which sellers write names of several words as one."""


@dataclass(frozen=True)
class Listing:
    """What a title can tell of a product; the fields hold keys of ``words.toml``."""

    category: str
    brand: Brand
    color: str
    pattern: str
    material: str
    style: str
    rating: str


def brand_names(number: int, rng: np.random.Generator) -> list[Brand]:
    """Made-up names of two or three syllables, all different."""
    syllables = list(SYLLABLES)
    found: dict[Brand, None] = {}
    while len(found) < number:
        length = 2 if len(found) < 100 else 3 if len(found) < 1500 else 4
        parts = [syllables[part] for part in rng.integers(0, len(syllables), length)]
        scripts = ["".join(SYLLABLES[part][script] for part in parts) for script in (0, 1)]
        found.setdefault(("".join(parts).capitalize(), scripts[0], scripts[1]))
    return list(found)


def title(listing: Listing, language: str, draws: Sequence[float], with_color: bool) -> str:
    """A title in ``language``; ``draws`` (three numbers in [0, 1)) choose template, noun and script of the brand."""
    return _filled(TITLES[language], draws[0], with_color, _filling(listing, language, draws))


def copied_title(listing: Listing, language: str, draws: Sequence[float], with_color: bool, original: str) -> str:
    """A title for a copy of a listing that is titled ``original``: never the same.

    ``draws`` are seven numbers in [0, 1): template, noun and script of the brand as for :func:`title`, then spelling,
    words before, words after, and which of them.
    """
    filling = _filling(listing, language, draws)
    if draws[3] < 0.15:
        filling["brand"] = filling["brand"].upper()
    elif draws[3] < 0.3:
        filling["noun"] = filling["noun"].upper()
    elif draws[3] < 0.5 and language in _JOINED:
        filling["noun"] = re.sub("[ -]", "", filling["noun"])
    text = _filled(COPY_TITLES[language] + TITLES[language], draws[0], with_color, filling)
    before, after = (_chosen(SELLER_WORDS[language][place], draws[6]) for place in ("before", "after"))
    if draws[4] < 0.35:
        text = f"{before} {text}"
    if draws[5] < 0.45 or text == original:
        text = f"{text} {after}"
    return text


def _filled(templates: Sequence[str], draw: float, with_color: bool, filling: dict[str, str]) -> str:
    chosen = _chosen(templates, draw)
    chosen = chosen.replace("<", "").replace(">", "") if with_color else _OPTIONAL.sub("", chosen)
    text = chosen.format_map(filling)
    return text[:1].upper() + text[1:]


def _chosen(words: Sequence[str], draw: float) -> str:
    return words[int(draw * len(words))]


def description(listing: Listing, language: str, draws: Sequence[float]) -> str:
    """A description in ``language``; ``draws`` as for :func:`title`."""
    return _filled(DESCRIPTIONS[language], draws[2], True, _filling(listing, language, draws))


def _filling(listing: Listing, language: str, draws: Sequence[float]) -> dict[str, str]:
    words = nouns(listing.category, language)
    script = _SCRIPT.get(language, 0) if draws[2] < 0.5 else 0
    return {
        "brand": listing.brand[script],
        "noun": words[int(draws[1] * len(words))],
        "color": word("color", listing.color, language),
        "pattern": word("pattern", listing.pattern, language),
        "material": word("material", listing.material, language),
        "style": word("style", listing.style, language),
        "rating": listing.rating,
        "season": word("season", SEASONS[int(draws[1] * 7919) % len(SEASONS)], language),
    }


def query(category: str, language: str, choice: int) -> str:
    """What a person of that language types to look for goods of a category; English where the words are not known."""
    spoken = language if language in LANGUAGES else "en"
    words = nouns(category, spoken)
    return words[choice % len(words)]
