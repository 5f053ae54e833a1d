"""What reviews speak of and how, without labels: seed words of aspects, and feeling counted clause by clause.

A clause speaks of an aspect where it holds one of its seeds. How it speaks of it is told by what the seed says by
itself ("broken"), whatever stands beside it, or else by the words of feeling in the clause; what is negated counts for
the opposite. A clause without such words is told by a scorer where one is given, or else by the clause behind it where
that one names no aspect, or by all words of feeling in the review.

    SeedAspects().label(["배송은 빠른데 포장이 엉망이에요"])   # row, aspect, polarity, span, confidence
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from danggol.errors import UsageError
from danggol.reviews.aspects.clauses import Clause, clauses_of, shortened
from danggol.reviews.aspects.polarity import Scorer
from danggol.reviews.aspects.words import JOINED, AspectWords, Feelings, WordFinder, meant, spelt
from danggol.reviews.language import language

_BEFORE, _AFTER = 3, 8
"""Words ahead of a feeling, and letters behind it, in which a negation turns it."""
_AHEAD = 64
"""Letters in which those words are looked for."""
_SURE = 0.6
"""Share of a text's letters from which on its language counts; below, the seeds of all languages of its script do."""
_CHUNK = 20_000
"""Reviews that a scorer is asked of at once."""
_SCHEMA = {"row": pl.Int64, "aspect": pl.String, "polarity": pl.Float64, "span": pl.String, "confidence": pl.Float64}
_WORD = re.compile(r"\w+(?:'\w+)*")


@dataclass(frozen=True)
class Mention:
    """A clause that speaks of an aspect."""

    aspect: str
    polarity: float
    span: str
    confidence: float


class SeedAspects:
    """Labels reviews by the seed words of a file (:mod:`.words`); ``scorer`` may say how pleased texts are.

    ``scored``: ISO 639-1 codes of the languages that the scorer has learnt, in which alone it is asked; None: in all.
    """

    def __init__(
        self, path: Path | str | None = None, scorer: Scorer | None = None, scored: Collection[str] | None = None
    ) -> None:
        self.words = AspectWords.load(None if path is None else Path(path))
        self.scorer, self.scored = scorer, scored

    @property
    def mute(self) -> list[str]:
        """The languages in which aspects are found, but nothing tells how they are spoken of: polarity is 0 there."""
        asked = self.scorer is not None
        return [
            one for one in self.words.without_feeling if not (asked and (self.scored is None or one in self.scored))
        ]

    @cached_property
    def _readers(self) -> Mapping[str, _Reader]:
        return {code: _Reader.of(self.words, code) for code in self.words.languages}

    def label(self, texts: Sequence[str | None], languages: Sequence[str] | None = None) -> pl.DataFrame:
        """One row a review and aspect: ``row`` (the review), ``aspect``, ``polarity``, ``span``, ``confidence``.

        Of a text of more than 2,000 characters the first and the last half are read.
        ``polarity`` in [-1, 1] is the mean over the clauses that speak of the aspect, ``span`` the clause that shows it
        most, ``confidence`` how far the words of feeling agree (0.5: there were none). ``languages`` (reviews,) are ISO
        639-1 codes; None: they are told from the texts.
        """
        if languages is not None and len(languages) != len(texts):
            raise UsageError(f"{len(texts)} texts and {len(languages)} languages: give one of each")
        parts = [
            self._rows(start, texts[start : start + _CHUNK], languages and languages[start : start + _CHUNK])
            for start in range(0, len(texts), _CHUNK)
        ]
        return pl.DataFrame([row for part in parts for row in part], schema=_SCHEMA, orient="row")

    def unexplained(self, texts: Sequence[str | None]) -> pl.DataFrame:
        """The clauses in which no seed stands: ``row`` (the review), ``clause``."""
        rows = []
        for nth, text in enumerate(map(_read, texts)):
            readers = [self._readers[code] for code in self._codes(text, None)]
            for clause in clauses_of(text):
                flat = spelt(clause.text)
                if not any(reader.aspects(flat) for reader in readers):
                    rows.append((nth, clause.text))
        return pl.DataFrame(rows, schema={"row": pl.Int64, "clause": pl.String}, orient="row")

    def _codes(self, text: str, given: str | None) -> list[str]:
        if given is not None:
            return [given] if given in self._readers else []
        code, share = language(text)
        if code in self._readers and (code in JOINED or share >= _SURE):
            return [code]
        return [] if code in JOINED else [one for one in self._readers if one not in JOINED]

    def _rows(
        self, first: int, texts: Sequence[str | None], languages: Sequence[str] | None
    ) -> list[tuple[int, str, float, str, float]]:
        """Rows of some reviews, the first of which has the number ``first``."""
        reviews = []
        for nth, text in enumerate(map(_read, texts)):
            given = None if languages is None else languages[nth]
            readers = [self._readers[code] for code in self._codes(text, given)]
            named = [_Named.of(clause, readers) for clause in clauses_of(text)]
            reviews.append((named, self._hears(text, given, named)))
        asked = {
            (nth, at): one.text
            for nth, (named, heard) in enumerate(reviews)
            if heard
            for at, one in enumerate(named)
            if self._is_asked(one)
        }
        said: dict[tuple[int, int], float] = {}
        if asked and self.scorer is not None:
            scores = np.asarray(self.scorer([*asked.values()]), np.float64).tolist()
            said = {key: score for key, score in zip(asked, scores, strict=True) if not np.isnan(score)}
        rows = []
        for nth, (named, _) in enumerate(reviews):
            held: dict[str, list[Mention]] = {}
            for mention in self._mentions(named, [said.get((nth, at)) for at in range(len(named))]):
                held.setdefault(mention.aspect, []).append(mention)
            for aspect, mentions in held.items():
                shown = max(mentions, key=lambda one: abs(one.polarity))
                mean = float(np.mean([one.polarity for one in mentions]))
                sure = float(np.mean([one.confidence for one in mentions]))
                rows.append((first + nth, aspect, mean, shown.span, sure))
        return rows

    def _hears(self, text: str, given: str | None, named: Sequence[_Named]) -> bool:
        """Whether there is a scorer that has learnt a review's language, and something to ask it."""
        if self.scorer is None or not any(self._is_asked(one) for one in named):
            return False
        return self.scored is None or (given or language(text, self.scored).code) in self.scored

    def _is_asked(self, named: _Named) -> bool:
        """Whether no word tells how a clause speaks of an aspect."""
        return not named.up + named.down and any(not self.words.feeling[aspect] for aspect in named.aspects)

    def _mentions(self, named: Sequence[_Named], said: Sequence[float | None]) -> list[Mention]:
        """What the clauses of a review speak of; ``said`` by a scorer of each, or None."""
        whole = (sum(one.up for one in named), sum(one.down for one in named))
        found = []
        for nth, one in enumerate(named):
            behind = named[nth + 1] if nth + 1 < len(named) else None
            for aspect, turned in one.aspects.items():
                polarity, sure = self._polarity(one, behind, aspect, turned, said[nth], whole)
                found.append(Mention(aspect, polarity, one.text, sure))
        return found

    def _polarity(
        self,
        here: _Named,
        behind: _Named | None,
        aspect: str,
        turned: bool,
        scored: float | None,
        whole: tuple[int, int],
    ) -> tuple[float, float]:
        own = self.words.feeling[aspect]
        up, down = here.up, here.down
        if own:
            return (-own if turned else own), 0.75
        if not up + down and scored is not None:
            return float(np.clip(scored, -1, 1)), (1 + min(abs(scored), 1.0)) / 2
        if not up + down and behind is not None and not behind.aspects:
            up, down = behind.up, behind.down
        if not up + down:
            up, down = whole
        if not up + down:
            return 0.0, 0.5
        net = (up - down) / (up + down)
        return net, (1 + abs(net)) / 2


