"""RQ1 and RQ2 on simulated markets, where the truth is known: what joining the modalities gives, and which carry it.

A market is simulated with a seed that nothing was tuned on (seed 11 was, others were not). The model learns from the
first four fifths of the showings by time and is measured on the rest, beside boosted trees on the plain numbers, models
of every subset of the modalities, and the truth's own probability. The truth's shares: a term of the utility counts in
a subset that holds a modality that tells it, with the weight of everybody, of the person's country (with ``customer``)
or of the person (with ``behaviour``); how countries differ in buying at all is told by customer or behaviour; habits,
fashions and the list are behaviour. (That countries' buying at all is told by customer was added to the definition
after a trial on seed 5, a twentieth of the size.)
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.metrics import Interval, Shares, auc, auc_of_weights, bootstrap_rows, modality_shares, subsets
from danggol.purchase.multimodal.inputs import inputs
from danggol.purchase.multimodal.model import MultimodalModel, MultimodalSettings, Reading
from danggol.purchase.multimodal.shares import Worth, rows_of, worth
from danggol.purchase.multimodal.showings import OFFER, showing_times
from danggol.purchase.multimodal.trees import MODALITIES, Trees
from danggol.shop import Shop
from danggol.twin import simulate

Floats = NDArray[np.float64]
TERMS = ("price", "discount", "free_shipping", "reviews", "brand", "badge", "picture", "scene", "novelty", "home")
TOLD_BY = {"brand": {"text"}, "picture": {"text", "image"}, "scene": {"image"}, "style": {"text"}}
"""Modalities any of which tells a term; the offer tells the others."""
DRAWS = 100


class Truth:
    """The parts of the true utility at some showings."""

    def __init__(self, folder: Path, reading: Reading) -> None:
        frame = reading.data.showings.frame[reading.rows]
        told = pl.read_parquet(folder / "truth" / "choices.parquet", columns=["event_id", "customer_id", "p_buy"])
        told = told.rename({"customer_id": "person"})
        frame = frame.join(told, on="event_id", how="left", maintain_order="left")
        chance = np.clip(frame["p_buy"].to_numpy().astype(np.float64), 1e-6, 1 - 1e-6)
        self.log_odds = np.log(chance / (1 - chance))
        self._people = pl.read_parquet(folder / "truth" / "customers.parquet").rename({"customer_id": "person"})
        homes = Shop.open(folder).read("customers", ["customer_id", "country"]).rename({"customer_id": "person"})
        self._people = self._people.join(homes, on="person", how="left")
        goods = pl.read_parquet(folder / "truth" / "products.parquet")
        self._goods = frame.select("product_id").join(goods, on="product_id", how="left", maintain_order="left")
        self._who = frame.select("person")
        self._terms = self._of_offers(reading, frame)
        weight = json.loads((folder / "truth" / "market.json").read_text())["parameters"]["taste"]["weight"]
        self._taste = weight / 6**0.5
        everybody, countries, persons = (self._parts(self._mean(by)) for by in ("", "country", "person"))
        self.parts = {"": everybody, "customer": countries, "behaviour": persons}
        whole = np.sum(list(persons.values()), axis=0)
        rest = self.log_odds - whole - self._place(reading)
        by_home = pl.DataFrame({"home": frame["country"], "rest": rest})
        self.of_country = by_home.select(pl.col("rest").mean().over("home"))["rest"].to_numpy()
        self.rest = rest - self.of_country
        self.place = self._place(reading)

    def worth(self, part: frozenset[str]) -> Floats:
        """The utility that a subset of the modalities could tell (rows,)."""
        level = "behaviour" if "behaviour" in part else "customer" if "customer" in part else ""
        total = np.zeros(len(self.rest))
        for name, values in self.parts[level].items():
            if TOLD_BY.get(name, {"offer"}) & part:
                total += values
        total += self.of_country if {"customer", "behaviour"} & part else 0
        return total + (self.place if "offer" in part else 0) + (self.rest if "behaviour" in part else 0)

    @staticmethod
    def _place(reading: Reading) -> Floats:
        place = reading.data.showings.offer[reading.rows, OFFER.index("position")]
        return -0.25 * np.nan_to_num(place).astype(np.float64)

    def _mean(self, by: str) -> pl.DataFrame:
        """Weights, style and likings of each row's person: their own, their country's mean, or everybody's."""
        names = [*TERMS, *(name for name in self._people.columns if name.startswith(("style_", "likes_")))]
        if by == "person":
            table = self._people
        elif by == "country":
            table = self._people.select("person", *(pl.col(name).mean().over("country") for name in names))
        else:
            table = self._people.select("person", *(pl.col(name).mean() for name in names))
        return self._who.join(table, on="person", how="left", maintain_order="left")

    def _of_offers(self, reading: Reading, frame: pl.DataFrame) -> dict[str, Floats]:
        offer = np.nan_to_num(reading.data.showings.offer[reading.rows].astype(np.float64))
        told = {name: offer[:, place] for place, name in enumerate(OFFER)}
        ends = frame["image_shown"].fill_null("").str.extract(r"-(\d+)\.\w+$").fill_null("0")
        second = (ends != "0").to_numpy()
        background = np.where(second, self._goods["second_background"].fill_null(""), self._goods["background"])
        return {
            "price": told["price_to_usual"],
            "discount": told["discount"],
            "free_shipping": told["free_shipping"],
            "reviews": self._goods["rating"].to_numpy() - 4.0,
            "brand": self._goods["standing"].to_numpy(),
            "badge": told["best_seller"],
            "scene": np.isin(background, ["room", "outdoors"]).astype(np.float64),
            "novelty": (np.expm1(told["listed_days"]) <= 56).astype(np.float64),
            "home": told["home"],
        }

    def _parts(self, mean: pl.DataFrame) -> dict[str, Floats]:
        found = {name: mean[name].to_numpy() * values for name, values in self._terms.items()}
        rows = np.arange(mean.height)
        likes = [name for name in mean.columns if name.startswith("likes_")]
        liking, place = mean.select(likes).to_numpy(), {name[6:]: n for n, name in enumerate(likes)}
        both = [
            self._goods[kind].replace_strict(place, return_dtype=pl.Int64).to_numpy() for kind in ("color", "pattern")
        ]
        found["picture"] = mean["picture"].to_numpy() * sum(liking[rows, one] for one in both)
        styles = [f"style_{n}" for n in range(6)]
        match = (mean.select(styles).to_numpy() * self._goods.select(styles).to_numpy()).sum(axis=1)
        return found | {"style": self._taste * match}


