"""splink 5 as a peer on files of candidate pairs: its EM learns, without labels, from exactly those pairs.

Every record holds the list of its candidates, and the one blocking rule asks for them, so that EM and prediction see
the pairs of the file and no others. Texts are compared in one of three ways (Jaro-Winkler levels, the number of shared
words, the share of the shorter text's words that are shared); model numbers by their likest two; numbers in the title
by the share that agrees; number columns by percentage. u is estimated from random pairs.
"""

from __future__ import annotations

import contextlib
import io
import logging
from typing import Any

import duckdb
import numpy as np
import polars as pl
import splink.comparison_level_library as levels
import splink.comparison_library as comparisons
from numpy.typing import NDArray
from splink import DuckDBAPI, Linker, SettingsCreator

from danggol.matching.records import Record, RecordPairs
from danggol.matching.records.features import Kinds
from danggol.matching.records.words import codes, numbers, spelt, words

WAYS = ("jaro_winkler", "shared", "share")
_RULE = "list_contains(l.partners, r.unique_id)"
_NEVER = -1000.0


def splink_weights(pairs: RecordPairs, kinds: Kinds, way: str) -> NDArray[np.float64]:
    """Match weights (pairs,), log2 of odds, with texts compared in one of :data:`WAYS`."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    connection = duckdb.connect()
    connection.execute("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = _predicted(DuckDBAPI(connection=connection), pairs, kinds, way)
    weight = {(one["unique_id_l"], one["unique_id_r"]): one["match_weight"] for one in found}
    return np.array([weight.get(pair, _NEVER) for pair in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)])


def _predicted(api: DuckDBAPI, pairs: RecordPairs, kinds: Kinds, way: str) -> list[dict[str, Any]]:
    left, right = pairs.left.tolist(), pairs.right.tolist()
    tables = [
        api.register(_table(pairs, own, others, kinds), dataset_display_name=name)
        for name, own, others in (("l", left, right), ("r", right, left))
    ]
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=_comparisons(kinds, way),
        blocking_rules_to_generate_predictions=[_RULE],
        probability_two_random_records_match=1e-3,
        retain_matching_columns=False,
    )
    linker = Linker(tables, settings)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e5, seed=0, min_count_per_level=None)
    linker.training.estimate_parameters_using_expectation_maximisation(_RULE)
    rows: list[dict[str, Any]] = linker.inference.predict().as_record_list()
    return rows


def _table(pairs: RecordPairs, own: list[int], others: list[int], kinds: Kinds) -> pl.DataFrame:
    """One side's records with what splink compares."""
    partners: dict[int, set[int]] = {}
    for one, other in zip(own, others, strict=True):
        partners.setdefault(one, set()).add(other)
    rows = [
        {"unique_id": row, "partners": sorted(partners[row])} | _compared(pairs.records[row], kinds)
        for row in sorted(partners)
    ]
    schema = {"unique_id": pl.Int64, "partners": pl.List(pl.Int64)}
    schema |= {"codes": pl.List(pl.String), "figures": pl.List(pl.String)}
    for nth in range(len(kinds.texts)):
        schema |= {f"text{nth}": pl.String, f"words{nth}": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=schema | {f"number{nth}": pl.Float64 for nth in range(len(kinds.numbers))})


def _compared(record: Record, kinds: Kinds) -> dict[str, Any]:
    head = spelt(record.get(kinds.texts[0], ""))
    found: dict[str, Any] = {"codes": codes(head) or None, "figures": sorted(set(numbers(head))) or None}
    for nth, name in enumerate(kinds.texts):
        text = spelt(record.get(name, ""))
        found |= {f"text{nth}": text or None, f"words{nth}": sorted(set(words(text))) or None}
    for nth, name in enumerate(kinds.numbers):
        try:
            found[f"number{nth}"] = float(record.get(name, "").replace(",", ""))
        except ValueError:
            found[f"number{nth}"] = None
    return found


def _comparisons(kinds: Kinds, way: str) -> list[Any]:
    found = []
    for nth in range(len(kinds.texts)):
        if way == "jaro_winkler":
            found.append(comparisons.JaroWinklerAtThresholds(f"text{nth}", [0.95, 0.9, 0.85, 0.8, 0.7]))
        elif way == "shared":
            found.append(comparisons.ArrayIntersectAtSizes(f"words{nth}", [8, 6, 5, 4, 3, 2, 1]))
        else:
            found.append(_share(f"words{nth}", [0.95, 0.8, 0.65, 0.5, 0.35, 0.2]))
    likest = comparisons.PairwiseStringDistanceFunctionAtThresholds("codes", "jaro_winkler", [0.97, 0.93, 0.88])
    found += [likest, _share("figures", [0.99, 0.5])]
    for nth in range(len(kinds.numbers)):
        name = f"number{nth}"
        near = [levels.PercentageDifferenceLevel(name, cut) for cut in (0.01, 0.05, 0.15, 0.3)]
        found.append(_levels(name, near))
    return found


def _share(name: str, cuts: list[float]) -> Any:
    """Levels of the share of the shorter list that the other holds."""
    share = f"len(list_intersect({name}_l, {name}_r)) / greatest(1, least(len({name}_l), len({name}_r)))"
    return _levels(name, [levels.CustomLevel(f"{share} >= {cut}", label_for_charts=f">= {cut}") for cut in cuts])


def _levels(name: str, between: list[Any]) -> Any:
    return comparisons.CustomComparison(
        output_column_name=name, comparison_levels=[levels.NullLevel(name), *between, levels.ElseLevel()]
    )
