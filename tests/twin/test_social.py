import re

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from danggol.shop import Shop
from danggol.shop.conform import conform
from danggol.shop.schemas import SOURCE_TABLES
from danggol.twin import MarketFile
from danggol.twin.captions import CAPTIONS, hashtag
from danggol.twin.clock import Clock
from danggol.twin.goods import images_table, make_goods, products_table
from danggol.twin.pictures import draw_pictures
from danggol.twin.social import Feed, accounts_frame, accounts_table, make_accounts
from danggol.twin.trends import make_trends, trend_ids
from danggol.twin.words import LANGUAGES


class Market:
    """The accounts and posts of a small market, all weeks at once."""

    def __init__(self, seed=0, market="small", trends=None, **social):
        self.parameters = _changed(MarketFile.load(market).parameters, trends or {}, social)
        self.clock = Clock.of(self.parameters)
        self.codes = tuple(self.parameters.countries)
        self.goods = make_goods(self.parameters, self.clock, seed)
        self.trends = make_trends(self.parameters.trends, self.goods, self.clock, self.codes, seed)
        shares = np.array(list(self.parameters.countries.values()))
        self.accounts = make_accounts(self.parameters.social, self.codes, shares, self.goods, seed)
        self.feed = Feed(self.parameters, self.accounts, self.trends, self.goods, self.clock, seed)
        weeks = range(self.clock.weeks)
        self.rows = pl.concat([self.feed.week(week) for week in weeks])
        self.truth = pl.concat([self.feed.truth(week) for week in weeks])
        week = (pl.col("ts").dt.epoch("us") - self.clock.start(0)) / (7 * 86_400e6)
        last = self.rows.unique("post_id", keep="last", maintain_order=True)
        self.posts = last.join(self.truth, on=["post_id", "account_id"]).with_columns(week=week)


def _changed(parameters, trends, social):
    return parameters.model_copy(
        update={
            "trends": parameters.trends.model_copy(update=trends),
            "social": parameters.social.model_copy(update=social),
        }
    )


@pytest.fixture(scope="module")
def market():
    return Market(accounts=300)


@pytest.fixture(scope="module")
def year():
    return Market(market="default", accounts=250)


def test_the_same_seed_gives_the_same_posts_in_whatever_order_weeks_are_asked_for(market):
    again = Market(accounts=300)
    assert again.rows.equals(market.rows)
    assert again.feed.week(3).equals(market.feed.week(3))
    assert not Market(seed=1, accounts=300).rows.equals(market.rows)


def test_a_shop_with_the_posts_passes_its_check(market, tmp_path):
    shop = Shop.create(tmp_path / "shop")
    with shop.run("simulate") as run:
        run.write("products", products_table(market.goods, market.parameters, 0))
        run.write("product_images", images_table(market.goods))
        run.write("accounts", accounts_table(market.accounts))
        writer = run.writer("posts")
        for week in range(market.clock.weeks):
            writer.add(market.feed.week(week))
        for path, picture in draw_pictures(market.goods, market.parameters, 0):
            run.add_file(path, picture)
    assert shop.check() == []
    posts = pl.from_arrow(conform(market.rows, SOURCE_TABLES["posts"]))
    assert posts.null_count().sum_horizontal().item() == 0
    assert posts["media"].list.len().mean() == pytest.approx(0.7, abs=0.05)


def test_posts_are_collected_a_day_and_a_week_after_they_appear_within_the_simulated_time(market):
    rows, clock = market.rows, market.clock
    stamps = rows.select(pl.col("ts", "collected_at").dt.epoch("us")).to_numpy()
    assert stamps.min() >= clock.start(0)
    assert stamps.max() < clock.start(clock.weeks)
    assert stamps[:, 0].max() > clock.start(clock.weeks - 1)
    age = rows.with_columns(age=(pl.col("collected_at") - pl.col("ts")).dt.total_hours(fractional=True) / 24)
    assert age.select(
        ((pl.col("age") >= 1) & (pl.col("age") < 1.25) | (pl.col("age") >= 7) & (pl.col("age") < 7.25)).all()
    ).item()
    early = age.filter(pl.col("ts").dt.epoch("us") < clock.start(clock.weeks - 2))
    assert early["post_id"].value_counts()["count"].unique().to_list() == [2]
    assert rows["collected_at"].is_sorted()
    for week in range(clock.weeks):
        when = market.feed.week(week)["collected_at"].dt.epoch("us").to_numpy()
        assert ((when >= clock.start(week)) & (when < clock.start(week + 1))).all()


