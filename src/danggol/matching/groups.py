"""What goes out besides matches: a partition of the listings into products, with ids that survive re-runs.

Matches need not be transitive; a group must be. Groups are made by joining pairs, the surest first, where the mean
probability over all pairs of the two sides is still above the threshold (average linkage: Sokal & Michener, 1958; pairs
never looked at count as zero), within each connected component of the matches. So one doubtful pair does not chain two
products into one.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Mapping, Sequence, Set

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from danggol.matching.search.index import Bools, Floats, Ints


def partition(size: int, left: Ints, right: Ints, probability: Floats, threshold: float) -> Ints:
    """The group (listings,) of each listing, numbered by its first row.

    ``left``, ``right``, ``probability`` (pairs,): every pair once.
    """
    code = _components(size, left, right, probability, threshold)
    return _split(code, code, np.bincount(code, minlength=size) > 2, left, right, probability, threshold)


def partition_again(
    size: int, left: Ints, right: Ints, probability: Floats, threshold: float, former: Ints, changed: Ints
) -> tuple[Ints, Bools]:
    """As :func:`partition`, after others joined; and of which listings (listings,) the group was made again.

    ``former``: the groups of the first listings before. ``changed``: the rows that :func:`felt` tells, and the new
    rows. Components without such rows keep their groups.
    """
    code = _components(size, left, right, probability, threshold)
    touched = np.zeros(size, np.bool_)
    touched[code[changed]] = True
    again = touched[code]
    group = code.copy()
    stays = np.flatnonzero(~again)
    group[stays] = former[stays]
    open_ = touched & (np.bincount(code, minlength=size) > 2)
    return _split(code, group, open_, left, right, probability, threshold), again


def felt(
    size: int, left: Ints, right: Ints, before: Floats, probability: Floats, threshold: float, least: float
) -> Ints:
    """The rows of pairs whose probability is another than ``before``, and that matter.

    Those are the pairs that reach ``least``, the lowest of all limits, now or before, and those within a component of
    the pairs that reach the ``threshold`` of a group.
    """
    moved = np.flatnonzero(probability != before)
    code = _components(size, left, right, probability, threshold)
    matter = np.maximum(probability[moved], before[moved]) >= least
    matter |= code[left[moved]] == code[right[moved]]
    return np.unique(np.concatenate([left[moved[matter]], right[moved[matter]]]))


def _components(size: int, left: Ints, right: Ints, probability: Floats, threshold: float) -> Ints:
    """The first row (listings,) of each listing's connected component."""
    kept = probability >= threshold
    edges = csr_matrix((np.ones(int(kept.sum())), (left[kept], right[kept])), (size, size))
    component = connected_components(edges, directed=False)[1]
    _, first, code = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(first[code], np.int64)


def _split(
    code: Ints, group: Ints, open_: Bools, left: Ints, right: Ints, probability: Floats, threshold: float
) -> Ints:
    """The groups, those components being split that are open, by their first row."""
    group = group.copy()
    where = np.flatnonzero((code[left] == code[right]) & open_[code[left]])
    order = where[np.argsort(code[left[where]], kind="stable")]
    for part in np.split(order, np.flatnonzero(np.diff(code[left[order]])) + 1):
        if len(part):
            members = np.unique(np.concatenate([left[part], right[part]]))
            one, two = np.searchsorted(members, left[part]), np.searchsorted(members, right[part])
            group[members] = members[_linked(len(members), one, two, probability[part], threshold)]
    return group


def _linked(size: int, left: Ints, right: Ints, probability: Floats, threshold: float) -> Ints:
    """Average linkage of one component: the first row (members,) of each member's group."""
    weight: list[dict[int, float]] = [{} for _ in range(size)]
    for one, two, value in zip(left.tolist(), right.tolist(), probability.tolist(), strict=True):
        weight[one][two] = weight[two][one] = value
    members = [[row] for row in range(size)]
    alive, version = [True] * size, [0] * size
    heap = [(-value, one, two, 0, 0) for one in range(size) for two, value in weight[one].items() if one < two]
    heapq.heapify(heap)
    while heap:
        negative, one, two, seen_one, seen_two = heapq.heappop(heap)
        if -negative < threshold:
            break
        if not (alive[one] and alive[two] and version[one] == seen_one and version[two] == seen_two):
            continue
        members[one] += members[two]
        alive[two] = False
        version[one] += 1
        for other, value in weight[two].items():
            weight[other].pop(two)
            if other != one:
                weight[one][other] = weight[other][one] = weight[one].get(other, 0.0) + value
        for other, value in weight[one].items():
            mean = value / (len(members[one]) * len(members[other]))
            low, high = min(one, other), max(one, other)
            heapq.heappush(heap, (-mean, low, high, version[low], version[high]))
    group = np.empty(size, np.int64)
    for row in range(size):
        if alive[row]:
            group[members[row]] = min(members[row])
    return group


def group_ids(
    ids: Sequence[str], group: Ints, former: Mapping[str, str] | None = None, others: Set[str] = frozenset()
) -> list[str]:
    """An id (listings,) for each listing's group.

    A group takes over the former id that most of its listings had, where no other group has more of that one; a new
    group's id is made from its first listing's id. So ids do not depend on the order of rows, and a group that gains or
    loses listings keeps its id. ``others`` are ids of groups elsewhere, which no group takes.
    """
    rows = _rows_of(group)
    kept = _kept(ids, group, former) if former else {}
    taken = {*kept.values(), *others}
    names = dict(kept)
    for code, part in sorted(rows.items(), key=lambda item: min(ids[row] for row in item[1])):
        if code not in kept:
            name = fresh_id(min(ids[row] for row in part))
            while name in taken:
                name = fresh_id(name)
            taken.add(name)
            names[code] = name
    return [names[int(code)] for code in group]


def fresh_id(first: str) -> str:
    """A new group's id, from the id of its first listing."""
    return "g-" + hashlib.sha256(first.encode()).hexdigest()[:16]


def members(group: Ints) -> tuple[Ints, Ints]:
    """Every listing with every other of its group (pairs,), both ways; a negative group is none."""
    row = np.flatnonzero(group >= 0)
    order = row[np.argsort(group[row], kind="stable")]
    count = np.unique(group[order], return_counts=True)[1]
    wide = np.repeat(count, count)
    start = np.repeat(np.cumsum(count) - count, count)
    left = np.repeat(order, wide)
    nth = np.arange(len(left)) - np.repeat(np.cumsum(wide) - wide, wide)
    right = order[np.repeat(start, wide) + nth]
    return left[left != right], right[left != right]


def _rows_of(group: Ints) -> dict[int, Ints]:
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return {int(group[part[0]]): part for part in np.split(order, starts[1:]) if len(part)}


def _kept(ids: Sequence[str], group: Ints, former: Mapping[str, str]) -> dict[int, str]:
    """The former id of each group that takes one over: the pairs of old and new with the most in common first."""
    shared: dict[tuple[str, int], int] = {}
    for name, code in zip(ids, group.tolist(), strict=True):
        if name in former:
            key = (former[name], code)
            shared[key] = shared.get(key, 0) + 1
    first = {code: min(ids[row] for row in rows) for code, rows in _rows_of(group).items()}
    found: dict[int, str] = {}
    used: set[str] = set()
    for (old, code), _ in sorted(shared.items(), key=lambda item: (-item[1], first[item[0][1]], item[0][0])):
        if code not in found and old not in used:
            found[code] = old
            used.add(old)
    return found
