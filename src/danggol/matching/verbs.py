"""What the command line does with matching: match a shop's listings and write them down, and say why of two."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from danggol.errors import DataError, UsageError
from danggol.matching.against import against as offered_matches
from danggol.matching.against import read_offered
from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.shop_listings import read_listings
from danggol.matching.matcher import Matched, Matcher
from danggol.matching.reasons import why as reasons
from danggol.matching.saved import there
from danggol.matching.settings import MatchingSettings
from danggol.matching.state import grown, read_state, write_state

if TYPE_CHECKING:
    from danggol.shop import Shop

_MODEL, _STATE = Path("models", "matching"), Path("cache", "matching")


def match(
    shop: Shop,
    model: str | Path | Matcher | None = None,
    labels: Mapping[str, Any] | None = None,
    settings: MatchingSettings | None = None,
    seed: int = 0,
    anew: bool = False,
) -> dict[str, Any]:
    """Match all listings of a shop; writes ``product_matches`` and ``product_groups``.

    ``model``: a fitted matcher or the folder of one. ``labels``: the known group of some listings by id; a model is
    fitted on those and saved to the shop's ``models/matching``. With neither: that saved model where there is one and
    no settings are given, else fixed rules. Groups keep the ids that ``product_groups`` held. Listings that are new
    since the last run join what was matched then; all are matched ``anew`` where that is said, where listings have
    changed or gone, or where very many are new.

    UsageError: a model and settings or labels are both given. DataError: few labelled listings, or
    none, are in the shop.
    """
    began = time.perf_counter()
    if model is not None and (settings is not None or labels is not None):
        raise UsageError("a model bears its own settings and labels; give it alone")
    held = read_listings(shop)
    listings, as_of = held.listings, held.as_of
    told: dict[str, Any] = {}
    if labels is None:
        matcher = _matcher(shop, model, settings, seed)
    else:
        known = _known(listings, labels)
        matcher = Matcher(_with_seed(settings, seed)).fit(listings, labels)
        told = {"labelled": known, "labels_unknown": len(labels) - known, "model": str(shop.path / _MODEL)}
        told |= {name: round(value, 4) for name, value in matcher.figures.items()}
        matcher.save(shop.path / _MODEL)
    if matcher.settings.preset == "shopee-winner":
        found = matcher.predict(listings, _former(shop))
    else:
        state, joined = _matched_again(shop, matcher, listings, anew)
        found, told = state.matches, told | {"joined": joined}
    stamp = pl.lit(as_of).alias("as_of")
    with shop.run("match", settings=matcher.settings.model_dump(), seed=matcher.settings.seed) as run:
        matches = run.write("product_matches", found.frame().with_columns(stamp))
        run.write("product_groups", found.groups().with_columns(stamp))
    return {
        "listings": len(listings),
        "product_matches": matches,
        "groups": len(set(found.group)),
        "by": matcher.means,
        "pictures": {"read": held.readable, "of": held.pictured},
        "saved_model_unused": model is None and labels is None and settings is not None and there(shop.path / _MODEL),
        **told,
        "as_of": as_of.isoformat(),
        "seconds": round(time.perf_counter() - began, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def why(
    shop: Shop, first: str, second: str, model: str | Path | Matcher | None = None, seed: int = 0
) -> dict[str, Any]:
    """What speaks for and against two listings being one product; see :func:`danggol.matching.reasons.why`."""
    matcher = _matcher(shop, model, None, seed)
    return reasons(matcher, _matched(shop, matcher, read_listings(shop).listings), first, second)


def against(
    shop: Shop, path: Path, model: str | Path | Matcher | None = None, seed: int = 0
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Match the listings of a file against the shop's, which stay as they are.

    Gives listing, product_id, group_id, similarity, by, rank of every match; and how many listings found one. The file:
    see :func:`danggol.matching.against.read_offered`.
    """
    began = time.perf_counter()
    matcher = _matcher(shop, model, None, seed)
    listings = read_listings(shop).listings
    offered = read_offered(path, listings)
    found = offered_matches(matcher, _matched(shop, matcher, listings), offered)
    return found, {
        "listings": len(offered),
        "matched": found["listing"].n_unique(),
        "rows": found.height,
        "by": matcher.means,
        "seconds": round(time.perf_counter() - began, 1),
    }


def _matched(shop: Shop, matcher: Matcher, listings: Listings) -> Matched:
    """The shop's listings, matched; what ``match`` kept is used where it holds, and stays as it is."""
    state = read_state(shop.path / _STATE, matcher, listings)
    return matcher.match(listings, _former(shop)) if state is None else grown(matcher, state, listings)[0]


def _matched_again(shop: Shop, matcher: Matcher, listings: Listings, anew: bool) -> tuple[Matched, int | None]:
    """The same, kept for later runs; and how many joined those that were matched before, None where all were anew."""
    folder, former = shop.path / _STATE, _former(shop)
    state = None if anew else read_state(folder, matcher, listings)
    if state is not None and former != dict(state.matches.groups().rows()):
        state = None
    joined = None
    if state is None:
        state = matcher.match(listings, former)
    else:
        state, joined = grown(matcher, state, listings)
    if joined != 0:
        # A run is no worse for what the next one cannot use.
        with contextlib.suppress(OSError):
            write_state(folder, matcher, state)
    return state, joined


def _former(shop: Shop) -> dict[str, str]:
    """The group that each listing was in."""
    return dict(shop.read("product_groups", ["product_id", "group_id"]).rows()) if shop.has("product_groups") else {}


def _matcher(shop: Shop, model: str | Path | Matcher | None, settings: MatchingSettings | None, seed: int) -> Matcher:
    """The model given, the shop's saved one, or the rules."""
    if isinstance(model, Matcher):
        return model
    if model is not None:
        return Matcher.load(model)
    saved = shop.path / _MODEL
    return Matcher.load(saved) if settings is None and there(saved) else Matcher(_with_seed(settings, seed))


def _known(listings: Listings, labels: Mapping[str, Any]) -> int:
    """How many listings have a label; DataError where none has."""
    known = sum(labels.get(name) is not None for name in listings.ids.tolist())
    if not known:
        one = f" (such as {next(iter(labels))!r})" if labels else ""
        raise DataError(f"none of the {len(labels)} labelled listings{one} is in the shop; give ids of its products")
    return known


def _with_seed(settings: MatchingSettings | None, seed: int) -> MatchingSettings:
    values = {} if settings is None else settings.model_dump(exclude_unset=True)
    return MatchingSettings.of({"seed": seed} | values)
