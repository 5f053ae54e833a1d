"""How matching grows: nearest neighbours of many embeddings, a shop from end to end, and new listings that join.

    python benchmarks/matching_scale.py [--sizes 10000 100000] [--skip-shop]

Made-up embeddings of 256 numbers: products are directions, drawn around a thousand kinds of goods, and every product
has one to five listings near its direction. For each size: seconds and peak memory of the 51 nearest of all, and recall
on 1,000 sampled queries against exact search. Then 35,000 listings from end to end (embeddings given, no titles), and
1,000 that join 100,000: seconds, and for how many listings the group is the one of all matched at once.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.matching import Listings, Matcher
from danggol.matching.index import dense_neighbours, overlap

WIDE, NEAREST, QUERIES = 256, 51, 1_000
SHOP, OLD, NEW = 35_000, 100_000, 1_000


def main() -> None:
    """Print the figures and the line of JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    asked.add_argument("--skip-shop", action="store_true")
    asked.add_argument("--old", type=int, default=OLD, help="listings that the new ones join")
    options = asked.parse_args()
    found: dict[str, Any] = {str(size): searched(size) for size in options.sizes}
    if not options.skip_shop:
        found[f"shop/{SHOP}"] = shop()
        found[f"join/{NEW}+{options.old}"] = joined(options.old)
    print(json.dumps({"benchmark": "matching_scale", "rows": max(options.sizes, default=SHOP), "ours": found}))


def embeddings(size: int, seed: int = 0) -> NDArray[np.float32]:
    """(size, 256) of length one."""
    rng = np.random.default_rng(seed)
    kinds = rng.normal(size=(1_000, WIDE)).astype(np.float32)
    products = kinds[rng.integers(0, len(kinds), size)] + rng.normal(size=(size, WIDE)).astype(np.float32)
    copies = rng.choice([1, 2, 3, 4, 5], size, p=[0.5, 0.3, 0.1, 0.05, 0.05])
    which = np.repeat(np.arange(size), copies)[:size]
    rows = products[rng.permutation(which)]
    rows += 0.35 * rng.normal(size=rows.shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def searched(size: int) -> dict[str, float]:
    """Time, memory and recall of the nearest of all."""
    rows = embeddings(size)
    began = time.perf_counter()
    place = dense_neighbours(rows, rows, NEAREST).place
    seconds = time.perf_counter() - began
    sample = np.random.default_rng(1).choice(size, QUERIES, replace=False)
    truth = exact(rows[sample], rows)
    told = {"seconds": round(seconds, 1), "peak_mb": peak(), "recall": round(overlap(place[sample], truth), 4)}
    print(f"{size} embeddings: {told}", flush=True)
    return told


def exact(queries: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """The true nearest (queries, 51), by all products."""
    found = [
        np.argpartition(-(part @ rows.T), NEAREST, axis=1)[:, :NEAREST]
        for part in np.array_split(queries, max(len(queries) // 100, 1))
    ]
    return np.concatenate(found).astype(np.int64)


def listings(rows: NDArray[np.float32], first: int = 0) -> Listings:
    """Listings with a picture embedding and nothing else."""
    return Listings.of([f"{first + row:07d}" for row in range(len(rows))], vectors={"image": rows})


def shop() -> dict[str, float]:
    """A shop from end to end."""
    rows = embeddings(SHOP)
    began = time.perf_counter()
    matches = Matcher().predict(listings(rows))
    told = {"seconds": round(time.perf_counter() - began, 1), "peak_mb": peak(), "groups": len(set(matches.group))}
    print(f"{SHOP} listings from end to end: {told}", flush=True)
    return told


def joined(old: int) -> dict[str, float]:
    """New listings that join, and all at once."""
    rows = embeddings(old + NEW)
    matcher = Matcher()
    state = matcher.match(listings(rows[:old]))
    new = listings(rows[old:], old)
    began = time.perf_counter()
    grown = matcher.join(state, new)
    seconds = time.perf_counter() - began
    whole = matcher.predict(listings(rows))
    same = np.mean(mates(grown.matches.group) == mates(whole.group))
    told = {"seconds": round(seconds, 1), "peak_mb": peak(), "same_groups": round(float(same), 4)}
    print(f"{NEW} join {old}: {told}", flush=True)
    return told


def mates(group: list[str]) -> NDArray[np.uint64]:
    """A number (listings,) that two partitions share where a listing's group has the same members."""
    code = np.unique(group, return_inverse=True)[1]
    draw = np.random.default_rng(2).integers(0, 2**63, len(code)).astype(np.uint64)
    total = np.zeros(code.max() + 1, np.uint64)
    np.add.at(total, code, draw)
    return total[code]


def peak() -> int:
    """Peak memory so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
