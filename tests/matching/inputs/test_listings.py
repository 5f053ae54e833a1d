"""What comes in: columns of any type that a table may have, and what is said of those that cannot be used."""

import io

import numpy as np
import polars as pl
import pytest
from tests.matching.made import market

from danggol.errors import DataError, UsageError
from danggol.matching import Listings, Matcher


def test_numbers_read_from_a_file_are_texts() -> None:
    file = io.StringIO(
        "product_id,title,image_phash,price,brand\n10,2024,8765432100000001,5,7\n9,1984,17,,\n11,,,3,8\n"
    )
    listings = Listings.from_frame(pl.read_csv(file))
    assert listings.ids.tolist() == ["10", "11", "9"]
    assert listings.titles == ["2024", None, "1984"]
    assert listings.brands == ["7", "8", None]
    assert listings.hashes.tolist() == [0x8765432100000001, 0, 0x17]
    assert Matcher().predict(listings).frame().height == 3


def test_prices_written_as_text_are_numbers() -> None:
    frame = pl.DataFrame({"product_id": ["a", "b"], "price": ["3.5", None]})
    assert Listings.from_frame(frame).prices[0] == 3.5
    with pytest.raises(DataError, match="price"):
        Listings.from_frame(frame.with_columns(price=pl.lit("cheap")))


def test_label_groups_are_found_by_whole_numbers_too() -> None:
    listings, groups = market(products=30)
    row = {name: nth for nth, name in enumerate(listings.ids.tolist())}
    whole = Listings.of([100 + nth for nth in row.values()], listings.titles)
    labels = {100 + nth: groups[name] for name, nth in row.items()}
    assert Matcher(rounds=5, leaves=3, trials=2).fit(whole, labels).figures["row_f1"] > 0.5


def test_titles_that_are_missing_in_any_way_are_none() -> None:
    listings = Listings.of(["a", "b", "c"], [None, float("nan"), "kaos"], ["", float("nan"), None])
    assert listings.titles == [None, None, "kaos"]
    assert not listings.hashes.any()
    assert Matcher().predict(listings).frame().height == 3


@pytest.mark.parametrize("name", ["words", "characters", "hash", "details", "looks"])
def test_vectors_do_not_take_the_name_of_other_evidence(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name!r}.*image"):
        Listings.of(["a"], vectors={name: np.ones((1, 3))})


def test_vectors_that_are_none_are_told() -> None:
    with pytest.raises(DataError, match=r"image.*rows"):
        Listings.of(["a"], vectors={"image": np.ones(1)})
    with pytest.raises(DataError, match=r"image.*not a number"):
        Listings.of(["a", "b"], vectors={"image": np.array([[1, np.nan], [1, 0]])})


def test_new_listings_with_vectors_of_another_width_are_told() -> None:
    first, second = (Listings.of([name], vectors={"image": np.ones((1, size))}) for name, size in (("a", 3), ("b", 4)))
    with pytest.raises(DataError, match=r"'image' of the new listings.*4.*3"):
        first.extended(second)
    state = Matcher().match(first)
    with pytest.raises(DataError, match="'image' of the new listings"):
        Matcher().join(state, second)
