"""The columns of every table: their types, meanings, units and rules.

The one place where the tables of a shop are described. `Shop` casts to these types when it writes, `check` applies the
rules, `doctor` asks which columns are filled, and the documentation prints the meanings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Type = Literal["string", "timestamp", "date", "double", "int64", "bool", "list", "map", "numbers"]
Format = Literal["country", "language", "currency"]

ARROW_TYPES: dict[Type, pa.DataType] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "double": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "list": pa.list_(pa.string()),
    "map": pa.map_(pa.string(), pa.string()),
    "numbers": pa.map_(pa.string(), pa.float64()),
}


@dataclass(frozen=True)
class Column:
    """A column: its type, what it means, its unit, and the rules that ``check`` applies to it."""

    name: str
    type: Type
    meaning: str
    unit: str = ""
    required: bool = False
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str, ...] = ()
    format: Format | None = None
    refers: str = ""
    """``table.column`` that a value must be found in, where that table is there."""
    past: bool = False
    """A time that cannot lie in the future."""

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type."""
        return ARROW_TYPES[self.type]


@dataclass(frozen=True)
class Schema:
    """A table: what a row is, its key, its columns; ``open`` tables may hold further columns of the shop's own."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    kind: Literal["source", "result", "record"] = "source"
    open: bool = False

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, in column order."""
        return pa.schema([pa.field(c.name, c.arrow) for c in self.columns])

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that every row must fill."""
        return tuple(c.name for c in self.columns if c.required)

    def column(self, name: str) -> Column:
        """The column of that name (KeyError where there is none)."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def _id(name: str, meaning: str, refers: str = "", required: bool = False) -> Column:
    return Column(name, "string", meaning, required=required, refers=refers)


def _text(name: str, meaning: str, *one_of: str, required: bool = False) -> Column:
    return Column(name, "string", meaning, one_of=one_of, required=required)


def _time(name: str, meaning: str, required: bool = False, past: bool = False) -> Column:
    return Column(name, "timestamp", meaning, unit="UTC, microseconds", required=required, past=past)


def _number(name: str, meaning: str, unit: str = "", low: float | None = 0, high: float | None = None) -> Column:
    return Column(name, "double", meaning, unit=unit, at_least=low, at_most=high)


def _count(name: str, meaning: str, unit: str = "", low: float | None = 0, high: float | None = None) -> Column:
    return Column(name, "int64", meaning, unit=unit, at_least=low, at_most=high)


def _flag(name: str, meaning: str, required: bool = False) -> Column:
    return Column(name, "bool", meaning, required=required)


def _code(name: str, meaning: str, form: Format, required: bool = False) -> Column:
    return Column(name, "string", meaning, format=form, required=required)


PRODUCT = "products.product_id"
CUSTOMER = "customers.customer_id"
EVENT_KINDS = ("search", "impression", "view", "cart", "wishlist", "purchase", "return")

