"""Writes a small shop from Python, checks it and asks a question of it: ``python examples/fill_a_shop.py new-shop``."""

import sys
from datetime import UTC, datetime

import polars as pl

from danggol import Shop

shop = Shop.create(sys.argv[1], timezone="Asia/Seoul", currency="KRW", languages=("ko", "en"))
with shop.run("example") as run:  # the three tables appear together
    run.write(
        "products", pl.DataFrame({"product_id": ["P1", "P2"], "title": ["빨간 신발", "파란 신발"], "language": "ko"})
    )
    run.write("customers", pl.DataFrame({"customer_id": ["A1"], "country": ["KR"]}))
    run.write(
        "events",
        pl.DataFrame(
            {
                "event_id": ["e1", "e2"],
                "ts": [datetime(2024, 3, 5, 6, 24, tzinfo=UTC), datetime(2024, 3, 6, 1, 0, tzinfo=UTC)],
                "kind": "purchase",
                "customer_id": "A1",
                "product_id": ["P1", "P2"],
                "price": [12000.0, 8000.0],
            }
        ),
    )
print(shop.check() or "every rule holds")
print(
    shop.sql("SELECT c.country, count(*) AS purchases FROM events e JOIN customers c USING (customer_id) GROUP BY ALL")
)
