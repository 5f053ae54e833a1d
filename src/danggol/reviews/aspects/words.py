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
from danggol.reviews.spelling import plain

DEFAULT = Path(__file__).parent / "aspects.toml"
JOINED = ("ko", "ja", "zh")
"""Languages in which a seed may stand within a word."""
_CODE = re.compile(r"[a-z]{2}")
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
        """Read a file, or the package's own. UsageError: there is none. DataError: it breaks a rule."""
        source = path or DEFAULT
        try:
            held = tomllib.loads(source.read_text("utf8"))
        except OSError as error:
            raise UsageError(f"cannot read the file of aspects {source}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"the file of aspects {source} is not valid TOML: {error}") from error
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
            where = f"[aspects.{name}] of {source}"
            feeling[name] = _feeling(table.get("feeling", 0), where)
            seeds[name] = {code: _words(table[code], code, where) for code in table if code != "feeling"}
            _codes(seeds[name], where)
            if not any(seeds[name].values()):
                raise DataError(f"{where} has no seed words; give some by language, such as en = ['price']")
        _codes(feelings, f"the feelings of {source}")
        return cls(seeds, feeling, {code: _felt(table, code, source) for code, table in feelings.items()})

    @property
    def languages(self) -> list[str]:
        """The languages that have seed words."""
        return sorted({code for held in self.seeds.values() for code in held})


def pattern_of(words: Sequence[str], language: str) -> str:
    """A regular expression for plain text (see :func:`plain`) that finds any of the words, longest first."""
    parts = []
    for word in sorted(words, key=lambda one: (-len(one), one)):
        bare = plain(word).strip()
        inner = r"\w*".join(re.escape(piece).replace(r"\ ", r"\s+") for piece in bare.split("*"))
        parts.append(inner if language in JOINED or not bare[0].isalnum() else rf"\b{inner}\b")
    return "|".join(parts)


def _tables(held: Mapping[str, Any], name: str, source: Path) -> dict[str, dict[str, Any]]:
    found = held.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise DataError(
            f"{source}: '{name}' must hold tables, such as [{name}.{'price' if name == 'aspects' else 'en'}]"
        )
    return found


def _words(value: Any, name: str, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip(" *") for one in value):
        raise DataError(f"'{name}' in {where} must be a list of words in quotation marks, got {str(value)[:60]}")
    return list(value)


def _codes(codes: Mapping[str, Any], where: str) -> None:
    for code in codes:
        if not _CODE.fullmatch(code):
            raise DataError(f"'{code}' in {where} is no language; write two small letters, such as ko or en")


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