def _read(text: str | None) -> str:
    return shortened(text or "")


@dataclass(frozen=True)
class _Named:
    """What a clause names: aspects (whether their seed is negated), and words of feeling for and against."""

    text: str
    aspects: Mapping[str, bool]
    up: int
    down: int

    @classmethod
    def of(cls, clause: Clause, readers: Sequence[_Reader]) -> _Named:
        flat = spelt(clause.text)
        aspects: dict[str, bool] = {}
        up = down = 0
        for reader in readers:
            for aspect, turned in reader.aspects(flat):
                aspects[aspect] = aspects.get(aspect, True) and turned
            more, less = reader.feelings(flat)
            up, down = up + more, down + less
        return cls(clause.text, aspects, up, down)


@dataclass(frozen=True)
class _Reader:
    """Finds the words of one language in plain text."""

    language: str
    seeds: WordFinder | None
    """of all aspects, those too that an aspect does not mean"""
    each: Mapping[str, WordFinder]
    """by aspect"""
    pleased: WordFinder | None
    displeased: WordFinder | None
    before: frozenset[str]
    after: WordFinder | None

    @classmethod
    def of(cls, words: AspectWords, code: str) -> _Reader:
        found = {aspect: WordFinder.of(held.get(code, ()), code) for aspect, held in words.seeds.items()}
        felt = words.feelings.get(code, Feelings())
        whole = [word for held in words.seeds.values() for word in meant(held.get(code, ()))]
        return cls(
            code,
            WordFinder.of(whole, code),
            {aspect: finder for aspect, finder in found.items() if finder is not None},
            WordFinder.of(felt.pleased, code),
            WordFinder.of(felt.displeased, code),
            frozenset(bare for one in map(str.strip, map(spelt, felt.before)) for bare in (one, one.replace("'", ""))),
            WordFinder.of(felt.after, code, within=True),
        )

    def aspects(self, flat: str) -> list[tuple[str, bool]]:
        """The aspects that a plain clause names, each with whether all of its seeds are negated."""
        if self.seeds is None or not self.seeds.hits(flat):
            return []
        found = []
        for aspect, finder in self.each.items():
            hits = finder.hits(flat)
            if hits:
                found.append((aspect, all(self._turned(flat, hit) for hit in hits)))
        return found

    def feelings(self, flat: str) -> tuple[int, int]:
        """Words of feeling for and against; of words that overlap the first counts, 불편 and not the 편하 of 불편하."""
        sides = ((self.pleased, True), (self.displeased, False))
        hits = [(hit, pleased) for finder, pleased in sides if finder is not None for hit in finder.hits(flat)]
        up = down = end = 0
        for hit, pleased in sorted(hits, key=lambda one: (one[0].start(), -one[0].end())):
            if hit.start() < end:
                continue
            end = hit.end()
            if pleased != self._turned(flat, hit):
                up += 1
            else:
                down += 1
        return up, down

    def _turned(self, flat: str, hit: re.Match[str]) -> bool:
        """Whether a negation stands close ahead, or right behind."""
        if self.after is not None and self.after.hits(flat[hit.end() : hit.end() + _AFTER]):
            return True
        if self.language in ("zh", "ja"):
            return any(flat.endswith(word, 0, hit.start()) for word in self.before)
        words = _WORD.findall(flat[max(hit.start() - _AHEAD, 0) : hit.start()])[
            -_BEFORE if self.language != "ko" else -1 :
        ]
        return any(word in self.before for word in words)
