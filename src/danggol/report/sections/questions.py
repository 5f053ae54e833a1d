"""Which questions the shop's tables have what it takes for, as doctor answers, and what the others lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from danggol.report.words import Both
from danggol.shop.doctor import Note, doctor, sentence, title

if TYPE_CHECKING:
    from danggol.shop import Shop


@dataclass(frozen=True)
class Asked:
    """A question, whether the tables suffice, and what is missing or to beware of."""

    question: Both
    ready: bool
    notes: list[Both]


def gather(shop: Shop) -> list[Asked]:
    """Every question, those that the tables suffice for first."""
    answers = sorted(doctor(shop), key=lambda answer: not answer.ready)
    return [
        Asked(
            Both(title(answer.question, "en"), title(answer.question, "ko")),
            answer.ready,
            [_said(note) for note in (*answer.missing, *answer.cautions)],
        )
        for answer in answers
    ]


def _said(note: Note) -> Both:
    return Both(sentence(note, "en"), sentence(note, "ko"))
