import datetime as dt

import numpy as np
import polars as pl
import pytest
from PIL import Image

from danggol.errors import UsageError
from danggol.shop import Shop
from danggol.twin import Market, MarketFile, simulate
from danggol.twin.market import names
from danggol.twin.truth import Transparency

TABLES = {
    "accounts",
    "broadcasts",
    "campaigns",
    "posts",
    "reviews",
    "sessions",
    "signals",
    "products",
    "product_images",
    "offers",
    "customers",
    "events",
    "orders",
    "fx",
    "calendar",
}


@pytest.fixture(scope="module")
def events(small) -> pl.DataFrame:
    return small.shop.read("events")


def _kind(events: pl.DataFrame, kind: str) -> pl.DataFrame:
    return events.filter(pl.col("kind") == kind)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(small, small_again, small_other_seed):
    first, again, other = small.tables(), small_again.tables(), small_other_seed.tables()
    assert {name.split("/")[0] for name in first} == TABLES | {"images", "truth"}
    assert first.keys() == again.keys()
    assert [name for name in first if first[name] != again[name]] == []
    same = {name for name in first if first[name] == other.get(name)}
    # The countries and the sale days are the market's, whatever the seed.
    assert {name.split("/")[0] for name in same} <= {"calendar", "truth"}
    assert not any("choices" in name or "products" in name for name in same)


def test_the_tables_pass_every_check(small):
    assert small.shop.check() == []


def test_the_figures_are_those_of_the_tables(small, events):
    rows = {name: info.rows for name, info in small.shop.tables().items() if name in TABLES}
    assert small.figures["tables"] == rows
    assert small.figures["events"] == dict(events["kind"].value_counts().iter_rows())
    assert small.figures["visits"] == events["session_id"].n_unique() - 1
    assert small.figures["seconds"] > 0


def test_ids_refer_to_rows_that_exist(small, events):
    for column, table in (("customer_id", "customers"), ("product_id", "products"), ("order_id", "orders")):
        known = small.shop.read(table, [column])[column]
        used = events[column].drop_nulls()
        assert used.is_in(known.implode()).all(), column
    pictures = small.shop.read("product_images")
    assert events["image_shown"].drop_nulls().is_in(pictures["image"].implode()).all()
    assert set(small.shop.read("products")["product_id"]) == set(pictures["product_id"])


def test_what_is_bought_was_shown_and_viewed_before_in_the_same_visit(events):
    keys = ["session_id", "product_id"]
    bought = _kind(events, "purchase")
    for earlier in ("impression", "view", "cart"):
        there = _kind(events, earlier).select(*keys, before="ts")
        joined = bought.join(there, on=keys, how="left")
        assert len(joined) == len(bought)
        assert (joined["before"] <= joined["ts"]).all(), earlier
    assert bought["customer_id"].null_count() == 0
    assert bought["order_id"].null_count() == 0


def test_what_comes_back_was_bought_and_delivered_before(small, events):
    back = _kind(events, "return")
    bought = _kind(events, "purchase").select("order_id", "product_id", "customer_id", "quantity", paid="ts")
    orders = small.shop.read("orders", ["order_id", "delivered_at"])
    joined = back.join(bought, on=["order_id", "product_id", "customer_id", "quantity"], how="left").join(
        orders, on="order_id"
    )
    assert len(joined) == len(back) > 0
    assert (joined["ts"] > joined["delivered_at"]).all()
    assert (joined["delivered_at"] > joined["paid"]).all()
    assert back.select("order_id", "product_id").is_duplicated().sum() == 0


def test_propensities_are_probabilities_of_the_impressions_only(events):
    logged = events.filter(pl.col("propensity").is_not_null())
    assert set(logged["kind"]) == {"impression"}
    # Who watches a broadcast has chosen to: nothing was drawn.
    assert len(logged) == len(_kind(events, "impression").filter(pl.col("channel") != "live"))
    assert logged["propensity"].is_between(0, 1, closed="right").all()
    assert logged.select("list_id", "product_id").is_duplicated().sum() == 0
    places = logged.group_by("list_id").agg(pl.len(), last=pl.col("position").max())
    assert (places["last"] + 1 == places["len"]).all()


def test_events_are_in_order_of_time_and_end_in_the_past(small, events):
    assert events["ts"].is_sorted()
    assert events["event_id"].is_sorted()
    assert events["event_id"].is_unique().all()
    start, end = dt.datetime(2025, 8, 10, 15, tzinfo=dt.UTC), dt.datetime(2025, 12, 28, 15, tzinfo=dt.UTC)
    assert start <= events["ts"].min() < events["ts"].max() < end
    joined = events.join(small.shop.read("customers", ["customer_id", "joined_at"]), on="customer_id")
    assert (joined["ts"] > joined["joined_at"]).all()
    listed = events.join(small.shop.read("products", ["product_id", "listed_at"]), on="product_id")
    assert (listed["ts"] > listed["listed_at"]).all()