def interval(found: Interval) -> list[float]:
    """Value, low and high, rounded."""
    return [round(float(one), 4) for one in (found.value, found.low, found.high)]


def told(shares: Shares) -> dict[str, Any]:
    """Shares as plain numbers."""
    return {
        "share": {name: interval(one) for name, one in shares.share.items()},
        "alone": {name: interval(one) for name, one in shares.alone.items()},
        "without": {name: interval(one) for name, one in shares.without.items()},
        "joined": interval(shares.joined),
    }


def dropped(model: MultimodalModel, found: Worth) -> dict[str, list[float]]:
    """AUC with a modality hidden, less that of a model trained without it, with intervals over customers."""
    label, people, everything = found.tested.label, found.people(), frozenset(MODALITIES)
    compared = {}
    for name in MODALITIES:
        hidden = auc_of_weights(model.log_odds(found.tested, [name]), label)
        never = auc_of_weights(found.odds[everything - {name}], label)
        compared[name] = interval(bootstrap_rows(lambda w, a=hidden, b=never: a(w) - b(w), people, DRAWS))
    return compared


def on_numbers(learnt: Reading, tested: Reading, settings: MultimodalSettings) -> Floats:
    """The strong baseline: boosted trees on offer, behaviour and customer, without text, picture or tastes."""
    plain = frozenset(["offer", "behaviour", "customer"])
    table = learnt.table
    places = [n for n, name in enumerate(table.names) if table.needs[n] <= plain and not name.startswith("taste ")]
    first, second = (one.table.chosen(places) for one in (learnt, tested))
    early = np.arange(len(learnt)) < int(len(learnt) * (1 - settings.held_out))
    judged = (first.rows(~early), learnt.label[~early])
    tried = Trees.learn(first.rows(early), learnt.label[early], settings.trees, judged, robust=False)
    rounds = settings.trees.model_copy(update={"rounds": max(1, tried.rounds)})
    return Trees.learn(first, learnt.label, rounds, robust=False).log_odds(second)


