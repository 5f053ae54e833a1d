"""What the command line does: train, evaluate, explain, predict; each writes tables or files and returns figures."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from danggol.errors import DataError, UsageError
from danggol.purchase.evaluate import Evaluation, default_cut
from danggol.purchase.evaluate import evaluate as measure
from danggol.purchase.explain import HeldOut, dependence, drawn, reasons
from danggol.purchase.model import Asked, Prediction, PurchaseModel, When, ask
from danggol.purchase.samples import DAY, Purchases, as_datetime, moment, read, span
from danggol.purchase.settings import PurchaseSettings
from danggol.shop.pictures import first_pictures

if TYPE_CHECKING:
    from danggol.shop import Run, Shop

_MODEL = Path("models", "purchase")
_EXPLAINED, _MAIN = 200, 6
"""Customers, drawn at random, on whom the model is explained; features whose partial dependence is told."""


def train(
    shop: Shop,
    until: When = None,
    to: str | Path | None = None,
    settings: PurchaseSettings | None = None,
    seed: int = 0,
    start: str | Path | None = None,
) -> dict[str, Any]:
    """Train on everything before ``until`` and save to ``to`` (the shop's ``models/purchase`` if not said).

    ``start``: the folder of another shop's model to go on from.
    """
    began = time.perf_counter()
    values = _with_seed(settings, seed)
    if start is None:
        model = PurchaseModel(**values).fit(shop, until)
    else:
        model = PurchaseModel.load(start).finetune(shop, until, **values)
    model.measured = shop.read("purchase_metrics") if shop.has("purchase_metrics") else None
    target = model.save(shop.path / _MODEL if to is None else to)
    figures = {name: model.figures[name] for name in ("learnt", "customers", "products", "rows", "hits")}
    return {
        "model": str(target),
        "until": model.figures["until"],
        **figures,
        **({} if start is None else {"from": str(start)}),
        "moments": len(model.figures["moments"]),
        **_cost(began),
    }


def evaluate(
    shop: Shop,
    until: When = None,
    days: float | None = None,
    settings: PurchaseSettings | None = None,
    seed: int = 0,
    seeds: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Measure beside every baseline and write ``purchase_metrics``; the figures of an earlier cut are kept."""
    began = time.perf_counter()
    chosen = PurchaseSettings.of(_with_seed(settings, seed))
    if days is not None and not 0 < days <= 366:
        raise UsageError(f"days must lie between 0 and 366, got {days:g}")
    cut = moment(shop, until)
    if cut is None:
        first, last = span(shop)
        cut = default_cut(shop, first, last, chosen.horizon_days if days is None else days)
    found = measure(shop, cut, days, chosen, seeds or (seed,))
    frame = found.frame()
    with shop.run("purchase evaluate", settings=chosen.model_dump(), seed=seed) as run:
        if shop.has("purchase_metrics"):
            others = shop.read("purchase_metrics").filter(pl.col("until") != as_datetime(cut))
            run.write("purchase_metrics", others)
            run.append("purchase_metrics", frame)
        else:
            run.write("purchase_metrics", frame)
    return summary(found, frame, shop.config.timezone) | _cost(began)


def summary(found: Evaluation, frame: pl.DataFrame, zone: str = "UTC") -> dict[str, Any]:
    """The main figures of an evaluation: by model, ``metric`` or ``metric/part`` to value; days are of ``zone``."""
    models: dict[str, dict[str, float]] = {}
    for row in frame.iter_rows(named=True):
        name = row["metric"] if row["part"] == "all" else f"{row['metric']}/{row['part'].lower()}"
        if row["value"] is not None:
            models.setdefault(row["model"], {})[name] = row["value"]
    ahead = frame.filter((pl.col("metric") == "ndcg@10") & pl.col("part").is_in(["all", "new"]))
    return {
        "until": as_datetime(found.until).isoformat(),
        "from_day": as_datetime(found.until).astimezone(ZoneInfo(zone)).date().isoformat(),
        "days": found.days,
        "customers": len(found.country),
        "models": models,
        "differences": {
            f"{row['model']}/{row['part']}": [row["difference"], row["difference_low"], row["difference_high"]]
            for row in ahead.iter_rows(named=True)
            if row["difference"] is not None
        },
        "fit_seconds": round(found.seconds["fit"], 1),
    }


def predict(
    shop: Shop,
    at: When = None,
    top: int = 10,
    model: str | Path | PurchaseModel | None = None,
    customers: Sequence[str] | None = None,
    settings: PurchaseSettings | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Write ``purchase_scores`` and ``recommendations`` as of ``at``; trained anew where no model is given.

    With ``customers``, the rows of all other customers stay; without, both tables are replaced.
    """
    began = time.perf_counter()
    now = moment(shop, at)
    purchases = read(shop, now)
    if isinstance(model, PurchaseModel):
        learnt = model
    elif model is not None:
        learnt = PurchaseModel.load(model)
        _refuse_later(learnt, now)
    else:
        learnt = PurchaseModel(**_with_seed(settings, seed)).learn(purchases, now)
    prediction = Prediction(learnt, purchases, now, undated=now is None or now > span(shop)[1])
    asked = ask(purchases, customers)
    images = first_pictures(shop)
    with shop.run("purchase predict", settings=learnt.settings.model_dump(), seed=seed) as run:
        counts = _write(shop, run, prediction, asked, top, images, replace=customers is None)
    return {
        "at": as_datetime(prediction.at).isoformat(),
        "as_of": as_datetime(prediction.as_of).isoformat(),
        "customers": len(asked.codes) + len(asked.strangers),
        "unknown": len(asked.strangers),
        "horizon_days": learnt.settings.horizon_days,
        "trained_anew": model is None,
        "days_past_the_tables": max(0, (prediction.at - purchases.last) // round(DAY)),
        **counts,
        **_cost(began),
    }


def explain(
    shop: Shop,
    until: When = None,
    model: str | Path | None = None,
    customers: Sequence[str] | None = None,
    top: int = 10,
    settings: PurchaseSettings | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What the model goes by, measured on purchases after ``until``; or, with ``customers``, what their lists go by.

    Writes ``purchase_importance`` and ``purchase_dependence``; with customers ``purchase_reasons``, where other
    customers' rows stay. Trained anew on rows before ``until`` where no model is given.
    """
    began, now = time.perf_counter(), moment(shop, until)
    learnt = None if model is None else PurchaseModel.load(model)
    chosen = PurchaseSettings.of(_with_seed(settings, seed)) if learnt is None else learnt.settings
    if now is None and customers is None:
        first, last = span(shop)
        now = default_cut(shop, first, last, chosen.horizon_days) if learnt is None else learnt.until
    if learnt is not None:
        _refuse_later(learnt, now)
    end = None if customers is not None or now is None else now + round(chosen.horizon_days * DAY)
    purchases = read(shop, now if end is None else end)
    past = purchases if now is None else purchases.before(now)
    learnt = learnt or PurchaseModel(**chosen.model_dump()).learn(past, now)
    prediction = Prediction(learnt, past, now, undated=end is None and (now is None or now > span(shop)[1]))
    with shop.run("purchase explain", settings=chosen.model_dump(), seed=seed) as run:
        if customers is None:
            found = _explained(prediction, purchases, run, seed)
        else:
            found = _reasoned(shop, prediction, customers, top, run)
    day = as_datetime(prediction.at).astimezone(ZoneInfo(shop.config.timezone)).date().isoformat()
    return {"until": as_datetime(prediction.at).isoformat(), "from_day": day, **found, **_cost(began)}


def _explained(prediction: Prediction, purchases: Purchases, run: Run, seed: int) -> dict[str, Any]:
    """Measure and write what the lists need, and how the probability moves with what they need most."""
    held = HeldOut(prediction, purchases, _EXPLAINED, seed)
    until, as_of = (pl.lit(as_datetime(at)) for at in (prediction.at, purchases.last))
    horizon = float(prediction.settings.horizon_days)
    needed = held.importance(seed)
    run.write("purchase_importance", needed.with_columns(until=until, as_of=as_of, horizon_days=pl.lit(horizon)))
    main = needed.filter(pl.col("kind") == "feature")["name"].head(_MAIN).to_list()
    known = np.flatnonzero(prediction.moment.history.order_count > 0)
    moved = dependence(prediction, drawn(known, _EXPLAINED, seed), main)
    run.write("purchase_dependence", moved.with_columns(until=until, as_of=as_of))
    return {
        "customers": len(held.batch.customers),
        "ndcg@10": list(held.score().values()),
        "importance": {
            f"{row['kind']}/{row['name']}": [row["value"], row["low"], row["high"]]
            for row in needed.iter_rows(named=True)
        },
        "dependence": {
            name: moved.filter(pl.col("feature") == name).select("value", "probability").rows() for name in main
        },
    }


def _reasoned(shop: Shop, prediction: Prediction, customers: Sequence[str], top: int, run: Run) -> dict[str, Any]:
    """Write what each product of the customers' lists owes to each family of features."""
    asked = ask(prediction.purchases, customers)
    if asked.strangers:
        raise DataError(f"the shop knows no customer {asked.strangers[0]}; see customers and events for the ids")
    found = reasons(prediction, asked.codes, top)
    at, as_of = pl.lit(as_datetime(prediction.at)), pl.lit(as_datetime(prediction.as_of))
    if shop.has("purchase_reasons"):
        others = shop.read("purchase_reasons").filter(~pl.col("customer_id").is_in(list(customers)))
        run.write("purchase_reasons", others)
        run.append("purchase_reasons", found.with_columns(at=at, as_of=as_of))
    else:
        run.write("purchase_reasons", found.with_columns(at=at, as_of=as_of))
    return {"customers": len(asked.codes), "reasons": found.rows(named=True)}


def _refuse_later(model: PurchaseModel, now: int | None) -> None:
    """DataError where a model has learnt from rows at or after the moment."""
    if now is not None and model.until is not None and model.until > now:
        raise DataError(
            f"the model was trained on rows up to {as_datetime(model.until):%Y-%m-%d %H:%M} UTC, after the moment "
            "of the prediction; predict later, or train with an earlier --until"
        )


def _write(
    shop: Shop, run: Run, prediction: Prediction, asked: Asked, top: int, images: pl.DataFrame, replace: bool
) -> dict[str, int]:
    """Stream both tables, chunk by chunk."""
    scores, lists = run.writer("purchase_scores"), run.writer("recommendations")
    if not replace:
        # the asked customers' former rows go, everybody else's stay
        names = [*prediction.purchases.customers["customer_id"].gather(asked.codes).to_list(), *asked.strangers]
        for name, writer in (("purchase_scores", scores), ("recommendations", lists)):
            if shop.has(name):
                writer.add(shop.read(name).filter(~pl.col("customer_id").is_in(names)))
    before = (scores.rows, lists.rows)
    for chance, told in _frames(prediction, asked, top, images):
        scores.add(chance)
        lists.add(told)
    return {"purchase_scores": scores.rows - before[0], "recommendations": lists.rows - before[1]}


def _frames(
    prediction: Prediction, asked: Asked, top: int, images: pl.DataFrame
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    reasons = prediction.reasons()
    for ranked in prediction.lists(asked.codes, max(top, prediction.settings.stored_scores)):
        frame = _stamped(prediction, prediction.frame(ranked))
        chosen = ranked.rank <= top
        found = reasons.of(ranked.customers, ranked.row[chosen], ranked.product[chosen])
        yield _scores(frame), _listed(frame.filter(pl.col("rank") <= top), found, images)
    strangers = _stamped(prediction, prediction.of_strangers(asked.strangers, top))
    yield _scores(strangers), _listed(strangers, [("new_customer", {})] * strangers.height, images)


def _stamped(prediction: Prediction, frame: pl.DataFrame) -> pl.DataFrame:
    at, as_of = as_datetime(prediction.at), as_datetime(prediction.as_of)
    horizon = float(prediction.settings.horizon_days)
    return frame.with_columns(
        pl.lit(at).alias("at"), pl.lit(as_of).alias("as_of"), pl.lit(horizon).alias("horizon_days")
    )


def _scores(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("customer_id", "product_id", "at", "probability", "horizon_days", "as_of")


def _listed(frame: pl.DataFrame, reasons: Sequence[tuple[str, dict[str, str]]], images: pl.DataFrame) -> pl.DataFrame:
    """The recommendations with picture and reason."""
    kind = pl.Struct(dict.fromkeys(("times", "product_id", "country"), pl.String))
    told = frame.with_columns(
        pl.Series("reason_code", [code for code, _ in reasons], pl.String),
        pl.Series("reason_args", [args for _, args in reasons], kind),
    )
    told = told.join(images, on="product_id", how="left", maintain_order="left")
    return told.select(
        "customer_id", "at", "rank", "product_id", "score", "image", "reason_code", "reason_args", "as_of"
    )


def _with_seed(settings: PurchaseSettings | None, seed: int) -> dict[str, Any]:
    """The settings' values, with the seed of the call where the settings name none of their own."""
    values = {} if settings is None else settings.model_dump(exclude_unset=True)
    return {"seed": seed} | values


def _cost(began: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(time.perf_counter() - began, 1), "peak_mb": round(peak)}