def test_ids_run_with_time_and_hours_of_the_day_differ(market):
    posts = market.posts.sort("post_id")
    assert posts["ts"].is_sorted()
    assert posts["post_id"][0] == "T00000001"
    assert posts["post_id"].is_unique().all()
    here = posts.join(accounts_frame(market.accounts).select("account_id", "country"), on="account_id")
    hours = here.filter(pl.col("country") == "KR")["ts"].dt.convert_time_zone("Asia/Seoul").dt.hour()
    counts = np.bincount(hours, minlength=24)
    assert counts[19:23].mean() > 4 * counts[2:6].mean()


def test_counts_never_fall(market):
    grown = (
        market.rows.sort("collected_at")
        .group_by("post_id")
        .agg(pl.col(name).diff().drop_nulls() for name in ("views", "likes", "comments", "shares"))
    )
    for name in ("views", "likes", "comments", "shares"):
        assert grown[name].explode().drop_nulls().min() >= 0
    assert grown["likes"].explode().drop_nulls().mean() > 10
    assert (market.rows["likes"] <= market.rows["views"]).all()


def test_leaders_run_ahead_of_followers(year):
    real = year.posts.filter(~pl.col("hype"))
    means = real.group_by("trend_id", "kind").agg(pl.col("week").mean(), pl.len()).filter(pl.col("len") >= 15)
    wide = means.pivot("kind", index="trend_id", values="week").drop_nulls()
    within = wide.filter(pl.col("follower").is_between(10, 45))
    assert len(within) >= 5
    assert (within["leader"] < within["follower"]).all()
    lead = (within["follower"] - within["leader"]).mean()
    assert lead == pytest.approx(year.parameters.social.lead_weeks + 1.5, abs=1.5)


def test_leaders_leave_hypes_alone_and_bots_post_nothing_else(year):
    about = year.posts.group_by("kind").agg(
        real=(~pl.col("hype")).sum(), hype=pl.col("hype").sum(), other=pl.col("trend_id").is_null().sum()
    )
    counts = {row["kind"]: row for row in about.iter_rows(named=True)}
    assert counts["leader"]["hype"] == 0
    assert counts["bot"]["real"] == 0
    assert counts["bot"]["hype"] > 50
    assert counts["follower"]["real"] > counts["follower"]["hype"] > 100
    assert min(counts[kind]["other"] for kind in counts) > 50


def test_hashtags_of_a_trend_come_and_go_with_its_level(year):
    weeks = year.clock.weeks
    posts = year.posts.explode("hashtags").with_columns(pl.col("week").cast(pl.Int64))
    total = np.maximum(np.bincount(year.posts["week"].cast(pl.Int64), minlength=weeks), 1)
    levels = np.stack([year.trends.levels(week).mean(axis=1) for week in range(weeks)])
    found = []
    for trend, hype in enumerate(year.trends.hype):
        if levels[:, trend].max() < 0.4:
            continue
        tags = {hashtag(year.feed.writer.trend_words(trend, language)) for language in LANGUAGES}
        of_week = posts.filter(pl.col("hashtags").is_in(tags))["week"]
        found.append(np.corrcoef(np.bincount(of_week, minlength=weeks) / total, levels[:, trend])[0, 1])
        assert found[-1] > 0.3, (trend, hype)
    assert len(found) >= 8
    assert np.mean(found) > 0.65


def test_engagement_grows_with_followers_and_with_the_level(year):
    posts = year.posts.filter(pl.col("kind") != "bot").join(
        accounts_frame(year.accounts).select("account_id", "followers", "country"), on="account_id"
    )
    logs = posts.select(pl.col("likes").log1p(), pl.col("followers").log()).to_numpy()
    slope = np.polyfit(logs[:, 1], logs[:, 0], 1)[0]
    assert slope == pytest.approx(1, abs=0.1)
    rows = {trend: row for row, trend in enumerate(trend_ids(len(year.trends)))}
    on = posts.filter(pl.col("trend_id").is_not_null())
    levels = np.array(
        [
            year.trends.levels(int(week))[rows[trend], year.codes.index(country)]
            for week, trend, country in on.select("week", "trend_id", "country").iter_rows()
        ]
    )
    rate = np.log1p(on["likes"].to_numpy()) - np.log(on["followers"].to_numpy())
    assert np.polyfit(levels, rate, 1)[0] == pytest.approx(1, abs=0.25)


