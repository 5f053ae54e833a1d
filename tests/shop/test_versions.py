"""Tables appear whole or not at all, together, whatever happens to the writer."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.shop import Shop, versions
from danggol.shop.versions import STAGES

PRELUDE = """
import os, sys, time
import polars as pl
from danggol.shop import Shop, run, versions
shop = Shop.open(sys.argv[1])
def frames(number, rows=10):
    return pl.DataFrame({"product_id": [f"p{i}" for i in range(rows)], "title": [str(number)] * rows})
def write(number):
    with shop.run("write") as under_way:
        under_way.write("products", frames(number))
        under_way.append("customers", pl.DataFrame({"customer_id": [f"c{number}"]}))
        under_way.add_file("images/x.txt", str(number).encode())
"""


def child(shop: Shop, body: str) -> "subprocess.Popen[str]":
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", PRELUDE + body, str(shop.path)], text=True, **pipes)


def state(shop: Shop) -> tuple[str, ...]:
    """The number of the last write, as each table and file tells it."""
    title = shop.sql("SELECT min(title) || max(title) FROM products").item()
    customer = shop.sql("SELECT max(customer_id) FROM customers").item()
    return title, customer


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop.create(tmp_path / "shop")
    write(made, 1)
    return made


def write(shop: Shop, number: int) -> None:
    with shop.run("write") as run:
        run.write("products", pl.DataFrame({"product_id": ["p0", "p1"], "title": [str(number)] * 2}))
        run.append("customers", pl.DataFrame({"customer_id": [f"c{number}"]}))
        run.add_file("images/x.txt", str(number).encode())


FAULTS = {stage: f"versions._on_stage = lambda stage: os._exit(9) if stage == {stage!r} else None" for stage in STAGES}
FAULTS["first group"] = "run._GROUP_ROWS = 4\nrun.TableWriter._open = lambda self: os._exit(9)"
FAULTS["second group"] = """
run._GROUP_ROWS, kept = 4, run.pq.ParquetWriter.write_table
def once(self, *args, **more):
    kept(self, *args, **more)
    run.pq.ParquetWriter.write_table = lambda *args, **more: os._exit(9)
run.pq.ParquetWriter.write_table = once"""
FAULTS["between tables"] = "run.Run.append = lambda *args: os._exit(9)"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_killed_write_shows_the_old_tables_or_the_new(shop: Shop, fault: str) -> None:
    killed = child(shop, FAULTS[fault] + "\nwrite(2)")
    killed.communicate(timeout=60)
    assert killed.returncode == 9
    decided = fault in STAGES[STAGES.index("journal written") :]
    assert state(shop) == (("22", "c2") if decided else ("11", "c1"))
    write(shop, 3)
    assert state(shop) == ("33", "c3")
    assert shop.read("customers")["customer_id"].to_list() == (["c1", "c2", "c3"] if decided else ["c1", "c3"])
    assert (shop.path / "images/x.txt").read_text() == "3"
    assert shop.runs().height == (3 if decided else 2)
    assert not any((shop.path / ".staged").iterdir())
    assert not (shop.path / "journal.json").exists()
    shop.clean()
    assert [len(list(folder.glob("v*"))) for folder in (shop.path / "tables").iterdir()] == [1, 1]
    assert state(shop) == ("33", "c3")


@pytest.mark.parametrize("stage", STAGES)
def test_opening_a_shop_after_a_kill_shows_tables_and_files_that_agree(shop: Shop, stage: str) -> None:
    killed = child(shop, FAULTS[stage] + "\nwrite(2)")
    killed.communicate(timeout=60)
    decided = stage in STAGES[STAGES.index("journal written") :]
    opened = Shop.open(shop.path)
    assert state(opened) == (("22", "c2") if decided else ("11", "c1"))
    assert (shop.path / "images/x.txt").read_text() == ("2" if decided else "1")


@pytest.mark.parametrize("stage", STAGES)
def test_an_exception_while_publishing_leaves_the_old_tables_or_the_new(
    shop: Shop, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(now: str) -> None:
        if now == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr(versions, "_on_stage", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(shop, 2)
    monkeypatch.undo()
    decided = stage in STAGES[STAGES.index("journal written") :]
    assert state(shop) == (("22", "c2") if decided else ("11", "c1"))
    shop.clean()
    assert (shop.path / "images/x.txt").read_text() == ("2" if decided else "1")
    assert state(shop) == (("22", "c2") if decided else ("11", "c1"))


def test_an_exception_in_a_run_discards_what_it_staged(shop: Shop) -> None:
    with pytest.raises(ZeroDivisionError), shop.run("fail") as run:
        run.write("products", pl.DataFrame({"product_id": ["new"]}))
        _ = 1 / 0
    assert state(shop) == ("11", "c1")
    assert shop.runs().height == 1
    assert not any((shop.path / ".staged").iterdir())


def test_readers_see_all_of_a_publication_or_nothing_of_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_on_stage", lambda stage: time.sleep(0.004))
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def read() -> None:
        other = Shop.open(shop.path)
        while not done.is_set():
            row = other.sql("SELECT (SELECT max(title::INT) FROM products), (SELECT count(*) FROM customers)").row(0)
            seen.append(row)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2, 14):
        write(shop, number)
    done.set()
    reader.join()
    assert len(set(seen)) > 1
    assert all(title == customers for title, customers in seen)
    assert seen == sorted(seen)


def test_a_reader_follows_the_journal(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(versions, "_on_stage", lambda stage: seen.append((stage, state(shop)[0])))
    write(shop, 2)
    assert seen == [(stage, "11" if number < 2 else "22") for number, stage in enumerate(STAGES)]


HOLD = """
with shop.run("slow-import") as under_way:
    under_way.write("products", frames(7))
    print("holding", flush=True)
    sys.stdin.readline()
