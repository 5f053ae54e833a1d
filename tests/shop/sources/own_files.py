"""An order export as Korean shops write it, its mapping, and how tests import it."""

from pathlib import Path

import polars as pl

from danggol.shop import Shop
from danggol.shop.sources import ImportReport, import_source

ORDERS = """
[file]
timezone = "Asia/Seoul"
currency = "KRW"

[events]
ts = "주문일시"
kind = "상태"
customer_id = "고객번호"
product_id = "상품코드"
order_id = "주문번호"
price = "판매가"
quantity = "수량"
country = "국가"

[orders]
order_id = "주문번호"
customer_id = "고객번호"
ts = "주문일시"
total = { column = "판매가", times = "수량", sum = true }
currency = { value = "KRW" }

[customers]
customer_id = "고객번호"
gender = "성별"
country = "국가"

[products]
product_id = "상품코드"
title = "상품명"
attributes = { columns = ["색상"] }
"""
HEADINGS = "주문번호,주문일시,고객번호,성별,국가,상품코드,상품명,색상,수량,판매가,상태"
LINES = (
    'A1,2024-03-05 오후 3:24,C1,남,대한민국,P1,머그컵,빨강,2,"12,000원",구매확정',
    'A1,2024-03-05 오후 3:24,C1,남,대한민국,P2,접시,,1,"￦8,000",구매확정',
    "A2,2024.03.06,C2,여,USA,P1,머그컵 (대형),파랑,1,12000,취소",
)


def run(path: Path, mapping: str, shop: Path, mode: str = "refuse") -> ImportReport:
    report = import_source("csv", path, shop, mode, {"mapping_text": mapping})  # type: ignore[arg-type]
    assert report.rows == report.kept + sum(report.rejected.values())
    table = Shop.open(shop).read("rejects") if "rejects" in Shop.open(shop).tables() else pl.DataFrame({"row": []})
    assert table.height >= sum(report.rejected.values())
    return report


def write(path: Path, lines: list[str] | str, encoding: str = "utf-8") -> Path:
    path.write_bytes(("\n".join(lines) + "\n" if isinstance(lines, list) else lines).encode(encoding))
    return path
