"""Finding pictures by text and by picture, on a made-up catalogue."""

from pathlib import Path

import numpy as np
import pytest
from tests.matching.catalogue.made import COLOURS, SHAPES, SMALL, catalogue

from danggol.encoders.convolution import PictureEncoder, read_pixels
from danggol.errors import DataError, UsageError
from danggol.matching.catalogue.items import Items
from danggol.matching.catalogue.retrieval import PictureSearch, ranks
from danggol.matching.catalogue.settings import AttributeSettings
from danggol.matching.catalogue.title_model import TitleModel


@pytest.fixture(scope="module")
def search() -> PictureSearch:
    items, labels = catalogue(400)
    pixels, _ = read_pixels(items.pictures, SMALL)
    codes = {
        "colour": np.array([list(COLOURS).index(one) for one in labels["colour"]]),
        "shape": np.array([SHAPES.index(one) for one in labels["shape"]]),
    }
    encoder = PictureEncoder(SMALL.model_copy(update={"words": 0}))
    encoder.fit(pixels, codes, {"colour": 3, "shape": 2})
    return PictureSearch(encoder, width=32, output=16, epochs=20, batch_size=64).learn(items)


def test_a_text_finds_pictures_of_what_it_says(search: PictureSearch, tmp_path: Path) -> None:
    items, labels = catalogue(150, seed=1)
    truth = dict(zip(items.ids, labels.select("colour", "shape").rows(), strict=True))
    queries = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    found = search.find([" ".join(one) for one in queries], items, top=5)
    assert found.columns == ["query", "rank", "product_id", "similarity"]
    hits = [truth[row["product_id"]] == queries[row["query"]] for row in found.iter_rows(named=True)]
    assert len(hits) == 30
    assert np.mean(hits) > 0.8
    search.save(tmp_path / "search")
    again = PictureSearch.load(tmp_path / "search")
    assert again.find(["red disc"], items).equals(search.find(["red disc"], items))
    (tmp_path / "search" / "space.safetensors").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        PictureSearch.load(tmp_path / "search")


def test_attributes_that_a_text_is_thought_to_have_count_besides(search: PictureSearch, tmp_path: Path) -> None:
    items, labels = catalogue(400)
    codes = {"colour": np.array([list(COLOURS).index(one) for one in labels["colour"]])}
    titles = TitleModel(AttributeSettings())
    told = [str(title) for title in items.titles]
    titles.fit(told, titles.read(told).rows(told), codes, {"colour": 3})
    both = PictureSearch(search.encoder, titles, **search.settings.model_dump()).learn(items)
    shown, truth = catalogue(150, seed=1)
    found = both.find(list(COLOURS), shown, top=10)
    colour = dict(zip(shown.ids, truth["colour"], strict=True))
    hits = [colour[row["product_id"]] == list(COLOURS)[row["query"]] for row in found.iter_rows(named=True)]
    assert np.mean(hits) > 0.95
    assert found["similarity"].max() <= 1  # type: ignore[operator]
    both.save(tmp_path / "search")
    again = PictureSearch.load(tmp_path / "search")
    assert again.find(["red disc"], shown).equals(both.find(["red disc"], shown))
    (tmp_path / "search" / "titles.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match="damaged"):
        PictureSearch.load(tmp_path / "search")


def test_a_picture_finds_pictures_like_it_itself_first(search: PictureSearch) -> None:
    items, labels = catalogue(100, seed=2)
    pictures = [*items.pictures[:30], b"broken", None]
    found = search.similar(pictures, items, top=3)
    assert found["query"].unique().sort().to_list() == list(range(30))
    first = found.filter(rank=0).sort("query")
    assert first["product_id"].to_list() == items.ids[:30]
    second = found.filter(rank=1).sort("query")["product_id"].to_list()
    colour = dict(zip(items.ids, labels["colour"], strict=True))
    assert np.mean([colour[one] == labels["colour"][nth] for nth, one in enumerate(second)]) > 0.9


def test_listings_without_a_readable_picture_are_never_found(search: PictureSearch) -> None:
    items, _ = catalogue(20, seed=3)
    shown = Items(items.ids, items.titles, [None, b"broken", *items.pictures[2:]])
    found = search.find(["red disc"], shown, top=50)
    assert found.height == 18
    assert not set(found["product_id"]) & set(items.ids[:2])


def test_ranks_are_those_of_a_plain_sort() -> None:
    draw = np.random.default_rng(0)
    one, two = (draw.normal(size=(50, 4)).astype(np.float32) for _ in range(2))
    plain = [(-(row @ two.T)).argsort().tolist().index(nth) for nth, row in enumerate(one)]
    assert ranks(one, two).tolist() == plain
    assert ranks(np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32)).tolist() == [1, 1, 1, 1]


def test_too_few_listings_are_refused(search: PictureSearch) -> None:
    items, _ = catalogue(20)
    with pytest.raises(DataError, match="50 or more"):
        PictureSearch(search.encoder).learn(items)
    with pytest.raises(UsageError, match="learn"):
        PictureSearch(search.encoder).find(["x"], items)
