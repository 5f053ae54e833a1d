"""The file of aspects that a shop edits: seed words of each aspect, and words of feeling, by language.

The file that comes with the package is ``aspects.toml`` beside this module; it says in its head how it is written.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from danggol.errors import DataError, UsageError
from danggol.reviews.language import CODES
from danggol.reviews.spelling import plain
from danggol.reviews.text import decoded

DEFAULT = Path(__file__).parent / "aspects.toml"
JOINED = ("ko", "ja", "zh")
"""Languages in which a word may go on behind a seed: with endings, or since words are not parted."""
_BLANK = "*\u115f\u1160"
"""What says nothing, beside blanks and what is not printed: stars, and the letters of Korean that fill a gap."""
_UNQUOTED = re.compile(r"^\s*\[aspects\.([^\"'\]\x00-\x7f][^\"'\]\n]*)\]", re.MULTILINE)
"""An aspect's name that TOML cannot read."""
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ´`", "'"))
_SYLLABLE = "[\uac00-\ud7a3]"
_FEELINGS = ("pleased", "displeased", "before", "after", "idle")


@dataclass(frozen=True)
class Feelings:
    """Words of feeling of one language, what turns them, and idle words that name nothing."""

    pleased: tuple[str, ...] = ()
    displeased: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()


@dataclass(frozen=True)
class AspectWords:
    """What a file of aspects holds."""

    seeds: Mapping[str, Mapping[str, Sequence[str]]]
    """by aspect and language"""
    feeling: Mapping[str, float]
    """of each aspect, what its seeds say by themselves; 0: nothing"""
    feelings: Mapping[str, Feelings]
    """by language"""

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a file, UTF-8 or CP949, or the package's own. UsageError: there is none. DataError: it breaks a rule."""
        source = path or DEFAULT
        try:
            content = source.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the file of aspects {source}: {error.strerror}") from error
        held = _parsed(content, source)
        for name in held:
            if name not in ("aspects", "feelings"):
                raise DataError(
                    f"{source} has a table [{name}]; it may have [aspects.NAME] and [feelings.LANGUAGE] only"
                )
        aspects, feelings = _tables(held, "aspects", source), _tables(held, "feelings", source)
        if not aspects:
            raise DataError(f"{source} names no aspect; write a table [aspects.NAME] with seed words")
        seeds, feeling = {}, {}
        for name, table in aspects.items():
            if not name.isprintable() or not name or name != name.strip():
                raise DataError(f"an aspect in {source} is called {name!r}; give it a name without blanks at its ends")
            where = f"[aspects.{name}] of {source}"
            feeling[name] = _feeling(table.get("feeling", 0), where)
            seeds[name] = {code: _words(table[code], code, where) for code in table if code != "feeling"}
            _codes(seeds[name], where)
            if not any(meant(words) for words in seeds[name].values()):
                raise DataError(f"{where} has no seed words; give some by language, such as en = ['price']")
        _codes(feelings, f"the feelings of {source}")
        return cls(seeds, feeling, {code: _felt(table, code, source) for code, table in feelings.items()})

    @property
    def languages(self) -> list[str]:
        """The languages that have seed words."""
        return sorted({code for held in self.seeds.values() for code in held})

    @property
    def without_feeling(self) -> list[str]:
        """The languages with seeds that say nothing by themselves, and without words of feeling beside them."""
        open_ = {code for name, held in self.seeds.items() if not self.feeling[name] for code in held}
        felt = {code for code, one in self.feelings.items() if meant((*one.pleased, *one.displeased))}
        return sorted(open_ - felt)


class WordFinder:
    """Finds the words of a list in text as :func:`spelt` writes it, longest first, but not in those with a minus."""

    def __init__(self, words: Sequence[str], language: str, within: bool = False) -> None:
        """``within``: any word may stand within another one, with a star ahead or without."""
        other = [_bare(word) for word in words if _is_other(word)]
        self._meant = re.compile(_pattern(meant(words), language, within))
        self._other = re.compile(_pattern(other, language, within)) if other else None

    @classmethod
    def of(cls, words: Sequence[str], language: str, within: bool = False) -> Self | None:
        """None where the list means no word."""
        return cls(words, language, within) if meant(words) else None

    def hits(self, flat: str) -> list[re.Match[str]]:
        """Where the words stand, in order; no two overlap."""
        found = list(self._meant.finditer(flat))
        if not found or self._other is None:
            return found
        other = [hit.span() for hit in self._other.finditer(flat)]
        return [hit for hit in found if not any(start <= hit.start() < end for start, end in other)]

    def without(self, flat: str) -> str:
        """The text with a blank for each word."""
        edges = [0, *(edge for hit in self.hits(flat) for edge in hit.span()), len(flat)]
        return " ".join(flat[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))


def spelt(text: str | None) -> str:
    """A text as words are looked up in it, and those words: plain (see :func:`plain`), with one apostrophe for all."""
    return plain((text or "").translate(_APOSTROPHES))


def meant(words: Sequence[str]) -> list[str]:
    """The words without a minus ahead."""
    return [word for word in words if not _is_other(word)]


def _is_other(word: str) -> bool:
    return spelt(word).strip().startswith("-")


def _pattern(words: Sequence[str], language: str, within: bool) -> str:
    """A regular expression that finds any of the words, longest first."""
    parts = []
    for word in sorted(words, key=lambda one: (-len(one), one)):
        even = " ".join(spelt(word).split())
        bare, open_ahead = even.lstrip("* "), within or even.startswith("*")
        inner = r"\w*".join(re.escape(piece).replace(r"\ ", r"\s+") for piece in bare.split("*"))
        if language == "ko" and not open_ahead and bare[0].isalnum():
            # behind the first letter: patterns that begin with letters are found fast
            same = _SYLLABLE if re.match(_SYLLABLE, bare) else rf"[^\W{_SYLLABLE[1:-1]}]"
            inner = f"{bare[0]}(?<!{same}{bare[0]}){inner[1:]}"
        elif language not in JOINED and bare[0].isalnum():
            inner = (r"\b\w*" if open_ahead else r"\b") + inner + r"\b"
        parts.append(inner)
    return "|".join(parts)


def _tables(held: Mapping[str, Any], name: str, source: Path) -> dict[str, dict[str, Any]]:
    found = held.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise DataError(
            f"{source}: '{name}' must hold tables, such as [{name}.{'price' if name == 'aspects' else 'en'}]"
        )
    return found


def _parsed(content: bytes, source: Path) -> dict[str, Any]:
    try:
        text = decoded(content)
    except DataError:
        raise DataError(f"the file of aspects {source} is neither UTF-8 nor CP949 (EUC-KR); save it as UTF-8") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        unquoted = _UNQUOTED.search(text)
        hint = "" if unquoted is None else f'; write other letters than a to z in quotation marks: "{unquoted[1]}"'
        raise DataError(f"the file of aspects {source} is not valid TOML: {error}{hint}") from error


def _words(value: Any, name: str, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise DataError(f"'{name}' in {where} must be a list of words in quotation marks, got {str(value)[:60]}")
    for word in value:
        if not any(one.isprintable() and not one.isspace() and one not in _BLANK for one in _bare(word)):
            raise DataError(f"'{name}' in {where} holds the word {word!r}, which says nothing; take it out")
    return list(value)


def _bare(word: str) -> str:
    """A word without blanks at its ends, and without its minus."""
    return spelt(word).strip()[_is_other(word) :].strip()


def _codes(codes: Mapping[str, Any], where: str) -> None:
    for code in codes:
        if code not in CODES:
            raise DataError(
                f"'{code}' in {where} is no language that danggol can tell; it may be {', '.join(sorted(CODES))}"
            )


def _feeling(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
        raise DataError(f"'feeling' in {where} must be a number from -1 to 1, got {value!r}")
    return float(value)


def _felt(table: Mapping[str, Any], code: str, source: Path) -> Feelings:
    where = f"[feelings.{code}] of {source}"
    for name in table:
        if name not in _FEELINGS:
            raise DataError(f"'{name}' in {where} is not known; it may hold {', '.join(_FEELINGS)}")
    return Feelings(**{name: tuple(_words(table[name], name, where)) for name in table})
