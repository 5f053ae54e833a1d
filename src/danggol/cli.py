"""The command line: one verb table, no logic. What a verb does stands in :mod:`danggol.verbs`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from danggol import __version__
from danggol.console import Outcome, perform
from danggol.console import run as run_app
from danggol.errors import UsageError

HELP = "Who will buy what, in which country, why, and what to do about it: from the tables a shop already has."

SOURCES_HELP = "csv (your own), online-retail, online-shoppers, xmarket, amazon-m2 or fashion-products."

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
purchase = typer.Typer(help="Predict who will buy what.", no_args_is_help=True)
app.add_typer(purchase, name="purchase")


class ProgressMode(StrEnum):
    """How progress is shown."""

    AUTO = "auto"
    RICH = "rich"
    JSON = "json"
    NONE = "none"


ShopPath = Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of everything random.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated.")]
SettingsFile = Annotated[Path | None, typer.Option("--settings", metavar="FILE", help="A TOML file of settings.")]
Market = Annotated[str, typer.Option(metavar="FILE", help="A market file, or the name of one that danggol has.")]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of the rows that are there.")]
Append = Annotated[bool, typer.Option("--append", help="Add to the rows that are there.")]
ModelDir = Annotated[Path | None, typer.Option(metavar="DIR", help="A saved model; trained anew if not said.")]
MatcherDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A saved matcher; the shop's own, else rules, if not said.")
]
Days = Annotated[float, typer.Option(help="How many days after the cut purchases are counted.")]

_COMMON = [
    ("json", "--json", bool, False, "Print figures as JSON."),
    ("progress", "--progress", ProgressMode, ProgressMode.AUTO, "How to show progress."),
    ("debug", "--debug", bool, False, "Print a traceback with an error."),
]


def verb(on: typer.Typer, name: str, example: str) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Register a verb: its own options, then those that every verb has; the example closes its help."""

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        def command(**given: Any) -> None:
            as_json, mode, debug = (given.pop(option) for option in ("json", "progress", "debug"))

            def call() -> Outcome:
                _refuse_broken_text(given)
                return function(**given)

            raise SystemExit(perform(call, as_json=as_json, progress_mode=str(mode), debug=debug))

        own = inspect.signature(function, eval_str=True)
        common = [
            inspect.Parameter(
                field,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[kind, typer.Option(flag, help=text)],
            )
            for field, flag, kind, default, text in _COMMON
        ]
        command.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[*own.parameters.values(), *common], return_annotation=None
        )
        on.command(name, help=f"{inspect.getdoc(function)}\n\nExample: {example}")(command)
        return function

    return register


def _refuse_broken_text(given: dict[str, Any]) -> None:
    """UsageError where a word of the call is no text, such as a file name in another encoding."""
    for value in given.values():
        for word in value if isinstance(value, list) else [value]:
            try:
                str(word).encode()
            except UnicodeEncodeError as error:
                raise UsageError(f"{str(word)!r} is not UTF-8 text; rename the file or write the word anew") from error


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        sys.stdout.write(f"danggol {__version__}\n")
        raise typer.Exit


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


def main() -> None:
    """Run the command line."""
    raise SystemExit(run_app(app))
