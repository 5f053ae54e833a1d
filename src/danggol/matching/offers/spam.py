"""Spam: pictures taken from other products, stuffed titles, absurd prices; each against what is usual in this shop.

Nothing is learnt from labels and no list of bad words is kept. A listing is flagged where it lies far out: its picture
is that of an earlier listing of another product by another seller; its title holds more repeated words, and words that
belong to other brands and categories, than titles of its category do; its price is far from those of its group, or of
its category. Scores lie in [0.5, 1]: one half where a listing is just flagged.
"""

from __future__ import annotations

from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.looks import Pixels, alike
from danggol.matching.inputs.shop_listings import read_listings
from danggol.matching.offers.prices import in_reporting_currency, query
from danggol.matching.offers.stuffed import flags, stuffed_titles
from danggol.matching.search.index import Floats, Ints, dense_neighbours, hash_neighbours

if TYPE_CHECKING:
    from danggol.shop import Shop

REASONS = ("copied_picture", "stuffed_title", "absurd_price")
_NEAR = 0.996
"""Likeness from which a picture is that of another listing; chosen on a simulated market whose pictures are plain."""
_BITS = 6
_NEIGHBOURS = 8
_COARSE = 0.97
"""Similarity of coarse pictures from which they are looked at point by point."""
_PLACEHOLDER = 5
"""Listings that may share a picture; one that more share is a placeholder."""
_FAR = 5.0
"""Robust standard deviations of the logarithm from which a price is absurd."""
_NARROWEST, _ASSUMED = 0.15, 0.3
"""Standard deviation of log prices that is taken at least, and where there are too few to know."""
_FEWEST = 10
"""Prices from which a spread is known; of a category in a country, from which a price is judged."""


def spam(shop: Shop) -> dict[str, Any]:
    """Look for spam among a shop's listings; writes ``product_spam`` and says how many were flagged, by reason.

    DataError: the shop has no products, or no groups yet (``danggol match`` makes them).
    """
    began = perf_counter()
    shop.require("product_groups")
    held = read_listings(shop)
    listings, as_of = held.listings, held.as_of
    frame = shop.read("products", ["product_id", "title", "brand", "category", "seller_id", "listed_at"])
    groups = shop.read("product_groups", ["product_id", "group_id"])
    frame = frame.join(groups, on="product_id", how="left").sort("product_id")
    found = [copied_pictures(listings, frame), stuffed_titles(frame)]
    if shop.has("offers"):
        found.append(absurd_prices(frame, _prices(shop, as_of)))
    flagged = pl.concat(found).with_columns(pl.lit(as_of).alias("as_of"))
    with shop.run("spam") as run:
        run.write("product_spam", flagged)
    counts = dict(flagged.group_by("reason_code").len().rows())
    return {
        "listings": len(listings),
        "flagged": flagged["product_id"].n_unique(),
        **{name: counts.get(name, 0) for name in REASONS},
        "as_of": as_of.isoformat(),
        "seconds": round(perf_counter() - began, 1),
    }


def copied_pictures(listings: Listings, frame: pl.DataFrame) -> pl.DataFrame:
    """Listings whose picture is that of an earlier listing of another group and seller.

    ``frame`` (listings, by id): product_id, group_id, seller_id, listed_at. Who listed first cannot be told without
    times, and two listings without sellers are taken as of two. Gives product_id, reason_code, reason_args (``other``,
    ``likeness``), score.
    """
    if listings.pictures is None:
        return flags("copied_picture", frame["product_id"].head(0), np.zeros(0), [])
    late, early = _pairs(listings, listings.pictures)
    group, seller = (_codes(frame[name]) for name in ("group_id", "seller_id"))
    listed = frame["listed_at"].dt.epoch("us").fill_null(-1).to_numpy()
    late, early = np.concatenate([late, early]), np.concatenate([early, late])
    kept = (group[late] != group[early]) & (listed[late] > listed[early]) & (listed[early] >= 0)
    kept &= seller[late] != seller[early]
    late, early = late[kept], early[kept]
    likeness = np.nan_to_num(alike(listings.pictures, late, early)).astype(np.float64)
    near = likeness >= _NEAR
    late, early, likeness = late[near], early[near], likeness[near]
    # The earliest of those that are about as alike as the best.
    order = np.lexsort((listed[early], -np.round(likeness, 3), late))
    first = order[np.unique(late[order], return_index=True)[1]]
    ids = frame["product_id"].to_list()
    args = [{"other": ids[early[row]], "likeness": f"{likeness[row]:.3f}"} for row in first]
    score = np.minimum(0.5 + 0.5 * (likeness[first] - _NEAR) / (1 - _NEAR), 1.0)
    return flags("copied_picture", frame["product_id"].gather(late[first]), score, args)