def measured(folder: Path, settings: MultimodalSettings) -> dict[str, Any]:
    """All figures of one market."""
    began = time.perf_counter()
    shop = Shop.open(folder)
    ts = showing_times(shop)
    moment = int(ts[int(0.8 * len(ts))])
    data = inputs(shop, before=moment)
    cut = int(np.searchsorted(ts, moment))
    past = inputs(shop, moment, data.words)
    model = MultimodalModel(settings).learn(past)
    fitted = time.perf_counter()
    tested = model.read(data, np.arange(cut, len(data)))
    learnt = model.sample(past)
    label = tested.label
    truth = Truth(folder, tested)
    found = worth(learnt, tested)
    people, korean = found.people(), rows_of(tested, "KR")
    odds = {"joined": model.log_odds(tested), "truth": truth.log_odds}
    odds["lightgbm-on-numbers"] = on_numbers(learnt, tested, settings)
    if model.trees is not None:
        odds["trees"] = model.trees.log_odds(tested.table)
    if model.network is not None:
        odds["network"] = model._network_odds(tested)
    odds |= {f"{name}-alone": found.odds[frozenset([name])] for name in MODALITIES}
    parts = {"": np.ones(len(label), np.bool_), "kr": korean}
    figures: dict[str, Any] = {"auc": {}, "korean": {}}
    for name, values in odds.items():
        for key, rows in zip(("auc", "korean"), parts.values(), strict=True):
            figures[key][name] = interval(
                bootstrap_rows(auc_of_weights(values[rows], label[rows]), people[rows], DRAWS)
            )
    ahead = {}
    for name, values in odds.items():
        if name not in {"joined", "truth"}:
            ours, theirs = (auc_of_weights(one, label) for one in (odds["joined"], values))
            ahead[name] = interval(bootstrap_rows(lambda w, a=ours, b=theirs: a(w) - b(w), people, DRAWS))
    reached = (auc(odds["joined"], label) - 0.5) / (auc(truth.log_odds, label) - 0.5)
    true_worth = {part: auc_of_weights(truth.worth(part), label) for part in subsets(MODALITIES)}
    return figures | {
        "joined_minus": ahead,
        "share_of_truth": round(reached, 4),
        "weights": {name: round(one, 3) for name, one in model.weights.items()},
        "shares": told(found.shares(draws=DRAWS)),
        "shares_korean": told(found.shares(korean, DRAWS)),
        "shares_of_truth": told(modality_shares(true_worth, people, 20)),
        "hidden_minus_never_had": dropped(model, found),
        "seconds": {"fit": round(fitted - began, 1), "all": round(time.perf_counter() - began, 1)},
    }


def show(market: str, found: dict[str, Any]) -> None:
    """The figures as tables."""
    print(f"\n{market}: AUC of the last fifth of the showings, 95% by customer")
    print(f"{'':<22}{'all':>26}{'Korean shoppers':>26}")
    for name in found["auc"]:
        cells = [f"{one[0]:.4f} [{one[1]:.3f}, {one[2]:.3f}]" for one in (found["auc"][name], found["korean"][name])]
        print(f"{name:<22}" + "".join(f"{cell:>26}" for cell in cells))
    print(f"(AUC - .5) of the joined model is {found['share_of_truth']:.3f} of the truth's")
    print(f"{'Shapley share of AUC':<22}{'model':>26}{'Korean shoppers':>26}{'truth':>10}")
    for name, one in found["shares"]["share"].items():
        korean, true = found["shares_korean"]["share"][name], found["shares_of_truth"]["share"][name]
        cells = [f"{value[0]:+.4f} [{value[1]:+.3f}, {value[2]:+.3f}]" for value in (one, korean)]
        print(f"{name:<22}" + "".join(f"{cell:>26}" for cell in cells) + f"{true[0]:>+10.4f}")
    print("hidden at prediction, less never had:", found["hidden_minus_never_had"], flush=True)


def main() -> None:
    """Simulate, measure, show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--markets", nargs="*", default=["default", "hard"])
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of ours")
    given = parser.parse_args()
    began, results = time.perf_counter(), {}
    settings = MultimodalSettings.load(pairs=given.set)
    with tempfile.TemporaryDirectory() as folder:
        for market in given.markets:
            simulate(Path(folder) / market, market, seed=given.seed, scale=given.scale)
            results[market] = measured(Path(folder) / market, settings)
            show(market, results[market])
    line = {
        "benchmark": "multimodal",
        "seed": given.seed,
        "scale": given.scale,
        "results": results,
        "total_seconds": round(time.perf_counter() - began, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
