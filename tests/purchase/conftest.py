"""A small shop whose customers have habits: each buys some favourites again and again, and what is on the rise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from danggol.purchase import PurchaseSettings
from danggol.shop import Shop

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 150
PLACES = ("KR", "KR", "KR", "JP", "DE")
QUICK: dict[str, Any] = {
    "horizon_days": 14,
    "windows": 3,
    "rounds": 12,
    "network_epochs": 2,
    "candidates": 8,
    "shortest_history_days": 20,
    "threads": 1,
}


def events(customers: int = 80, products: int = 40, days: int = DAYS, seed: int = 0) -> pl.DataFrame:
    """Purchases, views and returns, oldest first."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for customer in range(customers):
        favourites = rng.choice(products, 6, replace=False)
        for day in np.sort(rng.choice(days, rng.integers(2, 14), replace=False)):
            when = START + timedelta(days=int(day), minutes=int(rng.integers(600, 1200)))
            basket = set(rng.choice(favourites, rng.integers(1, 4)).tolist())
            basket.add(int(rng.integers(products)))
            for product in sorted(basket):
                rows.append(
                    {
                        "ts": when,
                        "kind": "purchase",
                        "customer_id": f"c{customer:03}" if rng.random() > 0.05 else None,
                        "product_id": f"p{product:03}",
                        "order_id": f"o{customer}-{day}",
                        "quantity": float(rng.integers(1, 5)),
                        "price": float(rng.integers(2, 30)),
                        "country": PLACES[customer % 5],
                    }
                )
                if rng.random() < 0.3:
                    rows.append(rows[-1] | {"kind": "view", "ts": when - timedelta(hours=2), "order_id": None})
                if rng.random() < 0.05:
                    rows.append(rows[-1] | {"kind": "return", "ts": when + timedelta(days=1)})
    frame = pl.DataFrame(rows, infer_schema_length=None).sort("ts", "customer_id", "product_id")
    return frame.with_row_index("event_id").with_columns(pl.format("e{}", "event_id").alias("event_id"))


def catalogue(products: int = 40) -> pl.DataFrame:
    words = ["red", "blue", "tin", "cup", "bag", "box", "lamp"]
    return pl.DataFrame(
        {
            "product_id": [f"p{n:03}" for n in range(products)],
            "title": [f"{words[n % 7]} {words[n // 7 % 7]} {n}" for n in range(products)],
            "category": [f"group {n % 5}" for n in range(products)],
        }
    )


def people(customers: int = 80) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": [f"c{n:03}" for n in range(customers)],
            "country": [PLACES[n % 5] for n in range(customers)],
        }
    )


def offers(products: int = 40) -> pl.DataFrame:
    rows = [
        {
            "product_id": f"p{n:03}",
            "valid_from": START + timedelta(days=since),
            "country": "KR" if n % 2 else None,
            "price": 10.0 + n + since / 10,
            "list_price": 20.0 + n,
            "free_shipping": n % 3 == 0,
        }
        for n in range(products)
        for since in (0, 60, 120)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def fill(path: Path, rows: pl.DataFrame, **tables: pl.DataFrame) -> Shop:
    shop = Shop.create(path, timezone="Asia/Seoul", currency="KRW", languages=("ko",))
    given = {"products": catalogue(), "customers": people(), "offers": offers()} | tables
    for name, table in {**given, "events": rows}.items():
        if table.height:
            shop.write(name, table)
    return shop


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[..., Shop]:
    """Fill a new shop with events and further tables (the catalogue, people and offers where none are given)."""

    def make(rows: pl.DataFrame, name: str = "shop", **tables: pl.DataFrame) -> Shop:
        return fill(tmp_path / name, rows, **tables)

    return make


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The small shop; tests only read it."""
    return fill(tmp_path_factory.mktemp("purchase") / "shop", events())


@pytest.fixture(scope="session")
def settings() -> PurchaseSettings:
    """Settings for little data and little time."""
    return PurchaseSettings.of(QUICK)
