"""Train the Korean and English sentiment model that comes with danggol, from public-domain reviews.

    python examples/shipped_reviews.py [--data DIR] [--to DIR] [--shop DIR] [--set name=value ...]

``--data`` holds naver_shopping/labelled.csv (id, review, rating) and unlabelled.csv (id, review),
nsmc/train_pool.tsv.gz (id, document, label) and womens_clothing/reviews.csv.gz (Title, Review Text, Rating). They are
put into a shop, one source each, and ``danggol reviews train SHOP --balanced --distil`` does the rest: every source
and both classes weigh alike, ensembles teach a linear model, by the reviews without stars too, a tenth of the texts
is kept from training, and the card says how the model does on those.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import polars as pl

from danggol.reviews import SentimentModel, SentimentSettings
from danggol.reviews.figures import shown
from danggol.reviews.sentiment.labelling import SHIPPED
from danggol.reviews.sentiment.measuring import measure
from danggol.reviews.sentiment.training import train
from danggol.shop import Shop

FILMS = 40_000
"""Film comments that go in: more of them bring nothing to reviews of goods."""
TEACHERS = ('members=["linear", "cnn"]', "dropout=0.4", "epochs=3")
OTHERS = Path("marc", "reviews.parquet")
"""Reviews of all goods in six languages, to measure on: not to learn from, since their licence does not allow it."""
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reviews"
NOTES = (
    "naver shopping: Korean shopping reviews with 1, 2, 4 or 5 stars; public domain as bab2min/corpus states it.",
    "naver shopping, without stars: 25,000 more of the same corpus.",
    f"NSMC: {FILMS:,} Korean film comments, pleased or not (as 5 stars and 1), none of the official test; CC0.",
    "women's clothing: English shopping reviews with stars; CC0 as first published. No English reviews of other goods.",
    "Trained by examples/shipped_reviews.py (danggol reviews train SHOP --balanced --distil).",
)


def main() -> None:
    """Build the shop, train, and print the figures."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, default=DATA)
    asked.add_argument("--to", type=Path, default=SHIPPED)
    asked.add_argument("--shop", type=Path, help="where to put the shop; a temporary folder if not said")
    asked.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = asked.parse_args()
    settings = SentimentSettings.load(None, [*TEACHERS, *options.set])
    with tempfile.TemporaryDirectory() as folder:
        shop = public_shop(options.data, options.shop or Path(folder) / "shop")
        told = train(shop, options.to, settings, NOTES, balanced=True, distil=True)
    print((options.to / "card.md").read_text("utf8"))
    print(f"{told['model']}: trained in {told['seconds']:.0f} s")
    if (options.data / OTHERS).exists():
        others(SentimentModel.load(options.to), options.data / OTHERS)


def others(model: SentimentModel, file: Path) -> None:
    """Print how right the model is on reviews of other goods, in languages that it has learnt and in others."""
    rows = pl.read_parquet(file).filter(split="test").filter(pl.col("stars") != 3)
    for language, some in rows.sort("language").group_by("language", maintain_order=True):
        told = measure(model, some.select("text", label=(pl.col("stars") > 3).cast(pl.Float64), source=pl.lit(None)))
        print(f"{language[0]}, all goods: {shown(told['accuracy'])}, answered {told['answered']:.1%}")


def public_shop(data: Path, path: Path) -> Shop:
    """A shop of the public reviews: one product for each source, so that the source is known."""
    naver = pl.read_csv(data / "naver_shopping" / "labelled.csv")
    more = pl.read_csv(data / "naver_shopping" / "unlabelled.csv")
    films = pl.read_csv(data / "nsmc" / "train_pool.tsv.gz", separator="\t", quote_char=None)
    films = films.sample(min(FILMS, films.height), seed=0)
    clothes = pl.read_csv(data / "womens_clothing" / "reviews.csv.gz")
    parts = {
        "naver shopping": pl.concat([naver, more], how="diagonal_relaxed").select(
            title=pl.lit(None, pl.String), text="review", rating="rating"
        ),
        "NSMC": films.select(title=pl.lit(None, pl.String), text="document", rating=1 + 4 * pl.col("label")),
        "women's clothing": clothes.select(title="Title", text="Review Text", rating="Rating"),
    }
    rows = [
        part.drop_nulls("text").with_columns(
            pl.col("rating").cast(pl.Float64),
            product_id=pl.lit(name),
            review_id=pl.format("{}-{}", pl.lit(name), pl.int_range(pl.len())),
        )
        for name, part in parts.items()
    ]
    shop = Shop.create(path)
    shop.write("products", pl.DataFrame({"product_id": list(parts), "title": list(parts), "source": list(parts)}))
    shop.write("reviews", pl.concat(rows))
    return shop


if __name__ == "__main__":
    main()