def absurd_prices(frame: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Listings whose prices lie far from those of their group, or else of their category, country by country.

    ``frame``: product_id, group_id, category. ``prices``: product_id, country, price in one currency. The distance is
    that of log prices from the median (of two listings: from the other's), in robust standard deviations (1.4826 times
    the median absolute deviation: Iglewicz & Hoaglin, "How to detect and handle outliers", 1993); a listing's is the
    median over its countries. In a group only a listing that lies off to the same side in its category is flagged, and
    of two the one that lies farther off. Gives product_id, reason_code, reason_args (``against`` group or category;
    ``times``, how often the usual price), score.
    """
    each = _distances(frame, prices)
    in_group = (pl.col("z_group").abs() >= _FAR) & (pl.col("in_group").sign() == pl.col("in_category").sign())
    farthest = pl.col("in_category").abs() == pl.col("in_category").abs().max().over("group_id")
    in_group &= farthest | (pl.col("rivals") > 2)
    each = each.with_columns(in_group.fill_null(False).alias("grouped"))
    found = each.filter(pl.col("grouped") | (pl.col("z_category").abs() >= _FAR)).sort("product_id")
    z = pl.when("grouped").then(pl.max_horizontal(pl.col("z_group").abs(), pl.col("z_category").abs()))
    times = pl.when("grouped").then("in_group").otherwise("in_category").exp()
    rows = found.select("grouped", z.otherwise(pl.col("z_category").abs()).alias("z"), times.alias("times")).rows()
    args = [{"against": "group" if grouped else "category", "times": f"{many:.3g}"} for grouped, _, many in rows]
    score = np.array([far / (far + _FAR) for _, far, _ in rows], np.float64)
    return flags("absurd_price", found["product_id"], score, args)


def _distances(frame: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """How far each listing's log price lies from its category and its group: product_id, group_id, in_category,
    z_category, in_group, z_group, and rivals, the listings in a cell of its group at most."""
    log = pl.col("price").log()
    table = prices.join(frame.select("product_id", "group_id", "category"), on="product_id", how="inner")
    table = table.with_columns(log.alias("log"), pl.col("country").fill_null(""), pl.col("category").fill_null(""))
    kind, cell = ["category", "country"], ["group_id", "country"]
    known = pl.col("group_id").is_not_null()
    off = pl.col("log") - pl.col("log").median().over(kind)
    rivals = pl.when(known).then(pl.len().over(cell))
    apart = (pl.col("log") - pl.col("log").median().over(cell)) * pl.when(pl.col("rivals") == 2).then(2).otherwise(1)
    table = table.with_columns(
        pl.when(pl.len().over(kind) >= _FEWEST).then(off).alias("in_category"), rivals.alias("rivals")
    )
    table = table.with_columns(
        pl.when(pl.col("rivals") > 1).then(apart).alias("in_group"),
        _robust(pl.col("in_category")).over("category").alias("spread"),
    )
    return (
        table.with_columns((pl.col("in_category") / pl.col("spread")).alias("z_category"))
        .with_columns((pl.col("in_group") / _robust(pl.col("in_group"))).alias("z_group"))
        .group_by("product_id", "group_id")
        .agg(
            pl.col("in_category", "z_category", "in_group", "z_group").median(),
            pl.col("rivals").max(),
        )
    )


def _robust(column: pl.Expr) -> pl.Expr:
    """The robust standard deviation of a column around its median, not below the narrowest; of few, the assumed one."""
    deviation = 1.4826 * (column - column.median()).abs().median()
    return pl.when(column.count() < _FEWEST).then(_ASSUMED).otherwise(pl.max_horizontal(deviation, pl.lit(_NARROWEST)))


def _prices(shop: Shop, at: datetime) -> pl.DataFrame:
    """product_id, country, price in the reporting currency; what has no rate is left out."""
    times = pl.Series([at], dtype=pl.Datetime("us", "UTC"))
    offered = shop.sql(query("offered"), {"at": int(times.dt.epoch("us")[0])})
    offered = offered.with_columns(pl.lit(at, times.dtype).alias("at"))
    return in_reporting_currency(shop, offered).drop_nulls("price").select("product_id", "country", "price")


def _pairs(listings: Listings, pictures: Pixels) -> tuple[Ints, Ints]:
    """Pairs, each once, whose pictures could be one: near by hash, or by coarse colours, mirrored or not."""
    there = pictures.reshape(len(pictures), -1).any(axis=1)
    hashes = hash_neighbours(listings.hashes, listings.hashes, _NEIGHBOURS)
    near = dense_neighbours(_coarse(pictures), _coarse(pictures), _NEIGHBOURS)
    codes = []
    for found, least in ((hashes, 1 - _BITS / 64), (near, _COARSE)):
        who = np.nonzero(found.similarity >= least)[0]
        other = found.place[found.similarity >= least]
        codes.append((np.minimum(who, other) * len(pictures) + np.maximum(who, other))[who != other])
    pair = np.unique(np.concatenate(codes))
    left, right = pair // len(pictures), pair % len(pictures)
    usable = there & ~_placeholders(pictures)
    kept = usable[left] & usable[right]
    return left[kept], right[kept]


def _coarse(pictures: Pixels) -> Floats:
    """Pictures (n, 32, 32, 3) as vectors (n, 192) of length one that are the same mirrored."""
    cells = pictures.reshape(len(pictures), 8, 4, 8, 4, 3).mean(axis=(2, 4))
    flat = (cells + cells[:, :, ::-1]).reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.where(length > 0, length, 1), np.float32)


def _placeholders(pictures: Pixels) -> NDArray[np.bool_]:
    """Pictures (n,) that more listings share than copies would."""
    flat = np.ascontiguousarray(pictures.reshape(len(pictures), -1))
    code = np.unique(flat.view(f"V{flat.shape[1]}").ravel(), return_inverse=True)[1].ravel()
    return np.asarray(np.bincount(code)[code] > _PLACEHOLDER, np.bool_)


def _codes(column: pl.Series) -> Ints:
    """The number (rows,) of each value, a negative one of its own for each missing value."""
    code = column.cast(pl.String).fill_null("").rank("dense").cast(pl.Int64).to_numpy()
    return np.where(column.is_null().to_numpy(), -np.arange(1, len(code) + 1), code)
