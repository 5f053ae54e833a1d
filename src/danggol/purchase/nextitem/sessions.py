"""Sessions as flat arrays: item codes one after another, where each session starts, and its locale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.errors import DataError, UsageError

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Sessions:
    """n sessions: ``item`` (events,), session s being ``item[start[s] : start[s + 1]]`` in order; ``locale`` (n,).

    An unknown locale is -1. Item codes from ``Catalogue.items`` on are items that training has not seen.
    """

    item: Codes
    start: Codes
    locale: Codes

    def __len__(self) -> int:
        return len(self.locale)

    @property
    def length(self) -> Codes:
        """Events of each session (n,)."""
        return np.diff(self.start)

    @property
    def session(self) -> Codes:
        """The session of each event (events,)."""
        return np.repeat(np.arange(len(self)), self.length)

    @property
    def from_end(self) -> Codes:
        """How many events of the session come after each event (events,); 0 is the last."""
        return np.repeat(self.start[1:], self.length) - 1 - np.arange(len(self.item))

    def take(self, rows: NDArray[Any]) -> Sessions:
        """The sessions of these rows (indices or flags), in that order."""
        chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        length = self.length[chosen]
        start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
        event = np.repeat(self.start[:-1][chosen] - start[:-1], length) + np.arange(start[-1])
        return Sessions(self.item[event], start, self.locale[chosen])

    def without_last(self) -> tuple[Sessions, Codes]:
        """All but the last item of each session, and that item (n,). DataError: a session is empty."""
        if (self.length < 1).any():
            raise DataError("a session holds no item, so it has no last one; leave empty sessions out")
        last = self.start[1:] - 1
        kept = np.ones(len(self.item), np.bool_)
        kept[last] = False
        return Sessions(self.item[kept], self.start - np.arange(len(self) + 1), self.locale), self.item[last]

    def at(self, back: int) -> Codes:
        """The item ``back`` events before the end of each session (n,); -1 where the session is shorter."""
        place = self.start[1:] - 1 - back
        there = place >= self.start[:-1]
        out = np.full(len(self), -1, np.int64)
        out[there] = self.item[place[there]]
        return out


class Catalogue:
    """Which item and which locale has which code: both in sorted order."""

    def __init__(self, items: Iterable[str], locales: Iterable[str]) -> None:
        self.names = np.array(sorted(set(items)), dtype=object)
        self.locales = sorted(set(locales))
        self._frame = pl.DataFrame({"name": self.names.tolist(), "code": np.arange(len(self.names))}, _CODED)

    @classmethod
    def of(cls, sessions: Sequence[Sequence[str]], locales: Sequence[str | None]) -> Catalogue:
        """Of the items and locales of these sessions."""
        found = _exploded(sessions)["name"].drop_nulls().unique().to_list()
        return cls(found, [one for one in locales if one])

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.names)

    def encode(
        self, sessions: Sequence[Sequence[str]], locales: Sequence[str | None] | None = None
    ) -> tuple[Sessions, NDArray[np.object_]]:
        """Codes of sessions, and the name of every code: the catalogue's, then those it does not know.

        ``locales`` may be left out; None and locales that the catalogue does not know are -1.
        UsageError: as many locales as sessions are needed.
        """
        if locales is not None and len(locales) != len(sessions):
            raise UsageError(f"{len(sessions)} sessions and {len(locales)} locales were given; give one locale each")
        events = _exploded(sessions)
        joined = events.join(self._frame, on="name", how="left", maintain_order="left")
        fresh = joined.filter(pl.col("code").is_null())["name"].unique(maintain_order=True)
        more = pl.DataFrame({"name": fresh, "fresh": np.arange(len(fresh)) + self.items}, {**_NAMED, "fresh": pl.Int64})
        code = joined.join(more, on="name", how="left", maintain_order="left").select(pl.coalesce("code", "fresh"))
        start = np.concatenate([[0], np.cumsum([len(one) for one in sessions])]).astype(np.int64)
        place = {name: nth for nth, name in enumerate(self.locales)}
        where = [place.get(one or "", -1) for one in locales] if locales is not None else [-1] * len(sessions)
        names = np.concatenate([self.names, np.array(fresh.to_list(), dtype=object)])
        return Sessions(code.to_series().to_numpy().astype(np.int64), start, np.array(where, np.int64)), names


_NAMED = {"name": pl.String}
_CODED = {"name": pl.String, "code": pl.Int64}


def _exploded(sessions: Sequence[Sequence[str]]) -> pl.DataFrame:
    lists = pl.Series("name", [list(one) for one in sessions], dtype=pl.List(pl.String))
    found = lists.filter(lists.list.len() > 0).explode() if len(lists) else pl.Series("name", [], dtype=pl.String)
    if found.null_count():
        raise DataError("a session holds an item without a name (null); remove it, or name it")
    return found.to_frame()
