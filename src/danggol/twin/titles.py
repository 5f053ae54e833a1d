"""Titles and descriptions of listings, and what people type into the search box, in seven languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from danggol.twin.words import DESCRIPTIONS, LANGUAGES, SEASONS, SYLLABLES, TITLES, nouns, word

Brand = tuple[str, str, str]
"""A brand in Latin letters, Hangul and Katakana."""

_OPTIONAL = re.compile("<[^>]*>")
_SCRIPT = {"ko": 1, "ja": 2}


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
    templates = TITLES[language]
    chosen = templates[int(draws[0] * len(templates))]
    chosen = chosen.replace("<", "").replace(">", "") if with_color else _OPTIONAL.sub("", chosen)
    text = chosen.format_map(_filling(listing, language, draws))
    return text[:1].upper() + text[1:]


def description(listing: Listing, language: str, draws: Sequence[float]) -> str:
    """A description in ``language``; ``draws`` as for :func:`title`."""
    templates = DESCRIPTIONS[language]
    chosen = templates[int(draws[2] * len(templates))]
    text = chosen.format_map(_filling(listing, language, draws))
    return text[:1].upper() + text[1:]


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
