"""Matched listings on disk, so that the next run need only look at what is new.

Kept are the neighbours, the pairs with what was said of them, and the groups. What the listings hold is read from the
shop again; a fingerprint of each says whether it is what it was. Prices are left out of it: they change daily, and
weigh in a match as they were when it was made.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from danggol import artefact
from danggol.errors import DanggolError
from danggol.matching.inputs.listings import Listings
from danggol.matching.inputs.texts import TextEncoder
from danggol.matching.matcher import Matched, Matcher
from danggol.matching.matches import Matches
from danggol.matching.pairs.evidence import Evidence, Pairs
from danggol.matching.pairs.repeats import stands
from danggol.matching.search.index import Ints, Neighbours
from danggol.version import __version__

_FILE = "state.safetensors"
_COLUMNS = ("left", "right", "similarity", "by", "rank")
_MOST_NEW = 0.1
"""Share of new listings beyond which all are matched anew, since words and their weights are learnt then."""


def write_state(folder: Path, matcher: Matcher, state: Matched) -> None:
    """Let the state take the folder's place, whole."""
    evidence, matches = state.evidence, state.matches
    pairs = evidence.pairs
    arrays: dict[str, NDArray[Any]] = {"left": pairs.left.astype(np.int32), "right": pairs.right.astype(np.int32)}
    arrays |= {"first": state.first, "value": state.value, "group": state.group.astype(np.int32)}
    for name, near in evidence.near.items():
        arrays |= {f"place.{name}": near.place.astype(np.int32), f"near.{name}": near.similarity}
    kinds = _kinds(evidence)
    arrays["told"] = pairs.values[:, [pairs.names.index(name) for name in kinds]]
    listings = {"product_id": evidence.listings.ids, "held": _fingerprints(evidence.listings)}
    tables: dict[str, pl.DataFrame | None] = {
        "listings": pl.DataFrame(listings).with_columns(group_id=pl.Series(matches.group, dtype=pl.String)),
        "matches": pl.DataFrame({name: getattr(matches, name) for name in _COLUMNS}),
    }
    config = {
        **{"capability": "matching", "model": "state", "format": artefact.FORMAT, "package_version": __version__},
        **{"matcher": matcher.key, "learnt": evidence.encoder.learnt, "names": pairs.names, "kinds": kinds},
        **{"near": list(evidence.near), "details": sorted(evidence.listings.details)},
    }
    told = {name: np.ascontiguousarray(one) for name, one in arrays.items()}
    artefact.publish(folder, {artefact.CONFIG: json.dumps(config), _FILE: save(told), **artefact.table_files(tables)})


def read_state(folder: Path, matcher: Matcher, listings: Listings) -> Matched | None:
    """What :func:`write_state` wrote, of those ``listings`` that were there then.

    None where all are to be matched anew: there is no state, or it is of another matcher or release; a listing is gone
    or another one than it was; or very many are new.
    """
    try:
        return _read(artefact.locate(folder), matcher, listings)
    except (DanggolError, SafetensorError, pl.exceptions.PolarsError, KeyError, TypeError, ValueError, OSError):
        return None


def _read(folder: Path, matcher: Matcher, listings: Listings) -> Matched | None:
    config = artefact.read_config(folder, "matching", "state")
    if (config["matcher"], config["package_version"]) != (matcher.key, __version__):
        return None
    table, matches = artefact.read_tables(folder, "listings", "matches")
    if table is None or matches is None or config["details"] != sorted(listings.details):
        return None
    rows = _rows(table, listings)
    if rows is None or len(listings) > (1 + _MOST_NEW) * config["learnt"]:
        return None
    arrays = load((folder / _FILE).read_bytes())
    old = listings.take(rows)
    encoder = TextEncoder()
    text = encoder.fit_transform(old.titles[: config["learnt"]])
    text = text.extended(encoder.transform(old.titles[config["learnt"] :]))
    left, right = arrays["left"].astype(np.int64), arrays["right"].astype(np.int64)
    values = np.full((len(left), len(config["names"])), np.nan, np.float32)
    values[:, [config["names"].index(name) for name in config["kinds"]]] = arrays["told"]
    near = {
        name: Neighbours(arrays[f"place.{name}"].astype(np.int64), arrays[f"near.{name}"]) for name in config["near"]
    }
    evidence = Evidence(old, encoder, text, near, Pairs(left, right, values, config["names"]), stands(old, text))
    group = arrays["group"].astype(np.int64)
    return Matched(evidence, arrays["first"], arrays["value"], group, _matches(old, table, matches))


def _matches(listings: Listings, table: pl.DataFrame, matches: pl.DataFrame) -> Matches:
    column = {name: matches[name].to_numpy() for name in ("left", "right", "similarity", "rank")}
    by = matches["by"].to_numpy().astype("U10")
    group = table["group_id"].to_list()
    return Matches(listings.ids, column["left"], column["right"], column["similarity"], by, column["rank"], group)


def _rows(table: pl.DataFrame, listings: Listings) -> Ints | None:
    """The row of each listing of the state; None where one is gone or has changed."""
    place = {name: row for row, name in enumerate(listings.ids.tolist())}
    found = [place.get(name, -1) for name in table["product_id"].to_list()]
    if -1 in found:
        return None
    rows = np.array(found, np.int64)
    held = np.array(_fingerprints(listings))[rows].tolist()
    return rows if held == table["held"].to_list() else None


def _kinds(evidence: Evidence) -> list[str]:
    """The similarities among the features: all that later runs read of pairs which are not described anew."""
    wanted = ("words", "characters", "hash", "looks", *evidence.listings.vectors)
    return [name for name in wanted if name in evidence.pairs.names]


def _fingerprints(listings: Listings) -> list[str]:
    """A fingerprint of each listing, its price left out."""
    names = sorted(listings.details)
    found = []
    for row, title in enumerate(listings.titles):
        told = [title, listings.brands[row], *(listings.details[name][row] for name in names)]
        held = hashlib.blake2b(json.dumps(told).encode(), digest_size=12)
        held.update(listings.hashes[row].tobytes())
        if listings.pictures is not None:
            held.update(listings.pictures[row].tobytes())
        for vectors in listings.vectors.values():
            held.update(vectors[row].tobytes())
        found.append(held.hexdigest())
    return found


def grown(matcher: Matcher, state: Matched, listings: Listings) -> tuple[Matched, int]:
    """The state after those ``listings`` joined that are new; and how many they are."""
    new = np.flatnonzero(~np.isin(listings.ids, state.evidence.listings.ids))
    return matcher.join(state, listings.take(new)), len(new)
