"""The first lines of the report: up to five plain sentences of what was found, each with its figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from danggol.report.sections.contents import Contents
from danggol.report.sections.examples import Examples
from danggol.report.sections.prediction import Group, Place, Prediction
from danggol.report.words import Both, day, figure, interval, percent, say, signed, term

Tone = Literal["ahead", "level", "behind", "plain"]


@dataclass(frozen=True)
class Finding:
    """A sentence, what it rests on, and its colour."""

    text: Both
    grounds: Both
    tone: Tone = "plain"


def findings(contents: Contents, prediction: Prediction | None, examples: Examples | None) -> list[Finding]:
    """What the tables say, most important first; empty for an empty shop."""
    found: list[Finding | None] = []
    if prediction is not None:
        found += [_group(prediction, group) for group in prediction.groups if group.part in {"all", "new"}]
        found.append(_places(prediction))
    found += [_regulars(contents), _market(contents)]
    if examples is not None:
        found.append(_lists(examples))
    if contents.rejected:
        found.append(Finding(say("found.rejects", n=contents.rejected), say("found.rejects_grounds")))
    return [one for one in found if one is not None][:5]


def _group(prediction: Prediction, group: Group) -> Finding | None:
    ours, peer = group.ours, group.rival
    if ours is None or ours.value is None:
        return None
    metric = term("metric", prediction.metric)
    grounds = say(
        "found.model_grounds",
        metric=metric,
        ours=f"{figure(ours.value)} {interval(ours.low, ours.high)}".strip(),
        n=ours.customers or 0,
        until=day(prediction.until),
    )
    if peer is None or peer.value is None:
        return Finding(say(f"found.{group.part}_alone"), grounds)
    verdict = peer.verdict
    if verdict == "unknown":
        return Finding(say(f"found.{group.part}_beside", peer=peer.name, value=figure(peer.value)), grounds)
    beside = say(
        "found.peer_grounds",
        peer=peer.name,
        value=figure(peer.value),
        difference=f"{signed(peer.difference)} {interval(peer.difference_low, peer.difference_high)}".strip(),
    )
    return Finding(
        say(f"found.{group.part}_{verdict}", peer=peer.name),
        Both(f"{grounds.en} {beside.en}", f"{grounds.ko} {beside.ko}"),
        verdict,
    )


def _places(prediction: Prediction) -> Finding | None:
    sure = [place for place in prediction.places if not place.unsure]
    if len(sure) < 2:
        return None
    high, low = sure[0], sure[-1]
    apart = high.ours.low is not None and low.ours.high is not None and high.ours.low > low.ours.high
    return Finding(
        say("found.places_apart" if apart else "found.places_level", high=high.name, low=low.name),
        say(
            "found.places_grounds",
            metric=term("metric", prediction.metric),
            high=_shown(high),
            low=_shown(low),
            n=len(prediction.places) - len(sure),
        ),
    )


def _shown(place: Place) -> Both:
    told = f"{figure(place.ours.value)} {interval(place.ours.low, place.ours.high)}".strip()
    return Both(f"{place.name.en} {told}", f"{place.name.ko} {told}")


def _regulars(contents: Contents) -> Finding | None:
    buyers, regulars = contents.facts.buyers, contents.facts.regulars
    if not buyers:
        return None
    said = say("found.regulars", share=percent(regulars / buyers)) if regulars else say("found.regulars_none")
    return Finding(
        said,
        say("found.regulars_grounds", n=regulars, buyers=buyers),
    )


def _market(contents: Contents) -> Finding | None:
    named = [row for row in contents.countries if row.code and row.purchases]
    if not named:
        return None
    first = named[0]
    return Finding(
        say("found.market", country=first.name, share=percent(first.share)),
        say("found.market_grounds", n=first.purchases, total=contents.facts.purchases, buyers=first.buyers),
    )


def _lists(examples: Examples) -> Finding:
    told = [Both(f"{name.en} {percent(part)}", f"{name.ko} {percent(part)}") for name, part in examples.reasons[:3]]
    return Finding(
        say("found.lists", n=examples.lists, at=day(examples.at)),
        say(
            "found.lists_grounds",
            reasons=Both(", ".join(one.en for one in told), ", ".join(one.ko for one in told)),
        ),
    )
