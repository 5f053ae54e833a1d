"""How a review is worded: sentences drawn from ``phrases.toml`` and put together.

A review opens with a remark that fits its stars, then complains of what went wrong and praises what did not, in one to
five sentences. Angry reviews may grant something, happy ones mildly regret something, and ironic ones praise what they
mean to blame.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar

from danggol.twin.sections import CAUSES
from danggol.twin.slips import Draw
from danggol.twin.titles import Brand
from danggol.twin.words import nouns, word

_TABLE: dict[str, Any] = tomllib.loads(files("danggol.twin").joinpath("phrases.toml").read_text("utf8"))
_GROUP: dict[str, str] = {category: group for group, held in _TABLE["group"].items() for category in held}

MOODS = ("very_bad", "bad", "middling", "good", "very_good")
"""How a review of 1 to 5 stars sounds."""

_WORST_FIRST = tuple(CAUSES.index(cause) for cause in ("damaged", "service", "size", "color", "late", "price"))
_SPOILT_BY = {"late": ("delivery",), "damaged": ("packaging", "quality")}
"""What is not praised when the cause struck; the aspect of the same name for the others."""
_ASPECTS = ("delivery", "price", "quality", "service", "packaging")
_SEEN_ASPECTS = {"wear": ("size", "color"), "home": ("size", "color"), "tech": ("color",)}
_LENGTHS = (0.18, 0.5, 0.78, 0.92)
"""Chance that a review has at most 1, 2, 3, 4 sentences, if what went wrong does not make it longer."""
_MENTIONED, _LONGEST = 0.8, 5
_HARSH = "! "
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_WRITER = re.compile("<([^<>]*)>")
_ROUND = {"ja": "。", "zh": "，"}
_PARTICLES = {"은": "는", "이": "가", "을": "를"}
"""Particles of Korean after a consonant, and after a vowel."""

Template = tuple[str | tuple[str, ...], ...]
_Any = TypeVar("_Any")


@dataclass(frozen=True)
class Speech:
    """The sentences of a language as one kind of writer says them."""

    language: str
    ends: tuple[str, ...]
    only: tuple[str, ...]
    still: tuple[str, ...]
    moods: dict[str, tuple[str, ...]]
    sentences: dict[str, tuple[Template, ...]]
    """By kind: ``overall.bad``, ``complaint.late``, ``regret.late`` (the milder of these), ``praise.price`` …"""

    def say(self, kind: str, draw: Draw) -> str:
        """A sentence of a kind, its names not yet filled in."""
        template = _one(self.sentences[kind], draw)
        return "".join(part if isinstance(part, str) else _one(part, draw) for part in template)


@dataclass(frozen=True)
class Matter:
    """What a review is about; ``struck`` has one truth value for each of :data:`danggol.twin.sections.CAUSES`."""

    category: str
    color: str
    brand: Brand
    stars: int
    struck: Sequence[bool]
    late_days: float
    sarcastic: bool


@dataclass(frozen=True)
class Review:
    """A worded review, and the aspects that it complains of and praises."""

    text: str
    complains_of: list[str]
    praises: list[str]


def writers(language: str) -> list[float]:
    """Shares of the kinds of writers of a language."""
    found: list[float] = _TABLE[language]["writers"]
    return found


@functools.cache
def speech(language: str, writer: int) -> Speech:
    """How a kind of writer of a language speaks."""
    table = _TABLE[language]
    lines = {
        f"{part}.{kind}": block.strip().splitlines()
        for part, blocks in table.items()
        if isinstance(blocks, dict) and part not in ("mood", "this")
        for kind, block in blocks.items()
    }
    for kind, block in table["complaint"].items():
        lines[f"regret.{kind}"] = [line for line in block.strip().splitlines() if not line.startswith(_HARSH)]
    sentences = {
        kind: tuple(_template(line.removeprefix(_HARSH), writer) for line in held) for kind, held in lines.items()
    }
    moods = {mood: tuple(signs) for mood, signs in table["mood"].items()}
    return Speech(language, tuple(table["ends"]), tuple(table["only"]), tuple(table["still"]), moods, sentences)


def review(matter: Matter, spoken: Speech, draw: Draw) -> Review:
    """Word a review; emoji and slips are not its matter."""
    plan = _ironic(matter, draw) if matter.sarcastic else _plan(matter, draw)
    names = _names(matter, spoken.language, draw)
    end = _one(spoken.ends, draw)
    said = []
    for place, (lead, kind) in enumerate(plan):
        sentence = spoken.say(kind, draw).format_map(names).strip()
        if place and lead and draw() < 0.8:
            sentence = _one(spoken.only if lead == "only" else spoken.still, draw) + sentence
        mark = end if draw() < 0.75 else _one(spoken.ends, draw)
        said.append(_ended(sentence, mark, spoken.language, last=place == len(plan) - 1))
    kinds = [kind.split(".") for _, kind in plan]
    text = ("" if spoken.language in _ROUND else " ").join(said)
    return Review(
        text=text,
        complains_of=[what for part, what in kinds if part in ("complaint", "regret", "sarcasm") and what != "any"],
        praises=[what for part, what in kinds if part == "praise"],
    )


def headline(matter: Matter, spoken: Speech, draw: Draw) -> str:
    """A headline; an ironic review may have a beaming one."""
    mood = "very_good" if matter.sarcastic and draw() < 0.5 else MOODS[matter.stars - 1]
    line = spoken.say(f"headline.{mood}", draw).format_map(_names(matter, spoken.language, draw))
    return _capital(line + ("!" if mood == "very_good" and draw() < 0.2 else ""))


def with_sign(text: str, matter: Matter, spoken: Speech, draw: Draw) -> str:
    """``text`` with emoji or other signs of the mood; one in 25 does not fit it."""
    mood = "bad" if matter.stars <= 2 else "middling" if matter.stars == 3 else "good"
    if matter.sarcastic and draw() < 0.6:
        mood = "good"
    if draw() < 0.04:
        mood = "good" if mood == "bad" else "bad"
    sign = _one(spoken.moods[mood], draw)
    if draw() < 0.12:
        return f"{sign} {text}"
    if draw() < 0.5:
        return text.rstrip(".。~～!！") + ("" if spoken.language in ("ko", "ja", "zh") else " ") + sign
    return f"{text} {sign}"


def _plan(matter: Matter, draw: Draw) -> list[tuple[str, str]]:
    """What to say: for each sentence its lead-in (``only``, ``still`` or none) and its kind."""
    blamed = _blamed(matter, draw)
    at = draw()
    length = 1 + sum(at > bound for bound in _LENGTHS)
    group = _GROUP.get(matter.category, "")
    opening = [("", f"overall.{MOODS[matter.stars - 1]}")]
    if matter.stars >= 4:
        regrets = [("only", f"regret.{cause}") for cause in blamed]
        if not regrets and matter.stars == 4 and draw() < 0.2:
            regrets = [("only", "regret.quality")]
        body = [("", kind) for kind in _pleasures(matter, group, regrets, length - 1 - len(blamed), draw)]
        opening = opening if not body or draw() < 0.85 else []
        return [*_turned(opening + body, draw), *regrets][:_LONGEST]
    body = [("", f"complaint.{cause}") for cause in blamed]
    if length > 1 + len(body) and (not body or draw() < 0.4):
        body.append(("", f"use_bad.{group}" if group and draw() < 0.6 else "complaint.quality"))
    if length > 1 + len(body) and matter.stars <= 2 and draw() < 0.4:
        body.append(("", f"overall.{MOODS[2 - matter.stars]}"))
    grants = draw() < (0.6 if matter.stars == 3 else 0.25 if matter.stars == 2 else 0.08)
    grudging = [("still", kind) for kind in _pleasures(matter, group, body, int(grants), draw)]
    opening = opening if not body or draw() < 0.8 else []
    return [*_turned(opening + body, draw)[: _LONGEST - 1], *grudging]


def _ironic(matter: Matter, draw: Draw) -> list[tuple[str, str]]:
    """Praise that means blame, of what went wrong first."""
    blamed = [("", f"sarcasm.{cause}") for cause in _blamed(matter, draw)[:2]]
    if blamed and draw() < 0.35:
        return blamed
    return _turned([("", "sarcasm.any"), *blamed], draw)


def _blamed(matter: Matter, draw: Draw) -> list[str]:
    """The causes that a review tells of, the worst first."""
    return [CAUSES[at] for at in _WORST_FIRST if matter.struck[at] and draw() < _MENTIONED][: _LONGEST - 1]


def _pleasures(matter: Matter, group: str, blamed: list[tuple[str, str]], number: int, draw: Draw) -> list[str]:
    """What is praised: aspects that nothing spoilt and the review does not blame, or the use of the thing."""
    if number <= 0:
        return []
    spoilt = {aspect for cause, hit in zip(CAUSES, matter.struck, strict=True) if hit for aspect in _spoils(cause)}
    kinds_blamed = {kind for _, kind in blamed}
    if kinds_blamed & {"complaint.quality", "regret.quality"}:
        spoilt.add("quality")
    seen = ("color",) if matter.category == "makeup" else _SEEN_ASPECTS.get(group, ())
    kinds = [f"praise.{aspect}" for aspect in (*_ASPECTS, *seen) if aspect not in spoilt]
    if group and f"use_bad.{group}" not in kinds_blamed:
        kinds += [f"use_good.{group}"] * 2
    found: list[str] = []
    while kinds and len(found) < number:
        kind = _one(kinds, draw)
        found.append(kind)
        kinds = [other for other in kinds if other != kind]
    return found


def _spoils(cause: str) -> tuple[str, ...]:
    return _SPOILT_BY.get(cause, (cause,))


def _turned(plan: list[tuple[str, str]], draw: Draw) -> list[tuple[str, str]]:
    """The plan, one in four times with its first sentence last."""
    return plan[1:] + plan[:1] if len(plan) > 1 and draw() < 0.25 else plan


def _ended(sentence: str, mark: str, language: str, last: bool) -> str:
    """The sentence with its end mark; in Latin script with a capital."""
    if not last and not mark:
        mark = _ROUND.get(language, "" if language == "ko" else ".")
    if last and mark == "，":
        mark = "。"
    return _capital(sentence) + mark


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one(several: Sequence[_Any], draw: Draw) -> _Any:
    return several[int(draw() * len(several))]


def _template(line: str, writer: int) -> Template:
    """A line as this kind of writer says it: texts, and sets of texts to draw one from."""
    mine = _WRITER.sub(lambda found: found[1].split("/")[writer], line)
    parts = _CHOICE.split(mine)
    return tuple(tuple(part.split("|")) if place % 2 else part for place, part in enumerate(parts) if part)


def _names(matter: Matter, language: str, draw: Draw) -> dict[str, str]:
    """What stands in the place of the names in braces."""
    known = nouns(matter.category, language)
    script = {"ko": 1, "ja": 2}.get(language, 0) if draw() < 0.7 else 0
    days = max(1, round(matter.late_days))
    named = _thing(language, _one(known, draw), word("color", matter.color, language))
    span: list[str] = _TABLE[language]["days"]
    return {**named, "brand": matter.brand[script], "days": span[min(days, 2) - 1].format(n=days)}


@functools.cache
def _thing(language: str, noun: str, color: str) -> dict[str, str]:
    """The thing and its colour: with a demonstrative where the language bends it, with particles in Korean."""
    named = {"noun": noun, "color": color}
    if language == "ko":
        for name, said in list(named.items()):
            for closed, open_ in _PARTICLES.items():
                named[name + closed] = said + (closed if (ord(said[-1]) - 0xAC00) % 28 else open_)
    for this, held in _TABLE[language].get("this", {}).items():
        if noun in held:
            named["this"] = f"{this} {noun}"
    return named
