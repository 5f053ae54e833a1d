"""What the ranker sees of a customer and a product at a moment; every number is computed from what came before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.purchase.baselines import Rows, Scores
from danggol.purchase.history import History
from danggol.purchase.samples import DAY, Floats, Times

Columns = dict[str, NDArray[Any]]
RANKED = ("rising", "recent", "next_new", "next_any", "neighbours", "als", "content")
"""Scorers whose rank among the candidates is a feature beside the score."""
_UNKNOWN = ("since", "age", "last_gap", "gap", "due", "orders_since", "paid", "rate")


class Features:
    """Tables of one moment's pairs, customers and products, from which rows are put together."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.pairs = pair_columns(history)
        self.customers = customer_columns(history)
        self.products = product_columns(history)
        self.by_country = _share_by_country(history)
        self.tastes = Tastes(history)
        self.interest = Interests(history)
        self.terms = terms_by_country(history)

    def rows(self, customers: Rows, key: Times, scores: Mapping[str, Scores]) -> tuple[list[str], NDArray[np.float32]]:
        """Names and values (rows, features) of candidates ``key = row * products + product``, sorted."""
        history = self.history
        row, product = key // history.products, key % history.products
        customer = np.asarray(customers)[row]
        columns: Columns = {}
        self._pair(columns, customer.astype(np.int64) * history.products + product)
        columns |= {f"customer_{name}": values[customer] for name, values in self.customers.items()}
        columns |= {f"product_{name}": values[product] for name, values in self.products.items()}
        country = history.purchases.country[customer]
        columns["country_share"] = self.by_country[country, product]
        columns["country_lift"] = columns["country_share"] / (self.by_country.mean(axis=0)[product] + 1e-6)
        columns |= self.tastes.rows(customer, product)
        columns |= self.interest.rows(customer, product)
        columns |= {f"offer_{name}": values[country, product] for name, values in self.terms.items()}
        columns["quantity_to_usual"] = np.where(
            columns["bought"],
            np.log1p(columns["pair_quantity"] / np.maximum(columns["pair_count"], 1)) - self.tastes.quantity[product],
            np.nan,
        )
        columns["price_to_paid"] = np.log1p(columns["pair_paid"]) - columns["product_price"]
        columns["price_to_usual"] = columns["product_price"] - np.log1p(columns["customer_price"])
        for name, score in scores.items():
            columns[f"score_{name}"] = score[row, product]
        for name in RANKED:
            if name in scores:
                columns[f"rank_{name}"] = rank_within(row, columns[f"score_{name}"])
        for name in ("pair_count", "pair_by_order_7"):
            columns[f"rank_{name}"] = rank_within(row, columns[name])
        return list(columns), np.column_stack([np.asarray(values, np.float32) for values in columns.values()])

    def _pair(self, columns: Columns, key: Times) -> None:
        known = self.history.pairs.key
        place = np.minimum(np.searchsorted(known, key), max(len(known) - 1, 0))
        hit = known[place] == key if len(known) else np.zeros(len(key), np.bool_)
        columns["bought"] = hit
        for name, values in self.pairs.items():
            found = values[place] if len(known) else np.zeros(len(key))
            columns[f"pair_{name}"] = np.where(hit, found, np.nan if name in _UNKNOWN else 0.0)


