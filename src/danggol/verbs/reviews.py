"""What the review verbs do: train, label, aspects, causes, study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from danggol.console import Outcome, Table
from danggol.errors import UsageError
from danggol.shop import Shop


def reviews_train(
    path: Path,
    *,
    to: Path | None,
    notes: Sequence[str],
    balanced: bool,
    distil: bool,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Train a sentiment model on the shop's reviews and save it."""
    from danggol.reviews.figures import shown
    from danggol.reviews.sentiment.settings import SentimentSettings
    from danggol.reviews.sentiment.training import train

    given = SentimentSettings.load(settings, pairs).model_dump(exclude_unset=True)
    chosen = SentimentSettings.of({"seed": seed} | given)
    figures = train(Shop.open(path), to, chosen, notes, balanced, distil)
    rows = [
        (name, f"{one['reviews']:,}", shown(one["accuracy"]))
        for name, one in [("all", figures), *figures["by_language"].items(), *figures["by_source"].items()]
    ]
    return Outcome(
        figures,
        [
            f"Learnt from {figures['learnt_from']:,} reviews in {figures['seconds']:.0f} s; the model is in "
            f"{figures['model']}, with its card.",
            Table(("language or source", "reviews", "accuracy"), rows, "On reviews kept from training"),
            f"It is sure of {figures['answered']:.1%} of them{_speed(figures['per_second'])}.",
        ],
    )


def reviews_label(path: Path, *, model: Path | None) -> Outcome:
    """Tell how pleased every review is."""
    from danggol.reviews.sentiment.labelling import label

    figures = label(Shop.open(path), model)
    by = (
        "the Korean and English model of danggol"
        if figures["model"] == "shipped"
        else f"the model in {figures['model']}"
    )
    rows = [
        (name, f"{count:,}", f"{count / max(figures['reviews'], 1):.1%}") for name, count in figures["labels"].items()
    ]
    return Outcome(
        figures,
        [
            f"{figures['reviews']:,} reviews read by {by}.",
            Table(("label", "reviews", "share"), rows),
            *_unlearnt(figures["unlearnt"]),
            f"{figures['contradict_their_stars']:,} contradict their stars. Written to review_sentiment of {path}.",
        ],
    )


def _speed(per_second: int | None) -> str:
    """What is said of a model's speed, where it was measured."""
    return "" if per_second is None else f", and reads {per_second:,} reviews a second"


def _unlearnt(languages: dict[str, int]) -> list[str]:
    """What is said of reviews in languages that the model has not learnt."""
    if not languages:
        return []
    most = ", ".join(f"{code} {count:,}" for code, count in list(languages.items())[:5])
    if len(languages) > 5:
        most += f", {sum(list(languages.values())[5:]):,} in others"
    return [
        f"{sum(languages.values()):,} reviews are in languages that this model has not learnt ({most}), and are "
        "labelled unsure. Where hundreds of them have stars, 'danggol reviews train' learns to read them."
    ]


def reviews_aspects(path: Path, *, words: Path | None, model: Path | None, sentiment: bool) -> Outcome:
    """Tell what every review speaks of."""
    from danggol.reviews.aspects.verbs import aspects
    from danggol.reviews.aspects.words import DEFAULT

    if words is not None and model is not None:
        raise UsageError("--words and --model are two ways to find aspects; choose one")
    figures = aspects(Shop.open(path), words, model, sentiment)
    rows = [
        (row["aspect"], f"{row['reviews']:,}", f"{row['bad']:.1%}", f"{row['good']:.1%}")
        for row in figures["by_aspect"]
    ]
    said: list[str | Table] = [Table(("aspect", "reviews", "bad", "good"), rows)]
    said.append(_risen(figures, "complaint"))
    if figures["topics"]:
        waiting = [
            (row["reviews"], ", ".join(row["words"][:5]), (row["examples"] or [""])[0]) for row in figures["topics"]
        ]
        said.append(Table(("reviews", "words", "for example"), waiting, "Topics that no aspect explains, to be named"))
    if figures["mute"]:
        codes = ", ".join(figures["mute"])
        said.append(
            f"The file has no words of feeling in {codes}, so polarity is 0 there unless a seed tells it: copy "
            f"[feelings.{figures['mute'][0]}] from danggol's own file, {DEFAULT}."
        )
    if figures["sentiment"] is not None:
        by = "the Korean and English model of danggol" if figures["sentiment"] == "shipped" else figures["sentiment"]
        said.append(
            f"Where no word of feeling tells how an aspect is spoken of, {by} does, in languages it has learnt."
        )
    said.append(f"Written to review_aspects of {path} ({figures['rows']:,} rows).")
    return Outcome(figures, said)


_NOT_COMPARED = {
    "no times": "No review tells when it was written, so no {} could be compared with the weeks before.",
    "no weeks before": "The reviews are of one week, or of weeks far apart: there is nothing to compare its {}s with.",
    "none named": "No {} is named in the last week and the weeks before, so none was compared.",
    "too few": "There are too few reviews in the last week, or before it, to tell whether a {} rose.",
}


