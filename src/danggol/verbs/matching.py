"""What the matching verbs do: match, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from danggol.console import Outcome, Table
from danggol.errors import UsageError
from danggol.shop import Shop

_SHOWN = 20
"""Matches of a file that are shown on the terminal."""


def match(
    path: Path,
    *,
    labels: Path | None,
    model: Path | None,
    to: Path | None,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
    anew: bool = False,
) -> Outcome:
    """Match a shop's listings."""
    from danggol.matching import MatchingSettings, files, verbs

    if labels and model:
        raise UsageError("--labels trains a model and --model gives one; choose one")
    shop = Shop.open(path)
    chosen = MatchingSettings.load(settings, pairs) if settings or pairs else None
    known = None if labels is None else files.read_labels(labels)
    figures = verbs.match(shop, model, known, chosen, seed, anew)
    said: list[str | Table] = [
        f"{figures['listings']:,} listings in {figures['groups']:,} groups by {_by(figures['by'])}, "
        f"in {figures['seconds']:.0f} s.",
        f"Written to product_matches ({figures['product_matches']:,} rows, each listing with itself among them) and "
        f"product_groups of {path}.",
    ]
    if figures.get("joined") is not None:
        new, before = figures["joined"], figures["listings"] - figures["joined"]
        said.append(
            (f"{new:,} new listings joined the {before:,} that were matched before" if new else "No listing is new")
            + "; the others have not changed but in price. --anew matches all again."
        )
    if to is not None:
        rows = files.write_shopee(shop, to)
        said.append(f"Wrote posting_id,matches of {rows:,} listings to {to}.")
    unread = figures["pictures"]["of"] - figures["pictures"]["read"]
    if unread:
        said.append(
            f"Of the {figures['pictures']['of']:,} listings with a picture, {unread:,} have none that can be read or "
            "that shows more than one shade: these were matched without. danggol check names files that are missing."
        )
    if "model" in figures:
        said.append(
            f"Learnt from {figures['labelled']:,} labelled listings; the model is in {figures['model']}, and match "
            "uses it from now on; delete that folder to go back to the rules."
        )
    if "row_f1" in figures:
        said.append(
            "On groups that the model had not learnt from, its limits tuned on them, a listing's matches have an F1 "
            f"of {figures['row_f1']:.3f}."
        )
    if figures.get("labels_unknown"):
        said.append(f"{figures['labels_unknown']:,} labelled listings are not in the shop and were left out.")
    if figures["saved_model_unused"]:
        said.append("Settings were given, so the shop's saved model was not used; train it with them by --labels.")
    elif figures["by"] == "rules":
        said.append("No group was known to learn from; with --labels FILE (product_id,group) a model is trained.")
    return Outcome(figures, said)


def match_file(path: Path, file: Path, *, model: Path | None, to: Path | None, seed: int) -> Outcome:
    """Match a file's listings against a shop's."""
    from danggol.matching import files, verbs

    found, figures = verbs.against(Shop.open(path), file, model, seed)
    said: list[str | Table] = [
        f"{figures['matched']:,} of the {figures['listings']:,} listings of {file} are products of {path}, by "
        f"{_by(figures['by'])}, in {figures['seconds']:.0f} s.",
    ]
    if found.height:
        shown = found.head(_SHOWN).select("listing", "product_id", "similarity", "by")
        rest = f"; the first {_SHOWN} of {found.height:,} matches" if found.height > _SHOWN else ""
        said.append(Table(("listing", "product", "similarity", "by"), shown.rows(), f"Best first by listing{rest}"))
    if to is not None:
        files.write_csv(found, to)
        said.append(f"Wrote {found.height:,} matches to {to}.")
    return Outcome(figures, said)


def prices(path: Path, *, at: str | None, weeks: int, by: str) -> Outcome:
    """Compare prices within the groups of the same product."""
    from danggol.matching.offers.prices import price_gaps

    figures = price_gaps(Shop.open(path), at, weeks, by)
    names = {"seller_id": "seller", "source": "source"}
    rows = [tuple(row.values()) for row in figures[by]]
    heading = tuple(names.get(name, name.replace("_", " ")) for name in (figures[by][0] if rows else ()))
    said: list[str | Table] = [
        f"{figures['states'].get('compared', 0):,} prices compared within groups as of {figures['at'][:10]}, "
        f"in {figures['currency']} with shipping.",
    ]
    if rows:
        said.append(Table(heading, rows, "Dearest first; a gap is the share above the cheapest of the group"))
    said.append(f"Written to product_price_gaps of {path} ({figures['product_price_gaps']:,} rows).")
    return Outcome(figures, said)


def spam(path: Path) -> Outcome:
    """Flag copied pictures, stuffed titles and absurd prices."""
    from danggol.matching.offers.spam import REASONS
    from danggol.matching.offers.spam import spam as look

    figures = look(Shop.open(path))
    rows = [(reason.replace("_", " "), figures[reason]) for reason in REASONS]
    return Outcome(
        figures,
        [
            f"{figures['flagged']:,} of {figures['listings']:,} listings flagged.",
            Table(("reason", "listings"), rows),
            f"Written to product_spam of {path}, each with its reason and score; a flag is a hint to look, not proof.",
        ],
    )


def _by(word: str) -> str:
    return {"rules": "fixed rules", "pair model": "a pair model"}.get(word, word)


def why(first: str, second: str, path: Path, *, model: Path | None, seed: int) -> Outcome:
    """Say what speaks for and against two listings being one product."""
    from danggol.matching import verbs

    figures = verbs.why(Shop.open(path), first, second, model, seed)
    return Outcome(figures, _why_words(figures))


def _why_words(figures: Mapping[str, Any]) -> list[str | Table]:
    told = [
        (listing, title, _words(only), ", ".join(_told(one)))
        for listing, title, only, one in zip(
            figures["listings"], figures["titles"], figures["only"], figures["told"], strict=True
        )
    ]
    alike = [(name, value) for name, value in figures["similarity"].items() if value is not None]
    details = figures["details"]
    said: list[str | Table] = [
        f"{figures['listings'][0]} and {figures['listings'][1]} {_verdict(figures)}.",
        Table(("listing", "title", "only here", "amounts and codes"), told),
        Table(("alike in", "similarity"), alike),
        f"In both titles: {_words(figures['shared']) or 'nothing'}.",
    ]
    if details["agree"] or details["contradict"]:
        said.append(f"Of brand, category and the like {details['agree']} agree and {details['contradict']} contradict.")
    if figures["quantities_against"]:
        said.append("Their amounts contradict each other.")
    return said


def _verdict(figures: Mapping[str, Any]) -> str:
    """What was decided, and by which figure."""
    chance, limit = figures["probability"], figures["threshold"]
    seen = "the two lay too far apart to be looked at" if chance is None else f"{chance:.2f}"
    return {
        "alone": f"are taken for the same product: {seen}, {limit:.2f} is enough",
        "best": f"are matched: {seen}, and one is the other's best match, for which {limit:.2f} is enough",
        "group": f"are taken for the same product, since other listings hold them together; by themselves: {seen}",
        "": f"are not taken for the same product: {seen}"
        + ("" if chance is None else f", {limit:.2f} would be enough"),
    }[figures["because"]]


def _words(weighed: Sequence[tuple[str, float]]) -> str:
    return ", ".join(word for word, _ in weighed)


def _told(one: Mapping[str, Sequence[Any]]) -> list[str]:
    return [str(value) for kind in ("quantities", "numbers", "codes") for value in one[kind]]
