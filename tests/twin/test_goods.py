import io
import re

import numpy as np
import polars as pl
import pytest
from PIL import Image

from danggol.twin import MarketFile
from danggol.twin.clock import Clock
from danggol.twin.goods import BACKGROUNDS, image_path, make_goods, products_table
from danggol.twin.pictures import PALETTE, draw_pictures
from danggol.twin.titles import brand_names, query
from danggol.twin.words import CATEGORIES, COLORS, LANGUAGES, MATERIALS, PATTERNS, SEASONS, STYLES, nouns, word

SCRIPTS = {
    "ko": r"[\uac00-\ud7af]",
    "ja": r"[\u3040-\u30ff]",
    "zh": r"[\u4e00-\u9fff]",
    "en": r"[a-z]{3}",
    "de": r"[a-zäöüß]{3}",
    "fr": r"[a-zàâçéèêëîïôûù]{2}",
    "es": r"[a-záéíñóú]{2}",
}
ASIAN = r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]"


@pytest.fixture(scope="module")
def parameters():
    return MarketFile.load("default").parameters


@pytest.fixture(scope="module")
def goods(parameters):
    return make_goods(parameters, Clock.of(parameters), seed=0)


@pytest.fixture(scope="module")
def products(goods, parameters) -> pl.DataFrame:
    return pl.from_arrow(products_table(goods, parameters, 0).drop_columns(["attributes"]))


def test_titles_and_descriptions_are_in_the_script_of_their_language(products):
    assert set(products["language"]) == set(LANGUAGES)
    for row in products.iter_rows(named=True):
        for text in (row["title"], row["description"]):
            assert re.search(SCRIPTS[row["language"]], text), row
            assert not re.search(r"[{}<>]|  |,$|\bNone\b", text), row
            if row["language"] in {"en", "de", "fr", "es"}:
                assert not re.search(ASIAN, text), row
            if row["language"] == "zh":
                assert not re.search(r"[\u3040-\u30ff\uac00-\ud7af]", text), row


def test_most_titles_name_the_colour_in_their_language(goods, parameters, products):
    colors = dict(zip(goods.ids, (COLORS[color] for color in goods.color), strict=True))
    named = [
        word("color", colors[row["product_id"]], row["language"]).lower() in row["title"].lower()
        for row in products.iter_rows(named=True)
    ]
    assert np.mean(named) == pytest.approx(parameters.goods.color_in_title, abs=0.05)


def test_every_word_is_there_in_every_language():
    for kind, keys in (
        ("color", COLORS),
        ("pattern", PATTERNS),
        ("material", MATERIALS),
        ("style", STYLES),
        ("season", SEASONS),
    ):
        for key in keys:
            for language in LANGUAGES:
                assert word(kind, key, language)
    for category in CATEGORIES:
        for language in LANGUAGES:
            assert len(nouns(category, language)) == 2
        assert query(category, "th", 1) == nouns(category, "en")[1]


def test_products_are_ordered_by_category_and_ids_are_not(goods):
    assert (np.diff(goods.category) >= 0).all()
    for category in range(len(goods.starts) - 1):
        assert (goods.category[goods.starts[category] : goods.starts[category + 1]] == category).all()
    assert goods.ids.n_unique() == len(goods)
    assert not goods.ids.is_sorted()


def test_listings_are_shown_very_unequally(goods):
    for category in np.unique(goods.category):
        weight = np.sort(goods.exposure[goods.category == category])[::-1]
        assert weight[0] > 4 * np.median(weight)
        slope = np.polyfit(np.log(np.arange(1, len(weight) + 1)), np.log(weight), 1)[0]
        assert slope == pytest.approx(-0.8, abs=0.01)


def test_style_is_told_by_content_as_far_as_the_market_says(goods, parameters):
    assert goods.style.var() == pytest.approx(1.0, abs=0.25)
    columns = [np.eye(kind.max() + 1)[kind] for kind in (goods.brand, goods.color, goods.pattern, goods.material)]
    design = np.column_stack(columns)
    fitted = design @ np.linalg.lstsq(design, goods.style, rcond=None)[0]
    degrees = np.linalg.matrix_rank(design)
    left = ((goods.style - fitted) ** 2).sum(axis=0) / (len(goods) - degrees)
    assert left.mean() == pytest.approx(1 - parameters.taste.content_share, abs=0.05)


def test_brands_are_all_different_even_where_there_are_many():
    names = brand_names(3000, np.random.default_rng(0))
    assert len({name[0] for name in names}) == 3000


@pytest.fixture(scope="module")
def pictures(goods, parameters) -> dict[str, bytes]:
    return dict(draw_pictures(goods, parameters, 0))


def test_every_listing_has_its_pictures_and_no_two_are_alike_but_those_of_copies(goods, pictures):
    wanted = {
        image_path(one, place)
        for one, looks in zip(goods.ids, goods.backgrounds, strict=True)
        for place in (0, 1)
        if looks[place] >= 0
    }
    assert set(pictures) == wanted
    same = (goods.real != np.arange(len(goods))) & ~goods.picture_changed
    own = [pictures[image_path(one, 0)] for one in goods.ids.filter(~same)]
    assert len(set(own)) == len(own)
    assert max(map(len, pictures.values())) < 8000


def test_the_colour_of_a_product_is_there_to_be_seen(goods, pictures):
    palette = np.array([PALETTE[color] for color in COLORS], dtype=float)
    right = []
    for product in range(0, len(goods), 2):
        for place in (0, 1):
            if goods.backgrounds[product, place] < 0:
                continue
            pixels = np.asarray(Image.open(io.BytesIO(pictures[image_path(goods.ids[product], place)])), dtype=float)
            middle = pixels[28:76, 28:76].reshape(-1, 3)
            distance = np.linalg.norm(middle[:, None] - palette, axis=2)
            near = distance.argmin(axis=1)[distance.min(axis=1) < 45]
            right.append(goods.color[product] in np.unique(near) and (near == goods.color[product]).sum() > 60)
    assert np.mean(right) > 0.97


def test_the_background_is_there_to_be_seen(goods, pictures):
    edges: dict[int, list[np.ndarray]] = {kind: [] for kind in range(len(BACKGROUNDS))}
    for product in range(0, len(goods), 3):
        if goods.picture_changed[product]:
            continue
        picture = Image.open(io.BytesIO(pictures[image_path(goods.ids[product], 0)]))
        edges[int(goods.backgrounds[product, 0])].append(np.asarray(picture, dtype=float)[90:, :4].mean(axis=(0, 1)))
    centres = np.array([np.mean(edges[kind], axis=0) for kind in edges])
    for kind, seen in edges.items():
        nearest = [np.linalg.norm(centres - one, axis=1).argmin() for one in seen]
        assert np.mean(np.array(nearest) == kind) > 0.97
