"""Candidates of a session from every source, and the features of each candidate x session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danggol.purchase.nextitem.sessions import Codes, Sessions
from danggol.purchase.nextitem.sources import FADING, Counts, Floats, Ids, ranked

TAKEN = {
    "next": 30,
    "forward": 30,
    "backward": 20,
    "cosine": 40,
    "second_forward": 15,
    "third": 10,
    "all_cosine": 40,
    "all_local": 30,
    "walk_two": 50,
    "walk_three": 60,
    "neighbours": 60,
    "siblings": 8,
    "siblings_walk": 20,
}
"""How many candidates each source gives; the others only score."""
_SCORED = 200
"""The items of a source beyond its first so many have no score."""

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Candidates:
    """Rows of candidate x session, sorted by session: ``row`` (n,), ``item`` (n,), and features (n, features).

    A feature is nan where a source says nothing of the candidate.
    """

    row: Codes
    item: Codes
    values: Floats
    names: list[str]


def candidates(counts: Counts, sessions: Sessions, ids: Ids) -> Candidates:
    """The candidates of some sessions: of every source its first ones, and the session's own items."""
    width = len(ids.place)
    found, keys = {}, [sessions.session * width + sessions.item]
    for name, matrix in counts.scores(sessions, ids).items():
        row, column, value, rank = ranked(matrix, _SCORED)
        found[name] = (row * width + column, value, rank)
        keys.append(found[name][0][rank < TAKEN.get(name, 0)])
    wanted = np.unique(np.concatenate(keys))
    row, item = wanted // width, wanted % width
    columns: Columns = {}
    for name, (key, value, rank) in found.items():
        at = np.minimum(np.searchsorted(wanted, key), max(len(wanted) - 1, 0))
        kept = wanted[at] == key if len(wanted) else np.zeros(0, np.bool_)
        columns[name] = _placed(value[kept], at[kept], len(wanted))
        if name in TAKEN:
            columns[f"{name}_rank"] = _placed(rank[kept], at[kept], len(wanted))
    columns |= _of_own(sessions, wanted, width)
    columns |= _of_ids(sessions, ids, row, item)
    columns |= _of_item(counts, item, sessions.locale[row])
    columns |= {name: values[row] for name, values in _of_session(counts, sessions).items()}
    values = np.empty((len(wanted), len(columns)), np.float32)
    for nth, column in enumerate(columns.values()):
        values[:, nth] = column
    return Candidates(row, item, values, list(columns))


def _placed(values: NDArray[Any], at: Codes, size: int) -> Floats:
    out = np.full(size, np.nan, np.float32)
    out[at] = values
    return out


def _of_own(sessions: Sessions, wanted: Codes, width: int) -> Columns:
    """How often, how lately and since when a candidate is in the session itself; nan where it is not."""
    at = np.searchsorted(wanted, sessions.session * width + sessions.item)
    back = sessions.from_end.astype(np.float64)
    latest, earliest = np.full(len(wanted), np.inf), np.full(len(wanted), -np.inf)
    np.minimum.at(latest, at, back)
    np.maximum.at(earliest, at, back)
    return {
        "own_count": np.bincount(at, minlength=len(wanted)),
        "own_latest": np.where(np.isfinite(latest), latest, np.nan),
        "own_earliest": np.where(np.isfinite(earliest), earliest, np.nan),
        "own_fading": np.bincount(at, weights=FADING**back, minlength=len(wanted)),
    }


def _of_ids(sessions: Sessions, ids: Ids, row: Codes, item: Codes) -> Columns:
    """Letters shared with the last three items, and how far from the last one in the order of ids."""
    columns: Columns = {}
    for nth, name in enumerate(("last", "second", "third")):
        other = sessions.at(nth)[row]
        columns[f"letters_{name}"] = np.where(other >= 0, ids.shared(item, other), np.nan)
    other = sessions.at(0)[row]
    apart = np.log1p(np.abs(ids.place[item] - ids.place[other]))
    return columns | {"ids_apart": np.where(other >= 0, apart, np.nan)}


def _of_item(counts: Counts, item: Codes, locale: Codes) -> Columns:
    there = item < counts.items
    known = np.where(there, item, 0)
    events, visits = counts.events[known] * there, counts.sessions[known] * there
    local = counts.popular[locale, known] * there
    return {
        "events": events,
        "visits": visits,
        "again": events / np.maximum(visits, 1),
        "ends": counts.last[known] * there / np.maximum(visits, 1),
        "local_events": local,
        "local_share": local / np.maximum(events, 1),
    }


def _of_session(counts: Counts, sessions: Sessions) -> Columns:
    """Of the session (n,), and of its last item."""
    width = int(sessions.item.max(initial=0)) + 1
    own = np.unique(sessions.session * width + sessions.item) // width
    last = sessions.at(0)
    there = (last >= 0) & (last < counts.items)
    known = np.where(there, last, 0)
    visits = counts.sessions[known] * there
    return {
        "length": sessions.length,
        "distinct": np.bincount(own, minlength=len(sessions)),
        "locale": sessions.locale,
        "last_visits": visits,
        "last_again": counts.events[known] * there / np.maximum(visits, 1),
        "last_ends": counts.last[known] * there / np.maximum(visits, 1),
        "last_repeats": (last == sessions.at(1)) & (last >= 0),
    }
