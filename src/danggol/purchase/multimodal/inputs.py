"""Showings as the arrays that the cross-modal model reads: each text and picture once, rows by their places."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from danggol.encoders.image import Patches, read_regions
from danggol.encoders.text import PAD, UNKNOWN, Vocabulary
from danggol.purchase.multimodal.frozen import OWN, States, image_states, text_states
from danggol.purchase.multimodal.fusion import Batch, Shape
from danggol.purchase.multimodal.kinds import Kinds
from danggol.purchase.multimodal.showings import BEHAVIOUR, CUSTOMER, OFFER, Showings, showings
from danggol.purchase.samples import DAY, END, query
from danggol.shop.pictures import first_pictures

if TYPE_CHECKING:
    from danggol.shop import Shop

Ints = NDArray[np.int64]
TEXT_TOKENS, EVENTS = 12, 8
_RARE, _COMMON = 0.005, 0.2
"""Shares of the titles between which a token is worth a taste."""
_GAPS = np.array([0.04, 0.5, 1, 3, 7, 14, 30, 60, 120])
"""Days since an event, into classes."""


@dataclass(frozen=True)
class Words:
    """What was learnt of the training shop's words and groups, so that another moment or shop is coded alike."""

    vocabulary: Vocabulary
    categories: list[str]
    brands: list[str]
    kinds: Kinds
    countries: list[str]
    title: list[int]
    """tokens of titles that are neither rare nor everywhere; tastes are told by them too"""


@dataclass(frozen=True)
class Inputs:
    """Rows of showings for the model; texts and pictures are stored once and looked up."""

    showings: Showings
    words: Words
    text: Ints
    """(listings, tokens)"""
    listing: Ints
    """(rows,) place in ``text``"""
    regions: NDArray[np.float32]
    """(pictures, regions, pixels); the last row is "no picture" """
    picture: Ints
    """(rows,) place in ``regions``"""
    events: Ints
    """(rows, events, channels): deed, category, brand, gap, same; 0 where there is none"""
    text_kinds: dict[str, Ints]
    """(rows,) code of each kind that words tell; 0 is unknown"""
    image_kinds: dict[str, Ints]
    """(rows,) code of each kind that the picture tells"""
    states: dict[str, States] = field(default_factory=dict)
    """of ``text`` and ``image`` where a frozen encoder reads them: (listings, tokens, numbers), (pictures, regions,
    numbers), nan where there is none; in the place of ``text`` and ``regions`` for the network"""
    pieces: list[list[str]] = field(default_factory=list)
    """of each listing: the subwords of a frozen encoder"""

    def __len__(self) -> int:
        return len(self.showings)

    @property
    def label(self) -> NDArray[np.bool_]:
        """(rows,) whether it was bought."""
        return self.showings.bought

    def shape(self) -> Shape:
        """The sizes that the network needs."""
        sizes = {f"{name}_states": states.shape[2] for name, states in self.states.items()}
        return Shape(
            **sizes,
            vocabulary=len(self.words.vocabulary),
            text_tokens=self.token_rows("text").shape[1],
            regions=self.token_rows("image").shape[1],
            pixels=self.regions.shape[2],
            events=self.events.shape[1],
            event_sizes=[4, len(self.words.categories) + 2, len(self.words.brands) + 2, len(_GAPS) + 2, 9],
            offer=len(OFFER),
            behaviour=len(BEHAVIOUR),
            customer=len(CUSTOMER),
        )

    @cached_property
    def kinds(self) -> dict[str, Ints]:
        """(rows,) code of each kind, whatever tells it; of ``title`` (rows, words), 0 where there is none."""
        known = np.zeros(len(self.words.vocabulary), np.int64)
        known[self.words.title] = np.arange(1, len(self.words.title) + 1)
        return {"title": known[self.text][self.listing]} | self.text_kinds | self.image_kinds

    def token_rows(self, name: str) -> NDArray[Any]:
        """What the network reads of each listing's ``text`` or of each picture (``image``)."""
        own: NDArray[Any] = self.text if name == "text" else self.regions
        return self.states.get(name, own)

    def subwords(self, rows: Ints) -> list[list[str]]:
        """The subwords of each row's title that the network reads, in order."""
        if "text" in self.states:
            return [self.pieces[place] for place in self.listing[rows]]
        return [self.words.vocabulary.words(ids[ids != PAD].tolist()) for ids in self.text[self.listing[rows]]]

    def batch(self, rows: Ints) -> Batch:
        """The rows as tensors."""
        seen = self.showings
        return {
            "text": torch.from_numpy(self.token_rows("text")[self.listing[rows]]),
            "image": torch.from_numpy(self.token_rows("image")[self.picture[rows]]),
            "events": torch.from_numpy(self.events[rows]),
            "offer": torch.from_numpy(seen.offer[rows]),
            "behaviour": torch.from_numpy(seen.behaviour[rows]),
            "customer": torch.from_numpy(seen.customer[rows]),
        }


