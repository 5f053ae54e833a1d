"""Online Retail: who buys which products in the 30 days after a cut, ours beside every baseline, on three cuts.

    python benchmarks/online_retail.py [--data DIR] [--cuts 2011-11-09 ...] [--seeds 0 1 2] [--set name=value ...]

History is what lies before the cut; relevant are the distinct products (stock codes that start with five digits) bought
in the 30 days after it; customers have both; all products of the history are ranked, binary gain. ``new`` ranks only
products that the customer had not bought before. Chosen on the cuts 2011-09-10 and 2011-10-10, with
2011-08-11 as a third witness; the last cut is the test. An earlier version had shown on the last cut too that more
``windows`` help. The rows go through the importer, a shop and ``danggol.purchase.evaluate``, as a user's would.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from danggol.purchase import Evaluation, PurchaseSettings, evaluate
from danggol.shop import Shop
from danggol.shop.sources import import_source
from peers import extra_peers

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "purchase" / "online_retail"
CUTS = ("2011-09-10", "2011-10-10", "2011-11-09")
METRICS = ("ndcg@10", "recall@10", "precision@10", "auc", "average_precision")
DAYS = 30


def main() -> None:
    """Import, measure every cut, print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of online_retail.csv.gz, or the file")
    parser.add_argument("--cuts", nargs="+", default=list(CUTS), help="the last one is the test")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    settings = PurchaseSettings.load(pairs=given.set)
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        import_source("online-retail", given.data, Path(folder) / "shop")
        shop = Shop.open(Path(folder) / "shop")
        rows = shop.tables()["events"].rows
        imported = time.perf_counter() - began
        for cut in given.cuts:
            found = evaluate(shop, cut, DAYS, settings, given.seeds, extra_peers())
            frame = found.frame()
            report(cut, found, frame)
            results[cut] = by_model(frame)
    last = results[given.cuts[-1]]
    line: dict[str, Any] = {
        "benchmark": "online_retail",
        "rows": rows,
        "cut": given.cuts[-1],
        "ours": last.pop("danggol"),
        "peers": last,
        "cuts": {cut: results[cut] for cut in given.cuts[:-1]},
        "seconds": {"import": round(imported, 1), **{name: round(value, 1) for name, value in found.seconds.items()}},
        "total_seconds": round(time.perf_counter() - began, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(json.dumps(line))


def report(cut: str, found: Evaluation, frame: pl.DataFrame) -> None:
    """Print a cut's figures: ours and each peer with its interval, and ours minus theirs."""
    print(f"\ncut {cut}, {DAYS} days, {len(found.country):,} customers; ours minus theirs in brackets, 95% by customer")
    print(
        f"{'model':<15} {'ndcg@10':<22} {'difference':<26} {'ndcg@10/new':<22} {'difference':<26} {'recall@10':<9} auc"
    )
    for model in found.values:
        cells = [f"{model:<15}"]
        for part in ("all", "new"):
            chosen = (pl.col("model") == model) & (pl.col("metric") == "ndcg@10") & (pl.col("part") == part)
            row = frame.filter(chosen).row(0, named=True)
            cells.append(f"{row['value']:.4f} [{row['low']:.3f}, {row['high']:.3f}]".ljust(22))
            cells.append(_difference(row).ljust(26))
        cells += [f"{found.mean(model, 'recall@10'):.4f}   ", f"{found.mean(model, 'auc'):.4f}"]
        print(" ".join(cells), flush=True)


def _difference(row: dict[str, Any]) -> str:
    if row["difference"] is None:
        return ""
    return f"{row['difference']:+.4f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]"


def by_model(frame: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Each model's metrics; a part other than all comes after a slash."""
    found: dict[str, dict[str, float]] = {}
    for row in frame.iter_rows(named=True):
        if row["value"] is None:
            continue
        name = row["metric"] if row["part"] == "all" else f"{row['metric']}/{row['part'].lower()}"
        found.setdefault(row["model"], {})[name] = round(row["value"], 4)
    return found


if __name__ == "__main__":
    main()
