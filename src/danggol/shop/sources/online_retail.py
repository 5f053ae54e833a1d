"""Online Retail (UCI, CC BY 4.0): the invoice lines of a British gift shop, 2010-12-01 to 2011-12-09.

What becomes what: a line of an invoice is a ``purchase``, of a cancellation (number with a C) a ``return`` whose
quantity is made positive. Lines without a customer are kept as events of an unknown customer. A price of 0 is kept as
it is where the customer is known (a gift), and an empty one is left empty. Stock codes are kept letter for letter: some
differ from another in case only, and figures published on this set count them apart. Lines that are no products (their
code does not start with five digits: postage, fees, samples) are rejected as rows and count in their order's total.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from danggol.shop.sources.intake import Intake
from danggol.shop.sources.reading.delimited import open_delimited
from danggol.shop.sources.reading.files import find_file, inspect_text
from danggol.shop.sources.reading.headings import ROW, require_columns
from danggol.shop.sources.sifting import Rule, moment, number, sift, unreadable
from danggol.shop.sources.source import KnownSource, Options

TIMEZONE = "Europe/London"
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
SECOND_EDITION = {"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}
"""Headings of Online Retail II, which is the same table over two years."""
TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%Y-%m-%d")
LARGEST = 1e9
"""No line sells more units, and no unit costs more."""

COUNTRIES: dict[str, str | None] = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Bermuda": "BM", "Brazil": "BR",
    "Canada": "CA", "Cyprus": "CY", "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE", "Finland": "FI",
    "France": "FR", "Germany": "DE", "Greece": "GR", "Hong Kong": "HK", "Iceland": "IS", "Israel": "IL",
    "Italy": "IT", "Japan": "JP", "Korea": "KR", "Lebanon": "LB", "Lithuania": "LT", "Malta": "MT",
    "Netherlands": "NL", "Nigeria": "NG", "Norway": "NO", "Poland": "PL", "Portugal": "PT", "RSA": "ZA",
    "Saudi Arabia": "SA", "Singapore": "SG", "Spain": "ES", "Sweden": "SE", "Switzerland": "CH", "Thailand": "TH",
    "USA": "US", "United Arab Emirates": "AE", "United Kingdom": "GB",
}  # fmt: skip

_EVENTS = """
    SELECT invoice || '-' || line AS event_id, ts, kind, customer_id, product_id, invoice AS order_id, price, quantity,
           country, file, "row"
    FROM lines
"""
_ORDERS = """
    WITH paid AS (
        SELECT invoice, customer_id, ts, coalesce(price, 0) * quantity AS amount, true AS product
        FROM lines WHERE kind = 'purchase' AND customer_id IS NOT NULL
        UNION ALL
        SELECT invoice, customer_id, ts, price * quantity, false FROM extras
    )
    SELECT invoice AS order_id, arg_min(customer_id, ts) AS customer_id, min(ts) AS ts, round(sum(amount), 2) AS total,
           'GBP' AS currency
    FROM paid GROUP BY invoice HAVING bool_or(product)
"""
_PRODUCTS = """
    WITH named AS (
        SELECT product_id, description, count(*) AS times, max("row") AS latest FROM lines GROUP BY ALL
    )
    SELECT product_id, arg_max(description, times::DOUBLE * 1e10 + latest) FILTER (description IS NOT NULL) AS title,
           'en' AS language
    FROM named GROUP BY product_id
"""
_CUSTOMERS = """
    SELECT customer_id, arg_max(country, ("ts", "row")) FILTER (country IS NOT NULL) AS country,
           CASE WHEN count(country) > 0 THEN 'shipping' END AS country_source
    FROM lines WHERE customer_id IS NOT NULL GROUP BY customer_id
