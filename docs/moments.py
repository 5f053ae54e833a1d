"""Writes the page that sets the moments of simulated markets beside those of real shops: measured, never typed.

python docs/moments.py [--only small online-retail] [--data DIR] [--seed 0]
"""

import argparse
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import danggol
from danggol.shop import Shop
from danggol.shop.sources import import_source
from danggol.twin import simulate
from danggol.twin.market import names
from danggol.twin.moments import BOUNDS, MOMENTS, moments, out_of_bounds

HERE = Path(__file__).resolve().parent
PAGE = HERE / "moments.md"
DATA = HERE.parents[1] / "shared" / "data" / "purchase"
USUAL = ("default", "small", "null", "hard", "shock", "silent")
REAL = {"online-retail": "online_retail", "amazon-m2": "amazon_m2_sessions"}
"""Importer of each real set, and its folder."""

INTRODUCTION = """# Are the markets like shops?

Written by `python docs/moments.py` from the tables of the simulated markets (seed {seed}) and of two real sets, by the
same queries; nothing here is typed by hand. danggol {version}, Python {python}, {machine}.

`danggol.twin.moments.moments(shop)` gives these figures for any shop. "–": the tables cannot tell. In brackets:
standard errors. The bounds are what a market that comes with the package must keep to; their reasons and sources stand
at `danggol.twin.moments.BOUNDS`. {verdict}
"""

CAVEATS = """
## How to read it

**Online Retail is a wholesaler's book of invoices.** Many of its customers are shops: its orders have many lines and it
often sells by the dozen. It has no visits, no impressions and no reviews, so conversion, elasticities per impression
and stars have no real counterpart here. Its returns are cancelled lines, which take in errors of the clerk.

**Amazon-M2 is a sample of visits, chosen by length.** Only visits of two views or more were published, without
customers and purchases, and the file here is a part of its test visits. So views in a visit lie higher than in a
market, where most visits that view anything view one thing. Its times stand for none, so nothing is said of days.

**Price.** In the markets, the list prices of one thing differ between countries, beyond the level of each country, at
random, and reductions come at random within a country's week: the elasticities per impression tell causes. The truth
beside them is by how much log purchases would change at once, from the weights of the people and their probabilities
of buying. `list_elasticity` lies nearer to zero for two reasons. Shipping is free from a threshold on, so a dearer
thing is more often shipped free, which the regression does not hold equal. And where one country buys most of a
listing, its price there is the listing's own level: what is left to compare are the other countries, whose people may
mind prices less, most of all in `hard`. `price_elasticity` mixes price and reduction: where reductions are what moves
the price paid, it lies nearer to theirs. In Online Retail the price of a thing falls with the quantity and goes with
the kind of customer, so its weekly elasticity is partly the shop's price list, and no truth to aim at.

**Weekly elasticity.** Only weeks in which a thing sold have a price in the log. A listing in a market seldom sells
twice in a country's week, and where all cells hold about one sale, nothing can answer: the figure is drawn to zero.
The row stands here so that the same regression is seen beside Online Retail's.

**Popularity.** The exponent is that of the density's tail: sales by rank fall with the power 1 / (a - 1), so a lower
one is more unequal. It is off by some tenths where products are few. The best-selling tenth is of products that sold at
all. Online Retail tells of purchase lines, Amazon-M2 of views; a market of both.

**Coming back.** Shares of repeats, and gaps, depend on how long one looks: compare shops that span as many days. A gap
is between days of ordering, so orders of the same day count as one.
"""


@dataclass(frozen=True)
class Column:
    """A shop in the table: its heading, its sizes and its moments."""

    name: str
    market: bool
    sizes: dict[str, float | None]
    moments: dict[str, float | None]
    truth: dict[str, float]
    """What the truth of a market says, by the moment that it stands under."""