_SOURCE = (
    Schema(
        "products",
        "a listing",
        ("product_id",),
        (
            _id("product_id", "the listing", required=True),
            _text("title", "its title, as shown"),
            _text("description", "its description, as shown"),
            _text("brand", "its brand"),
            _text("category", "its category, levels separated by ' > '"),
            _id("seller_id", "who sells it"),
            _text("source", "the marketplace it is from"),
            _code("origin_country", "where it is made or sent from", "country"),
            _code("language", "the language of its title", "language"),
            Column("attributes", "map", "further attributes, name to value"),
            _time("listed_at", "when it was first listed"),
        ),
    ),
    Schema(
        "product_images",
        "a picture of a listing",
        ("product_id", "image"),
        (
            _id("product_id", "the listing", PRODUCT, required=True),
            Column("image", "string", "path inside the shop, or URL", required=True),
            _count("position", "its place among the listing's pictures, from 0"),
            _text("role", "what it is for", "thumbnail", "detail", "review"),
        ),
    ),
    Schema(
        "offers",
        "the terms of a listing in a country for a time",
        ("product_id", "country", "valid_from"),
        (
            _id("product_id", "the listing", PRODUCT, required=True),
            _time("valid_from", "from when the terms hold", required=True),
            _code("country", "where they hold; empty: everywhere", "country"),
            _time("valid_to", "until when they hold; empty: until the next"),
            _number("price", "what a unit costs", "currency"),
            _number("list_price", "the price it is reduced from", "currency"),
            _code("currency", "the currency of the amounts", "currency"),
            _number("shipping_fee", "what shipping costs", "currency"),
            _flag("free_shipping", "whether shipping is free"),
            Column("badges", "list", "badges shown, such as best_seller"),
            _count("stock", "units in stock", "units"),
        ),
    ),
    Schema(
        "customers",
        "a person",
        ("customer_id",),
        (
            _id("customer_id", "the person", required=True),
            _code("country", "the person's country", "country"),
            _text("country_source", "how the country is known", "nationality", "residence", "shipping", "ip"),
            _code("language", "the person's language", "language"),
            _count("birth_year", "year of birth", "year", 1900, 2100),
            _text("gender", "gender as stated", "female", "male", "other"),
            _time("joined_at", "when the person joined", past=True),
            _text("acquired_through", "the channel that brought the person"),
        ),
    ),
    Schema(
        "events",
        "something that happened",
        ("event_id",),
        (
            _id("event_id", "the event", required=True),
            _time("ts", "when it happened", required=True, past=True),
            _text("kind", "what happened", *EVENT_KINDS, required=True),
            _id("customer_id", "who did it; empty: unknown", CUSTOMER),
            _id("session_id", "the visit"),
            _id("product_id", "the listing", PRODUCT),
            _id("order_id", "the order"),
            _id("list_id", "the list it was shown in"),
            _count("position", "its place in that list, from 0"),
            _number("propensity", "logged probability of being shown", "", 0, 1),
            _text("image_shown", "the picture that was shown"),
            _text("query", "the search words"),
            _number("dwell_s", "how long it was looked at", "seconds"),
            _number("price", "price of a unit at that moment", "currency"),
            _number("discount_rate", "1 - price / list price", "", None, 1),
            _flag("free_shipping", "whether shipping was free"),
            _number("quantity", "units", "units"),
            _text("channel", "web, app, live, mail ..."),
            _code("country", "the country of the visit", "country"),
        ),
    ),
    Schema(
        "orders",
        "an order",
        ("order_id",),
        (
            _id("order_id", "the order", required=True),
            _id("customer_id", "who ordered", CUSTOMER, required=True),
            _time("ts", "when it was placed", required=True, past=True),
            _time("promised_at", "when delivery was promised"),
            _time("delivered_at", "when it was delivered"),
            _text("status", "its state, in the shop's words"),
            _number("total", "what was paid", "currency", None),
            _code("currency", "the currency of the total", "currency"),
        ),
    ),
    Schema(
        "sessions",
        "a visit known by its sums",
        ("session_id",),
        (
            _id("session_id", "the visit", required=True),
            _id("customer_id", "who visited", CUSTOMER),
            _time("ts", "when it began", past=True),
            _code("country", "the country of the visit", "country"),
            _flag("converted", "whether it ended in a purchase"),
        ),
        open=True,
    ),
    Schema(
        "reviews",
        "a review",
        ("review_id",),
        (
            _id("review_id", "the review", required=True),
            Column("text", "string", "what was written", required=True),
            _id("product_id", "the listing", PRODUCT),
            _id("customer_id", "who wrote it", CUSTOMER),
            _id("order_id", "the order it is about"),
            _time("ts", "when it was written", past=True),
            _number("rating", "stars", "1 to 5", 1, 5),
            _text("title", "its headline"),
            _code("language", "its language", "language"),
            _text("image", "a picture that came with it"),
        ),
    ),
    Schema(
        "posts",
        "a social post or video at one collection",
        ("post_id", "collected_at"),
        (
            _id("post_id", "the post", required=True),
            _id("account_id", "who posted it", "accounts.account_id", required=True),
            _time("ts", "when it was posted", required=True, past=True),
            _time("collected_at", "when its counts were read", required=True, past=True),
            _text("text", "what was written"),
            Column("hashtags", "list", "its hashtags, without the sign"),
            Column("media", "list", "its pictures or videos: paths inside the shop, or URLs"),
            _count("views", "views so far"),
            _count("likes", "likes so far"),
            _count("comments", "comments so far"),
            _count("shares", "shares so far"),
            _text("platform", "where it was posted"),
        ),
    ),
    Schema(
        "accounts",
        "an influencer",
        ("account_id",),
        (
            _id("account_id", "the account", required=True),
            _count("followers", "followers"),
            _code("country", "the account's country", "country"),
            _text("platform", "where it posts"),
        ),
    ),
    Schema(
        "broadcasts",
        "a live-commerce slot",
        ("broadcast_id", "product_id"),
        (
            _id("broadcast_id", "the slot", required=True),
            _time("ts", "when it starts", required=True),
            _id("product_id", "the listing shown", PRODUCT, required=True),
            _number("minutes", "how long it is shown", "minutes"),
            _number("price", "price during the slot", "currency"),
            _id("host_id", "who presents it"),
            _number("sales", "sales of the slot", "currency", None),
            _count("viewers", "viewers at the peak", "people"),
        ),
    ),
    Schema(
        "signals",
        "an outside measurement",
        ("signal", "region", "ts", "known_at"),
        (
            _text("signal", "what is measured", required=True),
            _time("ts", "the time it is about", required=True),
            Column("value", "double", "the measurement", required=True),
            _time("known_at", "when it was published: a forecast may use it only from then", required=True),
            _text("region", "where; empty: everywhere"),
        ),
    ),
    Schema(
        "calendar",
        "a holiday or sale day",
        ("date", "region", "kind"),
        (
            Column("date", "date", "the day, in local time", required=True),
            _text("kind", "holiday, sale ...", required=True),
            _text("region", "where; empty: everywhere"),
            _text("name", "its name"),
        ),
    ),
    Schema(
        "campaigns",
        "an offer that a customer was assigned, or not",
        ("campaign_id", "customer_id"),
        (
            _id("campaign_id", "the campaign", required=True),
            _id("customer_id", "the person", CUSTOMER, required=True),
            _time("ts", "when it was assigned", required=True, past=True),
            _text("offer", "what was offered", required=True),
            _flag("treated", "whether the person got it", required=True),
            _number("assignment_probability", "probability of getting it", "", 0, 1),
            _number("window_days", "how long the response is counted", "days"),
            _number("cost", "what the offer cost", "currency"),
            _flag("converted", "whether the person bought in the window"),
            _number("revenue", "what the person spent in the window", "currency", None),
        ),
    ),
    Schema(
        "fx",
        "an exchange rate",
        ("date", "currency"),
        (
            Column("date", "date", "the day", required=True),
            _code("currency", "the currency", "currency", required=True),
            Column("rate", "double", "units of the reporting currency for one of this", required=True, at_least=0),
        ),
    ),
)


