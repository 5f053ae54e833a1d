"""The report as its reader meets it: complete, offline, safe, true to the tables, in two languages."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import UsageError
from danggol.report import build_report
from danggol.report.words import count, figure, percent
from danggol.shop import Shop

SCRIPT = "<script>alert('x')</script>"
VOID = {"meta", "img", "input", "br", "hr", "link"}


class Outline(HTMLParser):
    """Collects tags, ids, attributes and text, and insists on balance."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: dict[str, list[str]] = {"en": [], "ko": [], "": []}
        self.language = [""]
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if "id" in found:
            self.ids.append(found["id"] or "")
        if tag not in VOID:
            self.open.append(tag)
            classes = (found.get("class") or "").split()
            self.language.append(next((one for one in ("en", "ko") if one in classes), self.language[-1]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()
        self.language.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.texts[self.language[-1]].append(data)

    def said(self, *languages: str) -> str:
        """The visible text that stands in these languages."""
        return " ".join(" ".join(self.texts[language]) for language in languages)


@pytest.fixture(scope="module")
def page(shop: Shop) -> str:
    return build_report(shop).read_text("utf8")


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    return Outline(page)


def test_the_default_place_is_in_the_shop(shop: Shop, page: str) -> None:
    assert build_report(shop) == shop.path / "report" / "index.html"
    assert page.startswith("<!doctype html>")


def test_nothing_is_loaded_from_outside(page: str, outline: Outline) -> None:
    for tag, name, value in outline.attributes:
        if name in {"src", "href", "xlink:href", "srcset", "action", "poster", "data"}:
            assert value is not None
            assert value.startswith(("#", "data:image/")), (tag, name, value[:80])
        if name == "style":
            assert "url(" not in (value or "")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_only_its_own_script_may_run(page: str) -> None:
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(page)
    assert not [name for _, name, _ in Outline(page).attributes if name.startswith("on")]


def test_it_is_balanced_and_its_ids_are_unique(outline: Outline) -> None:
    assert len(outline.ids) == len(set(outline.ids))
    targets = {value for _, name, value in outline.attributes if name == "href"}
    assert {str(target)[1:] for target in targets} <= set(outline.ids)
    labelled = [value for _, name, value in outline.attributes if name == "aria-labelledby"]
    assert {one for value in labelled for one in str(value).split()} <= set(outline.ids)


def test_both_languages_say_the_same_figures(outline: Outline) -> None:
    def figures(text: str) -> list[str]:
        return sorted(re.findall(r"\d+\.\d{3}", text))

    assert figures(outline.said("en"))
    assert figures(outline.said("en")) == figures(outline.said("ko"))
    assert re.search("[가-힣]", outline.said("ko"))
    assert not re.search("[가-힣]", re.sub("‘[^’]*’|“[^”]*”", "", " ".join(outline.texts["en"])))


def test_the_shops_first_language_is_the_pages(page: str, tmp_path: Path) -> None:
    assert '<html lang="ko"' in page
    english = build_report(Shop.create(tmp_path / "shop", languages=("en", "ko"))).read_text("utf8")
    assert '<html lang="en"' in english


def test_what_users_wrote_is_escaped(page: str) -> None:
    assert SCRIPT not in page
    assert html.escape(SCRIPT).split("&#")[0] in page
    assert "<Mart>" not in page
    assert "<i>soon" not in page
    assert "<b>bold" not in page
    assert len(re.findall(r"<script\b", page)) == 1


def test_long_titles_are_cut(outline: Outline) -> None:
    assert "extraordinarily " * 12 not in outline.said("en", "ko", "")
    assert "Very long extraordinarily" in outline.said("en", "ko", "")


def test_pictures_are_small_and_broken_ones_are_placeholders(page: str, outline: Outline) -> None:
    pictures = [str(value) for tag, name, value in outline.attributes if tag == "img" and name == "src"]
    assert pictures
    assert max(map(len, pictures)) < 12_000
    assert 'class="pic none"' in page
    assert "https://shop.example/p002.jpg" in outline.said("en")


def test_figures_are_those_of_the_tables(shop: Shop, outline: Outline) -> None:
    said = outline.said("en", "")
    metrics = shop.read("purchase_metrics").filter(pl.col("part").is_in(["all", "new", "repeat"]))
    main = metrics.filter(pl.col("metric") == "ndcg@10")
    for row in main.to_dicts():
        assert figure(row["value"]) in said
        assert f"[{figure(row['low'])},\u00a0{figure(row['high'])}]" in said
    events = shop.read("events", ["kind", "country"])
    bought = events.filter(pl.col("kind") == "purchase")
    assert count(events.height) in said
    assert count(bought.height) in said
    for _, number in bought.group_by("country").len().iter_rows():
        assert percent(number / bought.height) in said


def test_the_winner_is_shown_winning(tmp_path: Path, metric_rows: Callable[..., pl.DataFrame]) -> None:
    shop = Shop.create(tmp_path / "shop")
    shop.write("purchase_metrics", metric_rows(ours_first=False))
    page = build_report(shop).read_text("utf8")
    said = Outline(page).said("en")
    assert "On this shop ALS predicts the next purchases better than danggol." in said
    assert "behind" in said
    table = page[page.index('id="group-all"') :]
    assert table.index(">ALS<") < table.index(">danggol<", table.index("<tbody>"))


def test_a_reason_that_is_not_known_is_shown_as_it_is(outline: Outline) -> None:
    assert "from_the_future" in outline.said("en")
    assert "Popular in South Korea." in outline.said("en")
    assert "대한민국에서 인기 있는 상품입니다." in outline.said("ko")


def test_runs_and_rejects_are_named(shop: Shop, outline: Outline) -> None:
    said = outline.said("en", "")
    assert shop.runs()["run_id"][-1] in said
    assert "no_product" in said
    assert "3 rows could not be used" in said


def test_doctors_answers_are_there(outline: Outline) -> None:
    assert "Who will buy what next?" in outline.said("en")
    assert "누가 다음에 무엇을 살까?" in outline.said("ko")
    assert "enough" in outline.said("en")


def test_it_is_small_and_the_same_twice(shop: Shop, page: str, tmp_path: Path) -> None:
    again = build_report(shop, tmp_path / "deep" / "again.html")
    assert again.read_text("utf8") == page
    assert again.stat().st_size < 1_500_000
    assert [path.name for path in again.parent.iterdir()] == ["again.html"]


def test_an_empty_shop_says_what_to_do(tmp_path: Path) -> None:
    page = build_report(Shop.create(tmp_path / "shop")).read_text("utf8")
    said = Outline(page).said("en", "")
    assert "This shop is empty" in said
    assert "danggol import" in said


@pytest.mark.parametrize("table", ["products", "customers", "events", "recommendations", "purchase_metrics", "rejects"])
def test_any_one_table_alone_makes_a_report(shop: Shop, tmp_path: Path, table: str) -> None:
    alone = Shop.create(tmp_path / "shop")
    alone.write(table, shop.read(table))
    Outline(build_report(alone).read_text("utf8"))


def test_tables_without_rows_make_a_report(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    for table in ("products", "events", "recommendations", "purchase_metrics"):
        shop.write(table, full_frame(table).head(0))
    said = Outline(build_report(shop).read_text("utf8")).said("en")
    assert "Not in this report yet" in said


def full_frame(table: str) -> pl.DataFrame:
    """An empty frame with a table's columns."""
    from danggol.shop import SCHEMAS

    return pl.DataFrame(SCHEMAS[table].arrow.empty_table())


def test_rows_of_nothing_but_the_required_make_a_report(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    bare = pl.DataFrame({"event_id": ["a", "b"], "kind": ["purchase", "purchase"]}).with_columns(
        ts=pl.datetime(2024, 1, 1, time_unit="us", time_zone="UTC")
    )
    shop.write("events", bare)
    Outline(build_report(shop).read_text("utf8"))


def test_a_place_that_cannot_be_written_is_one_sentence(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        build_report(shop, tmp_path / "file" / "index.html")


def test_revenue_counts_what_has_a_price(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop", currency="EUR")
    bought = pl.DataFrame(
        {
            "event_id": ["a", "b", "c"],
            "kind": ["purchase"] * 3,
            "country": ["DE", "DE", "KR"],
            "price": [50.0, 40.0, None],
            "quantity": [2.0, None, 1.0],
        }
    )
    shop.write("events", bought.with_columns(ts=pl.datetime(2024, 1, 10, time_unit="us", time_zone="UTC")))
    said = Outline(build_report(shop).read_text("utf8")).said("en", "")
    assert "EUR 140" in said
    assert "66.7% of them" in said


def test_what_is_yet_to_come_is_said(outline: Outline) -> None:
    assert "This version of danggol answers 7 of the 19" in outline.said("en")
    assert "yet to come" in outline.said("en")


def test_few_customers_are_a_mark_and_one_note(page: str) -> None:
    assert page.count("&nbsp;*</span>") > 1
    assert page.count(">* Few customers or a wide interval") == 1


def test_small_figures_of_calibration_keep_their_digits(
    tmp_path: Path, metric_rows: Callable[..., pl.DataFrame]
) -> None:
    shop = Shop.create(tmp_path / "shop")
    tiny = metric_rows().with_columns(
        pl.when(pl.col("metric") == "ece").then(pl.col(name) / 100).otherwise(name).alias(name)
        for name in ("value", "low", "high")
    )
    shop.write("purchase_metrics", tiny)
    assert "[0.00010,\u00a00.00015]" in Outline(build_report(shop).read_text("utf8")).said("")


def test_a_market_without_returning_buyers_and_its_name_read_well(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop", name="Simulated market")
    once = pl.DataFrame({"event_id": ["a", "b"], "kind": ["purchase"] * 2, "customer_id": ["x", "y"]})
    shop.write("events", once.with_columns(ts=pl.datetime(2024, 1, 10, time_unit="us", time_zone="UTC")))
    outline = Outline(build_report(shop).read_text("utf8"))
    assert "No customer has bought on a second day yet." in outline.said("en")
    assert "바로 단골입니다" not in outline.said("ko")
    assert "가상 시장" in outline.said("ko")
