import io

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps

from danggol.twin import MarketFile
from danggol.twin.clock import Clock
from danggol.twin.copies import CHANGES, changed_picture
from danggol.twin.goods import image_path, make_goods, products_table
from danggol.twin.pictures import draw_pictures


def _with(share: float, **other):
    parameters = MarketFile.load("default").parameters
    copies = parameters.copies.model_copy(update={"share": share, **other})
    return parameters.model_copy(update={"copies": copies})


def _make(parameters, seed=0):
    return make_goods(parameters, Clock.of(parameters), seed)


@pytest.fixture(scope="module")
def parameters():
    return _with(0.4)


@pytest.fixture(scope="module")
def goods(parameters):
    return _make(parameters)


@pytest.fixture(scope="module")
def copy(goods):
    return np.flatnonzero(goods.real != np.arange(len(goods)))


@pytest.fixture(scope="module")
def products(goods, parameters) -> pl.DataFrame:
    table = pl.from_arrow(products_table(goods, parameters, 0).drop_columns(["attributes"]))
    return pl.DataFrame({"product_id": goods.ids}).join(table, on="product_id", how="left", maintain_order="left")


@pytest.mark.parametrize("share", [0.0, 0.12, 0.8])
def test_the_share_of_copies_is_what_the_market_says(share):
    goods = _make(_with(share))
    copies = goods.real != np.arange(len(goods))
    assert copies.mean() == pytest.approx(share, abs=0.005)
    assert (goods.real[goods.real] == goods.real).all(), "an original is no copy"
    assert (goods.picture_changed <= copies).all()


def test_most_copied_products_have_one_copy_and_few_have_four():
    goods = _make(_with(0.2))
    listings = np.bincount(goods.real, minlength=len(goods))
    counts = np.bincount(listings[listings > 0] - 1)
    assert len(counts) <= 5
    assert counts[1] > 2 * counts[2:].sum() > 0


def test_copies_are_the_same_product_listed_later(goods, copy):
    first = goods.real[copy]
    for name in ("category", "brand", "standing", "origin", "color", "pattern", "material", "shape", "backgrounds"):
        assert (getattr(goods, name)[copy] == getattr(goods, name)[first]).all(), name
    for name in ("style", "quality", "cycle"):
        assert (getattr(goods, name)[copy] == getattr(goods, name)[first]).all(), name
    assert np.abs(goods.rating[copy] - goods.rating[first]).max() < 0.25
    assert (goods.listed_at[copy] > goods.listed_at[first]).all()
    assert (goods.listed_week[copy] >= goods.listed_week[first]).all()
    assert (goods.exposure[copy] != goods.exposure[first]).all()


def test_listings_that_are_no_copies_of_one_another_differ_in_style(goods):
    looks = np.unique(goods.style, axis=0)
    assert len(looks) == len(np.unique(goods.real))


def test_copies_leave_the_order_by_category_ids_and_exposure_as_they_must_be(goods):
    assert (np.diff(goods.category) >= 0).all()
    assert (np.bincount(goods.category, minlength=len(goods.starts) - 1) == np.diff(goods.starts)).all()
    assert goods.ids.n_unique() == len(goods)
    for kind in np.unique(goods.category):
        weight = np.sort(goods.exposure[goods.category == kind])[::-1]
        assert weight / weight[0] == pytest.approx(np.arange(1, len(weight) + 1) ** -0.8)


def test_without_copies_the_goods_are_what_they_are_with_them_but_for_the_copies(goods, copy):
    plain = _make(_with(0.0))
    own = np.setdiff1d(np.arange(len(goods)), copy)
    for name in ("brand", "style", "quality", "rating", "price_usd", "seller", "language", "listed_at", "backgrounds"):
        assert (getattr(plain, name)[own] == getattr(goods, name)[own]).all(), name
    assert (plain.ids == goods.ids).all()


