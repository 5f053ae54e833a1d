"""A mapping is proposed with reasons, and nothing is written before a person has seen it."""

from pathlib import Path

import pytest
from own_files import HEADINGS, LINES, run, write
from workbooks import write_workbook

from danggol.errors import DataError, UsageError
from danggol.shop import Shop
from danggol.shop.sources.guess.proposal import guess, propose
from danggol.shop.sources.mapping.rules import Mapping


def columns(mapping: Mapping, place: int = 0) -> dict[str, str]:
    """Target column to heading, or to its constant in angle brackets."""
    rules = mapping.tables[place].columns
    return {name: "+".join(rule.sources) or f"<{rule.value}>" for name, rule in rules.items()}


def proposed(tmp_path: Path, *lines: str, encoding: str = "utf-8") -> Mapping:
    return guess(write(tmp_path / "a.csv", list(lines), encoding))


def test_a_korean_order_export_in_cp949(tmp_path: Path) -> None:
    path = write(tmp_path / "주문.csv", [HEADINGS, *LINES], "cp949")
    mapping = guess(path)
    assert [rule.table for rule in mapping.tables] == ["events", "orders", "customers", "products"]
    assert columns(mapping) == {
        "ts": "주문일시", "kind": "상태", "customer_id": "고객번호", "order_id": "주문번호", "product_id": "상품코드",
        "price": "판매가", "quantity": "수량", "country": "국가",
    }  # fmt: skip
    assert mapping.tables[0].columns["kind"].map == {"구매확정": "purchase", "취소": "return"}
    assert columns(mapping, 2) == {"customer_id": "고객번호", "country": "국가", "gender": "성별"}
    assert columns(mapping, 3)["attributes"] == "색상"
    assert (mapping.file.timezone, mapping.file.currency, mapping.file.languages) == ("Asia/Seoul", "KRW", ("ko",))
    assert mapping.confidence > 0.6 and not mapping.unused
    report = run(path, mapping.to_toml(), tmp_path / "shop")
    assert report.kept == 3 and not report.rejected and not report.flaws
    assert Shop.open(tmp_path / "shop").read("orders")["total"].sum() == 44_000


def test_every_proposed_column_has_a_confidence_and_a_reason_and_reads_back(tmp_path: Path) -> None:
    mapping = proposed(tmp_path, HEADINGS + ",비고", *(line + ",x" for line in LINES))
    for rule in mapping.tables:
        for name in rule.columns:
            reason = mapping.reasons[f"{rule.table}.{name}"]
            assert 0.3 <= reason.confidence <= 1 and len(reason.text) > 5
    assert mapping.unused == {"비고": "not understood"}
    text = mapping.to_toml()
    assert "# 97%" in text and "비고" in text
    again = Mapping.parse(text)
    assert (again.tables, again.file) == (mapping.tables, mapping.file)


@pytest.mark.parametrize(
    ("lines", "table", "expected"),
    [
        (
            ["리뷰번호;상품코드;작성자;별점;리뷰내용;작성일", "1;P1;u1;5점;정말 좋아요;2024.03.05"], "reviews",
            {"review_id": "리뷰번호", "text": "리뷰내용", "product_id": "상품코드", "customer_id": "작성자",
             "ts": "작성일", "rating": "별점", "language": "<ko>"},
        ),
        (
            ["회원ID\t성별\t생년월일\t국적\t가입일", "1\t남\t1988-03-05\t한국\t2020. 3. 5."], "customers",
            {"customer_id": "회원ID", "country": "국적", "country_source": "<nationality>", "gender": "성별",
             "birth_year": "생년월일", "joined_at": "가입일"},
        ),
        (
            ["상품코드,상품명,대분류,중분류,브랜드,원산지", "P1,컵,주방,머그,A,중국"], "products",
            {"product_id": "상품코드", "title": "상품명", "brand": "브랜드", "origin_country": "원산지",
             "category": "대분류+중분류", "language": "<ko>"},
        ),
        (
            ["user_id,event_time,event_type,product_id,price", "1,2019-10-01 00:00:00 UTC,cart,10,3.5"], "events",
            {"ts": "event_time", "kind": "event_type", "customer_id": "user_id", "product_id": "product_id",
             "price": "price"},
        ),
        (
            ["注文番号,顧客番号,注文日時,商品コード,数量,単価", '1,c1,2024年3月5日 15時24分,p1,2,"1,000円"'], "events",
            {"ts": "注文日時", "kind": "<purchase>", "customer_id": "顧客番号", "product_id": "商品コード",
             "order_id": "注文番号", "price": "単価", "quantity": "数量"},
        ),
        (
            ["订单编号,用户ID,付款时间,商品编号,数量,实付金额", "1,c1,2024-03-05 15:24:00,p1,2,100"], "events",
            {"ts": "付款时间", "kind": "<purchase>", "customer_id": "用户ID", "product_id": "商品编号",
             "order_id": "订单编号", "price": "实付金额+数量", "quantity": "数量"},
        ),
        (
            ["Order ID,Customer ID,Order Date,Status,Order Total", "1,c,2024-03-05,Shipped,12.5"], "orders",
            {"order_id": "Order ID", "customer_id": "Customer ID", "ts": "Order Date", "status": "Status",
             "total": "Order Total"},
        ),
    ],
)  # fmt: skip
def test_other_exports_are_understood(tmp_path: Path, lines: list[str], table: str, expected: dict[str, str]) -> None:
    mapping = proposed(tmp_path, *lines)
    assert mapping.tables[0].table == table
    assert columns(mapping) == expected
    report = run(tmp_path / "a.csv", mapping.to_toml(), tmp_path / "shop")
    assert report.kept == len(lines) - 1 and not report.flaws


