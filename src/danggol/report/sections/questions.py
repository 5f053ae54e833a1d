"""Which questions the shop's tables have what it takes for, as doctor answers, and what the others lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from danggol.report.words import Both
from danggol.shop.doctor import Note, doctor, sentence, title

if TYPE_CHECKING:
    from danggol.shop import Shop


ANSWERED = frozenset(
    {
        "purchase",
        "purchase_by_country",
        "match_text",
        "match_picture",
        "review_sentiment",
        "review_aspects",
        "review_causes",
    }
)
"""The questions that this version has an answer to in the report; the other capabilities are yet to come."""


@dataclass(frozen=True)
class Asked:
    """A question, whether the tables suffice, whether this version answers it, and what is missing or to beware of."""

    question: Both
    ready: bool
    answered: bool
    notes: list[Both]


def gather(shop: Shop) -> list[Asked]:
    """Every question, those that this version answers first, then those that the tables suffice for."""
    answers = sorted(doctor(shop), key=lambda answer: (answer.question not in ANSWERED, not answer.ready))
    return [
        Asked(
            Both(title(answer.question, "en"), title(answer.question, "ko")),
            answer.ready,
            answer.question in ANSWERED,
            [_said(note) for note in (*answer.missing, *answer.cautions)],
        )
        for answer in answers
    ]


def _said(note: Note) -> Both:
    return Both(sentence(note, "en"), sentence(note, "ko"))
