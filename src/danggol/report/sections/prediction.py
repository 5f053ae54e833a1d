"""Purchase prediction: ours beside every other model, on all purchases, on new ones, and by country."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from danggol.report import charts, words
from danggol.report.queries import rows
from danggol.report.words import Both, country, day, figure, interval, say, term

if TYPE_CHECKING:
    from danggol.shop import Shop

OURS = "danggol"
RANKING = ("ndcg@10", "recall@10", "precision@10", "auc", "average_precision")
LOWER_IS_BETTER = frozenset(
    {"ece", "expected_calibration_error", "calibration_error", "brier", "log_loss", "calibration_intercept"}
)
CALIBRATION = ("calibration", "ece", "expected_calibration_error", "brier", "log_loss")
GROUPS = ("all", "repeat", "new")
FEW_CUSTOMERS = 30
"""Below this many customers, or with an interval wider than half its figure, a country's figure is called unsure."""

Verdict = Literal["ahead", "level", "behind", "unknown"]


_HARDNESS: dict[Verdict, int] = {"behind": 0, "level": 1, "unknown": 2, "ahead": 3}


@dataclass(frozen=True)
class Figure:
    """A figure with its interval and, for another model, ours minus it on the same customers."""

    model: str
    metric: str
    part: str
    value: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    customers: int | None
    best: bool = False

    @property
    def name(self) -> Both:
        """The model in words."""
        return words.model(self.model)

    @property
    def ours(self) -> bool:
        """Whether this is the package's own default model."""
        return self.model == OURS

    @property
    def verdict(self) -> Verdict:
        """Ahead: ours is better than this model and the interval of the difference leaves out zero."""
        if self.difference_low is None or self.difference_high is None:
            return "unknown"
        low, high = self.difference_low, self.difference_high
        if self.metric in LOWER_IS_BETTER:
            low, high = -high, -low
        return "ahead" if low > 0 else "behind" if high < 0 else "level"


@dataclass(frozen=True)
class Group:
    """The models on one part of the purchases, best first."""

    part: str
    figures: list[Figure]
    chart: charts.Chart | None

    @property
    def ours(self) -> Figure | None:
        """Our figure."""
        return next((one for one in self.figures if one.ours), None)

    @property
    def peer(self) -> Figure | None:
        """The best of the other models."""
        return next((one for one in self.figures if not one.ours and one.value is not None), None)

    @property
    def twins(self) -> bool:
        """Whether own frequency has the figures of popularity, as it must have on products never bought before."""
        values = {one.model: (one.value, one.low, one.high) for one in self.figures}
        return self.part == "new" and "popularity" in values and values["popularity"] == values.get("frequency")

    @property
    def rival(self) -> Figure | None:
        """The other model that ours has the hardest time with: one that is ahead, else level, else the best."""
        others = [one for one in self.figures if not one.ours and one.value is not None]
        return min(others, key=lambda one: _HARDNESS[one.verdict], default=None)


@dataclass(frozen=True)
class Place:
    """A country: ours, and the model that is best over all countries beside us."""

    code: str
    name: Both
    ours: Figure
    peer: Figure | None
    unsure: bool


@dataclass(frozen=True)
class Prediction:
    """Everything that the section shows, for the latest cut."""

    metric: str
    until: datetime
    horizon: float | None
    customers: int | None
    cuts: Both | None
    groups: list[Group]
    metrics: list[str]
    table: list[tuple[Both, bool, list[Figure | None]]]
    places: list[Place]
    place_chart: charts.Chart | None
    peer_name: Both | None
    calibration: list[Figure]

    @property
    def overall(self) -> Group | None:
        """The group of all purchases."""
        return next((group for group in self.groups if group.part == "all"), None)


def gather(shop: Shop) -> Prediction | None:
    """Read the section's figures from the shop; None where there are none."""
    if not shop.has("purchase_metrics"):
        return None
    found = rows(shop, "metrics", zone=shop.config.timezone)
    latest = max(row["until"] for row in found)
    here = [row for row in found if row["until"] == latest]
    figures = [_figure(row) for row in here]
    present = {one.metric for one in figures}
    ranked = [name for name in RANKING if name in present]
    ranked += sorted(present - set(ranked) - {name for name in present if name.startswith(CALIBRATION)})
    metric = ranked[0] if ranked else min(present)
    groups = [group for part in GROUPS if (group := _group(figures, metric, part)).figures]
    overall = groups[0] if groups else None
    peer = overall.peer if overall else None
    places = _places(figures, metric, peer.model if peer else None)
    ours = overall.ours if overall else None
    return Prediction(
        metric=metric,
        until=latest,
        horizon=here[0]["horizon_days"],
        customers=ours.customers if ours else None,
        cuts=_cuts({row["until"] for row in found} - {latest}),
        groups=groups,
        metrics=ranked,
        table=_table(figures, overall, ranked),
        places=places,
        place_chart=_place_chart(places, metric, ours),
        peer_name=peer.name if peer else None,
        calibration=[one for one in figures if one.part == "all" and one.metric.startswith(CALIBRATION)],
    )


