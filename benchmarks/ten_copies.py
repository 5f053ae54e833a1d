"""Write Online Retail several times into one file, as a shop of that many times the size would have it.

    python benchmarks/ten_copies.py OUT.csv.gz [--copies 10] [--data DIR]

Invoice and customer numbers get the number of the copy as further digits, so that every copy has invoices and customers
of its own, and all share the products and the days. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path

import polars as pl

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "purchase" / "online_retail"


def write_copies(source: Path, target: Path, copies: int) -> int:
    """Write ``copies`` of the lines of ``source`` to ``target`` (.csv, or .csv.gz compressed); how many lines."""
    lines = pl.read_csv(source, infer_schema=False)
    digits = len(str(copies - 1))
    with gzip.open(target, "wb", compresslevel=3) if target.suffix == ".gz" else target.open("wb") as file:
        for copy in range(copies):
            mark = f"{copy:0{digits}d}"
            lines.with_columns(
                pl.col("InvoiceNo") + mark,
                pl.col("CustomerID").str.replace(r"^(\d+)(\.0)?$", f"${{1}}{mark}.0"),
            ).write_csv(file, include_header=copy == 0)
    return lines.height * copies


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    began = time.monotonic()
    rows = write_copies(given.data / "online_retail.csv.gz", given.out, given.copies)
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"benchmark": "ten_copies", "rows": rows, "bytes": given.out.stat().st_size, "seconds": seconds}))


if __name__ == "__main__":
    main()