def test_an_event_costs_what_the_offer_of_its_moment_says(small, events):
    # What follows on a showing keeps its price, also when midnight has passed; broadcasts have prices of their own.
    shown = events.filter(pl.col("kind").is_in(["impression", "view"]) & (pl.col("channel") != "live"))
    offers = small.shop.read("offers").sort("valid_from")
    joined = shown.join_asof(
        offers.select(
            "product_id", "country", "valid_from", "valid_to", "currency", local="price", free="free_shipping"
        ),
        left_on="ts",
        right_on="valid_from",
        by=["product_id", "country"],
        check_sortedness=False,
    )
    assert joined["local"].null_count() == 0
    assert (joined["valid_to"].is_null() | (joined["ts"] < joined["valid_to"])).all()
    assert (joined["free"] == joined["free_shipping"]).all()
    days = joined.with_columns(date=pl.col("ts").dt.convert_time_zone("Asia/Seoul").dt.date())
    priced = days.join(small.shop.read("fx"), on=["date", "currency"])
    assert len(priced) == len(shown)
    assert np.allclose(priced["local"] * priced["rate"], priced["price"], atol=1e-3)


def test_an_order_costs_its_lines_and_shipping(small, events):
    bought = _kind(events, "purchase").group_by("order_id").agg(value=(pl.col("price") * pl.col("quantity")).sum())
    orders = small.shop.read("orders").join(bought, on="order_id")
    local = pl.col("ts").dt.convert_time_zone("Asia/Seoul").dt.date()
    priced = orders.with_columns(date=local).join(small.shop.read("fx"), on=["date", "currency"])
    assert len(priced) == len(orders) == len(bought)
    # A visit over midnight is priced at the rate of the day before; coupons take 20% at most.
    assert (priced["total"] * priced["rate"] > 0.97 * 0.8 * priced["value"]).all()
    home = orders.filter(pl.col("currency") == "KRW")
    fees = small.shop.read("offers").filter(pl.col("currency") == "KRW")["shipping_fee"].unique()
    off = [(home["total"] - (1 - coupon) * home["value"]).round(2).is_in(fees.implode()) for coupon in (0, 0.1, 0.2)]
    assert (off[0] | off[1] | off[2]).all()
    assert 0.8 < off[0].mean() < 1


@pytest.mark.parametrize("which", ["small", "small_again", "small_other_seed"])
def test_shoppers_are_not_transparent(which, request):
    simulated = request.getfixturevalue(which)
    choices = pl.read_parquet(simulated.truth("choices"))
    exact = _auc(choices["p_buy"].to_numpy(), choices["bought"].to_numpy())
    assert 0.75 <= exact <= 0.85
    assert simulated.figures["choice_auc"] == pytest.approx(exact, abs=1e-3)


