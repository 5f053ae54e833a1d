"""A title beside a review's text is the review's; in orders and lists of products it stays the product's."""

from pathlib import Path

import pytest
from own_files import run, write

from danggol.shop import Shop
from danggol.shop.sources.guess.proposal import guess

REVIEWS = ["최고,정말 좋아요", "별로,환불했어요", "그냥,보통이에요", "굿,또 살게요"]


def made(tmp_path: Path, head: str, *lines: str) -> dict[str, str]:
    """``table.column`` to heading."""
    mapping = guess(write(tmp_path / "a.csv", [head, *lines]))
    report = run(tmp_path / "a.csv", mapping.to_toml(), tmp_path / "shop")
    assert report.kept == len(lines)
    return {f"{rule.table}.{name}": one.column for rule in mapping.tables for name, one in rule.columns.items()}


def test_one_product_with_many_titles_proves_that_they_are_the_reviews(tmp_path: Path) -> None:
    lines = [f"r{nth},p{nth % 2},{said},{nth + 1}" for nth, said in enumerate(REVIEWS)]
    found = made(tmp_path, "review_id,product_id,title,text,rating", *lines)
    assert found["reviews.title"] == "title" and found["reviews.product_id"] == "product_id"
    assert "products.title" not in found
    shop = Shop.open(tmp_path / "shop")
    assert shop.read("reviews").sort("review_id")["title"].to_list() == ["최고", "별로", "그냥", "굿"]
    assert shop.read("products")["title"].null_count() == 2


def test_without_a_product_the_title_is_no_product(tmp_path: Path) -> None:
    found = made(tmp_path, "title,text,rating", *(f"{said},{nth + 1}" for nth, said in enumerate(REVIEWS)))
    assert found["reviews.title"] == "title"
    assert "reviews.product_id" not in found and not any(name.startswith("products") for name in found)


def test_a_product_beside_the_title_is_still_found(tmp_path: Path) -> None:
    for head in ("title,product name,text,rating", "title,product,text,rating"):
        lines = [said.replace(",", ",머그컵,") + f",{nth + 1}" for nth, said in enumerate(REVIEWS)]
        (tmp_path / head).mkdir()
        found = made(tmp_path / head, head, *lines)
        assert found["reviews.title"] == "title" and found["products.title"].startswith("product")


def test_a_reviewers_name_is_not_the_products(tmp_path: Path) -> None:
    lines = [f"r{nth},p1,고객{nth},{said},{nth + 1}" for nth, said in enumerate(REVIEWS)]
    found = made(tmp_path, "review_id,product_id,name,title,text,rating", *lines)
    assert found["reviews.title"] == "title" and "products.title" not in found


@pytest.mark.parametrize(
    ("head", "lines", "title"),
    [
        ("review_id,product_id,title,text,rating",
         ["1,p1,머그컵,좋아요,5", "2,p1,머그컵,별로예요,1", "3,p2,접시,좋아요,5", "4,p2,접시,그냥요,3"], "title"),
        ("review_id,product_id,상품명,text,rating",
         ["1,p1,머그컵 흰색,좋아요,5", "2,p1,머그컵 파랑,별로예요,1"], "상품명"),
        ("order_id,customer_id,order date,product_id,title,quantity,comment",
         ["1,c1,2024-03-05,p1,머그컵,1,빨리요", "2,c2,2024-03-05,p1,머그컵 (대),1,문 앞에"], "title"),
        ("product_id,title,price,content", ["p1,머그컵,1000,도자기로 만든 컵", "p2,접시,2000,유리 접시"], "title"),
        ("product_id,title,price", ["p1,머그컵,1000", "p2,접시,2000"], "title"),
    ],
)  # fmt: skip
def test_a_title_of_products_stays(tmp_path: Path, head: str, lines: list[str], title: str) -> None:
    found = made(tmp_path, head, *lines)
    assert found["products.title"] == title and "reviews.title" not in found


def test_a_review_that_is_nothing_but_a_title_is_kept(tmp_path: Path) -> None:
    lines = ["r1,p1,최고,정말 좋아요,5", "r2,p1,별로예요,,1", "r3,p1,,그냥 그래요,3", "r4,p1,환불 요청,\u200b,1"]
    found = made(tmp_path, "review_id,product_id,title,text,rating", *lines)
    assert "reviews.title" not in found
    texts = Shop.open(tmp_path / "shop").read("reviews").sort("review_id")["text"].to_list()
    assert texts == ["최고\n정말 좋아요", "별로예요", "그냥 그래요", "환불 요청"]


def test_a_title_column_named_as_the_reviews_leaves_title_to_the_product(tmp_path: Path) -> None:
    lines = ["1,p1,머그컵,최고,좋아요,5", "2,p1,머그컵,굿,또 살게요,5"]
    found = made(tmp_path, "review_id,product_id,title,summary,text,rating", *lines)
    assert found["reviews.title"] == "summary" and found["products.title"] == "title"
