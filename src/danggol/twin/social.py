"""Social posts, and the accounts they come from: leaders, followers and bots.

An account i sees trend k at the level of its own country, ``ahead_i`` weeks from now: leaders ahead of sales, with
ahead_i log-normal around ``lead_weeks``; followers behind them, -ahead_i exponential; bots as of now. Each post in week
t is about trend k with probability

    on_trend * min(1, s) * w_k level_k(t + ahead_i) / s,        s = sum_k w_k level_k(t + ahead_i)

and else about anything. For leaders w is 1 for real trends and 0 for hypes; for followers 1 and 0.4; for bots 0 and 1.
What an ordinary post shows follows the account's interest in categories and the exposure of listings; what a post on a
trend shows is any listing of those categories that carries it. Where the counts end up:

    likes = followers * engagement * exp(level_k(t)) * noise,     views = 9 likes * noise
    counts(age) = end * (1 - exp(-age / life))

Bots differ: their followers are bought and their views few, likes are the same share of views each time, next to nobody
comments, all bots that push a hype in a week copy one caption and picture within the same hour, and nothing grows after
that. A post is collected about a day and about a week after it appears, if simulated time has not ended by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.twin import sections
from danggol.twin.captions import DRAWS, About, Writer
from danggol.twin.clock import DAY, SECOND, WEEK, Clock
from danggol.twin.countries import countries
from danggol.twin.goods import Goods
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, timestamps
from danggol.twin.randomness import stream
from danggol.twin.trends import Trends, trend_ids
from danggol.twin.words import LANGUAGES

KINDS = ("leader", "follower", "bot")
"""What an account can be; the truth knows, the shop does not."""
PLATFORMS = ("instagram", "tiktok", "youtube", "x")
BOT = KINDS.index("bot")

_MINDS = np.array([[1.0, 0.0], [1.0, 0.4], [0.0, 1.0]])
"""How much each kind of account minds real trends and hypes."""
_LAG_WEEKS = 1.5
_TAIL = 1.3
_BOUGHT = 5.0
_HOURS = np.array([3, 2, 1, 1, 1, 1, 2, 4, 6, 6, 5, 5, 7, 7, 5, 5, 5, 6, 8, 10, 12, 13, 11, 6], dtype=np.float64)
_COUNTS = ("views", "likes", "comments", "shares")
_POSTS = ("post_id", "account_id", "ts", "collected_at", "text", "hashtags", "media", *_COUNTS, "platform")
_ACTIVE = 0.005


@dataclass(frozen=True)
class Accounts:
    """The accounts that the shop follows, one row each."""

    codes: tuple[str, ...]
    """The countries that ``country`` counts."""
    ids: pl.Series
    kind: Ints
    """Place in :data:`KINDS`."""
    country: Ints
    language: NDArray[np.str_]
    platform: Ints
    followers: Ints
    activity: Floats
    """Mean posts in a week."""
    ahead: Floats
    """Weeks by which the account runs ahead of sales; negative where it comes after them, 0 for bots."""
    interests: Floats
    """Shares ``(accounts, categories)`` of what its posts are about."""

    def __len__(self) -> int:
        return len(self.kind)


def make_accounts(
    settings: sections.Social, codes: tuple[str, ...], country_shares: Floats, goods: Goods, seed: int
) -> Accounts:
    """Draw the accounts; ``country_shares`` (any positive scale) says where they are, as ``codes``."""
    rng, number = stream(seed, "accounts"), settings.accounts
    share = np.asarray(country_shares, dtype=np.float64)
    country = rng.choice(len(codes), number, p=share / share.sum())
    leaders = round(number * settings.leaders)
    bots = min(round(number * settings.bots), number - leaders)
    kind = rng.permutation(np.repeat(np.arange(3), [leaders, number - leaders - bots, bots]))
    tail = np.minimum((2 * rng.random(number) + 1e-12) ** (-1 / _TAIL), 300.0)
    lead = settings.lead_weeks * np.exp(0.25 * rng.normal(size=number))
    spoken = [[tongue for tongue in countries()[code].languages if tongue in LANGUAGES] or ["en"] for code in codes]
    second = rng.random(number) < 0.2
    listed = np.diff(goods.starts) / max(len(goods), 1)
    interests = rng.gamma(np.maximum(0.5 * listed * len(listed), 1e-3), size=(number, len(listed))) + 1e-12
    return Accounts(
        codes=codes,
        ids=_ids("A", number, 6),
        kind=kind,
        country=country,
        language=np.where(
            second,
            np.array([tongues[-1] for tongues in spoken])[country],
            np.array([tongues[0] for tongues in spoken])[country],
        ),
        platform=rng.choice(len(PLATFORMS), number, p=[0.45, 0.25, 0.15, 0.15]),
        followers=np.ceil(settings.followers * tail * np.where(kind == BOT, _BOUGHT, 1.0)).astype(np.int64),
        activity=settings.posts_per_week * np.exp(0.6 * rng.normal(size=number) - 0.18),
        ahead=np.choose(kind, [lead, -rng.exponential(_LAG_WEEKS, number), np.zeros(number)]),
        interests=interests / interests.sum(axis=1, keepdims=True),
    )


def _ids(letter: str, number: int, width: int, first: int = 1) -> pl.Series:
    numbers = pl.int_range(first, first + number).cast(pl.String).str.zfill(width)
    return pl.select(pl.format(letter + "{}", numbers)).to_series()


def accounts_table(accounts: Accounts) -> pl.DataFrame:
    """The accounts as the shop knows them."""
    return pl.DataFrame(
        {
            "account_id": accounts.ids,
            "followers": accounts.followers,
            "country": pl.Series(list(accounts.codes), dtype=pl.String).gather(accounts.country),
            "platform": pl.Series(PLATFORMS).gather(accounts.platform),
        }
    )


def accounts_frame(accounts: Accounts) -> pl.DataFrame:
    """The truth of the accounts: what they are, and by how many weeks they run ahead of sales."""
    return accounts_table(accounts).with_columns(
        pl.Series("kind", KINDS).gather(accounts.kind).alias("kind"),
        pl.Series("language", accounts.language.tolist(), dtype=pl.String),
        pl.Series("posts_per_week", accounts.activity),
        pl.Series("lead_weeks", accounts.ahead),
    )


@dataclass(frozen=True)
class _Batch:
    """The posts that appear in one week, in order of time; ``trend`` is -1 where a post is about anything."""

    frame: pl.DataFrame
    account: Ints
    trend: Ints
    product: Ints
    ends: Floats
    """Where the counts end up: ``(posts, 4)``."""
    life: Floats
    """Days that counts take to grow."""
    posted: Ints
    collected: Ints
    """``(posts, 2)``, UTC microseconds."""


class Feed:
    """The posts of a market. Weeks may be asked for in any order; each depends on the seed and the week alone."""

    def __init__(
        self, parameters: Parameters, accounts: Accounts, trends: Trends, goods: Goods, clock: Clock, seed: int
    ) -> None:
        self.settings, self.accounts, self.trends, self.goods = parameters.social, accounts, trends, goods
        self.clock, self.seed = clock, seed
        self.writer = Writer(parameters, trends, goods, seed)
        counts = stream(seed, "numbers of posts").poisson(accounts.activity.sum(), clock.weeks)
        self.before = np.concatenate([[0], np.cumsum(counts)])
        self.ends = clock.starts()
        self._batch = lru_cache(maxsize=4)(self._post)

    def week(self, week: int) -> pl.DataFrame:
        """The rows of ``posts`` collected in a week, by time of collection."""
        rows = [self._collected(self._batch(one), turn, week) for one in self._recent(week) for turn in (0, 1)]
        return pl.concat(rows).sort("collected_at", "post_id")

    def truth(self, week: int) -> pl.DataFrame:
        """What the posts first collected in a week are about; the trend is null where that is anything."""
        return pl.concat([self._told(self._batch(one), week) for one in self._recent(week)]).sort("post_id")

    def _recent(self, week: int) -> range:
        return range(max(week - 2, 0), week + 1)

    def _in_week(self, when: Ints, week: int) -> Ints:
        return np.flatnonzero((when >= self.ends[week]) & (when < self.ends[week + 1]))

    def _collected(self, batch: _Batch, turn: int, week: int) -> pl.DataFrame:
        when = batch.collected[:, turn]
        rows = self._in_week(when, week)
        age = (when - batch.posted)[rows] / DAY
        counts = batch.ends[rows] * (1 - np.exp(-age / batch.life[rows]))[:, None]
        columns = dict(zip(_COUNTS, np.floor(counts).astype(np.int64).T, strict=True))
        collected = timestamps(when[rows]).alias("collected_at")
        told = [pl.Series(name, values) for name, values in columns.items()]
        return batch.frame[rows].with_columns(collected, *told).select(*_POSTS)

    def _told(self, batch: _Batch, week: int) -> pl.DataFrame:
        rows = self._in_week(batch.collected[:, 0], week)
        trend, on = batch.trend[rows], batch.trend[rows] >= 0
        hype = np.append(self.trends.hype, False)[trend]
        return pl.DataFrame(
            {
                "post_id": batch.frame["post_id"].gather(rows),
                "account_id": batch.frame["account_id"].gather(rows),
                "kind": pl.Series(KINDS).gather(self.accounts.kind[batch.account[rows]]),
                "trend_id": trend_ids(len(self.trends)).gather(pl.Series(trend).replace({-1: None})),
                "hype": pl.select(pl.when(pl.Series(on)).then(pl.Series(hype))).to_series(),
                "product_id": self.goods.ids.gather(batch.product[rows]),
            }
        )

    def _post(self, week: int) -> _Batch:
        rng = stream(self.seed, "posts", week)
        number = int(self.before[week + 1] - self.before[week])
        rate = self.accounts.activity
        account = rng.choice(len(rate), number, p=rate / rate.sum()) if number else np.zeros(0, dtype=np.int64)
        trend = self._trend(account, week, rng)
        posted = self._moment(account, trend, week, rng)
        order = np.argsort(posted, kind="stable")
        account, trend, posted = account[order], trend[order], posted[order]
        product = self._product(account, trend, week, rng)
        draws = rng.random((number, DRAWS))
        pushed = self._pushed(account, trend)
        for one in np.unique(trend[pushed]):
            copies = pushed & (trend == one)
            product[copies] = product[copies][0]
            draws[copies] = stream(self.seed, "pushed posts", week, int(one)).random(DRAWS)
        ends, life = self._engagement(account, trend, week, rng)
        delay = np.array([DAY, WEEK]) + (rng.random((number, 2)) * DAY / 4).astype(np.int64) // SECOND * SECOND
        frame = pl.DataFrame(
            {
                "post_id": _ids("T", number, 8, int(self.before[week]) + 1),
                "account_id": self.accounts.ids.gather(account),
                "ts": timestamps(posted),
                **self.writer.write(About(self.accounts.language[account], trend, pushed, product), draws),
                "platform": pl.Series(PLATFORMS).gather(self.accounts.platform[account]),
            }
        )
        return _Batch(frame, account, trend, product, ends, life, posted, posted[:, None] + delay)

    def _pushed(self, account: Ints, trend: Ints) -> Bools:
        pushed: Bools = (trend >= 0) & (self.accounts.kind[account] == BOT)
        return pushed

    def _trend(self, account: Ints, week: int, rng: np.random.Generator) -> Ints:
        """What each post is about; -1 for anything."""
        where, ahead = self.accounts.country[account], self.accounts.ahead[account]
        draws = rng.random((2, len(account)))
        shifts = np.arange(np.floor(ahead.min(initial=0.0)), ahead.max(initial=0.0) + 1)
        highest = [self.trends.levels(week + shift).max(axis=1) for shift in shifts]
        active = np.flatnonzero(np.max(highest, axis=0) > _ACTIVE)
        if not len(active):
            return np.full(len(account), -1)
        minds = _MINDS[self.accounts.kind[account]][:, self.trends.hype[active].astype(np.int64)]
        seen = np.cumsum(self.trends.seen(where, week + ahead, active) * minds, axis=1)
        total = seen[:, -1]
        on = draws[0] < self.settings.on_trend * np.minimum(total, 1.0)
        place = ((draws[1] * total)[:, None] >= seen).sum(axis=1)
        return np.where(on, active[np.minimum(place, len(active) - 1)], -1)

    def _moment(self, account: Ints, trend: Ints, week: int, rng: np.random.Generator) -> Ints:
        """When each post of a week appears: in the evening of its country, or, pushed by bots, all in one hour."""
        number = len(account)
        hour = rng.choice(24, number, p=_HOURS / _HOURS.sum()) + 24 * rng.integers(0, 7, number) + rng.random(number)
        offsets = np.array([countries()[code].utc_offset for code in self.accounts.codes])[
            self.accounts.country[account]
        ]
        length = int(self.ends[week + 1] - self.ends[week])
        hour = hour + self.clock.offset_hours(week) - offsets
        pushed = self._pushed(account, trend)
        for one in np.unique(trend[pushed]):
            rows = np.flatnonzero(pushed & (trend == one))
            hour[rows] = rng.random() * 167 + rng.random(len(rows))
        within = (hour * 3600 * SECOND).astype(np.int64) % length // SECOND * SECOND
        posted: Ints = self.ends[week] + within
        return posted

    def _product(self, account: Ints, trend: Ints, week: int, rng: np.random.Generator) -> Ints:
        """The listing that each post shows."""
        listed = self.goods.listed_week <= week
        listed = listed if listed.any() else ~listed
        product = np.zeros(len(account), dtype=np.int64)
        for one in np.unique(trend):
            rows = np.flatnonzero(trend == one)
            weight = np.where(listed, self.goods.exposure, 0.0)
            if one >= 0:
                carries = self.trends.carries[one]
                fits = carries >= 0.5 * carries.max()
                weight = (fits & listed if (fits & listed).any() else fits).astype(np.float64)
            product[rows] = self._draw(weight, self.accounts.interests[account[rows]], rng)
        return product

    def _draw(self, weight: Floats, interests: Floats, rng: np.random.Generator) -> Ints:
        """Listings by ``weight`` within categories that have any, drawn by the accounts' interests."""
        starts = self.goods.starts
        upto = np.concatenate([[0.0], np.cumsum(weight)])
        there = upto[starts[1:]] > upto[starts[:-1]]
        wanted = np.cumsum(interests * there, axis=1)
        category = np.minimum(
            (rng.random((len(wanted), 1)) * wanted[:, -1:] >= wanted).sum(axis=1), np.flatnonzero(there)[-1]
        )
        low, high = upto[starts[category]], upto[starts[category + 1]]
        found = np.searchsorted(upto, low + rng.random(len(low)) * (high - low), side="right") - 1
        within: Ints = np.clip(found, starts[category], starts[category + 1] - 1)
        return within

    def _engagement(self, account: Ints, trend: Ints, week: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Where views, likes, comments and shares end up ``(posts, 4)``, and the days they take."""
        number, noise = len(account), rng.normal(size=(5, len(account)))
        level = np.zeros(number)
        on = trend >= 0
        level[on] = self.trends.levels(week)[trend[on], self.accounts.country[account[on]]]
        followers = self.accounts.followers[account]
        pushed = self._pushed(account, trend)
        bot = self.accounts.kind[account] == BOT
        likes = followers * self.settings.engagement * np.exp(level + 0.7 * noise[0])
        views = likes * np.maximum(9.0 * np.exp(0.45 * noise[1]), 1.2)
        likes, views = np.where(bot, likes * 0.2, likes), np.where(bot, likes * 0.8 * np.exp(0.03 * noise[1]), views)
        comments = likes * np.where(bot, 0.001, 0.03) * np.exp(0.6 * noise[2])
        shares = likes * np.where(bot, 0.3, 0.06) * np.exp(0.5 * noise[3])
        life = np.where(pushed, 0.15, 2.2 * np.exp(0.3 * noise[4]))
        return np.stack([views, likes, comments, shares], axis=1), life