def _auc(score: np.ndarray, outcome: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks, positive = rankdata(score), int(outcome.sum())
    return (ranks[outcome].sum() - positive * (positive + 1) / 2) / positive / (len(outcome) - positive)


@pytest.mark.parametrize(("market", "seed", "scale"), [("small", 7, 2.0), ("default", 0, 0.2), ("default", 3, 0.2)])
def test_moments_of_other_seeds_and_sizes_are_those_of_a_shop(market, seed, scale):
    world, seen = Market(market, seed, scale), Transparency()
    orders, bought = [], []
    while not world.done:
        week = world.step()
        seen.add(week.truth["choices"])
        orders.append(week.tables["orders"])
        bought.append(week.tables["events"].filter(pl.col("kind").is_in(["purchase", "return"])))
    order, line = pl.concat(orders), pl.concat(bought)
    assert 0.75 <= (seen.auc() or 0) <= 0.85
    assert 0.01 <= len(order) / world.journal.visits <= 0.05
    assert 0.3 <= 1 - order["customer_id"].n_unique() / len(order) <= 0.8
    assert 0.02 <= (line["kind"] == "return").mean() <= 0.12
    sold = line.filter(pl.col("kind") == "purchase")["product_id"].value_counts()["count"].sort(descending=True)
    assert sold.head(max(1, len(world.goods) // 5)).sum() >= 0.5 * sold.sum()


def test_conversion_repeat_purchases_and_popularity_are_those_of_a_shop(small, events):
    orders = small.shop.read("orders")
    assert 0.01 <= small.figures["conversion"] <= 0.05
    again = _kind(events, "purchase").group_by("customer_id", "product_id").agg(pl.col("order_id").n_unique())
    assert (again["order_id"] > 1).sum() >= 20
    assert orders.group_by("customer_id").len()["len"].max() >= 8
    visits = events.group_by("customer_id").agg(pl.col("session_id").n_unique())["session_id"].sort(descending=True)
    assert visits.head(len(visits) // 5).sum() >= 0.4 * visits.sum()


def test_the_truth_is_calibrated_and_joins_the_events(small, events):
    choices = pl.read_parquet(small.truth("choices"))
    shown = _kind(events, "impression")
    assert choices["event_id"].to_list() == shown["event_id"].to_list()
    known = shown["customer_id"].is_not_null()
    assert (choices.filter(known)["customer_id"] == shown.filter(known)["customer_id"]).all()
    bought = shown.join(
        _kind(events, "purchase").select("session_id", "product_id", did=True),
        on=["session_id", "product_id"],
        how="left",
    )["did"].fill_null(value=False)
    assert (bought == choices["bought"]).all()
    viewed = shown.join(
        _kind(events, "view").select("list_id", "product_id", did=True), on=["list_id", "product_id"], how="left"
    )["did"].fill_null(value=False)
    for truth, did in ((choices["p_buy"], bought), (choices["p_view"], viewed)):
        assert truth.is_between(0, 1).all()
        for low, high in ((0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1)):
            inside = truth.is_between(truth.quantile(low), truth.quantile(high))
            chance = truth.filter(inside)
            spread = float((chance * (1 - chance)).sum()) ** 0.5
            # Showings of a visit compete, so the spread of independent ones is no more than a guide.
            assert abs(did.filter(inside).sum() - chance.sum()) < 5 * spread + 1


def test_returns_follow_their_true_probability(small, events):
    truth = pl.read_parquet(small.truth("purchases"))
    bought = _kind(events, "purchase")
    assert truth["event_id"].to_list() == bought["event_id"].to_list()
    back = len(_kind(events, "return"))
    assert 0.3 * truth["p_return"].sum() < back < 1.5 * truth["p_return"].sum()


def test_a_shop_with_tables_is_left_alone_unless_told(tmp_path):
    market = tmp_path / "tiny.toml"
    market.write_text(
        'format = 1\nbase = "small"\nname = "tiny"\n[size]\ncustomers = 30\nproducts = 30\nweeks = 2\n', "utf8"
    )
    first = simulate(tmp_path / "shop", market)
    before = Shop.open(tmp_path / "shop").read("events")
    with pytest.raises(UsageError, match=r"already holds .*events.*--replace"):
        simulate(tmp_path / "shop", market, seed=1)
    shop = Shop.open(tmp_path / "shop")
    assert shop.read("events").equals(before)
    second = simulate(shop, market, seed=1, replace=True)
    assert second["tables"]["events"] != first["tables"]["events"] or not shop.read("events").equals(before)
    assert shop.check() == []


def test_a_shop_may_report_in_another_currency_of_the_market_but_not_in_an_unknown_one(tmp_path):
    market = tmp_path / "tiny.toml"
    market.write_text('format = 1\nbase = "small"\n[size]\ncustomers = 30\nproducts = 30\nweeks = 2\n', "utf8")
    shop = Shop.create(tmp_path / "usd", timezone="UTC", currency="USD")
    simulate(shop, market)
    assert 1 < shop.read("events")["price"].drop_nulls().median() < 200
    other = Shop.create(tmp_path / "chf", timezone="UTC", currency="CHF")
    with pytest.raises(UsageError, match="reports in CHF"):
        simulate(other, market)
    for scale, seed in ((0, 0), (1, -1)):
        with pytest.raises(UsageError, match="scale must lie above 0"):
            simulate(tmp_path / "none", market, seed=seed, scale=scale)
    assert not (tmp_path / "none").exists()


EXTREMES = {
    "hardly anyone": {"size.customers": 20, "people.visits_per_week": 0.01, "people.visits_spread": 0.0},
    "nobody at first": {"people.joined_before": 0.0, "people.leave_per_week": 0.2, "people.anonymous": 1.0},
    "hardly anything": {"offers.available": 0.01, "goods.listed_later": 1.0, "goods.second_picture": 0.0},
    "long lists": {"visits.stop": 0.01, "visits.list_length": 50, "visits.wander": 0.0, "choice.nest": 0.1},
    "short lists": {"visits.stop": 1.0, "visits.list_length": 2, "visits.wander": 1.0, "visits.reminder": 1.0},
    "everything bought": {"choice.conversion": 0.3, "choice.habit": 6.0, "choice.add_on": 10.0, "choice.cart": 10.0},
    "nothing bought": {"choice.conversion": 0.001, "choice.view": -10.0, "people.propensity_sd": 2.0},
    "nobody speaks": {"reviews.share": 0.0, "social.accounts": 0, "trends.real": 0, "trends.hypes": 0},
    "everybody speaks": {"reviews.share": 1.0, "reviews.sarcasm": 1.0, "reviews.disagree": 1.0, "reviews.typos": 0.5},
    "nothing is planned": {"broadcasts.per_week": 0.0, "campaigns.share": 0.0, "signals.sd": 0.0},
    "everything is planned": {"broadcasts.per_week": 60.0, "broadcasts.reach": 1.0, "campaigns.share": 1.0},
    "an empty store": {"stock.cover_weeks": 0.1, "stock.lead_weeks": 26, "stock.careless": 1.0},
    "careless sellers": {"delivery.seller_sd": 3.0, "delivery.delay_sd": 1.5, "delivery.promise_slack_days": 0.0},
    "everyone leaves": {"people.leave_per_week": 0.2, "leaving.half_life_weeks": 104.0, "returns.fault": 10.0},
    "nearly all copies": {"copies.share": 0.8, "copies.picture_changed": 0.0, "copies.price_sd": 1.0},
    "confounded": {
        "confounding.nonlinear": 3.0,
        "confounding.income_sd": 3.0,
        "confounding.income_culture": -1.0,
        "confounding.assortment": 3.0,
        "confounding.price_level": 3.0,
        "confounding.discount_level": 3.0,
    },
    "elsewhere": {"shop.timezone": "Europe/London", "shop.currency": "GBP", "offers.sale": [], "goods.brands": 5000},
}


@pytest.mark.parametrize("extreme", list(EXTREMES))
def test_any_market_within_the_ranges_runs_and_passes_every_check(tmp_path, extreme):
    values = MarketFile.load("small").parameters.model_dump()
    values["size"] |= {"customers": 60, "products": 40, "weeks": 3}
    for path, value in EXTREMES[extreme].items():
        section, name = path.split(".")
        values[section][name] = value
    figures = simulate(tmp_path / "shop", MarketFile(type(MarketFile.load("small").parameters)(**values), "extreme"))
    assert set(figures["tables"]) == TABLES
    assert Shop.open(tmp_path / "shop").check() == []


@pytest.mark.parametrize("name", names())
def test_every_market_of_the_package_gives_every_table_and_breaks_no_rule(tmp_path, name):
    market = tmp_path / "short.toml"
    market.write_text(
        f'format = 1\nbase = "{name}"\nname = "short"\n[size]\ncustomers = 300\nproducts = 100\nweeks = 8\n', "utf8"
    )
    figures = simulate(tmp_path / "shop", market, seed=7)
    assert set(figures["tables"]) == TABLES
    assert min(figures["tables"].values()) > 0
    shop = Shop.open(tmp_path / "shop")
    assert shop.check() == []
    again = simulate(tmp_path / "again", market, seed=7)
    assert again["tables"] == figures["tables"]
    for table in ("reviews", "posts", "campaigns", "signals"):
        assert Shop.open(tmp_path / "again").read(table).equals(shop.read(table))


def test_a_shock_stands_in_a_market_file_of_ones_own(tmp_path):
    market = tmp_path / "mine.toml"
    shock = "weeks = 2, traffic = 0.05, season = -1.0, delay_days = 60.0, categories = { tea = 9.0 }"
    market.write_text(
        f'format = 1\nbase = "small"\nshock = [{{ week = 2, {shock} }}]\n[size]\ncustomers = 600\nweeks = 5\n', "utf8"
    )
    simulate(tmp_path / "shop", market)
    visits = Shop.open(tmp_path / "shop").sql("SELECT date_diff('week', min(ts) OVER (), ts) AS week FROM sessions")
    by_week = dict(visits["week"].value_counts().iter_rows())
    assert by_week[2] < 0.5 * by_week[1]  # weeks of UTC begin nine hours after the shop's
    market.write_text(market.read_text("utf8").replace("tea", "teas"), "utf8")
    with pytest.raises(UsageError, match=r"line 3: parameter 'shock': 'teas' is no category; did you mean 'tea'"):
        simulate(tmp_path / "other", market)


def test_pictures_decode_and_have_the_size_of_the_market(small):
    for image in small.shop.read("product_images")["image"]:
        with Image.open(small.shop.resolve(image)) as picture:
            picture.load()
            assert picture.size == (96, 96)
            assert picture.format == "JPEG"
