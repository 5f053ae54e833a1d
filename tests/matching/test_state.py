"""What was matched is kept: the next run looks only at new listings, and matches all anew where others changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.matching.made import market

from danggol.errors import DataError, UsageError
from danggol.matching import Matcher
from danggol.matching.state import read_state, write_state
from danggol.matching.verbs import against, match, why
from danggol.shop import Shop

_NEW = 6


@pytest.fixture
def table() -> pl.DataFrame:
    listings, _ = market(products=40)
    return pl.DataFrame({"product_id": listings.ids, "title": listings.titles}).sample(
        fraction=1.0, shuffle=True, seed=1
    )


@pytest.fixture
def shop(tmp_path: Path, table: pl.DataFrame) -> Shop:
    made = Shop.create(tmp_path / "shop")
    made.write("products", table.head(-_NEW))
    assert match(made)["joined"] is None
    return made


def groups(shop: Shop) -> list[set[str]]:
    held = shop.read("product_groups").group_by("group_id").agg("product_id")["product_id"].to_list()
    return sorted((set(one) for one in held), key=sorted)


def test_new_listings_join_and_get_the_groups_of_all_at_once(shop: Shop, table: pl.DataFrame) -> None:
    before = dict(shop.read("product_groups").select("product_id", "group_id").rows())
    shop.write("products", table)
    assert match(shop)["joined"] == _NEW
    joined = groups(shop)
    assert before.items() <= dict(shop.read("product_groups").select("product_id", "group_id").rows()).items()
    assert not shop.check()
    assert match(shop)["joined"] == 0
    assert groups(shop) == joined
    assert match(shop, anew=True)["joined"] is None
    assert groups(shop) == joined


@pytest.mark.parametrize("what", ["gone", "changed", "many"])
def test_all_are_matched_anew_where_more_than_a_few_new_ones_differ(shop: Shop, table: pl.DataFrame, what: str) -> None:
    held = table.head(-_NEW)
    if what == "gone":
        held = held.tail(-1)
    elif what == "changed":
        held = held.with_columns(
            pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("x")).otherwise("title").alias("title")
        )
    else:
        more = held.head(20).with_columns(product_id="again-" + pl.col("product_id"))
        held = pl.concat([held, more])
    shop.write("products", held)
    assert match(shop)["joined"] is None


def test_a_state_that_cannot_be_read_or_is_another_matchers_is_not_used(tmp_path: Path) -> None:
    listings, _ = market(products=20)
    matcher = Matcher()
    state = matcher.match(listings)
    write_state(tmp_path / "state", matcher, state)
    again = read_state(tmp_path / "state", matcher, listings)
    assert again is not None
    assert again.matches.frame().equals(state.matches.frame())
    assert again.matches.groups().equals(state.matches.groups())
    assert read_state(tmp_path / "state", Matcher(candidates=5), listings) is None
    assert read_state(tmp_path / "nowhere", matcher, listings) is None
    (tmp_path / "state" / "state.safetensors").write_bytes(b"damaged")
    assert read_state(tmp_path / "state", matcher, listings) is None


def test_a_joined_state_is_read_as_it_was(tmp_path: Path) -> None:
    listings, _ = market(products=30)
    late = np.isin(listings.ids, ["p003-1", "p010-0", "p029-2"])
    matcher = Matcher()
    state = matcher.match(listings.take(np.flatnonzero(~late)))
    state = matcher.join(state, listings.take(np.flatnonzero(late)))
    write_state(tmp_path / "state", matcher, state)
    again = read_state(tmp_path / "state", matcher, listings)
    assert again is not None
    assert again.matches.frame().equals(state.matches.frame())
    assert again.evidence.listings.ids.tolist() == state.evidence.listings.ids.tolist()


def test_why_reads_what_match_found(shop: Shop) -> None:
    first, second = shop.read("product_matches").filter(pl.col("rank") == 1).row(0)[:2]
    assert why(shop, first, second)["matched"]


def test_a_file_is_matched_against_the_shop(shop: Shop, table: pl.DataFrame, tmp_path: Path) -> None:
    before = shop.read("product_groups")
    offered = tmp_path / "supplier.csv"
    new = table.tail(_NEW)
    held = new["product_id"].str.slice(0, 4)
    pl.concat([new, pl.DataFrame({"product_id": ["zz"], "title": ["nothing like it"]})]).write_csv(offered)
    found, told = against(shop, offered)
    best = found.filter(pl.col("rank") == 1)
    assert told["listings"] == _NEW + 1
    assert set(best["listing"]) <= set(new["product_id"])
    assert best.height >= _NEW - 1
    assert set(best["product_id"].str.slice(0, 4)) <= set(held)
    assert (best["listing"].str.slice(0, 4) == best["product_id"].str.slice(0, 4)).all()
    assert shop.read("product_groups").equals(before)
    assert match(shop)["joined"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title\nx\n", "needs the column product_id"),
        ("product_id\nx\n", "needs a column title"),
        ("product_id,title\n", "no listings"),
        ("product_id,title\na,b\na,c\n", "there twice"),
        (",title\n,c\n", "needs the column product_id"),
        ("product_id,title\n,c\n", "have no product_id"),
    ],
)
def test_a_file_that_cannot_be_matched_is_said_in_a_sentence(shop: Shop, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        against(shop, path)


def test_there_must_be_a_file(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is nothing"):
        against(shop, tmp_path / "lost.csv")


def test_why_and_a_file_leave_what_match_kept_alone(shop: Shop, table: pl.DataFrame, tmp_path: Path) -> None:
    offered = tmp_path / "supplier.csv"
    table.tail(_NEW).write_csv(offered)
    shop.write("products", table)
    first, second = table["product_id"].head(2).to_list()
    why(shop, first, second)
    against(shop, offered)
    assert match(shop)["joined"] == _NEW


def test_groups_that_were_renamed_in_the_table_keep_their_names(shop: Shop) -> None:
    groups = shop.read("product_groups")
    renamed = groups.with_columns(group_id="mine-" + pl.col("group_id"))
    shop.write("product_groups", renamed)
    assert match(shop)["joined"] is None
    found = shop.read("product_groups")
    assert sorted(found["group_id"].unique()) == sorted(renamed["group_id"].unique())


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"product_id": ["a"], "title": ["x"], "price": ["cheap"]}, r"odd\.parquet: a price"),
        ({"product_id": ["a"], "image": ["x.png"]}, "the shop has no pictures"),
    ],
)
def test_columns_of_odd_types_are_said_in_a_sentence(
    shop: Shop, tmp_path: Path, columns: dict[str, list[object]], said: str
) -> None:
    path = tmp_path / "odd.parquet"
    pl.DataFrame(columns).write_parquet(path)
    with pytest.raises(DataError, match=said):
        against(shop, path)


def test_a_file_of_another_form_is_read_as_an_import_reads_it(shop: Shop, table: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "offered.tsv"
    path.write_bytes(table.head(3).write_csv(separator=";").encode("utf-16"))
    assert against(shop, path)[1]["matched"] == 3


def test_prices_with_commas_and_ids_of_the_shop_are_read(shop: Shop, table: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "offered.csv"
    one = table.head(3).with_columns(price=pl.lit(" 12,900 "), image=pl.lit("/etc/passwd"))
    one.write_csv(path)
    found, told = against(shop, path)
    assert told["matched"] == 3
    assert (found.filter(pl.col("rank") == 1)["similarity"] > 0.9).all()
