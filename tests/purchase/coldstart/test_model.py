"""New listings: taste is carried by content, nobody is left out, and what is missing does no harm."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from danggol.errors import DataError, UsageError
from danggol.purchase.coldstart import ColdItemModel, ColdSettings
from danggol.purchase.coldstart.blend import fit_weights
from danggol.purchase.coldstart.content import ContentSpace, Field, bell

MAKERS, KNOWN, NEW, CUSTOMERS = 6, 120, 24, 240
FIELDS = (
    Field(column="title", kind="words"),
    Field(column="maker", kind="names"),
    Field(column="price", kind="number", width=2.0),
    Field(column="picture", kind="picture", weight=0.5),
)


def picture(hue: int) -> bytes:
    held = io.BytesIO()
    Image.new("HSV", (30, 45), (hue, 200, 200)).convert("RGB").save(held, "PNG")
    return held.getvalue()


def made_up(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Each customer likes one maker; women like red pictures, men blue ones; everybody meets other things too."""
    rng = np.random.default_rng(seed)
    maker, red = rng.integers(MAKERS, size=KNOWN + NEW), rng.random(KNOWN + NEW) < 0.5
    items = pl.DataFrame(
        {
            "product_id": [f"p{nth:03d}" for nth in range(KNOWN + NEW)],
            "title": [f"a fine thing number {nth} from house {one}" for nth, one in enumerate(maker)],
            "maker": [f"Maker {one}" for one in maker],
            "price": rng.normal(10, 2, KNOWN + NEW),
            "picture": [picture((5 if one else 160) + int(rng.integers(8))) for one in red],
            "red": red,
            "house": maker,
        }
    )
    woman, taste = rng.random(CUSTOMERS) < 0.5, rng.integers(MAKERS, size=CUSTOMERS)
    people = pl.DataFrame(
        {
            "customer_id": [f"c{nth:03d}" for nth in range(CUSTOMERS)],
            "gender": np.where(woman, "F", "M"),
            "age": rng.integers(18, 70, CUSTOMERS),
            "taste": taste,
        }
    )
    chance = 0.05 + 0.25 * (maker == taste[:, None]) + 0.25 * (red == woman[:, None])
    customer, product = np.nonzero(rng.random(chance.shape) < 0.4)
    rows = pl.DataFrame({"customer_id": people["customer_id"].gather(customer), "at": product}).with_columns(
        product_id=items["product_id"].gather(product),
        liked=pl.Series(rng.random(len(product)) < chance[customer, product] * 2),
    )
    return rows, items, people


@pytest.fixture(scope="module")
def market() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return made_up()


