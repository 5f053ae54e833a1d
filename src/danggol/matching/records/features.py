"""Pairs of records as figures for trees: by column, by whole record, by model number and by number columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from danggol.matching.records.learnt import Said
from danggol.matching.records.models import model_numbers
from danggol.matching.records.reading import RecordPairs
from danggol.matching.records.views import Columns, Texts, Vocabulary, overlap, soft, told_numbers
from danggol.matching.records.words import Floats, Ints, numbers, unit, words

_NUMERIC = 0.9
"""Share of a column's values that are numbers, from which it is compared as numbers."""
_YEARS = (1985, 2035)
_LIKENESS = (
    "whole:words",
    "head:words",
    "head:characters",
    "soft_left:soft",
    "soft_right:soft",
    "whole:of_left",
    "whole:of_right",
    "code_part_share_left",
    "code_begun_share_left",
    "code_part_share_right",
)


@dataclass(frozen=True)
class Described:
    """Pairs as figures."""

    values: Floats
    """(pairs, features), nan where not known"""
    names: list[str]
    """(features,)"""
    likeness: Columns
    """the similarities by which pairs are ranked, (pairs,) each, more is more alike"""
    said: Said
    whole: csr_matrix
    """(records, words) of length one, of the whole records"""


@dataclass(frozen=True)
class Kinds:
    """Which columns are texts and which are numbers."""

    texts: list[str]
    numbers: list[str]

    @classmethod
    def of(cls, pairs: RecordPairs) -> Kinds:
        """Told from the values; the first column is a text, whatever it holds."""
        names = pairs.columns()
        counted = [name for name in names[1:] if _numeric([one[name] for one in pairs.records if name in one])]
        return cls([name for name in names if name not in counted], counted)


def describe(pairs: RecordPairs, kinds: Kinds) -> Described:
    """The figures of pairs; words are weighted by all the records of ``pairs``."""
    left, right = pairs.left, pairs.right
    by_column = {name: [record.get(name, "") for record in pairs.records] for name in kinds.texts}
    joined = [" ".join(parts) for parts in zip(*by_column.values(), strict=True)]
    vocabulary = Vocabulary(joined)
    views = {name: vocabulary.view(texts) for name, texts in by_column.items()}
    whole = views["*"] = vocabulary.view(joined)
    head = views[kinds.texts[0]]
    columns: Columns = {}
    for name, one, other in _sides(kinds, views):
        columns |= _named(name, overlap(one, other, left, right))
    for name, one, other in (("head", head, head), ("whole", whole, whole)):
        columns |= _named(name, told_numbers(one, other, left, right))
    columns |= _named("soft_left", soft(vocabulary, head, whole, left, right))
    columns |= _named("soft_right", soft(vocabulary, head, whole, right, left))
    columns |= _named("soft_head", soft(vocabulary, head, head, left, right))
    columns |= model_numbers(head.plain, whole.plain, left, right)
    columns |= _told(head.plain, whole.plain, left, right)
    for name in kinds.numbers:
        columns |= _named(name, _amounts([record.get(name, "") for record in pairs.records], left, right))
    likeness = {name: columns[name] for name in _LIKENESS if name in columns}
    likeness |= {f"{name}:close": -columns[f"{name}:ratio_size"] for name in kinds.numbers}
    said = Said.of(pairs, vocabulary.words.names, head.words, whole.words)
    values = np.stack(list(columns.values()), axis=1).astype(np.float32)
    return Described(values, list(columns), likeness, said, unit(whole.words))


def _sides(kinds: Kinds, views: dict[str, Texts]) -> list[tuple[str, Texts, Texts]]:
    """Each column against itself, against the other's whole record, and whole against whole."""
    whole = views["*"]
    if len(kinds.texts) == 1:
        return [("whole", whole, whole)]
    found = [("whole", whole, whole)]
    for nth, column in enumerate(kinds.texts):
        one, name = views[column], "head" if nth == 0 else column
        found += [(name, one, one), (f"{name}>", one, whole), (f"<{name}", whole, one)]
    return found


def _told(head: list[str], whole: list[str], left: Ints, right: Ints) -> Columns:
    """First words, lengths, and years."""
    listed = [words(text) for text in head]
    first = np.array([one[0] if one else "" for one in listed])
    size = np.array([len(one) for one in listed], np.float32)
    full = np.array([len(words(text)) for text in whole], np.float32)
    sets = [set(words(text)) for text in whole]
    years = [{one for one in numbers(text) if one.isdigit() and _YEARS[0] <= int(one) <= _YEARS[1]} for text in head]
    pairs = list(zip(left, right, strict=True))
    return {
        "first_same": (first[left] == first[right]).astype(np.float32),
        "first_left_there": np.array([first[a] in sets[b] for a, b in pairs], np.float32),
        "first_right_there": np.array([first[b] in sets[a] for a, b in pairs], np.float32),
        "words_left": size[left],
        "words_right": size[right],
        "whole_left": full[left],
        "whole_right": full[right],
        "years_same": np.array([len(years[a] & years[b]) for a, b in pairs], np.float32),
        "years_against": np.array(
            [bool(years[a] and years[b] and not years[a] & years[b]) for a, b in pairs], np.float32
        ),
        "years_one": np.array([bool(years[a]) != bool(years[b]) for a, b in pairs], np.float32),
    }


def _amounts(values: list[str], left: Ints, right: Ints) -> Columns:
    """Two numbers compared; nan where either is missing."""
    amount = np.array([_amount(value) for value in values])
    one, other = amount[left], amount[right]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(np.where(one > 0, one, np.nan)) - np.log(np.where(other > 0, other, np.nan))
    found = {
        "ratio": ratio,
        "ratio_size": np.abs(ratio),
        "difference": np.abs(one - other),
        "left": one,
        "right": other,
    }
    return {name: value.astype(np.float32) for name, value in found.items()}


def _amount(value: str) -> float:
    try:
        return float(value.replace(",", "").lstrip("$€£₩¥ "))
    except ValueError:
        return float("nan")


def _numeric(values: list[str]) -> bool:
    read = [np.isfinite(_amount(value)) for value in values]
    return bool(read) and float(np.mean(read)) >= _NUMERIC


def _named(part: str, columns: Columns) -> Columns:
    return {f"{part}:{name}": value for name, value in columns.items()}