def _cuts(others: set[datetime]) -> Both | None:
    told = [day(cut) for cut in sorted(others)]
    return Both(", ".join(one.en for one in told), ", ".join(one.ko for one in told)) if told else None


def _figure(row: Mapping[str, Any]) -> Figure:
    return Figure(**{name: row[name] for name in Figure.__dataclass_fields__ if name != "best"})


def _sorted(figures: Sequence[Figure], metric: str) -> list[Figure]:
    sign = 1 if metric in LOWER_IS_BETTER else -1
    return sorted(figures, key=lambda one: (one.value is None, sign * (one.value or 0), not one.ours, one.model))


def _group(figures: Sequence[Figure], metric: str, part: str) -> Group:
    chosen = _sorted([one for one in figures if one.metric == metric and one.part == part], metric)
    shown = [one for one in chosen if one.value is not None]
    if not shown:
        return Group(part, chosen, None)
    told = [_told(one) for one in shown]
    described = Both("; ".join(text.en for text in told), "; ".join(text.ko for text in told))
    frame = _frame([(one.model, one, "ours" if one.ours else "peer") for one in shown])
    chart = charts.draw(
        charts.intervals(frame, term("metric", metric), {one.model: one.name for one in shown}),
        f"models-{part}",
        say("models.title", part=say(f"part.{part}"), metric=term("metric", metric)),
        described,
    )
    return Group(part, chosen, chart)


def _told(one: Figure) -> Both:
    shown = f"{figure(one.value)} {interval(one.low, one.high)}".strip()
    return Both(f"{one.name.en} {shown}", f"{one.name.ko} {shown}")


def _frame(points: Sequence[tuple[str, Figure, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (
                name,
                one.value,
                one.value if one.low is None else one.low,
                one.value if one.high is None else one.high,
                role,
            )
            for name, one, role in points
        ],
        schema={"name": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "role": pl.String},
        orient="row",
    )


def _table(
    figures: Sequence[Figure], overall: Group | None, metrics: Sequence[str]
) -> list[tuple[Both, bool, list[Figure | None]]]:
    """Every model's figures on all purchases, in the order of the main metric; the best of each metric is marked."""
    part = overall.part if overall else "all"
    cells = {(one.model, one.metric): one for one in figures if one.part == part}
    order = list(overall.figures) if overall else []
    rest = sorted({one.model for one in figures if one.part == part} - {one.model for one in order})
    best = {
        metric: ranked[0].model
        for metric in metrics
        if (
            ranked := _sorted([one for one in cells.values() if one.metric == metric and one.value is not None], metric)
        )
    }
    table = []
    for model in [one.model for one in order] + rest:
        line = [
            Figure(**{**vars(one), "best": best.get(metric) == model}) if (one := cells.get((model, metric))) else None
            for metric in metrics
        ]
        if any(line):
            table.append((words.model(model), model == OURS, line))
    return table


def _places(figures: Sequence[Figure], metric: str, peer: str | None) -> list[Place]:
    by_part = {(one.part, one.model): one for one in figures if one.metric == metric and one.part not in GROUPS}
    places = [
        Place(part, country(part), one, by_part.get((part, peer)) if peer else None, _unsure(one))
        for (part, model), one in by_part.items()
        if model == OURS and one.value is not None and len(part) == 2
    ]
    return sorted(places, key=lambda place: (-(place.ours.value or 0), place.code))


def _unsure(one: Figure) -> bool:
    if one.customers is not None and one.customers < FEW_CUSTOMERS:
        return True
    if one.low is None or one.high is None or not one.value:
        return True
    return one.high - one.low > 0.5 * one.value


def _place_chart(places: Sequence[Place], metric: str, ours: Figure | None) -> charts.Chart | None:
    if not places:
        return None
    points = [(place.code, place.ours, "faint" if place.unsure else "place") for place in places[:40]]
    named = {place.code: place.name for place in places[:40]}
    if ours is not None and ours.value is not None:
        points.append(("all", ours, "ours"))
        named["all"] = say("all_countries")
    points.sort(key=lambda point: -(point[1].value or 0))
    told = [_told_place(place) for place in places[:40]]
    described = Both("; ".join(text.en for text in told), "; ".join(text.ko for text in told))
    title = say("places.title", metric=term("metric", metric))
    return charts.draw(charts.intervals(_frame(points), term("metric", metric), named), "places", title, described)


def _told_place(place: Place) -> Both:
    shown = f"{figure(place.ours.value)} {interval(place.ours.low, place.ours.high)}".strip()
    return Both(f"{place.name.en} {shown}", f"{place.name.ko} {shown}")
