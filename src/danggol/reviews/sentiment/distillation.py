"""A small model taught by a large one: it learns from the teacher's probabilities, of labelled and of other texts.

Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015. A teacher is too sure of a text whose
label it has learnt, and teaches no more there than the label does. So each teacher learns from a part of the labelled
texts, and tells those of the rest; what all teachers say of a text without label is averaged. Their probabilities are
calibrated, so that a temperature has nothing to mend.

The labels' share and the student's strength were chosen on three training folds of the Korean shopping reviews by a
fourth, out of seven tries; see docs/sentiment.md for what it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from danggol.errors import UsageError
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.sentiment.rows import Floats, folds_of, shares_of
from danggol.reviews.sentiment.settings import NETWORKS, SentimentSettings
from danggol.reviews.text import Text, cleaned

if TYPE_CHECKING:
    from danggol.reviews.sentiment.pretraining import Pretrained

SHARE, FOLDS = 0.75, 3
_STRENGTH = 16.0
"""Of a linear student: shares hold it back less than labels need."""


def student_of(settings: SentimentSettings) -> SentimentSettings:
    """The settings with the strength that suits a linear student, where they do not say one themselves."""
    if settings.kind != "linear" or "strength" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"strength": _STRENGTH})


def distil(
    texts: Sequence[Text],
    labels: ArrayLike,
    teacher: SentimentSettings,
    student: SentimentSettings,
    weights: ArrayLike | None = None,
    *,
    share: float = SHARE,
    folds: int = FOLDS,
    start: Pretrained | None = None,
) -> SentimentModel:
    """A student that learns from texts, their labels (texts,), nan where there is none, and teachers.

    ``share`` is how much the label counts where there is one, beside what the teachers say; ``folds`` is the number of
    teachers; ``weights`` (texts,) and ``start`` as in :meth:`.SentimentModel.fit`. UsageError: teacher and student have
    not the same target. DataError: too few labels.
    """
    if teacher.target != student.target:
        raise UsageError(f"the teacher's target {teacher.target} is not the student's, {student.target}; give one")
    if not 0 <= share <= 1:
        raise UsageError(f"share is from 0 to 1, got {share:g}")
    own = shares_of(labels, teacher.target)
    told = taught(texts, own, teacher, weights, folds, start)
    mixed = np.where(np.isnan(own), told, share * own + (1 - share) * told)
    model = SentimentModel(student).fit(texts, mixed, weights, start)
    # a language that no label taught is not learnt, however many texts the teachers told
    labelled = [text for text, one in zip(texts, own[:, 0], strict=True) if not np.isnan(one)]
    model.languages = model.languages_of(labelled)
    return model


def taught(
    texts: Sequence[Text],
    shares: Floats,
    teacher: SentimentSettings,
    weights: ArrayLike | None = None,
    folds: int = FOLDS,
    start: Pretrained | None = None,
) -> Floats:
    """Probabilities (texts, classes) by teachers that have not learnt the text's label.

    Networks among them begin with subwords and vectors of all the texts, where there is no other ``start``.
    ``shares`` (texts, classes): labels as :func:`.shares_of` gives them, nan where there is none.
    """
    if folds < 2:
        raise UsageError(f"folds is 2 or more, got {folds}; a single teacher would have seen all labels")
    clean = cleaned(texts, teacher.longest)
    often = np.ones(len(clean)) if weights is None else np.asarray(weights, np.float64)
    labelled = ~np.isnan(shares[:, 0])
    known = {text for text, there in zip(clean, labelled, strict=True) if there}
    seen = np.array([text in known for text in clean], np.bool_)
    fold = folds_of(clean, folds, teacher.seed)
    if start is None and {teacher.kind, *teacher.members * (teacher.kind == "ensemble")} & set(NETWORKS):
        from danggol.reviews.sentiment.pretraining import pretrain

        start = pretrain(clean, teacher)
    logs = np.zeros(shares.shape)
    for nth in range(folds):
        learnt = np.flatnonzero(labelled & (fold != nth))
        model = SentimentModel(teacher).fit([clean[one] for one in learnt], shares[learnt], often[learnt], start)
        asked = np.flatnonzero(~seen | (fold == nth))
        logs[asked] += model.log_probabilities([clean[one] for one in asked])
    logs[~seen] /= folds
    return np.asarray(softmax(logs, axis=1))
