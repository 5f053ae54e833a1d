import contextlib
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.errors import DataError, UsageError
from danggol.shop import Shop
from danggol.shop.sources import SOURCES, find_source, import_source, source
from danggol.shop.sources.intake import Intake
from danggol.shop.sources.source import KnownSource

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)


def stand_in(monkeypatch: pytest.MonkeyPatch, ids: list[str], *, lose: int = 0) -> None:
    """Let the name xmarket stand for an importer of these ids, which forgets the last ``lose`` of them."""

    def load(_path, intake: Intake, _options) -> None:
        intake.receive(len(ids))
        used = ids[: len(ids) - lose]
        for start in range(0, max(len(used), 1), 4):
            part = used[start : start + 4]
            rows = pl.int_range(start + 1, start + 1 + len(part), eager=True)
            frame = pl.DataFrame(
                {"customer_id": part, "file": ["f"] * len(part)}, schema={"customer_id": str, "file": str}
            )
            intake.stage("people", frame.with_columns(rows.alias("row")))
        intake.fill("customers", "SELECT * FROM people")

    known = KnownSource("xmarket", "", ("customers",), {"timezone": "Asia/Seoul", "currency": "KRW"}, load)
    monkeypatch.setattr(source, "find_source", lambda _name: known)


def test_every_source_is_found_and_says_what_it_does():
    for name in SOURCES:
        found = find_source(name)
        assert found.name == name and found.summary
    with pytest.raises(UsageError, match="did you mean 'online-retail'"):
        find_source("online_retial")


@settings(max_examples=6)
@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=20), st.lists(st.sampled_from("abcdefg"), min_size=1))
def test_of_rows_with_one_key_the_first_is_kept_and_the_rest_are_rejected(tmp_path_factory, first, second):
    folder = tmp_path_factory.mktemp("dup")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, first)
        report = import_source("xmarket", folder, folder / "shop")
        shop = Shop.open(folder / "shop")
        assert shop.read("customers")["customer_id"].to_list() == list(dict.fromkeys(first))
        later = [n for n, name in enumerate(first, 1) if name in first[: n - 1]]
        rejects = shop.read("rejects")["row"].to_list() if later else []
        assert sorted(rejects) == later and report.rejected.get("duplicate_key", 0) == len(later)
        stand_in(patch, second)
        more = import_source("xmarket", folder, folder / "shop", "append")
    assert Shop.open(folder / "shop").read("customers")["customer_id"].to_list() == list(dict.fromkeys(first + second))
    assert more.kept == len(set(second) - set(first)) and more.rows == len(second)


def test_rows_already_there_are_refused_replaced_or_added_to(tmp_path, monkeypatch):
    stand_in(monkeypatch, ["a", "b"])
    assert import_source("xmarket", tmp_path, tmp_path / "shop").created
    with pytest.raises(UsageError, match=r"rows already \(2 in customers\); pass --append .* or --replace"):
        import_source("xmarket", tmp_path, tmp_path / "shop")
    stand_in(monkeypatch, ["c"])
    import_source("xmarket", tmp_path, tmp_path / "shop", "append")
    assert Shop.open(tmp_path / "shop").read("customers")["customer_id"].to_list() == ["a", "b", "c"]
    report = import_source("xmarket", tmp_path, tmp_path / "shop", "replace")
    assert Shop.open(tmp_path / "shop").read("customers")["customer_id"].to_list() == ["c"]
    assert (report.mode, report.created, report.tables) == ("replace", False, {"customers": 1})


def test_a_new_shop_takes_the_time_zone_of_the_source_and_an_old_one_keeps_its_own(tmp_path, monkeypatch):
    stand_in(monkeypatch, ["a"])
    import_source("xmarket", tmp_path, tmp_path / "new")
    config = Shop.open(tmp_path / "new").config
    assert (config.timezone, config.currency) == ("Asia/Seoul", "KRW")
    old = Shop.create(tmp_path / "old", timezone="Europe/Paris", currency="KRW")
    report = import_source("xmarket", tmp_path, old)
    assert Shop.open(tmp_path / "old").config.timezone == "Europe/Paris"
    assert report.notes == (
        "The shop's timezone is Europe/Paris, this source's Asia/Seoul; change shop.toml if it should be.",
    )


def test_a_row_that_an_importer_loses_stops_the_import(tmp_path, monkeypatch):
    stand_in(monkeypatch, ["a", "b", "c"], lose=1)
    with pytest.raises(DataError, match="3 rows came in, but 2 were kept and 0 rejected"):
        import_source("xmarket", tmp_path, tmp_path / "shop")


@pytest.mark.parametrize("there", [False, True])
def test_a_failed_first_import_leaves_no_shop(tmp_path, monkeypatch, there):
    stand_in(monkeypatch, [])
    root = tmp_path / "shop"
    if there:
        root.mkdir()
    with pytest.raises(DataError, match="no rows"):
        import_source("xmarket", tmp_path, root)
    assert root.exists() == there and not (there and list(root.iterdir()))


def test_a_failed_first_import_leaves_what_another_has_written_meanwhile(tmp_path, monkeypatch):
    def load(_source, _path, shop, *_):
        Shop.open(shop.path).write("customers", pl.DataFrame({"customer_id": ["a"]}))
        raise DataError("broken")

    monkeypatch.setattr(source, "_load", load)
    with pytest.raises(DataError, match="broken"):
        import_source("xmarket", tmp_path, tmp_path / "shop")
    assert Shop.open(tmp_path / "shop").read("customers")["customer_id"].to_list() == ["a"]


def test_a_failed_first_import_leaves_a_shop_that_another_is_writing(tmp_path, monkeypatch):
    root = tmp_path / "shop"
    other = contextlib.ExitStack()

    def load(_source, _path, shop, *_):
        other.enter_context(Shop.open(root).run("import")).write("customers", pl.DataFrame({"customer_id": ["a"]}))
        raise DataError("broken")

    monkeypatch.setattr(source, "_load", load)
    with other, pytest.raises(DataError, match="broken"):
        import_source("xmarket", tmp_path, root)
    assert Shop.open(root).read("customers")["customer_id"].to_list() == ["a"]


def test_wrong_options_and_modes_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"no option 'markt' \(known: market\)"):
        import_source("xmarket", tmp_path, tmp_path / "shop", options={"markt": "de"})
    with pytest.raises(UsageError, match="no mode 'merge'"):
        import_source("xmarket", tmp_path, tmp_path / "shop", "merge")
    assert not (tmp_path / "shop").exists()


def test_a_full_disk_is_one_sentence_and_nothing_is_written(tmp_path, monkeypatch):
    stand_in(monkeypatch, ["a"])
    import_source("xmarket", tmp_path, tmp_path / "shop")

    def full(*_):
        raise OSError(28, "No space left on device")

    stand_in(monkeypatch, ["b"])
    monkeypatch.setattr(Intake, "stage", full)
    with pytest.raises(DataError, match=r"stopped \(No space left on device\)"):
        import_source("xmarket", tmp_path, tmp_path / "shop", "replace")
    assert Shop.open(tmp_path / "shop").read("customers")["customer_id"].to_list() == ["a"]
