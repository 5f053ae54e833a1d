"""The words of titles, descriptions and searches, from ``words.toml``; the colours and patterns that pictures show."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

_TABLE: dict[str, Any] = tomllib.loads(files("danggol.twin").joinpath("words.toml").read_text("utf8"))

LANGUAGES: tuple[str, ...] = tuple(_TABLE["languages"])
CATEGORIES: dict[str, dict[str, Any]] = _TABLE["category"]
COLORS: tuple[str, ...] = tuple(_TABLE["color"])
PATTERNS: tuple[str, ...] = tuple(_TABLE["pattern"])
MATERIALS: tuple[str, ...] = tuple(_TABLE["material"])
STYLES: tuple[str, ...] = tuple(_TABLE["style"])
SEASONS: tuple[str, ...] = tuple(_TABLE["season"])
TITLES: dict[str, list[str]] = _TABLE["title"]
COPY_TITLES: dict[str, list[str]] = _TABLE["copy_title"]
SELLER_WORDS: dict[str, dict[str, list[str]]] = _TABLE["seller_words"]
DESCRIPTIONS: dict[str, list[str]] = _TABLE["description"]
SYLLABLES: dict[str, list[str]] = _TABLE["syllable"]


def word(kind: str, key: str, language: str) -> str:
    """The word for ``key`` of ``kind`` (color, pattern, material, style, season) in a language of :data:`LANGUAGES`."""
    found: str = _TABLE[kind][key][language]
    return found


def nouns(category: str, language: str) -> list[str]:
    """What goods of the category are called in a language; English where the language is not known."""
    table = CATEGORIES[category]
    found: list[str] = table.get(language, table["en"])
    return found
