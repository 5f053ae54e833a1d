"""Example recommendations: customers of different countries, what they bought lately, what they are shown next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol.report.queries import rows
from danggol.report.sections.goods import Good, goods, web_address
from danggol.report.sections.reasons import Reason, arguments, explain
from danggol.report.words import Both, country, day, figure, percent, say

if TYPE_CHECKING:
    from danggol.report.pictures import Pictures
    from danggol.shop import Shop

CUSTOMERS = 6
PLACES = 5


@dataclass(frozen=True)
class Purchase:
    """A product that the customer bought, how often, and when last."""

    good: Good
    times: int
    last: Both


@dataclass(frozen=True)
class Offered:
    """A place in the list; ``strength`` is the probability in words where one was written, else the score."""

    rank: int
    good: Good
    picture: str | None
    strength: Both
    reason: Reason


@dataclass(frozen=True)
class Customer:
    """A customer's example."""

    customer_id: str
    country: Both
    bought: list[Purchase]
    bought_total: int
    offered: list[Offered]


@dataclass(frozen=True)
class Examples:
    """Everything that the section shows."""

    at: datetime
    lists: int
    reasons: list[tuple[Both, float]]
    customers: list[Customer]
    repeat_share: float | None


def gather(shop: Shop, pictures: Pictures) -> Examples | None:
    """Read the section's figures from the shop; None where there are no recommendations."""
    if not shop.has("recommendations"):
        return None
    zone = shop.config.timezone
    summary = rows(shop, "reasons", zone=zone)
    chosen = _choose(rows(shop, "lists", zone=zone))
    asked = pl.DataFrame(
        {"customer_id": [row["customer_id"] for row in chosen], "at": [row["at"] for row in chosen]},
        schema={"customer_id": pl.String, "at": pl.Datetime("us", "UTC")},
    )
    lately = rows(shop, "lately", asked, zone=zone)
    listed = _first(rows(shop, "listed", asked))
    named = [row["product_id"] for row in [*lately, *listed]]
    named += [value for row in listed for value in arguments(row["reason_args"]).values()]
    shown = goods(shop, pictures, named)
    places = sum(row["places"] for row in summary)
    repeats = sum(row["places"] for row in summary if row["reason_code"] == "bought_before")
    return Examples(
        at=summary[0]["at"],
        lists=summary[0]["lists"],
        reasons=[(explain(row["reason_code"], {}, {}).short, row["places"] / places) for row in summary],
        customers=[_customer(row, lately, listed, shown, pictures) for row in chosen],
        repeat_share=repeats / places if repeats else None,
    )


def _choose(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The countries with the most lists, one customer each; the last is one who has bought nothing yet, if any."""
    regulars: dict[str | None, Mapping[str, Any]] = {}
    for row in found:
        if row["bought"]:
            regulars.setdefault(row["country"], row)
    newcomers = [row for row in found if not row["bought"]]
    chosen = list(regulars.values())
    if newcomers:
        chosen = chosen[: CUSTOMERS - 1]
        used = {row["country"] for row in chosen}
        fresh = [row for row in newcomers if row["country"] not in used]
        chosen.append((fresh or newcomers)[0])
    spare = [row for row in found if row not in chosen]
    return (chosen + spare)[:CUSTOMERS]


def _first(listed: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    taken: dict[str, int] = {}
    kept = []
    for row in listed:
        taken[row["customer_id"]] = taken.get(row["customer_id"], 0) + 1
        if taken[row["customer_id"]] <= PLACES:
            kept.append(row)
    return kept


def _customer(
    row: Mapping[str, Any],
    lately: Sequence[Mapping[str, Any]],
    listed: Sequence[Mapping[str, Any]],
    shown: Mapping[str, Good],
    pictures: Pictures,
) -> Customer:
    mine = row["customer_id"]
    return Customer(
        mine,
        country(row["country"]),
        [
            Purchase(shown[line["product_id"]], line["times"], day(line["last_at"]))
            for line in lately
            if line["customer_id"] == mine
        ],
        row["bought"],
        [_offered(line, shown, pictures) for line in listed if line["customer_id"] == mine],
    )


def _offered(line: Mapping[str, Any], shown: Mapping[str, Good], pictures: Pictures) -> Offered:
    good = shown[line["product_id"]]
    picture = pictures.uri(line["image"]) or (None if web_address(line["image"]) else good.picture)
    if line["probability"] is not None:
        strength = (
            say("example.chance", chance=percent(line["probability"]), days=int(line["horizon_days"]))
            if line["horizon_days"]
            else say("example.chance_only", chance=percent(line["probability"]))
        )
    else:
        strength = say("example.score", score=figure(line["score"], 2))
    return Offered(line["rank"], good, picture, strength, explain(line["reason_code"], line["reason_args"], shown))