def pair_columns(history: History) -> Columns:
    """Of each customer and product bought: how often, how lately, at what pace, how much."""
    pairs, cells = history.pairs, history.cells
    orders = history.order_count[pairs.customer]
    many = pairs.count > 1
    before_last = cells.days[np.maximum(pairs.final - 1, 0)] if len(cells.days) else cells.days
    gap = np.where(many, (pairs.age - pairs.since) / np.maximum(pairs.count - 1, 1), np.nan)
    first_seq = cells.nth_last[pairs.start]
    now = history.now
    return {
        "count": pairs.count,
        "quantity": pairs.summed(cells.quantity),
        "since": pairs.since,
        "age": pairs.age,
        "last_gap": np.where(many, now - pairs.since - before_last, np.nan),
        "gap": gap,
        "due": pairs.since / np.maximum(gap, 1.0),
        "orders_since": pairs.orders_since,
        "rate": pairs.count / np.maximum(first_seq + 1, 1),
        "share": pairs.count / np.maximum(orders, 1),
        "faded_10": pairs.summed(np.exp2((cells.days - now) / 10)),
        "faded_30": pairs.summed(np.exp2((cells.days - now) / 30)),
        "by_order_7": pairs.summed(0.7 ** cells.nth_last.astype(np.float64)),
        "by_order_9": pairs.summed(0.9 ** cells.nth_last.astype(np.float64)),
        "last_quantity": cells.quantity[pairs.final],
        "spend": pairs.summed(cells.quantity * np.nan_to_num(cells.price)),
        "paid": cells.price[pairs.final],
    }


def customer_columns(history: History) -> Columns:
    """Of each customer: how much, how often, how lately, how often the same again."""
    pairs, cells, count = history.pairs, history.cells, history.customers
    customer, days, starts = history.orders
    orders = history.order_count
    some = orders > 0
    last, first = np.full(count, np.nan), np.full(count, np.nan)
    last[some], first[some] = days[starts[1:][some] - 1], days[starts[:-1][some]]
    gap = np.where(orders > 1, (last - first) / np.maximum(orders - 1, 1), np.nan)
    lines = np.bincount(pairs.customer, weights=pairs.count, minlength=count)
    distinct = np.bincount(pairs.customer, minlength=count)
    spend = np.bincount(
        pairs.customer, weights=pairs.summed(cells.quantity * np.nan_to_num(cells.price)), minlength=count
    )
    units = np.bincount(pairs.customer, weights=pairs.summed(cells.quantity), minlength=count)
    buyer = cells.key // history.products
    again = np.ones(len(cells.key))
    again[pairs.start] = 0.0
    weight = 0.7 ** cells.nth_last.astype(np.float64)
    recent = np.bincount(buyer, weights=weight, minlength=count)
    return {
        "orders": orders,
        "products": distinct,
        "order_size": lines / np.maximum(orders, 1),
        "repeats": 1 - distinct / np.maximum(lines, 1),
        "repeats_lately": np.bincount(buyer, weights=again * weight, minlength=count) / np.maximum(recent, 1e-9),
        "since": history.now - last,
        "age": history.now - first,
        "due": (history.now - last) / np.maximum(gap, 1.0),
        "orders_90": np.bincount(customer[days >= history.now - 90], minlength=count),
        "price": spend / np.maximum(units, 1e-9),
        "units": units / np.maximum(lines, 1),
        "order_spend": spend / np.maximum(orders, 1),
        "last_size": np.bincount(buyer[cells.nth_last == 0], minlength=count),
    }


def product_columns(history: History) -> Columns:
    """Of each product: how many buy it, is it rising, since when, how often again, at what price."""
    pairs, cells, lines, size = history.pairs, history.cells, history.lines, history.products
    since = {days: history.buyers_since(days) for days in (7, 14, 30, 90)}
    seen = lines.ts / DAY
    first, last = np.full(size, np.nan), np.full(size, np.nan)
    last[lines.product] = seen
    first[lines.product[::-1]] = seen[::-1]
    old = pairs.age > 30
    again = np.ones(len(cells.key), np.bool_)
    again[pairs.start] = False
    product = cells.key % size
    sold = np.bincount(lines.product[seen >= history.now - 60], minlength=size)
    month, week, half = (cells.days >= history.now - days for days in (30, 7, 14))
    return {
        "buyers_7": since[7],
        "buyers_14": since[14],
        "buyers_90": since[90],
        "lines_7": np.bincount(lines.product[seen >= history.now - 7], minlength=size),
        "age": history.now - first,
        "since": history.now - last,
        "rise": (since[14] + 1) / (since[90] * 14 / 90 + 1),
        "rise_week": (since[7] + 1) / (since[30] * 7 / 30 + 1),
        "repeat": np.bincount(pairs.product[pairs.count > 1], minlength=size) / (pairs.buyers + 5),
        "repeat_30": np.bincount(pairs.product[old & (pairs.since < 30)], minlength=size)
        / (np.bincount(pairs.product[old], minlength=size) + 5),
        "repeat_next": _repeat_next(history),
        "silence": (history.now - last) * sold / 60,
        "new_buyers_14": np.bincount(product[half & ~again], minlength=size),
        "new_buyers_7": np.bincount(product[week & ~again], minlength=size),
        "again_30": np.bincount(product[month & again], minlength=size),
        "price": _usual_price(history),
        "units": np.bincount(product, weights=cells.quantity, minlength=size)
        / np.maximum(np.bincount(product, minlength=size), 1),
    }


