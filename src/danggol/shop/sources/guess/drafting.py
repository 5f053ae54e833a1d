"""Put a mapping together from what a file's columns seem to mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from danggol.errors import DataError
from danggol.shop.sources.guess.evidence import Found, less_sure
from danggol.shop.sources.guess.scales import find_scale
from danggol.shop.sources.mapping.grades import read_grades
from danggol.shop.sources.mapping.rules import MERGED, ColumnRule, Keep, Mapping, Reason, TableRule
from danggol.shop.sources.mapping.values import SPACES, read_numbers, read_words
from danggol.shop.sources.reading.tables import FileRule

_SIGNS = {"KRW": "원|₩|￦|KRW", "EUR": "€|EUR", "GBP": "£|GBP", "JPY": "円|JPY", "CNY": "元|CNY|RMB", "USD": r"\$|USD"}
_SCRIPTS = (("ko", "[가-힣]", "Asia/Seoul"), ("ja", "[ぁ-んァ-ヶ]", "Asia/Tokyo"), ("zh", "[一-鿿]", "Asia/Shanghai"))


@dataclass
class Draft:
    """Tables under way: ``sample`` holds the file's first rows, ``found`` which column means what."""

    label: str
    columns: Sequence[str]
    sample: pl.DataFrame
    found: dict[str, Found]
    tables: dict[str, dict[str, ColumnRule]] = field(default_factory=dict)
    reasons: dict[str, Reason] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)

    def mapping(self, file: FileRule, passed_over: dict[str, str]) -> Mapping:
        """The mapping, with what of the file is ``passed_over``; DataError where it cannot be told what a row is."""
        language, zone = self._script()
        currency = self._currency()
        if not self._fill(currency):
            known = ", ".join(f"{one.heading} ({name})" for name, one in self.found.items()) or "none of its headings"
            raise DataError(
                f"what a row of {self.label} is cannot be told from its columns (understood: {known}); "
                "write a mapping for it, as the guide on imports shows"
            )
        file = replace(
            file,
            timezone=zone,
            currency=currency[0],
            languages=(language,) if language else (),
            decimal=self._decimal(),
        )
        rules = tuple(
            TableRule(table, columns, self._keep(place, table))
            for place, (table, columns) in enumerate(self.tables.items())
        )
        used = {source for rule in rules for column in rule.columns.values() for source in column.sources}
        unused = {name: self.remarks.get(name, "not understood") for name in self.columns if name not in used}
        return Mapping(rules, file, self.reasons, unused | passed_over)

    def _keep(self, place: int, table: str) -> Keep:
        return "latest" if place or table in MERGED else "all"

    def _fill(self, currency: tuple[str, float, str]) -> bool:
        """Choose what a row is and fill the tables; whether that could be told."""
        has = self.found.keys().__contains__
        product = has("product_id") or has("title")
        if has("review_text") and not has("quantity"):
            self._reviews()
        elif has("time") and (product or has("kind") or has("query")) and (self._happens() or self._sells()):
            self._events()
            self._orders(currency)
        elif has("order_id") and has("customer_id") and has("time"):
            self._orders(currency)
        elif has("product_id") and not has("time"):
            pass
        elif has("customer_id") and any(map(has, ("gender", "birth", "country", "nationality", "joined_at", "time"))):
            self._customers(main=True)
        else:
            return False
        self._customers()
        self._products(currency)
        return bool(self.tables)

    def _happens(self) -> bool:
        """Whether a column says what happened."""
        one = self.found.get("kind")
        return one is not None and read_words(self.sample[one.heading], "kind").is_not_null().any()

    def _sells(self) -> bool:
        return any(name in self.found for name in ("order_id", "customer_id", "quantity", "unit_price", "amount"))

    def put(self, table: str, column: str, meaning: str, factor: float = 1.0, why: str = "", /, **rule: Any) -> bool:
        """Take the column that means ``meaning`` for a target, if there is one."""
        found = self.found.get(meaning)
        if found is None:
            return False
        found = less_sure(found, factor, why) if why else found
        given = {"column": found.heading, "format": found.format, **rule}
        if found.decimal not in {"", self._decimal()} and "decimal" not in given:
            given["decimal"] = found.decimal
        self.tables.setdefault(table, {})[column] = ColumnRule(**given)
        self.reasons[f"{table}.{column}"] = Reason(found.confidence, found.reason)
        return True

    def constant(self, table: str, column: str, value: str, confidence: float, why: str) -> None:
        """Give a target the same value in every row."""
        self.tables.setdefault(table, {})[column] = ColumnRule(value=value)
        self.reasons[f"{table}.{column}"] = Reason(confidence, why)

    def _events(self) -> None:
        self.put("events", "event_id", "event_id")
        self.put("events", "ts", "time")
        negative = self._kinds()
        self.put("events", "customer_id", "customer_id")
        self._product_id("events")
        for column in ("session_id", "order_id", "query", "dwell_s", "position", "channel"):
            self.put("events", column, column)
        if not self.put("events", "price", "unit_price") and "amount" in self.found:
            quantity = self.found.get("quantity")
            why = "divided by the quantity" if quantity else "taken as the price of a unit, as no column says how many"
            self.put(
                "events", "price", "amount", 0.75, why, per=quantity.heading if quantity else "", absolute=negative
            )
        self.put("events", "quantity", "quantity", absolute=negative)
        self._discount()
        self.put("events", "free_shipping", "free_shipping")
        self.put("events", "country", "country")

    def _kinds(self) -> bool:
        """What happened: from a column of happenings or states, from the quantity's sign, or always a purchase."""
        for meaning in ("kind", "status"):
            one = self.found.get(meaning)
            if one is None:
                continue
            said = self.sample[one.heading].drop_nulls().unique(maintain_order=True)
            known = read_words(said, "kind")
            if not known.is_not_null().any():
                continue
            words = dict(zip(said.to_list(), known.to_list(), strict=True))
            meant = {word: kind for word, kind in words.items() if kind is not None and kind != word}
            unknown = [word for word, kind in words.items() if kind is None]
            why = f"rows of {', '.join(unknown[:4])} will be rejected unless you map them" if unknown else ""
            share = float(known.is_not_null().mean() or 0)  # type: ignore[arg-type]
            self.put("events", "kind", meaning, 0.5 + 0.5 * share, why or "each value is mapped below", map=meant)
            return False
        quantity = self.found.get("quantity")
        if quantity and (read_numbers(self.sample[quantity.heading], quantity.decimal or ".") < 0).any():
            signs = {"-*": "return", "*": "purchase"}
            self.put("events", "kind", "quantity", 0.8, "below zero: a return", map=signs, decimal="")
            return True
        self.constant("events", "kind", "purchase", 0.7, "rows look like lines of orders, and nothing says otherwise")
        return False

    def _product_id(self, table: str) -> None:
        if not self.put(table, "product_id", "product_id"):
            self.put(table, "product_id", "title", 0.6, "no column of product codes, so the name stands for it")

    def _discount(self) -> None:
        one = self.found.get("discount_rate")
        if one is None:
            return
        most = read_numbers(self.sample[one.heading], one.decimal or ".").max()
        whole = isinstance(most, float) and most > 1
        self.put(
            "events",
            "discount_rate",
            "discount_rate",
            0.9,
            "in percent" if whole else "as a share",
            **({"scale": 0.01} if whole else {}),
        )

    def _orders(self, currency: tuple[str, float, str]) -> None:
        has = self.found.keys().__contains__
        if not (has("order_id") and has("customer_id") and has("time")):
            return
        self.put("orders", "order_id", "order_id")
        self.put("orders", "customer_id", "customer_id")
        self.put("orders", "ts", "time")
        for column in ("promised_at", "delivered_at", "status"):
            self.put("orders", column, column)
        if has("amount"):
            lines = "events" in self.tables and self._amounts_are_of_lines()
            why = "the amounts of an order's lines are added up" if lines else "one amount an order"
            self.put("orders", "total", "amount", 0.9, why, sum=lines)
        elif has("unit_price") and has("quantity") and "events" in self.tables:
            times = self.found["quantity"].heading
            self.put("orders", "total", "unit_price", 0.8, "times the quantity, added up", times=times, sum=True)
        if "total" in self.tables["orders"]:
            self._money("orders", currency)

    def _amounts_are_of_lines(self) -> bool:
        """Whether the amount differs between the lines of an order, or orders have one line each."""
        order, amount = self.found["order_id"].heading, self.found["amount"].heading
        lines = (
            self.sample.select(order, amount)
            .drop_nulls()
            .group_by(order)
            .agg(pl.len(), pl.col(amount).n_unique().alias("n"))
        )
        several = lines.filter(pl.col("len") > 1)
        return not several.height or bool((several["n"] > 1).any())

    def _money(self, table: str, currency: tuple[str, float, str]) -> None:
        if not self.put(table, "currency", "currency") and currency[0]:
            self.constant(table, "currency", *currency)

    def _customers(self, *, main: bool = False) -> None:
        if "customer_id" not in self.found or ("customers" in self.tables):
            return
        self.put("customers", "customer_id", "customer_id")
        if self.put("customers", "country", "nationality"):
            self.constant("customers", "country_source", "nationality", 0.9, "the heading says so")
        elif self.put("customers", "country", "country") and re.search(
            "배송|ship|수취|配送|收货", self.found["country"].heading
        ):
            self.constant("customers", "country_source", "shipping", 0.8, "the heading says so")
        self.put("customers", "gender", "gender")
        birth = self.found.get("birth")
        if birth is not None:
            dates = self.sample[birth.heading].str.contains(r"^\d{4}\D*$").mean() != 1.0
            cut = {"extract": r"^(\d{4})"} if dates else {}
            self.put("customers", "birth_year", "birth", 0.98, "the year alone is kept" if dates else "", **cut)
        if not self.put("customers", "joined_at", "joined_at") and main:
            again = self.put("customers", "joined_at", "written_at", 0.9, "of a table of people, when they joined")
            if not again:
                self.put("customers", "joined_at", "time", 0.6, "of a table of people, when they joined")
        self.put("customers", "acquired_through", "acquired_through")
        if main:
            self.put("customers", "language", "language")

    def _products(self, currency: tuple[str, float, str]) -> None:
        has = self.found.keys().__contains__
        if "customers" in self.tables and next(iter(self.tables)) == "customers":
            return
        if not has("product_id") and not has("title"):
            return
        self._product_id("products")
        described = ("title", "description") if has("title") else ()
        for column in (*described, "brand", "seller_id", "source", "origin_country", "listed_at"):
            self.put("products", column, column)
        if not has("title"):
            self.put("products", "title", "description", 0.7, "no column of titles, so the description stands for them")
        levels = [name for name in ("category", "category_1", "category_2", "category_3") if has(name)]
        if len(levels) == 1:
            self.put("products", "category", levels[0])
        elif levels:
            headings = tuple(self.found[name].heading for name in levels)
            self.put("products", "category", levels[0], column="", columns=headings, join=" > ")
        parts = [name for name in ("colour", "size", "material", "variant") if has(name)]
        if parts:
            headings = tuple(self.found[name].heading for name in parts)
            self.put("products", "attributes", parts[0], column="", columns=headings)
        if has("title") and (title := _language(self.sample[self.found["title"].heading])):
            self.constant("products", "language", title, 0.8, "the titles are written in it")
        if has("image") and "reviews" not in self.tables:
            self._product_id("product_images")
            self.put("product_images", "image", "image")
            self.constant("product_images", "position", "0", 0.9, "one picture a row")
        if next(iter(self.tables)) == "products":
            self._offers(currency)

    def _offers(self, currency: tuple[str, float, str]) -> None:
        """The terms of a list of products, which hold from when it was listed."""
        prices = [
            name
            for name in ("unit_price", "list_price", "shipping_fee", "free_shipping", "stock")
            if name in self.found
        ]
        if "listed_at" not in self.found:
            for name in prices:
                self.remarks[self.found[name].heading] = (
                    "goes into [offers], which needs valid_from: since when it holds"
                )
            return
        if prices:
            self.put("offers", "product_id", "product_id")
            self.put("offers", "valid_from", "listed_at", 0.6, "the terms are taken to hold since then")
            for name in prices:
                self.put("offers", "price" if name == "unit_price" else name, name)
            self.put("offers", "country", "country")
            self._money("offers", currency)

    def _reviews(self) -> None:
        self.put("reviews", "review_id", "review_id")
        title = self._title_alone()
        if title:
            both = (title, self.found["review_text"].heading)
            why = "with the title, as some reviews are nothing else"
            self.put("reviews", "text", "review_text", 0.9, why, column="", columns=both, join="\n")
        else:
            self.put("reviews", "text", "review_text")
        self._product_id("reviews")
        for column in ("customer_id", "order_id"):
            self.put("reviews", column, column)
        if not self.put("reviews", "ts", "written_at"):
            self.put("reviews", "ts", "time")
        rating = self.found.get("rating")
        if rating is not None:
            scale = find_scale(rating.heading, *read_grades(self.sample[rating.heading], rating.decimal or "."))
            ends = {} if (scale.low, scale.high) == (1, 5) else {"range": (scale.low, scale.high)}
            self.put("reviews", "rating", "rating", 0.95 * scale.sure, scale.why, **ends)
        if not title:
            self.put("reviews", "title", "review_title")
        self.put("reviews", "image", "image")
        if not self.put("reviews", "language", "language"):
            written = _language(self.sample[self.found["review_text"].heading])
            if written:
                self.constant("reviews", "language", written, 0.8, "the reviews are written in it")

    def _title_alone(self) -> str:
        """The column of titles where some reviews have a title and no text; else empty."""
        title = self.found.get("review_title")
        if title is None:
            return ""
        filled = [
            self.sample[one.heading].str.strip_chars(SPACES).fill_null("") != ""
            for one in (title, self.found["review_text"])
        ]
        return title.heading if (filled[0] & ~filled[1]).any() else ""

    def _script(self) -> tuple[str, str]:
        """The language and time zone that headings written in Korean, Japanese or Chinese suggest."""
        said = "".join(self.columns)
        return next(((language, zone) for language, script, zone in _SCRIPTS if re.search(script, said)), ("", ""))

    def _currency(self) -> tuple[str, float, str]:
        """The currency that signs beside amounts, or else Korean headings, suggest; with confidence and reason."""
        for name in ("unit_price", "amount", "list_price", "shipping_fee"):
            one = self.found.get(name)
            if one is None:
                continue
            for code, sign in _SIGNS.items():
                beside = self.sample[one.heading].str.contains(sign).any()
                if beside or re.search(rf"[(\[（].*(?:{sign}).*[)\]）]", one.heading):
                    return code, 0.9, f"its sign stands with {one.heading}"
        korean = self._script()[0] == "ko" and any(name in self.found for name in ("unit_price", "amount"))
        return ("KRW", 0.5, "the headings are Korean") if korean else ("", 0.0, "")

    def _decimal(self) -> str:
        return "," if any(one.decimal == "," for one in self.found.values()) else "."


def _language(texts: pl.Series) -> str:
    """Korean, Japanese or Chinese where most texts are written in its script; else empty, as letters do not tell."""
    for language, script, _ in _SCRIPTS:
        if float(texts.drop_nulls().str.contains(script).mean() or 0) > 0.5:  # type: ignore[arg-type]
            return language
    return ""
