"""Kills imports, writes, simulations, training and prediction at 50 random moments: ``make soak``.

After each kill the shop holds the old state or the new one, passes ``check``, and the same call completes.
"""

import gzip
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from danggol import PurchaseModel, Shop
from danggol.shop.checks import check

pytestmark = pytest.mark.soak

KILLS = 10
CLI = "from danggol.cli import main; main()"
WRITE = """
import sys, polars as pl
from danggol import Shop
n = 400_000
i = pl.Series(range(n)).cast(pl.String)
with Shop.open(sys.argv[1]).run("write", seed=1) as run:
    run.write("products", pl.DataFrame({"product_id": i, "title": "new " + i}))
    run.write("accounts", pl.DataFrame({"account_id": i}))
    run.add_file("images/new.txt", b"new")
"""


def orders(path: Path, invoices: int, seed: int) -> Path:
    """A small file in the form of Online Retail."""
    draw = random.Random(seed)
    lines = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for invoice in range(invoices):
        customer, day = draw.randrange(200), draw.randrange(300)
        when = f"2011-{1 + day // 28:02d}-{1 + day % 28:02d} 10:00:00"
        for _ in range(4):
            item = min(int(draw.paretovariate(0.8)), 150)
            lines.append(
                f"{536000 + invoice},{20000 + item},ITEM {item},1,{when},{1 + item % 7}.5,{12000 + customer}.0,France"
            )
    with gzip.open(path, "wt") as file:
        file.write("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with purchases, a model and predictions, from which every kill starts."""
    folder = tmp_path_factory.mktemp("soak")
    orders(folder / "old.csv.gz", 2000, 1)
    orders(folder / "new.csv.gz", 6000, 2)
    shop = folder / "shop"
    for words in (
        ["import", "online-retail", folder / "old.csv.gz", shop],
        ["purchase", "train", shop, "--seed", 1],
        ["purchase", "predict", shop, "--seed", 1],
    ):
        subprocess.run([sys.executable, "-c", CLI, *map(str, words)], check=True)
    return folder


JOBS = {
    "import": [CLI, "import", "online-retail", "{folder}/new.csv.gz", "{shop}", "--replace"],
    "write": [WRITE, "{shop}"],
    "simulate": [CLI, "simulate", "{shop}", "--market", "small", "--scale", "0.5", "--replace"],
    "train": [CLI, "purchase", "train", "{shop}", "--seed", "2"],
    "predict": [CLI, "purchase", "predict", "{shop}", "--seed", "2"],
}


def signature(path: Path) -> tuple[object, ...]:
    """What the shop holds, apart from the ids of runs."""
    shop, found = Shop.open(path), []
    for name in sorted(shop.tables()):
        rows = shop.read(name).drop("run_id", strict=False)
        text = rows.select(
            pl.col(c).cast(pl.String) if not rows[c].dtype.is_nested() else pl.col(c).is_null() for c in rows.columns
        )
        found.append((name, rows.height, text.hash_rows(seed=0).sum() if rows.height else 0))
    others = [p for p in sorted(path.rglob("*")) if p.is_file() and p.relative_to(path).parts[0] in ("images", "truth")]
    found += [(str(p.relative_to(path)), p.stat().st_size, 0) for p in others]
    return tuple(found)


def model_seed(path: Path) -> int:
    return int(PurchaseModel.load(path / "models" / "purchase").settings.seed)


@pytest.mark.parametrize("job", JOBS)
def test_killed_at_random_moments(job: str, base: Path, tmp_path: Path) -> None:
    draw = random.Random(f"soak {job}")

    def start(shop: Path) -> subprocess.Popen[bytes]:
        words = [word.format(folder=base, shop=shop) if word[0] == "{" else word for word in JOBS[job]]
        return subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    old = signature(base / "shop"), model_seed(base / "shop")
    whole = tmp_path / "whole"
    shutil.copytree(base / "shop", whole)
    began = time.monotonic()
    assert start(whole).wait() == 0
    took = time.monotonic() - began
    new = signature(whole), model_seed(whole)
    ended_old = 0
    for kill in range(KILLS):
        shop = tmp_path / f"shop{kill}"
        shutil.copytree(base / "shop", shop)
        process = start(shop)
        # past the end too: a busy machine is slower than the first run was, and an ended job must stand
        time.sleep(draw.uniform(0, 1.4 * took))
        process.send_signal(signal.SIGKILL)
        process.wait()
        after = signature(shop), model_seed(shop)
        assert after[0] in (old[0], new[0]), f"kill {kill}: neither the old tables nor the new"
        assert after[1] in (old[1], new[1]), f"kill {kill}: neither the old model nor the new"
        assert check(Shop.open(shop)).ok
        assert start(shop).wait() == 0
        assert (signature(shop), model_seed(shop)) == new
        ended_old += after == old
        shutil.rmtree(shop)
    print(f"\n{job}: killed {KILLS} times within {took:.1f} s; old state {ended_old}, new state {KILLS - ended_old}")
