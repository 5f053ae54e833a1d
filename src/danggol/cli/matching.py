"""The verbs of matching and the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from danggol.cli.call import MatcherDir, Seed, Set, SettingsFile, ShopPath, app, verb
from danggol.console import Outcome
from danggol.errors import UsageError


@verb(app, "match", "danggol match my-shop --labels known-groups.csv")
def match(
    shop: ShopPath,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Known groups (CSV: product_id,group) to train on.")
    ] = None,
    model: MatcherDir = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Match a file's listings against the shop, which stays as it is."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write CSV: posting_id,matches; of --file, each match.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Match all again, not only what is new since the last run.")
    ] = False,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Find the listings that are the same product, from titles and pictures; write matches and groups."""
    from danggol import verbs

    if file is not None:
        if labels or settings or set_ or anew:
            raise UsageError(
                "--file uses the shop's matcher as it is; leave --labels, --settings, --set and --anew out"
            )
        return verbs.match_file(shop, file, model=model, to=to, seed=seed)
    pairs = set_ or []
    return verbs.match(shop, labels=labels, model=model, to=to, settings=settings, pairs=pairs, seed=seed, anew=anew)


@verb(app, "attributes", "danggol attributes my-shop")
def attributes(
    shop: ShopPath,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A saved model; the shop's own where there is one, if not said.")
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Learn again from what the shop tells now.")] = False,
    settings: SettingsFile = None,
    set_: Set = None,
    seed: Seed = 0,
) -> Outcome:
    """Tell category and attributes of listings from title and picture, each with its confidence."""
    from danggol import verbs

    return verbs.attributes(shop, model=model, settings=settings, pairs=set_ or [], seed=seed, anew=anew)


@verb(app, "why", "danggol why P000002 P000484 my-shop")
def why(
    first: Annotated[str, typer.Argument(metavar="LISTING", help="The one listing's id.")],
    second: Annotated[str, typer.Argument(metavar="OTHER", help="The other's.")],
    shop: ShopPath,
    model: MatcherDir = None,
    seed: Seed = 0,
) -> Outcome:
    """Say what speaks for and against two listings being one product."""
    from danggol import verbs

    return verbs.why(first, second, shop, model=model, seed=seed)


@verb(app, "prices", "danggol prices my-shop --weeks 8")
def prices(
    shop: ShopPath,
    at: Annotated[str | None, typer.Option(help="The local day; the last in the tables if not said.")] = None,
    weeks: Annotated[int, typer.Option(min=1, help="How many weeks back, at the same hour.")] = 1,
    by: Annotated[str, typer.Option(help="seller_id or source: whom to compare.")] = "seller_id",
) -> Outcome:
    """Say who sells the same product cheaper where; needs offers, and groups from match."""
    from danggol import verbs

    return verbs.prices(shop, at=at, weeks=weeks, by=by)


@verb(app, "spam", "danggol spam my-shop")
def spam(shop: ShopPath) -> Outcome:
    """Flag copied pictures, stuffed titles and absurd prices; needs groups from match."""
    from danggol import verbs

    return verbs.spam(shop)
