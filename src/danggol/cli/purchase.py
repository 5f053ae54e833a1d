"""The verbs of purchase prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from danggol.cli.call import Days, ModelDir, Seed, Set, SettingsFile, ShopPath, app, verb
from danggol.console import Outcome

purchase = typer.Typer(help="Predict who will buy what.", no_args_is_help=True)
app.add_typer(purchase, name="purchase")


@verb(purchase, "train", "danggol purchase train my-shop --until 2011-11-09")
def purchase_train(
    shop: ShopPath,
    until: Annotated[
        str | None, typer.Option(help="Learn from rows before this local day; all where not said.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to save; SHOP/models/purchase if not said.")
    ] = None,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Another shop's saved model to go on from.")
    ] = None,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Train the purchase model and save it."""
    from danggol import verbs

    return verbs.purchase_train(shop, until=until, to=to, start=from_, settings=settings, pairs=set_ or [], seed=seed)


@verb(purchase, "evaluate", "danggol purchase evaluate my-shop --until 2011-11-09 --days 30")
def purchase_evaluate(
    shop: ShopPath,
    until: Annotated[str | None, typer.Option(help="The local day that parts training from test.")] = None,
    days: Days = 30,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Measure the purchase model beside every baseline on purchases after a cut, overall and by country."""
    from danggol import verbs

    return verbs.purchase_evaluate(shop, until=until, days=days, settings=settings, pairs=set_ or [], seed=seed)


@verb(purchase, "modalities", "danggol purchase modalities my-shop")
def purchase_modalities(
    shop: ShopPath,
    until: Annotated[
        str | None, typer.Option(help="The local day that parts training from test; the last fifth if not said.")
    ] = None,
    seed: Seed = 0,
) -> Outcome:
    """Measure what text, picture, offer, behaviour and customer are each worth; needs logged impressions."""
    from danggol import verbs

    return verbs.purchase_modalities(shop, until=until, seed=seed)


@verb(purchase, "explain", "danggol purchase explain my-shop --customer 17850")
def purchase_explain(
    shop: ShopPath,
    until: Annotated[
        str | None,
        typer.Option(help="The local day that parts training from test; with --customer, the day of the list."),
    ] = None,
    model: ModelDir = None,
    customer: Annotated[
        list[str] | None, typer.Option(help="Explain the list of this customer; may be repeated.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many products of a customer's list.")] = 10,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Say which features the purchase model goes by and how, or what a customer's list goes by."""
    from danggol import verbs

    return verbs.purchase_explain(
        shop, until=until, model=model, customers=customer, top=top, settings=settings, pairs=set_ or [], seed=seed
    )


@verb(purchase, "predict", "danggol purchase predict my-shop --at 2011-12-09")
def purchase_predict(
    shop: ShopPath,
    at: Annotated[
        str | None, typer.Option(help="The local day to predict from; the last in the shop if not said.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many products to recommend to each customer.")] = 10,
    model: ModelDir = None,
    customer: Annotated[list[str] | None, typer.Option(help="Only this customer; may be repeated.")] = None,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Write each customer's purchase probabilities and recommendations."""
    from danggol import verbs

    return verbs.purchase_predict(
        shop, at=at, top=top, model=model, customers=customer, settings=settings, pairs=set_ or [], seed=seed
    )
