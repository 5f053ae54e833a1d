"""What reviews tell: how pleased they are, of what they speak, why they were written, which contradict their stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from danggol.metrics import wilson
from danggol.report.queries import rows
from danggol.report.sections.goods import Good, goods
from danggol.report.words import shortened

if TYPE_CHECKING:
    from danggol.report.pictures import Pictures
    from danggol.shop import Shop

_LEAST = 10
"""Reviews that a product needs to be shown."""
_SHOWN = 8
_MOST_ASPECTS = 12
_SURELY = 0.2
"""Polarity beyond which an aspect counts as spoken of well or badly, as in ``danggol reviews aspects``."""
_LONGEST = 160
_SURE = 0.5
"""Probability from which a cause is counted: it is likelier right than wrong."""
_LATELY = 28
"""Days up to the latest review."""


@dataclass(frozen=True)
class Language:
    """Reviews of one language."""

    code: str
    reviews: int
    pleased: float
    displeased: float
    unsure: float
    """of which it is not known, as of all in a language that the model has not learnt"""


@dataclass(frozen=True)
class Aspect:
    """What reviews speak of, and the shares that speak well and badly of it."""

    code: str
    reviews: int
    good: float
    bad: float


@dataclass(frozen=True)
class Cause:
    """A cause that reviews surely have: how many, their share, their mean stars, and their share lately."""

    name: str
    reviews: int
    share: float
    stars: float | None
    earlier: float | None
    lately: float | None


@dataclass(frozen=True)
class Causes:
    """Why customers wrote: of all reviews, of those whose cause is sure, and of those that are sure and recent."""

    named: int
    sure: int
    lately: int
    days: int
    causes: list[Cause]


@dataclass(frozen=True)
class Displeasing:
    """A product and the share of its reviews that are displeased, with its 95% interval."""

    good: Good
    reviews: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Contradiction:
    """A review whose text says another thing than its ``stars``: whole, or with one decimal."""

    text: str
    language: str
    stars: float
    label: str


@dataclass(frozen=True)
class Reviews:
    """What the section shows; ``total`` is 0 where no review was read for how pleased it is.

    Labels and causes of reviews that are no longer there are not counted.
    """

    total: int
    unread: int
    """Reviews without a label, where labels were made."""
    pleased: float
    displeased: float
    unsure: float
    contradict: int
    languages: list[Language]
    aspects: list[Aspect]
    causes: Causes | None
    displeasing: list[Displeasing]
    contradictions: list[Contradiction]


def gather(shop: Shop, pictures: Pictures) -> Reviews | None:
    """None where no review was read: not for how pleased it is, nor for what it speaks of, nor for its cause."""
    if not (shop.has("reviews") and any(map(shop.has, ("review_sentiment", "review_aspects", "review_causes")))):
        return None
    told = rows(shop, "review_labels")
    total = sum(row["reviews"] for row in told)
    share = {name: sum(row[name] for row in told) / max(total, 1) for name in ("pleased", "displeased", "unsure")}
    return Reviews(
        total=total,
        unread=rows(shop, "review_unread")[0]["unread"] if shop.has("review_sentiment") else 0,
        pleased=share["pleased"],
        displeased=share["displeased"],
        unsure=share["unsure"],
        contradict=sum(row["contradict"] for row in told),
        languages=[
            Language(
                row["language"],
                row["reviews"],
                *(row[name] / row["reviews"] for name in ("pleased", "displeased", "unsure")),
            )
            for row in told[:_SHOWN]
        ],
        aspects=_aspects(shop),
        causes=_causes(shop),
        displeasing=_displeasing(shop, pictures, share["displeased"]),
        contradictions=[
            Contradiction(
                shortened(" ".join(filter(None, (row["title"], row["text"]))), _LONGEST),
                row["language"] or "",
                _stars(row["rating"]),
                row["label"],
            )
            for row in rows(shop, "review_contradictions", most=_SHOWN)
        ],
    )


def _aspects(shop: Shop) -> list[Aspect]:
    """The aspects with the most complaints; none where aspects were not labelled."""
    if not shop.has("review_aspects"):
        return []
    return [
        Aspect(row["aspect"], row["reviews"], row["good"] / row["reviews"], row["bad"] / row["reviews"])
        for row in rows(shop, "review_aspects", most=_MOST_ASPECTS, surely=_SURELY)
    ]


def _causes(shop: Shop) -> Causes | None:
    """The causes that most reviews surely have; None where none of the reviews that are there has one."""
    if not shop.has("review_causes"):
        return None
    told = rows(shop, "review_causes", sure=_SURE, days=_LATELY)
    if not told:
        return None
    sure, dated, lately = (sum(row[name] for row in told) for name in ("reviews", "dated", "lately"))
    return Causes(
        named=sum(row["named"] for row in told),
        sure=sure,
        lately=lately,
        days=_LATELY,
        causes=[
            Cause(
                row["cause"],
                row["reviews"],
                row["reviews"] / sure,
                row["stars"],
                (row["dated"] - row["lately"]) / (dated - lately) if dated > lately else None,
                row["lately"] / lately if lately else None,
            )
            for row in told[:_MOST_ASPECTS]
            if row["reviews"]
        ],
    )


def _displeasing(shop: Shop, pictures: Pictures, usual: float) -> list[Displeasing]:
    """The products whose share of displeased reviews is surely above the shop's: by the lower end of its interval."""
    told = rows(shop, "review_products", least=_LEAST)
    found = [(wilson(row["displeased"], row["reviews"]), row) for row in told]
    found.sort(key=lambda one: (-one[0].low, one[1]["product_id"]))
    chosen = [one for one in found if one[0].low > usual][:_SHOWN]
    known = goods(shop, pictures, [row["product_id"] for _, row in chosen])
    return [
        Displeasing(known[row["product_id"]], row["reviews"], share.value, share.low, share.high)
        for share, row in chosen
    ]


def _stars(rating: float) -> float:
    """The rating as it is written: 2 for 2.0, 1.5 for 1.5."""
    shown = round(rating, 1)
    return int(shown) if shown.is_integer() else shown
