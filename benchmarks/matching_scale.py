"""How matching grows: nearest neighbours of many embeddings, a shop from end to end, and new listings that join.

    python benchmarks/matching_scale.py [--sizes 10000 100000] [--skip-shop] [--threads 1]

Made-up embeddings of 256 numbers: products are directions, drawn around a thousand kinds of goods, and every product
has one to five listings near its direction. For each size: seconds and peak memory of the 51 nearest of all, and recall
on 1,000 sampled queries against exact search. Then 35,000 listings from end to end (embeddings given, no titles), and
1,000 that join 100,000: seconds, and for how many listings the group is the one of all matched at once; and for how
many of those that are new or in a group with a new one (``touched``), the only ones that joining changes. Each is
measured in a process of its own: seconds on the clock, seconds of the processor over all its cores, and peak memory
(of the whole process, made-up data included).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.matching import Listings, Matcher
from danggol.matching.search.index import dense_neighbours, overlap

WIDE, NEAREST, QUERIES = 256, 51, 1_000
SHOP, OLD, NEW = 35_000, 100_000, 1_000


def main() -> None:
    """Print the figures and the line of JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    asked.add_argument("--skip-shop", action="store_true")
    asked.add_argument("--old", type=int, default=OLD, help="listings that the new ones join")
    asked.add_argument("--threads", type=int, help="of each library (all cores)")
    options = asked.parse_args()
    if options.threads:
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS"), str(options.threads)))
    found: dict[str, Any] = {str(size): apart(searched, size) for size in options.sizes}
    if not options.skip_shop:
        found[f"shop/{SHOP}"] = apart(shop, SHOP)
        found[f"join/{NEW}+{options.old}"] = apart(joined, options.old)
    print(json.dumps({"benchmark": "matching_scale", "rows": max(options.sizes, default=SHOP), "ours": found}))


def apart(measure: Callable[[int], dict[str, float]], size: int) -> dict[str, float]:
    """Measure in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, size).result()


def embeddings(size: int, seed: int = 0) -> NDArray[np.float32]:
    """(size, 256) of length one."""
    rng = np.random.default_rng(seed)
    kinds = rng.standard_normal((1_000, WIDE), np.float32)
    rows = rng.standard_normal((size, WIDE), np.float32)
    rows += kinds[rng.integers(0, len(kinds), size)]
    copies = rng.choice([1, 2, 3, 4, 5], size, p=[0.5, 0.3, 0.1, 0.05, 0.05])
    rows = rows[rng.permutation(np.repeat(np.arange(size), copies)[:size])]
    for start in range(0, size, 10_000):
        part = rows[start : start + 10_000]
        part += np.float32(0.35) * rng.standard_normal(part.shape, np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


class Clock:
    """Seconds since it was made: on the clock, and of the processor."""

    def __init__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, float]:
        """Both, and the peak memory so far."""
        seconds, processor = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": round(seconds, 1), "processor_seconds": round(processor, 1), "peak_mb": round(peak)}


def searched(size: int) -> dict[str, float]:
    """Time, memory and recall of the nearest of all."""
    rows = embeddings(size)
    clock = Clock()
    place = dense_neighbours(rows, rows, NEAREST).place
    told = clock.told()
    sample = np.random.default_rng(1).choice(size, QUERIES, replace=False)
    truth = exact(rows[sample], rows)
    told["recall"] = round(overlap(place[sample], truth), 4)
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


def shop(size: int) -> dict[str, float]:
    """A shop from end to end."""
    rows = embeddings(size)
    clock = Clock()
    matches = Matcher().predict(listings(rows))
    told = clock.told() | {"groups": len(set(matches.group))}
    print(f"{size} listings from end to end: {told}", flush=True)
    return told


def joined(old: int) -> dict[str, float]:
    """New listings that join, and all at once."""
    rows = embeddings(old + NEW)
    matcher = Matcher()
    state = matcher.match(listings(rows[:old]))
    new = listings(rows[old:], old)
    clock = Clock()
    grown = matcher.join(state, new)
    told = clock.told()
    whole = matcher.predict(listings(rows))
    same = mates(grown.matches.group) == mates(whole.group)
    fresh = np.arange(len(rows)) >= old
    touched = beside(grown.matches.group, fresh) | beside(whole.group, fresh)
    told["same_groups"] = round(float(same.mean()), 4)
    told["same_groups_touched"] = round(float(same[touched].mean()), 4)
    print(f"{NEW} join {old}: {told}", flush=True)
    return told


def beside(group: list[str], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each listing shares a group with one of the chosen."""
    code = np.unique(group, return_inverse=True)[1]
    return np.isin(code, code[chosen])


def mates(group: list[str]) -> NDArray[np.uint64]:
    """A number (listings,) that two partitions share where a listing's group has the same members."""
    code = np.unique(group, return_inverse=True)[1]
    draw = np.random.default_rng(2).integers(0, 2**63, len(code)).astype(np.uint64)
    total = np.zeros(code.max() + 1, np.uint64)
    np.add.at(total, code, draw)
    return total[code]


if __name__ == "__main__":
    main()