"""


def test_the_second_writer_fails_naming_the_holder_and_a_killed_holder_blocks_nobody(shop: Shop) -> None:
    holder = child(shop, HOLD)
    assert holder.stdout is not None and holder.stdout.readline() == "holding\n"
    impatient = Shop.open(shop.path, wait_s=0.1)
    with pytest.raises(
        UsageError, match=rf"is being written by 'slow-import' \(process {holder.pid}, since .*try again"
    ):
        write(impatient, 2)
    with pytest.raises(UsageError, match="slow-import"):
        impatient.clean()
    assert state(shop) == ("11", "c1"), "readers do not wait"
    os.kill(holder.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    holder.communicate(timeout=30)
    write(impatient, 2)
    assert state(shop) == ("22", "c2")
    assert not any((shop.path / ".staged").iterdir())


def test_the_second_writer_waits_for_the_first(shop: Shop) -> None:
    waiting = threading.Thread(target=lambda: write(Shop.open(shop.path), 3))
    with shop.run("first") as run:
        waiting.start()
        time.sleep(0.15)
        run.append("customers", pl.DataFrame({"customer_id": ["c2"]}))
        assert waiting.is_alive()
    waiting.join(timeout=20)
    assert shop.read("customers")["customer_id"].to_list() == ["c1", "c2", "c3"]


def test_a_run_inside_a_run_is_refused(shop: Shop) -> None:
    with shop.run("outer"), pytest.raises(UsageError, match="in a run already"):
        shop.write("products", pl.DataFrame({"product_id": ["x"]}))


def test_append_shares_the_old_bytes(shop: Shop) -> None:
    old = shop.tables()["customers"].files
    shop.append("customers", pl.DataFrame({"customer_id": ["c2"]}))
    new = shop.tables()["customers"].files
    assert len(new) == 2
    assert new[0].stat().st_ino == old[0].stat().st_ino


def test_clean_deletes_old_versions_only(shop: Shop) -> None:
    for number in range(2, 5):
        write(shop, number)
    before = {name: shop.read(name) for name in shop.tables()}
    assert len(list((shop.path / "tables" / "products").glob("v*"))) == 4
    gone, size = shop.clean()
    assert gone == 6 and size > 0
    assert all(shop.read(name).equals(frame) for name, frame in before.items())
    assert shop.clean() == (0, 0)
    assert (shop.path / "images/x.txt").exists() and shop.runs().height == 4


def test_a_writer_leaves_alone_what_queries_have_spilled(shop: Shop) -> None:
    spilled = shop.path / ".staged" / versions.SPILL / "x.tmp"
    spilled.parent.mkdir(parents=True)
    spilled.write_text("x")
    write(shop, 2)
    assert spilled.exists()
    shop.clean()
    assert not spilled.exists()


def test_a_dropped_table_is_gone_and_can_be_written_again(shop: Shop) -> None:
    with shop.run("drop") as run:
        run.drop("customers")
    assert set(shop.tables()) == {"products"}
    with pytest.raises(DataError, match="has no table 'customers'"):
        shop.read("customers")
    shop.write("customers", pl.DataFrame({"customer_id": ["z"]}))
    assert shop.read("customers")["customer_id"].to_list() == ["z"]


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"run_id": "x"}', "\x00\xff"])
def test_a_damaged_journal_is_one_clear_sentence(shop: Shop, text: str) -> None:
    (shop.path / "journal.json").write_text(text)
    for call in (shop.tables, lambda: shop.read("products"), lambda: write(shop, 2)):
        with pytest.raises(DataError, match=r"journal\.json is damaged; move it away"):
            call()
    (shop.path / "journal.json").unlink()
    write(shop, 2)
    assert state(shop) == ("22", "c2")


@pytest.mark.parametrize("text", ["", "v000009", "../../..", "v1/../../x", "\x00"])
def test_a_damaged_current_is_one_clear_sentence(shop: Shop, text: str) -> None:
    (shop.path / "tables/products/CURRENT").write_text(text)
    with pytest.raises(DataError, match=r"(names no version|is not there).*write the table again"):
        shop.read("products")
    assert shop.read("customers").height == 1
    write(shop, 2)
    assert state(shop) == ("22", "c2")


def test_a_damaged_run_record_stops_no_query(shop: Shop) -> None:
    next((shop.path / "runs").glob("*.json")).write_text("{")
    assert state(shop) == ("11", "c1")
    with pytest.raises(DataError, match=r"record .* is damaged; move it away"):
        shop.runs()


def test_a_truncated_table_is_one_clear_sentence(shop: Shop) -> None:
    (path,) = shop.tables()["products"].files
    path.write_bytes(path.read_bytes()[:-20])
    for call in (shop.tables, lambda: shop.read("products"), lambda: shop.has("products")):
        with pytest.raises(DataError, match=r"table 'products' .*cannot be read"):
            call()


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        def __init__(self, path: Path) -> None:
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(versions, "FileLock", Refused)
    with pytest.raises(UsageError, match=r"cannot be written: Permission denied .*permissions"):
        write(shop, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are Unix's")
def test_a_full_disk_is_one_clear_sentence_and_changes_nothing(shop: Shop) -> None:
    body = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from danggol.errors import DataError
import random
ids = [str(random.random()) for _ in range(50_000)]
try:
    shop.write("products", pl.DataFrame({"product_id": ids}))
except DataError as error:
    print(error)
"""
    out, err = child(shop, body).communicate(timeout=60)
    assert "ran out of space" in out and "Traceback" not in err
    assert state(shop) == ("11", "c1")
    write(shop, 2)
    assert state(shop) == ("22", "c2")


def test_the_record_of_a_run_says_what_it_read_and_wrote(shop: Shop) -> None:
    with shop.run("tune", settings={"depth": 3, "이름": "값"}, seed=7) as run:
        run.write("products", pl.DataFrame({"product_id": ["x"]}))
    row = shop.runs().row(-1, named=True)
    assert (row["verb"], row["seed"], json.loads(row["settings"])) == ("tune", 7, {"depth": 3, "이름": "값"})
    assert row["run_id"] == run.id and row["started"] <= row["ended"]
    assert shop.sql("SELECT tables_written['products'] FROM runs ORDER BY started").to_series().to_list() == [
        "v000001",
        "v000002",
    ]
    assert shop.sql("SELECT input_versions['products'] FROM runs WHERE verb = 'tune'").item() == "v000001"
