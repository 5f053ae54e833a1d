"""Simulate a market into a shop, week by week, so that memory does not grow with the number of weeks."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from danggol.errors import UsageError
from danggol.progress import Stage, stage
from danggol.shop import Run, Shop
from danggol.shop.schemas import SOURCE_TABLES
from danggol.twin import truth
from danggol.twin.countries import currencies
from danggol.twin.goods import images_table, products_table
from danggol.twin.market import MarketFile
from danggol.twin.offers import calendar_table, fx_table
from danggol.twin.people import customers_table
from danggol.twin.pictures import draw_pictures
from danggol.twin.social import accounts_table
from danggol.twin.step import Market

HAPPENING = ("events", "orders", "sessions", "offers", "reviews", "posts", "broadcasts", "signals", "campaigns")
"""The tables that grow from week to week."""
TRUTHS = ("choices", "purchases", "reviews", "campaigns", "posts")


def simulate(
    shop: Shop | str | Path,
    market: str | Path | MarketFile = "default",
    seed: int = 0,
    scale: float = 1.0,
    *,
    replace: bool = False,
) -> dict[str, Any]:
    """Write a simulated market into a shop, with its truth in ``truth/``; the figures of what came about.

    ``market`` is the name of one that comes with the package or a TOML file; ``scale`` multiplies its customers. The
    shop is created where there is none. A shop that holds source tables is left alone unless ``replace``; then those
    tables give way to the market's. The same market, seed and scale give the same bytes.

    UsageError: the market file is invalid, the shop already holds tables, or the reporting currency has no rate.
    """
    if not 0 < scale <= 1000 or not 0 <= seed < 2**32:
        raise UsageError(f"scale must lie above 0 and up to 1000, and seed in 0 to 4294967295; got {scale} and {seed}")
    began = time.perf_counter()
    chosen = market if isinstance(market, MarketFile) else MarketFile.load(market)
    place = shop if isinstance(shop, Shop) else _shop(Path(shop), chosen)
    _make_room(place, replace)
    with stage("simulating", total=chosen.parameters.size.weeks) as under_way:
        under_way.say("people and goods")
        world = Market(chosen, seed, scale, place.config.currency)
        settings = {"market": chosen.name, "digest": chosen.digest, "scale": scale}
        with place.run("simulate", settings=settings, seed=seed) as run:
            figures = _write(run, world, scale, under_way)
    return {
        "market": chosen.name,
        "seed": seed,
        "scale": scale,
        **figures,
        "seconds": round(time.perf_counter() - began, 2),
    }


def _shop(path: Path, market: MarketFile) -> Shop:
    if (path / "shop.toml").exists():
        return Shop.open(path)
    settings = market.parameters.shop
    languages = tuple(dict.fromkeys((settings.language, "en")))
    name = "Simulated market"
    return Shop.create(path, timezone=settings.timezone, currency=settings.currency, languages=languages, name=name)


def _make_room(shop: Shop, replace: bool) -> None:
    """UsageError if there are source tables with rows, and they must not be replaced; a market writes every one."""
    if shop.config.currency not in currencies():
        known = ", ".join(sorted(currencies()))
        raise UsageError(
            f"the shop reports in {shop.config.currency}, for which the market has no rate; use one of {known}"
        )
    there = [name for name in SOURCE_TABLES if shop.has(name)]
    if there and not replace:
        raise UsageError(
            f"the shop {shop.path} already holds {', '.join(there)}; "
            "simulate into another folder, or say --replace (replace=True) to put the market's tables in their place"
        )


def _write(run: Run, market: Market, scale: float, under_way: Stage) -> dict[str, Any]:
    """Write every table, picture and truth file of the market."""
    parameters, seed = market.parameters, market.seed
    rows = {
        "customers": customers_table(market.people),
        "products": products_table(market.goods, parameters, seed),
        "product_images": images_table(market.goods),
        "accounts": accounts_table(market.accounts),
        "calendar": calendar_table(parameters, market.clock),
        "fx": fx_table(market.rates, market.clock),
    }
    for name, table in rows.items():
        run.write(name, table)
    under_way.say("pictures")
    for path, picture in draw_pictures(market.goods, parameters, seed):
        run.add_file(path, picture)
    tables = Counter({name: len(table) for name, table in rows.items()})
    figures = _write_weeks(run, market, tables, under_way)
    for name, frame in truth.frames(market).items():
        run.add_file(f"truth/{name}.parquet", truth.parquet(frame))
    run.add_file("truth/market.json", truth.market_json(market.file, seed, scale, market.level))
    return {"tables": dict(tables), **figures}


def _write_weeks(run: Run, market: Market, tables: Counter[str], under_way: Stage) -> dict[str, Any]:
    """Write what happens, a week at a time, and the truth of it."""
    writers = {name: run.writer(name) for name in HAPPENING}
    kept, transparency = {name: truth.Rows() for name in TRUTHS}, truth.Transparency()
    kinds: Counter[str] = Counter()
    left = 0.0
    while not market.done:
        under_way.say(f"week {market.week + 1}")
        week = market.step()
        for name, frame in week.tables.items():
            writers[name].add(frame)
            tables[name] += len(frame)
        kinds.update(dict(week.tables["events"]["kind"].value_counts().iter_rows()))
        for name, rows in kept.items():
            rows.add(week.truth[name])
        transparency.add(week.truth["choices"])
        left += week.figures["left"]
        under_way.advance()
    last = market.offers()
    writers["offers"].add(last)
    tables["offers"] += len(last)
    for name, rows in kept.items():
        run.add_file(f"truth/{name}.parquet", rows.bytes())
    visits = tables["sessions"]
    return {
        "events": dict(sorted(kinds.items())),
        "visits": visits,
        "conversion": round(tables["orders"] / max(visits, 1), 5),
        "choice_auc": transparency.auc(),
        "left": int(left),
    }