@pytest.fixture(scope="module")
def model(market: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> ColdItemModel:
    rows, items, people = market
    return ColdItemModel(ColdSettings(fields=FIELDS)).fit(
        rows.filter(pl.col("at") < KNOWN).drop("at"), items.head(KNOWN).drop("red", "house"), people.drop("taste")
    )


def found(model: ColdItemModel, new: pl.DataFrame, people: pl.DataFrame) -> tuple[float, float]:
    """By how many standard deviations a new listing of the liked maker, and of the liked colour, is above others."""
    scores = model.score(new, people["customer_id"])
    scores = (scores - scores.mean(axis=1, keepdims=True)) / (scores.std(axis=1, keepdims=True) + 1e-9)
    maker = new["house"].to_numpy() == people["taste"].to_numpy()[:, None]
    colour = new["red"].to_numpy() == (people["gender"] == "F").to_numpy()[:, None]
    return float(scores[maker].mean() - scores[~maker].mean()), float(scores[colour].mean() - scores[~colour].mean())


def test_taste_is_carried_to_new_listings(model: ColdItemModel, market) -> None:
    _, items, people = market
    maker, colour = found(model, items.tail(NEW), people)
    assert maker > 0.4
    assert colour > 0.4


def test_each_modality_carries_what_it_knows(model: ColdItemModel, market) -> None:
    _, items, people = market
    new = items.tail(NEW)
    maker, colour = found(model.with_only(["text", "behaviour"]), new, people)
    assert maker > 0.7
    assert abs(colour) < 0.3, "no text tells of colours"
    maker, colour = found(model.with_only(["image", "people"]), new, people)
    assert colour > 0.7
    assert abs(maker) < 0.3, "no picture tells of makers"
    assert not model.with_only(["behaviour", "people"]).score(new).any(), "without content all new listings are alike"


def test_a_stranger_gets_what_people_of_the_kind_like(model: ColdItemModel, market) -> None:
    _, items, _ = market
    new = items.tail(NEW)
    asked = pl.Series(["nobody", "c000"])
    scores = model.score(new, asked)
    assert np.isfinite(scores).all()
    assert scores[0].std() > 0
    kinds = pl.DataFrame({"customer_id": ["w", "m"], "gender": ["F", "M"], "age": [30, 30]})
    told = ColdItemModel(model.settings).fit(model.rows, model.items, pl.concat([model.people, kinds], how="diagonal"))
    woman, man = told.score(new, pl.Series(["w", "m"]))
    red = new["red"].to_numpy()
    assert (woman - man)[red].mean() > (woman - man)[~red].mean()


def test_scores_do_not_depend_on_the_listings_beside(model: ColdItemModel, market) -> None:
    _, items, people = market
    new = items.tail(NEW)
    together = model.score(new, people["customer_id"])
    alone = model.score(new.head(1), people["customer_id"])
    np.testing.assert_allclose(together[:, 0], alone[:, 0], rtol=1e-3, atol=1e-4)


def test_missing_content_is_no_error(model: ColdItemModel, market) -> None:
    _, items, people = market
    bare = items.tail(NEW).with_columns(title=pl.lit(None, pl.String), picture=pl.lit(b"no picture"))
    maker, _ = found(model, bare, people)
    assert maker > 0.5, "the maker is still known"


def test_a_saved_model_says_the_same(model: ColdItemModel, market, tmp_path: Path) -> None:
    _, items, people = market
    model.save(tmp_path / "cold")
    again = ColdItemModel.load(tmp_path / "cold")
    asked = pl.concat([people["customer_id"].head(5), pl.Series(["nobody"])])
    assert again.predict(items.tail(NEW), asked, top=3).equals(model.predict(items.tail(NEW), asked, top=3))
    with pytest.raises(UsageError, match="weighed anew"):
        again.with_only(["text"])


@pytest.mark.parametrize("part", ["rows.parquet", "items.parquet", "people.parquet", "config.json"])
def test_a_damaged_model_is_said(model: ColdItemModel, tmp_path: Path, part: str) -> None:
    model.save(tmp_path / "cold")
    path = tmp_path / "cold" / part
    if part == "config.json":
        path.write_text(path.read_text().replace('"stranger_weights"', '"other"'))
    else:
        path.write_bytes(b"no table")
    with pytest.raises(DataError, match=r"is damaged .*; train it again"):
        ColdItemModel.load(tmp_path / "cold")


def test_rows_without_a_customer_are_nobody(market) -> None:
    rows, items, _ = market
    settings = ColdSettings(fields=FIELDS[1:2])
    odd = rows.head(400).with_columns(customer_id=pl.lit(None, pl.String))
    odd = pl.concat([odd, rows.head(3).with_columns(product_id=pl.lit(None, pl.String))])
    plain, mixed = (ColdItemModel(settings).fit(some, items) for some in (rows, pl.concat([rows, odd])))
    assert mixed.customers.equals(plain.customers)
    np.testing.assert_array_equal(mixed.score(items.tail(2)), plain.score(items.tail(2)))


def test_predict_gives_a_list_for_each_customer(model: ColdItemModel, market) -> None:
    _, items, people = market
    table = model.predict(items.tail(NEW), people["customer_id"].head(4), top=5)
    assert table.columns == ["customer_id", "product_id", "score", "rank"]
    assert table.group_by("customer_id").len()["len"].to_list() == [5] * 4
    assert set(table["product_id"]) <= set(items.tail(NEW)["product_id"])


def test_wrong_input_is_one_clear_sentence(model: ColdItemModel, market) -> None:
    rows, items, people = market
    with pytest.raises(DataError, match="column maker"):
        model.score(items.tail(3).drop("maker"))
    with pytest.raises(DataError, match="at least 10"):
        ColdItemModel(model.settings).fit(rows, items.head(3), people)
    with pytest.raises(DataError, match="no column customer_id"):
        ColdItemModel(model.settings).fit(rows.drop("customer_id"), items)
    with pytest.raises(UsageError, match="unknown modality smell"):
        ColdSettings(fields=FIELDS, only=("smell",))
    with pytest.raises(UsageError, match="unknown modality txt"):
        model.with_only(["txt"])
    for wrong in (lambda: model.with_only("text"), lambda: ColdSettings(fields=FIELDS, only="text")):
        with pytest.raises(UsageError, match=r"not the one text 'text'; give \['text'\]"):
            wrong()


def test_weights_find_the_score_that_tells() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(100, 30)).astype(np.float32)
    likes = (truth > 1).astype(np.float32)
    scores = np.stack([truth, rng.normal(size=truth.shape).astype(np.float32), -truth])
    weights = fit_weights([(scores, likes)])
    assert weights[0] > 1
    assert weights[2] == 0
    assert weights[1] < 0.1 * weights[0]