def test_bots_show(year):
    truth = accounts_frame(year.accounts)
    followers = dict(truth.group_by("kind").agg(pl.col("followers").median()).iter_rows())
    assert followers["bot"] > 2 * followers["follower"]
    posts = year.posts.filter(pl.col("views") > 100).with_columns(ratio=(pl.col("likes") / pl.col("views")).log())
    spread = dict(posts.group_by("kind").agg(pl.col("ratio").std()).iter_rows())
    assert spread["bot"] < 0.1 < spread["follower"]
    pushed = year.posts.filter((pl.col("kind") == "bot") & pl.col("hype"))
    together = pushed.group_by("trend_id", pl.col("week").cast(pl.Int64)).agg(
        minutes=(pl.col("ts").max() - pl.col("ts").min()).dt.total_minutes(),
        texts=pl.col("text").n_unique(),
        products=pl.col("product_id").n_unique(),
    )
    assert together["minutes"].max() <= 60
    assert together["products"].max() == 1
    assert together["texts"].max() <= len(LANGUAGES)
    assert pushed["text"].n_unique() < 0.75 * len(pushed)
    ordinary = year.posts.filter(pl.col("kind") == "follower")
    assert ordinary["text"].n_unique() > 0.75 * len(ordinary)


def test_an_attribute_trend_is_named_in_text_and_hashtags(market):
    keys = dict(
        zip(trend_ids(len(market.trends)), zip(market.trends.kind, market.trends.key, strict=True), strict=True)
    )
    rows = {trend: row for row, trend in enumerate(keys)}
    on = market.posts.filter(pl.col("trend_id").is_not_null())
    tongues = dict(zip(market.accounts.ids, market.accounts.language, strict=True))
    place = {product: row for row, product in enumerate(market.goods.ids)}
    for post in on.iter_rows(named=True):
        trend = rows[post["trend_id"]]
        words = market.feed.writer.trend_words(trend, tongues[post["account_id"]])
        assert post["hashtags"][0] == hashtag(words)
        if keys[post["trend_id"]][0] != "product":
            assert words.lower() in post["text"].lower()
        assert market.trends.carries[trend, place[post["product_id"]]] > 0.4
        if post["media"]:
            assert post["product_id"] in post["media"][0]


def test_hashtags_and_texts_are_clean(year):
    tags = year.rows["hashtags"].explode().drop_nulls().unique()
    assert all(re.fullmatch(r"\w+", tag) and tag == tag.lower() for tag in tags)
    assert not year.rows["text"].str.contains(r"[{}]|  |None").any()
    assert year.rows["text"].str.len_chars().min() > 3
    assert set(CAPTIONS) == {"emoji", *LANGUAGES}
    assert len({frozenset(words) for name, words in CAPTIONS.items() if name != "emoji"}) == 1


def test_accounts_are_as_the_market_says(year):
    settings, frame = year.parameters.social, accounts_frame(year.accounts)
    assert len(frame) == settings.accounts
    counts = dict(frame["kind"].value_counts().iter_rows())
    assert counts["leader"] == round(settings.accounts * settings.leaders)
    assert counts["bot"] == round(settings.accounts * settings.bots)
    by_kind = dict(frame.group_by("kind").agg(pl.col("lead_weeks").mean()).iter_rows())
    assert by_kind["leader"] == pytest.approx(settings.lead_weeks, rel=0.15)
    assert by_kind["follower"] < 0 == by_kind["bot"]
    people = frame.filter(pl.col("kind") != "bot")["followers"]
    assert people.median() == pytest.approx(settings.followers, rel=0.25)
    assert people.max() > 8 * people.median()
    assert len(year.truth) / year.clock.weeks / settings.accounts == pytest.approx(settings.posts_per_week, rel=0.15)


def test_without_trends_posts_are_about_anything():
    silent = Market(trends={"real": 0, "hypes": 0})
    assert len(silent.truth) > 1000
    assert silent.truth["trend_id"].null_count() == len(silent.truth)
    assert silent.truth["hype"].null_count() == len(silent.truth)


@pytest.mark.parametrize("none", [{"accounts": 0}, {"posts_per_week": 0.0}])
def test_without_accounts_or_posts_the_tables_are_empty_and_whole(none, market):
    empty = Market(**none)
    assert empty.rows.schema == market.rows.schema
    assert empty.truth.schema == market.truth.schema
    assert empty.rows.is_empty()
    assert empty.truth.is_empty()
    accounts = accounts_frame(empty.accounts)
    assert accounts.schema == accounts_frame(market.accounts).schema
    written = conform(empty.rows, SOURCE_TABLES["posts"])
    assert written.schema == SOURCE_TABLES["posts"].arrow
    assert isinstance(conform(accounts_table(empty.accounts), SOURCE_TABLES["accounts"]), pa.Table)


@pytest.mark.parametrize(
    "social", [{"leaders": 1.0, "bots": 1.0}, {"lead_weeks": 26.0}, {"on_trend": 1.0, "engagement": 1.0}]
)
def test_settings_at_their_edges_work(social):
    assert len(Market(accounts=40, **social).truth) > 300
