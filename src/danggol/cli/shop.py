"""The verbs of a shop: fill it, look after it, run everything on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from danggol.cli.call import Append, Market, Replace, Seed, ShopPath, app, verb
from danggol.console import Outcome

SOURCES_HELP = "csv (your own), online-retail, online-shoppers, xmarket, amazon-m2 or fashion-products."


@verb(app, "demo", "danggol demo")
def demo(
    shop: ShopPath = Path("demo-shop"), market: Market = "default", seed: Seed = 0, replace: Replace = False
) -> Outcome:
    """Make a simulated market, run everything on it, and say where the report is."""
    from danggol import verbs

    return verbs.demo(shop, market=market, seed=seed, replace=replace)


@verb(app, "simulate", "danggol simulate my-shop --market small --seed 7")
def simulate(
    shop: ShopPath,
    market: Market = "default",
    seed: Seed = 0,
    scale: Annotated[float, typer.Option(help="How many customers, as a multiple of the market file's.")] = 1.0,
    replace: Replace = False,
) -> Outcome:
    """Fill a shop from a simulated market whose truth is known."""
    from danggol import verbs

    return verbs.simulate(shop, market=market, seed=seed, scale=scale, replace=replace)


@verb(app, "import", "danggol import csv orders.csv my-shop --guess")
def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCES_HELP)],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file or folder.")],
    shop: ShopPath,
    mapping: Annotated[Path | None, typer.Option(metavar="FILE", help="csv: which column means what (TOML).")] = None,
    guess: Annotated[bool, typer.Option("--guess", help="csv: propose the mapping from the headings.")] = False,
    save_mapping: Annotated[Path | None, typer.Option(metavar="FILE", help="csv: where to keep the proposal.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="csv: import with the proposal at once.")] = False,
    append: Append = False,
    replace: Replace = False,
) -> Outcome:
    """Bring tables into a shop; rows that cannot be used are kept aside with the reason."""
    from danggol import verbs

    return verbs.import_(
        source,
        path,
        shop,
        mapping=mapping,
        guess=guess,
        save_mapping=save_mapping,
        yes=yes,
        append=append,
        replace=replace,
    )


@verb(app, "check", "danggol check my-shop")
def check(
    shop: ShopPath,
    most: Annotated[int, typer.Option(min=1, help="How many examples of each violation to print.")] = 5,
) -> Outcome:
    """Report every row that breaks a rule; exit 1 where there is one."""
    from danggol import verbs

    return verbs.check(shop, most=most)


@verb(app, "doctor", "danggol doctor my-shop")
def doctor(
    shop: ShopPath, language: Annotated[str, typer.Option(help="en or ko; the shop's first where not said.")] = ""
) -> Outcome:
    """Say which questions the tables can answer, and what one more column would unlock."""
    from danggol import verbs

    return verbs.doctor(shop, language=language)


@verb(app, "run", "danggol run my-shop")
def run(shop: ShopPath, seed: Seed = 0) -> Outcome:
    """Run every capability whose tables are there, in order, then write the report."""
    from danggol import verbs

    return verbs.run(shop, seed=seed)


@verb(app, "report", "danggol report my-shop")
def report(
    shop: ShopPath,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it; in the shop where not said.")
    ] = None,
) -> Outcome:
    """Write the report: one HTML file that opens offline, in English and Korean."""
    from danggol import verbs

    return verbs.report(shop, to=to)


@verb(app, "export", "danggol export recommendations recommendations.csv my-shop")
def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Which table.")],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The file to write: .csv (opens in Excel), .jsonl, .parquet.")
    ],
    shop: ShopPath,
) -> Outcome:
    """Write a table to a file that other programs open."""
    from danggol import verbs

    return verbs.export(table, path, shop)


@verb(app, "clean", "danggol clean my-shop")
def clean(shop: ShopPath) -> Outcome:
    """Delete the old versions of all tables."""
    from danggol import verbs

    return verbs.clean(shop)


@verb(app, "forget", "danggol forget 17850 my-shop")
def forget(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")], shop: ShopPath
) -> Outcome:
    """Remove a person from every table, old versions included."""
    from danggol import verbs

    return verbs.forget(customer, shop)
