"""What comes in: the shop's purchases before a moment as arrays of small integers, oldest first.

Whatever is computed for a moment t is computed from :meth:`Purchases.before` t, so nothing later can reach it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError
from danggol.shop.moments import as_moment

if TYPE_CHECKING:
    from danggol.shop import Shop

DAY = 86_400_000_000
"""Microseconds in a day."""
END = 2**62
"""A moment after every other, in microseconds."""

Ints = NDArray[np.int32]
Times = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """Rows of equal length, oldest first: ``ts`` in epoch microseconds, the others coded or measured."""

    ts: Times
    product: Ints
    customer: Ints
    """-1 where the customer is unknown."""
    order: Ints
    quantity: Floats
    price: Floats
    """nan where there is none."""

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, rows: slice | NDArray[Any]) -> Lines:
        """Some of the rows."""
        return Lines(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Interest:
    """Views (``strong`` 0) and carts or wish lists (1) of known customers, oldest first."""

    ts: Times
    product: Ints
    customer: Ints
    strong: NDArray[np.bool_]

    def before(self, at: int) -> Interest:
        """The rows before a moment."""
        n = int(np.searchsorted(self.ts, at))
        return Interest(self.ts[:n], self.product[:n], self.customer[:n], self.strong[:n])


@dataclass(frozen=True)
class Offers:
    """Terms of products: product, country (-1: everywhere), from and to in epoch microseconds."""

    product: Ints
    country: Ints
    valid_from: Times
    valid_to: Times
    values: NDArray[np.float32]
    """(rows, 3): price, discount, free shipping; nan where not given."""


@dataclass(frozen=True)
class Purchases:
    """All that the model reads, coded: ``product`` indexes ``products``, ``customer`` indexes ``customers``."""

    lines: Lines
    interest: Interest
    offers: Offers
    products: pl.DataFrame
    """product_id, title, category, brand, listed_at (epoch microseconds), in the order of the codes."""
    customers: pl.DataFrame
    """customer_id, country, in the order of the codes."""
    countries: tuple[str, ...]
    country: Ints
    """(customers,): index into ``countries``; the last one, '', stands for an unknown country."""

    def before(self, at: int) -> Purchases:
        """The same with nothing that happened at ``at`` or later (epoch microseconds)."""
        n = int(np.searchsorted(self.lines.ts, at))
        return replace(self, lines=self.lines.take(slice(0, n)), interest=self.interest.before(at))

    @property
    def last(self) -> int:
        """The time of the last row, in epoch microseconds; 0 where there is none."""
        return int(max([*self.lines.ts[-1:], *self.interest.ts[-1:], 0]))


def query(name: str) -> str:
    """The text of one of this room's SQL files."""
    return files("danggol.purchase").joinpath("sql", f"{name}.sql").read_text("utf8")


def moment(shop: Shop, value: str | date | datetime | int | None) -> int | None:
    """A moment in epoch microseconds: a day means its start in the shop's time zone; None stays None."""
    if value is None or isinstance(value, int):
        return value
    value = as_moment(value, ZoneInfo(shop.config.timezone))
    # in whole microseconds: a float would lose the last ones
    gap = value - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
    return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds


def as_datetime(at: int) -> datetime:
    """Epoch microseconds as a UTC time."""
    return pl.Series([at], dtype=pl.Datetime("us", "UTC"))[0]  # type: ignore[no-any-return]


def span(shop: Shop) -> tuple[int, int]:
    """The first and last purchase of a known customer (epoch microseconds); DataError where there is none."""
    row = shop.sql(query("span")).row(0, named=True)
    if not row["purchases"]:
        raise DataError(f"the shop {shop.path} has no purchase of a known customer; import events of kind 'purchase'")
    return int(row["first"]), int(row["last"])


def read(shop: Shop, until: int | None = None) -> Purchases:
    """Read and code everything before ``until`` (epoch microseconds; None: all). DataError where nobody bought."""
    bounds = {"until": END if until is None else until}
    lines = shop.sql(query("purchases"), bounds)
    if lines["customer_id"].count() == 0:
        when = "" if until is None else f" before {as_datetime(until):%Y-%m-%d %H:%M} UTC"
        raise DataError(
            f"the shop {shop.path} has no purchase of a known customer{when}; choose a later day or import more"
        )
    products, customers = shop.sql(query("products"), bounds), shop.sql(query("customers"), bounds)
    places = sorted(set(customers["country"].drop_nulls().to_list()))
    coder = _Coder(products["product_id"], customers["customer_id"], places)
    return Purchases(
        Lines(
            lines["ts"].to_numpy().astype(np.int64),
            coder.products(lines["product_id"]),
            coder.customers(lines["customer_id"]),
            _codes(lines["order_id"]),
            lines["quantity"].to_numpy().astype(np.float64),
            lines["price"].fill_null(float("nan")).to_numpy().astype(np.float64),
        ),
        _interest(shop.sql(query("interest"), bounds), coder),
        _offers(shop.sql(query("offers"), bounds), coder),
        products,
        customers,
        (*places, ""),
        coder.countries(customers["country"], missing=len(places)),
    )


class _Coder:
    """Turns ids into their places in sorted lists."""

    def __init__(self, products: pl.Series, customers: pl.Series, countries: list[str]) -> None:
        self._products, self._customers, self._countries = (pl.Enum(x) for x in (products, customers, countries))

    def products(self, ids: pl.Series) -> Ints:
        return _to_codes(ids, self._products)

    def customers(self, ids: pl.Series) -> Ints:
        return _to_codes(ids, self._customers)

    def countries(self, codes: pl.Series, missing: int = -1) -> Ints:
        return _to_codes(codes, self._countries, missing)


def _interest(rows: pl.DataFrame, coder: _Coder) -> Interest:
    """The rows about listed products."""
    product, customer = coder.products(rows["product_id"]), coder.customers(rows["customer_id"])
    there = (product >= 0) & (customer >= 0)
    ts = rows["ts"].to_numpy().astype(np.int64)
    return Interest(ts[there], product[there], customer[there], rows["strong"].to_numpy()[there] > 0)


def _offers(rows: pl.DataFrame, coder: _Coder) -> Offers:
    """Terms with their ends; those of a country nobody is known from are left out."""
    country = coder.countries(rows["country"])
    there = (country >= 0) | rows["country"].is_null().to_numpy()
    values = rows.select("price", "discount", "free_shipping").cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return Offers(
        coder.products(rows["product_id"])[there],
        country[there],
        rows["valid_from"].to_numpy().astype(np.int64)[there],
        rows["valid_to"].fill_null(END).to_numpy().astype(np.int64)[there],
        values[there],
    )


def _to_codes(ids: pl.Series, kind: pl.Enum, missing: int = -1) -> Ints:
    """Place of each id among the categories; ``missing`` where it is null or not among them."""
    return ids.cast(kind, strict=False).to_physical().cast(pl.Int32).fill_null(missing).to_numpy()


def _codes(ids: pl.Series) -> Ints:
    """Number the distinct ids by first appearance."""
    first = ids.to_frame("id").with_row_index("row")
    order = first.group_by("id", maintain_order=True).agg(pl.col("row").first()).with_row_index("code")
    return (
        first.join(order.select("id", "code"), on="id", how="left", maintain_order="left")["code"]
        .cast(pl.Int32)
        .to_numpy()
    )
