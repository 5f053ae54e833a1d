"""`doctor`: which questions a shop's tables can answer now, and what one more column or table would unlock.

Answers are codes and values; :func:`sentence` puts them into English or Korean from ``doctor_words.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from danggol.errors import UsageError
from danggol.shop.rules import quote

if TYPE_CHECKING:
    from danggol.shop.shop import Shop

WELL_FILLED = 0.8
"""Below this share of filled rows, an answer carries a caution."""


@dataclass(frozen=True)
class Question:
    """A question and what it takes: each of ``needs`` is a choice of columns of which one must be filled.

    A column is written ``table.column``, or ``events:purchase.column`` for the events of a kind. ``better`` are
    columns that improve the answer; ``soft`` countries and days bring a caution, ``least`` ones are needed.
    """

    code: str
    needs: tuple[tuple[str, ...], ...]
    better: tuple[tuple[str, ...], ...] = ()
    least_countries: int = 0
    soft_countries: int = 0
    least_days: int = 0
    soft_days: int = 0


def _all(*columns: str) -> tuple[tuple[str, ...], ...]:
    return tuple((column,) for column in columns)


_BOUGHT = _all("events:purchase.product_id", "events:purchase.customer_id")
_COUNTRY = (("customers.country", "events.country"),)
_PRICE = (("offers.price", "events.price"),)

QUESTIONS = (
    Question(
        "purchase",
        _BOUGHT,
        (*_PRICE, *_COUNTRY, *_all("events:view.product_id", "products.category", "products.title")),
        least_days=2,
        soft_days=60,
    ),
    Question("purchase_by_country", (*_BOUGHT, *_COUNTRY), least_countries=2, soft_countries=5, soft_days=60),
    Question(
        "offer_effect",
        (*_BOUGHT, *_PRICE),
        _all("offers.list_price", "offers.free_shipping", "offers.shipping_fee", "offers.country"),
        soft_days=90,
    ),
    Question(
        "list_bias",
        _all("events:impression.product_id", "events.position"),
        _all("events.list_id", "events.propensity"),
    ),
    Question("session_conversion", _all("sessions.converted"), _all("sessions.ts", "sessions.country")),
    Question(
        "culture",
        (*_BOUGHT, *_COUNTRY),
        (("customers.country_source",), ("customers.birth_year",), ("products.category",), *_PRICE),
        least_countries=3,
        soft_countries=10,
        soft_days=180,
    ),
    Question("match_text", _all("products.title"), _all("products.brand", "products.source", "products.description")),
    Question("match_picture", _all("product_images.image"), _all("products.title", "products.source")),
    Question("attributes", _all("products.title", "products.attributes"), _all("product_images.image")),
    Question("review_sentiment", _all("reviews.text"), _all("reviews.rating", "reviews.language", "reviews.ts")),
    Question("review_aspects", _all("reviews.text", "reviews.product_id"), _all("reviews.rating", "products.category")),
    Question(
        "review_causes",
        _all("reviews.text"),
        _all("reviews.order_id", "orders.promised_at", "orders.delivered_at", "orders.status", "reviews.rating"),
    ),
    Question(
        "customer_states",
        _BOUGHT,
        (*_all("orders.total", "reviews.customer_id", "events:return.product_id"), *_COUNTRY),
        least_days=60,
        soft_days=180,
    ),
    Question(
        "delivery_causes",
        _all("orders.promised_at", "orders.delivered_at"),
        _all("reviews.order_id", "orders.status", "events:return.order_id"),
        soft_days=90,
    ),
    Question(
        "promotions",
        (("campaigns.treated",), ("campaigns.converted", "campaigns.revenue")),
        _all("campaigns.assignment_probability", "campaigns.cost", "campaigns.window_days"),
    ),
    Question(
        "trends",
        (
            (
                "events:purchase.product_id",
                "events:view.product_id",
                "events:search.query",
                "posts.hashtags",
                "posts.text",
            ),
        ),
        (*_all("products.category", "products.attributes"), *_COUNTRY),
        least_days=28,
        soft_days=180,
    ),
    Question(
        "influence",
        (("posts.views", "posts.likes"), ("accounts.followers",)),
        _all("accounts.country", "posts.media", "posts.hashtags"),
    ),
    Question(
        "broadcasts", _all("broadcasts.sales", "broadcasts.product_id"), _all("broadcasts.price", "calendar.kind")
    ),
    Question(
        "demand",
        _all("events:purchase.product_id"),
        (("events:purchase.quantity",), ("calendar.kind",), ("signals.value",), *_PRICE),
        least_days=56,
        soft_days=365,
    ),
)
"""Every question that danggol is built to answer, in the order of the documentation."""


@dataclass(frozen=True)
class Note:
    """Something to say, as a code and the values that its sentence needs."""

    code: str
    args: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """Whether a question can be answered, what is missing, what would improve it, and what to beware of.

    ``filled`` is the share of rows, from 0 to 1, in which each column that it asks about is filled.
    """

    question: str
    ready: bool
    missing: tuple[Note, ...]
    better: tuple[Note, ...]
    cautions: tuple[Note, ...]
    filled: dict[str, float]


@dataclass(frozen=True)
class Facts:
    """What the answers rest on: rows of each table, filled shares, countries of customers, the span of source times."""

    rows: dict[str, int]
    filled: dict[str, float]
    countries: tuple[str, ...]
    first: datetime | None
    last: datetime | None

    @property
    def days(self) -> float:
        """The days between the first and the last event, order, review, visit or post."""
        return (self.last - self.first).total_seconds() / 86400 if self.first and self.last else 0.0


def doctor(shop: Shop) -> list[Answer]:
    """Every question of :data:`QUESTIONS`, answered from one look at the tables."""
    return diagnose(facts(shop))


def diagnose(found: Facts) -> list[Answer]:
    """The answers that the facts allow."""
    return [_answer(question, found) for question in QUESTIONS]


def unlocks(answers: Iterable[Answer]) -> dict[str, tuple[str, ...]]:
    """What one more column, or one more table's columns, would unlock: the questions that lack nothing else.

    A choice is written ``a or b``, columns that are needed together ``a, b``.
    """
    found: dict[str, list[str]] = {}
    for answer in answers:
        columns = [note.args["columns"] for note in answer.missing if note.code == "no_column"]
        one_table = len({_table(column) for choice in columns for column in choice.split(" or ")}) == 1
        if len(columns) == len(answer.missing) and (len(columns) == 1 or one_table):
            found.setdefault(", ".join(columns), []).append(answer.question)
    return {columns: tuple(questions) for columns, questions in sorted(found.items())}


def facts(shop: Shop) -> Facts:
    """Measure the tables: one pass over each that a question asks about."""
    wanted: dict[str, set[str]] = {}
    for question in QUESTIONS:
        for choice in question.needs + question.better:
            for column in choice:
                wanted.setdefault(_table(column), set()).add(column)
    rows = {name: info.rows for name, info in shop.tables().items()}
    filled: dict[str, float] = {}
    for table, columns in sorted(wanted.items()):
        if rows.get(table):
            filled |= _filled(shop, table, sorted(columns))
    here = [name for name in ("customers", "events", "sessions") if rows.get(name)]
    places = " UNION ".join(f"SELECT country FROM {name} WHERE country IS NOT NULL" for name in here)
    countries = shop.sql(f"SELECT country FROM ({places}) ORDER BY country")["country"].to_list() if here else []
    timed = [name for name in ("events", "orders", "reviews", "sessions", "posts", "broadcasts") if rows.get(name)]
    times = " UNION ALL ".join(f"SELECT min(ts) AS low, max(ts) AS high FROM {name}" for name in timed)
    span = shop.sql(f"SELECT min(low), max(high) FROM ({times})").row(0) if timed else (None, None)
    return Facts(rows, filled, tuple(countries), *span)


def _table(column: str) -> str:
    return column.split(".", maxsplit=1)[0].split(":", maxsplit=1)[0]


def _filled(shop: Shop, table: str, columns: list[str]) -> dict[str, float]:
    parts = []
    for number, column in enumerate(columns):
        source, _, name = column.partition(".")
        kind = source.partition(":")[2]
        some = (
            "cardinality({0}) > 0"
            if name == "attributes"
            else "len({0}) > 0"
            if name == "hashtags"
            else "{0} IS NOT NULL"
        )
        there = some.format(quote(name))
        of = f"kind = '{kind}'" if kind else "true"
        parts.append(
            f"count(*) FILTER (WHERE {of} AND {there}) / greatest(count(*) FILTER (WHERE {of}), 1) AS c{number}"
        )
    shares = shop.sql(f"SELECT {', '.join(parts)} FROM {table}").row(0)
    return {column: float(share) for column, share in zip(columns, shares, strict=True)}


def _answer(question: Question, found: Facts) -> Answer:
    """Hold what a question takes against the facts."""
    missing, cautions = [], []
    for choice in question.needs:
        best = max(choice, key=lambda column: found.filled.get(column, 0.0))
        share = found.filled.get(best, 0.0)
        if share == 0:
            missing.append(Note("no_column", {"columns": " or ".join(choice)}))
        elif share < WELL_FILLED:
            code = "unknown_customers" if best.endswith(".customer_id") else "partly_filled"
            cautions.append(Note(code, {"column": best, "share": f"{share:.0%}", "empty": f"{1 - share:.0%}"}))
    if not missing:
        missing += _too_few(found, question.least_countries, question.least_days, ("too_few_countries", "too_short"))
    if not missing:
        cautions += _too_few(found, question.soft_countries, question.soft_days, ("few_countries", "short_history"))
    lacking = [choice for choice in question.better if not any(found.filled.get(column) for column in choice)]
    better = [Note("better", {"columns": ", ".join(" or ".join(choice) for choice in lacking)})] if lacking else []
    asked = [column for choice in question.needs + question.better for column in choice]
    filled = {column: found.filled[column] for column in asked if column in found.filled}
    return Answer(question.code, not missing, tuple(missing), tuple(better), tuple(cautions), filled)


def _too_few(found: Facts, countries: int, days: int, codes: tuple[str, str]) -> list[Note]:
    notes = []
    if len(found.countries) < countries:
        notes.append(Note(codes[0], {"have": str(len(found.countries)), "need": str(countries)}))
    if found.days < days:
        notes.append(Note(codes[1], {"have": f"{found.days:.0f}", "need": str(days)}))
    return notes


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads((files("danggol.shop") / "doctor_words.toml").read_text("utf8"))


def title(question: str, language: str = "en") -> str:
    """A question in words, in ``en`` or ``ko``."""
    return str(_in(language)["questions"][question])


def sentence(note: Note, language: str = "en") -> str:
    """A note in words, in ``en`` or ``ko``."""
    words = _in(language)
    args = {
        name: re.sub(r"(\w+):(\w+)\.(\w+)", r"\1.\3 (\2)", value).replace(" or ", f" {words['or']} ")
        for name, value in note.args.items()
    }
    return str(words["notes"][note.code]).format_map(args)


def _in(language: str) -> Mapping[str, Any]:
    if language not in _words():
        raise UsageError(f"there are no words in '{language}'; known languages: {', '.join(_words())}")
    words: Mapping[str, Any] = _words()[language]
    return words


def doctor_figures(found: Facts) -> dict[str, Any]:
    """The facts and answers as plain values, for ``--json``."""
    answers = diagnose(found)
    return {
        "rows": found.rows,
        "countries": list(found.countries),
        "first": found.first.isoformat() if found.first else None,
        "last": found.last.isoformat() if found.last else None,
        "days": round(found.days, 2),
        "answers": [asdict(answer) for answer in answers],
        "unlocks": {columns: list(questions) for columns, questions in unlocks(answers).items()},
    }
