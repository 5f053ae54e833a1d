"""Charts as inline SVG, one a language: drawn by Altair, coloured again for dark mode by the page's style sheet."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from markupsafe import Markup, escape

from danggol.report.words import LANGUAGES, Both, Language, say

if TYPE_CHECKING:
    import altair as alt

OURS, PEER, FAINT = "#0072b2", "#7a7f87", "#b9bec6"
"""Okabe and Ito's blue beside greys: told apart without colour vision. The style sheet maps them for dark mode."""
ROLES = ["ours", "peer", "place", "faint"]
INK, GRID = "#3c424b", "#e3e6ea"
WIDTH = 264
LABELS = 122
GUTTER = 44
"""Plot width, room for names, room for counts, in the drawing's units; drawn a little larger on a wide page."""
ENLARGED = 1.14
_SHORT = "datum.value < 1000 ? datum.value : format(datum.value, '~s')"


@dataclass(frozen=True)
class Chart:
    """A drawn chart: markup for both languages."""

    markup: Markup

    def __html__(self) -> Markup:
        return self.markup


def draw(make: Callable[[Language], alt.TopLevelMixin], key: str, title: Both, words: Both) -> Chart:
    """Render ``make(language)`` in each language; ``title`` and ``words`` are what a screen reader says of it."""
    parts = []
    for language in LANGUAGES:
        chart = make(language).configure(**_look())
        parts.append(_svg(chart, f"{key}-{language}", language, title.of(language), words.of(language)))
    return Chart(Markup("").join(parts))


def weeks(frame: pl.DataFrame, kinds: Sequence[str]) -> Callable[[Language], Any]:
    """Events a week (columns kind, week, events): one row of areas a kind, each on its own scale."""

    def make(language: Language) -> Any:
        import altair as alt

        rows = []
        for place, kind in enumerate(kinds):
            data = frame.filter(pl.col("kind") == kind)
            last = place == len(kinds) - 1
            axis = alt.Axis(
                format="%Y-%m", tickCount=5, labelOverlap=True, labelSeparation=16, title=None, labels=last, ticks=last
            )
            base = alt.Chart(data).encode(
                x=alt.X("week:T", axis=axis),
                y=alt.Y(
                    "events:Q",
                    axis=alt.Axis(labelExpr=_SHORT, tickCount=2, minExtent=GUTTER, maxExtent=GUTTER),
                    title=None,
                    scale=alt.Scale(zero=True),
                ),
            )
            title = alt.TitleParams(say(f"kind.{kind}").of(language), anchor="start", fontSize=13, offset=4)
            area = base.mark_area(color=OURS, opacity=0.22, line={"color": OURS, "strokeWidth": 1.6})
            mark = base.mark_bar(color=OURS) if data.height < 3 else area
            rows.append(mark.properties(width=WIDTH + LABELS - GUTTER, height=44, title=title))
        return alt.vconcat(*rows, spacing=8)

    return make


def prices(bins: pl.DataFrame, axis: Both) -> Callable[[Language], Any]:
    """Purchases by price (columns low, high, purchases) on a logarithmic axis."""

    def make(language: Language) -> Any:
        import altair as alt

        return (
            alt.Chart(bins)
            .mark_bar(color=OURS, opacity=0.85)
            .encode(
                x=alt.X(
                    "low:Q",
                    scale=alt.Scale(type="log", nice=False),
                    axis=alt.Axis(
                        title=axis.of(language),
                        labelExpr=_SHORT,
                        values=_round_prices(bins),
                        labelOverlap=True,
                        labelSeparation=10,
                        grid=False,
                    ),
                ),
                x2="high:Q",
                y=alt.Y(
                    "purchases:Q",
                    axis=alt.Axis(
                        title=say("kind.purchase").of(language),
                        labelExpr=_SHORT,
                        tickCount=4,
                        minExtent=GUTTER,
                        maxExtent=GUTTER,
                    ),
                    scale=alt.Scale(zero=True),
                ),
                y2=alt.datum(0),
            )
            .properties(width=WIDTH + LABELS - GUTTER, height=200)
        )

    return make


def _round_prices(bins: pl.DataFrame) -> list[float]:
    """Where to label a logarithmic axis: powers of ten, with twos and fives between where the range is short."""
    low, high = bins["low"].min(), bins["high"].max()
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))  # type: ignore[arg-type]
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    found = [round(step * 10.0**power, 12) for power in range(first, last + 1) for step in steps]
    return [value for value in found if low <= value <= high]  # type: ignore[operator]


def intervals(frame: pl.DataFrame, axis: Both, named: dict[str, Both]) -> Callable[[Language], Any]:
    """Dots with intervals: columns name, value, low, high, role (one of ROLES), order as in the frame.

    ``named`` gives the words for ``name``.
    """

    def make(language: Language) -> Any:
        import altair as alt

        told = frame.with_columns(
            pl.col("name").replace_strict({name: both.of(language) for name, both in named.items()}).alias("label")
        )
        order = told["label"].to_list()
        colour = alt.Color("role:N", scale=alt.Scale(domain=ROLES, range=[OURS, PEER, PEER, FAINT]), legend=None)
        y = alt.Y(
            "label:N",
            sort=order,
            axis=alt.Axis(
                title=None, labelLimit=LABELS - 8, minExtent=LABELS, maxExtent=LABELS, domain=False, ticks=False
            ),
        )
        base = alt.Chart(told).encode(y=y, color=colour)
        x = alt.Axis(title=axis.of(language), tickCount=4, format="~g", labelOverlap=True)
        rule = base.mark_rule(strokeWidth=2.4, strokeCap="round").encode(
            x=alt.X("low:Q", axis=x, scale=alt.Scale(zero=False, nice=True, padding=6)), x2="high:Q"
        )
        dot = base.mark_point(filled=True, size=74, opacity=1).encode(
            x=alt.X("value:Q", axis=x),
            shape=alt.Shape(
                "role:N",
                scale=alt.Scale(domain=ROLES, range=["circle", "diamond", "circle", "circle"]),
                legend=None,
            ),
        )
        return (rule + dot).properties(width=WIDTH, height=alt.Step(24))

    return make


def _look() -> dict[str, Any]:
    axis = {
        "labelColor": INK,
        "titleColor": INK,
        "tickColor": GRID,
        "domainColor": GRID,
        "gridColor": GRID,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
    }
    return {
        "aria": False,
        "background": "transparent",
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": axis,
        "title": {"color": INK, "fontWeight": 600},
        "padding": 2,
    }


def _svg(chart: Any, key: str, language: Language, title: str, words: str) -> Markup:
    """The chart's SVG, made to stand inside HTML: no namespace addresses, fluid, named for screen readers."""
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(chart.to_dict())
    head, body = re.match(r"<svg([^>]*)>(.*)</svg>\s*$", drawn, re.DOTALL).groups()  # type: ignore[union-attr]
    box = re.search(r'viewBox="([^"]+)"', head)
    view = box[1] if box else "0 0 460 240"
    width = float(view.split()[2])
    body = re.sub(r' font-family="[^"]*"', "", body)
    body = re.sub(r"(\.\d{2})\d+", r"\1", body)
    return Markup(
        '<svg class="chart {lang}" lang="{lang}" viewBox="{view}" style="width:{width:.0f}px" role="img" '
        'aria-labelledby="{key}-t {key}-d"><title id="{key}-t">{title}</title><desc id="{key}-d">{words}</desc>'
    ).format(
        lang=language, view=view, width=width * ENLARGED, key=key, title=escape(title), words=escape(words)
    ) + Markup(f"{body}</svg>")
