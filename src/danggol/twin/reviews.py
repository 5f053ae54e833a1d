"""Reviews of purchases: who writes one, with how many stars, and in what words.

    P(review) = logistic(logit(share) + extreme |satisfaction - middling|),    middling = (second cut + third cut) / 2

Stars are what the cuts make of satisfaction, so that people who are delighted or angry write more than the others, and
ratings come out J-shaped. The text follows the stars that are meant and the causes that struck (each is told of four
times in five); the rating given is now and then the opposite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit

from danggol.twin import wording
from danggol.twin.people import Bools, Floats, Ints
from danggol.twin.sections import Reviews
from danggol.twin.slips import Draw, with_slips, without_spaces
from danggol.twin.titles import Brand
from danggol.twin.words import LANGUAGES

_BLOCK = 16384
_CARELESS = 12.0
"""Share of Korean writers who leave spaces out, per unit of ``typos``."""


@dataclass(frozen=True)
class Facts:
    """What reviews are about, one row each."""

    language: NDArray[np.str_]
    """The customer's; a review in another language than those of ``words.toml`` is written in English."""
    category: Sequence[str]
    color: Sequence[str]
    brand: Sequence[Brand]
    satisfaction: Floats
    causes: Bools
    """``(rows, len(CAUSES))``: which causes struck."""
    late_days: Floats


def chance_of_writing(satisfaction: Floats, settings: Reviews) -> Floats:
    """Probability that each purchase is reviewed."""
    middling = (settings.cuts[1] + settings.cuts[2]) / 2
    chance: Floats = expit(logit(settings.share) + settings.extreme * np.abs(satisfaction - middling))
    return chance


def write(facts: Facts, settings: Reviews, rng: np.random.Generator) -> pl.DataFrame:
    """Write the reviews, one row for each of ``facts``.

    Columns: ``rating`` (1 to 5), ``text``, ``title`` (or null), ``language`` written in, ``has_picture``; and the
    truth: ``stars_meant`` (of which the rating may be the opposite), ``sarcastic``, ``disagrees``, ``complains_of`` and
    ``praises`` (aspects, in the order of the text).
    """
    number = len(facts.satisfaction)
    chances = rng.random((6, number))
    stars = 1 + np.searchsorted(np.array(settings.cuts), facts.satisfaction)
    sarcastic = (chances[0] < settings.sarcasm) & (stars <= 2)
    disagrees = (chances[1] < settings.disagree) & (stars != 3)
    english = (chances[2] < settings.english) | ~np.isin(facts.language, LANGUAGES)
    language = np.where(english, "en", facts.language)
    signed, titled = chances[3] < settings.emoji, chances[4] < settings.title
    draw = _draws(rng)
    texts: list[str] = []
    titles: list[str | None] = []
    blamed: list[list[str]] = []
    praised: list[list[str]] = []
    for matter, tongue, sign, has_title in zip(
        _matters(facts, stars, sarcastic), language.tolist(), signed.tolist(), titled.tolist(), strict=True
    ):
        spoken = wording.speech(tongue, _writer(tongue, draw))
        made = wording.review(matter, spoken, draw)
        text = wording.with_sign(made.text, matter, spoken, draw) if sign else made.text
        texts.append(_typed(text, tongue, settings.typos, draw))
        title = wording.headline(matter, spoken, draw) if has_title else None
        titles.append(title and _typed(title, tongue, settings.typos, draw))
        blamed.append(made.complains_of)
        praised.append(made.praises)
    return pl.DataFrame(
        {
            "rating": np.where(disagrees, 6 - stars, stars).astype(np.float64),
            "text": pl.Series(texts, dtype=pl.String),
            "title": pl.Series(titles, dtype=pl.String),
            "language": pl.Series(language.tolist(), dtype=pl.String),
            "has_picture": chances[5] < settings.picture,
            "stars_meant": stars.astype(np.int8),
            "sarcastic": sarcastic,
            "disagrees": disagrees,
            "complains_of": pl.Series(blamed, dtype=pl.List(pl.String)),
            "praises": pl.Series(praised, dtype=pl.List(pl.String)),
        }
    )


def _matters(facts: Facts, stars: Ints, sarcastic: Bools) -> list[wording.Matter]:
    rows = zip(
        facts.category,
        facts.color,
        facts.brand,
        stars.tolist(),
        facts.causes.tolist(),
        facts.late_days.tolist(),
        sarcastic.tolist(),
        strict=True,
    )
    return [wording.Matter(*row) for row in rows]


def _writer(language: str, draw: Draw) -> int:
    """Which kind of writer of the language this is."""
    at, writer = draw(), 0
    for share in wording.writers(language)[:-1]:
        at -= share
        writer += at >= 0
    return writer


def _typed(text: str, language: str, typos: float, draw: Draw) -> str:
    """``text`` as it leaves the keyboard."""
    if language == "ko" and draw() < min(0.5, _CARELESS * typos):
        text = without_spaces(text, 0.5, draw)
    return with_slips(text, typos, draw)


def _draws(rng: np.random.Generator) -> Draw:
    """Numbers of ``rng`` one by one, taken from it in blocks."""
    block: list[float] = []

    def draw() -> float:
        if not block:
            block.extend(rng.random(_BLOCK).tolist())
        return block.pop()

    return draw