def test_values_decide_where_headings_do_not(tmp_path: Path) -> None:
    mapping = proposed(
        tmp_path,
        "order_id,customer_id,sku,etwas,wo",
        *(f"{i},c,p,2024-03-0{i} 10:00,{c}" for i, c in enumerate(("KR", "미국", "JP"), 1)),
    )
    assert columns(mapping)["ts"] == "etwas" and columns(mapping)["country"] == "wo"
    assert mapping.reasons["events.ts"].confidence < 0.5
    mapping = proposed(tmp_path, "order_id,customer_id,sku,date,country", "1,c,p,2024-03-05,x1", "2,c,p,2024-03-05,x2")
    assert "country" not in columns(mapping)


def test_negative_quantities_are_returns_and_percents_shares(tmp_path: Path) -> None:
    mapping = proposed(
        tmp_path, "Invoice,Date,SKU,Qty,Price,Discount", "1,2024-03-05,a,2,5,20", "2,2024-03-06,a,-1,5,0"
    )
    report = run(tmp_path / "a.csv", mapping.to_toml(), tmp_path / "shop")
    events = Shop.open(tmp_path / "shop").read("events").sort("ts")
    assert report.kept == 2
    assert events["kind"].to_list() == ["purchase", "return"] and events["quantity"].to_list() == [2, 1]
    assert events["discount_rate"].to_list() == [0.2, 0]


def test_decimal_commas_and_dates_with_the_day_first(tmp_path: Path) -> None:
    mapping = proposed(tmp_path, "order_id;date;sku;price", "1;31.12.2023;a;12,50", "2;05.01.2024;a;1.012,50")
    assert mapping.file.decimal == "," and mapping.tables[0].columns["ts"].format == "dmy"
    run(tmp_path / "a.csv", mapping.to_toml(), tmp_path / "shop")
    assert Shop.open(tmp_path / "shop").read("events")["price"].sum() == 1025
    mapping = proposed(tmp_path, "order_id,date,sku,price", "1,05/03/2024,a,1")
    assert 'say format = "dmy" or "mdy"' in mapping.reasons["events.ts"].text
    assert mapping.reasons["events.ts"].confidence < 0.6


def test_the_fullest_sheet_is_taken_and_others_are_named(tmp_path: Path) -> None:
    lines = [line.split(",") for line in ("order_id,date,sku,price", "1,2024-03-05,a,1", "2,2024-03-05,a,1")]
    path = write_workbook(tmp_path / "a.xlsx", {"info": [["안내"]], "orders": lines})
    mapping = guess(path)
    assert mapping.file.sheet == "orders" and "sheet info" in mapping.unused
    assert run(path, mapping.to_toml(), tmp_path / "shop").kept == 2


def test_a_file_that_tells_nothing_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be told from its columns"):
        proposed(tmp_path, "a,b", "1,2")
    with pytest.raises(DataError, match="no rows"):
        proposed(tmp_path, "order_id,date")


def test_the_proposal_is_shown_with_a_preview_and_kept_on_request_only(tmp_path: Path) -> None:
    path = write(tmp_path / "주문.csv", [HEADINGS, *LINES, LINES[0].replace("2024-03-05 오후 3:24", "어제")])
    shown = propose(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["주문.csv"]
    assert shown.toml in shown.text + "\n" or shown.toml.strip() in shown.text
    assert "머그컵" in shown.text and "would be rejected" in shown.text and "2024-03-05 06:24:00 UTC" in shown.text
    assert shown.figures["columns"]["events.ts"]["confidence"] > 0.5
    kept = propose(path, save_to=tmp_path / "m.toml")
    assert Mapping.load(tmp_path / "m.toml").tables == kept.mapping.tables and "m.toml" in kept.text
    with pytest.raises(UsageError, match="cannot be written"):
        propose(path, save_to=path / "m.toml")


def test_the_public_order_lines_are_understood(shared_data: Path) -> None:
    mapping = guess(shared_data / "purchase" / "online_retail" / "online_retail.csv.gz")
    assert [rule.table for rule in mapping.tables] == ["events", "orders", "customers", "products"]
    assert columns(mapping)["customer_id"] == "CustomerID" and columns(mapping)["price"] == "UnitPrice"
