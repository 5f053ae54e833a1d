"""The report's section on listings of the same product."""

from __future__ import annotations

from pathlib import Path

from danggol.report import build_report
from danggol.report.pictures import Pictures
from danggol.report.sections import same
from danggol.shop import Shop


def test_groups_are_counted_and_shown(shop: Shop) -> None:
    found = same.gather(shop, Pictures(shop))
    assert found is not None
    assert (found.listings, found.products, found.grouped) == (40, 33, 9)
    assert found.sizes == [(2, 1), (7, 1)]
    assert [(group.listings, group.similarity, len(group.goods)) for group in found.groups] == [
        (7, 0.75, 6),
        (2, 0.6, 2),
    ]


def test_the_page_tells_them(shop: Shop) -> None:
    page = build_report(shop).read_text("utf8")
    assert 'id="same"' in page
    assert 'href="#same"' in page


def test_a_shop_that_was_not_matched_has_no_section(tmp_path: Path) -> None:
    shop = Shop.create(tmp_path / "shop")
    assert same.gather(shop, Pictures(shop)) is None
    assert 'id="same"' not in build_report(shop).read_text("utf8")