def test_copies_have_other_prices_sellers_and_languages_as_often_as_the_market_says(goods, copy, parameters):
    settings, first = parameters.copies, goods.real[copy]
    apart = np.log(goods.price_usd[copy] / goods.price_usd[first])
    assert apart.std() == pytest.approx(settings.price_sd, rel=0.15)
    assert abs(apart.mean()) < 0.03
    assert (goods.seller[copy] == goods.seller[first]).mean() == pytest.approx(settings.same_seller, abs=0.07)
    other = (goods.language[copy] != goods.language[first]).mean()
    assert other == pytest.approx(settings.other_language, abs=0.07)
    assert goods.seller.max() < parameters.goods.sellers
    assert set(goods.language) <= set(parameters.goods.title_languages)


def test_copies_have_other_titles_and_descriptions(goods, copy, products):
    first = goods.real[copy]
    for name in ("title", "description"):
        told = products[name].to_numpy()
        assert (told[copy] != told[first]).all(), name
    titles = " ".join(products["title"].gather(copy))
    for said in ("정품", "무료배송", "[특가]", "NEW", "100% authentic", "送料無料"):
        assert said in titles
        assert said not in " ".join(products["title"].gather(np.unique(goods.real)))


def test_a_single_seller_with_a_single_language_can_still_copy():
    market = _with(0.3, other_language=1.0, same_seller=0.0)
    settings = market.goods.model_copy(update={"sellers": 1, "title_languages": {"ko": 1.0, "en": 0.0}})
    goods = _make(market.model_copy(update={"goods": settings}))
    assert set(goods.seller) == {0}
    assert set(goods.language) == {"ko"}


def _seen(picture: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(picture)).convert("RGB").resize((8, 8), Image.Resampling.BOX)
    pixels = np.asarray(image, dtype=float)
    return np.stack([pixels, np.asarray(ImageOps.mirror(image), dtype=float)])


def _distance(one: bytes, other: bytes) -> float:
    """Between small versions of two pictures, either way round, in grey levels, apart from brightness."""
    there, here = _seen(one), _seen(other)[0]
    return float(min(np.abs((a - a.mean()) - (here - here.mean())).mean() for a in there))


def test_changed_pictures_are_other_files_that_look_alike_and_the_others_are_the_very_same(goods, copy, parameters):
    pictures = dict(draw_pictures(goods, parameters, 0))
    near = []
    for product in copy[:300].tolist():
        first = int(goods.real[product])
        for place in (0, 1):
            if goods.backgrounds[product, place] < 0:
                continue
            one, other = (pictures[image_path(goods.ids[which], place)] for which in (product, first))
            if goods.picture_changed[product]:
                assert one != other
                near.append(_distance(one, other))
            else:
                assert one == other
    far = [
        _distance(pictures[image_path(goods.ids[a], 0)], pictures[image_path(goods.ids[b], 0)])
        for a, b in zip(range(0, 300), range(600, 900), strict=True)
        if goods.real[a] != goods.real[b]
    ]
    assert np.median(near) < 0.25 * np.median(far)
    assert np.quantile(near, 0.95) < np.quantile(far, 0.1)
    changed = goods.picture_changed[copy].mean()
    assert changed == pytest.approx(parameters.copies.picture_changed, abs=0.07)


def test_every_change_of_a_picture_can_be_opened_and_keeps_its_size(goods, parameters):
    _, picture = next(draw_pictures(goods, parameters, 0))
    made = {
        changed_picture(picture, np.array([(kind + 0.5) / len(CHANGES), 0.9, 0.5, 0.5, 0.5, 0.5]))
        for kind in range(len(CHANGES))
    }
    assert len(made) == len(CHANGES)
    for one in made:
        assert Image.open(io.BytesIO(one)).size == (96, 96)
        assert len(one) < 8000


def test_the_same_seed_gives_the_same_copies(goods, parameters):
    again, other = _make(parameters), _make(parameters, seed=1)
    for name in ("real", "seller", "price_usd", "rating", "language", "picture_changed"):
        assert (getattr(again, name) == getattr(goods, name)).all(), name
    assert (other.real != goods.real).any()
    first, second = (products_table(one, parameters, 0) for one in (goods, again))
    assert first.equals(second)
