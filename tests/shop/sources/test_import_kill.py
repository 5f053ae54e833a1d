"""A process that dies in the middle of an import leaves the old tables or the new; the next import completes."""

import subprocess
import sys
from pathlib import Path

import pytest

from danggol.shop import Shop
from danggol.shop.sources import import_source, intake

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
OLD = HEADER + "1,22728,CLOCK,1,2011-01-01 10:00:00,3.75,17850.0,France\n"
NEW = HEADER + "".join(f"{n},22728,CLOCK,{n},2011-02-01 10:00:00,3.75,{n},Spain\n" for n in range(1, 9))

CHILD = """
import os, sys
from danggol.shop import versions
from danggol.shop.sources import import_source, intake

place, stage, path, shop, mode = sys.argv[1:]
module = {"intake": intake, "versions": versions}[place]
module._on_stage = lambda reached: os._exit(9) if reached == stage else None
import_source("online-retail", path, shop, mode)
"""
POINTS = [*(("intake", stage, False) for stage in intake.STAGES), ("versions", "versions moved", False),
          ("versions", "journal written", True)]  # fmt: skip


def die(place: str, stage: str, path: Path, shop: Path, mode: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, place, stage, str(path), str(shop), mode], check=False, timeout=60
    )
    assert done.returncode == 9, "the process should have died at that stage"


@pytest.mark.parametrize(("place", "stage", "decided"), POINTS, ids=str)
def test_an_import_that_dies_leaves_the_old_tables_or_the_new(tmp_path, place, stage, decided):
    for name, text in (("old.csv", OLD), ("new.csv", NEW)):
        (tmp_path / name).write_text(text)
    import_source("online-retail", tmp_path / "old.csv", tmp_path / "shop")
    die(place, stage, tmp_path / "new.csv", tmp_path / "shop", "replace")
    counts = {name: table.rows for name, table in Shop.open(tmp_path / "shop").tables().items()}
    rows = 8 if decided else 1
    assert counts == {"events": rows, "orders": rows, "products": 1, "customers": rows}
    again = import_source("online-retail", tmp_path / "new.csv", tmp_path / "shop", "replace")
    assert again.kept == 8 and Shop.open(tmp_path / "shop").read("events").height == 8
    assert not list((tmp_path / "shop" / ".staged").glob("*")), "what the dead process left is swept away"


def test_a_first_import_that_dies_can_be_run_again(tmp_path):
    (tmp_path / "new.csv").write_text(NEW)
    die("intake", "first table filled", tmp_path / "new.csv", tmp_path / "shop", "refuse")
    assert Shop.open(tmp_path / "shop").tables() == {}
    assert import_source("online-retail", tmp_path / "new.csv", tmp_path / "shop").kept == 8
    assert Shop.open(tmp_path / "shop").config.timezone == "Europe/London"
