"""How fast and how large: training, scoring, one recommendation and memory at growing numbers of events.

Simulated shops of about 10^4, 10^5 and 10^6 events (the default market; more customers, the same listings). Every model
runs in a process of its own, so that the peak of memory is its own: ours (ranked lists of all customers; and the
cross-modal model's trees on showings) beside a plain LightGBM LambdaRank and EASE. ``latency`` is that of one warm
customer's first ten, the model and the shop's past being in memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.purchase.baselines import EASE, Scorer
from danggol.purchase.history import History
from danggol.purchase.model import Prediction, PurchaseModel
from danggol.purchase.samples import read
from danggol.shop import Shop
from danggol.twin import simulate

EVENTS_AT_SCALE_1 = 951_000
MODELS = ("danggol", "danggol-multimodal", "lambdarank", "ease")
ASKED = 200
"""Customers whose latency is measured."""


def latency(recommend: Callable[[int], Any], customers: NDArray[np.int64]) -> dict[str, float]:
    """Median and 99th percentile in milliseconds, after ten that warm up."""
    drawn = np.random.default_rng(0).choice(customers, ASKED + 10)
    seconds = []
    for customer in drawn.tolist():
        began = time.perf_counter()
        recommend(customer)
        seconds.append(time.perf_counter() - began)
    return {f"p{share}_ms": round(1000 * float(np.percentile(seconds[10:], share)), 2) for share in (50, 99)}


def ranked(shop: Shop) -> dict[str, Any]:
    """Our purchase model."""
    purchases = read(shop)
    began = time.perf_counter()
    model = PurchaseModel().learn(purchases)
    fitted = time.perf_counter()
    prediction = Prediction(model, purchases, None)
    built = time.perf_counter()
    everybody = np.flatnonzero(prediction.moment.history.order_count > 0)
    scored = 0
    for batch in prediction.moment.batches(everybody):
        prediction.score(batch)
        scored += len(batch.row)
    ended = time.perf_counter()
    return {
        "fit_s": fitted - began,
        "rows_learnt": model.figures["rows"],
        "build_s": built - fitted,
        "score_s": ended - built,
        "rows_scored": scored,
        **latency(lambda customer: next(prediction.lists(np.array([customer]), 10)), everybody),
    }


def multimodal(shop: Shop) -> dict[str, Any]:
    """Our cross-modal model, by its trees."""
    from danggol.purchase.multimodal.model import MultimodalModel, MultimodalSettings

    began = time.perf_counter()
    model = MultimodalModel(MultimodalSettings(learners="trees")).fit(shop)
    fitted = time.perf_counter()
    data = model.inputs(shop)
    reading = model.read(data, np.arange(max(0, len(data) - 100_000), len(data)))
    built = time.perf_counter()
    model.log_odds(reading)
    ended = time.perf_counter()
    places = np.random.default_rng(0).integers(0, len(reading) - 12, 1000)
    # one list of twelve showings, everything that is read of them being in memory
    lists = [reading.part(np.arange(start, start + 12)) for start in places]
    return {
        "fit_s": fitted - began,
        "rows_learnt": len(data),
        "build_s": built - fitted,
        "score_s": ended - built,
        "rows_scored": len(reading),
        **latency(lambda place: model.log_odds(lists[place]), np.arange(len(lists))),
    }


def peer(shop: Shop, scorer: Scorer) -> dict[str, Any]:
    """A baseline."""
    purchases = read(shop)
    history = History(purchases, purchases.last + 1)
    everybody = np.flatnonzero(history.order_count > 0)
    began = time.perf_counter()
    fitted_model = scorer.fit(history)
    fitted = time.perf_counter()
    for start in range(0, len(everybody), 1000):
        fitted_model.score(everybody[start : start + 1000])
    ended = time.perf_counter()

    def first(customer: int) -> NDArray[np.int64]:
        return np.argsort(-fitted_model.score(np.array([customer]))[0], kind="stable")[:10]

    return {
        "fit_s": fitted - began,
        "rows_learnt": len(purchases.lines),
        "build_s": 0.0,
        "score_s": ended - fitted,
        "rows_scored": len(everybody) * history.products,
        **latency(first, everybody),
    }


def one(name: str, folder: Path) -> dict[str, Any]:
    """Measure one model on one shop, in this process."""
    shop = Shop.open(folder)
    if name == "lambdarank":
        from peers import PlainLambdaRank

        found = peer(shop, PlainLambdaRank())
    else:
        found = {"danggol": ranked, "danggol-multimodal": multimodal, "ease": lambda it: peer(it, EASE())}[name](shop)
    found |= {
        "rows_per_s_fit": round(found["rows_learnt"] / max(found["fit_s"], 1e-9)),
        "rows_per_s_score": round(found["rows_scored"] / max(found["score_s"], 1e-9)),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in found.items()}


def main() -> None:
    """Simulate, measure, show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", nargs="*", type=float, default=[1e4, 1e5, 1e6])
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "SHOP"), help="measure one model on one shop")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one[0], Path(given.one[1]))))
        return
    began, results = time.perf_counter(), {}
    print(
        f"{'model':<20}{'events':>10}{'fit s':>9}{'rows/s':>10}{'score rows/s':>14}{'p50 ms':>9}{'p99 ms':>9}{'MB':>7}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for wanted in given.events:
            shop = Path(folder) / f"{wanted:.0f}"
            simulate(shop, "default", seed=3, scale=wanted / EVENTS_AT_SCALE_1)
            events = Shop.open(shop).read("events", ["ts"]).height
            for name in MODELS:
                call = [sys.executable, __file__, "--one", name, str(shop)]
                ran = subprocess.run(call, capture_output=True, text=True, check=False)
                if ran.returncode:
                    sys.exit(f"{name} on {events} events failed: {ran.stderr.strip().splitlines()[-1:]}")
                found = json.loads(ran.stdout.splitlines()[-1]) | {"events": events}
                results.setdefault(name, {})[f"{wanted:.0e}"] = found
                print(
                    f"{name:<20}{events:>10,}{found['fit_s']:>9.1f}{found['rows_per_s_fit']:>10,}"
                    f"{found['rows_per_s_score']:>14,}{found['p50_ms']:>9.1f}{found['p99_ms']:>9.1f}{found['peak_mb']:>7,}",
                    flush=True,
                )
    growth = {}
    for name, by_size in results.items():
        sizes, seconds = zip(*((one["events"], max(one["fit_s"], 1e-2)) for one in by_size.values()), strict=True)
        if len(sizes) > 1:
            growth[name] = round(float(np.log(seconds[-1] / seconds[0]) / np.log(sizes[-1] / sizes[0])), 3)
    print("training time grows as events to the power of", growth)
    line = {"benchmark": "speed", "results": results, "growth": growth}
    print(json.dumps(line | {"total_seconds": round(time.perf_counter() - began, 1)}))


if __name__ == "__main__":
    main()