def test_scores_that_tell_nothing_share_and_flat_ones_are_left_out() -> None:
    likes = np.eye(4, 8, dtype=np.float32)
    scores = np.stack([-likes, 5 + 0 * likes, -2 * likes])
    weights = fit_weights([(scores, likes)])
    assert weights[1] == 0
    assert weights[0] == pytest.approx(2 * weights[2], rel=1e-4)
    assert weights[0] > 0


def test_alikeness_counts_words_names_and_numbers() -> None:
    items = pl.DataFrame(
        {
            "plot": ["ship storm island", "ship storm harbour", "court trial judge", "court trial verdict", None],
            "by": ["Ann Lee, Bo Ek", "Bo Ek", "Ann", "", None],
            "year": [1990, 1991, None, 1990, 1960],
        }
    )
    fields = [Field(column="plot", kind="words"), Field(column="by", kind="names"), Field(column="year", kind="number")]
    space = ContentSpace(fields, facts=0).fit(items)
    pages = space.read(items)
    alike = space.alike(pages, pages)
    assert alike["plot"][0, 1] > 0.9, "words of one listing only are not learnt"
    assert alike["plot"][0, 2] == 0
    assert alike["by"][0, 1] > 0.3
    assert alike["by"][0, 2] == 0, "names are whole"
    assert alike["year"][0, 3] == pytest.approx(1)
    assert (alike["year"][2] == 0).all()
    assert not any(np.isnan(one).any() for one in alike.values())


def test_common_words_are_left_out_or_kept() -> None:
    items = pl.DataFrame({"title": [f"shirt {'red' if nth % 10 == 0 else nth // 2}" for nth in range(40)]})
    kept, left = (Field(column="title", kind="words", common=share) for share in (1.0, 0.1))
    for field, alike in ((kept, True), (left, False)):
        space = ContentSpace([field], facts=0).fit(items)
        pages = space.read(items)
        assert bool(space.alike(pages, pages)["title"][2, 8] > 0) is alike


def test_pictures_alone_are_enough_to_be_read() -> None:
    items = pl.DataFrame({"picture": [picture(5), picture(160), None, picture(6)]})
    space = ContentSpace([Field(column="picture", kind="picture")]).fit(items)
    pages = space.read(items)
    alike = space.alike(pages, pages)
    assert list(alike) == ["image"]
    assert alike["image"][0, 3] > alike["image"][0, 1]
    assert (alike["image"][2] == 0).all()
    with pytest.raises(UsageError, match="no field"):
        ContentSpace([])


def test_bell_is_the_formula() -> None:
    left, right = np.array([[0.0, 1.0]], np.float32), np.array([[2.0, 1.0], [np.nan, 1.0]], np.float32)
    np.testing.assert_allclose(bell(left, right), [[np.exp(-1.0), 0.0]], rtol=1e-6)


def test_large_numbers_that_lie_close_are_told_apart() -> None:
    fields = [Field(column="price", kind="number", width=5.0)]
    items = pl.DataFrame({"price": [59_900, 59_905, 1_290_000_005, 1_290_000_010]})
    space = ContentSpace(fields, facts=0).fit(items)
    pages = space.read(items)
    alike = space.alike(pages, pages)["price"]
    assert alike[0, 1] == pytest.approx(np.exp(-0.5), abs=1e-4)
    assert alike[2, 3] == pytest.approx(np.exp(-0.5), abs=1e-4)
    assert alike[0, 2] == 0


def test_high_prices_can_be_learnt_from() -> None:
    rng = np.random.default_rng(0)
    price = 1_290_000 + rng.integers(0, 60, 60)
    items = pl.DataFrame({"product_id": [f"p{nth}" for nth in range(60)], "price": price})
    customer, product = np.nonzero(rng.random((30, 60)) < 0.3)
    rows = pl.DataFrame({"customer_id": customer, "product_id": items["product_id"].gather(product)})
    fields = (Field(column="price", kind="number", width=5.0),)
    model = ColdItemModel(ColdSettings(fields=fields)).fit(rows, items)
    assert np.isfinite(model.score(items.head(3))).all()
