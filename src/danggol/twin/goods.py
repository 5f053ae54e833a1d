"""The goods: categories, brands, style, looks, quality, rating, usual price.

A product's style is a unit-variance vector of which ``content_share`` is carried by its brand, colour, pattern and
material (so that a title or a picture tells of it); the rest shows only in what people buy. Products are ordered by
category, because lists are drawn from slices of categories. Some listings are
copies of others (:mod:`danggol.twin.copies`): the same product, listed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from danggol.twin.clock import DAY, SECOND, Clock
from danggol.twin.copies import plan_copies
from danggol.twin.parameters import Parameters
from danggol.twin.people import Bools, Floats, Ints, Single, timestamps
from danggol.twin.randomness import stream
from danggol.twin.titles import Brand, Listing, brand_names, copied_title, description, title
from danggol.twin.words import CATEGORIES, COLORS, MATERIALS, PATTERNS, STYLES

BACKGROUNDS = ("white", "grey", "room", "outdoors")
"""What pictures show behind the product; the last two are scenes."""
SCENES = (2, 3)
MARKETPLACES = ("own", "partner", "crossborder")


@dataclass(frozen=True)
class Goods:
    """The listings, one row each; arrays over products share their order, by category."""

    ids: pl.Series
    real: Ints
    """The place of the listing that this one is a copy of; its own where it is no copy."""
    category: Ints
    brand: Ints
    standing: Single
    """Of the brand, in standard deviations."""
    seller: Ints
    origin: NDArray[np.str_]
    listed_week: Ints
    listed_at: Ints
    color: Ints
    pattern: Ints
    material: Ints
    shape: Ints
    backgrounds: Ints
    """``(products, 2)``; -1 where there is no second picture."""
    picture_changed: Bools
    """Copies whose pictures are not the very files of the original."""
    style: Single
    quality: Single
    rating: Single
    ratings: Ints
    price_usd: Floats
    exposure: Floats
    language: NDArray[np.str_]
    cycle: Single
    starts: Ints
    """Where the categories begin, and the end: ``(categories + 1,)``."""

    def __len__(self) -> int:
        return len(self.category)


def make_goods(parameters: Parameters, clock: Clock, seed: int) -> Goods:
    """Draw the market's listings, some of them copies of others."""
    rng, settings, taste = stream(seed, "goods"), parameters.goods, parameters.taste
    number, categories = parameters.size.products, settings.category
    share = np.array([category.share for category in categories])
    category = np.sort(rng.choice(len(categories), number, p=share / share.sum()))
    sizes = np.arange(1, settings.brands + 1) ** -0.7
    brand = rng.choice(settings.brands, number, p=sizes / sizes.sum())
    standing = rng.normal(size=settings.brands)
    color, pattern = _pick(rng, number, len(COLORS)), _pick(rng, number, len(PATTERNS))
    material = _of_category(rng, category, [category.name for category in categories], "materials", MATERIALS)
    shape = (
        rng.integers(0, 1 << 30, number) % np.array([len(CATEGORIES[c.name]["shapes"]) for c in categories])[category]
    )
    style = _style(rng, taste.content_share, (brand, settings.brands), (color, 10), (pattern, 5), (material, 64))
    quality = rng.normal(size=number)
    rating = np.clip(4.2 + 0.35 * (0.5 * quality + 0.87 * rng.normal(size=number)), 1.0, 5.0).round(1)
    dearness = 0.2 * quality + 0.3 * standing[brand] + 0.93 * rng.normal(size=number)
    merit = rng.normal(size=number)
    listed_week, listed_at = _listing_times(rng, number, settings.listed_later, clock)
    order = rng.permutation(number) + 1
    known = (settings.sellers, settings.title_languages)
    seller, origin = rng.integers(0, settings.sellers, number), _shares(rng, settings.origins, number)
    backgrounds = _backgrounds(rng, number, settings.second_picture)
    popular, language = rng.lognormal(3.0, 1.0, number), _shares(rng, settings.title_languages, number)
    # Up to here every listing is a product of its own; a copy takes over what its original is.
    plan = plan_copies(parameters.copies, category, listed_at, seller, language, known, seed)
    real = plan.real
    exposure = _exposure(category, 0.6 * quality[real] + 0.8 * merit, settings.exposure_exponent)
    usual, spread = (np.array([getattr(c, name) for c in categories])[category] for name in ("price", "spread"))
    return Goods(
        ids=pl.select(pl.format("P{}", pl.Series(order).cast(pl.String).str.zfill(6))).to_series(),
        real=real,
        category=category,
        brand=brand[real],
        standing=standing[brand[real]].astype(np.float32),
        seller=plan.seller,
        origin=origin[real],
        listed_week=listed_week,
        listed_at=listed_at,
        color=color[real],
        pattern=pattern[real],
        material=material[real],
        shape=shape[real],
        backgrounds=backgrounds[real],
        picture_changed=plan.picture_changed,
        style=style[real],
        quality=(taste.quality_sd * quality[real]).astype(np.float32),
        rating=np.clip(rating[real] + plan.rating, 1.0, 5.0).round(1).astype(np.float32),
        ratings=np.ceil(popular * (exposure / exposure.mean()) ** 0.5).astype(np.int64),
        price_usd=usual * np.exp(spread * dearness[real]) * plan.price,
        exposure=exposure,
        language=plan.language,
        cycle=np.array([c.cycle_weeks for c in categories], dtype=np.float32)[category],
        starts=np.searchsorted(category, np.arange(len(categories) + 1)),
    )