def _risen(figures: Mapping[str, Any], what: str) -> str | Table:
    """What rose in the last week of the reviews, or why that cannot be told."""
    rows = figures["rose"]
    if figures["not_compared"] is not None:
        return _NOT_COMPARED[figures["not_compared"]].format(what)
    if not rows:
        return f"No {what} rose in the last week more than by chance ({figures['compared']:,} compared)."
    risen = [
        (
            row["product_id"],
            row["cause"],
            row["week"],
            f"{row['named']} of {row['reviews']}",
            f"{row['past_share']:.1%}",
        )
        for row in rows
    ]
    title = f"{what.capitalize()}s that rose in the last week (5% of them by chance, at most)"
    return Table(("product", what, "week from", "reviews", "before"), risen, title)


def reviews_causes(
    path: Path,
    *,
    labels: Path | None,
    model: Path | None,
    to: Path | None,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Tell why each customer wrote, by a model that learns from labels first where there are some."""
    from danggol.reviews.causes.naming import name_causes

    if labels is not None and model is not None:
        raise UsageError("--labels learns a model and --model names a saved one; choose one")
    if labels is None and (to is not None or settings is not None or pairs):
        raise UsageError("--to, --settings and --set say how to learn; give --labels with them")
    shop = Shop.open(path)
    learnt = None if labels is None else _learnt_causes(shop, labels, to, settings, pairs, seed)
    figures = name_causes(shop, model if learnt is None else Path(learnt.figures["model"]))
    rows = [(name, f"{count:,}", f"{count / figures['sure']:.1%}") for name, count in figures["causes"].items()]
    said: list[str | Table] = [] if learnt is None else [*learnt.text]
    said += [
        f"{figures['reviews']:,} reviews read by the model in {figures['model']}.",
        Table(("cause", "reviews", "share"), rows, "Where the answer is likelier right than wrong"),
        _risen(figures, "cause"),
        f"{figures['reviews'] - figures['sure']:,} answers are likelier wrong than right, by their own probability. "
        f"Written to review_causes of {path}.",
    ]
    return Outcome({**figures, "learnt": None if learnt is None else learnt.figures}, said)


def _learnt_causes(
    shop: Shop, labels: Path, to: Path | None, settings: Path | None, pairs: Sequence[str], seed: int
) -> Outcome:
    """Learn from labels: figures and words."""
    from danggol.reviews.causes.settings import CauseSettings
    from danggol.reviews.causes.training import figure_rows, train

    given = CauseSettings.load(settings, pairs).model_dump(exclude_unset=True)
    figures = train(shop, labels, to, CauseSettings.of({"seed": seed} | given))
    rows = figure_rows(figures)
    headings = ("what", "reviews", "measure", "model", "commonest answer", "ahead by")
    said: list[str | Table] = [
        f"Learnt from {figures['reviews']:,} reviews in {figures['seconds']:.0f} s; the model is in "
        f"{figures['model']}, with its card.",
        Table(headings, rows, f"By {figures['folds']} folds over distinct texts"),
    ]
    if figures["without_cause"]:
        said.append(f"{figures['without_cause']:,} rows of {labels} name no cause and were passed over.")
    # chance alone has a macro F1 above that of one answer, but is not right more often
    if figures["cause"]["all"]["accuracy"]["ahead_by"]["low"] <= 0:
        said.append(
            "It is not surely right more often than the commonest cause would be: name the causes of more reviews, "
            "or see in the card which causes it finds."
        )
    return Outcome(figures, said)


def reviews_study(
    path: Path, *, to: Path | None, seeds: int, workers: int | None, settings: Path | None, pairs: Sequence[str]
) -> Outcome:
    """Test whether units and layers matter."""
    from danggol.reviews.figures import shown
    from danggol.reviews.sentiment.settings import SentimentSettings
    from danggol.reviews.sentiment.study import USUAL, VARIED, study

    given = SentimentSettings.load(settings, pairs).model_dump(exclude_unset=True)
    if varied := sorted(set(given) & set(VARIED)):
        raise UsageError(f"the study sets {', '.join(varied)} itself; leave that out")
    chosen = SentimentSettings.of({**USUAL, **given})
    figures = study(Shop.open(path), to, seeds, chosen, workers=workers)
    networks = [
        (row["network"], shown(row["accuracy"]), f"{row['f1']:.3f}", f"{row['seconds']:,.0f}", f"{row['parameters']:,}")
        for row in figures["networks"]
    ]
    answers = [
        (row["network"], row["against"], shown(row["difference"]), row["verdict"]) for row in figures["differences"]
    ]
    return Outcome(
        figures,
        [
            Table(("network", "accuracy", "F1", "seconds", "parameters"), networks, f"Means of {seeds} seeds"),
            Table(("network", "against", "difference of accuracy", "it is"), answers),
            f"Written to {figures['written']}.",
        ],
    )