def inputs(
    shop: Shop,
    until: int | None = None,
    words: Words | None = None,
    before: int | None = None,
    text: str = OWN,
    image: str = OWN,
) -> Inputs:
    """The showings of a shop before ``until``; words are learnt from listings known before ``before`` if not given.

    ``text`` and ``image``: ``hf:NAME`` reads titles or pictures by a frozen encoder, kept in the shop's cache.
    """
    seen = showings(shop, until)
    listings = shop.sql(query("titles"))
    regions, picture, paths = _pictures(shop, seen)
    if words is None:
        known = END if before is None else before
        early = listings.filter(pl.col("listed").is_null() | (pl.col("listed") < known))
        shown = np.unique(picture[seen.frame["ts"].to_numpy() < known])
        vocabulary = Vocabulary.learn(early["title"].to_list(), 4000)
        words = Words(
            vocabulary,
            sorted(early["category"].drop_nulls().unique().to_list()),
            sorted(early["brand"].drop_nulls().unique().to_list()),
            Kinds.learn(early, regions[shown]),
            sorted(seen.frame.filter(pl.col("ts") < known)["country"].drop_nulls().unique().to_list()),
            _telling(vocabulary, vocabulary.encode(early["title"].to_list(), TEXT_TOKENS)),
        )
    places = listings.select("product_id").with_row_index("place")
    joined = seen.frame.join(places, on="product_id", how="left", maintain_order="left")
    listing = joined["place"].fill_null(len(listings)).to_numpy().astype(np.int64)
    of_listings = {name: np.append(codes, 0) for name, codes in words.kinds.of_listings(listings).items()}
    titles: list[str | None] = [*listings["title"].to_list(), None]
    read = text_states(text, titles, TEXT_TOKENS, shop.path / "cache")
    looked = image_states(image, [*paths, None], Patches().grid, shop.path / "cache")
    return Inputs(
        showings=_countries_coded(seen, words.countries),
        words=words,
        text=words.vocabulary.encode(titles, TEXT_TOKENS),
        listing=listing,
        regions=regions,
        picture=picture,
        events=_events(shop, seen, listings, words, until),
        text_kinds={name: codes[listing] for name, codes in of_listings.items()},
        image_kinds={name: codes[picture] for name, codes in words.kinds.of_pictures(regions).items()},
        states=({} if read is None else {"text": read[0]}) | ({} if looked is None else {"image": looked}),
        pieces=[] if read is None else read[1],
    )


