"""A market under way: :meth:`Market.step` takes the coming week's actions and gives the week's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from danggol.errors import UsageError
from danggol.twin.actions import Actions, Names
from danggol.twin.broadcasts import Audience, Slot, Studio
from danggol.twin.campaigns import Assigned, Campaigns
from danggol.twin.choice import Chosen, Level, choose, settle, utility
from danggol.twin.clock import DAY, Clock
from danggol.twin.goods import make_goods
from danggol.twin.journal import Journal, Written
from danggol.twin.leaving import STAYS, Feelings
from danggol.twin.lists import Habits, Shown, Visits, draw_visits, join_visits, seasons, show, show_live
from danggol.twin.market import MarketFile
from danggol.twin.offers import Terms, WeekTerms, make_rates, traffic
from danggol.twin.orders import Orders, Promised, arrival_week
from danggol.twin.outside import make_outside, signals_table
from danggol.twin.people import Bools, Floats, Ints, Single, make_people
from danggol.twin.randomness import stream
from danggol.twin.social import Feed, make_accounts
from danggol.twin.stock import Store
from danggol.twin.trends import make_trends

_PILOT_VISITS = 20_000
_LEAST_WANTED = 0.02
"""How much a category is wanted at the least, as a multiple of the usual."""


@dataclass(frozen=True)
class Week:
    """What a week brought."""

    number: int
    tables: dict[str, pl.DataFrame]
    """The week's rows of the source tables; of ``offers``, the rows that ended when it began."""
    truth: dict[str, pl.DataFrame]
    """What is true of them; never an input of a capability."""
    figures: dict[str, float]
    """visits, orders, revenue, cost and gain (margin x revenue - cost) in the reporting currency, customers, left."""


