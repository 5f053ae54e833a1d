from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.matching.offers.prices import gaps, held_prices, price_gaps, summary
from danggol.shop import Shop

AT = datetime(2025, 3, 10, tzinfo=UTC)


def offer(product, price, currency="USD", country="KR", since=-30, until=None, fee=None, free=None, stock=None):
    end = None if until is None else AT + timedelta(days=until)
    return (product, AT + timedelta(days=since), end, country, price, currency, fee, free, stock)


def shop_of(path, groups, offers, rates=()):
    shop = Shop.create(path, currency="USD", timezone="Asia/Seoul")
    names = list(groups)
    schema = {
        "product_id": pl.String,
        "valid_from": pl.Datetime("us", "UTC"),
        "valid_to": pl.Datetime("us", "UTC"),
        "country": pl.String,
        "price": pl.Float64,
        "currency": pl.String,
        "shipping_fee": pl.Float64,
        "free_shipping": pl.Boolean,
        "stock": pl.Int64,
    }
    with shop.run("made") as run:
        run.write(
            "products",
            pl.DataFrame({"product_id": names, "seller_id": [f"s-{name}" for name in names], "source": "own"}),
        )
        table = pl.DataFrame({"product_id": names, "group_id": list(groups.values())})
        run.write("product_groups", table.with_columns(pl.lit(AT - timedelta(days=1)).alias("as_of")))
        run.write("offers", pl.DataFrame(offers, schema=schema, orient="row"))
        if rates:
            run.write("fx", pl.DataFrame(rates, schema=["date", "currency", "rate"], orient="row"))
    return shop


def told(shop, columns, **asked):
    figures = price_gaps(shop, asked.pop("at", AT), **asked)
    assert not [one for one in shop.check() if one.table == "product_price_gaps"]
    return {row[0]: row[1:] for row in shop.read("product_price_gaps").select("product_id", *columns).rows()}, figures


def test_gap_to_the_cheapest_with_shipping_and_rates(tmp_path):
    shop = shop_of(
        tmp_path / "shop",
        {"a": "g", "b": "g", "c": "g", "lone": "h"},
        [
            offer("a", 10.0, fee=2.0),
            offer("b", 11.0, fee=5.0, free=True),
            offer("c", 20.0, "EUR", fee=0.0),
            offer("lone", 5.0),
        ],
        [(date(2025, 3, 1), "EUR", 1.2), (date(2025, 3, 9), "EUR", 1.1), (date(2025, 3, 11), "EUR", 9.0)],
    )
    found, figures = told(shop, ["state", "price", "shipping", "rank", "cheapest_id", "gap", "gap_share", "compared"])
    assert found["a"] == ("compared", 12.0, 2.0, 2, "b", 1.0, pytest.approx(1 / 11), 3)
    assert found["b"] == ("compared", 11.0, 0.0, 1, "b", 0.0, 0.0, 3)
    assert found["c"] == ("compared", 22.0, 0.0, 3, "b", 11.0, 1.0, 3)
    assert "lone" not in found, "a listing alone in its group has no gap"
    assert figures["currency"] == "USD"
    assert [row["seller_id"] for row in figures["seller_id"]] == ["s-c", "s-a", "s-b"]


def test_what_cannot_be_compared_says_why(tmp_path):
    shop = shop_of(
        tmp_path / "shop",
        dict.fromkeys("abcdef", "g"),
        [
            offer("a", 10.0),
            offer("b", 8.0, "EUR"),
            offer("c", None),
            offer("d", 7.0, stock=0),
            offer("e", 6.0, country="JP"),
            offer("f", 9.0, None, stock=3),
        ],
    )
    found, figures = told(shop, ["state", "gap", "rank", "cheapest_id"])
    assert found["a"] == ("compared", 1.0, 2, "f")
    assert found["f"] == ("compared", 0.0, 1, "f"), "an amount without currency is in the reporting one"
    assert found["b"] == ("no_rate", None, None, None)
    assert found["c"] == ("no_price", None, None, None)
    assert found["d"] == ("sold_out", None, None, None)
    assert found["e"] == ("alone", None, None, None)
    assert figures["states"] == {"alone": 1, "compared": 2, "no_price": 1, "no_rate": 1, "sold_out": 1}


