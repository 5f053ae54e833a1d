"""The verbs of reviews."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from danggol.cli.call import Seed, Set, SettingsFile, ShopPath, app, verb
from danggol.console import Outcome

reviews = typer.Typer(help="Tell how pleased reviews are, about what, and why.", no_args_is_help=True)
app.add_typer(reviews, name="reviews")


@verb(reviews, "train", "danggol reviews train my-shop")
def reviews_train(
    shop: ShopPath,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to save; SHOP/models/reviews if not said.")
    ] = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="Weigh both classes, and all sources, alike.")] = False,
    distil: Annotated[
        bool, typer.Option("--distil", help="Let an ensemble teach the model, by reviews without stars too.")
    ] = False,
    note: Annotated[
        list[str] | None,
        typer.Option(help="A line for the model's card: where the reviews come from; may be repeated."),
    ] = None,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Learn from the shop's reviews and their stars how pleased a review is."""
    from danggol import verbs

    return verbs.reviews_train(
        shop,
        to=to,
        notes=note or [],
        balanced=balanced,
        distil=distil,
        settings=settings,
        pairs=set_ or [],
        seed=seed,
    )


@verb(reviews, "label", "danggol reviews label my-shop")
def reviews_label(
    shop: ShopPath,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A saved model; the shop's own, else danggol's, if not said.")
    ] = None,
) -> Outcome:
    """Tell how pleased every review is, and which contradict their stars; a killed run goes on where it stopped."""
    from danggol import verbs

    return verbs.reviews_label(shop, model=model)


@verb(reviews, "aspects", "danggol reviews aspects my-shop")
def reviews_aspects(
    shop: ShopPath,
    words: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The shop's own file of aspects; danggol's if not said.")
    ] = None,
    model: Annotated[Path | None, typer.Option(metavar="DIR", help="A saved model of marked terms instead.")] = None,
    no_sentiment: Annotated[
        bool, typer.Option("--no-sentiment", help="Tell polarity by words of feeling alone, not by a sentiment model.")
    ] = False,
) -> Outcome:
    """Tell what every review speaks of and how, which complaints rose, and which topics wait for a name."""
    from danggol import verbs

    return verbs.reviews_aspects(shop, words=words, model=model, sentiment=not no_sentiment)


@verb(reviews, "causes", "danggol reviews causes my-shop --labels causes.csv")
def reviews_causes(
    shop: ShopPath,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Learn from this file: review_id, cause and, if you like, class."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A saved model; SHOP/models/causes if not said.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to save what was learnt; SHOP/models/causes if not said.")
    ] = None,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Tell why each customer wrote, from causes that you named for some reviews; a killed run goes on where it stopped.

    The words of a review and what was known of its order on that day decide.
    """
    from danggol import verbs

    return verbs.reviews_causes(shop, labels=labels, model=model, to=to, settings=settings, pairs=set_ or [], seed=seed)


@verb(reviews, "study", "danggol reviews study my-shop --seeds 5")
def reviews_study(
    shop: ShopPath,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; SHOP/studies/reviews if not said.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Runs of each network.")] = 5,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes at a time; one a core if not said.")] = None,
    settings: SettingsFile = None,
    set_: Set = None,
) -> Outcome:
    """Test whether units and layers of networks matter on the shop's reviews; a killed run goes on where it stopped."""
    from danggol import verbs

    return verbs.reviews_study(shop, to=to, seeds=seeds, workers=workers, settings=settings, pairs=set_ or [])