"""


def load(path: Path, intake: Intake, options: Options) -> None:
    """Read the lines once, numbered within their invoices, then sum them up."""
    text = inspect_text(find_file(path, "*etail*.csv.gz", "*etail*.csv"), options.get("encoding"))
    file = open_delimited(text)
    names = {name: SECOND_EDITION.get(name, name) for name in file.columns}
    require_columns(text.name, list(names.values()), COLUMNS)
    intake.note_unused(text.name, [name for name, known in names.items() if known not in COLUMNS])
    unplaced: Counter[str] = Counter()
    lines_so_far: dict[str, int] = {}
    nothing = _lines(
        pl.DataFrame(schema={ROW: pl.Int64, **dict.fromkeys(COLUMNS, pl.String), "line": pl.Int64}), text.name
    )
    for stage in ("lines", "extras"):
        intake.stage(stage, nothing.drop(ROW, *COLUMNS))
    for batch in intake.batches(file):
        lines = _numbered(batch.rename(names).select(ROW, *COLUMNS), lines_so_far)
        _take(_lines(lines, text.name), text.name, intake, unplaced)
    intake.fill("events", _EVENTS, unique=True)
    intake.derive("orders", _ORDERS)
    intake.derive("products", _PRODUCTS)
    intake.derive("customers", _CUSTOMERS)
    _say(intake, unplaced)


def _take(lines: pl.DataFrame, name: str, intake: Intake, unplaced: Counter[str]) -> None:
    readable, rejects = sift(lines, _readable(), name, COLUMNS)
    intake.reject(rejects)
    sales, rejects = sift(readable, _sales(), name, COLUMNS)
    intake.reject(rejects)
    extras = (pl.col("kind") == "purchase") & pl.col("customer_id").is_not_null() & ~_is_product()
    intake.stage("extras", readable.filter(extras).drop(ROW, *COLUMNS))
    intake.stage("lines", sales.drop(ROW, *COLUMNS))
    for country, count in sales.filter(pl.col("country").is_null()).group_by("Country").len().iter_rows():
        unplaced[country or "(empty)"] += count


def _say(intake: Intake, unplaced: Counter[str]) -> None:
    if unplaced:
        names = ", ".join(f"{name} ({count:,})" for name, count in unplaced.most_common(6))
        intake.note(f"{sum(unplaced.values()):,} lines have no country code, as these names have none: {names}.")
    unknown = intake.sql("SELECT count(*) AS n FROM lines WHERE customer_id IS NULL")["n"][0]
    if unknown:
        intake.note(f"{unknown:,} lines name no customer; they are kept as events of an unknown customer.")
    if intake.rejected["not_a_product"]:
        intake.note("Lines that are no products, such as postage, are rejected and count in their order's total.")


def _numbered(batch: pl.DataFrame, so_far: dict[str, int]) -> pl.DataFrame:
    """The rows with ``line``, their place in their invoice from 1; ``so_far`` counts the lines of earlier batches.

    An invoice may come up again far along, so its count is kept to the end: a hundred bytes an invoice.
    """
    here = dict(batch.group_by("InvoiceNo").len().drop_nulls().iter_rows())
    before = {invoice: so_far.get(invoice, 0) for invoice in here}
    so_far.update({invoice: before[invoice] + count for invoice, count in here.items()})
    earlier = pl.col("InvoiceNo").replace_strict(before, default=0, return_dtype=pl.Int64)
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("InvoiceNo")
    return batch.with_columns((place + earlier).alias("line"))


def _lines(batch: pl.DataFrame, name: str) -> pl.DataFrame:
    """The columns of a line beside the text they are read from."""
    code = pl.col("InvoiceNo").str.to_uppercase().str.slice(0, 1)
    quantity = number("Quantity")
    return batch.with_columns(
        pl.lit(name).alias("file"),
        pl.col(ROW).alias("row"),
        pl.col("InvoiceNo").alias("invoice"),
        pl.col("StockCode").alias("product_id"),
        pl.col("Description").alias("description"),
        moment("InvoiceDate", TIMES, TIMEZONE).alias("ts"),
        number("UnitPrice").alias("price"),
        pl.when(code == "C").then(-quantity).otherwise(quantity).alias("quantity"),
        pl.when(code == "C").then(pl.lit("return")).otherwise(pl.lit("purchase")).alias("kind"),
        pl.col("CustomerID").str.replace(r"^(\d+)\.0+$", "$1").alias("customer_id"),
        pl.col("Country").replace_strict(COUNTRIES, default=None, return_dtype=pl.String).alias("country"),
    )


def _is_product() -> pl.Expr:
    return pl.col("StockCode").str.contains(r"^[0-9]{5}")


def _readable() -> list[Rule]:
    now = datetime.now(UTC)
    price, quantity = pl.col("price"), pl.col("quantity")
    return [
        Rule(pl.col("InvoiceNo").is_null(), "missing_id", "InvoiceNo", "no invoice number"),
        Rule(pl.col("StockCode").is_null(), "missing_id", "StockCode", "no stock code"),
        Rule(quantity.is_null() | (quantity.abs() > LARGEST), "bad_quantity", "Quantity", "not a number of units"),
        Rule(unreadable("UnitPrice", price) | (price.abs() > LARGEST), "bad_price", "UnitPrice", "not a price"),
        Rule(pl.col("ts").is_null(), "bad_date", "InvoiceDate", "not a date and time such as 2011-12-09 12:50:00"),
        Rule(pl.col("ts") > now, "date_in_future", "InvoiceDate", "a time that has not come yet"),
    ]


def _sales() -> list[Rule]:
    adjusted = (pl.col("kind") == "purchase") & (
        (pl.col("quantity") < 0) | ((pl.col("price") == 0) & pl.col("customer_id").is_null())
    )
    reason = "a correction of the stock, not a sale: a negative quantity, or price 0 and no customer"
    return [
        Rule(~_is_product(), "not_a_product", "StockCode", "the stock code does not start with five digits"),
        Rule(adjusted, "stock_adjustment", "Quantity", reason),
        Rule(pl.col("quantity") <= 0, "bad_quantity", "Quantity", "zero, or a cancellation that adds units"),
        Rule(pl.col("price") < 0, "price_not_positive", "UnitPrice", "a price below zero"),
    ]


SOURCE = KnownSource(
    name="online-retail",
    summary="UCI Online Retail: invoice lines as CSV, gzipped or not, or the folder that holds it",
    writes=("events", "orders", "products", "customers"),
    shop={"timezone": TIMEZONE, "currency": "GBP", "languages": ("en",)},
    read=load,
    options={"encoding": "the file's encoding, such as latin-1, where the guess is wrong"},
)
