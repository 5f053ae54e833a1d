"""How right a cause model is on texts that it has not learnt from, beside the answer that needs no model.

Reviews of one text stand in one fold, so that no text is told that was learnt; those without any text are apart from
each other, as they have none to be known by. Intervals draw texts, not reviews.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError
from danggol.metrics import Statistic, macro_f1_of_weights, mean_of_weights
from danggol.metrics.intervals import bootstrap_figures
from danggol.progress import track
from danggol.reviews.causes.model import CauseModel
from danggol.reviews.causes.settings import CauseSettings
from danggol.reviews.causes.shop_facts import LabelledReviews
from danggol.reviews.figures import interval
from danggol.reviews.spelling import plain

Names = NDArray[np.str_]
Rows = NDArray[np.int64]
SURE = 0.5
"""Probability from which an answer is counted: it is likelier right than wrong."""
_LEVELS = (SURE, 0.7, 0.9)
_DRAWS = 1000


class Answers(NamedTuple):
    """What is true, what the model says and what is commonest, of reviews (rows,) that were held out."""

    truth: Names
    said: Names
    commonest: Names
    """in the part that the model learnt from"""
    probability: NDArray[np.float64]


def measure(labelled: LabelledReviews, settings: CauseSettings) -> dict[str, Any]:
    """Figures of the cause and, where there are classes, of the class, by folds over distinct texts.

    Of each: macro F1 and accuracy of the model, of the commonest answer and of their difference, with 95% intervals;
    on all reviews, and on those whose text no other has. DataError: too few distinct texts.
    """
    code = distinct_texts(labelled.reviews.texts)
    fold = text_folds(code, labelled.causes, settings.folds, settings.seed)
    once = np.bincount(code)[code] == 1
    held = _held_out(labelled, fold, settings)
    return {
        "reviews": len(code),
        "texts": int(code.max()) + 1,
        "once": int(once.sum()),
        "folds": int(fold.max()) + 1,
        **{
            target: {
                "all": _figures(answers, code, settings.seed),
                "once": _figures(_part(answers, once), code[once], settings.seed) if once.any() else None,
                "sure": _sure(answers),
                "by_name": _by_name(answers),
            }
            for target, answers in held.items()
        },
    }


def distinct_texts(texts: Sequence[str]) -> Rows:
    """A number (rows,) from 0 for each distinct text, spelling and spaces forgiven; one each where there is none."""
    known: dict[str, int] = {}
    return np.array(
        [known.setdefault(" ".join(plain(text).split()) or f" {nth}", len(known)) for nth, text in enumerate(texts)],
        np.int64,
    )


def text_folds(code: Rows, causes: Sequence[str], folds: int, seed: int) -> Rows:
    """A fold (rows,) for each row: those of one text in the same, the texts of each cause spread evenly over them.

    DataError: fewer than two causes have two texts, so that none could be left to learn from.
    """
    first = pl.DataFrame({"code": code, "cause": causes}).unique("code", keep="first", maintain_order=True)
    often = first.group_by("cause").len().filter(pl.col("len") > 1)
    if often.height < 2:
        raise DataError(
            "a model learns from two causes or more with two different texts each, and the labelled reviews have "
            f"{often.height}; name the causes of more reviews"
        )
    order = np.random.default_rng(seed).permutation(first.height)
    shuffled = first[order.tolist()].sort("cause", maintain_order=True)
    found = np.empty(first.height, np.int64)
    found[shuffled["code"].to_numpy()] = np.arange(first.height) % min(folds, first.height)
    return found[code]


def _held_out(labelled: LabelledReviews, fold: Rows, settings: CauseSettings) -> dict[str, Answers]:
    """Answers on every fold by a model of the others: of ``cause`` and, where there are classes, of ``class``."""
    texts, facts = labelled.reviews.texts, labelled.reviews.facts
    truth = {"cause": np.array(labelled.causes, np.str_)}
    if labelled.classes is not None:
        truth["class"] = np.array([labelled.classes[one] for one in labelled.causes], np.str_)
    order: list[Rows] = []
    found: dict[str, list[pl.DataFrame]] = {target: [] for target in truth}
    for nth in track(range(int(fold.max()) + 1), "causes: folds"):
        held, rest = np.flatnonzero(fold == nth), np.flatnonzero(fold != nth)
        model = CauseModel(**settings.model_dump())
        known = [labelled.causes[one] for one in rest]
        model.fit([texts[one] for one in rest], facts[rest.tolist()], known, labelled.classes)
        said = model.predict([texts[one] for one in held], facts[held.tolist()])
        order.append(held)
        for target, true in truth.items():
            probability = "probability" if target == "cause" else "class_probability"
            found[target].append(
                said.select(said=target, probability=probability, usual=pl.lit(_commonest(true[rest])))
            )
    back = np.argsort(np.concatenate(order), kind="stable")
    return {target: _in_order(pl.concat(parts)[back.tolist()], truth[target]) for target, parts in found.items()}


def _in_order(said: pl.DataFrame, truth: Names) -> Answers:
    names, usual = (said[name].to_numpy().astype(np.str_) for name in ("said", "usual"))
    return Answers(truth, names, usual, said["probability"].to_numpy())


def _commonest(names: Names) -> str:
    distinct, count = np.unique(names, return_counts=True)
    return str(distinct[count.argmax()])


def _part(answers: Answers, chosen: NDArray[np.bool_]) -> Answers:
    truth, said, commonest, probability = answers
    return Answers(truth[chosen], said[chosen], commonest[chosen], probability[chosen])


def _figures(answers: Answers, code: Rows, seed: int) -> dict[str, Any]:
    """Macro F1 and accuracy, ours, of the commonest and their difference, under the same draws of texts."""
    told: dict[str, tuple[Statistic, Statistic]] = {
        "macro_f1": (
            macro_f1_of_weights(answers.said, answers.truth),
            macro_f1_of_weights(answers.commonest, answers.truth),
        ),
        "accuracy": (
            mean_of_weights(answers.said == answers.truth),
            mean_of_weights(answers.commonest == answers.truth),
        ),
    }

    def draws(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = []
        for ours, usual in told.values():
            first, second = ours(weights), usual(weights)
            columns += [first, second, first - second]
        return np.column_stack(columns)

    found = bootstrap_figures(draws, code, 3 * len(told), _DRAWS, seed)
    figures: dict[str, Any] = {"reviews": len(code)}
    for nth, name in enumerate(told):
        ours, usual, more = (interval(one) for one in found[3 * nth : 3 * nth + 3])
        figures[name] = {**ours, "commonest": usual, "ahead_by": more}
    return figures


def _sure(answers: Answers) -> list[dict[str, Any]]:
    """Of the answers at or above a probability: their share, how sure they are on average, how many are right."""
    right = answers.said == answers.truth
    found = []
    for level in (0.0, *_LEVELS):
        there = answers.probability >= level
        told = {"at_least": level, "share": round(float(there.mean()), 4)}
        if there.any():
            told["expected"] = round(float(answers.probability[there].mean()), 4)
            told["right"] = round(float(right[there].mean()), 4)
        found.append(told)
    return found


def _by_name(answers: Answers) -> list[dict[str, Any]]:
    """Each cause or class: its reviews, how often it was said, how many of those are right, and how many were found."""
    found = []
    for name in np.unique(answers.truth):
        there, said = answers.truth == name, answers.said == name
        both = int((there & said).sum())
        found.append(
            {
                "name": str(name),
                "reviews": int(there.sum()),
                "said": int(said.sum()),
                "right": round(both / int(said.sum()), 4) if said.any() else None,
                "found": round(both / int(there.sum()), 4),
            }
        )
    return sorted(found, key=lambda one: -one["reviews"])
