"""A small shop whose customers write for known reasons, and a file that names some of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from danggol.shop import Shop

START = datetime(2024, 1, 1, tzinfo=UTC)
CLASSES = {"late": "delivery", "part": "delivery", "pleased": "pleased"}
WORDS = {
    "late": ("아직도 안 왔어요", "배송이 너무 늦어요", "한 달째 기다려요"),
    "part": ("부품이 빠졌어요", "하나만 왔어요", "반만 들어 있어요"),
    "pleased": ("정말 좋아요", "추천합니다", "마음에 들어요"),
}


def shop_with_reviews(path: Path, count: int = 180) -> tuple[Shop, list[str]]:
    """A shop of ``count`` reviews, one a day, and the true cause of each; late ones came ten days after the promise."""
    draw = np.random.default_rng(0)
    causes = draw.choice(list(WORDS), count, p=[0.3, 0.2, 0.5]).tolist()
    days = [START + timedelta(days=nth) for nth in range(count)]
    shop = Shop.create(path)
    shop.write("customers", pl.DataFrame({"customer_id": ["c"]}))
    shop.write(
        "orders",
        pl.DataFrame(
            {
                "order_id": [f"o{nth}" for nth in range(count)],
                "customer_id": ["c"] * count,
                "ts": [day - timedelta(days=20) for day in days],
                "promised_at": [day - timedelta(days=12) for day in days],
                "delivered_at": [
                    day - timedelta(days=2 if cause == "late" else 14) for day, cause in zip(days, causes, strict=True)
                ],
                "status": ["delivered"] * count,
            }
        ),
    )
    shop.write(
        "reviews",
        pl.DataFrame(
            {
                "review_id": [f"r{nth:04d}" for nth in range(count)],
                "order_id": [f"o{nth}" for nth in range(count)],
                "text": [f"{draw.choice(WORDS[cause])} 번호{nth % 150}" for nth, cause in enumerate(causes)],
                "rating": [5.0 if cause == "pleased" else 2.0 for cause in causes],
                "ts": days,
            }
        ),
    )
    return shop, causes


def labels_file(path: Path, causes: list[str], count: int = 120, classes: bool = True) -> Path:
    """A CSV file of the causes of the first reviews."""
    table = pl.DataFrame({"review_id": [f"r{nth:04d}" for nth in range(count)], "cause": causes[:count]})
    if classes:
        table = table.with_columns(pl.col("cause").replace_strict(CLASSES).alias("class"))
    table.write_csv(path)
    return path