def _repeat_next(history: History) -> Floats:
    """(products,): of the orders of the last 150 days that held it, the share whose customer's next order did too."""
    cells, size = history.cells, history.products
    if len(cells.key) == 0:
        return np.zeros(size)
    again = np.append(cells.key[1:] == cells.key[:-1], False) & (np.append(cells.nth_last[1:], 0) == cells.nth_last - 1)
    followed = (cells.nth_last > 0) & (cells.days >= history.now - 150)
    product = cells.key % size
    usual = again[followed].mean() if followed.any() else 0.0
    hits = np.bincount(product[followed & again], minlength=size)
    return np.asarray((hits + 10 * usual) / (np.bincount(product[followed], minlength=size) + 10))


class Tastes:
    """What each customer's purchases have in common, latest orders first, and how far a product is from it.

    ``popularity``: log1p of the buyers of 90 days; ``rise``: log of the buyers of 14 days to those of 90; ``age``: days
    since the first sale, when the customer bought it.
    """

    def __init__(self, history: History) -> None:
        pairs, cells, lines, size = history.pairs, history.cells, history.lines, history.products
        first = np.full(size, np.nan)
        first[lines.product[::-1]] = lines.ts[::-1] / DAY
        buyers = history.buyers_since(90)
        self.popularity = np.log1p(buyers)
        self.rise = np.log((history.buyers_since(14) + 1) / (buyers * 14 / 90 + 1))
        self.age = np.minimum(history.now - first, 300)
        weight = np.exp2(-pairs.orders_since / 2)
        total = np.maximum(np.bincount(pairs.customer, weights=weight, minlength=history.customers), 1e-9)

        def mean(values: Floats) -> Floats:
            found = np.bincount(pairs.customer, weights=values * weight, minlength=history.customers) / total
            return np.where(history.order_count > 0, found, np.nan)

        self._popularity, self._rise = mean(self.popularity[pairs.product]), mean(self.rise[pairs.product])
        self._age = mean(np.minimum(cells.days[pairs.start] - first[pairs.product], 200))
        usual = np.log1p(pairs.summed(cells.quantity) / np.maximum(pairs.count, 1))
        self.quantity = np.bincount(pairs.product, weights=usual, minlength=size) / np.maximum(pairs.buyers, 1)

    def rows(self, customer: NDArray[Any], product: Times) -> Columns:
        """Columns for the candidates."""
        return {
            "taste_popularity": self._popularity[customer],
            "taste_age": self._age[customer],
            "popularity_to_taste": self.popularity[product] - self._popularity[customer],
            "rise_to_taste": self.rise[product] - self._rise[customer],
            "age_to_taste": self.age[product] - self._age[customer],
        }


def rank_within(row: Times, values: NDArray[Any]) -> Floats:
    """Place of each value among those of its row, from 0, highest first; ``row`` is sorted."""
    order = np.lexsort((-np.asarray(values, np.float64), row))
    start = np.searchsorted(row, row)
    rank = np.empty(len(row))
    rank[order] = np.arange(len(row)) - start[order]
    return rank


