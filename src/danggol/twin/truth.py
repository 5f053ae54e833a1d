"""The truth of a simulated market, for those who check an estimate against it; never an input of a capability.

Written to ``truth/`` of the shop as Parquet: countries and how they weigh the terms, customers and why they left,
products and which are the same, trends, accounts, posts, hosts, what each offer does to each person; the probability of
every showing to be viewed and bought, of every purchase to be sent back, and how pleased the buyer was, of what was
said in every review; and ``market.json`` with every parameter and the seed.
"""

from __future__ import annotations

import io
import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from danggol.twin.choice import Level
from danggol.twin.countries import DIMENSIONS, countries, standard_scores
from danggol.twin.goods import BACKGROUNDS, Goods
from danggol.twin.market import MarketFile
from danggol.twin.people import TERMS, CountryWeights, People
from danggol.twin.social import accounts_frame
from danggol.twin.step import Market, left_weeks
from danggol.twin.trends import trends_frame
from danggol.twin.words import CATEGORIES, COLORS, MATERIALS, PATTERNS
from danggol.version import __version__

_CELLS = 8192


class Rows:
    """Rows of one truth file, compressed as they come."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.writer: pq.ParquetWriter | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows; the first ones set the columns."""
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self.writer is None:
            self.writer = pq.ParquetWriter(
                self.buffer, table.schema, compression="zstd", use_dictionary=["customer_id"]
            )
        self.writer.write_table(table)

    def bytes(self) -> bytes:
        """The file."""
        if self.writer is not None:
            self.writer.close()
        return self.buffer.getvalue()


class Transparency:
    """AUC of the true purchase probability against what was bought, from counts on a fine grid of log probability."""

    def __init__(self) -> None:
        self.counts = np.zeros((2, _CELLS))

    def add(self, choices: pl.DataFrame) -> None:
        """Count the showings of a week."""
        log = np.log(np.maximum(choices["p_buy"].to_numpy(), 1e-12))
        cell = np.clip((log / 27.7 + 1) * _CELLS, 0, _CELLS - 1).astype(np.int64)
        for outcome in (0, 1):
            self.counts[outcome] += np.bincount(cell[choices["bought"].to_numpy() == bool(outcome)], minlength=_CELLS)

    def auc(self) -> float | None:
        """Chance that a bought showing had the higher probability; None without both outcomes."""
        not_bought, bought = self.counts
        total = not_bought.sum() * bought.sum()
        below = np.cumsum(not_bought) - not_bought
        return round(float((bought * (below + 0.5 * not_bought)).sum() / total), 4) if total else None


def parquet(frame: pl.DataFrame) -> bytes:
    """A whole truth file."""
    rows = Rows()
    rows.add(frame)
    return rows.bytes()


def market_json(market: MarketFile, seed: int, scale: float, level: Level) -> bytes:
    """Every parameter, the seed, and the level that the pilot week set."""
    said = {
        "market": market.name,
        "digest": market.digest,
        "seed": seed,
        "scale": scale,
        "danggol": __version__,
        "centre": level.centre,
        "intercept": level.intercept,
        "parameters": market.parameters.model_dump(mode="json"),
    }
    return (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()


def countries_frame(weights: CountryWeights) -> pl.DataFrame:
    """Scores of the countries, standardised over the table of countries, their price levels and mean log incomes."""
    codes, income = weights.codes, weights.mean_income
    scores = standard_scores(codes)
    levels = [countries()[code].price_level for code in codes]
    return pl.DataFrame({"country": codes, "price_level": levels, "mean_log_income": income}).with_columns(
        pl.Series(name, scores[:, column]) for column, name in enumerate(DIMENSIONS)
    )


def weights_frame(weights: CountryWeights) -> pl.DataFrame:
    """How each country weighs each term: base, culture, country effect and their sum."""
    number = len(weights.codes)
    return pl.DataFrame(
        {
            "country": np.repeat(weights.codes, len(TERMS)),
            "term": list(TERMS) * number,
            "base": weights.base.ravel(),
            "culture": weights.culture.ravel(),
            "country_effect": weights.effect.ravel(),
            "income": weights.income.ravel(),
            "value": weights.value.ravel(),
        }
    )


def frames(market: Market) -> dict[str, pl.DataFrame]:
    """Every truth file that is known once the time is over, by its name."""
    codes, clock = market.people.by_country.codes, market.clock
    return {
        "countries": countries_frame(market.people.by_country),
        "country_sensitivities": weights_frame(market.people.by_country),
        "customers": customers_frame(market.people, left_weeks(market)),
        "products": products_frame(market.goods, market.file),
        "leaving": market.feelings.frame(market.people.ids),
        "offer_effects": market.campaigns.frame(),
        "hosts": market.studio.frame(),
        "sellers": market.orders.deliveries.frame(),
        "trends": trends_frame(market.trends, codes, clock),
        "accounts": accounts_frame(market.accounts),
    }


def customers_frame(people: People, left_week: pl.Series) -> pl.DataFrame:
    """What moves each customer."""
    return pl.DataFrame(
        {
            "customer_id": people.ids,
            "visits_per_week": people.visits,
            "first_week": people.first_week,
            "left_week": left_week,
            "income": people.income,
            "propensity": people.propensity,
            **{term: people.weights[:, column] for column, term in enumerate(TERMS)},
            **_numbered("style", people.style),
            **{f"likes_{color}": people.color_liking[:, column] for column, color in enumerate(COLORS)},
            **{f"likes_{pattern}": people.pattern_liking[:, column] for column, pattern in enumerate(PATTERNS)},
            **_numbered("interest", people.interests),
        }
    )


def products_frame(goods: Goods, market: MarketFile) -> pl.DataFrame:
    """What each product is, whether or not the seller says so."""
    names = [category.name for category in market.parameters.goods.category]
    looks = [BACKGROUNDS[kind] if kind >= 0 else None for kind in goods.backgrounds[:, 1]]
    shapes = [CATEGORIES[names[one]]["shapes"][shape] for one, shape in zip(goods.category, goods.shape, strict=True)]
    return pl.DataFrame(
        {
            "product_id": goods.ids,
            "real_product": goods.ids.gather(goods.real),
            "category": pl.Series(names).gather(goods.category),
            "brand": goods.brand,
            "standing": goods.standing,
            "quality": goods.quality,
            "rating": goods.rating,
            "price_usd": goods.price_usd,
            "exposure": goods.exposure,
            "listed_week": goods.listed_week,
            "cycle_weeks": goods.cycle,
            "color": pl.Series(COLORS).gather(goods.color),
            "pattern": pl.Series(PATTERNS).gather(goods.pattern),
            "material": pl.Series(MATERIALS).gather(goods.material),
            "shape": shapes,
            "background": pl.Series(BACKGROUNDS).gather(goods.backgrounds[:, 0]),
            "second_background": pl.Series(looks, dtype=pl.String),
            **_numbered("style", goods.style),
        }
    ).sort("product_id")


def _numbered(name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> dict[str, pa.Array]:
    return {f"{name}_{column}": values[:, column] for column in range(values.shape[1])}