def _listing_times(rng: np.random.Generator, number: int, later: float, clock: Clock) -> tuple[Ints, Ints]:
    """The week from which each listing is on sale, and the moment of the week before in which it was listed."""
    first = rng.random((number, 2))
    week = np.where(
        first[:, 0] < later, (first[:, 1] * clock.weeks).astype(np.int64), -(first[:, 1] * 104).astype(np.int64) - 1
    )
    within = (rng.random(number) * 6.9 * DAY).astype(np.int64) // SECOND * SECOND
    return week, clock.start(0) + (week - 1) * 7 * DAY + within


def _pick(rng: np.random.Generator, number: int, kinds: int) -> Ints:
    """Kinds of falling frequency."""
    weight = 1.0 / (np.arange(kinds) + 4.0)
    return rng.choice(kinds, number, p=weight / weight.sum())


def _of_category(rng: np.random.Generator, category: Ints, names: list[str], what: str, known: tuple[str, ...]) -> Ints:
    table = np.array([[known.index(CATEGORIES[name][what][slot]) for slot in range(3)] for name in names])
    return table[category, rng.integers(0, 3, len(category))]


def _shares(rng: np.random.Generator, shares: Mapping[str, float], number: int) -> NDArray[np.str_]:
    weight = np.array(list(shares.values()))
    return rng.choice(np.array(list(shares)), number, p=weight / weight.sum())


def _style(rng: np.random.Generator, content: float, *parts: tuple[Ints, int]) -> Single:
    number, width = len(parts[0][0]), len(STYLES)
    told = np.zeros((number, width))
    for kind, kinds in parts:
        told += rng.normal(size=(kinds, width))[kind]
    own = rng.normal(size=(number, width))
    mixed: Floats = np.sqrt(content / len(parts)) * told + np.sqrt(1 - content) * own
    return mixed.astype(np.float32)


def _exposure(category: Ints, merit: Floats, exponent: float) -> Floats:
    """How much each listing is shown: its rank in its category to the minus ``exponent``, by category size."""
    weight = np.zeros(len(category))
    for kind in np.unique(category):
        rows = np.flatnonzero(category == kind)
        rank = np.empty(len(rows))
        rank[np.argsort(-merit[rows], kind="stable")] = np.arange(1, len(rows) + 1)
        weight[rows] = rank**-exponent
        weight[rows] *= len(rows) / weight[rows].sum()
    return weight


