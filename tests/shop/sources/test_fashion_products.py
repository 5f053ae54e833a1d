import io
import struct
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from broken_inputs import TableCase, cell, check_case, put, save, table_cases
from PIL import Image

from danggol.shop import Shop
from danggol.shop.sources import import_source


def picture(form: str = "JPEG", colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (6, 8), colour).save(out, form)
    return out.getvalue()


def giant_png() -> bytes:
    """A PNG of a few bytes that says it is 60,000 by 60,000 points."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1_000))
    chunks = (
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (head, data, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


TABLE = pa.table(
    {
        "id": ["10", "11", "12"],
        "title": ["Red shirt", "Blue jeans", "Cap"],
        "gender": ["Women", "Men", None],
        "master_category": ["Apparel", "Apparel", "Accessories"],
        "sub_category": ["Topwear", "Bottomwear", None],
        "article_type": ["Shirts", "Jeans", "Caps"],
        "base_colour": ["Red", "Blue", "Black"],
        "season": ["Fall", "Summer", "Winter"],
        "year": [2011.0, 2012.0, float("nan")],
        "usage": ["Casual", "Casual", "Casual"],
        "image": pa.array([picture(), picture(colour="blue"), picture("PNG")], pa.binary()),
        "split": ["train", "train", "valid"],
    }
)
BAD_PICTURES = {
    "no picture": b"this is no picture",
    "empty picture": b"",
    "one byte": b"\xff",
    "cut JPEG": picture()[:-200],
    "JPEG head only": picture()[:24],
    "damaged PNG": picture("PNG")[:40] + bytes(30),
    "giant PNG": giant_png(),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "TIFF": picture("TIFF"),
    "web page": b"<html><script>alert(1)</script></html>",
}
CASES = [
    *table_cases("id", "image", "title"),
    TableCase("pictures that are text", save(lambda t: put(t, "image", ["a.jpg"] * 3, pa.string())), 1),
    TableCase("pictures that are lists", save(lambda t: put(t, "image", [[1]] * 3, pa.list_(pa.uint8()))), 1),
    TableCase("year that is a flag", save(lambda t: put(t, "year", [True] * 3, pa.bool_())), 1),
    TableCase("blank id", save(lambda t: cell(t, "id", " \t "))  , lost=1),
    TableCase("zero byte in an id", save(lambda t: cell(t, "id", "1\x002")), lost=1),
    TableCase("id that leaves the shop", save(lambda t: cell(t, "id", "../../../tmp/x"))),
    TableCase("id that is absolute", save(lambda t: cell(t, "id", "/etc/passwd"))),
    TableCase("id of a thousand letters", save(lambda t: cell(t, "id", "x" * 1_000))),
    TableCase("ids that are numbers", save(lambda t: put(t, "id", [1, 2, 2**62], pa.int64()))),
    TableCase(
        "bomb of text",
        save(lambda t: put(t, "usage", ["u" * 30_000_000] * 3), use_dictionary=False, compression="zstd"),
        1,
    ),
]  # fmt: skip


def write(tmp_path, table=TABLE):
    pq.write_table(table, tmp_path / "fashion.parquet")
    return tmp_path / "fashion.parquet"


def test_products_carry_category_attributes_and_a_picture_that_opens(tmp_path):
    import_source("fashion-products", write(tmp_path), tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    first, _, last = shop.read("products").sort("product_id").to_dicts()
    assert (first["title"], first["category"], first["language"]) == ("Red shirt", "Apparel > Topwear > Shirts", "en")
    assert first["attributes"] == {
        "gender": "Women", "base_colour": "Red", "season": "Fall", "year": "2011", "usage": "Casual", "split": "train",
    }  # fmt: skip
    assert last["category"] == "Accessories > Caps" and "gender" not in last["attributes"]
    images = shop.read("product_images").sort("product_id")
    assert images["position"].to_list() == [0, 0, 0]
    assert images["image"][2].endswith("/12.png"), "the name's end follows the bytes"
    for place in images["image"]:
        with Image.open(shop.resolve(place)) as opened:
            assert opened.size == (6, 8)


@pytest.mark.parametrize("content", BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_a_broken_picture_is_told_and_its_product_kept(tmp_path, content):
    report = import_source("fashion-products", write(tmp_path, cell(TABLE, "image", content)), tmp_path / "shop")
    assert report.kept == 3 and report.rejected == {} and report.flaws == {"bad_image": 1}
    shop = Shop.open(tmp_path / "shop")
    assert shop.read("product_images")["product_id"].to_list() == ["10", "12"]
    reject = shop.read("rejects").to_dicts()[0]
    assert (reject["row"], reject["column"], reject["reason_code"], reject["record"]) == (2, "image", "bad_image", "11")


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "a\\b", "x" * 1000, "한글"])
def test_no_id_leads_a_picture_out_of_its_folder(tmp_path, name):
    import_source("fashion-products", write(tmp_path, cell(TABLE, "id", name)), tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    assert name in shop.read("products")["product_id"].to_list()
    files = {str(path.relative_to(tmp_path / "shop")) for path in (tmp_path / "shop").rglob("*.*g") if path.is_file()}
    assert files == set(shop.read("product_images")["image"])
    assert all(path.startswith("images/") for path in files)


def test_of_two_products_with_one_id_the_first_keeps_its_picture(tmp_path):
    table = cell(TABLE, "id", "10")
    import_source("fashion-products", write(tmp_path, table), tmp_path / "shop")
    shop = Shop.open(tmp_path / "shop")
    images = dict(shop.read("product_images", ["product_id", "image"]).iter_rows())
    assert shop.resolve(images["10"]).read_bytes() == picture()


def test_append_leaves_pictures_that_are_there_as_they_are(tmp_path):
    import_source("fashion-products", write(tmp_path), tmp_path / "shop")
    changed = cell(cell(TABLE, "image", picture(colour="green"), 0), "id", "13", 2)
    report = import_source("fashion-products", write(tmp_path, changed), tmp_path / "shop", "append")
    assert report.tables == {"products": 1, "product_images": 1} and report.rejected == {"duplicate_key": 2}
    shop = Shop.open(tmp_path / "shop")
    images = dict(shop.read("product_images", ["product_id", "image"]).iter_rows())
    assert set(images) == {"10", "11", "12", "13"}
    assert shop.resolve(images["10"]).read_bytes() == picture()


def test_a_product_without_picture_is_kept_and_counted(tmp_path):
    report = import_source("fashion-products", write(tmp_path, cell(TABLE, "image", None)), tmp_path / "shop")
    assert report.tables == {"products": 3, "product_images": 2} and report.notes == ("1 products have no picture.",)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_broken_input(case: TableCase, tmp_path, old_shops, copy_of):
    folder = tmp_path / "in"
    folder.mkdir()
    old = copy_of(old_shops("fashion-products", write(tmp_path)))
    check_case(case.as_case(TABLE), case.build(TABLE, folder), "fashion-products", old)


def test_real_products_are_read_with_their_pictures(shared_data, tmp_path):
    with pq.ParquetFile(shared_data / "catalog" / "fashion_products.parquet") as file:
        few = pa.Table.from_batches([next(file.iter_batches(500))])
    report = import_source("fashion-products", write(tmp_path, few), tmp_path / "shop")
    assert report.tables == {"products": 500, "product_images": 500} and report.flaws == {}
