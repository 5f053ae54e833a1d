"""`check` finds each kind of damage, counts it exactly, names the row, and finds nothing in a sound shop."""

import io
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from danggol.errors import UsageError
from danggol.shop import SCHEMAS, Shop
from danggol.shop.checks import check, check_figures
from danggol.shop.rules import MEANINGS, ORDERED, PICTURE_COLUMNS

NOW = datetime(2024, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
T = datetime(2024, 1, 1, tzinfo=UTC)


def picture(size: tuple[int, int] = (64, 48), form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    noise = Image.effect_noise(size, 90).convert("RGB")
    noise.save(buffer, form)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


GOOD: dict[str, pl.DataFrame] = {
    "products": pl.DataFrame({"product_id": ["p1", "p2", "p3"], "origin_country": ["KR", "JP", None]}),
    "product_images": pl.DataFrame(
        {"product_id": ["p1", "p2", "p3"], "image": ["images/1.jpg", "images/2.png", "https://example.org/3.jpg"]}
    ),
    "offers": pl.DataFrame(
        {"product_id": ["p1", "p1"], "valid_from": [T, T + DAY], "valid_to": [T + DAY, None], "price": [9.5, 0.0]}
    ),
    "customers": pl.DataFrame({"customer_id": ["c1", "c2"], "country": ["GB", None], "language": ["en", "ko"]}),
    "events": pl.DataFrame(
        {
            "event_id": ["e1", "e2", "e3", "e4"],
            "ts": [T, T + DAY, T + 2 * DAY, T + 3 * DAY],
            "kind": ["view", "cart", "purchase", "return"],
            "customer_id": ["c1", "c1", "c2", None],
            "product_id": ["p1", "p2", None, "p3"],
            "price": [1.0, 2.0, None, 4.0],
            "propensity": [0.0, 1.0, 0.5, None],
        }
    ),
    "orders": pl.DataFrame({"order_id": ["o1"], "customer_id": ["c1"], "ts": [T], "delivered_at": [T + DAY]}),
    "reviews": pl.DataFrame({"review_id": ["r1", "r2"], "text": ["좋아요", "fine"], "rating": [5.0, 1.0]}),
    "posts": pl.DataFrame(
        {
            "post_id": ["s1"],
            "account_id": ["a1"],
            "ts": [T],
            "collected_at": [T + DAY],
            "media": [["images/1.jpg", "https://example.org/v.mp4"]],
        }
    ),
    "fx": pl.DataFrame({"date": [date(2024, 1, 1)], "currency": ["KRW"], "rate": [0.00075]}),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("check") / "sound"
    shop = Shop.create(root)
    with shop.run("make") as run:
        for name, frame in GOOD.items():
            run.write(name, frame)
        run.add_file("images/1.jpg", picture())
        run.add_file("images/2.png", picture(form="PNG"))
    return root


@pytest.fixture
def shop(sound: Path, tmp_path: Path) -> Shop:
    shutil.copytree(sound, tmp_path / "shop")
    return Shop.open(tmp_path / "shop")


def change(table: str, **columns: list[Any]) -> Callable[[Shop], None]:
    """Write a table with some columns changed."""

    def breaking(shop: Shop) -> None:
        frame = GOOD[table]
        for name, values in columns.items():
            frame = frame.with_columns(pl.Series(name, values, dtype=frame.schema.get(name), strict=False))
        shop.write(table, frame)

    return breaking


def add(table: str, *rows: dict[str, Any]) -> Callable[[Shop], None]:
    """Append rows to a table."""
    return lambda shop: shop.append(table, pa.Table.from_pylist(list(rows), schema=SCHEMAS[table].arrow)) and None


def add_file(name: str, content: bytes) -> Callable[[Shop], None]:
    """Put a picture in the place of another."""
    return lambda shop: (shop.path / name).write_bytes(content) and None


def part(shop: Shop, table: str) -> Path:
    return shop.tables()[table].files[0]


def rewrite(table: str, edit: Callable[[pa.Table], pa.Table]) -> Callable[[Shop], None]:
    """Replace a table's file, as another program would."""
    return lambda shop: pq.write_table(edit(pq.read_table(part(shop, table))), part(shop, table))


def damage(table: str, edit: Callable[[bytes], bytes]) -> Callable[[Shop], None]:
    """Change the bytes of a table's file."""

    def breaking(shop: Shop) -> None:
        path = part(shop, table)
        content = edit(path.read_bytes())
        path.unlink()
        path.write_bytes(content)

    return breaking


def retype(name: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, pa.nulls(table.num_rows, kind))


def flip_pages(content: bytes) -> bytes:
    """Spoil the data pages and leave the footer whole."""
    return content[:4] + bytes(byte ^ 0x5A for byte in content[4:400]) + content[400:]


def symlink_out(shop: Shop) -> None:
    (shop.path / "images" / "1.jpg").unlink()
    (shop.path.parent / "secret.jpg").write_bytes(picture())
    (shop.path / "images" / "1.jpg").symlink_to(shop.path.parent / "secret.jpg")


def empty_folder(shop: Shop) -> None:
    part(shop, "fx").unlink()


def current(table: str, text: str) -> Callable[[Shop], None]:
    return lambda shop: (shop.path / "tables" / table / "CURRENT").write_text(text) and None


def unknown_folder(shop: Shop) -> None:
    shutil.copytree(shop.path / "tables" / "fx", shop.path / "tables" / "mystery")


def spoil_run(shop: Shop) -> None:
    next((shop.path / "runs").glob("*.json")).write_text('{"run_id": ')


def write_journal(text: str) -> Callable[[Shop], None]:
    return lambda shop: (shop.path / "journal.json").write_text(text) and None


FAR = datetime(2300, 1, 1, tzinfo=UTC)
EVENT = {"event_id": "x", "ts": T, "kind": "view"}
Counts = dict[tuple[str, str, str], int]
CASES: dict[str, tuple[Callable[[Shop], None], Counts]] = {
    "null key": (change("customers", customer_id=["c1", None]), {
        ("customers", "customer_id", "required"): 1, ("events", "customer_id", "unknown_id"): 1}),
    "null required": (change("events", ts=[T, None, None, T]), {("events", "ts", "required"): 2}),
    "duplicate id": (change("products", product_id=["p1", "p1", "p1"]), {
        ("products", "product_id", "duplicate_key"): 2, ("product_images", "product_id", "unknown_id"): 2,
        ("events", "product_id", "unknown_id"): 2}),
    "duplicate over parts": (add("events", {**EVENT, "event_id": "e1"}), {("events", "event_id", "duplicate_key"): 1}),
    "duplicate with empty country": (change("offers", valid_from=[T, T]), {
        ("offers", "product_id, country, valid_from", "duplicate_key"): 1}),
    "unknown customer": (add("orders", {"order_id": "o2", "customer_id": "c9", "ts": T}), {
        ("orders", "customer_id", "unknown_id"): 1}),
    "unknown product": (change("events", product_id=["p1", "q", "q", None]), {
        ("events", "product_id", "unknown_id"): 2}),
    "negative price": (change("events", price=[-1.0, 2.0, -0.01, 0.0]), {("events", "price", "below"): 2}),
    "rating off scale": (change("reviews", rating=[5.5, 0.0]), {
        ("reviews", "rating", "above"): 1, ("reviews", "rating", "below"): 1}),
    "probability above one": (change("events", propensity=[1.01, 1.0, 0.0, None]), {
        ("events", "propensity", "above"): 1}),
    "discount above one": (add("events", {**EVENT, "discount_rate": 1.5}), {("events", "discount_rate", "above"): 1}),
    "negative stock": (add("offers", {"product_id": "p2", "valid_from": T, "stock": -3}), {
        ("offers", "stock", "below"): 1}),
    "birth year": (add("customers", {"customer_id": "c3", "birth_year": 190}), {
        ("customers", "birth_year", "below"): 1}),
    "NaN": (change("events", price=[float("nan"), float("inf"), float("-inf"), 1.0]), {
        ("events", "price", "not_finite"): 3}),
    "unknown kind": (change("events", kind=["view", "VIEW", "buy", "cart"]), {("events", "kind", "not_one_of"): 2}),
    "UK": (change("customers", country=["UK", "kr"]), {("customers", "country", "bad_country"): 2}),
    "language": (change("customers", language=["ko-KR", "kr"]), {("customers", "language", "bad_language"): 1}),
    "currency": (change("fx", currency=["WON"]), {("fx", "currency", "bad_currency"): 1}),
    "future": (change("events", ts=[T, NOW, NOW + DAY, T]), {("events", "ts", "in_future"): 1}),
    "impossible date": (change("events", ts=[T, datetime(1, 1, 1, tzinfo=UTC), T, FAR]), {
        ("events", "ts", "impossible_time"): 2}),
    "impossible day": (change("fx", date=[date(1899, 12, 30)]), {("fx", "date", "impossible_time"): 1}),
    "ends before it begins": (change("offers", valid_to=[T - DAY, None]), {("offers", "valid_to", "wrong_order"): 1}),
    "delivered before ordered": (change("orders", delivered_at=[T - DAY]), {
        ("orders", "delivered_at", "wrong_order"): 1}),
    "collected before posted": (change("posts", collected_at=[T - DAY]), {
        ("posts", "collected_at", "wrong_order"): 1}),
    "blank id": (change("products", product_id=["p1", "p2", " \u3000"]), {
        ("products", "product_id", "blank"): 1, ("product_images", "product_id", "unknown_id"): 1,
        ("events", "product_id", "unknown_id"): 1}),
    "blank review": (change("reviews", text=["", "\n"]), {("reviews", "text", "blank"): 2}),
    "padded id": (change("events", event_id=["e1 ", "\u00a0e2", "e3", "e4"]), {("events", "event_id", "padded"): 2}),
    "missing picture": (change("product_images", image=["images/9.jpg", "images/2.png", "no"]), {
        ("product_images", "image", "missing_picture"): 2}),
    "picture outside": (change("product_images", image=["../1.jpg", "/etc/passwd", "images/../../1.jpg"]), {
        ("product_images", "image", "outside_shop"): 3}),
    "picture through a link": (symlink_out, {
        ("product_images", "image", "outside_shop"): 1, ("posts", "media", "outside_shop"): 1}),
    "no picture": (add_file("images/2.png", b"<html>not found</html>"), {
        ("product_images", "image", "not_a_picture"): 1}),
    "empty picture": (add_file("images/2.png", b""), {("product_images", "image", "not_a_picture"): 1}),
    "truncated JPEG": (add_file("images/1.jpg", picture()[:-400]), {
        ("product_images", "image", "truncated_picture"): 1, ("posts", "media", "truncated_picture"): 1}),
    "truncated PNG": (add_file("images/2.png", picture(form="PNG")[:-400]), {
        ("product_images", "image", "truncated_picture"): 1}),
    "decompression bomb": (add_file("images/2.png", png_header(60_000, 60_000)), {
        ("product_images", "image", "oversized_picture"): 1}),
    "large picture": (add_file("images/2.png", png_header(10_000, 10_000)), {
        ("product_images", "image", "oversized_picture"): 1}),
    "missing column": (rewrite("events", lambda t: t.drop_columns(["kind"])), {
        ("events", "kind", "missing_column"): 1}),
    "text for numbers": (rewrite("events", retype("price", pa.string())), {("events", "price", "wrong_type"): 1}),
    "times without zone": (rewrite("events", retype("ts", pa.timestamp("us"))), {("events", "ts", "wrong_type"): 1}),
    "column of another": (rewrite("fx", lambda t: t.append_column("note", pa.nulls(1, pa.string()))), {
        ("fx", "note", "unknown_column"): 1}),
    "truncated Parquet": (damage("fx", lambda content: content[:-30]), {("fx", "", "unreadable_file"): 1}),
    "empty Parquet": (damage("fx", lambda content: b""), {("fx", "", "unreadable_file"): 1}),
    "CSV named Parquet": (damage("fx", lambda content: b"date,rate\n2024-01-01,1\n"), {
        ("fx", "", "unreadable_file"): 1}),
    "spoiled pages": (damage("reviews", flip_pages), {("reviews", "", "unreadable_file"): 1}),
    "no Parquet": (empty_folder, {("fx", "", "missing_version"): 1}),
    "CURRENT names nothing": (current("fx", "v000009\n"), {("fx", "", "missing_version"): 1}),
    "CURRENT leaves": (current("fx", "../../.."), {("fx", "", "missing_version"): 1}),
    "empty CURRENT": (current("fx", ""), {("fx", "", "missing_version"): 1}),
    "unknown table": (unknown_folder, {("mystery", "", "unknown_table"): 1}),
    "damaged run": (spoil_run, {("runs", "", "damaged_run"): 1}),
    "damaged journal": (write_journal('{"run_id"'), {("", "", "damaged_journal"): 1}),
    "journal of another shape": (write_journal("[1]"), {("", "", "damaged_journal"): 1}),
}  # fmt: skip


def test_a_sound_shop_has_no_violations(shop: Shop) -> None:
    report = check(shop, now=NOW)
    assert report.ok and report.violations == () and report.total == 0
    assert report.rows == {name: frame.height for name, frame in GOOD.items()}
    assert report.pictures == 2
    assert shop.check() == []


@pytest.mark.parametrize("case", CASES)
def test_each_damage_is_named_and_counted_and_nothing_else(shop: Shop, case: str) -> None:
    breaking, expected = CASES[case]
    breaking(shop)
    before = {path: path.read_bytes() for path in shop.path.rglob("*.parquet")}
    report = check(shop, now=NOW)
    assert {(count.table, count.column, count.rule): count.count for count in report.counts} == expected
    assert {(v.table, v.column, v.rule) for v in report.violations} == set(expected)
    assert {path: path.read_bytes() for path in shop.path.rglob("*.parquet")} == before
    assert set(report.rows) == set(GOOD), "every table was looked at"


def test_every_rule_has_a_case() -> None:
    assert {rule for _, counts in CASES.values() for _, _, rule in counts} == set(MEANINGS)


def test_rows_count_from_one_over_all_parts_and_values_are_shown(shop: Shop) -> None:
    shop.append("events", pl.DataFrame({"event_id": ["e5", "e1"], "ts": [T, T], "kind": ["view", "?"]}))
    shop.append("events", pl.DataFrame({"event_id": ["e6"], "ts": [NOW + DAY], "kind": ["view"]}))
    found = [(v.row, v.column, v.value, v.rule) for v in check(shop, now=NOW).violations]
    assert found == [
        (6, "event_id", "e1", "duplicate_key"),
        (6, "kind", "?", "not_one_of"),
        (7, "ts", "2024-06-02 00:00:00+00", "in_future"),
    ]


def test_examples_are_few_and_counts_are_exact(shop: Shop) -> None:
    ids = [f"x{number}" for number in range(500)]
    shop.append("events", pl.DataFrame({"event_id": ids, "ts": [T] * 500, "kind": ["no"] * 500, "price": [-1.0] * 500}))
    report = check(shop, now=NOW, examples=3)
    assert [(c.rule, c.count) for c in report.counts] == [("not_one_of", 500), ("below", 500)]
    assert [v.row for v in report.violations if v.rule == "below"] == [5, 6, 7]
    assert report.total == 1000


def test_duplicates_are_found_in_parts_as_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"x{number % 70}" for number in range(100)]
    shop.append("events", pl.DataFrame({"event_id": ids, "ts": [T] * 100, "kind": ["view"] * 100}))
    whole = check(shop, now=NOW)
    monkeypatch.setattr("danggol.shop.checks._DUPLICATE_ROWS", 9)
    assert check(shop, now=NOW) == whole
    assert [count.count for count in whole.counts] == [30]


def test_some_tables_only(shop: Shop) -> None:
    change("events", price=[-1.0, -1.0, 1.0, 1.0])(shop)
    change("fx", currency=["WON"])(shop)
    report = check(shop, now=NOW, tables=["fx"])
    assert [count.table for count in report.counts] == ["fx"]
    assert report.rows == {"fx": 1}
    with pytest.raises(UsageError, match="no table 'fy'"):
        check(shop, tables=["fy"])


def test_figures_are_plain_json(shop: Shop) -> None:
    change("customers", country=["UK", "KR"])(shop)
    figures = json.loads(json.dumps(check_figures(check(shop, now=NOW))))
    assert figures["total"] == 1 and figures["ok"] is False
    assert figures["violations"] == [
        {"table": "customers", "row": 1, "column": "country", "value": "UK", "rule": "bad_country"}
    ]
    assert "ISO 3166" in figures["rules"]["bad_country"]


def test_a_result_may_not_know_more_than_its_moment(shop: Shop) -> None:
    row = {"customer_id": "c1", "product_id": "p1", "at": T, "probability": 0.5, "as_of": T + DAY}
    shop.write("purchase_scores", pl.DataFrame([row, {**row, "product_id": "p2", "as_of": T}]))
    assert [(c.column, c.rule, c.count) for c in check(shop, now=NOW).counts] == [("at", "wrong_order", 1)]


def test_a_long_value_is_cut_and_still_counted(shop: Shop) -> None:
    change("customers", country=["K" * 10_000_000, None])(shop)
    (violation,) = check(shop, now=NOW).violations
    assert len(violation.value) == 200


def test_rules_name_columns_that_exist() -> None:
    for table, pairs in ORDERED.items():
        for pair in pairs:
            assert set(pair) <= {column.name for column in SCHEMAS[table].columns}
    for table, column in PICTURE_COLUMNS.items():
        assert SCHEMAS[table].column(column)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions bind neither here nor root")
def test_a_read_only_shop_can_be_checked(shop: Shop) -> None:
    for path in [shop.path, *shop.path.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert check(shop, now=NOW).ok
    for path in [shop.path, *shop.path.rglob("*")]:
        path.chmod(0o755)