_RUN = (
    _id("run_id", "the run that wrote the row", required=True),
    _time("as_of", "the latest source time that went into it, training included", required=True),
)


def _result(name: str, row: str, key: tuple[str, ...], *columns: Column) -> Schema:
    return Schema(name, row, key, (*columns, *_RUN), kind="result")


def _key(column: Column) -> Column:
    return Column(column.name, column.type, column.meaning, column.unit, required=True, format=column.format)


_LOW, _HIGH = _number("low", "lower end of the 95% interval", low=None), _number("high", "its upper end", low=None)
_PRODUCT, _CUSTOMER = _key(_id("product_id", "the listing")), _key(_id("customer_id", "the person"))
_COUNTRY = _key(_code("country", "the country", "country"))
_CONFIDENCE = _number("confidence", "probability that the value is right", high=1)
_REASON = (_text("reason_code", "why, as a code"), Column("reason_args", "map", "what the reason's sentence needs"))
_FIT = (
    _number("score", "the fit", low=None),
    _LOW,
    _HIGH,
    _count("support", "rows behind it"),
)

_RESULT = (
    _result(
        "product_matches",
        "a listing and one that shows the same product",
        ("product_id", "other_id"),
        _PRODUCT,
        _key(_id("other_id", "the other listing")),
        _number("similarity", "cosine similarity", low=-1, high=1),
        _text("by", "what matched", "text", "image", "hash", "pair_model"),
        _count("rank", "place among the listing's matches, from 0"),
    ),
    _result(
        "product_groups",
        "a listing and its group",
        ("product_id",),
        _PRODUCT,
        _key(_id("group_id", "the real product")),
    ),
    _result(
        "product_attributes",
        "a predicted attribute",
        ("product_id", "attribute"),
        _PRODUCT,
        _key(_text("attribute", "which attribute")),
        _text("value", "its predicted value"),
        _CONFIDENCE,
        _flag("abstained", "whether the model would not say"),
    ),
    _result(
        "review_sentiment",
        "how pleased a review is",
        ("review_id",),
        _key(_id("review_id", "the review")),
        _number("score", "sentiment", low=-1, high=1),
        _text("label", "its class"),
        _CONFIDENCE,
        _code("language", "detected language", "language"),
        _flag("disagrees_with_rating", "whether text and stars disagree"),
    ),
    _result(
        "review_aspects",
        "what a review says of an aspect",
        ("review_id", "aspect"),
        _key(_id("review_id", "the review")),
        _key(_text("aspect", "which aspect")),
        _number("polarity", "how it is spoken of", low=-1, high=1),
        _text("span", "the words that show it"),
        _CONFIDENCE,
    ),
    _result(
        "purchase_scores",
        "how likely a customer is to buy a product",
        ("customer_id", "product_id", "at"),
        _CUSTOMER,
        _PRODUCT,
        _key(_time("at", "the moment of the prediction")),
        _number("probability", "probability of a purchase within the horizon", high=1),
        _number("horizon_days", "the horizon", "days"),
    ),
    _result(
        "recommendations",
        "a place in a customer's list",
        ("customer_id", "at", "rank"),
        _CUSTOMER,
        _key(_time("at", "the moment of the recommendation")),
        _key(_count("rank", "place in the list, from 1")),
        _PRODUCT,
        _number("score", "what the list is ordered by", low=None),
        _text("image", "which picture to show"),
        *_REASON,
    ),
    _result(
        "purchase_metrics",
        "a figure of a purchase model on held-out purchases",
        ("model", "metric", "part", "until"),
        _key(_text("model", "which model; danggol is ours")),
        _key(_text("metric", "which metric, such as ndcg@10")),
        _key(_text("part", "all, new (never bought), repeat, or a country code")),
        _key(_time("until", "the moment that separates training from test")),
        _number("value", "the figure"),
        _LOW,
        _HIGH,
        _number("difference", "ours minus this model's", low=None),
        _number("difference_low", "lower end of its paired 95% interval", low=None),
        _number("difference_high", "its upper end", low=None),
        _count("customers", "customers behind it"),
        _number("horizon_days", "days after the cut that purchases were counted", "days"),
    ),
    _result("country_fit", "how well a product fits a country", ("product_id", "country"), _PRODUCT, _COUNTRY, *_FIT),
    _result("culture_fit", "how a product fits a culture", ("product_id", "country"), _PRODUCT, _COUNTRY, *_FIT),
    _result(
        "customer_states",
        "a customer's state for a time",
        ("customer_id", "valid_from"),
        _CUSTOMER,
        _key(_time("valid_from", "from when")),
        _time("valid_to", "until when; empty: still"),
        _text("state", "the state"),
        *_REASON,
        _number("p_buy", "probability of buying within the horizon", high=1),
        _number("p_leave", "probability of leaving", high=1),
        _number("value", "expected value", "currency", None),
        _LOW,
        _HIGH,
    ),
    _result(
        "customer_causes",
        "a cause behind the customers of a segment",
        ("segment", "cause"),
        _key(_text("segment", "the segment")),
        _key(_text("cause", "the cause")),
        _count("customers", "how many"),
        _number("value_at_risk", "what they are worth", "currency", None),
        _number("association", "how it goes with leaving", low=None),
        _LOW,
        _HIGH,
        Column("example_reviews", "list", "ids of reviews that show it"),
    ),
    _result(
        "promotion_plan",
        "a promotion to make",
        ("customer_id", "at"),
        _CUSTOMER,
        _key(_time("at", "the moment of the plan")),
        _text("offer", "what to offer; empty: nothing"),
        _time("send_at", "when to send it"),
        _number("gain", "expected gain", "currency", None),
        _LOW,
        _HIGH,
        _flag("held_out", "kept without an offer, to measure"),
        _number("probability", "probability of being assigned", high=1),
        *_REASON,
    ),
    _result(
        "item_trends",
        "how something moves in a week",
        ("entity", "kind", "country", "week"),
        _key(_text("entity", "what")),
        _key(_text("kind", "what it is", "item", "attribute", "keyword", "hashtag")),
        _COUNTRY,
        _key(Column("week", "date", "the week's Monday")),
        _number("level", "its level", low=None),
        _number("growth", "its growth", low=None),
        _LOW,
        _HIGH,
        _text("stage", "emerging, rising, peak, falling ..."),
    ),
    _result(
        "influence",
        "how far an account leads",
        ("account_id", "country"),
        _key(_id("account_id", "the account")),
        _COUNTRY,
        _number("lead", "how far it leads", "days", None),
        _LOW,
        _HIGH,
        _flag("suspicious", "whether its counts look bought"),
    ),
    _result(
        "curation",
        "a place in the week's curation",
        ("country", "week", "rank"),
        _COUNTRY,
        _key(Column("week", "date", "the week's Monday")),
        _key(_count("rank", "place, from 1")),
        _PRODUCT,
        *_REASON,
        _text("keyword", "the keyword it stands for"),
        _number("expected_demand", "expected sales in the week", "units"),
    ),
    _result(
        "demand_forecasts",
        "a forecast",
        ("series", "country", "origin", "date"),
        _key(_text("series", "what is forecast")),
        _key(_code("country", "the country", "country")),
        _key(_time("origin", "when the forecast is made")),
        _key(Column("date", "date", "the day it is for")),
        Column("quantiles", "numbers", "level to value"),
        Column("components", "numbers", "component to value"),
    ),
)