class Market:
    """A simulated market: its people, goods and terms, and what has happened so far.

    ``file`` is the name of a market that comes with the package, a TOML file, or one that was loaded; ``scale``
    multiplies its customers; ``currency`` is the one that reports are in (the file's if not said). The same file, seed,
    scale and actions give the same tables.
    """

    def __init__(
        self, file: str | Path | MarketFile = "default", seed: int = 0, scale: float = 1.0, currency: str | None = None
    ) -> None:
        self.file = file if isinstance(file, MarketFile) else MarketFile.load(file)
        self.parameters, self.seed, self.week = self.file.parameters, seed, 0
        parameters, self.clock = self.parameters, Clock.of(self.parameters)
        self.currency = currency or parameters.shop.currency
        self.codes = tuple(parameters.countries)
        self.people = make_people(parameters, self.clock, seed, scale)
        self.goods = make_goods(parameters, self.clock, seed)
        self.terms = Terms(parameters, self.goods, self.clock, seed)
        self.rates = make_rates(parameters, self.clock, self.currency, seed)
        self.habits = Habits.none(len(self.people))
        self.feelings = Feelings.none(parameters, len(self.people))
        self.orders = Orders(parameters, self.clock, self.people, self.goods, self.terms, seed)
        self.journal = Journal(parameters, self.clock, self.people, self.goods, self.orders, self.rates, seed)
        self.campaigns = Campaigns(parameters, self.people, self.clock, seed)
        self.studio = Studio(parameters, self.goods, self.people, self.clock, seed)
        self.outside = make_outside(parameters, self.clock, self.codes, seed)
        self.signals = signals_table(self.outside, parameters, self.clock, self.codes, seed).sort("known_at")
        self.trends = make_trends(parameters.trends, self.goods, self.clock, self.codes, seed)
        share = np.array(list(parameters.countries.values()))
        self.accounts = make_accounts(parameters.social, self.codes, share, self.goods, seed)
        self.feed = Feed(parameters, self.accounts, self.trends, self.goods, self.clock, seed)
        self.names = Names(self.people.ids, self.goods.ids, self.codes, self.studio.hosts)
        self.level, expected = self._pilot()
        self.store = Store(parameters.stock, expected)
        self.now: WeekTerms | None = None

    @property
    def done(self) -> bool:
        """Whether the simulated time is over."""
        return self.week >= self.clock.weeks

    @property
    def country(self) -> pl.Series:
        """The country of each customer, in the order of ``people.ids``."""
        return pl.Series(self.codes).gather(self.people.country)

    def present(self, week: int) -> Bools:
        """(people,) who may visit in a week."""
        return (self.people.first_week <= week) & (week < self.feelings.left_week)

    def step(self, actions: Actions | None = None) -> Week:
        """Simulate the coming week. UsageError: the time is over, or an action names an unknown id."""
        if self.done:
            raise UsageError(f"the market {self.file.name!r} ends after {self.clock.weeks} weeks; start another one")
        week, done = self.week, actions or Actions()
        # everything that can be refused is looked up before anything moves
        promoted = self.names.promotions(done, self.campaigns.names, f"action-{week:03d}")
        shelves = self.names.shelves(done, self.parameters.curation.length)
        prices, ordered, asked = self.names.prices(done), self.names.stock(done), self.names.slots(done)
        now, ended = self._open(week, prices, ordered)
        self._promote(week, done, promoted)
        visits, shown, slots, audience = self._visit(week, now, done, shelves, asked)
        chosen = self._choose(week, now, visits, shown, slots)
        self._remember(week, visits, shown, chosen)
        coupons = Promised(self.campaigns.coupon(), self.campaigns.ships_free())
        busy = traffic(self.parameters, self.clock, week)
        shock_days = self.outside.delay_days(week)
        written = self.journal.write(visits, shown, chosen, now, coupons, busy, shock_days)
        self.week += 1
        return self._close(week, now, written, ended, slots, audience)

    def offers(self) -> pl.DataFrame:
        """The terms that hold now, as rows of ``offers``; empty before the first week."""
        return self.terms.current()

    def _open(
        self, week: int, prices: tuple[Ints, Ints, Floats] | None, ordered: Ints
    ) -> tuple[WeekTerms, pl.DataFrame]:
        """Take in stock, set the week's terms; the offers that end."""
        if ordered.any():
            self.store.order(week - 1, ordered)
        self.store.receive(week)
        if prices is not None:
            self.terms.fix(*prices)
        now = self.terms.week(week, self.store.units, self.trends.interest(week))
        ended = self.terms.close(now)
        self.now = now
        self.feelings.arrive(week)
        return now, ended

    def _promote(self, week: int, done: Actions, promoted: Assigned | None) -> None:
        present, joined = self.present(week), self.people.first_week <= week
        own = self.campaigns.draw(week, present) if done.own_campaigns else None
        for assigned in (promoted, own):
            if assigned is not None and len(assigned.customer):
                chosen = self.campaigns.free(assigned, joined)
                who, comforted = self.campaigns.begin(week, chosen, self.feelings.felt)
                self.feelings.comfort(who, comforted)

    def _visit(
        self, week: int, now: WeekTerms, done: Actions, shelves: Mapping[int, Ints], asked: list[Slot]
    ) -> tuple[Visits, Shown, list[Slot], Audience]:
        """Who comes, what they are shown, and the broadcasts among it."""
        rng, present = stream(self.seed, "week", week), self.present(week)
        busy = traffic(self.parameters, self.clock, week) * now.there.any(axis=0) * self.outside.traffic(week)
        rate = np.where(present, self.people.visits * busy[self.people.country] * self.campaigns.visits(), 0.0)
        season = 1 + (seasons(self.parameters, self.clock, week) - 1) * self.outside.season(week)
        season = np.maximum(season, _LEAST_WANTED)
        visits = draw_visits(self.people, rate, season * self.outside.interest(week), rng)
        shown = show(visits, self.goods, now, self.habits, self.parameters, rng, shelves)
        own = self.studio.plan(week, now) if done.own_broadcasts else []
        slots = [*asked, *own]
        slots = [slot for slot in slots if now.there[slot.product, slot.country]]
        audience = self.studio.watch(week, slots, present)
        product = np.array([slot.product for slot in slots], dtype=np.int64)[audience.slot]
        cut = np.array([slot.discount for slot in slots])[audience.slot] if slots else np.zeros(0)
        live = Visits(
            audience.customer,
            self.people.country[audience.customer],
            self.goods.category[product],
            audience.slot,
            audience.begin,
        )
        return *join_visits(visits, shown, live, show_live(live, product, cut, now, self.habits)), slots, audience

    def _choose(self, week: int, now: WeekTerms, visits: Visits, shown: Shown, slots: list[Slot]) -> Chosen:
        rng = stream(self.seed, "choices", week)
        u = utility(visits, shown, self.people, self.goods, now, self.parameters)
        u = u + self.trend(week, now)[shown.product, visits.country[shown.visit]]
        skill = np.array([self.parameters.broadcasts.lift + self.studio.skill[slot.host] for slot in slots] + [0.0])
        lift = self.campaigns.lift[visits.customer] + skill[visits.slot]
        return choose(u, visits, shown, self.people, self.goods, self.parameters, self.level, lift, rng)

    def trend(self, week: int, now: WeekTerms) -> Single:
        """(products, countries) what trends add to utility, less its mean over what is shown: they move demand."""
        lift = self.trends.lift(week)
        mean = (lift * now.weight).sum(axis=0) / np.maximum(now.weight.sum(axis=0), 1e-12)
        centred: Single = (lift - mean).astype(np.float32)
        return centred

    def _remember(self, week: int, visits: Visits, shown: Shown, chosen: Chosen) -> None:
        used = chosen.bought & (self.goods.cycle[shown.product] > 0)
        self.habits.bought(visits.customer[shown.visit[used]], shown.product[used], week)
        sold = np.bincount(shown.product, chosen.bought * chosen.quantity, minlength=len(self.goods))
        self.store.sell(week, sold.astype(np.int64), stream(self.seed, "stock", week))

    def _close(
        self, week: int, now: WeekTerms, written: Written, ended: pl.DataFrame, slots: list[Slot], audience: Audience
    ) -> Week:
        """What follows from the week's orders; the week's tables."""
        placed, lines = written.placed, written.lines
        arrives = np.maximum(arrival_week(self.clock, placed.outcome.delivered), week + 1)
        customer = lines["customer"].to_numpy().astype(np.int64)
        self.feelings.expect(arrives, customer, placed.outcome.causes)
        self.campaigns.bought(placed.customer, placed.spent, placed.given)
        usd = float(self.rates.rate[7 * week, self.rates.currencies.index("USD")])
        messages = self.campaigns.messages(week) * usd
        tired = self.campaigns.tired()
        campaigns, effects = self.campaigns.close(week, usd, last=week + 1 >= self.clock.weeks)
        left = self.feelings.leave(week, self.present(week), tired, stream(self.seed, "leaving", week))
        reviews, review_truth = self.orders.reviews_of(week)
        posts = self.feed.week(week)
        tables = {
            "events": written.events,
            "orders": placed.table,
            "sessions": written.sessions,
            "offers": ended,
            "reviews": reviews,
            "posts": posts,
            "broadcasts": self._broadcasts(week, now, lines, slots, audience),
            "signals": self._published(week),
            "campaigns": campaigns,
        }
        truth = {
            "choices": written.choices,
            "purchases": written.purchases,
            "reviews": review_truth,
            "campaigns": effects,
            "posts": self.feed.truth(week),
        }
        revenue, cost = float(placed.spent.sum()), float(placed.given.sum()) + messages
        figures = {
            "visits": float(len(written.sessions)),
            "orders": float(len(placed.table)),
            "revenue": revenue,
            "cost": cost,
            "gain": self.parameters.campaigns.margin * revenue - cost,
            "customers": float(self.present(week).sum()),
            "left": float(left),
        }
        return Week(week, tables, truth, figures)

    def _published(self, week: int) -> pl.DataFrame:
        """The signals published in a week."""
        begin, end = self.clock.start(week), self.clock.start(week + 1)
        known = pl.col("known_at").dt.epoch("us")
        first = known < end if week == 0 else (known >= begin) & (known < end)
        return self.signals.filter(first)

    def _broadcasts(
        self, week: int, now: WeekTerms, lines: pl.DataFrame, slots: list[Slot], audience: Audience
    ) -> pl.DataFrame:
        watched = lines.filter(pl.col("slot") >= 0)
        value = (watched["price"] * watched["quantity"]).to_numpy()
        slot = watched["slot"].to_numpy().astype(np.int64)
        sales = np.asarray(np.bincount(slot, value, minlength=len(slots)), np.float64)
        day = [(self.studio.starts(week, one) - self.clock.start(0)) // DAY for one in slots]
        rate = self.rates.rate[:, self.rates.of_country]
        local = [round(now.price[one.product, one.country] * (1 - one.discount), 2) for one in slots]
        price = [local[place] * rate[day[place], one.country] for place, one in enumerate(slots)]
        return self.studio.table(week, slots, audience, sales, np.array(price))

    def _pilot(self) -> tuple[Level, Floats]:
        """The level of utility, and units (products,) expected in a week.

        Both come from a middle week's offers, without sales, trends and offers to single customers, before anyone has
        habits.
        """
        rng = stream(self.seed, "pilot")
        middle = range(self.clock.weeks // 2, self.clock.weeks)
        calm = (week for week in middle if (traffic(self.parameters, self.clock, week) == 1).all())
        week = next(calm, middle[0])
        now = Terms(self.parameters, self.goods, self.clock, self.seed).week(week)
        usual = np.where((self.people.first_week <= week), self.people.visits, 0.0)
        scale = _PILOT_VISITS / max(1.0, float(usual.sum()))
        rate = usual * scale * np.asarray(now.there.any(axis=0))[self.people.country]
        season = np.tile(seasons(self.parameters, self.clock, week), (len(self.codes), 1))
        visits = draw_visits(self.people, rate, season, rng)
        shown = show(visits, self.goods, now, self.habits, self.parameters, rng)
        u = utility(visits, shown, self.people, self.goods, now, self.parameters)
        level = settle(u, visits, shown, self.people, self.parameters)
        nothing = np.zeros(len(visits))
        chosen = choose(u, visits, shown, self.people, self.goods, self.parameters, level, nothing, rng)
        sold = np.bincount(shown.product, chosen.p_buy, minlength=len(self.goods)) / scale
        return level, np.asarray(sold / (1 - self.parameters.choice.more_than_one), np.float64)


def left_weeks(market: Market) -> pl.Series:
    """The week in which each customer left; empty where the person is still there."""
    weeks = market.feelings.left_week
    return pl.Series(weeks).replace({STAYS: None})