def _telling(vocabulary: Vocabulary, text: Ints) -> list[int]:
    """Tokens of two letters or more in half a percent to a fifth of the titles, each counted once a title."""
    ordered = np.sort(text, axis=1)
    first = np.ones(text.shape, np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    count = np.bincount(ordered[first], minlength=len(vocabulary))
    fit = np.flatnonzero((count >= max(3, _RARE * len(text))) & (count <= _COMMON * len(text)))
    words = zip(fit.tolist(), vocabulary.words(fit.tolist()), strict=True)
    return [token for token, word in words if token > UNKNOWN and sum(one.isalpha() for one in word) > 1]


def _countries_coded(seen: Showings, countries: list[str]) -> Showings:
    """The country of each row by its place among the model's countries, 0 where it is another."""
    customer = seen.customer.copy()
    customer[:, CUSTOMER.index("country")] = _coded(seen.frame["country"].fill_null(""), countries).to_numpy()
    return replace(seen, customer=customer)


def _pictures(shop: Shop, seen: Showings) -> tuple[NDArray[np.float32], Ints, list[Path]]:
    """Regions of the pictures shown, the listing's first picture where the log does not say which; and their files."""
    patches = Patches()
    rows = seen.frame.select("product_id", path="image_shown")
    rows = rows.join(first_pictures(shop), on="product_id", how="left", maintain_order="left")
    rows = rows.select(path=pl.coalesce("path", "image"))
    paths = rows["path"].drop_nulls().unique().sort()
    local = [path for path in paths.to_list() if "://" not in path]
    files = [shop.resolve(path) for path in local]
    found, _ = read_regions(files, patches, shop.path / "cache")
    nothing = np.full((1, patches.regions, patches.pixels), np.nan, np.float32)
    code = {path: place for place, path in enumerate(local)}
    picture = rows["path"].replace_strict(code, default=len(local), return_dtype=pl.Int64).fill_null(len(local))
    return np.concatenate([found, nothing]), picture.to_numpy().astype(np.int64), files


def _events(shop: Shop, seen: Showings, listings: pl.DataFrame, words: Words, until: int | None) -> Ints:
    """The latest events of each row's person before the visit began, the last one first."""
    deeds = shop.sql(query("deeds"), {"until": END if until is None else until}).filter(
        pl.col("customer_id").is_not_null()
    )
    kinds = listings.select(
        "product_id",
        category=_coded(listings["category"], words.categories),
        brand=_coded(listings["brand"], words.brands),
        number=pl.int_range(1, pl.len() + 1),
    )
    told = deeds.join(kinds, on="product_id", how="left", maintain_order="left").fill_null(0)
    people = pl.concat([told["customer_id"], seen.frame["customer_id"].drop_nulls()]).unique().sort()
    code = pl.Enum(people)
    who = told["customer_id"].cast(code).to_physical().to_numpy().astype(np.int64)
    ts = told["ts"].to_numpy()
    order = np.lexsort((ts, who))
    table = told.select("deed", "category", "brand", "number").to_numpy().astype(np.int64)[order]
    who, ts = who[order], ts[order]
    start = seen.frame["start"].to_numpy()
    person = seen.frame["customer_id"].cast(code).to_physical().fill_null(len(people)).to_numpy().astype(np.int64)
    # a person's events before the visit end at this place
    seconds = int(max(ts.max(initial=0), start.max(initial=0))) // 2**20 + 1
    key = who * seconds + ts // 2**20
    end = np.searchsorted(key, person * seconds + start // 2**20)
    first = np.searchsorted(who, person)
    shown = seen.frame.join(kinds, on="product_id", how="left", maintain_order="left").fill_null(0)
    own = shown.select("category", "brand", "number").to_numpy().astype(np.int64)
    found = np.zeros((len(seen), EVENTS, 5), np.int64)
    for back in range(EVENTS):
        place = end - 1 - back
        there = place >= first
        at = np.where(there, place, 0)
        if not len(table):
            break
        days = np.maximum(start - ts[at], 0) / DAY
        alike = (table[at, 1:4] == own) & (own > 0)
        same = 1 + alike @ np.array([1, 2, 4])
        row = np.stack([table[at, 0] + 1, table[at, 1] + 1, table[at, 2] + 1, np.digitize(days, _GAPS) + 1, same], 1)
        found[:, back] = np.where(there[:, None], row, 0)
    return found


def _coded(values: pl.Series, known: list[str]) -> pl.Series:
    """Place from 1 among the known, 0 where unknown."""
    return values.replace_strict(
        {name: place + 1 for place, name in enumerate(known)}, default=0, return_dtype=pl.Int64
    )
