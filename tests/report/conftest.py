"""A small shop with everything that the report reads, made from a seed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

from danggol.shop import Shop

END = datetime(2025, 6, 30, 12, tzinfo=UTC)
COUNTRIES = ["KR", "JP", "US", "DE", "GB", "FR", "VN", "IS"]
SCRIPT = "<script>alert('x')</script> & \"quoted\" onload=alert(1)"
TITLES = [
    ("ko", "부드러운 캐시미어 니트 스웨터 (겨울 신상)"),
    ("ja", "防水スニーカー 軽量ランニングシューズ"),
    ("en", "Ceramic pour-over coffee set, matte white"),
    ("de", "Wasserabweisender Rucksack mit Laptopfach"),
    ("en", SCRIPT),
    ("ar", "حقيبة جلدية أنيقة للسفر"),
    ("en", "Very long " + "extraordinarily " * 60 + "title"),
    ("ko", "🎁 선물 세트 💝 한정판"),
    ("en", ""),
    ("ko", "수분 가득 세럼 50ml"),
]


def _drawing(place: int) -> bytes:
    picture = Image.new("RGB", (300, 300), (240, 238, 230))
    colour = tuple(int(v) for v in np.random.default_rng(place).integers(40, 220, 3))
    pen = ImageDraw.Draw(picture)
    (pen.ellipse if place % 2 else pen.rectangle)((50, 60, 250, 240), fill=colour)
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


def _products(shop: Shop, many: int) -> None:
    listed = [TITLES[place % len(TITLES)] for place in range(many)]
    shop.write(
        "products",
        pl.DataFrame(
            {
                "product_id": [f"p{place:03d}" for place in range(many)],
                "title": [title or None for _, title in listed],
                "language": [language for language, _ in listed],
                "category": [f"cat{place % 4}" for place in range(many)],
            }
        ),
    )
    folder = shop.path / "images"
    folder.mkdir()
    images = []
    for place in range(many):
        name = f"images/p{place:03d}.jpg"
        (shop.path / name).write_bytes(_drawing(place))
        images.append(name)
    (shop.path / images[1]).write_bytes(b"\xff\xd8\xff this is no picture")
    images[2] = "https://shop.example/p002.jpg"
    images[3] = "images/gone.jpg"
    images[4] = "../outside.jpg"
    shop.write(
        "product_images", pl.DataFrame({"product_id": [f"p{place:03d}" for place in range(many)], "image": images})
    )


def _events(shop: Shop, rng: np.random.Generator, many: int, people: int, products: int) -> None:
    kinds = rng.choice(["impression", "view", "cart", "purchase", "return"], many, p=[0.5, 0.3, 0.1, 0.08, 0.02])
    who = rng.integers(0, people, many)
    country = np.array(COUNTRIES)[np.minimum(rng.geometric(0.3, people) - 1, len(COUNTRIES) - 1)]
    shop.write(
        "customers",
        pl.DataFrame({"customer_id": [f"c{one:04d}" for one in range(people + 1)], "country": [*country, "JP"]}),
    )
    seconds = rng.integers(0, 200 * 86_400, many)
    shop.write(
        "events",
        pl.DataFrame(
            {
                "event_id": [f"e{one:07d}" for one in range(many)],
                "ts": [END - timedelta(seconds=int(one)) for one in seconds],
                "kind": kinds,
                "customer_id": [f"c{one:04d}" for one in who],
                "product_id": [f"p{one:03d}" for one in np.minimum(rng.geometric(0.06, many) - 1, products - 1)],
                "order_id": [f"o{one // 3}" if kind == "purchase" else None for one, kind in enumerate(kinds)],
                "country": country[who],
                "price": np.round(np.exp(rng.normal(10, 1, many)), -1),
                "quantity": np.ones(many),
            },
        ),
    )


METRICS = [
    ("danggol", 0.394, None),
    ("als+frequency", 0.362, 0.032),
    ("personal_frequency", 0.360, 0.034),
    ("als", 0.392, 0.002),
    ("ease", 0.331, 0.063),
    ("itemknn", 0.318, 0.076),
    ("popularity", 0.141, 0.253),
]


def _metric_rows(ours_first: bool = True) -> pl.DataFrame:
    """Figures as an evaluation writes them; with ``ours_first`` false, ALS wins."""
    until = datetime(2025, 5, 31, tzinfo=UTC)
    rows = []
    parts = [("all", 1.0, 900), ("repeat", 1.2, 700), ("new", 0.4, 850)]
    parts += [(code, 1.25 - 0.1 * place, 400 // (1 + place * place)) for place, code in enumerate(COUNTRIES)]
    for metric, scale in [("ndcg@10", 1.0), ("recall@10", 0.8), ("precision@10", 0.5), ("auc", 1.9)]:
        for part, share, customers in parts:
            for model, value, ahead_by in METRICS:
                figure, difference = value * scale * share, ahead_by
                if model == "als" and not ours_first:
                    figure += 0.05 * scale * share
                    difference = -0.048
                half = 0.6 / max(customers, 1) ** 0.5 * scale * share
                gap = None if difference is None else difference * scale * share
                rows.append(
                    {
                        "model": model,
                        "metric": metric,
                        "part": part,
                        "until": until,
                        "value": figure,
                        "low": max(figure - half, 0.0),
                        "high": figure + half,
                        "difference": gap,
                        "difference_low": None if gap is None else gap - half / 2,
                        "difference_high": None if gap is None else gap + half / 2,
                        "customers": customers,
                        "horizon_days": 30.0,
                        "as_of": until,
                    }
                )
    rows.append({**rows[0], "metric": "ece", "value": 0.0123, "low": 0.01, "high": 0.015})
    return pl.DataFrame(rows, schema_overrides={"difference": pl.Float64})


REASONS = [
    ("bought_before", {"times": "3"}),
    ("bought_together", {"product_id": "p004"}),
    ("popular_in_country", {"country": "KR"}),
    ("trending", {}),
    ("from_the_future", {"score": "7", "why": "<b>bold</b>"}),
    ("popular", {}),
]


def _recommendations(shop: Shop, people: int, products: int) -> None:
    at = END
    rows = []
    for one in range(people + 1):
        for rank in range(1, 7):
            code, args = REASONS[rank - 1]
            rows.append(
                {
                    "customer_id": f"c{one:04d}",
                    "at": at,
                    "rank": rank,
                    "product_id": f"p{(one + rank) % products:03d}",
                    "score": 1.0 / rank,
                    "reason_code": "new_customer" if one == people else code,
                    "reason_args": args,
                    "as_of": at,
                }
            )
    names = sorted({name for _, args in REASONS for name in args})
    frame = pl.DataFrame(
        [{**row, "reason_args": {name: row["reason_args"].get(name) for name in names}} for row in rows]
    )
    shop.write("recommendations", frame, verb="purchase predict")
    shop.write(
        "purchase_scores",
        frame.filter(pl.col("rank") <= 2).select(
            "customer_id",
            "product_id",
            "at",
            (pl.col("score") / 5).alias("probability"),
            pl.lit(30.0).alias("horizon_days"),
            "as_of",
        ),
        verb="purchase predict",
    )


def _groups(shop: Shop, products: int) -> None:
    """The first seven listings are one product, the next two another; the rest stand alone."""
    names = [f"p{place:03d}" for place in range(products)]
    group = ["g-seven"] * 7 + ["g-two"] * 2 + [f"g-{name}" for name in names[9:]]
    pairs = [(name, name, 1.0, 0) for name in names] + [("p000", "p001", 0.9, 1), ("p001", "p002", 0.75, 1)]
    pairs.append(("p007", "p008", 0.6, 1))
    matches = pl.DataFrame(pairs, schema=["product_id", "other_id", "similarity", "rank"], orient="row")
    at = pl.lit(END).alias("as_of")
    shop.write("product_matches", matches.with_columns(at, by=pl.lit("text")), verb="match")
    shop.write("product_groups", pl.DataFrame({"product_id": names, "group_id": group}).with_columns(at), verb="match")


def full_shop(path: Path, *, many: int = 6_000, people: int = 300, products: int = 40) -> Shop:
    """A shop with every table that the report knows."""
    rng = np.random.default_rng(7)
    shop = Shop.create(path, timezone="Asia/Seoul", currency="KRW", languages=("ko", "en"), name="Dan & Gol <Mart>")
    _products(shop, products)
    _events(shop, rng, many, people, products)
    _groups(shop, products)
    shop.write("purchase_metrics", _metric_rows(), verb="purchase evaluate")
    _recommendations(shop, people, products)
    with shop.run("import", seed=3) as run:
        run.record(
            "rejects",
            pl.DataFrame(
                {
                    "source": ["csv"] * 3,
                    "file": ["orders.csv"] * 3,
                    "row": [1, 2, 9],
                    "reason_code": ["bad_time", "bad_time", "no_product"],
                    "column": ["ts", "ts", "product_id"],
                    "reason": ["'<i>soon</i>' is no time", "'x' is no time", "the product is empty"],
                }
            ),
        )
    return shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield full_shop(tmp_path_factory.mktemp("report") / "shop")


@pytest.fixture(scope="session")
def metric_rows() -> Callable[..., pl.DataFrame]:
    """Makes the figures of an evaluation; with ``ours_first=False``, ALS wins."""
    return _metric_rows
