import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.matching.made import market

from danggol.encoders.pictures import read
from danggol.errors import DataError, UsageError
from danggol.matching import Listings, Matcher
from danggol.matching.inputs.hashes import picture_hash
from danggol.matching.verbs import match, why
from danggol.shop import Shop


@pytest.fixture
def shop(tmp_path):
    made = Shop.create(tmp_path / "shop")
    listings, _ = market(products=30)
    table = pl.DataFrame({"product_id": listings.ids, "title": listings.titles})
    made.write("products", table.sample(fraction=1.0, shuffle=True, seed=1))
    return made


def picture(seed, size=(120, 90)):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def test_match_writes_both_tables_and_ids_survive(shop):
    told = match(shop)
    matches, groups = shop.read("product_matches"), shop.read("product_groups")
    assert told["product_matches"] == matches.height
    assert told["groups"] == groups["group_id"].n_unique()
    assert not shop.check()
    own = matches.filter(pl.col("product_id") == pl.col("other_id"))
    assert sorted(own["product_id"]) == sorted(groups["product_id"])
    match(shop)
    again = shop.read("product_groups")
    assert dict(again.select("product_id", "group_id").rows()) == dict(groups.select("product_id", "group_id").rows())


def test_labels_make_a_model_that_later_runs_use(shop):
    _, groups = market(products=30)
    told = match(shop, labels=groups, settings=Matcher(rounds=10, leaves=4, trials=5).settings)
    assert told["by"] == "pair model"
    assert match(shop)["by"] == "pair model"


def test_why(shop):
    said = why(shop, "p000-0", "p000-1")
    assert said["matched"] and said["same_group"]
    assert "100g" in [word for word, _ in said["shared"]]
    assert said["told"][0]["quantities"] == ["100g"]
    far = why(shop, "p000-0", "p020-1")
    assert not far["matched"]
    assert far["quantities_against"]
    with pytest.raises(UsageError, match="no listing"):
        why(shop, "p000-0", "nobody")


def test_pictures_match_by_hash(tmp_path):
    shop = Shop.create(tmp_path / "shop")
    shop.write("products", pl.DataFrame({"product_id": ["a", "b", "c"], "title": ["merah", "biru", "hijau"]}))
    with shop.run("test") as run:
        picture(1).save(run.file_path("images/a.png"))
        picture(1, (60, 45)).save(run.file_path("images/b.jpg"), quality=80)
        picture(2).save(run.file_path("images/c.png"))
        run.write(
            "product_images",
            pl.DataFrame({"product_id": list("abc"), "image": [f"images/{n}" for n in ("a.png", "b.jpg", "c.png")]}),
        )
    match(shop)
    found = shop.read("product_matches").filter(pl.col("product_id") != pl.col("other_id"))
    assert sorted(found.select("product_id", "other_id", "by").rows()) == [("a", "b", "hash"), ("b", "a", "hash")]


def test_a_hash_survives_scaling_and_a_flat_picture_has_none(tmp_path):
    picture(3).save(tmp_path / "a.png")
    picture(3, (300, 200)).save(tmp_path / "b.jpg")
    one, two = (int(picture_hash(read(tmp_path / name)), 16) for name in ("a.png", "b.jpg"))
    assert (one ^ two).bit_count() <= 6
    assert picture_hash(Image.new("RGB", (50, 50), "white")) is None


def test_pictures_that_cannot_be_read_are_counted_and_the_titles_matched(shop):
    (shop.path / "broken.png").write_bytes(b"no picture")
    images = ["broken.png", "absent.png", "https://shop.example/a.png", "images\\a.png"]
    shop.write("product_images", pl.DataFrame({"product_id": [f"p00{n}-0" for n in range(4)], "image": images}))
    told = match(shop)
    assert told["pictures"] == {"read": 0, "of": 4}
    assert told["groups"] < told["listings"]


def test_a_shop_without_products(tmp_path):
    with pytest.raises(DataError, match="no table 'products'"):
        match(Shop.create(tmp_path / "shop"))


def test_why_says_which_figure_decided(shop):
    match(shop)
    said = why(shop, "p000-0", "p000-1")
    assert said["because"] in {"alone", "group"}
    assert said["matched"]
    assert set(said["details"]) == {"agree", "contradict"}
    assert why(shop, "p000-0", "p020-1")["because"] == ""
    with pytest.raises(UsageError, match="twice"):
        why(shop, "p000-0", "p000-0")


def test_contradicting_quantities_are_no_match_however_alike_the_pictures():
    listings = Listings.of(["a", "b"], ["gula 500 gr", "gula 1kg"], hashes=["00ff00ff00ff00ff"] * 2)
    assert len(set(Matcher().predict(listings).group)) == 2


def test_what_matched_is_what_speaks_most_not_the_largest_number():
    # two hashes 32 bits apart are as alike as chance has it
    listings = Listings.of(
        ["a", "b", "c"],
        ["jaket kulit pria coklat tua", "jaket kulit pria coklat tua xl", "panci"],
        hashes=["00000000ffffffff", "ffffffff00000000", None],
    )
    frame = Matcher().predict(listings).frame()
    assert frame.filter(pl.col("product_id") == "a", pl.col("other_id") == "b")["by"].to_list() == ["text"]


def test_labels_of_other_listings_are_told(shop):
    with pytest.raises(DataError, match="none of the 2 labelled listings"):
        match(shop, labels={"x": 1, "y": 1})
    _, groups = market(products=30)
    told = match(shop, labels=groups | {"x": 1}, settings=Matcher(rounds=10, leaves=4, trials=5).settings)
    assert (told["labelled"], told["labels_unknown"]) == (90, 1)


def test_a_damaged_model_can_be_trained_anew(shop):
    folder = shop.path / "models" / "matching"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match="train the model again"):
        match(shop)
    _, groups = market(products=30)
    match(shop, labels=groups, settings=Matcher(rounds=10, leaves=4, trials=5).settings)
    assert match(shop)["by"] == "pair model"


def test_settings_leave_the_saved_model_aside_and_say_so(shop):
    _, groups = market(products=30)
    settings = Matcher(rounds=10, leaves=4, trials=5).settings
    match(shop, labels=groups, settings=settings)
    told = match(shop, settings=settings)
    assert (told["by"], told["saved_model_unused"]) == ("rules", True)
    with pytest.raises(UsageError, match="give it alone"):
        match(shop, model=shop.path / "models" / "matching", settings=settings)