_RECORD = (
    Schema(
        "runs",
        "a run that wrote tables",
        ("run_id",),
        (
            _id("run_id", "the run", required=True),
            _text("verb", "what was run", required=True),
            _text("settings", "its settings, as JSON"),
            _count("seed", "its seed", low=None),
            _text("package_version", "the version of danggol"),
            Column("input_versions", "map", "table to version that the run read"),
            _time("started", "when it started"),
            _time("ended", "when its tables were published"),
            Column("tables_written", "map", "table to version that the run wrote"),
        ),
        kind="record",
    ),
    Schema(
        "rejects",
        "a row that could not be used",
        ("run_id", "file", "row", "reason_code"),
        (
            _id("run_id", "the import", required=True),
            _text("source", "the importer", required=True),
            _text("file", "the file's name", required=True),
            _count("row", "the row in that file, from 1, headings not counted", low=None),
            _text("reason_code", "why, as a code", required=True),
            _text("column", "the column at fault"),
            _text("reason", "why, in words"),
            _text("record", "the row itself, as JSON"),
        ),
        kind="record",
    ),
)

SOURCE_TABLES: dict[str, Schema] = {schema.name: schema for schema in _SOURCE}
RESULT_TABLES: dict[str, Schema] = {schema.name: schema for schema in _RESULT}
RECORD_TABLES: dict[str, Schema] = {schema.name: schema for schema in _RECORD}
SCHEMAS: dict[str, Schema] = {**SOURCE_TABLES, **RESULT_TABLES, **RECORD_TABLES}
