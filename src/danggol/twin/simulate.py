"""Simulate a market into a shop, week by week, so that memory does not grow with the number of weeks."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from danggol.errors import UsageError
from danggol.progress import Stage, stage
from danggol.shop import Run, Shop
from danggol.shop.schemas import SOURCE_TABLES
from danggol.twin import truth
from danggol.twin.choice import Level, choose, settle, utility
from danggol.twin.clock import Clock
from danggol.twin.countries import currencies
from danggol.twin.goods import images_table, make_goods, products_table
from danggol.twin.journal import Journal, Week
from danggol.twin.lists import Habits, draw_visits, seasons, show
from danggol.twin.market import MarketFile
from danggol.twin.offers import Terms, calendar_table, fx_table, make_rates, traffic
from danggol.twin.people import customers_table, make_people
from danggol.twin.pictures import draw_pictures
from danggol.twin.randomness import stream

_PILOT_VISITS = 20_000


class World:
    """A market under way: its people, goods and terms, and what has happened so far."""

    def __init__(self, market: MarketFile, seed: int, scale: float, reporting: str) -> None:
        self.parameters, self.seed = market.parameters, seed
        self.clock = Clock.of(self.parameters)
        self.people = make_people(self.parameters, self.clock, seed, scale)
        self.goods = make_goods(self.parameters, self.clock, seed)
        self.terms = Terms(self.parameters, self.goods, self.clock, seed)
        self.rates = make_rates(self.parameters, self.clock, reporting, seed)
        self.habits = Habits.none(len(self.people))
        self.journal = Journal(self.parameters, self.clock, self.people, self.goods, self.terms, self.rates, seed)
        self.level = self._pilot()

    def _pilot(self) -> Level:
        """Set the level of utility from a middle week's offers, without sales, before anyone has habits."""
        rng = stream(self.seed, "pilot")
        middle = range(self.clock.weeks // 2, self.clock.weeks)
        calm = (week for week in middle if (traffic(self.parameters, self.clock, week) == 1).all())
        week = next(calm, middle[0])
        now = Terms(self.parameters, self.goods, self.clock, self.seed).week(week)
        scale = _PILOT_VISITS / max(1.0, float(self.people.visits.sum()))
        busy = np.where(now.there.any(axis=0), scale, 0.0)
        visits = draw_visits(self.people, week, busy, seasons(self.parameters, self.clock, week), rng)
        shown = show(visits, self.goods, now, self.habits, self.parameters, rng)
        u = utility(visits, shown, self.people, self.goods, now, self.parameters)
        return settle(u, visits, shown, self.people, self.parameters)

    def step(self, week: int) -> tuple[Week, pl.DataFrame]:
        """Simulate one week: its rows, and the offers that ended when it began. Weeks must come in order."""
        now = self.terms.week(week)
        ended = self.terms.close(now)
        rng = stream(self.seed, "week", week)
        busy = traffic(self.parameters, self.clock, week) * now.there.any(axis=0)
        visits = draw_visits(self.people, week, busy, seasons(self.parameters, self.clock, week), rng)
        shown = show(visits, self.goods, now, self.habits, self.parameters, rng)
        u = utility(visits, shown, self.people, self.goods, now, self.parameters)
        chosen = choose(u, visits, shown, self.people, self.goods, self.parameters, self.level, rng)
        used = chosen.bought & (self.goods.cycle[shown.product] > 0)
        self.habits.bought(visits.customer[shown.visit[used]], shown.product[used], week)
        return self.journal.write(visits, shown, chosen, now), ended


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
    emptied = _make_room(place, replace)
    with stage("simulating", total=chosen.parameters.size.weeks) as under_way:
        under_way.say("people and goods")
        world = World(chosen, seed, scale, place.config.currency)
        settings = {"market": chosen.name, "digest": chosen.digest, "scale": scale}
        with place.run("simulate", settings=settings, seed=seed) as run:
            figures = _write(run, world, chosen, seed, scale, under_way)
            for name in emptied - set(figures["tables"]):
                run.write(name, pl.from_arrow(SOURCE_TABLES[name].arrow.empty_table()))
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


def _make_room(shop: Shop, replace: bool) -> set[str]:
    """The source tables that hold rows; UsageError if there are any and they must not be replaced."""
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
    return set(there)


def _write(run: Run, world: World, market: MarketFile, seed: int, scale: float, under_way: Stage) -> dict[str, Any]:
    """Write every table, picture and truth file of the market."""
    rows = {
        "customers": customers_table(world.people),
        "products": products_table(world.goods, world.parameters, seed),
        "product_images": images_table(world.goods),
        "calendar": calendar_table(world.parameters, world.clock),
        "fx": fx_table(world.rates, world.clock),
    }
    for name, table in rows.items():
        run.write(name, table)
    under_way.say("pictures")
    for path, picture in draw_pictures(world.goods, world.parameters, seed):
        run.add_file(path, picture)
    tables = Counter({name: len(table) for name, table in rows.items()})
    figures = _write_weeks(run, world, tables, under_way)
    codes = world.people.by_country.codes
    run.add_file("truth/market.json", truth.market_json(market, seed, scale, world.level))
    run.add_file("truth/countries.parquet", truth.parquet(truth.countries_frame(codes)))
    run.add_file("truth/country_sensitivities.parquet", truth.parquet(truth.weights_frame(world.people.by_country)))
    run.add_file("truth/customers.parquet", truth.parquet(truth.customers_frame(world.people)))
    run.add_file("truth/products.parquet", truth.parquet(truth.products_frame(world.goods, market)))
    return {"tables": dict(tables), **figures}


def _write_weeks(run: Run, world: World, tables: Counter[str], under_way: Stage) -> dict[str, Any]:
    """Write events, orders and offers, a week at a time, and the truth of the choices."""
    writers = {name: run.writer(name) for name in ("events", "orders", "offers")}
    choices, purchases, transparency = truth.Rows(), truth.Rows(), truth.Transparency()
    kinds: Counter[str] = Counter()
    for week in range(world.clock.weeks):
        under_way.say(f"week {week + 1}")
        rows, ended = world.step(week)
        for name, frame in (("events", rows.events), ("orders", rows.orders), ("offers", ended)):
            writers[name].add(frame)
            tables[name] += len(frame)
        kinds.update(dict(rows.events["kind"].value_counts().iter_rows()))
        choices.add(rows.choices)
        purchases.add(rows.purchases)
        transparency.add(rows.choices)
        under_way.advance()
    last = world.terms.close(None)
    writers["offers"].add(last)
    tables["offers"] += len(last)
    run.add_file("truth/choices.parquet", choices.bytes())
    run.add_file("truth/purchases.parquet", purchases.bytes())
    visits = world.journal.visits
    return {
        "events": dict(sorted(kinds.items())),
        "visits": visits,
        "conversion": round(tables["orders"] / max(visits, 1), 5),
        "choice_auc": transparency.auc(),
    }