def test_the_terms_of_the_moment_count_and_history_goes_back(tmp_path):
    shop = shop_of(
        tmp_path / "shop",
        {"a": "g", "b": "g"},
        [
            offer("a", 10.0, since=-30),
            offer("a", 9.0, since=-3),
            offer("a", 1.0, since=2),
            offer("b", 12.0, since=-30, until=-10),
            offer("b", 8.0, since=-10, until=None),
        ],
    )
    price_gaps(shop, AT, weeks=3)
    rows = shop.read("product_price_gaps").sort("at", "product_id")
    assert rows.select("product_id", "price", "gap").rows() == [
        ("a", 10.0, 0.0),
        ("b", 12.0, 2.0),
        ("a", 10.0, 2.0),
        ("b", 8.0, 0.0),
        ("a", 9.0, 1.0),
        ("b", 8.0, 0.0),
    ]
    assert rows["at"].unique().sort().to_list() == [AT - timedelta(weeks=week) for week in (2, 1, 0)]
    assert rows["as_of"].unique().to_list() == [AT - timedelta(days=1)], "the groups were made after the last terms"


def test_an_offer_without_a_country_holds_where_the_others_are_offered(tmp_path):
    shop = shop_of(
        tmp_path / "shop",
        {"a": "g", "b": "g", "c": "h", "d": "h"},
        [
            offer("a", 10.0, country=None),
            offer("a", 5.0, country="JP"),
            offer("b", 9.0, country="KR"),
            offer("b", 9.0, country="JP"),
            offer("c", 3.0, country=None),
            offer("d", 4.0, country=None),
        ],
    )
    price_gaps(shop, AT)
    found = shop.read("product_price_gaps").sort("product_id", "country", nulls_last=True)
    assert found.select("product_id", "country", "price", "gap").rows() == [
        ("a", "JP", 5.0, 0.0),
        ("a", "KR", 10.0, 1.0),
        ("b", "JP", 9.0, 4.0),
        ("b", "KR", 9.0, 0.0),
        ("c", None, 3.0, 0.0),
        ("d", None, 4.0, 1.0),
    ]


def test_gaps_are_those_of_a_plain_loop(tmp_path):
    names = [f"p{nth:02d}" for nth in range(30)]
    offers = [
        offer(name, 5.0 + (7 * nth * (1 + place)) % 13, country=country, fee=nth % 3, stock=(nth + place) % 5)
        for nth, name in enumerate(names)
        for place, country in enumerate(("KR", "JP", "DE"))
        if (nth + place) % 4
    ]
    shop = shop_of(tmp_path / "shop", {name: f"g{nth % 9}" for nth, name in enumerate(names)}, offers)
    held = held_prices(shop, [AT])
    rows = held.to_dicts()
    for row in gaps(held).iter_rows(named=True):
        rivals = [
            one["price"]
            for one in rows
            if (one["group_id"], one["country"]) == (row["group_id"], row["country"]) and one["state"] == "on_sale"
        ]
        if row["state"] == "compared":
            assert row["gap"] == pytest.approx(row["price"] - min(rivals))
            assert row["rank"] == 1 + sum(price < row["price"] for price in rivals)
            assert row["compared"] == len(rivals) > 1
        else:
            assert row["gap"] is None
            assert row["state"] == "sold_out" or len(rivals) == 1
    assert summary(gaps(held).filter(pl.col("state") == "alone"))["compared"].to_list() == []


def test_wrong_usage_and_missing_tables_are_said(tmp_path):
    shop = shop_of(tmp_path / "shop", {"a": "g", "b": "g"}, [offer("a", 1.0)])
    with pytest.raises(UsageError, match="not a day"):
        price_gaps(shop, "soon")
    with pytest.raises(UsageError, match="weeks"):
        price_gaps(shop, AT, weeks=0)
    with pytest.raises(UsageError, match="seller_id or source"):
        price_gaps(shop, AT, by="brand")
    with pytest.raises(DataError, match="no offers by"):
        price_gaps(shop, "2020-01-01")
    with pytest.raises(DataError, match="no table 'product_groups'"):
        price_gaps(Shop.create(tmp_path / "empty"))