class Interests:
    """How often and how lately each customer viewed a product or put it in a cart."""

    def __init__(self, history: History) -> None:
        rows, self._size = history.purchases.interest, history.products
        key = rows.customer.astype(np.int64) * self._size + rows.product
        order = np.lexsort((rows.ts, key))
        key, strong, days = key[order], rows.strong[order], rows.ts[order] / DAY
        start = np.flatnonzero(np.concatenate([np.ones(min(len(key), 1), np.bool_), key[1:] != key[:-1]]))
        self._key = key[start]
        end = np.append(start[1:], len(key)) - 1
        recent = days >= history.now - 30
        self._columns: Columns = {}
        if len(start):
            self._columns = {
                "views_30": np.add.reduceat((~strong & recent).astype(np.float64), start),
                "carts_30": np.add.reduceat((strong & recent).astype(np.float64), start),
                "since": history.now - days[end],
            }
        month = rows.ts >= history.at - 30 * DAY
        self._viewed = np.bincount(rows.product[month], minlength=self._size)

    def rows(self, customer: NDArray[Any], product: Times) -> Columns:
        """Columns for the candidates; nan where the shop has no views at all."""
        if not self._columns:
            return {
                name: np.full(len(product), np.nan)
                for name in ("seen_views_30", "seen_carts_30", "seen_since", "seen_by_all")
            }
        key = customer.astype(np.int64) * self._size + product
        place = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        hit = self._key[place] == key
        found: Columns = {
            f"seen_{name}": np.where(hit, values[place], np.nan if name == "since" else 0.0)
            for name, values in self._columns.items()
        }
        return found | {"seen_by_all": self._viewed[product]}


def terms_by_country(history: History) -> Columns:
    """(countries, products): price to the country's median (log), discount and free shipping of the offers that hold.

    nan where the shop has none. Country terms come before terms for everywhere, later ones before earlier ones.
    """
    offers, at = history.purchases.offers, history.at
    shape = (len(history.purchases.countries), history.products)
    table = np.full((*shape, 3), np.nan, np.float32)
    holds = (offers.valid_from < at) & (offers.valid_to > at)
    for everywhere in (True, False):
        there = np.flatnonzero(holds & ((offers.country < 0) == everywhere))
        if everywhere:
            table[:, offers.product[there]] = offers.values[there][None]
        else:
            table[offers.country[there], offers.product[there]] = offers.values[there]
    price = np.log(np.where(table[:, :, 0] > 0, table[:, :, 0], np.nan))
    some = ~np.isnan(price).all(axis=1)
    middle = np.full(shape[0], np.nan)
    middle[some] = np.nanmedian(price[some], axis=1)
    return {"price": price - middle[:, None], "discount": table[:, :, 1], "free_shipping": table[:, :, 2]}


def _usual_price(history: History) -> Floats:
    """(products,) mean log1p price that known customers paid in the last 30 days, else ever; nan where never sold."""
    known = history.known
    priced = known.price > 0
    recent = priced & (known.ts >= history.at - 30 * DAY)
    ever, lately = (_mean_log(known.product[rows], known.price[rows], history.products) for rows in (priced, recent))
    return np.asarray(np.where(np.isnan(lately), ever, lately))


def _mean_log(product: NDArray[Any], price: Floats, size: int) -> Floats:
    total, count = np.bincount(product, weights=np.log1p(price), minlength=size), np.bincount(product, minlength=size)
    return np.asarray(np.divide(total, count, out=np.full(size, np.nan), where=count > 0))


def _share_by_country(history: History) -> NDArray[np.float32]:
    """(countries, products): the share of the country's buyers of the last 60 days who bought the product."""
    recent, country = history.bought_since(60), history.purchases.country
    customer, product = recent // history.products, recent % history.products
    size = len(history.purchases.countries)
    table = np.bincount(
        country[customer].astype(np.int64) * history.products + product, minlength=size * history.products
    )
    buyers = np.bincount(country[np.unique(customer)], minlength=size)
    return np.asarray(table.reshape(size, -1) / np.maximum(buyers, 1)[:, None], np.float32)