def _backgrounds(rng: np.random.Generator, number: int, second: float) -> Ints:
    first = rng.choice(4, number, p=[0.4, 0.25, 0.2, 0.15])
    other = (first + rng.integers(1, 4, number)) % 4
    return np.stack([first, np.where(rng.random(number) < second, other, -1)], axis=1)


def image_path(product_id: str, position: int) -> str:
    """Where a picture of a listing lies in the shop."""
    return f"images/{product_id[-2:]}/{product_id}-{position}.jpg"


def products_table(goods: Goods, parameters: Parameters, seed: int) -> pa.Table:
    """The listings as the shop knows them, by id."""
    settings = parameters.goods
    brands = brand_names(settings.brands, stream(seed, "brands"))
    order = np.argsort(goods.ids.to_numpy(), kind="stable")
    draws = stream(seed, "titles").random((len(goods), 8))
    again = stream(seed, "copied titles").random((len(goods), 7))
    rows: dict[str, list[object]] = {name: [] for name in _COLUMNS}
    for product in order.tolist():
        listing, language, draw = (
            _listing(goods, product, parameters, brands),
            str(goods.language[product]),
            draws[product],
        )
        named, text_draw = draw[3] < settings.color_in_title, draw[:3]
        first = int(goods.real[product])
        if first == product:
            rows["title"].append(title(listing, language, draw[:3], named))
        else:
            taken = draws[first]
            same = _listing(goods, first, parameters, brands), str(goods.language[first])
            original = title(*same, taken[:3], taken[3] < settings.color_in_title)
            rows["title"].append(copied_title(listing, language, again[product], named, original))
            # Another of the two descriptions than the original has.
            text_draw = np.array([draw[0], draw[1], (taken[2] + 0.5) % 1])
        rows["description"].append(description(listing, language, text_draw))
        rows["product_id"].append(goods.ids[product])
        rows["brand"].append(listing.brand[0])
        rows["category"].append(CATEGORIES[listing.category]["path"])
        rows["seller_id"].append(f"V{goods.seller[product] + 1:04d}")
        rows["source"].append(MARKETPLACES[goods.seller[product] % 3])
        rows["origin_country"].append(str(goods.origin[product]))
        rows["language"].append(language)
        stated = [("color", listing.color), ("pattern", listing.pattern), ("material", listing.material)]
        kept = [pair for pair, at in zip(stated, draw[4:7], strict=True) if at >= settings.attribute_missing]
        rows["attributes"].append([*kept, ("rating", listing.rating), ("ratings", str(goods.ratings[product]))])
    rows["listed_at"] = timestamps(goods.listed_at[order]).to_list()
    return pa.table({name: pa.array(values, _COLUMNS[name]) for name, values in rows.items()})


def _listing(goods: Goods, product: int, parameters: Parameters, brands: list[Brand]) -> Listing:
    """What a title can tell of a listing."""
    return Listing(
        category=parameters.goods.category[goods.category[product]].name,
        brand=brands[goods.brand[product]],
        color=COLORS[goods.color[product]],
        pattern=PATTERNS[goods.pattern[product]],
        material=MATERIALS[goods.material[product]],
        style=STYLES[int(np.argmax(goods.style[product]))],
        rating=f"{goods.rating[product]:.1f}",
    )


_COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("product_id", "title", "description", "brand", "category", "seller_id", "source"), pa.string()),
    "origin_country": pa.string(),
    "language": pa.string(),
    "attributes": pa.map_(pa.string(), pa.string()),
    "listed_at": pa.timestamp("us", tz="UTC"),
}


def images_table(goods: Goods) -> pl.DataFrame:
    """The pictures of the listings, by listing."""
    rows = [
        {"product_id": goods.ids[product], "image": image_path(goods.ids[product], position), "position": position}
        for product in np.argsort(goods.ids.to_numpy(), kind="stable").tolist()
        for position in (0, 1)
        if goods.backgrounds[product, position] >= 0
    ]
    roles = pl.when(pl.col("position") == 0).then(pl.lit("thumbnail")).otherwise(pl.lit("detail")).alias("role")
    return pl.DataFrame(rows).with_columns(roles)
