"""What a shop does in the coming week: promotions, shelves, prices, orders of stock, broadcasts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import UsageError
from danggol.twin.broadcasts import Slot
from danggol.twin.campaigns import Assigned
from danggol.twin.people import Floats, Ints

_MOST = 10**9
"""Units that can be ordered of a product at once."""


@dataclass(frozen=True)
class Broadcast:
    """A live slot: ``day`` 0 (Monday) to 6, ``hour`` local to the country, ``discount`` off the price."""

    product_id: str
    country: str
    host_id: str = "H001"
    day: int = 4
    hour: float = 20.0
    minutes: float = 60.0
    discount: float = 0.0


@dataclass(frozen=True)
class Actions:
    """What is done in one week; what is not named goes on as the market would have it.

    ``promotions``: rows customer_id, offer (a name in the market file), and, where some are held out at random, treated
    and probability; those who have not joined yet, or are in the window of an earlier one, are passed over.
    ``curations``: country -> product ids of its shelf. ``prices``: rows product_id, country, price in
    local currency, which hold until changed; a missing price gives it back to the market. ``stock``: product id ->
    units to order now. ``own_campaigns`` and ``own_broadcasts`` say whether the market's own go on beside.
    """

    promotions: pl.DataFrame | None = None
    curations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    prices: pl.DataFrame | None = None
    stock: Mapping[str, int] = field(default_factory=dict)
    broadcasts: Sequence[Broadcast] = ()
    own_campaigns: bool = True
    own_broadcasts: bool = True


class Names:
    """Looks ids up, and says which one is wrong."""

    def __init__(self, customers: pl.Series, products: pl.Series, countries: Sequence[str], hosts: Sequence[str]):
        self.customers = _places(customers.to_list())
        self.products = _places(products.to_list())
        self.countries = _places(countries)
        self.hosts = _places(hosts)

    def find(self, what: str, names: Sequence[str]) -> Ints:
        """Places of names of customers, products, countries or hosts; UsageError names the first unknown one."""
        known: dict[str, int] = getattr(self, what)
        found = [known.get(name, -1) for name in names]
        if -1 in found:
            wrong = names[found.index(-1)]
            raise UsageError(f"the action names {wrong!r}, which is none of the market's {what}")
        return np.array(found, dtype=np.int64)

    def shelves(self, actions: Actions, most: int) -> dict[int, Ints]:
        """Country -> products of its shelf."""
        shelves = {}
        for country, ids in actions.curations.items():
            if len(ids) > most:
                raise UsageError(f"the shelf of {country} holds {len(ids)} products; a shelf holds at most {most}")
            place = int(self.find("countries", [country])[0])
            if len(ids):
                shelves[place] = np.unique(self.find("products", list(ids)))
        return shelves

    def prices(self, actions: Actions) -> tuple[Ints, Ints, Floats] | None:
        """Products, countries, prices (nan: the market's own again)."""
        if actions.prices is None:
            return None
        _needs(actions.prices, "prices", ("product_id", "country", "price"))
        price, ids = _column(actions.prices, "prices", "price", pl.Float64), actions.prices["product_id"].to_list()
        wrong = np.flatnonzero((price <= 0) | np.isinf(price))
        if len(wrong):
            raise UsageError(
                f"the action sets the price of {ids[wrong[0]]!r} to {price[wrong[0]]:g}; "
                "a price is a number above 0, or empty to give it back"
            )
        product = self.find("products", ids)
        return product, self.find("countries", actions.prices["country"].to_list()), np.asarray(price, np.float64)

    def stock(self, actions: Actions) -> Ints:
        """(products,) units to order."""
        units = np.zeros(len(self.products), dtype=np.int64)
        for product, number in actions.stock.items():
            if not (isinstance(number, int | np.integer) and 0 <= number <= _MOST):
                raise UsageError(f"the action orders {number} of {product!r}; orders are whole units from 0 to {_MOST}")
        units[self.find("products", list(actions.stock))] = list(actions.stock.values())
        return units

    def slots(self, actions: Actions) -> list[Slot]:
        """The broadcasts."""
        for one in actions.broadcasts:
            if not (0 <= one.day <= 6 and 0 <= one.hour < 24 and 0 < one.minutes <= 600 and 0 <= one.discount < 1):
                raise UsageError(
                    f"the broadcast of {one.product_id!r}: day lies in 0 to 6, hour in 0 to 24, minutes in 0 to 600, "
                    "discount in 0 to 1"
                )
        return [
            Slot(
                product=int(self.find("products", [one.product_id])[0]),
                country=int(self.find("countries", [one.country])[0]),
                host=int(self.find("hosts", [one.host_id])[0]),
                day=one.day,
                hour=one.hour,
                minutes=one.minutes,
                discount=one.discount,
            )
            for one in actions.broadcasts
        ]

    def promotions(self, actions: Actions, offers: Sequence[str], campaign: str) -> Assigned | None:
        """Who is promoted what."""
        rows = actions.promotions
        if rows is None or not len(rows):
            return None
        _needs(rows, "promotions", ("customer_id", "offer"))
        twice = rows.filter(rows["customer_id"].is_duplicated())["customer_id"]
        if len(twice):
            raise UsageError(f"the action promises {twice[0]!r} two promotions; give each customer at most one a week")
        unknown = [name for name in rows["offer"].unique().to_list() if name not in offers]
        if unknown:
            near = difflib.get_close_matches(str(unknown[0]), offers, n=1, cutoff=0.0)[0]
            raise UsageError(f"the market has no offer {unknown[0]!r}; did you mean {near!r}?")
        treated = _column(rows, "promotions", "treated", pl.Boolean, True)
        chance = _column(rows, "promotions", "probability", pl.Float64, 1.0)
        wrong = np.flatnonzero(~((chance > 0) & (chance <= 1)))
        if len(wrong):
            raise UsageError(
                f"the action promotes to {rows['customer_id'][int(wrong[0])]!r} with probability {chance[wrong[0]]:g}; "
                "a probability lies above 0 and up to 1"
            )
        return Assigned(
            self.find("customers", rows["customer_id"].to_list()),
            np.array([list(offers).index(name) for name in rows["offer"].to_list()], dtype=np.int64),
            treated,
            np.asarray(chance, np.float64),
            campaign,
        )


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _column(
    rows: pl.DataFrame, what: str, name: str, kind: type[pl.DataType], usual: float | bool | None = None
) -> NDArray[Any]:
    """A column as numbers, or as true and false; ``usual`` where the column is not there."""
    if name not in rows.columns:
        return np.full(len(rows), usual)
    try:
        values = rows[name].cast(kind)
    except pl.exceptions.PolarsError as error:
        said = "true or false" if kind == pl.Boolean else "numbers"
        raise UsageError(f"the action's {what} need {said} in the column {name}, not {rows[name].dtype}") from error
    if kind == pl.Boolean and values.null_count():
        raise UsageError(f"the action's {what} have an empty {name}; say true or false")
    found: NDArray[Any] = values.to_numpy()
    return found


def _needs(rows: pl.DataFrame, what: str, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in rows.columns]
    if missing:
        raise UsageError(f"the action's {what} lack the column {missing[0]}; they need {', '.join(columns)}")