def main() -> None:
    """Measure the shops asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", help="some shops, by name; the page is then printed, not written")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder that holds the real sets' folders")
    parser.add_argument("--seed", type=int, default=0, help="seed of the markets")
    given = parser.parse_args()
    markets = [name for name in USUAL if name in names()] + [name for name in names() if name not in USUAL]
    known = [*markets, *REAL]
    chosen = given.only or known
    if odd := [name for name in chosen if name not in known]:
        sys.exit(f"there is no shop '{odd[0]}' to measure; there are {', '.join(known)}")
    for name in set(chosen) & set(REAL):
        if not (given.data / REAL[name]).is_dir():
            sys.exit(f"{name}: there is no folder {given.data / REAL[name]}; say with --data where the sets are")
    columns = [measured(name, given.data, given.seed) for name in known if name in chosen]
    text = page(columns, given.seed)
    if given.only:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, "utf8")
        sys.stdout.write(f"The page is in {PAGE}\n")


def measured(name: str, data: Path, seed: int) -> Column:
    """Make a market or import a real set, in a folder that does not stay, and measure it."""
    sys.stderr.write(f"measuring {name} ...\n")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "shop"
        if name in REAL:
            import_source(name, data / REAL[name], place)
        else:
            simulate(place, name, seed=seed)
        shop = Shop.open(place)
        known = {} if name in REAL else truth(shop)
        return Column(name, name not in REAL, sizes(shop, dated=name != "amazon-m2"), moments(shop), known)


def truth(shop: Shop) -> dict[str, float]:
    """What price and reduction do to log purchases, by the truth: weights times 1 - p, averaged by p, of p_buy."""
    people = pl.read_parquet(shop.path / "truth" / "customers.parquet", columns=["customer_id", "price", "discount"])
    shown = pl.read_parquet(shop.path / "truth" / "choices.parquet", columns=["customer_id", "p_buy"])
    chance = pl.col("p_buy").cast(pl.Float64)
    answer = (pl.col("price", "discount") * chance * (1 - chance)).sum() / chance.sum()
    price, discount = shown.join(people, on="customer_id").select(answer).row(0)
    return {"list_elasticity": price, "discount_effect": discount}


def sizes(shop: Shop, dated: bool) -> dict[str, float | None]:
    """How much there is of what the moments are taken over; 0 is given as None."""
    row = shop.sql("""
        SELECT count(DISTINCT session_id) AS visits, count(DISTINCT product_id) AS products,
               count(DISTINCT customer_id) AS customers, sum(CASE WHEN kind = 'purchase' THEN 1 ELSE 0 END) AS lines,
               epoch(max(ts) - min(ts)) / 86400 AS days
        FROM events
    """).row(0, named=True)
    counted = {
        "days": row["days"] if dated else None,
        "customers": row["customers"],
        "products": row["products"],
        "visits": row["visits"],
        "orders": shop.tables()["orders"].rows if shop.has("orders") else None,
        "purchase lines": row["lines"],
        "reviews": shop.tables()["reviews"].rows if shop.has("reviews") else None,
    }
    return {name: float(number) if number else None for name, number in counted.items()}


def page(columns: list[Column], seed: int) -> str:
    """The page: introduction, the one table, caveats."""
    faults = [
        f"{column.name}: {fault}" for column in columns if column.market for fault in out_of_bounds(column.moments)
    ]
    verdict = "No market leaves its bounds." if not faults else "Out of bounds (\\*): " + "; ".join(faults) + "."
    head = INTRODUCTION.format(
        seed=seed,
        version=danggol.__version__,
        python=platform.python_version(),
        machine=platform.machine(),
        verdict=verdict,
    )
    return "\n".join([head, *table(columns), CAVEATS])


def table(columns: list[Column]) -> list[str]:
    """The lines of the table: sizes, then moments."""
    lines = [
        f"| | {' | '.join(column.name for column in columns)} | bounds |",
        "|---|" + "---:|" * len(columns) + "---|",
    ]
    for name in columns[0].sizes:
        cells = ["–" if column.sizes[name] is None else f"{column.sizes[name]:,.0f}" for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} | |")
    for name, meaning in MOMENTS.items():
        if not name.endswith("_se"):
            bounds = f"{BOUNDS[name][0]:g} to {BOUNDS[name][1]:g}" if name in BOUNDS else ""
            cells = [cell(column, name) for column in columns]
            lines.append(f"| `{name}`: {meaning} | {' | '.join(cells)} | {bounds} |")
            if any(name in column.truth for column in columns):
                told = [f"{column.truth[name]:.2f}" if name in column.truth else "–" for column in columns]
                lines.append(f"| its truth | {' | '.join(told)} | |")
    return lines


def cell(column: Column, name: str) -> str:
    """A moment in three digits, with its standard error where there is one, and a star where a market is out of it."""
    value, error = column.moments[name], column.moments.get(f"{name}_se")
    if value is None:
        return "–"
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
    star = "\\*" if column.market and out_of_bounds({name: value}) else ""
    return f"{value:.2f}{star} ({error:.2f})" if error is not None else f"{text}{star}"


if __name__ == "__main__":
    main()
