"""Spam planted into a simulated shop: pictures taken from other products, stuffed titles, absurd prices.

A market has none by itself. What is planted, and where, is written to ``truth/spam.parquet``, so that a search for spam
can be measured: each sort in a share of the listings, no listing twice.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from danggol.shop import Shop
from danggol.twin.copies import changed_picture
from danggol.twin.people import Bools, Floats
from danggol.twin.randomness import stream
from danggol.twin.truth import parquet

SORTS = ("copied_picture", "stuffed_title", "absurd_price")


def plant(shop: Shop, seed: int = 0, share: float = 0.02) -> pl.DataFrame:
    """Turn a ``share`` of the listings into spam, for each of :data:`SORTS`; the truth: product_id, reason_code, how.

    A copied picture is the file of a listing of another product and seller that was there before (``file``), or that
    picture changed (``changed``). A stuffed title gains eight to fourteen words of other listings' titles (``words``),
    or has its own words five times (``repeated``). An absurd price is 10 to 100 times as high (``high``) or low
    (``low``), everywhere and always.
    """
    rng = stream(seed, "spam")
    products = shop.read("products").sort("product_id")
    real = dict(pl.read_parquet(shop.path / "truth" / "products.parquet").select("product_id", "real_product").rows())
    number = max(1, round(share * products.height))
    chosen = rng.permutation(products.height)[: 3 * number].reshape(3, -1)
    half = rng.random((3, number)) < 0.5
    taken = _earlier(products, real, chosen[0], rng)
    titles = _stuffed(products["title"].to_list(), chosen[1], half[1], rng)
    factor = np.exp(rng.uniform(np.log(10), np.log(100), number) * np.where(half[2], 1, -1))
    ids = products["product_id"]
    names = [("file", "changed"), ("words", "repeated"), ("high", "low")]
    truth = pl.concat(
        pl.DataFrame({"product_id": ids.gather(rows)}).with_columns(
            pl.lit(sort).alias("reason_code"), pl.Series("how", np.where(one, *how))
        )
        for sort, rows, one, how in zip(SORTS, chosen, half, names, strict=True)
    )
    with shop.run("plant spam", seed=seed) as run:
        renamed = products["title"].scatter(chosen[1], titles)
        run.write("products", products.with_columns(renamed))
        images = shop.read("product_images")
        for row, other, whole in zip(chosen[0], taken, half[0], strict=True):
            images = images.filter((pl.col("product_id") != ids[int(row)]) | (pl.col("position") == 0))
            first = images.filter((pl.col("product_id") == ids[int(other)]) & (pl.col("position") == 0))["image"][0]
            picture = shop.resolve(first).read_bytes()
            path = f"images/spam/{ids[int(row)]}.jpg"
            run.add_file(path, picture if whole else changed_picture(picture, rng.random(6)))
            own = pl.col("product_id") == ids[int(row)]
            images = images.with_columns(pl.when(own).then(pl.lit(path)).otherwise("image").alias("image"))
        run.write("product_images", images)
        priced = pl.DataFrame({"product_id": ids.gather(chosen[2]), "factor": factor})
        offers = shop.read("offers").join(priced, on="product_id", how="left", maintain_order="left")
        more = pl.col("factor").fill_null(1.0)
        raised = offers.with_columns(pl.col("price") * more, pl.col("list_price") * more).drop("factor")
        run.write("offers", raised)
        run.add_file("truth/spam.parquet", parquet(truth))
    return truth


def _earlier(products: pl.DataFrame, real: dict[str, str], rows: np.ndarray, rng: np.random.Generator) -> list[int]:
    """For each row another listing: another product, another seller, listed before."""
    code = np.array([real[name] for name in products["product_id"].to_list()])
    seller = products["seller_id"].to_numpy()
    listed = products["listed_at"].dt.epoch("us").to_numpy()
    found = []
    for row in rows.tolist():
        fits: Bools = (code != code[row]) & (seller != seller[row]) & (listed < listed[row])
        several = np.flatnonzero(fits) if fits.any() else np.flatnonzero(code != code[row])
        found.append(int(rng.choice(several)))
    return found


def _stuffed(titles: list[str], rows: np.ndarray, foreign: Bools, rng: np.random.Generator) -> list[str]:
    found = []
    for row, others in zip(rows.tolist(), foreign, strict=True):
        words = titles[row].split()
        draws: Floats = rng.random(8)
        if others:
            pool = " ".join(titles[int(place)] for place in draws * len(titles)).split()
            words = words + [str(word) for word in rng.choice(pool, int(rng.integers(8, 15)))]
        else:
            words = words * 5
        found.append(" ".join(words))
    return found
